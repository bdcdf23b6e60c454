"""The packages in an image that somebody made: read from the names in its layers, whoever built it.

Python packages are known by their `*.dist-info` folder (the packaging specification "Recording installed
projects"), conda packages by the name of their file in `conda-meta`. Layers are gone through as a runtime
lays them over each other: a whiteout removes what lower layers brought (image-spec, layer.md).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from envfreeze.errors import UntrustedError
from envfreeze.gpu.model import Base, Package
from envfreeze.oci import canonical
from envfreeze.oci.inflate import inflate
from envfreeze.oci.members import Type, members
from envfreeze.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from envfreeze.oci.image import Image, Layer
    from envfreeze.oci.members import Content, Member
    from envfreeze.progress import Progress

# Not the copies that some packages carry of others, as in setuptools/_vendor.
_DIST_INFO = re.compile(
    r"(?:.*/)?(?:site|dist)-packages/(?P<name>[^/]+)-(?P<version>[^/-]+)\.dist-info/(?P<file>METADATA|INSTALLER)"
)
_CONDA_META = re.compile(r"(?:.*/)?conda-meta/(?P<name>[^/]+)-(?P<version>[^/-]+)-(?P<build>[^/-]+)\.json")
_COMPAT = re.compile(r"usr/local/cuda-(?P<major>[0-9]+)\.(?P<minor>[0-9]+)/compat/libcuda\.so\..*")
_WHITEOUT = ".wh."
_OPAQUE = ".wh..wh..opq"
BASE_NAME = "org.opencontainers.image.base.name"
"""The label that names an image's base (image-spec, annotations.md)."""

_INSTALLER = 64


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
        return Base(self.labels.get(BASE_NAME, reference), self.env)


def read(image: Image, progress: Progress = SILENT) -> ImagePackages:
    """Go through an image.

    Args:
        image: all of its layers are read.
        progress: is told of the compressed bytes.

    Raises:
        UntrustedError: a config or a layer is damaged.
        MachineError: a file cannot be read.

    """
    config = canonical.parse(image.config, "the image's config").get("config")
    config = config if isinstance(config, dict) else {}
    found = _Found()
    task = progress.task("looking into the image", sum(layer.size for layer in image.layers))
    try:
        for layer in image.layers:
            _read_layer(layer, found)
            task.advance(layer.size)
    finally:
        task.finish()
    return ImagePackages(
        packages=found.packages(),
        env=_env(config.get("Env")),
        labels=_texts(config.get("Labels")),
        compat=found.compat(),
    )


@dataclass(slots=True)
class _Found:
    """What the layers so far have, by path: `below` of lower layers, `here` of this one."""

    below: dict[str, Package | str] = field(default_factory=dict)
    here: dict[str, Package | str] = field(default_factory=dict)

    def take(self, member: Member, content: Content) -> None:
        path = member.path
        folder, _, name = path.rpartition("/")
        if name == _OPAQUE:
            self._hide(folder + "/" if folder else "")
        elif name.startswith(_WHITEOUT):
            hidden = f"{folder}/{name.removeprefix(_WHITEOUT)}".removeprefix("/")
            self.below.pop(hidden, None)
            self._hide(hidden + "/")
        elif member.type in {Type.FILE, Type.HARDLINK, Type.SYMLINK}:
            self._add(path, content)

    def settle(self) -> None:
        """The layer is over."""
        self.below |= self.here
        self.here = {}

    def packages(self) -> tuple[Package, ...]:
        of_conda = {
            path.rpartition("/")[0] for path, value in self.below.items() if isinstance(value, str) and value
        }
        packages = {
            (value.side, value.name, value.version, value.build): value
            for path, value in self.below.items()
            if isinstance(value, Package) and path.rpartition("/")[0] not in of_conda
        }
        return tuple(packages[key] for key in sorted(packages, key=lambda key: (key[0] != "pip", *key)))

    def compat(self) -> str:
        matches = [match for path in self.below if (match := _COMPAT.fullmatch(path))]
        newest = max(matches, key=lambda match: (int(match["major"]), int(match["minor"])), default=None)
        return "" if newest is None else f"cuda-compat-{newest['major']}-{newest['minor']}"

    def _add(self, path: str, content: Content) -> None:
        from packaging.utils import canonicalize_name  # noqa: PLC0415 - heavy

        if match := _DIST_INFO.fullmatch(path):
            if match["file"] == "METADATA":
                self.here[path] = Package(canonicalize_name(match["name"]), match["version"])
            elif (content.read(_INSTALLER) or b"").strip() == b"conda":
                self.here[path] = "conda"  # one package on two sides would be counted twice
        elif match := _CONDA_META.fullmatch(path):
            self.here[path] = Package(match["name"], match["version"], "conda", match["build"])
        elif _COMPAT.fullmatch(path):
            self.here[path] = ""

    def _hide(self, prefix: str) -> None:
        for path in [path for path in self.below if path.startswith(prefix)]:
            del self.below[path]


def _read_layer(layer: Layer, found: _Found) -> None:
    try:
        with inflate(layer.open(), layer.media_type) as tar:
            for member, content in members(tar):
                found.take(member, content)
    except UntrustedError as error:
        raise UntrustedError(f"layer {layer.digest}: {error.message}", hint=error.hint) from error
    found.settle()


def _env(listed: object) -> dict[str, str]:
    texts = [text for text in listed if isinstance(text, str)] if isinstance(listed, list) else []
    return dict(text.partition("=")[::2] for text in texts)


def _texts(table: object) -> dict[str, str]:
    if not isinstance(table, dict):
        return {}
    return {key: value for key, value in table.items() if isinstance(key, str) and isinstance(value, str)}
