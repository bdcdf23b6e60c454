"""Where a builder gets a locked file: from the build folder, or by `ADD --checksum` from where it is locked.

A file that only this machine has is always in the folder. Of a URL everything is pinned by the checksum, so
whoever serves it cannot change the image.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from envfreeze.digest import Digest

MOST_IN_A_STAGE = 100
"""Files that one stage fetches, a layer each: Docker's overlay2 stacks no more than 125."""


@dataclass(frozen=True, slots=True)
class Fetched:
    """A file that the builder downloads.

    Attributes:
        filename: its name in the stage.
        url: where it is.
        digest: sha256 that it must have.

    """

    filename: str
    url: str
    digest: Digest


def is_public(url: str) -> bool:
    """Whether a builder elsewhere could ask for a URL."""
    return urlsplit(url).scheme in {"http", "https"}


def in_stages(files: list[Fetched]) -> tuple[tuple[Fetched, ...], ...]:
    """Spread files over as few stages as they need."""
    starts = range(0, len(files), MOST_IN_A_STAGE)
    return tuple(tuple(files[start : start + MOST_IN_A_STAGE]) for start in starts)
