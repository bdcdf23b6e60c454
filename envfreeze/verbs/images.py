"""The images that a user names: one rule for every place that an image can be in.

    sha256:<hex>                       built here: the records know it, the build's output folder has it
    oci:FOLDER[:NAME]                  an OCI layout
    oci-archive:FILE[:NAME]            an OCI archive
    docker-archive:FILE[:NAME]         what `docker save` writes
    docker-daemon:NAME                 in the store of Docker, or of Podman where there is no Docker
    containers-storage:NAME            in Podman's
    docker://REFERENCE                 in a registry

The prefixes are those of containers-transports(5), which skopeo and podman read. A bare path that is there,
with `:NAME` after it where it holds several, and a bare reference with a tag or a digest need none.
"""

from __future__ import annotations

import os
import re
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from envfreeze.digest import Digest
from envfreeze.errors import EnvfreezeError, UsageError
from envfreeze.oci import reference as references
from envfreeze.oci.image import UNKNOWN, ImageIndex
from envfreeze.oci.reference import Reference
from envfreeze.progress import SILENT
from envfreeze.verbs.built import built

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from envfreeze.oci.image import Image
    from envfreeze.oci.platform import Platform
    from envfreeze.progress import Progress
    from envfreeze.store.cache import Cache

FORMS: Final = (
    "sha256:<hex>                     an image that was built here",
    "FOLDER, oci:FOLDER[:NAME]        an OCI layout",
    "FILE, oci-archive:FILE[:NAME]    an OCI archive",
    "FILE, docker-archive:FILE        what docker save writes",
    "docker-daemon:NAME               an image in Docker or Podman",
    "NAME:TAG, docker://NAME          an image in a registry",
)
"""What may be written, a line each, for errors and help."""

_FILES: Final = ("oci", "oci-archive", "docker-archive")
_ENGINES: Final = {"docker-daemon": None, "containers-storage": "podman"}
_REGISTRY: Final = "docker://"
_HEX: Final = re.compile(r"[0-9a-fA-F]{64}")
"""A digest without its algorithm; a path may be as long."""


@dataclass(frozen=True, slots=True)
class Lying:
    """An image in a file or a folder; `kind` is None where its content says what it is."""

    path: Path
    name: str | None
    kind: str | None = None


@dataclass(frozen=True, slots=True)
class Stored:
    """An image in an engine's store; `only` is the engine that is meant."""

    name: str
    only: str | None


Place = Lying | Stored | Reference | Digest
"""Where an image is; a digest is that of an image that was built here."""


def parse(text: str) -> Place:
    """Read what a user writes for an image. Looks only whether files are there.

    Raises:
        UsageError: it names no image; the details are `FORMS`.

    """
    prefix, colon, rest = text.partition(":")
    if text.startswith(_REGISTRY):
        return _reference(text.removeprefix(_REGISTRY))
    if colon and prefix in _FILES:
        return _lying(rest, prefix) or Lying(Path(rest), None, prefix)
    if colon and prefix in _ENGINES:
        return Stored(rest, _ENGINES[prefix])
    if prefix == "sha256" or _HEX.fullmatch(text):
        try:
            return Digest.parse(text)
        except ValueError as error:
            raise UsageError(str(error), details=FORMS) from None
    found = _lying(text, None)
    if found is not None:
        # Also `image.tar:v1`: a name in the file that lies here, not one of a registry.
        return found
    if references.names_image(text):
        return _reference(text)
    raise _nonsense(text)


def repository_of(text: str) -> str | None:
    """The registry and repository that a user's image is in; None: it is in none.

    Raises:
        UsageError: it names no image.

    """
    place = parse(text)
    return place.name if isinstance(place, Reference) else None


def _lying(text: str, kind: str | None) -> Lying | None:
    """The longest path that is there, and the name behind it."""
    cuts = [len(text), *(index for index in range(len(text) - 1, 0, -1) if text[index] == ":")]
    for cut in cuts:
        # Unlike the method this also answers for what is too long to be a path.
        if os.path.exists(text[:cut]):  # noqa: PTH110
            return Lying(Path(text[:cut]), text[cut + 1 :] or None, kind)
    return None


def _reference(text: str) -> Reference:
    try:
        return Reference.parse(text)
    except ValueError as error:
        raise UsageError(str(error), hint="as in docker://registry.example.org/team/train:v1") from None


def _nonsense(text: str) -> UsageError:
    if "://" in text:
        what, hint = (
            f"{text} is not an image",
            "an image of a registry is written without http: docker://HOST/NAME:TAG",
        )
    elif text.startswith(("/", ".", "~")) or text.endswith(".tar"):
        what, hint = f"there is no {text}", ""
    else:
        what = f"{text!r} names no image: nothing of that name is here"
        hint = "an image of a registry is named with its tag or digest, or as docker://NAME"
    return UsageError(what, hint=hint, details=FORMS)


@contextmanager
def opened(
    text: str,
    *,
    root: Path,
    platform: Platform | None = None,
    cache: Cache | None = None,
    offline: bool = False,
    progress: Progress = SILENT,
) -> Iterator[Image | ImageIndex]:
    """Open the image that a user names. No layer is read before it is opened.

    Args:
        text: what was written; the module's docstring has the forms.
        root: the project's folder: its records and its mirrors of registries count.
        platform: of an index the image for it; None: the index.
        cache: where layers of registries and what engines write is put; None: the user's.
        offline: ask no registry.
        progress: is told what is fetched.

    Raises:
        UsageError: it names no image, or none for the platform.
        NetworkError: the registry does not give it.
        UntrustedError: it is damaged.
        MachineError: it cannot be read, or there is no engine.

    """
    place = parse(text)
    with ExitStack() as stack:
        match place:
            case Lying():
                found = _read(place)
            case Digest():
                found = built(place, root, progress)
            case Stored(name, only):
                scratch = stack.enter_context(_opened(cache).scratch())
                found = _saved(name, scratch, only)
            case Reference():
                if offline:
                    raise UsageError(
                        f"{text} is in a registry, and --offline asks nobody",
                        hint="leave --offline out, or name a copy that lies here",
                    )
                found = _pulled(place, stack, root, _opened(cache), progress)
        yield found if platform is None else chosen(found, platform, text)


def _opened(cache: Cache | None) -> Cache:
    from envfreeze.store.cache import Cache as Opened  # noqa: PLC0415 - not for what lies in a folder

    return cache or Opened.open()


def _saved(name: str, scratch: Path, only: str | None) -> Image | ImageIndex:
    from envfreeze.oci import docker_store  # noqa: PLC0415 - not needed otherwise

    return docker_store.read(name, scratch, only=only)


def _pulled(
    place: Reference, stack: ExitStack, root: Path, cache: Cache, progress: Progress
) -> Image | ImageIndex:
    from envfreeze.oci.registry import image as registry_image  # noqa: PLC0415 - heavy
    from envfreeze.oci.registry.connection import Registries  # noqa: PLC0415 - heavy

    registries = stack.enter_context(Registries(mirrors=_mirrors(root), progress=progress))
    return registry_image.read(place, registries=registries, cache=cache)


def _read(place: Lying) -> Image | ImageIndex:
    from envfreeze.oci import archive, docker_archive, layout, saved  # noqa: PLC0415 - not for `--help`

    match place.kind:
        case "oci":
            return layout.read(place.path, name=place.name)
        case "oci-archive":
            return archive.read(place.path, name=place.name)
        case "docker-archive":
            return docker_archive.read(place.path, name=place.name)
        case _:
            return saved.read_all(place.path, name=place.name)


def _mirrors(root: Path) -> Mapping[str, tuple[str, ...]]:
    """The project's mirrors of registries; none where there is no project that can be read."""
    from envfreeze.project.load import load  # noqa: PLC0415 - heavy

    try:
        return load(root).mirrors
    except EnvfreezeError:
        return {}


def images_of(found: Image | ImageIndex) -> tuple[Image, ...]:
    """The images, without what stands beside them in an index and is none: attestations."""
    images = found.images if isinstance(found, ImageIndex) else (found,)
    return tuple(image for image in images if image.platform != UNKNOWN) or images


def chosen(found: Image | ImageIndex, platform: Platform, text: str) -> Image:
    """The image for a platform.

    Raises:
        UsageError: there is none, or more than one.

    """
    images = images_of(found)
    fitting = {image.digest: image for image in images if image.platform == platform}
    if not fitting:
        held = ", ".join(sorted({str(image.platform) for image in images}))
        raise UsageError(f"{text} has no image for {platform}", hint=f"it has {held}")
    if len(fitting) > 1:
        raise UsageError(f"{text} has {len(fitting)} images for {platform}", hint="name one by its digest")
    return next(iter(fitting.values()))
