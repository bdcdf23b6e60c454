"""Images made anew for a verification: by the engine that made them, from nothing that was built before."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from envfreeze.compare import causes
from envfreeze.compare.model import Kind, Level, finding
from envfreeze.errors import EnvfreezeError
from envfreeze.project.load import load
from envfreeze.replacing import replace
from envfreeze.verbs import driving
from envfreeze.verbs.driving import NATIVE
from envfreeze.verbs.making import Made, Surroundings, by_program, native_anew

if TYPE_CHECKING:
    from pathlib import Path

    from envfreeze.compare.model import Verdict
    from envfreeze.locking.model import Lock
    from envfreeze.progress import Progress
    from envfreeze.project.model import Project
    from envfreeze.records.model import Record
    from envfreeze.store.cache import Cache


@dataclass(frozen=True, slots=True)
class Rebuilding:
    """How images are made anew.

    Attributes:
        cache: has the downloads.
        scratch: an empty folder, where images may lie for as long as they are compared.
        root: the project's folder, which gets the log of an engine that has one.
        offline: fetch nothing.
        workers: threads; None: one per processor.
        progress: told what happens.
        options: what is said to an engine that builds a Dockerfile.

    """

    cache: Cache
    scratch: Path
    root: Path
    offline: bool
    workers: int | None
    progress: Progress
    options: driving.Options = field(default_factory=driving.Options)

    def make(self, engine: str, lock: Lock, folder: Path) -> Made:
        """Make the images of a lock, without a layer or a step that was made before.

        Args:
            engine: that is to make them.
            lock: what is made.
            folder: the project that it is of.

        Raises:
            UsageError: an option is not for the engine.
            EnvfreezeError: as the engine says.

        """
        driving.check(engine, self.options)
        at = Surroundings(
            folder,
            project(folder, engine),
            self.cache,
            self.scratch,
            self.progress,
            offline=self.offline,
            workers=self.workers,
        )
        if engine == NATIVE:
            return native_anew(lock, at)
        options = replace(self.options, fresh=True)
        logs = driving.own_folder(self.root) / driving.LOGS
        return by_program(engine, lock, at, options, folder=self.scratch / driving.FOLDER, logs=logs)


def project(folder: Path, engine: str) -> Project | None:
    """The project of a folder.

    The native engine needs it only for what its indexes ask of the user: there it may be unreadable, as
    where a newer version wrote it.

    Raises:
        EnvfreezeError: it cannot be read, and the engine needs it.

    """
    try:
        return load(folder)
    except EnvfreezeError:
        if engine != NATIVE:
            raise
        return None


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
