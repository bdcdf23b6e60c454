"""Images or indexes of images, against each other: platform by platform.

What stands in an index beside the images (BuildKit's attestations) is no part of what runs: it is told, and
does not count.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from envfreeze.compare import causes
from envfreeze.compare.documents import differing, shown
from envfreeze.compare.images import compare
from envfreeze.compare.model import Kind, Level, Verdict, finding, worst
from envfreeze.errors import UsageError
from envfreeze.oci import canonical
from envfreeze.oci.image import UNKNOWN, ImageIndex
from envfreeze.progress import SILENT
from envfreeze.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from envfreeze.compare.model import Finding
    from envfreeze.oci.image import Image
    from envfreeze.progress import Progress

_INDEX: Final = "index"
_UNSAID: Final = {"linux/arm64/v8": "linux/arm64"}
"""The variant that is meant where none is stated (containerd's platforms, "Normalize")."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two images of one platform, `linux/arm64` or with a variant `linux/arm/v7`."""

    platform: str
    reference: Image
    rebuilt: Image


def pairs(reference: Image | ImageIndex, rebuilt: Image | ImageIndex) -> tuple[Pair, ...]:
    """The images that stand for each other.

    Raises:
        UsageError: there are none. Two images that are no indexes always do.
        UntrustedError: a document is malformed.

    """
    if not isinstance(reference, ImageIndex) and not isinstance(rebuilt, ImageIndex):
        # Whoever names two images means these two.
        return (Pair(_name(rebuilt), reference, rebuilt),)
    old, new = _by_platform(reference), _by_platform(rebuilt)
    found = tuple(Pair(name, old[name], new[name]) for name in old if name in new)
    if not found:
        before, after = (", ".join(side) or "no platform" for side in (old, new))
        raise UsageError(
            f"the reference is for {before}, the other image for {after}: there is nothing to compare",
            hint="name images for the same platform",
        )
    return found


def compare_all(
    reference: Image | ImageIndex, rebuilt: Image | ImageIndex, *, progress: Progress = SILENT
) -> Verdict:
    """Compare two images, two indexes, or an image with that of its platform in an index.

    Args:
        reference: the image as it was.
        rebuilt: the image as it is now.
        progress: is told of what is read.

    Raises:
        UsageError: no image of one has a platform of the other.
        UntrustedError: a document or a layer is damaged.
        NetworkError: a registry does not give a layer.
        MachineError: there is no room to compare.

    """
    if reference.digest == rebuilt.digest:
        return Verdict(Level.IDENTICAL, reference.digest, rebuilt.digest)
    matched = pairs(reference, rebuilt)
    one_image = not isinstance(reference, ImageIndex) and not isinstance(rebuilt, ImageIndex)
    verdicts = [(pair, compare(pair.reference, pair.rebuilt, progress=progress)) for pair in matched]
    if one_image:
        return verdicts[0][1]
    said = tuple(_beside(reference, rebuilt, matched))
    counts = Counter(one.kind for one in said)
    for _, verdict in verdicts:
        counts.update(verdict.counts)
    both = isinstance(reference, ImageIndex) and isinstance(rebuilt, ImageIndex)
    found = [replace(one, platform=pair.platform) for pair, verdict in verdicts for one in verdict.findings]
    return Verdict(
        worst((*(one.level for one in said), *(verdict.level for _, verdict in verdicts))),
        reference.digest if both else matched[0].reference.digest,
        rebuilt.digest if both else matched[0].rebuilt.digest,
        (*said, *found),
        counts,
        sum(verdict.layers_read for _, verdict in verdicts),
    )


def _beside(
    reference: Image | ImageIndex, rebuilt: Image | ImageIndex, matched: Sequence[Pair]
) -> Iterator[Finding]:
    """What the indexes say beside the images that were compared."""
    both = isinstance(reference, ImageIndex) and isinstance(rebuilt, ImageIndex)
    compared = {pair.platform for pair in matched}
    for side, kind in ((reference, Kind.PLATFORM_REMOVED), (rebuilt, Kind.PLATFORM_ADDED)):
        others = sorted(_by_platform(side).keys() - compared)
        if others and both:
            for name in others:
                where = "reference" if kind is Kind.PLATFORM_REMOVED else "other index"
                yield replace(finding(kind, _INDEX, f"only in the {where}: {name}"), platform=name)
        elif others:
            yield finding(Kind.INDEX, _INDEX, f"not compared: {', '.join(others)}")
    if isinstance(reference, ImageIndex) and isinstance(rebuilt, ImageIndex):
        old, new = (_attestations(index) for index in (reference, rebuilt))
        if old != new:
            what = f"attestations, which are no part of the images: {len(old)} -> {len(new)}"
            yield finding(Kind.ATTESTATION, _INDEX, what, causes.OTHER_BUILDER)
        yield from _documents(reference, rebuilt)


def _documents(reference: ImageIndex, rebuilt: ImageIndex) -> Iterator[Finding]:
    old = canonical.parse(reference.raw, "the reference's index")
    new = canonical.parse(rebuilt.raw, "the other index")
    before, after = (
        {key: value for key, value in document.items() if key != "manifests"} for document in (old, new)
    )
    for key, was, now in differing(before, after):
        yield finding(Kind.INDEX, _INDEX, f"{key} {shown(was)} -> {shown(now)}", causes.OTHER_BUILDER)


def _attestations(index: ImageIndex) -> list[str]:
    return sorted(str(image.digest) for image in index.images if image.platform == UNKNOWN)


def _by_platform(found: Image | ImageIndex) -> dict[str, Image]:
    """The images by platform and variant; of two for one platform the first."""
    images = found.images if isinstance(found, ImageIndex) else (found,)
    named: dict[str, Image] = {}
    for image in images:
        if image.platform != UNKNOWN or len(images) == 1:
            named.setdefault(_name(image), image)
    return named


def _name(image: Image) -> str:
    config = canonical.parse(image.config, f"config of {image.digest}")
    variant = config.get("variant")
    name = f"{image.platform}/{variant}" if isinstance(variant, str) and variant else str(image.platform)
    return _UNSAID.get(name, name)
