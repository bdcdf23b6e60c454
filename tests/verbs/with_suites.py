"""The command line with a test's suites in place of the shipped ones.

    python with_suites.py SUITES.json [ARGUMENT...]

The keyrings that the table names lie beside it.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from envfreeze.cli.main import main
from envfreeze.locking.apt import suites

if __name__ == "__main__":
    place = Path(sys.argv[1])
    catalogue = suites.read(json.loads(place.read_text()), lambda name: (place.parent / name).read_bytes())
    suites.shipped = lambda: catalogue
    sys.exit(main(sys.argv[2:]))
