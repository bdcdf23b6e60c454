"""The pip that installs the locked wheels while an image is built: one wheel, known by its hash.

It runs from its own wheel and is bound in for one step, so that nothing of it is in the image.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

from packaging.specifiers import SpecifierSet

from envfreeze.digest import Digest
from envfreeze.errors import UsageError
from envfreeze.locking import indexes
from envfreeze.locking.pip import PipTarget
from envfreeze.store.download import Download, fetch

if TYPE_CHECKING:
    from pathlib import Path

    from envfreeze.locking.model import Target
    from envfreeze.progress import Progress
    from envfreeze.project.model import Project
    from envfreeze.store.cache import Cache


@dataclass(frozen=True, slots=True)
class Installer:
    """A pip.

    Attributes:
        version: its version.
        filename: of its wheel.
        digest: sha256 of its wheel.
        size: bytes of its wheel.

    """

    version: str
    filename: str
    digest: Digest
    size: int


def installer_for(python: str) -> Installer:
    """The pip for an exact version of Python.

    Raises:
        UsageError: no pip is known for it.

    """
    table = resources.files(__package__).joinpath("data", "pip.toml").read_text(encoding="utf-8")
    for row in tomllib.loads(table)["pip"]:
        if SpecifierSet(row["python"]).contains(python, prereleases=True):
            return Installer(
                row["version"], row["filename"], Digest.parse(f"sha256:{row['sha256']}"), row["size"]
            )
    raise UsageError(
        f"no pip is known that installs for Python {python}",
        hint="build the image with the native engine: `envfreeze build`",
    )


def obtain(
    pip: Installer, target: Target, project: Project, *, cache: Cache, progress: Progress, offline: bool
) -> Path:
    """Have the wheel of a pip in the cache; it is looked for on the project's own index.

    Raises:
        NetworkError: no index has it, or none answers.
        ResolutionError: the index does not know that version.
        UntrustedError: the index has another file under its name.

    """
    present = cache.find(pip.digest)
    if present is not None:
        return present
    where = indexes.of_project(project)
    urls = tuple(
        indexes.authenticate(url, project) for url in _urls(pip, target, where, project.root, offline)
    )
    wanted = Download(pip.filename, pip.digest, pip.size, urls)
    return fetch(cache, [wanted], progress=progress, offline=offline)[pip.digest]


def _urls(pip: Installer, target: Target, where: indexes.Indexes, root: Path, offline: bool) -> list[str]:
    from envfreeze.locking.imports.offered import Question, offers  # noqa: PLC0415 - heavy

    question = Question((f"pip=={pip.version}",), where)
    found = offers(question, PipTarget(target.platform, target.python, target.glibc), root, offline=offline)
    return [offer.url for offer in found.get("pip", ()) if offer.filename == pip.filename]
