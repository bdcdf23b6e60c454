"""The pip side: from the project's requirements to one wheel per package, for a platform and a Python.

uv resolves (`uv`); what it answers is judged here. Nothing depends on the machine that asks: not its Python,
its platform, nor its configuration, only the requirements, the pins and what the indexes say.
"""

from __future__ import annotations

import functools
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name, parse_wheel_filename

from envfreeze.digest import Digest
from envfreeze.errors import MachineError, ResolutionError, UntrustedError
from envfreeze.locking import answer, indexes, local, offered, requirements, rivals
from envfreeze.locking.manylinux import newest_level
from envfreeze.locking.model import Wheel
from envfreeze.locking.provided import explain
from envfreeze.locking.sources.knowledge import allow_sdist
from envfreeze.locking.wheels import best, ranks
from envfreeze.once import Once
from envfreeze.progress import SILENT
from envfreeze.project.model import Adjustments
from envfreeze.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from packaging.tags import Tag

    from envfreeze.locking.provided import Provided
    from envfreeze.locking.sources.builder import Builder
    from envfreeze.locking.sources.interpreter import Interpreter
    from envfreeze.oci.platform import Platform
    from envfreeze.progress import Progress
    from envfreeze.project.model import Project
    from envfreeze.store.cache import Cache

_FIRST, _LAST = 4, 10
"""How much of a resolver's explanation is shown; the last lines hold its conclusion and its hints."""


@dataclass(frozen=True, slots=True)
class PipTarget:
    """What wheels have to fit.

    Attributes:
        platform: of the image.
        python: the exact version of its CPython, `3.13.5`.
        glibc: its glibc, `2.41`.

    """

    platform: Platform
    python: str
    glibc: str

    @property
    def manylinux(self) -> str:
        """The newest manylinux level whose wheels are accepted, `manylinux_2_40`."""
        return f"manylinux_2_{newest_level(self.glibc)}"

    @property
    def tags(self) -> Mapping[Tag, int]:
        """The accepted wheel tags and their ranks; 0 is the best."""
        return ranks(self.python, newest_level(self.glibc), self.platform.machine)

    def __str__(self) -> str:
        return f"{self.platform}, Python {self.python}"


if TYPE_CHECKING:
    from envfreeze.locking.sources.compiled import Compiler
    from envfreeze.locking.sources.workshop import Workshop

    Compiling = Callable[[PipTarget, Workshop, Callable[[Sequence[str]], tuple[Wheel, ...]]], Compiler]
    """Makes what compiles the packages of a target, with what resolves their build requirements."""


def resolve(
    project: Project,
    target: PipTarget,
    *,
    pins: Sequence[Wheel] = (),
    upgrade: bool = False,
    upgrade_packages: Sequence[str] = (),
    offline: bool = False,
    exclude_newer: str | None = None,
    provided: Sequence[Provided] = (),
    cache: Cache | None = None,
    meanwhile: Callable[[], None] | None = None,
    compiling: Compiling | None = None,
    progress: Progress = SILENT,
) -> tuple[Wheel, ...]:
    """Resolve the project's Python packages for a target.

    Args:
        project: its `pip` settings and requirements are read.
        target: what the wheels have to fit.
        pins: the wheels locked before. Their versions are kept where the requirements still allow it, and
            their files where the index still has them.
        upgrade: forget all pins.
        upgrade_packages: names whose pins are forgotten.
        offline: take from uv's cache only.
        exclude_newer: no file uploaded after this moment (ISO 8601); None: what the project says.
        provided: distributions that are in the image already, at exactly these versions. They satisfy
            requirements and are not in the answer.
        cache: where what has no wheel is built, and the interpreter stays that uv asks; None: nothing
            is built.
        meanwhile: called while uv runs, each time; what it raises ends uv. It need not be called.
        compiling: makes what compiles packages; None: nothing is compiled.
        progress: told what is happening.

    Returns:
        The wheels, sorted by name, their URLs without credentials.

    Raises:
        ResolutionError: there is no solution, or packages have no wheel for the target: all are named.
        NetworkError: an index did not answer.
        UntrustedError: a locked file has another content on the index now.
        MachineError: uv is missing, or the temporary folder cannot be written.

    """
    names = requirements.requested(project)
    for folder in requirements.editable(project):
        progress.note(f"-e {folder}: an image has no editable installs; it is built into a wheel")
    count = len(names)
    if not project.pip.requirements and not project.pip.dependencies:
        return ()
    progress.note(f"resolving {count} requirement{'' if count == 1 else 's'} for {target}")
    upgraded = {canonicalize_name(name) for name in upgrade_packages}
    there = {one.name for one in provided}
    kept = () if upgrade else tuple(pin for pin in pins if pin.name not in upgraded | there)
    newest = exclude_newer or cutoff(project)
    try:
        with tempfile.TemporaryDirectory(prefix="envfreeze-lock-") as temporary:
            scratch = Path(temporary).resolve()
            builder = None
            if cache is not None and project.pip.resolver == "uv":
                # Hardly any project has something to build, and what builds takes long to import.
                builder = functools.cache(
                    partial(
                        builder_of,
                        project,
                        target,
                        kept,
                        cache=cache,
                        offline=offline,
                        newest=newest,
                        progress=progress,
                        compiling=compiling,
                    )
                )
            with _both_sides(provided):
                found = answer.find(
                    project,
                    target,
                    kept,
                    scratch,
                    offline=offline,
                    newest=newest,
                    provided=provided,
                    builder=builder,
                    cache=cache,
                    meanwhile=meanwhile,
                    progress=progress,
                )
            judged = Once(partial(_wheels, found.document, project, target, kept, scratch, builder))
            needs = found.needs(judged.failed)
            wheels = judged.result()
    except OSError as error:
        raise MachineError(
            f"no room to resolve in: {error.filename or tempfile.gettempdir()}: {error.strerror}",
            hint="set TMPDIR to a folder that can be written",
        ) from error
    _check_unchanged(wheels, kept)
    _warn_of_outside(wheels, project, progress)
    if not offline:
        rivals.warn(wheels, project, progress)
    return tuple(
        # What is built from a URL or a folder stands among the requirements, with its name or without.
        replace(
            wheel,
            requested=wheel.name in names or (wheel.source is not None and wheel.direct),
            dependencies=needs.get(wheel.name, ()),
        )
        for wheel in wheels
    )


def builder_of(
    project: Project,
    target: PipTarget,
    pins: Sequence[Wheel],
    *,
    cache: Cache,
    offline: bool,
    newest: str | None,
    progress: Progress,
    compiling: Compiling | None = None,
) -> Builder:
    """Make the builder of a target's packages without a wheel.

    Args:
        project: says what may be built, and has the indexes of build requirements.
        target: whose Python builds.
        pins: wheels that were built before.
        cache: where to build.
        offline: fetch nothing.
        newest: no build requirement uploaded after this moment (ISO 8601).
        progress: told what is built.
        compiling: makes what compiles packages; None: nothing is compiled.

    """
    from envfreeze.locking.sources.builder import Builder  # noqa: PLC0415 - heavy
    from envfreeze.locking.sources.workshop import Workshop  # noqa: PLC0415 - heavy

    tools = partial(_tools, project, offline=offline, exclude_newer=newest)
    authenticate = partial(indexes.authenticate, project=project)
    workshop = Workshop(cache, progress, offline, authenticate)
    compiler = None
    if compiling is not None:
        fitting = partial(tools_for, project, target, offline=offline, exclude_newer=newest)
        compiler = compiling(target, workshop, fitting)
    minor = ".".join(target.python.split(".")[:2])
    return Builder(project, workshop, minor, tools, pins, compiler)


def cutoff(project: Project) -> str | None:
    """Give the project's `exclude-newer` in UTC, `2026-09-12T00:00:00Z`; None without one."""
    moment = project.pip.exclude_newer
    if moment is None:
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _tools(
    project: Project,
    wanted: Sequence[str],
    interpreter: Interpreter,
    *,
    offline: bool,
    exclude_newer: str | None,
) -> tuple[Wheel, ...]:
    """Resolve build requirements for an interpreter of this machine, from the project's indexes."""
    from envfreeze.locking.sources.interpreter import this_platform  # noqa: PLC0415 - only to build

    platform, glibc = this_platform()
    target = PipTarget(platform, interpreter.version, glibc)
    return tools_for(project, target, wanted, offline=offline, exclude_newer=exclude_newer)


def tools_for(
    project: Project,
    target: PipTarget,
    wanted: Sequence[str],
    *,
    offline: bool,
    exclude_newer: str | None,
) -> tuple[Wheel, ...]:
    """Resolve build requirements for a target, from the project's indexes.

    Raises:
        ResolutionError: as `resolve`, and likewise the others.

    """
    settings = replace(
        project.pip,
        requirements=(),
        dependencies=tuple(wanted),
        constraints=(),
        # As in uv: what is said of the project's own packages does not hold for what builds them.
        adjustments=Adjustments(index_strategy=project.pip.adjustments.index_strategy),
    )
    asking = replace(project, pip=settings, inputs={})
    try:
        return resolve(asking, target, offline=offline, exclude_newer=exclude_newer)
    except ResolutionError as error:
        error.message = f"build requirements ({', '.join(wanted)}): {error.message}"
        raise


@contextmanager
def _both_sides(provided: Sequence[Provided]) -> Iterator[None]:
    """Say in an error which of the versions that it names are conda's, and why they are there."""
    try:
        yield
    except ResolutionError as error:
        named = explain((error.message, *error.details), provided)
        error.details = (*_shortened(error.details), *named)
        if named:
            error.hint = (
                "let pip's requirements fit the versions that conda has, or conda's the ones that pip needs; "
                "what pip shall provide, leave out of the environment file"
            )
        raise


def _shortened(lines: tuple[str, ...]) -> tuple[str, ...]:
    """Leave out the middle of a long explanation: it goes through one version of a package after another."""
    if len(lines) <= _FIRST + _LAST + 1:
        return lines
    left = len(lines) - _FIRST - _LAST
    return (*lines[:_FIRST], f"… {left} more lines of this kind …", *lines[-_LAST:])


def _wheels(
    document: Mapping[str, Any],
    project: Project,
    target: PipTarget,
    pins: Sequence[Wheel],
    scratch: Path,
    builder: Callable[[], Builder] | None,
) -> tuple[Wheel, ...]:
    accepted = target.tags
    pinned = {pin.filename: pin for pin in pins}
    wheels: list[Wheel] = []
    sources: list[Mapping[str, Any]] = []
    missing: list[str] = []
    unhashed: list[str] = []
    for package in document.get("packages", ()):
        try:
            wheels.append(_wheel(package, accepted, pinned, scratch))
        except _NoWheelError as error:
            if builder is not None and builder().may_build(package):
                sources.append(package)
            else:
                missing.append(str(error))
        except _NoHashError as error:
            unhashed.append(str(error))
    if missing:
        raise ResolutionError(
            f"{_count(missing)} without a wheel for {target} ({target.manylinux})",
            details=tuple(sorted(missing)),
            hint=_hint(document, project, missing),
        )
    if unhashed:
        raise ResolutionError(
            f"{_count(unhashed)} without a sha256",
            details=tuple(sorted(unhashed)),
            hint="use an index that states sha256 hashes",
        )
    if builder is not None and sources:
        wheels += [builder().wheel(package, scratch, str(target), accepted) for package in sources]
    return tuple(sorted(wheels, key=lambda wheel: wheel.name))


def _hint(document: Mapping[str, Any], project: Project, missing: Sequence[str]) -> str:
    if project.pip.resolver != "uv":
        return 'pin versions that have wheels; sdists are built with [pip] resolver = "uv" only'
    names = {text.partition(":")[0].partition(" ")[0] for text in missing}
    sdists = sorted(
        package["name"]
        for package in document.get("packages", ())
        if package["name"] in names and "sdist" in package
    )
    return "pin versions that have wheels" + (
        f", or let the sdist be built, in [pip]: {allow_sdist(sdists)}" if sdists else ""
    )


class _NoWheelError(Exception):
    """A package whose files do not fit the target."""


class _NoHashError(Exception):
    """A wheel that nothing vouches for."""


def _wheel(
    package: Mapping[str, Any], accepted: Mapping[Tag, int], pinned: Mapping[str, Wheel], scratch: Path
) -> Wheel:
    """Choose a package's wheel from what uv found.

    uv's answer is read as plain TOML and not through packaging.pylock, which refuses a whole document for one
    file of an old name that nobody would install.
    """
    label = f"{package['name']} {package['version']}" if "version" in package else str(package["name"])
    if "vcs" in package:
        raise _NoWheelError(f"{label}: comes from a version control system ({offered.place(package['vcs'])})")
    if "directory" in package:
        raise _NoWheelError(f"{label}: is a folder of sources ({offered.place(package['directory'])})")
    direct = "archive" in package
    listed = [package["archive"]] if direct else package.get("wheels", ())
    files = {offered.filename(file): file for file in listed}
    kept = [name for name, file in files.items() if _is_pinned(name, file, pinned)]
    filename = best(kept, accepted) or best(files, accepted)
    if filename is None:
        raise _NoWheelError(f"{label}: {_why_none(package, files)}")
    file = files[filename]
    if "sha256" not in file.get("hashes", {}):
        raise _NoHashError(f"{label}: {filename}")
    name, version, _, _ = parse_wheel_filename(filename)
    url = offered.url(file, scratch)
    return Wheel(
        name=name,
        version=str(version),
        filename=filename,
        digest=Digest.parse(file["hashes"]["sha256"]),
        size=offered.size(file, url),
        url=url,
        direct=direct,
        index=None if direct else package.get("index"),
    )


def _is_pinned(filename: str, file: Mapping[str, Any], pinned: Mapping[str, Wheel]) -> bool:
    return filename in pinned and file.get("hashes", {}).get("sha256") == pinned[filename].digest.hex


def _why_none(package: Mapping[str, Any], files: Mapping[str, Any]) -> str:
    if "archive" in package:
        (filename,) = files
        return f"the project names {filename}, which is not a wheel for the target"
    # uv leaves out the wheels that the target cannot take.
    return "no wheel for the target, only an sdist" if "sdist" in package else "no wheel for the target"


def _check_unchanged(wheels: Sequence[Wheel], pins: Sequence[Wheel]) -> None:
    """Refuse an index that serves other bytes under a locked name; files of this machine may change."""
    before = {pin.filename: pin for pin in pins}
    changed = [
        wheel
        for wheel in wheels
        if wheel.filename in before
        and wheel.digest != before[wheel.filename].digest
        # What is built from a commit or a folder moves with it, under one version.
        and (wheel.source is None or wheel.source.kind == "sdist")
        and not wheel.url.startswith("file:")
    ]
    if changed:
        accept = "".join(f" --upgrade-package {wheel.name}" for wheel in changed)
        raise UntrustedError(
            "files have other content now than was locked under the same name",
            details=tuple(
                f"{wheel.url}: locked as {before[wheel.filename].digest}, now {wheel.digest}"
                for wheel in changed
            ),
            hint=f"if that is meant, accept it with `envfreeze lock{accept}`",
        )


def _warn_of_outside(wheels: Sequence[Wheel], project: Project, progress: Progress) -> None:
    outside = [
        wheel.name
        for wheel in wheels
        if wheel.url.startswith("file:") and local.relative(wheel.url, project.root) is None
    ]
    if outside:
        progress.warn(
            f"{', '.join(outside)}: locked from a folder outside the project; "
            "another machine needs the same files at the same path"
        )


def _count(items: Sequence[str]) -> str:
    return f"{len(items)} package{'' if len(items) == 1 else 's'}"
