"""The image that a build left here, by its digest."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from envfreeze.digest import Digest
from envfreeze.errors import MachineError, UntrustedError, UsageError
from envfreeze.oci.image import ImageIndex
from envfreeze.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envfreeze.oci.image import Image
    from envfreeze.progress import Progress

OUTPUT: Final = Path(".envfreeze") / "image"
"""Where `build` puts an image in the project's folder."""


def built(digest: Digest, root: Path, progress: Progress = SILENT) -> Image | ImageIndex:
    """The image of a digest that `build` left in the project's folder, or in that of its record.

    Args:
        digest: of an index, a manifest or a config.
        root: the project's folder.
        progress: is warned of damaged records.

    Raises:
        UsageError: no build left it, or another build replaced it.
        UntrustedError: it is damaged.
        MachineError: the records cannot be read.

    """
    here = root / OUTPUT
    found = named(here, digest)
    if found is not None:
        return found
    projects = _recorded(digest, root, progress)
    for folder in projects:
        found = named(folder / OUTPUT, digest)
        if found is not None:
            return found
    if not projects:
        raise UsageError(
            f"no record of {digest}, and {here} does not hold it",
            hint="name the layout, archive, engine or registry that has it",
        )
    raise UsageError(
        f"{digest} was built here, and is not in {projects[0] / OUTPUT} any more",
        hint="name a copy of it, or where it was pushed to: registry.example.org/team/train@" + str(digest),
    )


def _recorded(digest: Digest, root: Path, progress: Progress) -> Sequence[Path]:
    """The folders of the projects whose records name a digest."""
    from envfreeze.records.git import Repository  # noqa: PLC0415 - not needed otherwise
    from envfreeze.records.store import open_store  # noqa: PLC0415 - likewise

    repository = Repository.find(root)
    folders = [
        root if repository is None else repository.toplevel / record.source.project
        for record in open_store(root, progress=progress).find(digest)
    ]
    return tuple(dict.fromkeys(folders))


def named(folder: Path, digest: Digest) -> Image | ImageIndex | None:
    """The index, or the image by its manifest or config, that a layout holds; None where it does not."""
    from envfreeze.oci import layout  # noqa: PLC0415 - not for `--help`

    try:
        found = layout.read(folder)
    except (UsageError, MachineError):
        return None
    except UntrustedError:
        if (folder / "blobs" / "sha256" / digest.hex).exists():
            raise
        return None
    if found.digest == digest:
        return found
    images = found.images if isinstance(found, ImageIndex) else (found,)
    return next((one for one in images if digest in {one.digest, Digest.of(one.config)}), None)
