"""The Pythons of an image, and which of them an environment is to use."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.errors import EnvfreezeError
from envfreeze.locking.apt.resolution import python_version
from envfreeze.locking.image import dpkg
from envfreeze.locking.standalone.choice import meets

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from envfreeze.locking.image.inventory import Inventory
    from envfreeze.project.model import Project

_FOLDERS = ("/usr/local/bin", "/usr/bin", "/opt/conda/bin")
"""Where Pythons are: the official python images', the distribution's, and the one of conda's images."""

DISTRIBUTION = "/usr/bin/"
"""Where the distribution's own Pythons are."""

_INTERPRETER = re.compile(r"python(3\.[0-9]+)")
_PATCHLEVEL = re.compile(rb'#define\s+PY_VERSION\s+"([0-9][0-9A-Za-z.]*)"')
_CONDA = re.compile(r"python-(3\.[0-9]+\.[0-9]+)-[^/]+\.json")
_RELEASE = re.compile(r"3\.[0-9]+\.[0-9]+(?:(?:a|b|rc)[0-9]+)?")


@dataclass(frozen=True, slots=True)
class Interpreter:
    """A Python of an image.

    Attributes:
        path: absolute: `/usr/local/bin/python3.13`.
        version: exact: `3.13.5`.

    """

    path: str
    version: str

    @property
    def minor(self) -> str:
        """`3.13` of `3.13.5`."""
        return ".".join(self.version.split(".")[:2])


def interpreters(inventory: Inventory, env: Mapping[str, str]) -> tuple[Interpreter, ...]:
    """Find the Pythons whose exact version can be told, in the order in which the image's PATH finds them.

    In a folder the one that `python3` leads to comes first, then the newer before the older.

    Args:
        inventory: of the image.
        env: the variables of its config.

    """
    folders = [folder for folder in env.get("PATH", "").split(":") if folder in _FOLDERS]
    found: list[Interpreter] = []
    for folder in dict.fromkeys((*folders, *_FOLDERS)):
        real = inventory.resolve(folder)
        if real is None:
            continue
        here = [one for name in inventory.names(real) if (one := _interpreter(inventory, env, folder, name))]
        usual = inventory.resolve(f"{folder}/python3")
        here.sort(key=lambda one: int(one.minor.partition(".")[2]), reverse=True)
        here.sort(key=lambda one: inventory.resolve(one.path) != usual)
        found += here
    return tuple(found)


def chosen(project: Project, inventory: Inventory, env: Mapping[str, str]) -> Interpreter | None:
    """The image's own Python that is to be used: the first that fits; None where none does.

    Args:
        project: says which fit, and whether the image's own or its distribution's counts.
        inventory: of the image.
        env: the variables of its config.

    """
    source = project.image.python_source
    for one in interpreters(inventory, env) if source in {None, "base", "distribution"} else ():
        if meets(project, one.version) and (source != "distribution" or one.path.startswith(DISTRIBUTION)):
            return one
    return None


def _interpreter(inventory: Inventory, env: Mapping[str, str], folder: str, name: str) -> Interpreter | None:
    match = _INTERPRETER.fullmatch(name)
    if match is None or not inventory.is_file(f"{folder}/{name}"):
        return None
    versions = (one for one in _versions(inventory, env, folder, match[1]) if _RELEASE.fullmatch(one))
    version = next((one for one in versions if one.startswith(f"{match[1]}.")), None)
    return None if version is None else Interpreter(f"{folder}/{name}", version)


def _versions(inventory: Inventory, env: Mapping[str, str], folder: str, minor: str) -> Iterator[str]:
    """What tells the exact version of a Python, the surest first."""
    prefix = folder.removesuffix("/bin").lstrip("/")
    for name in inventory.names(f"{prefix}/conda-meta"):
        if conda := _CONDA.fullmatch(name):
            yield conda[1]
    if folder == "/usr/bin":
        # Debian's python3.X-minimal alone has no whole standard library.
        for package in dpkg.installed(inventory):
            if package.name == f"python{minor}":
                try:
                    yield python_version(package.version)
                except EnvfreezeError:
                    continue
        return
    header = inventory.read(f"{prefix}/include/python{minor}/patchlevel.h")
    if header is not None and (stated := _PATCHLEVEL.search(header)):
        yield stated[1].decode("ascii")
    # The official python images say it, and leave the headers out of their slim variants' children.
    yield env.get("PYTHON_VERSION", "")
