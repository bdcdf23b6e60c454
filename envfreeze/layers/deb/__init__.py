"""A Debian package -> entries of a layer, and what its maintainer scripts would have done.

Nothing from a package is ever executed. `docs/formats/os-layers.md` states every rule that shapes bytes.
"""

from envfreeze.layers.deb.package import DebPackage, open_deb, read_control
from envfreeze.layers.deb.scripts.review import review

__all__ = ["DebPackage", "open_deb", "read_control", "review"]
