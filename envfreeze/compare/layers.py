"""What differs between two layers: added, removed and changed paths, with their packages.

Both tars are read once, side by side. A path waits until the other side has it too, so for tars in one
order memory holds little more than what differs, and tars in different orders are compared all the same.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import zip_longest
from typing import TYPE_CHECKING

from envfreeze.compare.model import Finding
from envfreeze.compare.owners import Owners, read_by_owners
from envfreeze.digest import Digest
from envfreeze.errors import UntrustedError
from envfreeze.oci.inflate import inflate
from envfreeze.oci.members import Member, Type, members

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envfreeze.oci.image import Layer

_LARGEST_LISTING = 64 << 20
_CAUSES = (
    ("type", "file replaced by another kind"),
    ("content", "file content differs"),
    ("link", "link target differs"),
    ("device", "device differs"),
    ("xattrs", "extended attributes differ"),
    ("mode", "permissions differ"),
    ("owner", "owner differs"),
    ("mtime", "time differs"),
)


@dataclass(frozen=True, slots=True)
class _Path:
    """What is compared of one path."""

    member: Member
    content: Digest | None

    def aspects(self) -> dict[str, str]:
        member = self.member
        return {
            "type": member.type.value,
            "content": "" if self.content is None else f"{self.content} ({member.size} bytes)",
            "link": member.link,
            "device": "{}:{}".format(*member.device),
            "xattrs": ", ".join(f"{key}={value!r}" for key, value in member.xattrs),
            "mode": f"{member.mode:04o}",
            "owner": f"{member.uid}:{member.gid}",
            "mtime": f"{member.mtime:g}" if member.mtime % 1 else str(int(member.mtime)),
        }


@dataclass(slots=True)
class _Difference:
    removed: list[str] = field(default_factory=list)
    added: list[str] = field(default_factory=list)
    changed: list[tuple[str, _Path, _Path]] = field(default_factory=list)
    equal: int = 0


def compare_layers(name: str, reference: Layer, rebuilt: Layer) -> tuple[Finding, ...]:
    """Compare two layers whose diffIDs differ.

    Args:
        name: of the layer, for the findings.
        reference: the layer as it was.
        rebuilt: the layer as it is now.

    Returns:
        One finding that counts, then those about packages, then those about paths, sorted by path.

    Raises:
        UntrustedError: a layer is damaged or not a tar; the message names the layer.

    """
    old, new = Owners(), Owners()
    try:
        difference = _walk(reference, rebuilt, old, new)
    except UntrustedError as error:
        raise UntrustedError(f"layer {name}: {error.message}") from error
    return (
        _summary(name, difference),
        *_packages(name, old, new),
        *sorted(_paths(name, difference, old, new), key=lambda finding: finding.path or ""),
    )


def _walk(reference: Layer, rebuilt: Layer, old: Owners, new: Owners) -> _Difference:
    difference = _Difference()
    left: dict[str, _Path] = {}
    right: dict[str, _Path] = {}

    def meet(mine: dict[str, _Path], other: dict[str, _Path], found: _Path, *, is_old: bool) -> None:
        path = found.member.path
        match = other.pop(path, None)
        if match is None:
            mine[path] = found
            return
        before, after = (found, match) if is_old else (match, found)
        if before.aspects() == after.aspects():
            difference.equal += 1
        else:
            difference.changed.append((path, before, after))

    for before, after in zip_longest(_read(reference, old), _read(rebuilt, new)):
        if before is not None:
            meet(left, right, before, is_old=True)
        if after is not None:
            meet(right, left, after, is_old=False)
    difference.removed += left
    difference.added += right
    return difference


def _read(layer: Layer, owners: Owners) -> Iterator[_Path]:
    with inflate(layer.open(), layer.media_type) as stream:
        for member, content in members(stream):
            if member.type is not Type.FILE:
                yield _Path(member, None)
            elif read_by_owners(member.path) and (data := content.read(_LARGEST_LISTING)) is not None:
                owners.learn(member, data)
                yield _Path(member, Digest.of(data))
            else:
                yield _Path(member, content.digest())


def _summary(name: str, difference: _Difference) -> Finding:
    changed, added, removed = len(difference.changed), len(difference.added), len(difference.removed)
    if not changed + added + removed:
        return Finding(name, None, None, "same files, packed differently", "tar headers or order differ")
    total = changed + added + removed + difference.equal
    what = f"of {total} paths {changed} changed, {added} added, {removed} removed"
    return Finding(name, None, None, what, "layer content differs")


def _packages(name: str, old: Owners, new: Owners) -> Iterator[Finding]:
    for before, after, cause in (
        (old.debs, new.debs, "base package differs"),
        (old.conda, new.conda, "conda package differs"),
        (old.wheels, new.wheels, "Python package differs"),
    ):
        for package in sorted(before.keys() | after.keys()):
            was, now = before.get(package, "none"), after.get(package, "none")
            if was != now:
                yield Finding(name, package, None, f"version {was} -> {now}", cause)


def _paths(name: str, difference: _Difference, old: Owners, new: Owners) -> Iterator[Finding]:
    for path in difference.removed:
        yield Finding(name, old.of(path), path, "removed", "only in the reference")
    for path in difference.added:
        yield Finding(name, new.of(path), path, "added", "only in the rebuilt image")
    for path, before, after in difference.changed:
        was, now = before.aspects(), after.aspects()
        differing = [key for key in was if was[key] != now[key]]
        what = "; ".join(f"{key} {was[key] or 'none'} -> {now[key] or 'none'}" for key in differing)
        yield Finding(name, new.of(path) or old.of(path), path, what, _cause(path, differing))


def _cause(path: str, differing: list[str]) -> str:
    if "content" in differing and path.endswith(".pyc"):
        return "bytecode differs"
    return next(cause for key, cause in _CAUSES if key in differing)
