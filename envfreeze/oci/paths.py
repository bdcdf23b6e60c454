"""Which paths may stand in a layer: the judgement that everything read from an archive goes through."""

from __future__ import annotations

import re

WHITEOUT = ".wh."
_PART = r"(?!\.\.?(?:/|\Z)|\.wh\.)[\x20-\x2e\x30-\x5b\x5d-\x7e]+"
_FIT = re.compile(rf"{_PART}(?:/{_PART})*")
"""What nearly every path looks like; the others are looked at more closely."""


def path_problem(path: str) -> str | None:
    """Say what makes a path unfit for a layer, None where it is fit.

    Refused are paths that leave the root or that extraction would not take as a plain name: empty,
    absolute, with `.` or `..` or empty parts, NUL, backslash or a lone surrogate (not UTF-8), and names
    that begin with `.wh.`, since those delete files of a lower layer (image-spec, layer.md, "Whiteouts").
    """
    if _FIT.fullmatch(path):
        return None
    parts = path.split("/")
    problems = (
        (not path, "is empty"),
        ("\0" in path, "holds a NUL"),
        ("\\" in path, "holds a backslash"),
        (path.startswith("/"), "is absolute"),
        (".." in parts, "leaves its root"),
        ("" in parts or "." in parts, "is not normal"),
        (any(part.startswith(WHITEOUT) for part in parts), "would delete files of a lower layer"),
        (not path.isascii() and not _is_utf8(path), "is not UTF-8"),
    )
    return next((words for is_so, words in problems if is_so), None)


def _is_utf8(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True
