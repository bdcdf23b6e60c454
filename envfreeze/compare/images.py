"""Two images, or the record of one and another image, to a verdict that explains itself.

Decided today are `identical` and `different`; the levels between them need no other interface.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

from envfreeze.compare.configs import compare_configs
from envfreeze.compare.layers import compare_layers
from envfreeze.compare.model import Finding, Level, Verdict
from envfreeze.compare.pairs import Pair, Place, pair
from envfreeze.digest import Digest
from envfreeze.oci import canonical

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from envfreeze.oci.image import Image


def compare(reference: Image, rebuilt: Image, *, names: Sequence[str] = ()) -> Verdict:
    """Compare two images.

    Where the manifests are equal nothing else is read. Otherwise layers with different diffIDs are read on
    both sides.

    Args:
        reference: the image as it was.
        rebuilt: the image as it is now.
        names: of the rebuilt image's layers, lowest first; default: what its history says.

    Raises:
        UntrustedError: a config or a layer is damaged.

    """
    if reference.digest == rebuilt.digest:
        return Verdict(Level.IDENTICAL, reference.digest, rebuilt.digest)
    findings = list(compare_configs(reference.config, rebuilt.config))
    old = _places(reference, ())
    new = _places(rebuilt, names)
    if names:
        old = _renamed(old, _places(rebuilt, ()), new)
    pairs = pair(old, new)
    findings += _order(pairs)
    for matched in pairs:
        findings += _against(matched)
        if matched.reference and matched.rebuilt and matched.reference.diff_id != matched.rebuilt.diff_id:
            findings += compare_layers(
                _name(matched.rebuilt),
                reference.layers[matched.reference.position],
                rebuilt.layers[matched.rebuilt.position],
            )
    return _different(reference.digest, rebuilt.digest, findings)


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
    findings = []
    actual = Digest.of(rebuilt.config)
    old = [Place(position, "", digest, diff_id) for position, (digest, diff_id) in enumerate(layers)]
    new = _places(rebuilt, names)
    if config != actual and [place.diff_id for place in old] == [place.diff_id for place in new]:
        # With other layers the config cannot be equal, and says nothing more.
        what = f"{config} -> {actual}"
        findings.append(Finding("config", None, None, what, "environment, command, labels or history differ"))
    pairs = pair(old, new)
    findings += _order(pairs)
    for matched in pairs:
        findings += _against(matched)
        if matched.reference and matched.rebuilt and matched.reference.diff_id != matched.rebuilt.diff_id:
            what = f"diffID {matched.reference.diff_id} -> {matched.rebuilt.diff_id}"
            cause = "layer content differs; the reference's content is not at hand to say where"
            findings.append(Finding(_name(matched.rebuilt), None, None, what, cause))
    return _different(manifest, rebuilt.digest, findings)


def _different(reference: Digest, rebuilt: Digest, findings: list[Finding]) -> Verdict:
    if not findings:
        what = "config and layers are equal"
        findings = [Finding("manifest", None, None, what, "manifest written by another tool")]
    return Verdict(Level.DIFFERENT, reference, rebuilt, tuple(findings))


def _against(matched: Pair) -> Iterator[Finding]:
    """What can be said without reading: layers missing, added, moved or compressed differently."""
    old, new = matched.reference, matched.rebuilt
    if new is None:
        if old is not None:
            yield Finding(_name(old), None, None, f"{old.digest} -> none", "layer missing")
    elif old is None:
        yield Finding(_name(new), None, None, f"none -> {new.digest}", "layer added")
    elif old.diff_id == new.diff_id and old.digest != new.digest:
        what = f"blob {old.digest} -> {new.digest}, equal content"
        yield Finding(_name(new), None, None, what, "compression differs")


def _order(pairs: Sequence[Pair]) -> Iterator[Finding]:
    both = [(one.reference, one.rebuilt) for one in pairs if one.reference and one.rebuilt]
    now = sorted(both, key=lambda places: places[1].position)
    if both != now:
        before, after = (", ".join(_name(new) for _, new in side) for side in (both, now))
        yield Finding("manifest", None, None, f"{before} -> {after}", "layers in another order")


def _renamed(old: list[Place], history: list[Place], new: list[Place]) -> list[Place]:
    """Give the reference's layers the names that were given for rebuilt layers of the same history."""
    counts = Counter(place.name for place in history)
    given = {
        told.name: place.name
        for told, place in zip(history, new, strict=True)
        if told.name and counts[told.name] == 1
    }
    return [replace(place, name=given.get(place.name, place.name)) for place in old]


def _name(place: Place) -> str:
    return place.name or f"layer {place.position + 1}"


def _places(image: Image, names: Sequence[str]) -> list[Place]:
    names = names or _history(image)
    padded = (*names, *("" for _ in image.layers))
    return [
        Place(position, name, layer.digest, layer.diff_id)
        for position, (layer, name) in enumerate(zip(image.layers, padded, strict=False))
    ]


def _history(image: Image) -> list[str]:
    """The `created_by` of each layer; empty where the config's history does not fit the layers."""
    config = canonical.parse(image.config, f"config of {image.digest}")
    history = config.get("history")
    entries = [entry for entry in history if isinstance(entry, dict)] if isinstance(history, list) else []
    filled = [str(entry.get("created_by", "")) for entry in entries if not entry.get("empty_layer", False)]
    return filled if len(filled) == len(image.layers) else []
