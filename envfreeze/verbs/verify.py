"""`verify`: from a digest back to its commit and its lock, and forward again to the image."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from envfreeze import __version__
from envfreeze.compare.images import compare, compare_record
from envfreeze.compare.model import Finding, Level, Verdict
from envfreeze.engines import native
from envfreeze.errors import EnvfreezeError, UntrustedError, UsageError
from envfreeze.locking import files, indexes
from envfreeze.locking.model import WRITER
from envfreeze.oci import archive as oci_archive
from envfreeze.oci import layout
from envfreeze.oci.image import ImageIndex
from envfreeze.progress import SILENT
from envfreeze.project.load import load
from envfreeze.records.model import Verification, moment
from envfreeze.records.store import open_store
from envfreeze.store.cache import Cache
from envfreeze.verbs.build import OUTPUT, one_image

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from envfreeze.digest import Digest
    from envfreeze.locking.model import Lock
    from envfreeze.oci.image import Image
    from envfreeze.progress import Progress
    from envfreeze.records.model import Record, RecordedImage


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
    offline: bool = False,
    workers: int | None = None,
    cache: Cache | None = None,
    record: bool = True,
    progress: Progress = SILENT,
) -> VerifyOutcome:
    """Rebuild the image that a digest names, from its record alone, and compare.

    The files come from a clean checkout of the recorded commit, the lock from the record. No layer that was
    made before is used; downloads in the cache are, since their hashes are checked again.

    Args:
        digest: of a manifest, an index or a config.
        root: a folder of the repository, or the project's folder where there is no repository.
        against: an OCI layout or archive with the original, for the explanation of differences; None: where
            the build left it.
        offline: fetch nothing.
        workers: threads; None: one per processor.
        cache: None: the user's.
        record: add the outcome to the records.
        progress: told what happens.

    Raises:
        UsageError: no record names the digest.
        UntrustedError: the record, the lock or an artifact is not what it should be.
        NetworkError: an artifact cannot be had.

    """
    started = time.monotonic()
    cache = cache or Cache.open()
    store = open_store(root, progress=progress)
    found = store.find(digest)
    if not found:
        raise UsageError(
            f"no record of {digest} in {root}",
            hint=f"records made elsewhere: {store.fetch_hint}" if store.fetch_hint else "",
        )
    recorded = found[0]
    if recorded.writer > WRITER:
        raise UntrustedError(
            f"{digest} was built with writer version {recorded.writer}, this envfreeze knows up to {WRITER}",
            hint="upgrade envfreeze",
        )
    with cache.scratch() as scratch:
        folder = store.restore(recorded, scratch / "checkout")
        lock = _recorded_platforms(files.read(folder), recorded)
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
        rebuilt = tuple(made.image for made in assembly.images)
        verdict = _verdict(recorded, rebuilt, _originals(recorded, root, against))
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


def _authenticate(folder: Path) -> Callable[[str], str]:
    """What the recorded project's indexes ask of the user who verifies; nothing where it cannot be read."""
    try:
        project = load(folder)
    except EnvfreezeError:
        return str
    return partial(indexes.authenticate, project=project)


def _recorded_platforms(lock: Lock, recorded: Record) -> Lock:
    platforms = [image.platform for image in recorded.manifests]
    targets = tuple(target for target in lock.targets if target.platform in platforms)
    if len(targets) != len(platforms):
        raise UntrustedError(f"the recorded lock is not for the platforms of {recorded.digest}")
    return replace(lock, targets=targets)


def _originals(recorded: Record, root: Path, against: Path | None) -> dict[Digest, Image]:
    """The original images that are at hand, by manifest digest; never trusted to be what they are called."""
    found: dict[Digest, Image] = {}
    if against is not None:
        source = layout.read(against) if against.is_dir() else oci_archive.read(against)
        for image in _images(source):
            found[image.digest] = image
        if not found.keys() & {image.manifest for image in recorded.manifests}:
            raise UsageError(f"{against} does not hold {recorded.digest}")
        return found
    default = root / recorded.source.project / OUTPUT if recorded.source.commit else root / OUTPUT
    for place in (default, root / OUTPUT):
        if place.is_dir():
            try:
                found |= {image.digest: image for image in _images(layout.read(place))}
            except UntrustedError:
                continue
    return found


def _images(source: Image | ImageIndex) -> Sequence[Image]:
    return source.images if isinstance(source, ImageIndex) else (source,)


def _verdict(recorded: Record, rebuilt: Sequence[Image], originals: dict[Digest, Image]) -> Verdict:
    whole = one_image(rebuilt)
    if whole.digest == recorded.digest:
        return Verdict(Level.IDENTICAL, recorded.digest, whole.digest, ())
    by_platform = {image.platform: image for image in rebuilt}
    findings: list[Finding] = []
    for image in recorded.manifests:
        ours = by_platform[image.platform]
        if ours.digest == image.manifest:
            continue
        original = originals.get(image.manifest)
        if original is not None:
            findings.extend(compare(original, ours).findings)
        else:
            findings.extend(_by_digests(image, ours).findings)
    return Verdict(Level.DIFFERENT, recorded.digest, whole.digest, tuple(findings))


def _by_digests(image: RecordedImage, ours: Image) -> Verdict:
    layers = [(layer.digest, layer.diff_id) for layer in image.layers]
    return compare_record(image.manifest, image.config, layers, ours)
