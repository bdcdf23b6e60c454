"""The Python packages that the project asks for, and every file that says so."""

from __future__ import annotations

import functools
import json
import posixpath
from datetime import date
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from envfreeze.errors import UsageError
from envfreeze.project import places, sources, taken
from envfreeze.project.configuration import PYPROJECT
from envfreeze.project.included import read_with_includes
from envfreeze.project.index_tables import collect, of_uv
from envfreeze.project.local_projects import local_projects
from envfreeze.project.model import PipSettings
from envfreeze.project.moments import moment, span
from envfreeze.project.toml_file import read_toml
from envfreeze.project.urls import expand, is_url

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import datetime, timedelta
    from pathlib import Path

    from envfreeze.project.pyproject import Pyproject
    from envfreeze.project.validation import Written

USUAL = ("requirements.txt", "requirements.in")
"""Requirements files that are found without configuration, in this order."""

_CONDA = ("environment.yml", "environment.yaml")
_ELSEWHERE = {
    "Pipfile": "`pipenv lock` makes the Pipfile.lock of it that envfreeze takes",
    "setup.py": "its requirements are known only where it is run: name the folder, `.`, in requirements.txt "
    "and it is built, or write [project] dependencies in pyproject.toml",
}
"""Files that say what is wanted in a way that is not read, and what to do instead."""

_OTHER_FORMATS = (".toml", ".yml", ".yaml", ".lock", ".py", ".cfg")


def read_packages(
    root: Path,
    written: Written,
    values: Mapping[str, Any],
    pyproject: Pyproject,
    *,
    optional: bool = False,
    named: str | None = None,
) -> tuple[PipSettings, dict[str, bytes]]:
    """Read the pip side of a project.

    Args:
        root: the project's folder, resolved.
        written: the configuration, for errors.
        values: the checked values of `[pip]`.
        pyproject: what pyproject.toml says.
        optional: there may be none: another side of the project names packages.
        named: what `envfreeze lock --from` named, now or before: a lock file, or an environment.

    Returns:
        The settings, and the content of every requirements and constraints file by relative path, and what
        the local projects among the requirements hold under `<folder PATH>`.

    Raises:
        UsageError: a file is missing or cannot be locked, a name is not known, a variable is not set, or
            nothing says which packages are wanted.
        MachineError: a file cannot be read.

    """
    extras, groups = tuple(values["extras"]), tuple(values["groups"])
    contents: dict[str, bytes] = {}
    lock = _taken(root, written, values, named, contents)
    has_more = bool(extras or groups) or optional
    files, dependencies = _wanted(root, values["requirements"], pyproject, has_more=has_more, lock=lock)
    if not files and lock is None and not pyproject.project and not has_more:
        lock = _usual_lock(root, contents)
    if lock is None:
        for extra in extras:
            dependencies += pyproject.of_extra(extra)
        for group in groups:
            dependencies += pyproject.of_group(group)
    lines: dict[str, bytes] = {}
    for key, names in (("requirements", files), ("constraints", values["constraints"])):
        for index, name in enumerate(names):
            blame = functools.partial(_blame, written, f"pip.{key}[{index}]", name)
            _check_format(name, blame)
            lines |= read_with_includes(root, name, blame)
    contents |= lines
    chosen = {canonicalize_name(name) for name in (*extras, *groups)}
    if lock is None:
        dependencies = _from_sources(dependencies, pyproject, chosen)
        contents |= local_projects(root, dependencies, lines)
    where = collect(written, values, pyproject.uv)
    limit, length = _exclude_newer(written, values, pyproject)
    settings = PipSettings(
        requirements=tuple(files),
        dependencies=tuple(dict.fromkeys(dependencies)),
        extras=extras,
        groups=groups,
        constraints=tuple(values["constraints"]),
        index_url=where.index_url,
        extra_index_urls=where.extra_index_urls,
        find_links=(
            *_find_links(root, written, "pip.find-links", several(values["find-links"])),
            *_find_links(root, of_uv(), "find-links", where.find_links),
        ),
        exclude_newer=limit,
        lock=lock,
        allow_sdist=tuple(sorted({canonicalize_name(name) for name in values["allow-sdist"]})),
        allow_unreproducible=tuple(
            sorted({canonicalize_name(name) for name in values["allow-unreproducible"]})
        ),
        exclude_newer_span=length,
        resolver=values["resolver"],
        index_name=where.index_name,
        indexes=where.indexes,
        assignments=(*where.assignments, *sources.assignments(pyproject.uv.sources, chosen, where.names)),
        no_index=where.no_index,
        keyring=_keyring(values, pyproject),
        adjustments=pyproject.uv.adjustments,
    )
    return settings, contents


def several(value: str | Iterable[str] | None) -> tuple[str, ...]:
    """Read a key that is one value or a list of them."""
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)


def _taken(
    root: Path,
    written: Written,
    values: Mapping[str, Any],
    named: str | None,
    contents: dict[str, bytes],
) -> str | None:
    """Choose the lock file to take packages from, and read it."""
    configured = None if values["lock"] is None else posixpath.normpath(values["lock"])
    if configured is not None and values["requirements"] is not None:
        raise written.error(
            "pip.lock", "names packages, and `requirements` does too", "leave one of the two out"
        )
    if named is not None and configured not in {None, named}:
        raise written.error(
            "pip.lock", f"is {configured!r}, and {named!r} was asked for", "change or remove the key"
        )
    lock = configured or named
    if lock is None:
        return None
    if configured is None:
        contents |= taken.note_of(lock)
    if lock != taken.ENVIRONMENT:
        _read_lock(root, lock, functools.partial(_blame_lock, written, lock, configured), contents)
    return lock


def _blame_lock(written: Written, name: str, configured: str | None, problem: str) -> UsageError:
    if configured is not None:
        return written.error("pip.lock", f"{name!r} {problem}")
    return UsageError(
        f"the lock file {name} {problem}",
        hint="a lock is made of the project's own files: copy it into the project; or leave it: "
        "`envfreeze lock --resolve`",
    )


def _read_lock(root: Path, name: str, blame: places.Blame, contents: dict[str, bytes]) -> None:
    taken.check_name(name)
    contents[name] = places.read(places.inside(root, root / name, blame), blame)
    if posixpath.basename(name) == "poetry.lock":
        tool = (read_toml(root, PYPROJECT) or {}).get("tool")
        poetry = tool.get("poetry") if isinstance(tool, dict) else None
        if isinstance(poetry, dict):
            contents[taken.POETRY] = json.dumps(poetry, sort_keys=True, default=str).encode()


def _usual_lock(root: Path, contents: dict[str, bytes]) -> str | None:
    lock = next((name for name in taken.USUAL if (root / name).exists()), None)
    if lock is not None:
        _read_lock(root, lock, lambda problem: UsageError(f"{lock} {problem}"), contents)
    return lock


def _wanted(
    root: Path,
    requirements: list[str] | None,
    pyproject: Pyproject,
    *,
    has_more: bool,
    lock: str | None,
) -> tuple[list[str], list[str]]:
    """Choose the source: requirements files and dependencies, of which one is empty."""
    if requirements is not None:
        return requirements, []
    if pyproject.names_dependencies:
        return [], pyproject.dependencies()
    usual = next((name for name in USUAL if (root / name).exists() and name != lock), None)
    if usual is not None:
        return [usual], []
    if pyproject.project is not None or has_more or lock is not None:
        return [], []
    if any((root / name).exists() for name in taken.USUAL):
        return [], []
    raise _nothing_found(root)


def _nothing_found(root: Path) -> UsageError:
    details = [f"{name} is there: {way}" for name, way in _ELSEWHERE.items() if (root / name).exists()]
    tool = (read_toml(root, PYPROJECT) or {}).get("tool")
    if isinstance(tool, dict) and "poetry" in tool:
        details.append(
            f"{PYPROJECT} has [tool.poetry]: `poetry lock` makes the lock of it that envfreeze takes"
        )
    # Found here only where there is a configuration: without one it would have been read.
    details += [
        f"{name} is there: name it with [conda] environment" for name in _CONDA if (root / name).exists()
    ]
    return UsageError(
        f"nothing in {root} says which Python packages are wanted: looked for [project] in {PYPROJECT}, "
        + ", ".join((*USUAL, *_CONDA, *taken.USUAL)),
        hint="create requirements.txt, or name another file: run `envfreeze init` and set [pip] requirements",
        details=tuple(details),
    )


def _blame(written: Written, key: str, name: str, problem: str) -> UsageError:
    if key == "pip.requirements[0]" and name in USUAL and not _is_written(written):
        return UsageError(f"{name} {problem}")
    return written.error(key, f"{name!r} {problem}")


def _is_written(written: Written) -> bool:
    return "requirements" in written.values.get("pip", {})


def _check_format(name: str, blame: places.Blame) -> None:
    if name.endswith(_OTHER_FORMATS):
        error = blame("is not a requirements file")
        error.hint = (
            "leave `requirements` out: [project.dependencies] is read without it"
            if name.endswith(PYPROJECT)
            else "name a file in the format that pip reads with -r"
        )
        raise error


def _from_sources(dependencies: Iterable[str], pyproject: Pyproject, chosen: Collection[str]) -> list[str]:
    """Put `[tool.uv.sources]` into the requirements that pyproject.toml names."""
    where = "tool.uv.sources"
    return [
        one for text in dependencies for one in sources.resolved(text, pyproject.uv.sources, chosen, where)
    ]


def _keyring(values: Mapping[str, Any], pyproject: Pyproject) -> bool | None:
    given = values["keyring-provider"]
    return pyproject.uv.keyring if given is None else bool(given == "subprocess")


def _find_links(root: Path, written: Written, key: str, given: tuple[str, ...]) -> tuple[str, ...]:
    expanded = expand(written, key, given)
    for place, shown in zip(expanded, given, strict=True):
        if is_url(place):
            continue
        blame = functools.partial(_blame, written, key, shown)
        if "://" in place or place.startswith("/"):
            raise written.error(
                key, "is neither a folder of the project nor a URL", "write an absolute folder as file:///…"
            )
        if not places.inside(root, root / place, blame).is_dir():
            raise blame("is not a folder")
    return expanded


def _exclude_newer(
    written: Written, values: Mapping[str, Any], pyproject: Pyproject
) -> tuple[datetime | None, timedelta | None]:
    """Give the moment, or the span of time before the lock is made; both None where there is no limit."""
    own = values["exclude-newer"]
    key, where = ("pip.exclude-newer", written) if own is not None else ("exclude-newer", of_uv())
    value = pyproject.uv.exclude_newer if own is None else own
    length = span(value)
    if value is not None and not isinstance(value, str | date):
        raise where.error(key, f"is not a date: {value!r}")
    try:
        return (None, length) if value is None or length is not None else (moment(value), None)
    except ValueError as error:
        raise where.error(key, f"is not in the calendar: {value}") from error
