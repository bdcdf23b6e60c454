"""What the project's requirements name: the packages that are asked for, not merely depended on.

The format is pip's (https://pip.pypa.io/en/stable/reference/requirements-file-format/). uv resolves the
files themselves; this module only reads names and options from them.
"""

from __future__ import annotations

import os
import posixpath
import re
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from msgspec import Struct
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from envfreeze.locking.markers import holds
from envfreeze.project.requirements import includes, local, logical_lines

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from packaging.markers import Marker

    from envfreeze.project.model import Project

_PYPROJECT = "pyproject.toml"
_OPTIONS_AFTER = re.compile(r"\s--?[a-zA-Z].*$")
_NAME = re.compile(r"([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:$|[\[<>=!~;@( ])")
_INDEX = re.compile(r"(?:-i|--index-url)[\s=]*(.+)")
_FURTHER = re.compile(r"--extra-index-url[\s=]+(.+)")
_LINKS = re.compile(r"(?:-f|--find-links)[\s=]*(.+)")
_HASH = re.compile(r"--hash[\s=]+([a-z0-9]+):([0-9A-Fa-f]+)")
_DIRECT = re.compile(r"[a-z][a-z0-9+.]*://[^\s@/]*@[^\s]+")
_VARIABLE = re.compile(r"\$\{([A-Z0-9_]+)\}")


class Hashed(Struct, frozen=True):
    """A line that says which files of a package are meant (`--hash`).

    Attributes:
        where: file and line.
        name: the package, normalised.
        marker: where the line applies; None: everywhere.
        sha256: digests in hex, in lower case.
        others: algorithms of further hashes.

    """

    where: str
    name: str
    marker: Marker | None
    sha256: frozenset[str]
    others: frozenset[str]


def requested(project: Project, environment: Mapping[str, str] | None = None) -> frozenset[str]:
    """Collect the normalised names that the project's requirements name.

    Args:
        project: whose.
        environment: that of a target: names whose markers do not hold there are left out. None: markers are
            not looked at, since a name that does not apply to a target is not in its resolution either.

    Raises:
        UsageError: a requirements file includes what cannot be locked.

    """
    lines = [*project.pip.dependencies, *_lines_of_files(project)]
    if environment is not None:
        lines = [line for line in lines if holds(_marker(line), environment)]
    return frozenset(name for line in lines if (name := _name(line)) is not None)


def named_in(project: Project) -> Mapping[str, tuple[str, ...]]:
    """Say where the project names each package of `requested`: the files, in pip's order.

    What pyproject.toml asks for, extras and groups included, counts as named there; where there is none it is
    the pip section of an environment file.
    """
    found: dict[str, list[str]] = {}
    environment = next((name for name in project.inputs if name.endswith((".yml", ".yaml"))), _PYPROJECT)
    place = _PYPROJECT if (project.root / _PYPROJECT).is_file() else environment
    lines = [(place, line) for line in project.pip.dependencies]
    for where, line in (*lines, *_lines_with_places(project)):
        if (name := _name(line)) is not None and where not in found.setdefault(name, []):
            found[name].append(where)
    return {name: tuple(places) for name, places in found.items()}


def wanted(project: Project) -> list[Requirement]:
    """Parse the project's requirements that PEP 508 can say; others are left out.

    Raises:
        UsageError: as `requested`.

    """
    found = []
    for line in (*project.pip.dependencies, *_lines_of_files(project)):
        if not line.startswith("-"):
            with suppress(InvalidRequirement):
                found.append(Requirement(_OPTIONS_AFTER.sub("", line).strip()))
    return found


def index(project: Project) -> str | None:
    """Give the index that the requirements files themselves name (`--index-url`), variables put in."""
    found = (_INDEX.match(line) for line in _lines_of_files(project))
    return next((_expanded(match[1].strip()) for match in found if match), None)


def further_indexes(project: Project) -> tuple[str, ...]:
    """Give the further indexes of the requirements files (`--extra-index-url`), variables put in."""
    found = (_FURTHER.match(line) for line in _lines_of_files(project))
    return tuple(_expanded(match[1].strip()) for match in found if match)


def urls(project: Project) -> tuple[str, ...]:
    """Give every URL in the requirements that may say who is asking, with its variables put in."""
    found = []
    for line in (*project.pip.dependencies, *_lines_of_files(project)):
        options = (option.match(line) for option in (_INDEX, _FURTHER, _LINKS))
        found += [_expanded(match[1].strip()) for match in options if match]
        found += _DIRECT.findall(_expanded(line))
    return tuple(dict.fromkeys(found))


def hashed(project: Project) -> tuple[Hashed, ...]:
    """Give the lines of requirements and constraints files that state hashes.

    Raises:
        UsageError: a file includes what cannot be locked.

    """
    found = []
    for path in _files(project, (*project.pip.requirements, *project.pip.constraints), constraints=True):
        for number, line in logical_lines(project.inputs[path].decode("utf-8-sig")):
            stated = _HASH.findall(line)
            name = _name(line) if stated else None
            if name is None:
                continue
            found.append(
                Hashed(
                    where=f"{path}, line {number}",
                    name=name,
                    marker=_marker(line),
                    sha256=frozenset(value.lower() for kind, value in stated if kind == "sha256"),
                    others=frozenset(kind for kind, _ in stated if kind != "sha256"),
                )
            )
    return tuple(found)


def editable(project: Project) -> tuple[str, ...]:
    """Name the folders that requirements files name with `-e`."""
    found = (local(line) for line in _lines_of_files(project) if line.startswith(("-e", "--editable")))
    return tuple(one.path for one in found if one is not None)


def line_of(project: Project, name: str) -> str | None:
    """Give the line by which the project names a package, with what credentials it has; None: it does not."""
    lines = [*project.pip.dependencies, *_lines_of_files(project)]
    return next((line for line in lines if _name(line) == name), None)


def with_names(content: bytes, root: Path, names: Mapping[str, str]) -> bytes:
    """Rewrite a requirements file: folders without a name get theirs.

    Args:
        content: the file's.
        root: the project's folder.
        names: path of a folder, relative to the project, to its name.

    """
    try:
        lines = [line for _, line in logical_lines(content.decode("utf-8-sig"))]
    except UnicodeDecodeError:
        return content  # a key, say: no requirements file
    return "".join(f"{_with_name(line, root, names)}\n" for line in lines).encode()


def _with_name(line: str, root: Path, names: Mapping[str, str]) -> str:
    found = None if line.startswith("-") and not line.startswith(("-e", "--editable")) else local(line)
    if found is None or found.name is not None:
        return line
    path = Path(posixpath.normpath(root / found.path))
    for base in (root, root.resolve()):
        if path.is_relative_to(base) and (name := names.get(path.relative_to(base).as_posix())):
            return f"{name}{found.extras} @ {path.as_uri()} {found.marker}".rstrip()
    return line


def _lines_of_files(project: Project) -> list[str]:
    return [line for _, line in _lines_with_places(project)]


def _lines_with_places(project: Project) -> list[tuple[str, str]]:
    lines: list[tuple[str, str]] = []
    for path in _files(project, project.pip.requirements, constraints=False):
        lines += [(path, line) for _, line in logical_lines(project.inputs[path].decode("utf-8-sig"))]
    return lines


def _files(project: Project, names: Iterable[str], *, constraints: bool) -> Iterator[str]:
    """Every file that is read: those named, and what they include; constraints only where asked for."""
    waiting = list(names)
    seen: set[str] = set()
    while waiting:
        path = posixpath.normpath(waiting.pop())
        if path in seen or path not in project.inputs:
            continue
        seen.add(path)
        yield path
        waiting += [
            posixpath.join(posixpath.dirname(path), include.path)
            for include in includes(project.inputs[path], path)
            if constraints or include.option in {"-r", "--requirement"}
        ]


def _expanded(text: str) -> str:
    """Put environment variables in as pip and uv do: one that is not set stays as it is written."""
    return _VARIABLE.sub(lambda match: os.environ.get(match[1]) or match[0], text)


def _marker(line: str) -> Marker | None:
    try:
        return Requirement(_OPTIONS_AFTER.sub("", line).strip()).marker
    except InvalidRequirement:
        return None


def _name(line: str) -> str | None:
    if line.startswith("-"):
        return None
    requirement = _OPTIONS_AFTER.sub("", line).strip()
    try:
        return canonicalize_name(Requirement(requirement).name)
    except InvalidRequirement:
        pass
    if named := _NAME.match(
        requirement
    ):  # `name @ ./folder` and the like, which pip takes and PEP 508 does not
        return canonicalize_name(named[1])
    try:
        path = urlsplit(requirement.partition(";")[0].strip()).path
        return parse_wheel_filename(unquote(posixpath.basename(path)))[0]
    except (ValueError, InvalidWheelFilename):  # neither a URL nor a wheel: uv will say so
        return None
