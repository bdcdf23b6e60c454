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
        for folder in (f"usr/local/lib/{match[1]}", f"usr/local/lib/{match[1]}/dist-packages"):
            if not tree.is_beneath(folder):
                yield directory(folder)
        yield file(f"var/lib/python/{match[1]}_installed", b"")
    there = tree.exists("etc/python3/debian_config") or tree.is_beneath("etc/python3/debian_config")
    if tree.package("python3") and not there:
        yield file("etc/python3/debian_config", _CONFIG)
