"""A few files of an image, out of their layers: a second reading, as far as it is needed."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

from envfreeze.oci.inflate import inflate
from envfreeze.oci.members import Type, members

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from envfreeze.oci.image import Image
    from envfreeze.oci.members import Content

_LARGEST: Final = 1 << 16
"""Bytes of a command's script that is looked into."""


def md5s(image: Image, wanted: Mapping[int, Collection[str]]) -> dict[str, str]:
    """The MD5 of files in hexadecimal, which dpkg's lists state; arguments and errors are those of `read`."""
    found: dict[str, str] = {}
    for path, content in _files(image, wanted):
        hashed = hashlib.md5(usedforsecurity=False)
        for chunk in content.chunks():
            hashed.update(chunk)
        found[path] = hashed.hexdigest()
    return found


def read(image: Image, wanted: Mapping[int, Collection[str]], *, limit: int = _LARGEST) -> dict[str, bytes]:
    """Read files; one that is larger than `limit`, or that its layer does not hold, is left out.

    Args:
        image: the image.
        wanted: position of a layer, 0 for the lowest, to the paths in it.
        limit: bytes of a file.

    Raises:
        UntrustedError: a layer is damaged.
        NetworkError: a registry does not give it.

    """
    found: dict[str, bytes] = {}
    for path, content in _files(image, wanted):
        text = content.read(limit)
        if text is not None:
            found[path] = text
    return found


def _files(image: Image, wanted: Mapping[int, Collection[str]]) -> Iterator[tuple[str, Content]]:
    for position, paths in sorted(wanted.items()):
        layer = image.layers[position]
        left = set(paths)
        with inflate(layer.open(), layer.media_type) as stream:
            for member, content in members(stream):
                if member.path in left and member.type is Type.FILE:
                    left.discard(member.path)
                    yield member.path, content
                if not left:
                    break
