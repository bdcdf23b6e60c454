"""What a lock names, as SLSA wants to know it: one resource descriptor each, with its sha256.

https://github.com/in-toto/attestation (spec/v1/resource_descriptor.md). Nothing here is more than the lock
says; what stands in two targets is named once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from envfreeze.project.urls import without_credentials

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from envfreeze.digest import Digest
    from envfreeze.locking.model import AptBase, ImageBase, Lock, Target, Wheel


def of_lock(lock: Lock) -> list[Mapping[str, Any]]:
    """List what a lock names: bases, interpreters, OS packages, conda packages, wheels and their sources."""
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    for target in lock.targets:
        for one in _of_target(target):
            found.setdefault((one["name"], one["digest"]["sha256"]), one)
    return [found[key] for key in sorted(found)]


def _of_target(target: Target) -> Iterator[Mapping[str, Any]]:
    if target.image is not None:
        yield _base(target.image)
    yield from _debs(target.base)
    if target.standalone is not None:
        yield _material(target.standalone.filename, target.standalone.digest, target.standalone.urls[0])
    for package in target.conda:
        yield _material(package.filename, package.digest, package.url)
    for wheel in target.wheels:
        yield from _wheel(wheel)


def _base(base: ImageBase) -> Mapping[str, Any]:
    return _material(base.reference, base.manifest, f"docker://{base.places[0]}@{base.manifest}")


def _debs(base: AptBase) -> Iterator[Mapping[str, Any]]:
    roots = {archive.name: archive.locations for archive in base.archives}
    for index in base.indexes:
        name = f"{index.archive}/{index.suite}".rstrip("/")
        yield _material(f"index {name}", index.digest, None, {"date": index.date})
    for deb in base.packages:
        # The last place is the snapshot archive, which keeps what mirrors forget.
        places = roots.get(deb.archive, ())
        url = f"{places[-1].rstrip('/')}/{deb.filename}" if places else None
        yield _material(deb.filename.rpartition("/")[2], deb.digest, url)


def _wheel(wheel: Wheel) -> Iterator[Mapping[str, Any]]:
    source = wheel.source
    if source is None:
        yield _material(wheel.filename, wheel.digest, wheel.url)
        return
    notes = {"commit": source.commit} if source.commit else {}
    url = None if source.kind == "directory" else source.url
    yield _material(wheel.filename, wheel.digest, None)
    yield _material(f"source of {wheel.name} {wheel.version}", source.digest, url, notes)
    for required in source.requires:
        yield from _wheel(required)


def _material(
    name: str, digest: Digest, url: str | None, notes: Mapping[str, str] | None = None
) -> Mapping[str, Any]:
    """A descriptor; files of this machine have no address that means anything elsewhere."""
    uri = {} if url is None or url.startswith("file:") else {"uri": without_credentials(url)}
    annotations = {"annotations": dict(notes)} if notes else {}
    return {"name": name, "digest": {"sha256": digest.hex}, **uri, **annotations}
