"""Holding the layers of an image against each other, and the project's files against all of them.

What was found before is remembered in the cache. What others say of layers that are taken ready-made is used,
and never remembered.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.engines.native import activation, known, owners
from envfreeze.engines.native.base import OWNER
from envfreeze.engines.native.making import SYSTEM
from envfreeze.errors import MachineError
from envfreeze.locking.model import CONDA_PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from envfreeze.engines.native.base import Base
    from envfreeze.engines.native.ready import ReadyLayers
    from envfreeze.locking.model import Target
    from envfreeze.store.cache import Cache


class Judging:
    """What is in the layers of one target.

    Args:
        target: the target.
        keys: name of each layer to its key.
        base: the base that is an image.
        ready: says what is in layers that are taken ready-made.
        cache: remembers.
        reuse: whether what it remembers counts.

    Attributes:
        taken: keys of the layers that are taken ready-made.
        made: key of a layer that was made just now to its paths.

    """

    def __init__(
        self,
        target: Target,
        keys: Mapping[str, str],
        base: Base | None,
        ready: ReadyLayers | None,
        *,
        cache: Cache,
        reuse: bool,
    ) -> None:
        self._target = target
        self._keys = keys
        self._base = base
        self._ready = ready
        self._cache = cache
        self._reuse = reuse
        self.taken: set[str] = set()
        self.made: dict[str, list[owners.Path]] = {}

    def judge(self) -> tuple[str, ...]:
        """Hold all layers against each other: what there is to say of that.

        Raises:
            UntrustedError: two of them cannot lie in one image.

        """
        settled = {SYSTEM, *(deb.name for deb in self._target.base.packages)}
        clashes = [clash for key in self._keys.values() for clash in self._clashes(key)]
        replaced: set[str] = set()
        paths = self._paths()
        if self._base is not None:
            self._base.check_folders(paths[1:])
            replaced = {OWNER, SYSTEM, *self._base.packages()}
        notes = (*owners.conflicts(paths, settled, replaced), *clashes, *activation.notes(paths))
        if self._may_be_remembered():
            known.remember_verdict(self._cache, self._keys, notes)
        return notes

    def recalled_room(self, files: Sequence[str]) -> Mapping[str, tuple[int, int, int]] | None:
        """As `room`, where that is known already."""
        found = known.recall_room(self._cache, self._keys, files) if self._reuse else None
        if found is not None or self._ready is None:
            return found
        told = self._ready.room(self._keys.values(), files)
        if told is None and self._target.manifest is not None and self._target.workdir_free:
            return {}  # who believes the seal of the layers believes it of the folder, too
        return told

    def is_free(self, workdir: str) -> bool:
        """Whether nothing of the layers is at the working directory or below it."""
        return owners.is_free(workdir.strip("/"), self._paths(), self._reserved())

    def room(self, files: Sequence[str]) -> Mapping[str, tuple[int, int, int]]:
        """The folders above the project's files that are not 0755 and root's.

        Raises:
            UsageError: a file has no room among the layers'.

        """
        found = self.recalled_room(files)
        if found is None:
            found = owners.room_for(files, self._paths(), self._reserved())
            if self._may_be_remembered():
                known.remember_room(self._cache, self._keys, files, dict(found))
        return found

    def _may_be_remembered(self) -> bool:
        """Whether all of it was seen here."""
        return not self.taken and (self._base is None or not self._base.hearsay)

    def _reserved(self) -> set[str]:
        """The folders that are the environment's alone."""
        prefixes = {self._target.prefix, *([CONDA_PREFIX] if self._target.conda else [])}
        if self._target.standalone is not None:
            prefixes.add(self._target.standalone.prefix)
        return prefixes

    def _clashes(self, key: str) -> Sequence[str]:
        if self._ready is not None and key in self.taken:
            return self._ready.clashes(key)
        return known.recall_clashes(self._cache, key)

    def _paths(self) -> list[list[owners.Path]]:
        taken = [key for key in self._keys.values() if key in self.taken]
        ready = {} if self._ready is None else self._ready.paths(taken)
        found = [
            self.made.get(key) or ready.get(key) or known.recall_paths(self._cache, key)
            for key in self._keys.values()
        ]
        if None in found:
            raise MachineError(
                f"facts vanished from the cache {self._cache.root} while it was in use",
                hint="build again; do not prune the cache by hand during a build",
            )
        beneath = [] if self._base is None else [self._base.paths()]
        return [*beneath, *(paths for paths in found if paths is not None)]
