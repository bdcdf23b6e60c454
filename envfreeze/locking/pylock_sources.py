"""Packages of `pylock.toml` whose wheel is built: the source as PEP 751 has it, the wheel in our own table.

Other installers build the source themselves; envfreeze builds it with the tools and to the hash that
`packages.tool.envfreeze` names (docs/formats/lock-1.md, "Wheels that are built").
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from packaging.utils import InvalidWheelFilename, parse_wheel_filename

from envfreeze.locking import local, pylock_files
from envfreeze.locking.model import Source, Wheel

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from envfreeze.digest import Digest
    from envfreeze.locking import toml
    from envfreeze.locking.strict import Table

_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_SCHEMES = frozenset({"http", "https", "ssh", "git", "git+ssh", "file"})


def package(
    wheel: Wheel, source: Source, folder: Path | None, locked: Collection[str]
) -> Mapping[str, toml.Value]:
    """Write the row of a package.

    Args:
        wheel: the built wheel.
        source: what it was built from.
        folder: the project's; files in it are named by their path.
        locked: the names of the packages of the file; what else the wheel needs is conda's.

    """
    row: dict[str, toml.Value] = {"name": wheel.name}
    # PEP 751: no version where the files are a source tree.
    if source.kind in {"sdist", "archive"}:
        row["version"] = wheel.version
    if wheel.index is not None:
        row["index"] = wheel.index
    if here := [name for name in wheel.dependencies if name in locked]:
        row["dependencies"] = [{"name": name} for name in here]
    row[_KEYS[source.kind]] = place_of(source, folder)
    about: dict[str, toml.Value] = {
        "wheel": wheel.filename,
        "size": wheel.size or 0,
        "sha256": wheel.digest.hex,
        "python": source.python,
    }
    if source.kind in {"git", "directory"}:
        about["tree"] = source.digest.hex
    if source.devel is not None:
        about["devel"] = source.devel.hex
    if source.notes:
        about["notes"] = source.notes
    if elsewhere := [name for name in wheel.dependencies if name not in locked]:
        about["conda"] = elsewhere
    about["requires"] = [_tool(tool, folder) for tool in source.requires]
    return {**row, "tool": {"envfreeze": about}}


_KEYS = {"sdist": "sdist", "archive": "archive", "git": "vcs", "directory": "directory"}


def place_of(source: Source, folder: Path | None) -> Mapping[str, toml.Value]:
    """Say where a source is: the table `sdist`, `archive`, `vcs` or `directory` of PEP 751.

    Args:
        source: the source.
        folder: the project's; files in it are named by their path.

    """
    place: dict[str, toml.Value] = {}
    match source.kind:
        case "git":
            place = {"type": "git", "url": source.url}
            if source.revision is not None:
                place["requested-revision"] = source.revision
            place["commit-id"] = source.commit or ""
        case "directory":
            place = {"path": source.url}
        case _:
            path = local.relative(source.url, folder)
            if source.kind == "sdist":
                place["name"] = local.filename(source.url)
            place |= {"url": source.url} if path is None else {"path": path}
            if source.size is not None:
                place["size"] = source.size
            place["hashes"] = {"sha256": source.digest.hex}
    if source.subdirectory is not None:
        place["subdirectory"] = source.subdirectory
    return place


def _tool(tool: Wheel, folder: Path | None) -> Mapping[str, toml.Value]:
    path = local.relative(tool.url, folder)
    row: dict[str, toml.Value] = {"name": tool.filename}
    row |= {"url": tool.url} if path is None else {"path": path}
    if tool.size is not None:
        row["size"] = tool.size
    return {**row, "sha256": tool.digest.hex}


def is_built(package: Table) -> bool:
    """Whether a row is one of `package`'s: that of a wheel that is fetched has no wheel in its table."""
    tool = package.values().get("tool")
    ours = tool.get("envfreeze") if isinstance(tool, dict) else None
    return isinstance(ours, dict) and "wheel" in ours


def read(package: Table, folder: Path | None) -> Wheel:
    """Read what `package` wrote.

    Args:
        package: the row.
        folder: the project's; paths become URLs in it, None: relative ones.

    Raises:
        EditedError: it is not such a row.

    """
    name = package.string("name")
    kind = next((kind for kind, key in _KEYS.items() if key in package.keys()), None)  # noqa: SIM118
    if kind is None:
        raise package.wrong("tool", "stands in a package that has no source")
    version = package.string("version") if kind in {"sdist", "archive"} else None
    index = pylock_files.index(package) if kind == "sdist" else None
    place = package.table(_KEYS[kind])
    tool = package.table("tool")
    about = tool.table("envfreeze")
    tool.finish()
    dependencies = [*pylock_files.dependencies(package), *(about.optional_strings("conda") or ())]
    package.finish()
    filename, size, digest = about.string("wheel"), about.size("size"), pylock_files.sha256(about)
    try:
        stated = str(parse_wheel_filename(filename)[1])
    except InvalidWheelFilename as error:
        raise about.wrong("wheel", str(error)) from error
    pylock_files.check_filename(about, filename, name, version or stated)
    source = _source(kind, place, about, folder)
    url = f"file:{quote(source.url)}" if kind == "directory" else source.url
    return Wheel(
        name=name,
        version=stated,
        filename=filename,
        digest=digest,
        size=size,
        url=url,
        direct=kind != "sdist",
        dependencies=tuple(sorted(dependencies)),
        source=source,
        index=index,
    )


def _source(kind: str, place: Table, about: Table, folder: Path | None) -> Source:
    commit = revision = size = None
    match kind:
        case "git":
            if place.string("type") != "git":
                raise place.wrong("type", "is not git")
            url, commit, revision = (
                _repository(place),
                place.string("commit-id"),
                place.optional_string("requested-revision"),
            )
            if not _COMMIT.fullmatch(commit):
                raise place.wrong("commit-id", "is not the full id of a commit")
            digest = _tree(about)
        case "directory":
            url, digest = place.string("path"), _tree(about)
            try:
                if url != ".":
                    local.url_of(url, None)
            except ValueError as error:
                raise place.wrong("path", str(error)) from error
        case _:
            if kind == "sdist":
                place.string("name")
            url = pylock_files.url(place, folder)
            size = place.optional_size("size")
            hashes = place.table("hashes")
            digest = pylock_files.sha256(hashes)
            hashes.finish()
    subdirectory = _subdirectory(place)
    place.finish()
    source = Source(
        kind,
        url,
        digest,
        size,
        commit,
        revision,
        subdirectory,
        python=about.string("python"),
        requires=tuple(_read_tool(row, folder) for row in about.tables("requires")),
        notes=about.optional_strings("notes") or (),
        devel=pylock_files.sha256(about, "devel") if "devel" in about.keys() else None,  # noqa: SIM118 - not a mapping
    )
    about.finish()
    return source


def _tree(about: Table) -> Digest:
    return pylock_files.sha256(about, "tree")


def _repository(place: Table) -> str:
    url = place.string("url")
    try:
        parts = urlsplit(url)
        fine = parts.scheme in _SCHEMES and parts.password is None
    except ValueError:
        fine = False
    if not fine or (parts.username is not None and "ssh" not in parts.scheme):
        raise place.wrong("url", "is not the URL of a repository without credentials")
    return url


def _subdirectory(place: Table) -> str | None:
    path = place.optional_string("subdirectory")
    if path is not None and (path.startswith("/") or ".." in path.split("/")):
        raise place.wrong("subdirectory", f"{path!r} leads out of the source")
    return path


def _read_tool(row: Table, folder: Path | None) -> Wheel:
    filename = row.string("name")
    try:
        name, version, _, _ = parse_wheel_filename(filename)
    except InvalidWheelFilename as error:
        raise row.wrong("name", str(error)) from error
    url, size, digest = pylock_files.url(row, folder), row.optional_size("size"), pylock_files.sha256(row)
    row.finish()
    return Wheel(name, str(version), filename, digest, size, url)
