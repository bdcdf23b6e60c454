"""Which index each package came from, and what made it part of the answer.

uv's `pylock.toml` does not say. Its requirements format does, in comments, when it is asked for the same
once more; everything that it needs for that is in its cache by then.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from envfreeze.locking.indexes import without_credentials

if TYPE_CHECKING:
    from collections.abc import Mapping

_PACKAGE = re.compile(r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(?:\[[^\]]*\])?\s*(?:==|@)")
_FROM = re.compile(r"\s+# from (?P<url>\S+)")
_VIA = re.compile(r"\s+#(?: via)?\s+(?P<who>.+)")


@dataclass(frozen=True, slots=True)
class Origin:
    """What uv says of a package.

    Attributes:
        index: URL of the index, without credentials; None: it comes from no index.
        via: who asked for it: packages, files.

    """

    index: str | None
    via: tuple[str, ...]


def parse(text: str) -> Mapping[str, Origin]:
    """Read what uv writes with `--emit-index-annotation --annotation-style split`, by normalised name."""
    found: dict[str, Origin] = {}
    name = ""
    for line in text.splitlines():
        if package := _PACKAGE.match(line):
            name = canonicalize_name(package["name"])
            found[name] = Origin(None, ())
        elif name and (index := _FROM.fullmatch(line)):
            url = without_credentials(index["url"])
            found[name] = Origin(url if "://" in url else None, found[name].via)
        elif name and (via := _VIA.fullmatch(line)) and via["who"] != "via":
            found[name] = Origin(found[name].index, (*found[name].via, via["who"].strip()))
    return found
