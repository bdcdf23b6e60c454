"""Room in a base for what is laid on it: folders that it has nothing at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.errors import UsageError
from envfreeze.locking.image import pulled

if TYPE_CHECKING:
    from envfreeze.locking.image.inventory import Inventory
    from envfreeze.locking.model import ImageBase
    from envfreeze.store.cache import Cache


@dataclass(frozen=True, slots=True)
class Room:
    """The folders of an image that may be ours.

    Attributes:
        image: the image.
        inventory: what is in it.
        cache: has its config.

    """

    image: ImageBase
    inventory: Inventory
    cache: Cache

    def free(self, what: str, *folders: str, otherwise: str = "") -> str:
        """The first of some folders that the image has nothing at.

        Raises:
            UsageError: it has all of them.

        """
        for folder in folders:
            if not self._is_taken(folder):
                return folder
        taken = " and a ".join(f"/{folder}" for folder in folders)
        origin = pulled.origin(self.image, cache=self.cache)
        named = "" if origin is None else f", which it says is {origin}"
        raise UsageError(
            f"[image] base: {self.image.reference} has a {taken} of its own, where {what}",
            hint=f"choose the base that this image was made from{named}{otherwise}",
        )

    def _is_taken(self, folder: str) -> bool:
        there = self.inventory
        if there.resolve(folder) is not None or there.find(folder) is not None:
            return True
        # A layer need not name the folders of what it holds.
        return any(path.startswith(f"{folder}/") for path in there.items)
