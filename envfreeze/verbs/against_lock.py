"""`verify --lock`: an image against what a lock makes, where nobody recorded the build."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.compare.images import compare
from envfreeze.compare.model import Finding, Level, Verdict
from envfreeze.digest import Digest
from envfreeze.errors import UsageError
from envfreeze.locking import files, lockfile
from envfreeze.oci.reference import Reference
from envfreeze.verbs import images
from envfreeze.verbs.build import one_image
from envfreeze.verbs.driving import NATIVE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from envfreeze.oci.image import Image
    from envfreeze.verbs.rebuilding import Rebuilding


def verify(
    text: str,
    lock: Path,
    *,
    root: Path,
    given: Mapping[Digest, Image] | None,
    anew: Rebuilding,
    engine: str = NATIVE,
) -> Verdict:
    """Build a lock and compare with an image.

    Args:
        text: a digest, or an image as `images.parse` reads it.
        lock: `envfreeze.lock`, or the folder that it lies in; included files are taken as they lie there.
        root: the project's folder.
        given: images by the digests of their manifests, one of which may be the original.
        anew: makes the images.
        engine: by which they are made.

    Raises:
        UsageError: there is no lock, or the image is not to be found.
        UntrustedError: the lock or an artifact is not what it should be.
        NetworkError: an artifact or the image cannot be had.

    """
    folder = (lock if lock.is_dir() else lock.parent).resolve()
    if not lock.is_dir() and lock.name != lockfile.NAME:
        raise UsageError(f"{lock} is no {lockfile.NAME}", hint=f"--lock {lock.parent / lockfile.NAME}")
    rebuilt = anew.make(engine, files.read(folder), folder).images
    digest = _digest(text)
    if digest is not None and (same := _whose(digest, rebuilt)) is not None:
        return Verdict(Level.IDENTICAL, same, same, ())
    if digest is not None and isinstance(images.parse(text), Digest) and not given:
        whole = one_image(rebuilt).digest
        said = Finding(
            "", None, None, f"nothing is known of {digest} but that the lock makes another image", ""
        )
        return Verdict(Level.DIFFERENT, digest, whole, (said,))
    if given:
        return _compared(list(given.values()), rebuilt, digest)
    with images.opened(
        text, root=root, cache=anew.cache, offline=anew.offline, progress=anew.progress
    ) as found:
        whole = one_image(rebuilt).digest
        if found.digest == whole:
            return Verdict(Level.IDENTICAL, whole, whole, ())
        return _compared(images.images_of(found), rebuilt, found.digest)


def _digest(text: str) -> Digest | None:
    place = images.parse(text)
    if isinstance(place, Digest):
        return place
    return place.digest if isinstance(place, Reference) else None


def _whose(digest: Digest, rebuilt: Sequence[Image]) -> Digest | None:
    """The digest of what was built that an index's, a manifest's or a config's digest names."""
    whole = one_image(rebuilt).digest
    if digest == whole:
        return whole
    return next(
        (image.digest for image in rebuilt if digest in {image.digest, Digest.of(image.config)}), None
    )


def _compared(originals: Sequence[Image], rebuilt: Sequence[Image], asked: Digest | None) -> Verdict:
    """Compare platform by platform; what only one side has is a difference."""
    ours = {image.platform: image for image in rebuilt}
    findings: list[Finding] = []
    levels: list[Level] = []
    for original in originals:
        made = ours.get(original.platform)
        if made is None:
            raise UsageError(
                f"the lock is for {', '.join(map(str, ours))}, and the image for {original.platform}",
                hint="add the platform to [image] platform, and lock again",
            )
        verdict = compare(original, made)
        levels.append(verdict.level)
        findings.extend(verdict.findings)
    order = list(Level)
    worst = max(levels, key=order.index, default=Level.DIFFERENT)
    reference = originals[0].digest if len(originals) == 1 else asked or originals[0].digest
    made_whole = ours[originals[0].platform].digest if len(originals) == 1 else one_image(rebuilt).digest
    return Verdict(worst, reference, made_whole, tuple(findings))
