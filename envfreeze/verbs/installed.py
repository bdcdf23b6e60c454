"""`verify --installed`: what is installed in an image against a lock, file by file, with nothing built."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from envfreeze.compare.model import Finding, Kind, Level, Verdict, finding, worst
from envfreeze.digest import Digest
from envfreeze.errors import UsageError
from envfreeze.locking import files, lockfile
from envfreeze.oci.image import ImageIndex
from envfreeze.progress import SILENT
from envfreeze.replacing import replace
from envfreeze.store.cache import Cache
from envfreeze.verbs import images, recorded, recording
from envfreeze.verbs.images import images_of
from envfreeze.verbs.installed_target import Holding

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from envfreeze.compare.installed import Installed
    from envfreeze.compare.inventory import Inventory
    from envfreeze.locking.model import Lock, Target
    from envfreeze.oci.image import Image
    from envfreeze.progress import Progress
    from envfreeze.records.model import Record


@dataclass(frozen=True, slots=True)
class InstalledOutcome:
    """What `verify --installed` found.

    Attributes:
        verdict: how the image compares; its reference is the digest of `envfreeze.lock`.
        record: whose lock it was held against; None: a lock of a folder.
        seconds: how long it took.
        inventories: the images by package, by platform, where that was asked for.

    """

    verdict: Verdict
    record: Record | None
    seconds: float
    inventories: tuple[tuple[str, Inventory], ...] = ()

    @property
    def tolerated(self) -> int:
        """How many of the findings that are listed an installer may leave, or are about nobody's files."""
        return sum(one.level.reaches(Level.PACKAGES) for one in self.verdict.findings)


class _Source(NamedTuple):
    """Where the lock is, and the project's files beside it."""

    folder: Path
    record: Record | None


def verify_installed(
    image: Digest | str,
    *,
    root: Path,
    lock: Path | None = None,
    offline: bool = False,
    workers: int | None = None,
    cache: Cache | None = None,
    inventory: bool = False,
    progress: Progress = SILENT,
) -> InstalledOutcome:
    """Hold what is installed in an image against a lock. Nothing is built, nothing of the image is run.

    Args:
        image: digest of a manifest, an index or a config of an image that was built here; or any image, as
            `images.parse` reads it.
        root: the project's folder.
        lock: `envfreeze.lock`, or the folder that it lies in; None: that of the image's record, or where it
            has none the project's.
        offline: fetch nothing.
        workers: threads; None: one per processor.
        cache: None: the user's.
        inventory: also take down the images by package, for a page.
        progress: told what happens.

    Raises:
        UsageError: there is no lock, no such image, or the two are for different platforms.
        UntrustedError: the image, the lock or an artifact is not what it should be.
        NetworkError: the image cannot be had.
        MachineError: there is no room.

    """
    started = time.monotonic()
    cache = cache or Cache.open()
    text = str(image)
    with ExitStack() as stack:
        scratch = stack.enter_context(cache.scratch())
        source = _Search(root, cache, scratch, offline, progress).source(text, lock)
        contents = files.read_bytes(source.folder)
        read = files.parse(contents, source.folder)
        opened = images.opened(text, root=root, cache=cache, offline=offline, progress=progress)
        found = stack.enter_context(opened)
        pairs, said = _paired(found, read, text)
        holding = Holding(read, source.folder, cache, scratch, offline, progress, workers)
        compared = [(one, holding.compare(one, target)) for one, target in pairs]
        verdict = _verdict(Digest.of(contents[lockfile.NAME]), found, compared, said)
        taken: tuple[tuple[str, Inventory], ...] = ()
        if inventory:
            from envfreeze.compare.inventory import take_each  # noqa: PLC0415 - for pages only

            images_read = ((str(one.platform), one) for one, _ in compared)
            taken = take_each(images_read, verdict, progress=progress)
    return InstalledOutcome(verdict, source.record, time.monotonic() - started, taken)


def _paired(
    found: Image | ImageIndex, lock: Lock, text: str
) -> tuple[list[tuple[Image, Target]], tuple[Finding, ...]]:
    """The images with their targets, and what has no counterpart."""
    targets = {target.platform: target for target in lock.targets}
    there = {one.platform: one for one in images_of(found)}
    pairs = [(one, targets[platform]) for platform, one in there.items() if platform in targets]
    if not pairs:
        held, locked = (", ".join(sorted(map(str, side))) for side in (there, targets))
        raise UsageError(
            f"{text} is for {held}, the lock for {locked}: there is nothing to compare",
            hint="name the lock that it was built from: --lock PATH",
        )
    said = [
        replace(finding(Kind.PLATFORM_ADDED, "index", f"not in the lock: {platform}"), platform=str(platform))
        for platform in there
        if platform not in targets
    ]
    if isinstance(found, ImageIndex):
        said += [
            replace(
                finding(Kind.PLATFORM_REMOVED, "index", f"only in the lock: {platform}"),
                platform=str(platform),
            )
            for platform in targets
            if platform not in there
        ]
    return pairs, tuple(said)


def _verdict(
    lock: Digest,
    found: Image | ImageIndex,
    compared: Sequence[tuple[Image, Installed]],
    said: Sequence[Finding],
) -> Verdict:
    counts = Counter(one.kind for one in said)
    for _, installed in compared:
        counts.update(installed.counts)
    several = len(compared) > 1
    findings = [
        replace(one, platform=str(image.platform)) if several else one
        for image, installed in compared
        for one in installed.findings
    ]
    level = worst((Level.TREE, *(one.level for one in said), *(installed.level for _, installed in compared)))
    whole = found if several or len(images_of(found)) > 1 else compared[0][0]
    layers = sum(len(image.layers) for image, _ in compared)
    return Verdict(level, lock, whole.digest, (*said, *findings), counts, layers)


@dataclass(frozen=True, slots=True)
class _Search:
    root: Path
    cache: Cache
    scratch: Path
    offline: bool
    progress: Progress

    def source(self, text: str, lock: Path | None) -> _Source:
        """Find the lock: the one that is named, that of the image's record, the project's."""
        if lock is not None:
            if not lock.is_dir() and lock.name != lockfile.NAME:
                hint = f"--lock {lock.parent / lockfile.NAME}"
                raise UsageError(f"{lock} is no {lockfile.NAME}", hint=hint)
            return _Source((lock if lock.is_dir() else lock.parent).resolve(), None)
        try:
            return self._recorded(text)
        except UsageError as error:
            if not (self.root / lockfile.NAME).exists():
                raise
            self.progress.note(f"{error.message}; held against the {lockfile.NAME} that lies there")
            return _Source(self.root.resolve(), None)

    def _recorded(self, text: str) -> _Source:
        repository = images.repository_of(text)
        with recording.opened(
            self.root,
            repository=repository,
            offline=self.offline,
            cache=self.cache,
            progress=self.progress,
        ) as store:
            found = recorded.find(
                text,
                root=self.root,
                store=store,
                scratch=self.scratch,
                cache=self.cache,
                offline=self.offline,
                progress=self.progress,
            )
        return _Source(found.folder, found.record)
