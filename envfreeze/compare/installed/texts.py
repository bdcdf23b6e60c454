"""A few small files of an image, out of their layers: a second reading, as far as it is needed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from envfreeze.oci.inflate import inflate
from envfreeze.oci.members import Type, members

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from envfreeze.oci.image import Image

_LARGEST: Final = 1 << 16
"""Bytes of a command's script that is looked into."""


def read(image: Image, wanted: Mapping[int, Collection[str]]) -> dict[str, bytes]:
    """Read files; one that is larger than any script, or that its layer does not hold, is left out.

    Args:
        image: the image.
        wanted: position of a layer, 0 for the lowest, to the paths in it.

    Raises:
        UntrustedError: a layer is damaged.
        NetworkError: a registry does not give it.

    """
    found: dict[str, bytes] = {}
    for position, paths in sorted(wanted.items()):
        layer = image.layers[position]
        left = set(paths)
        with inflate(layer.open(), layer.media_type) as stream:
            for member, content in members(stream):
                if member.path in left and member.type is Type.FILE:
                    left.discard(member.path)
                    text = content.read(_LARGEST)
                    if text is not None:
                        found[member.path] = text
                if not left:
                    break
    return found
