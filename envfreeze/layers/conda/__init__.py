"""A conda package becomes the entries of a layer: what conda would link into the prefix, without running it.

`archive` takes the file apart, `paths` says what it installs, `contents` what it holds, `prefix` puts the
real prefix in the place of the one it was built in, `noarch` finds a Python package's place, `scripts`
names what is not run, `record` writes `conda-meta`; `package` puts them together.
docs/formats/conda-layers.md states every rule that shapes bytes.
"""

from __future__ import annotations

from envfreeze.layers.conda.package import CondaContent, open_conda
from envfreeze.layers.conda.scripts import link_scripts

__all__ = ["CondaContent", "link_scripts", "open_conda"]
