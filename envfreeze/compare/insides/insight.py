"""`Insight`: what a look into a file found."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from envfreeze.compare.secrecy import in_line

if TYPE_CHECKING:
    from collections.abc import Iterable

    from envfreeze.compare.model import Cause

MOST_LINES: Final = 40
LONGEST_LINE: Final = 200


@dataclass(frozen=True, slots=True)
class Insight:
    """What changed inside a file.

    Attributes:
        details: lines to show; few and short.
        cause: what they give away; None: nothing.

    """

    details: tuple[str, ...] = ()
    cause: Cause | None = None


NOTHING: Final = Insight()


def bounded(lines: Iterable[str]) -> tuple[str, ...]:
    """As many lines as are worth showing, each cut where it is long and without what a terminal obeys."""
    kept: list[str] = []
    more = 0
    for line in lines:
        if len(kept) < MOST_LINES:
            text = "".join(
                char if char.isprintable() else "\N{REPLACEMENT CHARACTER}"
                for char in in_line(line).expandtabs(4)
            )
            kept.append(text if len(text) <= LONGEST_LINE else f"{text[: LONGEST_LINE - 1]}…")
        else:
            more += 1
    return (*kept, f"… and {more} more lines") if more else tuple(kept)
