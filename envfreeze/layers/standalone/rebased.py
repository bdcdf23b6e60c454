"""The folder that a Python was built for, replaced by the one that it lies in, in the files that tell of it.

python-build-standalone builds for `/install` and leaves that path in a handful of text files (its
docs/quirks.md, "References to Build-Time Paths"). Python itself finds its folder by where its program is.
sysconfig also names the compiler of the build machine, `clang`, which setuptools would run; so it becomes
`cc`, which is whatever compiler an image has. The rules are in docs/formats/standalone-layer.md.
"""

from __future__ import annotations

import re

_BUILT_FOR = re.compile(rb"(?:(?<![A-Za-z0-9_.)}/-])|(?<=-I)|(?<=-L))/install(?=[/\"'\s:;,)]|\Z)")
_TOOL = re.compile(
    rb"(?<=[\"'\s])(?:/tools/[A-Za-z0-9._-]+/bin/|/usr/bin/(?:x86_64|aarch64)-linux-gnu-)?"
    rb"(clang\+\+|clang|llvm-ar|g\+\+|gcc|ar)(?=[\"'\s])"
)
_TOOLS = {b"clang++": b"c++", b"clang": b"cc", b"llvm-ar": b"ar", b"g++": b"c++", b"gcc": b"cc", b"ar": b"ar"}
_TEXTS = re.compile(
    r"lib/python3\.[0-9]+/(?:_sysconfigdata_[^/]*\.py|_sysconfig_vars_[^/]*\.json|build-details\.json)"
    r"|lib/python3\.[0-9]+/config-[^/]*/(?:Makefile|python-config\.py)"
    r"|lib/pkgconfig/[^/]*\.pc"
)
_SETTINGS = re.compile(r"lib/python3\.[0-9]+/_sysconfig(?:data|_vars)_[^/]*")
_SCRIPT = re.compile(r"bin/[^/]*")


def is_text(path: str, begin: bytes) -> bool:
    """Whether a file may name the folder that Python was built for.

    Args:
        path: relative to Python's folder.
        begin: the file's first two bytes.

    """
    return _TEXTS.fullmatch(path) is not None or (begin == b"#!" and _SCRIPT.fullmatch(path) is not None)


def rebased(path: str, content: bytes, prefix: str) -> bytes:
    """Give a file's content as it is in the image.

    Args:
        path: relative to Python's folder.
        content: as it was built.
        prefix: Python's folder in the image, with its leading slash.

    """
    moved = _BUILT_FOR.sub(lambda _: prefix.encode(), content)
    if _SETTINGS.fullmatch(path) is None:
        return moved
    return _TOOL.sub(lambda found: _TOOLS[found[1]], moved)
