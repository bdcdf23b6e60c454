"""The outer shape of a conda package: one tar in bzip2, or a zip of two tars in zstd.

A `.tar.bz2` holds metadata (`info/`) and content in one tar. A `.conda` is a zip of stored members
(conda-package-handling, "conda file format"): `metadata.json` with the format's version, `info-*.tar.zst`
and `pkg-*.tar.zst`. Nothing here knows what the tars hold.
"""

from __future__ import annotations

import contextlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.digest import Digest
from envfreeze.errors import UntrustedError
from envfreeze.layers.inflate import inflate
from envfreeze.layers.spill import close, mapped, refused
from envfreeze.layers.wheel.archive import read_archive

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from envfreeze.layers.wheel.archive import Member

_CHUNK = 1 << 16
_VERSION = 2


@dataclass(frozen=True, slots=True)
class Packed:
    """A tar in a package, not inflated yet.

    Attributes:
        member: its name in messages.
        suffix: `.zst` or `.bz2`.
        size: bytes, compressed.
        chunks: gives its compressed bytes.
        package: the file's name, for messages.

    """

    member: str
    suffix: str
    size: int
    chunks: Callable[[], Iterator[bytes]]
    package: str

    def pieces(self, most: int | None = None) -> Iterator[bytes]:
        """Inflate it piece by piece; `most` bytes where what it may hold is known.

        Raises:
            UntrustedError: it is damaged, ends early or grows beyond its limit.

        """
        return inflate(
            self.chunks(),
            self.suffix,
            package=self.package,
            member=self.member,
            compressed=self.size,
            most=most,
        )


@dataclass(frozen=True, slots=True)
class Outer:
    """A package taken apart as far as its tars.

    Attributes:
        info: the tar that holds `info/`.
        content: the tar of all else; None where it is `info`.

    """

    info: Packed
    content: Packed | None


@contextlib.contextmanager
def take_apart(path: Path, filename: str, digest: Digest | None) -> Iterator[Outer]:
    """Find the tars of a package.

    Args:
        path: the file.
        filename: its name in the channel, whose ending says what it is.
        digest: sha256 that the file must have; None: it is known to be right.

    Raises:
        UntrustedError: it is not the file that was locked, or no conda package.
        MachineError: it cannot be read.

    """
    with contextlib.ExitStack() as stack:
        try:
            if filename.endswith(".conda"):
                members = read_archive(path, digest or _UNCHECKED, checked=digest is None)
                outer = _zipped(members, filename)
            elif filename.endswith(".tar.bz2"):
                file = stack.enter_context(path.open("rb"))
                raw = mapped(file, filename)
                stack.callback(close, raw)
                _check(raw, digest)
                outer = Outer(_whole(memoryview(raw), filename), None)
            else:
                raise UntrustedError("is no conda package: its name ends in neither .conda nor .tar.bz2")
        except OSError as problem:
            refused(problem, path)
        yield outer


_UNCHECKED = Digest("0" * 64)


def _check(raw: object, digest: Digest | None) -> None:
    with memoryview(raw) as view:  # type: ignore[arg-type] # an mmap has a buffer
        if digest is not None and (got := Digest.of(view)) != digest:
            raise UntrustedError(
                f"its sha256 is {got.hex}, the lock has {digest.hex}",
                hint="remove it from the cache with: envfreeze cache verify",
            )


def _whole(view: memoryview, filename: str) -> Packed:
    def chunks() -> Iterator[bytes]:
        for start in range(0, len(view), _CHUNK):
            yield bytes(view[start : start + _CHUNK])

    return Packed("its tar", ".bz2", len(view), chunks, filename)


def _zipped(members: list[Member], filename: str) -> Outer:
    found: dict[str, Member] = {}
    for member in members:
        key = "metadata" if member.name == "metadata.json" else member.name.partition("-")[0]
        if key != "metadata" and not (key in {"info", "pkg"} and member.name.endswith(".tar.zst")):
            raise UntrustedError(f"its member {member.name!r} is none of a .conda")
        if key in found:
            raise UntrustedError(f"it holds {found[key].name!r} and {member.name!r}")
        found[key] = member
    missing = sorted({"metadata", "info", "pkg"} - found.keys())
    if missing:
        raise UntrustedError(f"it lacks {', '.join(missing)}: a .conda has metadata.json, info-* and pkg-*")
    try:
        version = json.loads(found["metadata"].read())["conda_pkg_format_version"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise UntrustedError("its metadata.json does not say which format it has") from error
    if version != _VERSION:
        raise UntrustedError(f"it is a .conda of format {version}; known is {_VERSION}")
    info, content = (
        Packed(found[key].name, ".zst", found[key].content.size, found[key].pieces, filename)
        for key in ("info", "pkg")
    )
    return Outer(info, content)
