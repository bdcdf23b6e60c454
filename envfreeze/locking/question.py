"""What is asked of uv for a project and a target: the requirements, their limits and where to look.

Files that uv needs are written into a temporary folder. None of them holds a password: an index with one is
named there without it, and its user and password travel in the child's environment.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from envfreeze.locking import indexes, toml

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from envfreeze.locking.indexes import Indexes
    from envfreeze.project.model import Project

ASSIGNED = "envfreeze-assigned"
"""The name of the project that makes packages come from the index that they are assigned to."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked.

    Attributes:
        arguments: of `uv pip compile`, without the output.
        sources: files of requirements.
        assigning: the project that makes packages come from the index that they are assigned to, if any.
        where: the indexes.
        shown_as: paths of temporary files, and what an error calls them.
        secrets: further environment variables, with users and passwords.

    """

    arguments: tuple[str, ...]
    sources: tuple[str, ...]
    assigning: tuple[str, ...]
    where: Indexes
    shown_as: Mapping[str, str]
    secrets: Mapping[str, str] = field(repr=False)


def pose(
    project: Project,
    assigned: Mapping[str, str],
    scratch: Path,
    *,
    python: str,
    platform: str,
    newest: str | None,
) -> Question:
    """Write what uv reads into a folder.

    Args:
        project: its `pip` settings and requirements.
        assigned: names of packages, and the index that each has to come from.
        scratch: a temporary folder that nobody else can read.
        python: the exact version.
        platform: as uv calls it, `x86_64-manylinux_2_40`.
        newest: no file uploaded after this moment.

    Raises:
        OSError: the folder cannot be written.

    """
    where = indexes.of_project(project)
    arguments = [f"--python-version={python}", f"--python-platform={platform}"]
    arguments += [f"--constraints={path}" for path in project.pip.constraints]
    if newest is not None:
        arguments.append(f"--exclude-newer={newest}")
    shown_as: dict[str, str] = {}

    def written(name: str, lines: Iterable[str], shown: str) -> str:
        path = scratch / name
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        shown_as[str(path)] = shown
        return str(path)

    arguments += _adjusted(project, written)
    sources = list(project.pip.requirements)
    if project.pip.dependencies:
        sources.append(written("dependencies.txt", project.pip.dependencies, "the project's dependencies"))
    assigning = []
    if assigned:
        (scratch / ASSIGNED).mkdir(exist_ok=True)
        text = toml.dumps(_assigning(assigned, where))
        assigning.append(written(f"{ASSIGNED}/pyproject.toml", [text], "the packages assigned to an index"))
    return Question(tuple(arguments), tuple(sources), tuple(assigning), where, shown_as, _secrets(where))


def _adjusted(project: Project, written: Written) -> list[str]:
    said = project.pip.adjustments
    arguments = []
    for option, lines in (
        ("constraints", said.constraints),
        ("overrides", said.overrides),
        ("excludes", said.excludes),
    ):
        if lines:
            arguments.append(f"--{option}={written(f'{option}.txt', lines, f'{option} of [tool.uv]')}")
    for option, value in (
        ("index-strategy", said.index_strategy),
        ("prerelease", said.prerelease),
        ("resolution", said.resolution),
    ):
        if value is not None:
            arguments.append(f"--{option}={value}")
    arguments += [f"--exclude-newer-package={name}={moment}" for name, moment in said.package_cutoffs]
    return arguments


def _assigning(assigned: Mapping[str, str], where: Indexes) -> dict[str, toml.Value]:
    """Write a project that depends on the packages, each from its index.

    uv keeps a package to one index only if a project says so of a package that it names itself
    (`[tool.uv.sources]`); then that holds for whatever else depends on the package, too.
    """
    rows: list[Mapping[str, toml.Value]] = [
        {"name": index.name, "url": indexes.without_credentials(index.url), "explicit": True}
        for index in where.named
        if index.explicit
    ]
    sources: dict[str, toml.Value] = {name: {"index": assigned[name]} for name in sorted(assigned)}
    tool: dict[str, toml.Value] = {"sources": sources}
    if rows:
        tool["index"] = rows
    return {
        "project": {"name": ASSIGNED, "version": "0", "dependencies": sorted(assigned)},
        "tool": {"uv": tool},
    }


def _secrets(where: Indexes) -> dict[str, str]:
    found: dict[str, str] = {}
    for index in where.named:
        user, _, word = urlsplit(index.url).netloc.rpartition("@")[0].partition(":")
        if index.explicit and user:
            name_of_user, name_of_word = indexes.variables(index.name)
            found[name_of_user] = unquote(user)
            if word:
                found[name_of_word] = unquote(word)
    return found


if TYPE_CHECKING:
    from collections.abc import Callable

    Written = Callable[[str, Iterable[str], str], str]
    """Writes lines into a file of a name, which errors call so; its path."""
