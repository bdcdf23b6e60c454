"""An image that lies on this machine, whatever wrote it: a layout, an archive of one, or `docker save`'s."""

from __future__ import annotations

import tarfile
from typing import TYPE_CHECKING

from envfreeze.errors import MachineError, UsageError
from envfreeze.oci import archive, docker_archive, layout
from envfreeze.oci.contents import MARKER
from envfreeze.oci.image import UNKNOWN, ImageIndex

if TYPE_CHECKING:
    from pathlib import Path

    from envfreeze.oci.image import Image
    from envfreeze.oci.platform import Platform


def is_image(path: Path) -> bool:
    """Whether an image is likely meant: a folder that says that it is a layout, or a file."""
    return path.is_file() or (path / MARKER).is_file()


def read(path: Path, platform: Platform) -> Image:
    """Read the image for a platform in place; its layers are checked when they are read.

    Args:
        path: an OCI layout's folder, an OCI archive, or what `docker save` wrote.
        platform: which image of an index is wanted.

    Raises:
        UsageError: there is no image, none for the platform, or more than one.
        UntrustedError: a document is missing, damaged or malformed.
        MachineError: it cannot be read.

    """
    found = read_all(path)
    images = found.images if isinstance(found, ImageIndex) else (found,)
    exact = [image for image in images if image.platform == platform]
    held = ", ".join(sorted({str(image.platform) for image in images if image.platform != UNKNOWN}))
    if not exact:
        raise UsageError(
            f"{path} holds no image for {platform}; it is for {held or 'no platform'}",
            hint=f"save the one for {platform}, or change [image] platform",
        )
    if len(exact) > 1:
        raise UsageError(f"{path} holds {len(exact)} images for {platform}", hint="save one of them alone")
    return exact[0]


def read_all(path: Path, *, name: str | None = None) -> Image | ImageIndex:
    """Read what lies at a path in place, with the images of all platforms.

    Args:
        path: an OCI layout's folder, an OCI archive, or what `docker save` wrote.
        name: of one image in it: its `org.opencontainers.image.ref.name`, or the tag that it was saved with.

    Raises:
        UsageError: there is no image, none of that name, or several in what `docker save` wrote.
        UntrustedError: a document is missing, damaged or malformed.
        MachineError: it cannot be read.

    """
    if path.is_dir():
        return layout.read(path, name=name)
    return archive.read(path, name=name) if _is_oci(path) else docker_archive.read(path, name=name)


def _is_oci(path: Path) -> bool:
    try:
        with tarfile.open(path, "r:") as tar:
            return any(member.name.removeprefix("./") == MARKER for member in tar)
    except tarfile.TarError:
        return False  # which its own reader says in better words
    except FileNotFoundError as error:
        raise UsageError(f"there is no {path}") from error
    except OSError as error:
        raise MachineError(f"cannot read {path}: {error.strerror}") from error
