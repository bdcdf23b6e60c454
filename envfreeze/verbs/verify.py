"""`verify`: from a digest back to its commit and its lock, and forward again to the image."""

from __future__ import annotations

import time
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from envfreeze import __version__
from envfreeze.compare.images import compare, compare_record
from envfreeze.compare.model import Finding, Level, Verdict
from envfreeze.digest import Digest
from envfreeze.errors import EnvfreezeError, UntrustedError, UsageError
from envfreeze.locking import files
from envfreeze.oci import archive as oci_archive
from envfreeze.oci import layout
from envfreeze.oci.image import ImageIndex
from envfreeze.progress import SILENT
from envfreeze.records.git import Repository
from envfreeze.records.included import digest_of
from envfreeze.records.model import Verification, moment
from envfreeze.store.cache import Cache
from envfreeze.verbs import against_lock, driving, images, rebuilding, recorded, recording
from envfreeze.verbs.build import one_image
from envfreeze.verbs.built import OUTPUT
from envfreeze.verbs.rebuilding import Rebuilding
from envfreeze.verbs.recorded import Likeness

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from envfreeze.locking.model import Lock
    from envfreeze.oci.image import Image
    from envfreeze.progress import Progress
    from envfreeze.records.model import Record, RecordedImage
    from envfreeze.verbs.making import Made
    from envfreeze.verbs.recorded import Recorded


@dataclass(frozen=True, slots=True)
class VerifyOutcome:
    """What `verify` found.

    Attributes:
        verdict: how the rebuilt image compares with the original.
        record: the build that was repeated; None: a lock was built, without a record.
        seconds: how long it took.

    """

    verdict: Verdict
    record: Record | None
    seconds: float


def verify(
    image: Digest | str,
    *,
    root: Path,
    lock: Path | None = None,
    against: Path | None = None,
    engine: str | None = None,
    options: driving.Options = driving.Options(),  # noqa: B008 - frozen
    offline: bool = False,
    workers: int | None = None,
    cache: Cache | None = None,
    record: bool = True,
    progress: Progress = SILENT,
) -> VerifyOutcome:
    """Rebuild an image from its record alone, and compare.

    The files come from a clean checkout of the recorded commit, the lock from the record. No layer that was
    made before is used; downloads in the cache are, since their hashes are checked again. The engine is that
    of the record; one that builds a Dockerfile uses no step that it has built. A record that is not on this
    machine is looked for at the git remote, and beside the image in its registry.

    Args:
        image: digest of a manifest, an index or a config; or any image, as `images.parse` reads it.
        root: a folder of the repository, or the project's folder where there is no repository.
        lock: build this `envfreeze.lock`, with what lies beside it, and look for no record.
        against: an OCI layout or archive with the original, for the explanation of differences; None: where
            the build left it, or where the image is.
        engine: with `lock`, what builds it; None: the native one.
        options: what is said to an engine that builds a Dockerfile.
        offline: fetch nothing.
        workers: threads; None: one per processor.
        cache: None: the user's.
        record: add the outcome to the records.
        progress: told what happens.

    Raises:
        UsageError: no record names the image, or this machine lacks what it was built from.
        UntrustedError: the record, the lock or an artifact is not what it should be.
        NetworkError: an artifact cannot be had.

    """
    started = time.monotonic()
    cache = cache or Cache.open()
    text = str(image)
    if engine is not None and lock is None:
        raise UsageError("--engine is for --lock: a record says what built it", hint="leave --engine out")
    given = None if against is None else _read(against)
    if lock is not None:
        with cache.scratch() as scratch:
            anew = Rebuilding(cache, scratch, root, offline, workers, progress, options)
            by = engine or driving.NATIVE
            verdict = against_lock.verify(text, lock, root=root, given=given, anew=anew, engine=by)
        return VerifyOutcome(verdict, None, time.monotonic() - started)
    repository = images.repository_of(text)
    with (
        recording.opened(
            root, repository=repository, offline=offline, cache=cache, progress=progress
        ) as store,
        cache.scratch() as scratch,
        ExitStack() as stack,
    ):
        found = recorded.find(
            text,
            root=root,
            store=store,
            scratch=scratch,
            cache=cache,
            offline=offline,
            progress=progress,
        )
        if given is not None and not given.keys() & {one.manifest for one in found.chosen}:
            raise UsageError(f"{against} does not hold {found.asked}")
        read = _of_platforms(files.read(found.folder), found.chosen, found.asked)
        engine = found.record.engine
        names = driving.files_of(engine, read, rebuilding.project(found.folder, engine), found.folder)
        edited = digest_of(found.folder, names) != found.record.source.included
        anew = Rebuilding(
            cache, stack.enter_context(cache.scratch()), root, offline, workers, progress, options
        )
        made = anew.make(engine, read, found.folder)

        def originals() -> Mapping[Digest, Image]:
            if given or (left := _left_by_build(root, found.record)):
                return given or left
            return _where_named(text, root, anew, stack)

        verdict = _with_tools(_verdict(found, made.images, originals), found.record, made)
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
                    digest=found.record.digest,
                    level=verdict.level.value,
                    commit=found.record.source.commit,
                )
            )
        return VerifyOutcome(_as_asked(verdict, found), found.record, time.monotonic() - started)


def _as_asked(verdict: Verdict, found: Recorded) -> Verdict:
    """The verdict on the image that was asked for, where that is the recorded one packed anew."""
    if found.likeness is Likeness.SAME:
        return verdict
    level = Level.LAYERS if found.likeness is Likeness.CONFIG else Level.TREE
    finding = Finding(
        "manifest",
        None,
        None,
        f"{found.asked} is the recorded {verdict.reference} in another form: {found.likeness.value}",
        "it was pushed from a store that packs layers anew, as Docker's classic store does",
    )
    worst = level if verdict.level is Level.IDENTICAL else verdict.level
    return replace(verdict, level=worst, reference=found.asked, findings=(finding, *verdict.findings))


def _with_tools(verdict: Verdict, record: Record, made: Made) -> Verdict:
    """The verdict, and where it is not that all is equal, what of the engine is another version."""
    if verdict.level is Level.IDENTICAL or record.tools == made.tools:
        return verdict
    moved = [
        f"{name} {record.tools.get(name, '(none)')} -> {made.tools.get(name, '(none)')}"
        for name in sorted(record.tools.keys() | made.tools.keys())
        if record.tools.get(name) != made.tools.get(name)
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


def _where_named(text: str, root: Path, anew: Rebuilding, stack: ExitStack) -> dict[Digest, Image]:
    """The images where the user says that they are; none of a digest alone, or where they cannot be had."""
    try:
        if isinstance(images.parse(text), Digest):
            return {}
        opened = images.opened(
            text, root=root, cache=anew.cache, offline=anew.offline, progress=anew.progress
        )
        return {image.digest: image for image in images.images_of(stack.enter_context(opened))}
    except EnvfreezeError as error:
        anew.progress.note(f"the original cannot be compared with: {error.message}")
        return {}


def _verdict(
    found: Recorded, rebuilt: Sequence[Image], originals: Callable[[], Mapping[Digest, Image]]
) -> Verdict:
    whole = one_image(rebuilt).digest
    reference = found.record.digest if found.chosen == found.record.manifests else found.chosen[0].manifest
    if whole == reference:
        return Verdict(Level.IDENTICAL, reference, whole, ())
    at_hand = originals()
    findings: list[Finding] = []
    for image, ours in zip(found.chosen, rebuilt, strict=True):
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
