"""One cell of a table to a value. ValueError says what is wrong with it; `tables` says where it is."""

from __future__ import annotations

from envfreeze.gpu.model import Version

Cells = dict[str, str]
"""A row's cells by column name."""


def optional(text: str) -> Version | None:
    """A version; None for an empty cell."""
    return Version.parse(text) if text else None


def many(text: str, separator: str = "|") -> tuple[str, ...]:
    """The parts of a list; () for an empty cell."""
    return tuple(text.split(separator)) if text else ()


def versions(text: str, separator: str = "|") -> tuple[Version, ...]:
    """The versions of a list; () for an empty cell."""
    return tuple(Version.parse(part) for part in many(text, separator))


def flag(text: str) -> bool:
    """`True` or `False`, as words."""
    if text not in ("True", "False"):
        raise ValueError(f"{text!r} is neither True nor False")
    return text == "True"


def one_of(text: str, values: tuple[str, ...]) -> str:
    """A word of a fixed set."""
    if text not in values:
        raise ValueError(f"{text!r} is none of {', '.join(values)}")
    return text


def filled(text: str) -> str:
    """A text that must be there."""
    if not text.strip():
        raise ValueError("a cell is empty that must not be")
    return text
