"""The pip side: from the project's requirements to one wheel per package, for a platform and a Python.

uv resolves (`uv`); what it answers is judged here. Nothing depends on the machine that asks: not its Python,
its platform, nor its configuration, only the requirements, the pins and what the indexes say.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass, replace
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename

from envfreeze.digest import Digest
from envfreeze.errors import MachineError, ResolutionError, UntrustedError, UsageError
from envfreeze.locking import answer, indexes, local, requirements, rivals
from envfreeze.locking.manylinux import newest_level
from envfreeze.locking.model import Wheel
from envfreeze.locking.wheels import best, ranks
from envfreeze.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from packaging.tags import Tag

    from envfreeze.oci.platform import Platform
    from envfreeze.progress import Progress
    from envfreeze.project.model import Project


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


def resolve(
    project: Project,
    target: PipTarget,
    *,
    pins: Sequence[Wheel] = (),
    upgrade: bool = False,
    upgrade_packages: Sequence[str] = (),
    offline: bool = False,
    exclude_newer: str | None = None,
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
    count = len(names)
    if not project.pip.requirements and not project.pip.dependencies:
        return ()
    progress.note(f"resolving {count} requirement{'' if count == 1 else 's'} for {target}")
    upgraded = {_requirement_name(text) for text in upgrade_packages}
    kept = () if upgrade else tuple(pin for pin in pins if pin.name not in upgraded)
    try:
        with tempfile.TemporaryDirectory(prefix="envfreeze-lock-") as temporary:
            scratch = Path(temporary).resolve()
            document = answer.find(
                project,
                target,
                kept,
                scratch,
                offline=offline,
                newest=exclude_newer or cutoff(project),
                progress=progress,
            )
            wheels = _wheels(document, target, kept, scratch)
    except OSError as error:
        raise MachineError(
            f"no room to resolve in: {error.filename or tempfile.gettempdir()}: {error.strerror}",
            hint="set TMPDIR to a folder that can be written",
        ) from error
    _check_unchanged(wheels, kept)
    _warn_of_outside(wheels, project, progress)
    if not offline:
        rivals.warn(wheels, project, progress)
    return tuple(replace(wheel, requested=wheel.name in names) for wheel in wheels)


def cutoff(project: Project) -> str | None:
    """Give the project's `exclude-newer` in UTC, `2026-09-12T00:00:00Z`; None without one."""
    moment = project.pip.exclude_newer
    if moment is None:
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")


def _requirement_name(text: str) -> str:
    try:
        return canonicalize_name(Requirement(text).name)
    except InvalidRequirement as error:
        raise UsageError(f"not the name of a package: {text!r}") from error


def _wheels(
    document: Mapping[str, Any], target: PipTarget, pins: Sequence[Wheel], scratch: Path
) -> tuple[Wheel, ...]:
    accepted = target.tags
    pinned = {pin.filename: pin for pin in pins}
    wheels: list[Wheel] = []
    missing: list[str] = []
    unhashed: list[str] = []
    for package in document.get("packages", ()):
        try:
            wheels.append(_wheel(package, accepted, pinned, scratch))
        except _NoWheelError as error:
            missing.append(str(error))
        except _NoHashError as error:
            unhashed.append(str(error))
    if missing:
        raise ResolutionError(
            f"{_count(missing)} without a wheel for {target} ({target.manylinux})",
            details=tuple(sorted(missing)),
            hint="pin versions that have wheels; this version of envfreeze builds none from source",
        )
    if unhashed:
        raise ResolutionError(
            f"{_count(unhashed)} without a sha256",
            details=tuple(sorted(unhashed)),
            hint="use an index that states sha256 hashes",
        )
    return tuple(sorted(wheels, key=lambda wheel: wheel.name))


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
        raise _NoWheelError(f"{label}: comes from a version control system ({_place(package['vcs'])})")
    if "directory" in package:
        raise _NoWheelError(f"{label}: is a folder of sources ({_place(package['directory'])})")
    direct = "archive" in package
    offered = [package["archive"]] if direct else package.get("wheels", ())
    files = {_filename(file): file for file in offered}
    kept = [name for name, file in files.items() if _is_pinned(name, file, pinned)]
    filename = best(kept, accepted) or best(files, accepted)
    if filename is None:
        raise _NoWheelError(f"{label}: {_why_none(package, files)}")
    file = files[filename]
    if "sha256" not in file.get("hashes", {}):
        raise _NoHashError(f"{label}: {filename}")
    name, version, _, _ = parse_wheel_filename(filename)
    url = _url(file, scratch)
    return Wheel(
        name=name,
        version=str(version),
        filename=filename,
        digest=Digest.parse(file["hashes"]["sha256"]),
        size=_size(file, url),
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


def _filename(file: Mapping[str, Any]) -> str:
    if "name" in file:
        return str(file["name"])
    path = unquote(urlsplit(str(file["url"])).path) if "url" in file else str(file["path"])
    return path.rpartition("/")[2]


def _place(entry: Mapping[str, Any]) -> str:
    return indexes.redact(str(entry.get("url") or entry.get("path")))


def _url(file: Mapping[str, Any], scratch: Path) -> str:
    if "url" in file:
        return indexes.without_credentials(str(file["url"]))
    # uv writes local files relative to its output file.
    return Path(os.path.normpath(scratch / str(file["path"]))).as_uri()


def _size(file: Mapping[str, Any], url: str) -> int | None:
    if "size" in file:
        return int(file["size"])
    path = local.path_of(url)
    return None if path is None else path.stat().st_size


def _check_unchanged(wheels: Sequence[Wheel], pins: Sequence[Wheel]) -> None:
    """Refuse an index that serves other bytes under a locked name; files of this machine may change."""
    before = {pin.filename: pin for pin in pins}
    changed = [
        wheel
        for wheel in wheels
        if wheel.filename in before
        and wheel.digest != before[wheel.filename].digest
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
