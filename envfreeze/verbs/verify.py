"""`verify`: from a digest back to its commit and its lock, and forward again to the image."""

from __future__ import annotations

import time
from collections import Counter
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze import __version__
from envfreeze.compare import causes
from envfreeze.compare.images import compare, compare_record
from envfreeze.compare.model import Finding, Kind, Level, Verdict, finding, worst
from envfreeze.digest import Digest
from envfreeze.errors import EnvfreezeError, UntrustedError, UsageError
from envfreeze.locking import files
from envfreeze.oci import layout
from envfreeze.progress import SILENT
from envfreeze.records.git import Repository
from envfreeze.records.included import digest_of
from envfreeze.records.model import Verification, moment
from envfreeze.replacing import replace
from envfreeze.store.cache import Cache
from envfreeze.verbs import against_lock, driving, images, recorded, recording
from envfreeze.verbs.build import one_image
from envfreeze.verbs.built import OUTPUT
from envfreeze.verbs.images import images_of
from envfreeze.verbs.rebuilding import Rebuilding, project, with_circumstances
from envfreeze.verbs.recorded import Likeness

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from envfreeze.compare.inventory import Inventory
    from envfreeze.locking.model import Lock
    from envfreeze.oci.image import Image
    from envfreeze.progress import Progress
    from envfreeze.records.model import Record, RecordedImage
    from envfreeze.records.store import RecordStore
    from envfreeze.records.trust.policy import Policy
    from envfreeze.verbs.recorded import Recorded
    from envfreeze.verbs.trusted import Trusted


@dataclass(frozen=True, slots=True)
class VerifyOutcome:
    """What `verify` found.

    Attributes:
        verdict: how the rebuilt image compares with the original.
        record: the build that was repeated; None: a lock was built, without a record.
        seconds: how long it took.
        inventories: the rebuilt images by package, by platform, where that was asked for.
        signers: whose signatures of the record counted; () where no policy was asked.

    """

    verdict: Verdict
    record: Record | None
    seconds: float
    inventories: tuple[tuple[str, Inventory], ...] = ()
    signers: tuple[str, ...] = ()


def verify(
    image: Digest | str,
    *,
    root: Path,
    lock: Path | None = None,
    against: str | Path | None = None,
    engine: str | None = None,
    options: driving.Options = driving.Options(),  # noqa: B008 - frozen
    offline: bool = False,
    workers: int | None = None,
    cache: Cache | None = None,
    record: bool = True,
    inventory: bool = False,
    policy: Policy | None = None,
    attestations: Sequence[Path] = (),
    progress: Progress = SILENT,
) -> VerifyOutcome:
    """Rebuild an image from its record alone, and compare.

    The files come from a clean checkout of the recorded commit, the lock from the record. No layer that was
    made before is used; downloads in the cache are, since their hashes are checked again. A record that is
    not on this machine is looked for at the git remote, and beside the image in its registry. It is built by
    the engine of the record; one that builds a Dockerfile uses no step that it has in its cache.

    Args:
        image: digest of a manifest, an index or a config; or any image, as `images.parse` reads it.
        root: a folder of the repository, or the project's folder where there is no repository.
        lock: build this `envfreeze.lock`, with what lies beside it, and look for no record.
        against: the original, for the explanation of differences, named as `verbs.images` reads it; None:
            where the build left it, or where the image is.
        engine: with `lock`, what builds it; None: the native one.
        options: what is said to an engine that builds a Dockerfile.
        offline: fetch nothing.
        workers: threads; None: one per processor.
        cache: None: the user's.
        record: add the outcome to the records.
        inventory: also take down the rebuilt images by package, for a page.
        policy: take only a record that is signed and allowed as it says, whose level is the caller's to hold.
        attestations: files with signed statements, besides those that are attached to the image.
        progress: told what happens.

    Raises:
        AnswerIsNoError: the policy does not allow the build.
        UsageError: no record names the image, or this machine lacks what it was built from.
        UntrustedError: the record, the lock or an artifact is not what it should be.
        NetworkError: an artifact cannot be had.

    """
    started = time.monotonic()
    if engine is not None and lock is None:
        raise UsageError("--engine is for --lock: a record says what built it", hint="leave --engine out")
    cache = cache or Cache.open()
    text = str(image)
    with ExitStack() as stack:
        scratch = stack.enter_context(cache.scratch())
        image_folder = scratch / "image"
        image_folder.mkdir()
        anew = Rebuilding(cache, image_folder, root, offline, workers, progress, options)
        given = None
        if against is not None:
            opened = images.opened(str(against), root=root, cache=cache, offline=offline, progress=progress)
            given = {one.digest: one for one in images_of(stack.enter_context(opened))}
        if lock is not None:
            by = engine or driving.NATIVE
            compared = against_lock.verify(text, lock, root=root, given=given, anew=anew, engine=by)
            taken = _inventories(compared.rebuilt, compared.verdict, progress) if inventory else ()
            return VerifyOutcome(compared.verdict, None, time.monotonic() - started, taken)
        repository = images.repository_of(text)
        store = stack.enter_context(
            recording.opened(root, repository=repository, offline=offline, cache=cache, progress=progress)
        )
        trust = None
        if policy is not None:
            trust = _trust(text, policy, attestations, root=root, store=store, anew=anew)
        found = recorded.find(
            text,
            root=root,
            store=store,
            scratch=scratch,
            cache=cache,
            offline=offline,
            signed=None if trust is None else [one.record for one in trust.signed],
            locks=None if trust is None else trust.locks,
            progress=progress,
        )
        if given is not None and not given.keys() & {one.manifest for one in found.chosen}:
            raise UsageError(f"{against} does not hold {found.asked}")
        whole = files.read(found.folder)
        if trust is not None:
            trust.hold(found.record, whole)
        read = _of_platforms(whole, found.chosen, found.asked)
        by = found.record.engine
        names = driving.files_of(by, read, project(found.folder, by), found.folder)
        edited = digest_of(found.folder, names) != found.record.source.included
        made = anew.make(by, read, found.folder)
        rebuilt = made.images

        def originals() -> Mapping[Digest, Image]:
            if given or (left := _left_by_build(root, found.record)):
                return given or left
            return _where_named(text, root, anew, stack)

        verdict = _verdict(found, rebuilt, originals, progress)
        verdict = with_circumstances(verdict, found.record, made, edited=edited)
        taken = _inventories(rebuilt, verdict, progress) if inventory else ()
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
        seconds = time.monotonic() - started
        signers = () if trust is None else tuple(map(str, trust.of(found.record).signers))
        return VerifyOutcome(_as_asked(verdict, found), found.record, seconds, taken, signers)


def _trust(
    text: str,
    policy: Policy,
    attestations: Sequence[Path],
    *,
    root: Path,
    store: RecordStore,
    anew: Rebuilding,
) -> Trusted:
    """What the policy lets us believe; what else claims to be a record of the image is warned of."""
    from envfreeze.verbs import trusted  # noqa: PLC0415 - heavy

    trust = trusted.gather(
        text,
        policy,
        root=root,
        attestations=attestations,
        offline=anew.offline,
        cache=anew.cache,
        progress=anew.progress,
    )
    for sentence in trusted.unsigned(store, trust):
        anew.progress.warn(sentence)
    return trust


def _as_asked(verdict: Verdict, found: Recorded) -> Verdict:
    """The verdict on the image that was asked for, where that is the recorded one packed anew."""
    if found.likeness is Likeness.SAME:
        return verdict
    level = Level.LAYERS if found.likeness is Likeness.CONFIG else Level.TREE
    what = f"{found.asked} is the recorded {verdict.reference} in another form: {found.likeness.value}"
    said = Finding(Kind.MANIFEST, level, "manifest", None, None, what, causes.OTHER_COMPRESSOR)
    return replace(verdict.having(said), level=worst((level, verdict.level)), reference=found.asked)


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


def _where_named(text: str, root: Path, anew: Rebuilding, stack: ExitStack) -> dict[Digest, Image]:
    """The images where the user says that they are; none of a digest alone, or where they cannot be had."""
    try:
        if isinstance(images.parse(text), Digest):
            return {}
        opened = images.opened(
            text, root=root, cache=anew.cache, offline=anew.offline, progress=anew.progress
        )
        return {image.digest: image for image in images_of(stack.enter_context(opened))}
    except EnvfreezeError as error:
        anew.progress.note(f"the original cannot be compared with: {error.message}")
        return {}


def _inventories(
    rebuilt: Sequence[Image], verdict: Verdict, progress: Progress
) -> tuple[tuple[str, Inventory], ...]:
    from envfreeze.compare.inventory import take_each  # noqa: PLC0415 - for pages only

    return take_each(((str(image.platform), image) for image in rebuilt), verdict, progress=progress)


def _verdict(
    found: Recorded,
    rebuilt: Sequence[Image],
    originals: Callable[[], Mapping[Digest, Image]],
    progress: Progress,
) -> Verdict:
    whole = one_image(rebuilt).digest
    reference = found.record.digest if found.chosen == found.record.manifests else found.chosen[0].manifest
    if whole == reference:
        return Verdict(Level.IDENTICAL, reference, whole, ())
    at_hand = originals()
    verdicts = [
        (ours, _explained(image, ours, at_hand.get(image.manifest), progress))
        for image, ours in zip(found.chosen, rebuilt, strict=True)
        if ours.digest != image.manifest
    ]
    findings = [
        replace(one, platform=str(ours.platform) if len(found.chosen) > 1 else "")
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
