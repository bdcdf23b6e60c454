"""`sbom`: the bill of materials of a lock or of any image, and attaching it to an image in a registry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.digest import Digest
from envfreeze.errors import UsageError
from envfreeze.locking import files, lockfile
from envfreeze.oci import canonical
from envfreeze.progress import SILENT
from envfreeze.records.sbom import cyclonedx, of_image, of_lock, spdx
from envfreeze.records.sbom.joined import joined
from envfreeze.replacing import replace
from envfreeze.verbs import images

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from envfreeze.locking.model import Target
    from envfreeze.oci.image import Image
    from envfreeze.oci.platform import Platform
    from envfreeze.oci.reference import Reference
    from envfreeze.oci.registry.connection import Registries
    from envfreeze.progress import Progress
    from envfreeze.records.sbom.model import Bill
    from envfreeze.records.trust.signing import Who
    from envfreeze.store.cache import Cache

FORMATS = {"cyclonedx": cyclonedx, "spdx": spdx}
"""What writes each format."""

_MEDIA_TYPES = {"cyclonedx": cyclonedx.MEDIA_TYPE, "spdx": spdx.MEDIA_TYPE}


@dataclass(frozen=True, slots=True)
class Sbom:
    """A bill of materials, written.

    Attributes:
        bill: what it says.
        form: `cyclonedx` or `spdx`.
        document: its bytes.

    """

    bill: Bill
    form: str
    document: bytes

    @property
    def media_type(self) -> str:
        """Of the document; also the artifact type that it is attached as."""
        return _MEDIA_TYPES[self.form]


def sbom(
    root: Path,
    image: str | None = None,
    *,
    form: str = "cyclonedx",
    lock: Path | None = None,
    platform: Platform | None = None,
    offline: bool = False,
    cache: Cache | None = None,
    progress: Progress = SILENT,
) -> Sbom:
    """Write the bill of materials of a lock or of an image.

    Args:
        root: the project's folder.
        image: any image, as `images.parse` reads it; None: the lock alone.
        form: `cyclonedx` or `spdx`.
        lock: `envfreeze.lock` or its folder; None: without an image the project's. With an image it adds what
            only a lock knows: archives with their hashes, and who needs whom.
        platform: of several the one that is meant.
        offline: ask no registry.
        cache: None: the user's.
        progress: told what is read.

    Raises:
        UsageError: there is no lock or no such image, or it is for several platforms.
        UntrustedError: the lock or the image is damaged.
        NetworkError: a registry does not give the image.
        MachineError: there is no room to read it.

    """
    if form not in FORMATS:
        raise UsageError(f"{form!r} is no format", hint=f"one of: {', '.join(FORMATS)}")
    if image is None:
        bill = _of_lock(root, lock, platform)
    else:
        with images.opened(image, root=root, cache=cache, offline=offline, progress=progress) as found:
            one = _one(images.images_of(found), platform, image)
            bill = of_image.bill(one, name=_name(image), progress=progress)
        if lock is not None:
            bill = joined(bill, _of_lock(root, lock, bill.platform))
    return Sbom(bill, form, FORMATS[form].write(bill))


def check(form: str | None, push: str | None) -> None:
    """Hold a build's wish for a bill against what can be done, before anything is built.

    Raises:
        UsageError: it is no format, or there is no image in a registry to attach it to.

    """
    if form is None:
        return
    if form not in FORMATS:
        raise UsageError(f"{form!r} is no format", hint=f"one of: {', '.join(FORMATS)}")
    if push is None:
        raise UsageError(
            "--sbom attaches the bill to the image that is pushed, and nothing is",
            hint="add --push REF, or write the bill of what was built: envfreeze sbom oci:.envfreeze/image",
        )


def leave(
    form: str | None,
    made: Iterable[Image],
    root: Path,
    where: Reference | None,
    *,
    who: Who | None = None,
    cache: Cache | None = None,
    progress: Progress = SILENT,
) -> None:
    """Attach the bills of images that were just built and pushed, one to each.

    Args:
        form: `cyclonedx` or `spdx`; None: none is wanted.
        made: the images.
        root: the project's folder, with their lock.
        where: they were pushed to; None: nowhere.
        who: signs the bills; None: nobody does.
        cache: keeps others on this machine from changing the same list at the same moment.
        progress: told what is read and sent.

    Raises:
        NetworkError: the registry does not take them.
        UntrustedError: an image is damaged.
        MachineError: there is no room to read it.

    """
    if form is None or where is None:
        return
    from envfreeze.oci.registry.connection import Registries  # noqa: PLC0415 - heavy

    with Registries(progress=progress) as registries:
        for one in made:
            image = of_image.bill(one, name=where.name, progress=progress)
            bill = joined(image, _of_lock(root, None, one.platform))
            written = Sbom(bill, form, FORMATS[form].write(bill))
            attach_to(written, where.at(one.digest), registries, who=who, cache=cache, progress=progress)


def attach(
    made: Sbom,
    reference: str,
    *,
    who: Who | None = None,
    cache: Cache | None = None,
    progress: Progress = SILENT,
) -> Digest:
    """Attach a bill to the image that it is about, in a registry; attaching the same again changes nothing.

    Args:
        made: the bill.
        reference: of the image; of several platforms the one that the bill is for gets it.
        who: signs the bill; None: nobody does.
        cache: keeps others on this machine from changing the same list at the same moment.
        progress: told what is sent.

    Returns:
        The digest of the manifest that was attached.

    Raises:
        UsageError: it is no reference, or has no image for the platform.
        NetworkError: the registry does not have the image, or does not take the bill.
        UntrustedError: the bill is of another image, or too large to be attached.

    """
    from envfreeze.oci.registry.connection import Registries  # noqa: PLC0415 - heavy
    from envfreeze.oci.registry.image import resolve  # noqa: PLC0415 - heavy
    from envfreeze.oci.registry.push import parse  # noqa: PLC0415 - heavy

    where = parse(reference)
    with Registries(progress=progress) as registries:
        pulled = resolve(str(where), made.bill.platform, registries=registries, cache=cache).image
        if made.bill.is_image and made.bill.subject != pulled.digest:
            raise UsageError(
                f"the bill is of {made.bill.subject}, and {where} is {pulled.digest}",
                hint=f"envfreeze sbom {where} --attach {where}",
            )
        at = where.at(pulled.digest)
        return attach_to(made, at, registries, who=who, cache=cache, progress=progress)


def attach_to(
    made: Sbom,
    where: Reference,
    registries: Registries,
    *,
    who: Who | None = None,
    cache: Cache | None = None,
    progress: Progress = SILENT,
) -> Digest:
    """Attach a bill to the image of a digest, and what is signed of it; as `attach`."""
    from envfreeze.oci.registry import referrers  # noqa: PLC0415 - heavy
    from envfreeze.records.trust import attached, signing  # noqa: PLC0415 - heavy
    from envfreeze.records.trust import bills as signed_bills  # noqa: PLC0415 - heavy

    if len(made.document) > canonical.LIMIT:
        raise UsageError(
            f"the bill has {len(made.document)} bytes, and registries take {canonical.LIMIT} beside an image",
            hint="write it to a file: --output",
        )
    signed = None
    if who is not None and where.digest is not None:
        payload = signed_bills.of_image(made.document, made.form, where.digest)
        there = attached.found(where, registries=registries)
        signed = signing.signed_before(payload, who, there, progress) or signing.sign(payload, who, progress)
    own = referrers.attach(
        where,
        [referrers.Part(made.media_type, made.document)],
        artifact_type=made.media_type,
        registries=registries,
        cache=cache,
        progress=progress,
    )
    if signed is not None and where.digest is not None:
        attached.put(
            where,
            [where.digest],
            signed,
            (),
            predicate=signed_bills.PREDICATES[made.form],
            registries=registries,
            cache=cache,
            progress=progress,
        )
    return own


def _of_lock(root: Path, lock: Path | None, platform: Platform | None) -> Bill:
    folder = root if lock is None else lock if lock.is_dir() else lock.parent
    if lock is not None and not lock.is_dir() and lock.name != lockfile.NAME:
        raise UsageError(f"{lock} is no {lockfile.NAME}", hint=f"--lock {lock.parent / lockfile.NAME}")
    contents = files.read_bytes(folder)
    read = files.parse(contents, folder)
    target = _target(read.targets, platform)
    # A wheel in a folder of this machine has no address that others could use.
    bill = of_lock.bill(read, target, name=folder.resolve().name, digest=Digest.of(contents[lockfile.NAME]))
    return replace(bill, name=bill.name or "project")


def _target(targets: tuple[Target, ...], platform: Platform | None) -> Target:
    fitting = [target for target in targets if platform in {None, target.platform}]
    if len(fitting) != 1:
        there = ", ".join(str(target.platform) for target in targets)
        raise UsageError(
            f"the lock is for {there}" + ("" if platform is None else f", not for {platform}"),
            hint=f"--platform {targets[0].platform}",
        )
    return fitting[0]


def _one(found: tuple[Image, ...], platform: Platform | None, text: str) -> Image:
    fitting = [image for image in found if platform in {None, image.platform}]
    if len(fitting) != 1:
        there = ", ".join(str(image.platform) for image in found)
        raise UsageError(
            f"{text} is for {there}" + ("" if platform is None else f", not for {platform}"),
            hint=f"--platform {found[0].platform}",
        )
    return fitting[0]


def _name(text: str) -> str:
    """The image's name without where it lies on this machine."""
    place = images.parse(text)
    if isinstance(place, Digest):
        return str(place)
    if isinstance(place, images.Lying):
        return place.name or place.path.name
    return place.name if isinstance(place, images.Stored) else str(place)
