"""What the layers of two images are called in findings: as their history says, else by their place."""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from envfreeze.oci import canonical

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envfreeze.oci.image import Image

_LONGEST = 120
ASSEMBLED = re.compile(
    r"(system|environment|files|(?:debs|deb|conda|wheels|wheel)-[^\s:]+)(?:: .*)?", re.DOTALL
)
"""The layers that the native engine makes; what is in them follows their name (docs/formats/image.md)."""


def layer_names(image: Image, given: Sequence[str] = ()) -> tuple[str, ...]:
    """Name the layers of an image, lowest first.

    Args:
        image: the image.
        given: names that are better known than those in its history.

    Raises:
        UntrustedError: the config is not a JSON object.

    """
    told = tuple(given) or history(image)
    padded = (*told, *("" for _ in image.layers))
    return tuple(
        _short(name) or f"layer {number}"
        for number, (name, _) in enumerate(zip(padded, image.layers, strict=False), 1)
    )


def named_alike(reference: Image, rebuilt: Image, given: Sequence[str]) -> tuple[str, ...]:
    """Name the reference's layers by the names that were given for rebuilt layers of the same history."""
    histories = history(rebuilt)
    counts = Counter(histories)
    known = {told: name for told, name in zip(histories, given, strict=False) if told and counts[told] == 1}
    own = history(reference)
    return layer_names(reference, [known.get(told, told) for told in own])


def history(image: Image) -> tuple[str, ...]:
    """The `created_by` of each layer; empty where the config's history does not fit the layers."""
    config = canonical.parse(image.config, f"config of {image.digest}")
    listed = config.get("history")
    entries = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
    filled = tuple(str(entry.get("created_by", "")) for entry in entries if not entry.get("empty_layer"))
    return filled if len(filled) == len(image.layers) else ()


def _short(name: str) -> str:
    """One line that ends somewhere: a `RUN` step may have hundreds of them."""
    own = ASSEMBLED.fullmatch(name)
    if own is not None:
        return own[1]
    line = " ".join(name.split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
