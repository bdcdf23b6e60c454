"""What indexes say of pinned packages, asked through uv: their files, and what else they need.

Nothing is resolved: every version is given, and every dependency on a given name is overridden by that
version. What uv answers with beyond the given names is what the lock file lacks.
"""

from __future__ import annotations

import tempfile
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import tomli
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from envfreeze.errors import MachineError, NetworkError, ResolutionError
from envfreeze.locking import guard, uv, via
from envfreeze.locking.imports.foreign import filename_of
from envfreeze.locking.indexes import Indexes, without_credentials
from envfreeze.locking.sources import metadata
from envfreeze.locking.sources.metadata import Metadata

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

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
class Besides:
    """What is not among the packages on purpose.

    Attributes:
        omitted: names that the lock leaves out.
        provided: by name the requirement `name @ URL` of a wheel that stands for a distribution that conda
            packages bring.

    """

    omitted: Sequence[str] = ()
    provided: Mapping[str, str] = field(default_factory=dict)

    @property
    def omissions(self) -> tuple[str, ...]:
        """Requirements by which nothing is looked for."""
        return tuple(f"{name}; python_version < '0'" for name in self.omitted)

    @property
    def stubs(self) -> tuple[str, ...]:
        """Requirements of what is there already."""
        return tuple(self.provided.values())


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
    return _files_of(tomli.loads(document))


def closure(
    question: Question, target: PipTarget, folder: Path, *, besides: Besides, offline: bool
) -> Closure:
    """List the packages and all that they need for the target, by their own metadata.

    Args:
        question: the packages.
        target: whose markers apply.
        folder: the project's.
        besides: what is not among the packages on purpose.
        offline: take from uv's cache only.

    Raises:
        ResolutionError: what a package needs is on no index, or the package is not for this Python.
        NetworkError: as in `offers`.
        MachineError: as in `offers`.

    """
    asking = partial(_ask, question, target, folder)
    forced = (*question.pins, *besides.omissions, *besides.stubs)
    document = asking("pylock.toml", overrides=forced, offline=offline)
    return Closure(_files_of(tomli.loads(document)), _needs(asking, forced, besides, offline=offline))


def _needs(
    asking: Callable[..., str], forced: Sequence[str], besides: Besides, *, offline: bool
) -> Mapping[str, tuple[str, ...]]:
    """Ask who needs whom, which only the requirements format tells.

    uv lets an override stand for a requirement with its marker. So first it is asked without: packages that
    fit each other need none. Where they do not, a need of another platform may be told as one of this one.
    """
    fitting = {"overrides": besides.omissions, "constraints": besides.stubs}
    attempts: list[tuple[Mapping[str, Sequence[str]], bool]] = [(fitting, True), (fitting, offline)]
    for how, cached in attempts[: 1 if offline else 2]:
        try:
            return via.dependencies(asking("requirements.txt", **how, offline=cached))
        except (NetworkError, ResolutionError):
            continue
    return via.dependencies(asking("requirements.txt", overrides=forced, offline=offline))


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
    options: Sequence[str] = (),
    *,
    overrides: Sequence[str] = (),
    constraints: Sequence[str] = (),
    stated: str = "",
    offline: bool,
) -> str:
    try:
        with tempfile.TemporaryDirectory(prefix="envfreeze-import-") as temporary:
            scratch = Path(temporary).resolve()
            # uv tells its formats apart by the name of the file.
            output = scratch / ("pylock.toml" if shape == "pylock.toml" else "answer.txt")
            listed = {"pins": question.pins, "overrides": overrides, "constraints": constraints}
            for name, lines in listed.items():
                (scratch / f"{name}.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
            configuration = scratch / "uv.toml"
            configuration.write_text(stated, encoding="utf-8")
            arguments = [f"--output-file={output}", f"--python-version={target.python}"]
            arguments.append(f"--python-platform={target.platform.machine}-{target.manylinux}")
            arguments += [f"--override={scratch}/overrides.txt", f"--constraints={scratch}/constraints.txt"]
            uv.compile_pylock(
                [*arguments, *options, "--", f"{scratch}/pins.txt"],
                python=guard.make(scratch / "guard"),
                folder=folder,
                indexes=question.where,
                offline=offline,
                shown_as={f"{scratch}/{name}.txt": "the imported packages" for name in listed},
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
