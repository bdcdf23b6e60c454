"""What is installed in an image against what a lock puts there, file by file, without an image made.

`expected` lays the lock's files into the table that compares images, `differences` goes through both sides,
`tolerance` says what a faithful installer may leave different, `packages` compares the sets of packages, and
`verdict` puts it together.
"""

from __future__ import annotations

from envfreeze.compare.installed.origins import Origin
from envfreeze.compare.installed.verdict import Installed, judge

__all__ = ["Installed", "Origin", "judge"]
