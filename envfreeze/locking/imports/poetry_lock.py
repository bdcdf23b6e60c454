"""`poetry.lock`, lock-versions 1.0 to 2.1.

From 2.1 on (Poetry 2) every package states its groups and markers. Before, the file is a graph without its
roots: those stand in `[tool.poetry]` of the pyproject.toml beside it. Without one, a package that no other
needs is taken for a root, and development packages cannot be told apart.

The format is Poetry's own (https://python-poetry.org/docs/), as its locker writes it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from envfreeze.errors import UsageError
from envfreeze.locking.imports import trees
from envfreeze.locking.imports.foreign import (
    Foreign,
    filename_of,
    load_toml,
    plain_url,
    relative_path,
)
from envfreeze.locking.imports.model import Dependency, ImportedFile, ImportedLock, ImportedPackage, Roots
from envfreeze.locking.indexes import without_credentials

if TYPE_CHECKING:
    from collections.abc import Mapping

KIND = "poetry.lock"
_FLAT = Version("2.1")
_UNKNOWN = Version("3")
_EXTRA_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")


def parse(content: bytes, file: str, pyproject: Mapping[str, Any] | None = None) -> ImportedLock:
    """Read a `poetry.lock`.

    Args:
        content: the file.
        file: its name, for errors.
        pyproject: the pyproject.toml beside it, where there is one; looked at for lock-versions before 2.1.

    Raises:
        UsageError: it is not one, or of a version that is not known.

    """
    document = load_toml(content, file)
    metadata = document.inner("metadata")
    version = _version(metadata, file)
    hashes = metadata.inner("files")
    rows = document.optional_tables("package")
    packages = tuple(one for row in rows for one in _packages(row, hashes, flat=version >= _FLAT))
    extras = document.inner("extras")
    known_extras = {extras.normal(key): extras.names(key) for key in extras.keys()}  # noqa: SIM118 - no mapping
    if version >= _FLAT:
        return ImportedLock(
            file=file,
            kind=KIND,
            packages=packages,
            extras=frozenset(known_extras),
            groups=frozenset(group for package in packages for group in package.groups),
            requires_python=_specifier(metadata),
        )
    optional = {row.name("name") for row in rows if row.flag("optional")}
    settings = Foreign(f"{file}: ", dict(pyproject or {})).inner("tool").inner("poetry")
    roots = (
        _roots(Foreign("pyproject.toml: tool.poetry", settings.values()), known_extras)
        if settings.has("dependencies")
        else _guessed(packages, optional, known_extras)
    )
    return ImportedLock(
        file=file,
        kind=KIND,
        packages=packages,
        roots=(roots,),
        extras=frozenset(known_extras),
        groups=frozenset(roots.groups),
        requires_python=_specifier(metadata),
    )


def _version(metadata: Foreign, file: str) -> Version:
    text = metadata.string("lock-version")
    try:
        version = Version(text)
    except InvalidVersion as error:
        raise metadata.wrong("lock-version", f"{text!r} is not a version") from error
    if not Version("1") <= version < _UNKNOWN:
        raise UsageError(
            f"{file} is of lock-version {version}; this envfreeze reads 1 and 2",
            hint="run `pip install --upgrade envfreeze`, or export it: `poetry export`",
        )
    return version


def _specifier(metadata: Foreign) -> str | None:
    """Read `python-versions` where it is written as PEP 440 has it; the packages' metadata say it again."""
    text = metadata.optional_string("python-versions")
    try:
        return None if text in {None, "*"} else str(SpecifierSet(text or ""))
    except InvalidSpecifier:
        return None


def _packages(row: Foreign, hashes: Foreign, *, flat: bool) -> list[ImportedPackage]:
    written = row.string("name")
    name = row.name("name")
    version = row.version("version")
    source = row.inner("source")
    kind = source.optional_string("type") if source.has("type") else None
    files, tree, index = _files(row, written, hashes), None, None
    place = str(source.get("url") or "")
    if kind == "git":
        tree = trees.of_repository(
            place,
            source.optional_string("resolved_reference"),
            revision=source.optional_string("reference"),
            subdirectory=source.optional_string("subdirectory"),
        )
    elif kind == "directory":
        tree = trees.of_folder(trees.file_of(place, lambda what: source.wrong("url", what)))
    elif kind in {"url", "file"}:
        files = (_direct(source, kind, place, files),)
    elif kind == "legacy":
        index = without_credentials(plain_url(place, lambda what: source.wrong("url", what)))
    rows: list[tuple[str | None, tuple[str, ...]]] = [(None, ())]
    if flat:
        rows = _groups_and_markers(row)
    return [
        ImportedPackage(
            name=name,
            version=version,
            files=files,
            marker=marker,
            groups=groups,
            index=index,
            direct=kind in {"url", "file"},
            tree=tree,
            dependencies=_edges(row.inner("dependencies")),
            extras=_extras(row),
        )
        for marker, groups in rows
    ]


def _groups_and_markers(row: Foreign) -> list[tuple[str | None, tuple[str, ...]]]:
    groups = row.names("groups") or ("main",)
    given = row.get("markers")
    if given is None or isinstance(given, str):
        return [(given, groups)]
    by_group = row.inner("markers")
    return [(by_group.optional_string(group), (group,)) for group in groups]


def _files(row: Foreign, written: str, hashes: Foreign) -> tuple[ImportedFile, ...]:
    listed = row.optional_tables("files") or hashes.optional_tables(written)
    return tuple(
        ImportedFile(
            filename=file.string("file"),
            sha256=file.sha256("hash"),
        )
        for file in listed
    )


def _direct(source: Foreign, kind: str, place: str, files: tuple[ImportedFile, ...]) -> ImportedFile:
    filename = filename_of(place) or place
    known = {file.filename: file for file in files}.get(filename)
    url = path = None
    if kind == "url":
        url = plain_url(place, lambda what: source.wrong("url", what))
    else:
        path = relative_path(place, lambda what: source.wrong("url", what))
        filename = path.rpartition("/")[2]
    return ImportedFile(filename, url, path, None if known is None else known.sha256)


def _edges(table: Foreign) -> tuple[Dependency, ...]:
    return tuple(edge for key in table.keys() for edge in _edges_to(table, key))  # noqa: SIM118 - not a mapping


def _edges_to(table: Foreign, key: str) -> list[Dependency]:
    """Read one key of a table of dependencies: a version, a table, or several of them under markers."""
    name = table.normal(key)
    value = table.get(key)
    if isinstance(value, list):
        several = [
            Foreign(f"{table.where}.{key}", one if isinstance(one, dict) else {"version": one})
            for one in value
        ]
    elif isinstance(value, dict):
        several = [table.inner(key)]
    else:
        several = [Foreign(f"{table.where}.{key}", {"version": value})]
    return [
        Dependency(
            name=name,
            marker=_marker(one),
            extras=one.names("extras"),
            version=one.optional_string("version"),
            optional=one.flag("optional"),
        )
        for one in several
    ]


def _marker(edge: Foreign) -> str | None:
    """Join `markers`, `python` and `platform`, each of which narrows an edge."""
    parts = [edge.optional_string("markers")]
    python = edge.optional_string("python")
    try:
        limits = SpecifierSet("" if python in {None, "*"} else python or "")
    except InvalidSpecifier as error:
        raise edge.wrong("python", f"{python!r} is not a version specifier") from error
    parts += [f"python_full_version {limit.operator} '{limit.version}'" for limit in limits]
    platform = edge.optional_string("platform")
    if platform is not None:
        parts.append(f"sys_platform == '{platform}'")
    said = [f"({part})" for part in parts if part]
    return " and ".join(said) or None


def _extras(row: Foreign) -> Mapping[str, tuple[Dependency, ...]]:
    """Map each extra of a package to its optional edges; `[package.extras]` holds requirements as text."""
    optional = [edge for edge in _edges(row.inner("dependencies")) if edge.optional]
    table = row.inner("extras")
    found: dict[str, tuple[Dependency, ...]] = {}
    for key in table.keys():  # noqa: SIM118 - not a mapping
        named = {
            canonicalize_name(match[1])
            for text in table.strings(key)
            if (match := _EXTRA_REQUIREMENT.match(text))
        }
        found[canonicalize_name(key)] = tuple(edge for edge in optional if edge.name in named)
    return found


def _roots(settings: Foreign, extras: Mapping[str, tuple[str, ...]]) -> Roots:
    edges = [edge for edge in _edges(settings.inner("dependencies")) if edge.name != "python"]
    table = settings.inner("group")
    groups = {}
    for key in table.keys():  # noqa: SIM118 - not a mapping
        groups[table.normal(key)] = _edges(table.inner(key).inner("dependencies"))
    if settings.has("dev-dependencies"):
        groups["dev"] = _edges(settings.inner("dev-dependencies"))
    name = settings.optional_string("name") or "project"
    return Roots(
        name=canonicalize_name(name),
        dependencies=tuple(edges),
        extras={
            extra: tuple(edge for edge in edges if edge.optional and edge.name in names)
            for extra, names in extras.items()
        },
        groups=groups,
    )


def _guessed(
    packages: tuple[ImportedPackage, ...], optional: set[str], extras: Mapping[str, tuple[str, ...]]
) -> Roots:
    needed = {edge.name for package in packages for edge in package.dependencies or ()}
    names = dict.fromkeys(package.name for package in packages)
    return Roots(
        name="the project",
        dependencies=tuple(Dependency(name) for name in names if name not in needed and name not in optional),
        extras={extra: tuple(map(Dependency, wanted)) for extra, wanted in extras.items()},
        groups={},
    )
