"""What the scripts of Debian's Python packages make besides byte code, which is off by design."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envfreeze.oci.entry import directory, file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envfreeze.layers.system.tree import Tree
    from envfreeze.oci.entry import Entry

_MINIMAL = re.compile(r"(python3\.\d+)-minimal")
_CONFIG = b"[DEFAULT]\n# how to byte-compile (comma separated: standard, optimize)\nbyte-compile = standard\n"


def entries(tree: Tree) -> Iterator[Entry]:
    """Make `dist-packages` of each Python, the mark that it is installed, and Debian's configuration."""
    for package in tree.packages:
        match = _MINIMAL.fullmatch(package.deb.name)
        if match is None:
            continue
        yield directory(f"usr/local/lib/{match[1]}")
        yield directory(f"usr/local/lib/{match[1]}/dist-packages")
        yield file(f"var/lib/python/{match[1]}_installed", b"")
    if tree.package("python3") and not tree.exists("etc/python3/debian_config"):
        yield file("etc/python3/debian_config", _CONFIG)
