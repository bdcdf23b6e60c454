"""Reading an image's layers for what they hold: once each, checked on the way, remembered in the cache."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, BinaryIO

from envfreeze.errors import UntrustedError
from envfreeze.locking.image.inventory import (
    DIRECTORY,
    FILE,
    HARDLINK,
    OTHER,
    SYMLINK,
    Inventory,
    Item,
    LayerContents,
)
from envfreeze.oci.gzip import crc32
from envfreeze.oci.inflate import inflate
from envfreeze.oci.members import Type, members, rest
from envfreeze.oci.verified import open_blob

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from envfreeze.digest import Digest
    from envfreeze.locking.model import ImageLayer
    from envfreeze.oci.members import Content, Member
    from envfreeze.store.cache import Cache

_RULE = "image-layer-1"
"""Counted up when more of a layer matters."""

_TEXTS = re.compile(
    r"(?:etc|usr/lib)/os-release"
    r"|var/lib/dpkg/(?:status|available|arch|diversions|info/[^/]+\.list|status\.d/[^/]+"
    r"|alternatives/[^/]+|triggers/[^/]+)"
    r"|etc/(?:passwd|group|shells|ld\.so\.cache|ld\.so\.conf|ld\.so\.conf\.d/[^/]+)"
    r"|var/lib/shells\.state|var/lib/apt/extended_states"
    r"|.*/include/python3\.[0-9]+[a-z]*/patchlevel\.h"
)
"""The files whose content matters."""

_LARGEST_TEXT = 16 << 20
_LIBC = re.compile(r"(?:.*/)?libc(?:\.so\.6|-2\.[0-9]+\.so)")
_LARGEST_LIBC = 32 << 20
_BANNER = re.compile(rb"GNU C Library [^\n]{0,80}?version ([0-9]+\.[0-9]+)")
_KINDS = {
    Type.FILE: FILE,
    Type.DIRECTORY: DIRECTORY,
    Type.SYMLINK: SYMLINK,
    Type.HARDLINK: HARDLINK,
}


def read(
    layers: Sequence[ImageLayer],
    obtain: Callable[[Sequence[ImageLayer]], Mapping[Digest, Path]],
    cache: Cache,
    *,
    trusting: bool = True,
    told: Callable[[ImageLayer], LayerContents | None] = lambda _: None,
) -> Inventory:
    """Read an image's layers.

    Args:
        layers: lowest first.
        obtain: has the blobs of some layers on disk, and gives their files.
        cache: remembers what was found.
        trusting: what is remembered counts; else every layer is read.
        told: what somebody else says of a layer, which is believed and not remembered.

    Raises:
        UntrustedError: a layer is damaged, or its tar is not the one that the config names.

    """
    found = {layer: recall(cache, layer) if trusting else None for layer in dict.fromkeys(layers)}
    found |= {layer: told(layer) for layer, contents in found.items() if contents is None}
    missing = [layer for layer, contents in found.items() if contents is None]
    if missing:
        files = obtain(missing)
        with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
            fresh = list(pool.map(lambda layer: read_layer(layer, files[layer.digest]), missing))
        for layer, made in zip(missing, fresh, strict=True):
            _remember(cache, layer, made)
            found[layer] = made
    return Inventory.of([contents for layer in layers if (contents := found[layer]) is not None])


def read_layer(layer: ImageLayer, path: Path) -> LayerContents:
    """Read one layer from end to end.

    Raises:
        UntrustedError: as `read`.

    """
    what = f"layer {layer.digest} of the base"
    with open_blob(path, layer.digest, layer.size) as blob:
        return read_stream(blob, layer.media_type, layer.diff_id, what)


def read_stream(blob: BinaryIO, media_type: str, diff_id: Digest, what: str) -> LayerContents:
    """Read a layer's blob, wherever it comes from.

    Args:
        blob: the blob; reading it to its end checks it.
        media_type: of the blob.
        diff_id: of the tar inside.
        what: for errors.

    Raises:
        UntrustedError: it is damaged, or its tar is another one.

    """
    hashed = hashlib.sha256()
    items: list[tuple[str, Item]] = []
    texts: dict[str, bytes] = {}
    try:
        with inflate(blob, media_type) as stream:
            for member, content in members(stream, observe=hashed.update):
                if member.path:
                    items.append((_checked(member), _item(member, content, texts)))
            rest(stream, observe=hashed.update)
            while blob.read(1 << 20):  # what is behind the compressed stream is checked, too
                pass
    except UntrustedError as error:
        raise UntrustedError(
            f"{what}: {error.message}", hint=error.hint or "do not use this image as a base"
        ) from error
    if hashed.hexdigest() != diff_id.hex:
        raise UntrustedError(
            f"{what}: its tar is sha256:{hashed.hexdigest()}, the image's config says {diff_id}",
            hint="do not use this image as a base",
        )
    return LayerContents(tuple(items), texts)


def _checked(member: Member) -> str:
    if ".." in member.path.split("/"):
        raise UntrustedError(f"{member.written!r} leads out of the root")
    return member.path


def _item(member: Member, content: Content, texts: dict[str, bytes]) -> Item:
    kind = _KINDS.get(member.type, OTHER)
    shown = ""
    if kind == FILE:
        crc = 0
        kept = _kept(member)
        pieces: list[bytes] = []
        for chunk in content.chunks():
            crc = crc32(chunk, crc)
            if kept:
                pieces.append(chunk)
        shown = f"{crc:08x}-{member.size}" if member.size else "empty"
        if kept == "text":
            texts[member.path] = b"".join(pieces)
        elif kept and (banner := _BANNER.search(b"".join(pieces))):
            texts[member.path] = banner[1]
    return Item(kind, member.mode, member.uid, member.gid, member.link, shown)


def _kept(member: Member) -> str:
    if _TEXTS.fullmatch(member.path) and member.size <= _LARGEST_TEXT:
        return "text"
    return "libc" if _LIBC.fullmatch(member.path) and member.size <= _LARGEST_LIBC else ""


def key_of(layer: ImageLayer) -> str:
    """What the contents of a layer are known by: the layer, and how much of it matters."""
    return f"{_RULE} {_key(layer)}"


def _key(layer: ImageLayer) -> str:
    return f"{layer.digest} {layer.diff_id}"


def _remember(cache: Cache, layer: ImageLayer, found: LayerContents) -> None:
    cache.remember(_RULE, _key(layer), as_json(found))


def recall(cache: Cache, layer: ImageLayer) -> LayerContents | None:
    """What was found in a layer when it was read; None: it was not."""
    fact = cache.recall(_RULE, _key(layer))
    if fact is None:
        return None
    try:
        return of_json(fact)
    except ValueError:
        return None


def as_json(contents: LayerContents) -> dict[str, Any]:
    """The contents of a layer as JSON has them; a name that is not UTF-8 has surrogates in it."""
    return {
        "items": [[path, *item] for path, item in contents.items],
        "texts": {path: base64.b64encode(text).decode() for path, text in contents.texts.items()},
    }


def of_json(document: Mapping[str, Any]) -> LayerContents:
    """Read what `as_json` gives.

    Raises:
        ValueError: it is something else.

    """
    try:
        return LayerContents(
            tuple(_row(row) for row in document["items"]),
            {str(path): base64.b64decode(text) for path, text in document["texts"].items()},
        )
    except (KeyError, TypeError, AttributeError, binascii.Error) as error:
        raise ValueError("these are no contents of a layer") from error


def _row(row: Sequence[Any]) -> tuple[str, Item]:
    path, kind, mode, uid, gid, link, content = row
    texts = all(isinstance(part, str) for part in (path, kind, link, content))
    numbers = all(isinstance(part, int) and 0 <= part < 1 << 32 for part in (mode, uid, gid))
    if not texts or not numbers or path.startswith("/") or ".." in path.split("/"):
        raise ValueError("this is no path of a layer")
    return path, Item(kind, mode, uid, gid, link, content)
