"""The packages in an image that somebody made: read from the names in its layers, whoever built it.

Python packages are known by their `*.dist-info` folder (the packaging specification "Recording installed
projects"), conda packages by the name of their file in `conda-meta`.
"""

from __future__ import annotations

import re
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from envfreeze.errors import MachineError
from envfreeze.gpu.model import Base, Package, printable
from envfreeze.oci import canonical, merged
from envfreeze.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from envfreeze.oci.image import Image
    from envfreeze.progress import Progress

# Not the copies that some packages carry of others, as in setuptools/_vendor.
_DIST_INFO = re.compile(
    r"(?:.*/)?(?:site|dist)-packages/(?P<name>[^/]+)-(?P<version>[^/-]+)\.dist-info/(?P<file>METADATA|INSTALLER)"
)
_CONDA_META = re.compile(r"(?:.*/)?conda-meta/(?P<name>[^/]+)-(?P<version>[^/-]+)-(?P<build>[^/-]+)\.json")
_COMPAT = re.compile(r"usr/local/cuda-(?P<major>[0-9]+)\.(?P<minor>[0-9]+)/compat/libcuda\.so\..*")
BASE_NAME = "org.opencontainers.image.base.name"
"""The label that names an image's base (image-spec, annotations.md)."""


@dataclass(frozen=True, slots=True)
class ImagePackages:
    """What an image brings.

    Attributes:
        packages: pip's, then conda's, each sorted by name.
        env: the environment of its config.
        labels: its labels.
        compat: NVIDIA's forward compatibility package in it, `cuda-compat-12-4`; empty: none.

    """

    packages: tuple[Package, ...]
    env: Mapping[str, str]
    labels: Mapping[str, str]
    compat: str

    def base(self, reference: str) -> Base:
        """The image as the rules see a base: its environment is all that a runtime looks at."""
        return Base.read(self.labels.get(BASE_NAME, reference), self.env)


def read(image: Image, progress: Progress = SILENT) -> ImagePackages:
    """Go through an image.

    Args:
        image: all of its layers are read.
        progress: is told of the compressed bytes.

    Raises:
        UntrustedError: a config or a layer is damaged.
        MachineError: a file cannot be read, or the names of the packages cannot be written down.

    """
    config = canonical.parse(image.config, "the image's config").get("config")
    config = config if isinstance(config, dict) else {}
    task = progress.task("looking into the image", sum(layer.size for layer in image.layers))
    try:
        with tempfile.TemporaryDirectory(prefix="envfreeze-image-") as folder:
            root = merged.extract(
                image,
                _matches(_DIST_INFO),
                Path(folder),
                named=_matches(_CONDA_META, _COMPAT),
                seen=task.advance,
            ).root
            paths = [path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()]
            packages, compat = _packages(paths, root), _compat(paths)
    except OSError as error:
        raise MachineError(
            f"no room to look into the image in {tempfile.gettempdir()}: {error.strerror}",
            hint="set TMPDIR to a folder that can be written",
        ) from error
    finally:
        task.finish()
    return ImagePackages(packages, _env(config.get("Env")), _texts(config.get("Labels")), compat)


def _packages(paths: Collection[str], root: Path) -> tuple[Package, ...]:
    """The packages whose files are at these paths of an image, below `root`."""
    from packaging.utils import canonicalize_name  # noqa: PLC0415 - heavy

    found: dict[tuple[str, str, str, str], Package] = {}
    for path in paths:
        if (match := _DIST_INFO.fullmatch(path)) and match["file"] == "METADATA":
            installer = root / path.replace("/METADATA", "/INSTALLER")
            # What conda installed is named by conda: on two sides it would be counted twice.
            if not installer.is_file() or installer.read_bytes().strip() != b"conda":
                package = Package(canonicalize_name(printable(match["name"])), printable(match["version"]))
                found["pip", package.name, package.version, ""] = package
        elif match := _CONDA_META.fullmatch(path):
            name, version, build = (printable(match[part]) for part in ("name", "version", "build"))
            package = Package(name, version, "conda", build)
            found["conda", package.name, package.version, package.build] = package
    return tuple(found[key] for key in sorted(found, key=lambda key: (key[0] != "pip", *key)))


def _compat(paths: Collection[str]) -> str:
    matches = [match for path in paths if (match := _COMPAT.fullmatch(path))]
    newest = max(matches, key=lambda match: (int(match["major"]), int(match["minor"])), default=None)
    return "" if newest is None else f"cuda-compat-{newest['major']}-{newest['minor']}"


def _matches(*patterns: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda path: any(pattern.fullmatch(path) for pattern in patterns)


def _env(listed: object) -> dict[str, str]:
    texts = [text for text in listed if isinstance(text, str)] if isinstance(listed, list) else []
    return dict(printable(text).partition("=")[::2] for text in texts)


def _texts(table: object) -> dict[str, str]:
    if not isinstance(table, dict):
        return {}
    return {
        printable(key): printable(value)
        for key, value in table.items()
        if isinstance(key, str) and isinstance(value, str)
    }
