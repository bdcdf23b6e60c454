"""`base mirror`: the locked base into a registry of one's own, and both places into the lock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.errors import NetworkError, UsageError
from envfreeze.locking import files
from envfreeze.oci import reference as names
from envfreeze.oci.image import ImageIndex
from envfreeze.oci.manifest import index_json
from envfreeze.progress import SILENT
from envfreeze.replacing import replace
from envfreeze.store.cache import Cache

if TYPE_CHECKING:
    from pathlib import Path

    from envfreeze.locking.model import ImageBase, Lock
    from envfreeze.oci.image import Image
    from envfreeze.oci.platform import Platform
    from envfreeze.oci.reference import Reference
    from envfreeze.oci.registry.connection import Registries
    from envfreeze.oci.registry.push import Pushed
    from envfreeze.progress import Progress


@dataclass(frozen=True, slots=True)
class MirrorOutcome:
    """What `mirror` did.

    Attributes:
        base: the base as the project writes it.
        pushed: what went where.
        places: repositories that the lock names for the base now, the first to ask first.
        written: the lock's files that changed.

    """

    base: str
    pushed: Pushed
    places: tuple[str, ...]
    written: tuple[Path, ...]


def mirror(
    root: Path, reference: str, *, cache: Cache | None = None, progress: Progress = SILENT
) -> MirrorOutcome:
    """Copy the locked base into another repository, and name that in the lock before where it came from.

    Of a base for several platforms the locked ones are copied. The copies have the locked digests, so no
    image changes.

    Args:
        root: the project's folder, with a lock.
        reference: where to; without a tag it gets the base's own.
        cache: None: the user's.
        progress: told what happens.

    Raises:
        UsageError: there is no lock, its base is no image, or it is no reference.
        NetworkError: the base cannot be had any more, or the registry does not take it.
        UntrustedError: what came, or is in the registry in the end, is not what was locked.

    """
    from envfreeze.oci.registry.connection import Registries  # noqa: PLC0415 - heavy
    from envfreeze.oci.registry.push import parse, push  # noqa: PLC0415 - heavy

    lock = files.read(root)
    bases = {target.platform: target.image for target in lock.targets if target.image is not None}
    if not bases:
        raise UsageError(
            "the lock's base is no image of a registry",
            hint="bases of packages come from an archive: [image] mirror names another one",
        )
    first = next(iter(bases.values()))
    where = parse(reference)
    if not names.is_tagged(reference.partition("@")[0]) and where.digest is None:
        where = replace(where, tag=_tag(first))
    cache = cache or Cache.open()
    with Registries(progress=progress) as registries:
        images = tuple(_locked(base, platform, registries, cache) for platform, base in bases.items())
        whole = images[0] if len(images) == 1 else ImageIndex(index_json(images), images)
        pushed = push(
            whole, where, registries=registries, cache=cache, origins=first.places, progress=progress
        )
    return MirrorOutcome(
        base=first.reference,
        pushed=pushed,
        places=_places(first, where),
        written=files.write(_moved(lock, where), root),
    )


def _tag(base: ImageBase) -> str:
    """The tag that a copy gets where none is named: registries throw away what has none."""
    return names.Reference.parse(base.reference).tag or f"locked-{base.manifest.hex[:12]}"


def _locked(base: ImageBase, platform: Platform, registries: Registries, cache: Cache) -> Image:
    """The very image that is locked, from the first place that still has it."""
    from envfreeze.oci.registry import resolve  # noqa: PLC0415 - heavy

    for place in base.places:
        try:
            return resolve(f"{place}@{base.manifest}", platform, registries=registries, cache=cache).image
        except NetworkError:
            if place == base.places[-1]:
                raise
    raise UsageError(f"the lock names no place of {base.reference}", hint="run `envfreeze lock --upgrade`")


def _places(base: ImageBase, where: Reference) -> tuple[str, ...]:
    return tuple(dict.fromkeys((where.name, *base.places)))


def _moved(lock: Lock, where: Reference) -> Lock:
    return replace(
        lock,
        targets=tuple(
            target
            if target.image is None
            else replace(target, image=replace(target.image, places=_places(target.image, where)))
            for target in lock.targets
        ),
    )
