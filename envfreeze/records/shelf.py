"""`Shelf`: a place that lines of records stand in. Git notes, a file and a registry are the places there are.

A shelf is made of texts, each a set of lines under an id that names its bytes for good: what was learnt of a
text once is true for ever (`index`). What the lines say is not a shelf's matter.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from envfreeze.digest import Digest
    from envfreeze.records.model import Record, Verification


class Text(NamedTuple):
    """Some lines of a shelf.

    Attributes:
        shelf: name of the shelf.
        id: names the bytes, as a git object's id or a digest does.
        where: where they stand, in words.

    """

    shelf: str
    id: str
    where: str


class Shelf(Protocol):
    """A place that lines stand in.

    All methods raise MachineError or NetworkError where the place cannot be read or written.
    """

    @property
    def name(self) -> str:
        """What `[record] store` calls it."""

    def add(self, value: Record | Verification) -> None:
        """Add a line for good, whoever else adds one at the same moment."""

    def texts(self, digest: Digest | None = None) -> Sequence[Text]:
        """Name all texts, in no particular order; with a digest at least those in which it stands."""

    def read(self, texts: Sequence[Text]) -> Iterator[bytes]:
        """Read texts, in their order."""
