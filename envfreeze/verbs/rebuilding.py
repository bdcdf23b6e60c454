"""An image made once more, by the engine that made it, with nothing that was built before."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from envfreeze.compare import causes
from envfreeze.compare.model import Kind, Level, finding
from envfreeze.errors import EnvfreezeError
from envfreeze.layers.files import included
from envfreeze.project.load import load
from envfreeze.records.included import digest_of
from envfreeze.verbs import driving
from envfreeze.verbs.making import Surroundings, by_program, native_anew

if TYPE_CHECKING:
    from pathlib import Path

    from envfreeze.compare.model import Verdict
    from envfreeze.locking.model import Lock
    from envfreeze.oci.image import Image
    from envfreeze.progress import Progress
    from envfreeze.project.model import Project
    from envfreeze.records.model import Record
    from envfreeze.store.cache import Cache
    from envfreeze.verbs.making import Made


@dataclass(frozen=True, slots=True)
class Rebuilding:
    """How images are made anew.

    Attributes:
        root: the user's folder of the project, where an engine's log goes.
        cache: has the downloads.
        scratch: an empty folder, where an image may lie for as long as it is used.
        options: what is said to an engine that builds a Dockerfile.
        offline: fetch nothing.
        workers: threads; None: one per processor.
        progress: told what happens.

    """

    root: Path
    cache: Cache
    scratch: Path
    options: driving.Options
    offline: bool
    workers: int | None
    progress: Progress

    def images(self, lock: Lock, folder: Path, engine: str = driving.NATIVE) -> tuple[Image, ...]:
        """Make the images of a lock.

        Args:
            lock: what is made.
            folder: the project's files.
            engine: by which.

        Raises:
            EnvfreezeError: as the engine says; options are for another engine.

        """
        driving.check(engine, self.options)
        return self._made(engine, lock, self._at(folder, _project(folder, engine))).images

    def recorded(self, record: Record, lock: Lock, folder: Path) -> tuple[Made, bool]:
        """Make the images of a record by the engine that it names.

        Args:
            record: of the build.
            lock: what was built.
            folder: the project's files as they were.

        Returns:
            What was made, and whether the project's files are not those of the record.

        Raises:
            EnvfreezeError: as the engine says; options are for another engine.

        """
        driving.check(record.engine, self.options)
        project = _project(folder, record.engine)
        names = included(folder, lock.runtime.include)
        if project is not None:
            names = driving.files_of(record.engine, lock, project)
        edited = digest_of(folder, names) != record.source.included
        return self._made(record.engine, lock, self._at(folder, project)), edited

    def _made(self, engine: str, lock: Lock, at: Surroundings) -> Made:
        if engine == driving.NATIVE:
            return native_anew(lock, at)
        logs = driving.own_folder(self.root) / driving.LOGS
        fresh = replace(self.options, fresh=True)
        return by_program(engine, lock, at, fresh, folder=at.scratch / driving.FOLDER, logs=logs)

    def _at(self, folder: Path, project: Project | None) -> Surroundings:
        return Surroundings(
            folder,
            project,
            self.cache,
            self.scratch,
            self.progress,
            offline=self.offline,
            workers=self.workers,
        )


def with_circumstances(verdict: Verdict, record: Record, made: Made, *, edited: bool) -> Verdict:
    """The verdict, and where not all is equal, what of the engine or of the project's files is another."""
    if verdict.level is Level.IDENTICAL:
        return verdict
    moved = [
        f"{name} {record.tools.get(name, '(none)')} -> {made.tools.get(name, '(none)')}"
        for name in sorted(record.tools.keys() | made.tools.keys())
        if record.tools.get(name) != made.tools.get(name)
    ]
    if moved:
        verdict = verdict.having(finding(Kind.SOURCE, "engine", ", ".join(moved), causes.OTHER_BUILDER))
    if edited:
        what = "the project's files are not those that were built"
        verdict = verdict.having(finding(Kind.SOURCE, "project", what, causes.UNCOMMITTED_FILES))
    return verdict


def _project(folder: Path, engine: str) -> Project | None:
    """The recorded project.

    The native engine needs it only for what its indexes ask of the user: there it may be unreadable, as
    where a newer version wrote it.
    """
    try:
        return load(folder)
    except EnvfreezeError:
        if engine != driving.NATIVE:
            raise
        return None
