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
from envfreeze.errors import ResolutionError, UsageError
from envfreeze.locking import indexes
from envfreeze.locking.pip import PipTarget
from envfreeze.store.download import Download, fetch

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable
    from pathlib import Path

    from envfreeze.engines.dockerfile.means import Means
    from envfreeze.engines.dockerfile.staged import Staged
    from envfreeze.locking.model import Target


FOLDER = "/envfreeze/tools"
"""Where the wheel is while it installs."""

TABLE: Traversable = resources.files(__package__).joinpath("data", "pip.toml")
"""Which pip is taken for which Python."""


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
    for row in tomllib.loads(TABLE.read_text(encoding="utf-8"))["pip"]:
        if SpecifierSet(row["python"]).contains(python, prereleases=True):
            return Installer(
                row["version"], row["filename"], Digest.parse(f"sha256:{row['sha256']}"), row["size"]
            )
    raise UsageError(
        f"no pip is known that installs for Python {python}",
        hint="build the image with the native engine: `envfreeze build`",
    )


def write(target: Target, means: Means, staged: Staged) -> str:
    """Put the pip for a target into the folder; the name of its wheel, in `tools/`.

    Raises:
        NetworkError: no index has it, or none answers.
        ResolutionError: the project's index does not know that version.
        UntrustedError: the index has another file under its name.

    """
    pip = installer_for(target.python)
    staged.artifact(f"tools/{pip.filename}", _obtain(pip, target, means), pip.digest, pip.size)
    staged.text(f"tools/{pip.filename}.sha256", f"{pip.digest.hex}  {FOLDER}/{pip.filename}\n")
    return pip.filename


def _obtain(pip: Installer, target: Target, means: Means) -> Path:
    """Have the wheel in the cache; where it is is asked of the project's own index."""
    present = means.cache.find(pip.digest)
    if present is not None:
        return present
    urls = tuple(means.authenticate(url) for url in _urls(pip, target, means))
    wanted = Download(pip.filename, pip.digest, pip.size, urls)
    return fetch(means.cache, [wanted], progress=means.progress, offline=means.offline)[pip.digest]


def _urls(pip: Installer, target: Target, means: Means) -> list[str]:
    from envfreeze.locking.imports.offered import Question, offers  # noqa: PLC0415 - heavy

    question = Question((f"pip=={pip.version}",), indexes.of_project(means.project))
    fits = PipTarget(target.platform, target.python, target.glibc)
    try:
        found = offers(question, fits, means.project.root, offline=means.offline)
    except ResolutionError as error:
        raise ResolutionError(
            f"no index of the project has pip {pip.version}, which installs the packages in a Dockerfile",
            hint="name an index that mirrors it, in [pip] index-url, or build with the native engine",
            details=(error.message, *error.details),
        ) from error
    return [offer.url for offer in found.get("pip", ()) if offer.filename == pip.filename]
