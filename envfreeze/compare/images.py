"""Two images, or the record of one and another image, to a verdict that explains itself.

Layers that both images have are not opened, unless the verdict depends on what they hold: then which packages
own a path, or what lies below it, is read from them.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from envfreeze.compare import causes
from envfreeze.compare.align import Gap, Shared, align
from envfreeze.compare.collected import Collected
from envfreeze.compare.documents import compare_configs, compare_manifests
from envfreeze.compare.entries import REBUILT, REFERENCE
from envfreeze.compare.explain import Explanation
from envfreeze.compare.model import UNKNOWN, Kind, Level, Verdict, finding
from envfreeze.compare.names import layer_names, named_alike
from envfreeze.compare.stack import Stack, stacked
from envfreeze.digest import Digest
from envfreeze.errors import MachineError
from envfreeze.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from envfreeze.compare.model import Finding
    from envfreeze.oci.image import Image
    from envfreeze.progress import Progress


def compare(
    reference: Image, rebuilt: Image, *, names: Sequence[str] = (), progress: Progress = SILENT
) -> Verdict:
    """Compare two images, from wherever they come.

    Where the manifests are equal nothing else is read.

    Args:
        reference: the image as it was.
        rebuilt: the image as it is now.
        names: of the rebuilt image's layers, lowest first; default: what its history says.
        progress: is told of what is read.

    Raises:
        UntrustedError: a document or a layer is damaged, or a layer is not what its diffID says.
        NetworkError: a registry does not give a layer.
        MachineError: there is no room to compare.

    """
    if reference.digest == rebuilt.digest:
        return Verdict(Level.IDENTICAL, reference.digest, rebuilt.digest)
    found = Collected()
    for one in (*compare_manifests(reference, rebuilt), *compare_configs(reference.config, rebuilt.config)):
        found.add(one)
    called = (named_alike(reference, rebuilt, names), layer_names(rebuilt, names))
    stack = stacked(reference, rebuilt, called, progress)
    with stack.ledger:
        for one in _structure(stack):
            found.add(one)
        if stack.gaps:
            try:
                with tempfile.TemporaryDirectory(prefix="envfreeze-compare-") as folder:
                    Explanation(stack, found, Path(folder)).run()
            except OSError as error:
                raise MachineError(
                    f"no room to compare the images in {tempfile.gettempdir()}: {error.strerror}",
                    hint="set TMPDIR to a folder with more room",
                ) from error
    if not found.kept:
        found.add(finding(Kind.MANIFEST, "manifest", "same values, other JSON", causes.OTHER_BUILDER))
    return Verdict(
        found.level,
        reference.digest,
        rebuilt.digest,
        tuple(found.kept),
        dict(found.counts),
        stack.layers_read,
    )


def compare_record(
    manifest: Digest,
    config: Digest,
    layers: Sequence[tuple[Digest, Digest]],
    rebuilt: Image,
    *,
    names: Sequence[str] = (),
) -> Verdict:
    """Compare an image with what a record says of another whose content is not at hand.

    Args:
        manifest: digest of the reference's manifest.
        config: digest of the reference's config.
        layers: digest and diffID of each layer of the reference, lowest first.
        rebuilt: the image as it is now.
        names: of the rebuilt image's layers, lowest first; default: what its history says.

    """
    if manifest == rebuilt.digest:
        return Verdict(Level.IDENTICAL, manifest, rebuilt.digest)
    found = Collected()
    called = layer_names(rebuilt, names)
    slots = align([diff_id for _, diff_id in layers], [layer.diff_id for layer in rebuilt.layers])
    actual = Digest.of(rebuilt.config)
    if config != actual and not any(isinstance(slot, Gap) for slot in slots):
        # With other layers the config cannot be equal, and says nothing more.
        found.add(finding(Kind.CONFIG, "config", f"{config} -> {actual}", causes.NOT_AT_HAND))
    for slot in slots:
        if isinstance(slot, Shared):
            was, now = layers[slot.reference][0], rebuilt.layers[slot.rebuilt].digest
            if was != now:
                what = f"blob {was} -> {now}, equal content"
                found.add(finding(Kind.COMPRESSION, called[slot.rebuilt], what, causes.OTHER_COMPRESSOR))
            continue
        for one in _unseen(slot, layers, rebuilt, called):
            found.add(one)
    if not found.kept:
        found.add(finding(Kind.MANIFEST, "manifest", "config and layers are equal", causes.OTHER_BUILDER))
    return Verdict(found.level, manifest, rebuilt.digest, tuple(found.kept), dict(found.counts))


def _unseen(
    gap: Gap, layers: Sequence[tuple[Digest, Digest]], rebuilt: Image, called: Sequence[str]
) -> Iterator[Finding]:
    """What can be said of layers of which only digests are known."""
    for old, new in zip(gap.reference, gap.rebuilt, strict=False):
        what = f"diffID {layers[old][1]} -> {rebuilt.layers[new].diff_id}"
        yield finding(Kind.LAYER_CONTENT, called[new], what, causes.NOT_AT_HAND)
    for old in gap.reference[len(gap.rebuilt) :]:
        what = f"{layers[old][1]} -> none"
        yield finding(Kind.LAYER_CONTENT, f"layer {old + 1}", what, causes.NOT_AT_HAND)
    for new in gap.rebuilt[len(gap.reference) :]:
        what = f"none -> {rebuilt.layers[new].diff_id}"
        yield finding(Kind.LAYER_CONTENT, called[new], what, causes.NOT_AT_HAND)


def _structure(stack: Stack) -> Iterator[Finding]:
    """What can be said of layers without their content: compression, types, number and order."""
    for _, slot in stack.shared:
        old, new = stack.layer(REFERENCE, slot.reference), stack.layer(REBUILT, slot.rebuilt)
        name = stack.name(REBUILT, slot.rebuilt)
        if old.digest != new.digest:
            what = f"blob {old.digest} ({old.size} bytes) -> {new.digest} ({new.size} bytes), equal content"
            yield finding(Kind.COMPRESSION, name, what, causes.OTHER_COMPRESSOR)
        if old.media_type != new.media_type:
            what = f"{old.media_type} -> {new.media_type}"
            yield finding(Kind.MEDIA_TYPE, name, what, causes.OTHER_COMPRESSOR)
    old_ids = [layer.diff_id for layer in stack.reference.layers]
    new_ids = [layer.diff_id for layer in stack.rebuilt.layers]
    if old_ids != new_ids and sorted(old_ids) == sorted(new_ids):
        # The reference's names for both: by a place in the order nobody would know them again.
        called = dict(zip(old_ids, stack.names[REFERENCE], strict=True))
        before, after = (", ".join(called[one] for one in ids) for ids in (old_ids, new_ids))
        yield finding(Kind.LAYER_ORDER, "manifest", f"{before} -> {after}", UNKNOWN)
        return
    for _, gap in stack.gaps:
        yield from _boundaries(stack, gap)


def _boundaries(stack: Stack, gap: Gap) -> Iterator[Finding]:
    if not gap.reference:
        for position in gap.rebuilt:
            layer = stack.layer(REBUILT, position)
            what = f"none -> {layer.digest} ({layer.size} bytes)"
            yield finding(Kind.LAYER_ADDED, stack.name(REBUILT, position), what)
    elif not gap.rebuilt:
        for position in gap.reference:
            layer = stack.layer(REFERENCE, position)
            what = f"{layer.digest} ({layer.size} bytes) -> none"
            yield finding(Kind.LAYER_REMOVED, stack.name(REFERENCE, position), what)
    elif len(gap.reference) != len(gap.rebuilt):
        before, after = (
            f"{len(positions)} layers ({', '.join(stack.name(side, position) for position in positions)})"
            for side, positions in ((REFERENCE, gap.reference), (REBUILT, gap.rebuilt))
        )
        yield finding(Kind.LAYER_BOUNDARIES, "manifest", f"{before} -> {after}", causes.OTHER_BUILDER)
