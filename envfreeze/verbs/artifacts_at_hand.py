"""What a lock is made of, as far as it can be had: what is gone keeps nothing else from being compared."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from envfreeze.engines.native import artifacts
from envfreeze.errors import EnvfreezeError, MachineError, NetworkError, ResolutionError, UsageError
from envfreeze.locking import indexes
from envfreeze.locking.model import CondaPackage, Deb, Wheel
from envfreeze.project.load import load
from envfreeze.replacing import replace
from envfreeze.store.download import NotFoundError
from envfreeze.verbs import compiling

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from envfreeze.digest import Digest
    from envfreeze.engines.native.contents import Artifact
    from envfreeze.locking.model import Target
    from envfreeze.progress import Progress
    from envfreeze.project.model import Project
    from envfreeze.store.cache import Cache

_GONE = (NetworkError, ResolutionError, UsageError, MachineError)
"""What keeps one artifact from being had; a file that is not what was locked is another matter."""


@dataclass(frozen=True, slots=True)
class AtHand:
    """The artifacts of a target.

    Attributes:
        files: those that are in the cache now, by digest.
        lost: why the others are not.

    """

    files: Mapping[Digest, Path]
    lost: Mapping[Digest, str]


def obtain(target: Target, *, cache: Cache, root: Path, offline: bool, progress: Progress) -> AtHand:
    """Have what a target is made of in the cache: fetched, or a wheel that was built, built of its source.

    Args:
        target: the target.
        cache: where it is put.
        root: the project's folder.
        offline: fetch nothing.
        progress: told what is fetched.

    Raises:
        UntrustedError: what came is not what was locked.

    """
    python = [] if target.standalone is None else [target.standalone]
    having = _Having(target, _project(root), cache, root, offline, progress)
    files: dict[Digest, Path] = {}
    lost: dict[Digest, str] = {}
    for kind in (target.base.packages, target.conda, python, target.wheels):
        having.take(kind, files, lost)
    return AtHand(files, lost)


def _project(root: Path) -> Project | None:
    try:
        return load(root)
    except EnvfreezeError:
        return None


@dataclass(frozen=True, slots=True)
class _Having:
    target: Target
    project: Project | None
    cache: Cache
    root: Path
    offline: bool
    progress: Progress

    def take(self, wanted: Sequence[Artifact], files: dict[Digest, Path], lost: dict[Digest, str]) -> None:
        """Have the artifacts of one kind, all at once or else one by one."""
        try:
            files |= self.obtained(wanted)
        except _GONE:
            having = self
            for one in wanted:
                try:
                    files |= having.obtained([one])
                except _GONE as error:
                    lost[one.digest] = error.message
                    if isinstance(error, NetworkError) and not isinstance(error, NotFoundError):
                        # Nobody answers: asking for each of the others would take minutes.
                        having = replace(self, offline=True)

    def obtained(self, wanted: Sequence[Artifact]) -> Mapping[Digest, Path]:
        """Have artifacts in the cache, all or none."""
        project = self.project
        authenticate = str if project is None else partial(indexes.authenticate, project=project)
        compiled = partial(compiling.compiled, cache=self.cache, progress=self.progress, offline=self.offline)
        python = self.target.standalone
        return artifacts.obtain(
            self.target,
            [one for one in wanted if isinstance(one, Deb)],
            [one for one in wanted if isinstance(one, Wheel)],
            [one for one in wanted if isinstance(one, CondaPackage)],
            python if python in wanted else None,
            cache=self.cache,
            root=self.root,
            offline=self.offline,
            progress=self.progress,
            authenticate=authenticate,
            compiled=lambda wheel, target: compiled(project or load(self.root), wheel, target),
        )
