"""The bill of an image, whoever made it: what dpkg, conda and Python's own metadata in it say is installed.

Layers are streamed once; only the files that tell about packages are written to a temporary folder. A Python
package that dpkg or conda installed is theirs and listed once.
"""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from envfreeze.errors import MachineError
from envfreeze.oci import canonical, merged
from envfreeze.oci.manifest import CREATED
from envfreeze.progress import SILENT
from envfreeze.records.sbom import installed_conda, installed_debs, installed_python
from envfreeze.records.sbom.model import Bill

if TYPE_CHECKING:
    from envfreeze.oci.image import Image
    from envfreeze.oci.merged import Merged
    from envfreeze.progress import Progress
    from envfreeze.records.sbom.model import Package

_WANTED = re.compile(
    rf"(?:{installed_debs.WANTED})|(?:{installed_conda.WANTED})|(?:{installed_python.WANTED})"
    r"|(?:etc|usr/lib)/os-release"
)
_OTHERS = re.compile(r"lib/apk/db/installed|(?:usr/lib|var/lib)/(?:sysimage/)?rpm/(?:Packages|rpmdb\.sqlite)")
"""Databases of packages that are not read."""

_MOMENT = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.\d+)?Z")


def bill(image: Image, *, name: str, progress: Progress = SILENT) -> Bill:
    """Tell what is installed in an image.

    Args:
        image: the image.
        name: what to call it.
        progress: is told how far it is, and warned of what is not read.

    Raises:
        UntrustedError: a layer is damaged, or what it says of its packages is.
        NetworkError: a registry does not give a layer.
        MachineError: there is no room for the files that tell about packages.

    """
    total = sum(layer.size for layer in image.layers)
    task = progress.task(f"reading the packages of {name}", total)
    try:
        with tempfile.TemporaryDirectory(prefix="envfreeze-sbom-") as temporary:
            found = merged.extract(
                image,
                lambda path: _WANTED.fullmatch(path) is not None,
                Path(temporary).resolve(),
                named=lambda path: _OTHERS.fullmatch(path) is not None,
                seen=task.advance,
            )
            packages = _packages(found, progress)
    except OSError as error:
        raise MachineError(
            f"no room to read the packages of {name} in {tempfile.gettempdir()}: {error.strerror}",
            hint="set TMPDIR to a folder that can be written",
        ) from error
    finally:
        task.finish()
    return Bill(
        name=name,
        subject=image.digest,
        is_image=True,
        platform=image.platform,
        at=_created(image),
        packages=packages,
    )


def _packages(found: Merged, progress: Progress) -> tuple[Package, ...]:
    for path in sorted(found.root.rglob("*")):
        if path.is_file() and _OTHERS.fullmatch(path.relative_to(found.root).as_posix()):
            progress.warn(
                f"{path.relative_to(found.root)} is there, and what it lists is not in the bill: packages of "
                "dpkg, conda and Python are"
            )
    debs = installed_debs.read(found)
    conda = installed_conda.read(found)
    owned = installed_debs.owned(found) | installed_conda.owned(found)
    python = installed_python.read(found, owned)
    listed = {package.key: package for package in (*python, *conda, *debs)}
    return tuple(listed[key] for key in sorted(listed))


def _created(image: Image) -> str:
    """When the image says that it was made."""
    stated = canonical.parse(image.config, "config").get("created")
    match = _MOMENT.fullmatch(stated) if isinstance(stated, str) else None
    return CREATED if match is None else f"{match[1]}Z"
