"""What indexes say of pinned packages, asked through uv: their files, and what else they need.

Nothing is resolved: every version is given, and every dependency on a given name is overridden by that
version. What uv answers with beyond the given names is what the lock file lacks.
"""

from __future__ import annotations

import tempfile
import tomllib
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from envfreeze.errors import MachineError, NetworkError, ResolutionError
from envfreeze.locking import guard, uv, via
from envfreeze.locking.imports.foreign import filename_of
from envfreeze.locking.indexes import Indexes, without_credentials
from envfreeze.locking.sources import metadata
from envfreeze.locking.sources.metadata import Metadata

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from envfreeze.locking.pip import PipTarget


@dataclass(frozen=True, slots=True)
class Offer:
    """A file as an index states it.

    Attributes:
        filename: its name.
        url: where it is, without credentials.
        sha256: in hex; None: the index does not say.
        size: bytes; None: the index does not say.

    """

    filename: str
    url: str
    sha256: str | None
    size: int | None


@dataclass(frozen=True, slots=True)
class Question:
    """Packages of one index.

    Attributes:
        pins: `name==version` or `name @ url`.
        where: the index and what stands beside it.

    """

    pins: tuple[str, ...]
    where: Indexes


@dataclass(frozen=True, slots=True)
class Closure:
    """Packages, and all that they need for a target by their own metadata.

    Attributes:
        files: the files of each, by name.
        needs: normalised name to the normalised names of what it needs, sorted.

    """

    files: Mapping[str, tuple[Offer, ...]]
    needs: Mapping[str, tuple[str, ...]]


def offers(
    question: Question, target: PipTarget, folder: Path, *, offline: bool
) -> dict[str, tuple[Offer, ...]]:
    """List the files of each package, wheels that the target cannot take left out.

    Nothing is asked but for files: what packages need is not looked at, so no sdist would have to be built.

    Raises:
        ResolutionError: an index does not have a package or version.
        NetworkError: an index did not answer.
        MachineError: uv is missing, or the temporary folder cannot be written.

    """
    stated = metadata.configuration(filter(None, map(_bare, question.pins)))
    document = _ask(question, target, folder, "pylock.toml", ["--no-deps"], offline=offline, stated=stated)
    return _files_of(tomllib.loads(document))


def closure(
    question: Question, target: PipTarget, folder: Path, *, overrides: Sequence[str], offline: bool
) -> Closure:
    """List the packages and all that they need for the target, by their own metadata.

    Args:
        question: the packages.
        target: whose markers apply.
        folder: the project's.
        overrides: requirements in whose place nothing else is looked for.
        offline: take from uv's cache only.

    Raises:
        ResolutionError: what a package needs is on no index, or the package is not for this Python.
        NetworkError: as in `offers`.
        MachineError: as in `offers`.

    """
    asking = partial(_ask, question, target, folder, options=[], overrides=overrides)
    document = asking("pylock.toml", offline=offline)
    try:
        # Only this format tells who needs whom; all of it is in uv's cache by now.
        text = asking("requirements.txt", offline=True)
    except (NetworkError, ResolutionError):
        text = asking("requirements.txt", offline=offline)
    return Closure(_files_of(tomllib.loads(document)), via.dependencies(text))


def _bare(pin: str) -> Metadata | None:
    """State that a package needs nothing, so that uv does not want to build it to learn what it needs."""
    requirement = Requirement(pin)
    name = canonicalize_name(requirement.name)
    if requirement.url is None:
        return Metadata(name, next(part.version for part in requirement.specifier))
    # Of a wheel uv reads its own metadata; of another file its version is not known yet.
    return None if urlsplit(requirement.url).path.endswith(".whl") else Metadata(name, "0")


def _ask(
    question: Question,
    target: PipTarget,
    folder: Path,
    shape: str,
    options: Sequence[str],
    *,
    overrides: Sequence[str] = (),
    stated: str = "",
    offline: bool,
) -> str:
    try:
        with tempfile.TemporaryDirectory(prefix="envfreeze-import-") as temporary:
            scratch = Path(temporary).resolve()
            # uv tells its formats apart by the name of the file.
            output = scratch / ("pylock.toml" if shape == "pylock.toml" else "answer.txt")
            pins, forced = scratch / "pins.txt", scratch / "overrides.txt"
            pins.write_text("".join(f"{pin}\n" for pin in question.pins), encoding="utf-8")
            lines = [*question.pins, *overrides]
            forced.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
            configuration = scratch / "uv.toml"
            configuration.write_text(stated, encoding="utf-8")
            arguments = [f"--output-file={output}", f"--python-version={target.python}"]
            arguments.append(f"--python-platform={target.platform.machine}-{target.manylinux}")
            arguments += [f"--override={forced}", *options, "--", str(pins)]
            shown_as = {str(pins): "the imported packages", str(forced): "the imported packages"}
            uv.compile_pylock(
                arguments,
                python=guard.make(scratch / "guard"),
                folder=folder,
                indexes=question.where,
                offline=offline,
                shown_as=shown_as,
                configuration=configuration if stated else None,
                annotated=shape != "pylock.toml",
            )
            return output.read_text(encoding="utf-8")
    except OSError as error:
        raise MachineError(
            f"no room to look packages up in: {error.filename or tempfile.gettempdir()}: {error.strerror}",
            hint="set TMPDIR to a folder that can be written",
        ) from error


def _files_of(document: Mapping[str, Any]) -> dict[str, tuple[Offer, ...]]:
    return {package["name"]: tuple(_offers(package)) for package in document.get("packages", ())}


def _offers(package: Mapping[str, Any]) -> list[Offer]:
    files = [*package.get("wheels", ()), *(package[key] for key in ("archive", "sdist") if key in package)]
    return [
        Offer(
            filename=file.get("name") or filename_of(file["url"]),
            url=without_credentials(file["url"]),
            sha256=file.get("hashes", {}).get("sha256"),
            size=file.get("size"),
        )
        for file in files
        if "url" in file
    ]
