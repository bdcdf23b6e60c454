"""`uv.lock`, versions 1.0 to 1.3: a graph of packages for all platforms.

The format is uv's own: https://docs.astral.sh/uv/concepts/projects/layout/#the-lockfile. What the members of
the workspace need is what their entries (`source.virtual`, `editable` or `directory` in the lock) state;
markers on the edges tell platforms, and for conflicting extras and groups hold `extra == 'extra-3-app-cpu'`:
the length of the member's name, its name, the extra.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.errors import UsageError
from envfreeze.locking.imports import trees
from envfreeze.locking.imports.foreign import (
    Foreign,
    filename_of,
    load_toml,
    plain_url,
    relative_path,
    sha256_of,
)
from envfreeze.locking.imports.model import Dependency, ImportedFile, ImportedLock, ImportedPackage, Roots
from envfreeze.locking.indexes import without_credentials

if TYPE_CHECKING:
    from collections.abc import Mapping

KIND = "uv.lock"
_VERSION = 1
_LOCAL = ("virtual", "editable", "directory")


def parse(content: bytes, file: str) -> ImportedLock:
    """Read a `uv.lock`.

    Args:
        content: the file.
        file: its name, for errors.

    Raises:
        UsageError: it is not one, or of a version that is not known.

    """
    document = load_toml(content, file)
    version = document.size("version")
    if version != _VERSION:
        raise UsageError(
            f"{file} is of uv.lock version {version}; this envfreeze reads version {_VERSION}",
            hint="run `pip install --upgrade envfreeze`, or export it: `uv export --format pylock.toml`",
        )
    requires_python = document.optional_string("requires-python")
    manifest = document.inner("manifest")
    members = set(manifest.names("members"))
    rows = document.optional_tables("package")
    packages = tuple(_package(row) for row in rows)
    roots = _roots(rows, packages, members)
    if not roots and packages:
        raise UsageError(
            f"{file} names no project: none of its packages is a member of the workspace",
            hint="write it anew: `uv lock`",
        )
    return ImportedLock(
        file=file,
        kind=KIND,
        packages=packages,
        roots=roots,
        extras=frozenset(extra for root in roots for extra in root.extras),
        groups=frozenset(group for root in roots for group in root.groups),
        requires_python=requires_python,
        omitted=frozenset(_omitted(manifest)),
    )


def _omitted(manifest: Foreign) -> list[str]:
    """Name what uv was told to require otherwise than the packages do, or not at all."""
    overrides = [row.name("name") for row in manifest.optional_tables("overrides")]
    return [*overrides, *manifest.names("excludes")]


def _roots(
    rows: list[Foreign], packages: tuple[ImportedPackage, ...], members: set[str]
) -> tuple[Roots, ...]:
    found = []
    for row, package in zip(rows, packages, strict=True):
        source = (package.source or "").partition(":")
        is_member = package.name in members if members else source[2] == "." and source[0] in _LOCAL
        if is_member:
            groups = _edges_by_name(row.inner("dev-dependencies"))
            found.append(Roots(package.name, package.dependencies or (), package.extras or {}, groups))
    return tuple(found)


def _package(row: Foreign) -> ImportedPackage:
    name = row.name("name")
    version = row.version("version")
    source = row.inner("source")
    kind, place = _source(source)
    files = tuple(_file(file, source) for file in row.optional_tables("wheels"))
    if row.has("sdist"):
        files += (_file(row.inner("sdist"), source),)
    tree = None
    if kind == "git":
        tree = trees.of_uv(place)
    elif kind in _LOCAL:
        tree = trees.of_folder(trees.file_of(place, lambda what: source.wrong(kind, what)))
    return ImportedPackage(
        name=name,
        version=version,
        files=files,
        index=without_credentials(place) if kind == "registry" and "://" in place else None,
        direct=kind in {"url", "path"},
        tree=tree,
        source=f"{kind}:{place}",
        dependencies=_edges(row, "dependencies"),
        extras=_edges_by_name(row.inner("optional-dependencies")),
    )


def _source(source: Foreign) -> tuple[str, str]:
    for kind in ("registry", "git", "url", "path", *_LOCAL):
        if source.has(kind):
            place = source.get(kind)
            if not isinstance(place, str):
                raise source.wrong(kind, "is not a string")
            return kind, place
    raise source.wrong("registry", "is missing, and no other source is known")


def _file(file: Foreign, source: Foreign) -> ImportedFile:
    kind, place = _source(source)
    url = path = None
    if kind == "url":
        url = plain_url(place, lambda what: source.wrong(kind, what))
        filename = filename_of(url)
    elif kind == "path":
        path = relative_path(place, lambda what: source.wrong(kind, what))
        filename = filename_of(place)
    elif file.has("url"):
        url = file.url("url")
        filename = filename_of(url)
    elif file.has("path"):
        # Of a flat index that is a folder: relative to it.
        path = relative_path(file.string("path"), lambda what: file.wrong("path", what))
        if kind == "registry" and "://" not in place:
            path = relative_path(f"{place}/{path}", lambda what: source.wrong(kind, what))
        filename = filename_of(path)
    else:
        filename = file.string("filename")
    given = file.optional_string("hash")
    return ImportedFile(
        filename=filename,
        url=url,
        path=path,
        sha256=None if given is None else sha256_of(given, lambda what: file.wrong("hash", what)),
        size=file.optional_size("size"),
        subdirectory=source.optional_string("subdirectory") if kind == "url" else None,
    )


def _edges_by_name(table: Foreign) -> Mapping[str, tuple[Dependency, ...]]:
    return {table.normal(key): _edges(table, key) for key in table.keys()}  # noqa: SIM118 - not a mapping


def _edges(row: Foreign, key: str) -> tuple[Dependency, ...]:
    return tuple(_edge(edge) for edge in row.optional_tables(key))


def _edge(edge: Foreign) -> Dependency:
    return Dependency(
        name=edge.name("name"),
        marker=edge.optional_string("marker"),
        extras=edge.names("extra"),
        version=edge.version("version"),
        source=":".join(_source(edge.inner("source"))) if edge.has("source") else None,
    )
