"""`verify`: from a digest back to its commit and its lock, and forward again to the image."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from envfreeze import __version__
from envfreeze.compare import causes
from envfreeze.compare.images import compare, compare_record
from envfreeze.compare.model import Kind, Level, Verdict, finding, worst
from envfreeze.engines import native
from envfreeze.errors import EnvfreezeError, UntrustedError, UsageError
from envfreeze.layers.files import included
from envfreeze.locking import files, indexes
from envfreeze.locking.model import WRITER
from envfreeze.oci import layout
from envfreeze.progress import SILENT
from envfreeze.project.load import load
from envfreeze.records.git import Repository
from envfreeze.records.included import digest_of
from envfreeze.records.model import Verification, moment
from envfreeze.records.store import open_store
from envfreeze.store.cache import Cache
from envfreeze.verbs.build import ENGINE, one_image
from envfreeze.verbs.built import OUTPUT
from envfreeze.verbs.images import images_of, opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from envfreeze.compare.inventory import Inventory
    from envfreeze.digest import Digest
    from envfreeze.locking.model import Lock
    from envfreeze.oci.image import Image
    from envfreeze.progress import Progress
    from envfreeze.records.model import Record, RecordedImage
    from envfreeze.records.store import RecordStore


@dataclass(frozen=True, slots=True)
class VerifyOutcome:
    """What `verify` found.

    Attributes:
        verdict: how the rebuilt image compares with the original.
        record: the build that was repeated.
        seconds: how long it took.
        inventories: the rebuilt images by package, by platform, where that was asked for.

    """

    verdict: Verdict
    record: Record
    seconds: float
    inventories: tuple[tuple[str, Inventory], ...] = ()


def verify(
    digest: Digest,
    *,
    root: Path,
    against: str | Path | None = None,
    offline: bool = False,
    workers: int | None = None,
    cache: Cache | None = None,
    record: bool = True,
    inventory: bool = False,
    progress: Progress = SILENT,
) -> VerifyOutcome:
    """Rebuild the image that a digest names, from its record alone, and compare.

    The files come from a clean checkout of the recorded commit, the lock from the record. No layer that was
    made before is used; downloads in the cache are, since their hashes are checked again.

    Args:
        digest: of a manifest, an index or a config.
        root: a folder of the repository, or the project's folder where there is no repository.
        against: the original, for the explanation of differences, named as `verbs.images` reads it; None:
            where the build left it.
        offline: fetch nothing.
        workers: threads; None: one per processor.
        cache: None: the user's.
        record: add the outcome to the records.
        inventory: also take down the rebuilt images by package, for a page.
        progress: told what happens.

    Raises:
        UsageError: no record names the digest, or this machine lacks what it was built from.
        UntrustedError: the record, the lock or an artifact is not what it should be.
        NetworkError: an artifact cannot be had.

    """
    started = time.monotonic()
    cache = cache or Cache.open()
    store = open_store(root, progress=progress)
    with ExitStack() as stack:
        given = None
        if against is not None:
            named = opened(str(against), root=root, cache=cache, offline=offline, progress=progress)
            given = {image.digest: image for image in images_of(stack.enter_context(named))}
        scratch = stack.enter_context(cache.scratch())
        recorded, folder = _restored(store, digest, root, scratch)
        chosen = _chosen(recorded, digest)
        if given is not None and not given.keys() & {image.manifest for image in chosen}:
            raise UsageError(f"{against} does not hold {digest}")
        lock = _of_platforms(files.read(folder), chosen, digest)
        names = included(folder, lock.runtime.include)
        edited = digest_of(folder, names) != recorded.source.included
        assembly = native.assemble(
            lock,
            root=folder,
            cache=cache,
            progress=progress,
            reuse=False,
            offline=offline,
            workers=workers,
            authenticate=_authenticate(folder),
        )
        rebuilt = [made.image for made in assembly.images]
        verdict = _verdict(
            digest, recorded, chosen, rebuilt, lambda: given or _left_by_build(root, recorded), progress
        )
        inventories = tuple(_inventories(rebuilt, verdict, progress)) if inventory else ()
    if edited and verdict.level is not Level.IDENTICAL:
        what = "the files that `include` names are not those that were built"
        said = finding(Kind.SOURCE, "project", what, causes.UNCOMMITTED_FILES)
        verdict = verdict.having(said)
    if record:
        store.add_verification(
            Verification(
                at=moment(),
                version=__version__,
                digest=recorded.digest,
                level=verdict.level.value,
                commit=recorded.source.commit,
            )
        )
    return VerifyOutcome(verdict, recorded, time.monotonic() - started, inventories)


def _restored(store: RecordStore, digest: Digest, root: Path, scratch: Path) -> tuple[Record, Path]:
    """The newest record of a digest whose sources this machine has, and the folder they are restored to."""
    found = store.find(digest)
    if not found:
        raise UsageError(
            f"no record of {digest} in {root}",
            hint=f"records made elsewhere: {store.fetch_hint}" if store.fetch_hint else "",
        )
    missing: UsageError | None = None
    for number, recorded in enumerate(found):
        if recorded.engine != ENGINE or recorded.writer > WRITER:
            raise UntrustedError(
                f"{digest} was built by engine {recorded.engine!r} with writer version {recorded.writer}; "
                f"this envfreeze has {ENGINE!r} with writer versions up to {WRITER}",
                hint="upgrade envfreeze",
            )
        try:
            return recorded, store.restore(recorded, scratch / f"checkout-{number}")
        except UsageError as error:
            missing = missing or error
    raise missing or UsageError(f"no record of {digest}")


def _chosen(recorded: Record, digest: Digest) -> tuple[RecordedImage, ...]:
    """The images that a digest names: all of the record's, or the one whose manifest or config it is."""
    if digest == recorded.digest:
        return recorded.manifests
    return tuple(image for image in recorded.manifests if digest in {image.manifest, image.config})


def _authenticate(folder: Path) -> Callable[[str], str]:
    """What the recorded project's indexes ask of the user who verifies; nothing where it cannot be read."""
    try:
        project = load(folder)
    except EnvfreezeError:
        return str
    return partial(indexes.authenticate, project=project)


def _of_platforms(lock: Lock, chosen: Sequence[RecordedImage], digest: Digest) -> Lock:
    by_platform = {target.platform: target for target in lock.targets}
    if any(image.platform not in by_platform for image in chosen):
        raise UntrustedError(f"the recorded lock is not for the platforms of {digest}")
    return replace(lock, targets=tuple(by_platform[image.platform] for image in chosen))


def _left_by_build(root: Path, recorded: Record) -> dict[Digest, Image]:
    """What the build may have left in the project's folder; nothing where it cannot be read."""
    repository = Repository.find(root)
    folder = root if repository is None else repository.toplevel / recorded.source.project
    try:
        return {image.digest: image for image in images_of(layout.read(folder / OUTPUT))}
    except EnvfreezeError:
        return {}


def _inventories(
    rebuilt: Sequence[Image], verdict: Verdict, progress: Progress
) -> Iterator[tuple[str, Inventory]]:
    from envfreeze.compare.inventory import take  # noqa: PLC0415 - for pages only

    named = {one.path for one in verdict.findings if one.path is not None}
    for image in rebuilt:
        yield str(image.platform), take(image, named, progress=progress)


def _verdict(
    digest: Digest,
    recorded: Record,
    chosen: Sequence[RecordedImage],
    rebuilt: Sequence[Image],
    originals: Callable[[], Mapping[Digest, Image]],
    progress: Progress,
) -> Verdict:
    whole = one_image(rebuilt).digest
    reference = recorded.digest if digest == recorded.digest else chosen[0].manifest
    if whole == reference:
        return Verdict(Level.IDENTICAL, reference, whole, ())
    at_hand = originals()
    verdicts = [
        (ours, _explained(image, ours, at_hand.get(image.manifest), progress))
        for image, ours in zip(chosen, rebuilt, strict=True)
        if ours.digest != image.manifest
    ]
    findings = [
        replace(one, platform=str(ours.platform) if len(chosen) > 1 else "")
        for ours, verdict in verdicts
        for one in verdict.findings
    ]
    counts: Counter[Kind] = Counter()
    for _, verdict in verdicts:
        counts.update(verdict.counts)
    if not verdicts:
        findings = [finding(Kind.MANIFEST, "index", "the index is another, its images are not")]
        counts[Kind.MANIFEST] += 1
    level = worst((*(verdict.level for _, verdict in verdicts), *(one.level for one in findings)))
    read = sum(verdict.layers_read for _, verdict in verdicts)
    return Verdict(level, reference, whole, tuple(findings), counts, read)


def _explained(image: RecordedImage, ours: Image, original: Image | None, progress: Progress) -> Verdict:
    """The differences by content where the original is at hand and sound, else by the recorded digests."""
    if original is not None:
        try:
            return compare(original, ours, progress=progress)
        except UntrustedError as error:
            what = f"the original at hand cannot be read: {error.message}"
            damaged = finding(Kind.ORIGINAL, "", what, causes.UNREADABLE_ORIGINAL)
            return _by_digests(image, ours).having(damaged)
    return _by_digests(image, ours)


def _by_digests(image: RecordedImage, ours: Image) -> Verdict:
    layers = [(layer.digest, layer.diff_id) for layer in image.layers]
    return compare_record(image.manifest, image.config, layers, ours)
