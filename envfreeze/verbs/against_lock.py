"""`verify --lock`: an image against what a lock makes, where nobody recorded the build."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.compare import causes
from envfreeze.compare.indexes import compare_all
from envfreeze.compare.model import Kind, Level, Verdict, finding
from envfreeze.digest import Digest
from envfreeze.errors import UsageError
from envfreeze.locking import files, lockfile
from envfreeze.oci.reference import Reference
from envfreeze.replacing import replace
from envfreeze.verbs import images
from envfreeze.verbs.build import one_image
from envfreeze.verbs.driving import NATIVE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from envfreeze.oci.image import Image
    from envfreeze.verbs.rebuilding import Rebuilding


@dataclass(frozen=True, slots=True)
class Compared:
    """What a lock makes, against what is asked for.

    Attributes:
        verdict: how they compare.
        rebuilt: what the lock makes, by platform.

    """

    verdict: Verdict
    rebuilt: tuple[Image, ...]


def verify(
    text: str,
    lock: Path,
    *,
    root: Path,
    given: Mapping[Digest, Image] | None,
    anew: Rebuilding,
    engine: str = NATIVE,
) -> Compared:
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
    return Compared(_verdict(text, rebuilt, root=root, given=given, anew=anew), rebuilt)


def _verdict(
    text: str,
    rebuilt: Sequence[Image],
    *,
    root: Path,
    given: Mapping[Digest, Image] | None,
    anew: Rebuilding,
) -> Verdict:
    whole = one_image(rebuilt)
    digest = _digest(text)
    if digest is not None and (same := _whose(digest, rebuilt)) is not None:
        return Verdict(Level.IDENTICAL, same, same)
    if given:
        verdict = compare_all(one_image(list(given.values())), whole, progress=anew.progress)
        return verdict if digest is None else replace(verdict, reference=digest)
    if digest is not None and isinstance(images.parse(text), Digest):
        what = f"nothing is known of {digest} but that the lock makes another image"
        said = finding(Kind.LAYER_CONTENT, "", what, causes.NOT_AT_HAND)
        return Verdict(Level.DIFFERENT, digest, whole.digest, (said,), {Kind.LAYER_CONTENT: 1})
    with images.opened(
        text, root=root, cache=anew.cache, offline=anew.offline, progress=anew.progress
    ) as found:
        return compare_all(found, whole, progress=anew.progress)


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
