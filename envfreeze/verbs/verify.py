"""`verify`: from a digest back to its commit and its lock, and forward again to the image."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from envfreeze import __version__
from envfreeze.compare.images import compare, compare_record
from envfreeze.compare.model import Finding, Level, Verdict
from envfreeze.errors import EnvfreezeError, UntrustedError, UsageError
from envfreeze.layers.files import included
from envfreeze.locking import files
from envfreeze.locking.model import WRITER
from envfreeze.oci import archive as oci_archive
from envfreeze.oci import layout
from envfreeze.oci.image import ImageIndex
from envfreeze.progress import SILENT
from envfreeze.project.load import load
from envfreeze.records.git import Repository
from envfreeze.records.included import digest_of
from envfreeze.records.model import Verification, moment
from envfreeze.records.store import open_store
from envfreeze.store.cache import Cache
from envfreeze.verbs import driving
from envfreeze.verbs.build import OUTPUT, one_image
from envfreeze.verbs.driving import ENGINES, NATIVE
from envfreeze.verbs.making import Surroundings, by_program, native_anew

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from envfreeze.digest import Digest
    from envfreeze.locking.model import Lock
    from envfreeze.oci.image import Image
    from envfreeze.progress import Progress
    from envfreeze.project.model import Project
    from envfreeze.records.model import Record, RecordedImage
    from envfreeze.records.store import RecordStore
    from envfreeze.verbs.making import Made


@dataclass(frozen=True, slots=True)
class VerifyOutcome:
    """What `verify` found.

    Attributes:
        verdict: how the rebuilt image compares with the original.
        record: the build that was repeated.
        seconds: how long it took.

    """

    verdict: Verdict
    record: Record
    seconds: float


def verify(
    digest: Digest,
    *,
    root: Path,
    against: Path | None = None,
    options: driving.Options = driving.Options(),  # noqa: B008 - frozen
    offline: bool = False,
    workers: int | None = None,
    cache: Cache | None = None,
    record: bool = True,
    progress: Progress = SILENT,
) -> VerifyOutcome:
    """Rebuild the image that a digest names, from its record alone, and compare.

    The files come from a clean checkout of the recorded commit, the lock from the record. No layer that was
    made before is used; downloads in the cache are, since their hashes are checked again. It is built by the
    engine of the record; one that builds a Dockerfile uses no step that it has in its cache.

    Args:
        digest: of a manifest, an index or a config.
        root: a folder of the repository, or the project's folder where there is no repository.
        against: an OCI layout or archive with the original, for the explanation of differences; None: where
            the build left it.
        options: what is said to an engine that builds a Dockerfile.
        offline: fetch nothing.
        workers: threads; None: one per processor.
        cache: None: the user's.
        record: add the outcome to the records.
        progress: told what happens.

    Raises:
        UsageError: no record names the digest, or this machine lacks what it was built from.
        UntrustedError: the record, the lock or an artifact is not what it should be.
        NetworkError: an artifact cannot be had.

    """
    started = time.monotonic()
    cache = cache or Cache.open()
    store = open_store(root, progress=progress)
    given = None if against is None else _read(against)
    with cache.scratch() as scratch:
        recorded, folder = _restored(store, digest, root, scratch)
        chosen = _chosen(recorded, digest)
        if given is not None and not given.keys() & {image.manifest for image in chosen}:
            raise UsageError(f"{against} does not hold {digest}")
        lock = _of_platforms(files.read(folder), chosen, digest)
        project = _project(folder, recorded)
        names = included(folder, lock.runtime.include)
        if project is not None:
            names = driving.files_of(recorded.engine, lock, project)
        edited = digest_of(folder, names) != recorded.source.included
        at = Surroundings(folder, project, cache, scratch, progress, offline=offline, workers=workers)
        made = _rebuilt(recorded, lock, at, root, options)
        rebuilt = made.images
        verdict = _verdict(digest, recorded, chosen, rebuilt, lambda: given or _left_by_build(root, recorded))
    verdict = _with_tools(verdict, recorded, made)
    if edited and verdict.level is not Level.IDENTICAL:
        what = "the project's files are not those that were built"
        finding = Finding(
            "project", None, None, what, "the build was of files that no commit and no patch has"
        )
        verdict = replace(verdict, findings=(finding, *verdict.findings))
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
    return VerifyOutcome(verdict, recorded, time.monotonic() - started)


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
        if recorded.engine not in ENGINES or recorded.writer > WRITER:
            raise UntrustedError(
                f"{digest} was built by engine {recorded.engine!r} with writer version {recorded.writer}; "
                f"this envfreeze has {', '.join(ENGINES)} with writer versions up to {WRITER}",
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


def _project(folder: Path, recorded: Record) -> Project | None:
    """The recorded project.

    The native engine needs it only for what its indexes ask of the user: there it may be unreadable, as
    where a newer version wrote it.
    """
    try:
        return load(folder)
    except EnvfreezeError:
        if recorded.engine != NATIVE:
            raise
        return None


def _rebuilt(recorded: Record, lock: Lock, at: Surroundings, root: Path, options: driving.Options) -> Made:
    """Build again, with the recorded engine and nothing that was built before."""
    driving.check(recorded.engine, options)
    if recorded.engine == NATIVE:
        return native_anew(lock, at)
    logs = driving.own_folder(root) / driving.LOGS
    folder = at.scratch / driving.FOLDER
    return by_program(recorded.engine, lock, at, replace(options, fresh=True), folder=folder, logs=logs)


def _with_tools(verdict: Verdict, recorded: Record, made: Made) -> Verdict:
    """The verdict, and where it is not that all is equal, what of the engine is another version."""
    if verdict.level is Level.IDENTICAL or recorded.tools == made.tools:
        return verdict
    moved = [
        f"{name} {recorded.tools.get(name, '(none)')} -> {made.tools.get(name, '(none)')}"
        for name in sorted(recorded.tools.keys() | made.tools.keys())
        if recorded.tools.get(name) != made.tools.get(name)
    ]
    finding = Finding("engine", None, None, ", ".join(moved), "another version of the engine built it")
    return replace(verdict, findings=(finding, *verdict.findings))


def _of_platforms(lock: Lock, chosen: Sequence[RecordedImage], digest: Digest) -> Lock:
    by_platform = {target.platform: target for target in lock.targets}
    if any(image.platform not in by_platform for image in chosen):
        raise UntrustedError(f"the recorded lock is not for the platforms of {digest}")
    return replace(lock, targets=tuple(by_platform[image.platform] for image in chosen))


def _read(place: Path) -> dict[Digest, Image]:
    """The images of a layout or an archive by the digests of their manifests."""
    source = layout.read(place) if place.is_dir() else oci_archive.read(place)
    images = source.images if isinstance(source, ImageIndex) else (source,)
    return {image.digest: image for image in images}


def _left_by_build(root: Path, recorded: Record) -> dict[Digest, Image]:
    """What the build may have left in the project's folder; nothing where it cannot be read."""
    repository = Repository.find(root)
    folder = root if repository is None else repository.toplevel / recorded.source.project
    try:
        return _read(folder / OUTPUT)
    except EnvfreezeError:
        return {}


def _verdict(
    digest: Digest,
    recorded: Record,
    chosen: Sequence[RecordedImage],
    rebuilt: Sequence[Image],
    originals: Callable[[], Mapping[Digest, Image]],
) -> Verdict:
    whole = one_image(rebuilt).digest
    reference = recorded.digest if digest == recorded.digest else chosen[0].manifest
    if whole == reference:
        return Verdict(Level.IDENTICAL, reference, whole, ())
    at_hand = originals()
    findings: list[Finding] = []
    for image, ours in zip(chosen, rebuilt, strict=True):
        if ours.digest != image.manifest:
            findings.extend(_explained(image, ours, at_hand.get(image.manifest)).findings)
    return Verdict(Level.DIFFERENT, reference, whole, tuple(findings))


def _explained(image: RecordedImage, ours: Image, original: Image | None) -> Verdict:
    """The differences by content where the original is at hand and sound, else by the recorded digests."""
    if original is not None:
        try:
            return compare(original, ours)
        except UntrustedError as error:
            damaged = Finding("", None, None, f"the original at hand cannot be read: {error.message}", "")
            by_digests = _by_digests(image, ours)
            return replace(by_digests, findings=(damaged, *by_digests.findings))
    return _by_digests(image, ours)


def _by_digests(image: RecordedImage, ours: Image) -> Verdict:
    layers = [(layer.digest, layer.diff_id) for layer in image.layers]
    return compare_record(image.manifest, image.config, layers, ours)
