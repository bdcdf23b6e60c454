"""`[project]` and `[dependency-groups]` of pyproject.toml as a source of requirements.

Follows the pyproject.toml specification (PEP 621, https://packaging.python.org/specifications/pyproject-toml/)
and that of dependency groups (PEP 735). The project itself is not installed: where it names itself with
extras (`dev = ["mine[test]"]`), the requirements of those extras take the place of the name.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field
from packaging.requirements import InvalidRequirement, Requirement
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name

from envfreeze.errors import UsageError
from envfreeze.project.configuration import PYPROJECT
from envfreeze.project.uv_settings import UvSettings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


class Pyproject(Struct, frozen=True):
    """What pyproject.toml says of the project.

    Attributes:
        project: its `[project]` table; None without one.
        groups: its `[dependency-groups]` table.
        uv: `[tool.uv]`.

    """

    project: Mapping[str, Any] | None
    groups: Mapping[str, Any]
    uv: UvSettings = field(default_factory=UvSettings)

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> Pyproject:
        """Take the tables out of the document.

        Raises:
            UsageError: one of them is not a table, or a key of `[tool.uv]` has a wrong value.

        """
        project = document.get("project")
        if project is not None:
            _require(project, dict, "project", "a table")
        groups = _require(document.get("dependency-groups", {}), dict, "dependency-groups", "a table")
        return cls(project, groups, UvSettings.of(document))

    @property
    def name(self) -> str | None:
        """The project's name, as written.

        Raises:
            UsageError: it is not a string.

        """
        name = (self.project or {}).get("name")
        return None if name is None else str(_require(name, str, "project.name", "a string"))

    @property
    def requires_python(self) -> str | None:
        """Which Pythons the project runs on (PEP 440), as written.

        Raises:
            UsageError: it is not a version specifier.

        """
        written = (self.project or {}).get("requires-python")
        if written is None:
            return None
        text = str(_require(written, str, "project.requires-python", "a string"))
        try:
            SpecifierSet(text)
        except InvalidSpecifier as error:
            raise UsageError(
                f"{PYPROJECT}: project.requires-python is not a version specifier: {text!r}",
                hint='for example: requires-python = ">=3.11"',
            ) from error
        return text

    @property
    def names_dependencies(self) -> bool:
        """Whether `[project]` says what the project depends on, be it nothing.

        Raises:
            UsageError: the list is made by the project's build backend.

        """
        if self._is_dynamic("dependencies"):
            raise UsageError(
                f"{PYPROJECT}: project.dependencies is dynamic: only the build backend knows it",
                hint="list them in [project], or name the file that has them: [pip] requirements = [...]",
            )
        return self.project is not None and "dependencies" in self.project

    def dependencies(self) -> list[str]:
        """Give `[project.dependencies]`.

        Raises:
            UsageError: an entry is not a requirement, or one that cannot be locked.

        """
        return self._listed((self.project or {}).get("dependencies", []), "project.dependencies", frozenset())

    def of_extra(self, name: str) -> list[str]:
        """Give the requirements of an extra, without those of `[project.dependencies]`.

        Raises:
            UsageError: there is no such extra, or an entry is not a requirement or cannot be locked.

        """
        return self._extra(name, f"extra {name!r}", frozenset())

    def of_group(self, name: str) -> list[str]:
        """Give the requirements of a dependency group.

        Raises:
            UsageError: there is no such group, it is malformed (PEP 735), or an entry cannot be locked.

        """
        if canonicalize_name(name) not in {canonicalize_name(group) for group in self.groups}:
            raise UsageError(
                f"{PYPROJECT}: there is no dependency group {name!r}",
                hint=_nearest(name, "dependency-groups", self.groups),
            )
        try:
            from packaging.dependency_groups import resolve_dependency_groups  # noqa: PLC0415 - only for groups

            listed = resolve_dependency_groups(self.groups, name)
        except ExceptionGroup as error:
            problems = tuple(dict.fromkeys(str(problem) for problem in _leaves(error)))
            raise UsageError(
                f"{PYPROJECT}: the dependency group {name!r} is malformed", details=problems
            ) from error
        except RecursionError as error:
            raise UsageError(f"{PYPROJECT}: the dependency group {name!r} is nested too deeply") from error
        return self._listed(list(listed), f"dependency-groups.{name}", frozenset())

    def _is_dynamic(self, field: str) -> bool:
        dynamic = _require(
            (self.project or {}).get("dynamic", []), list, "project.dynamic", "a list of strings"
        )
        return field in dynamic

    def _extra(self, name: str, wanted: str, within: frozenset[str]) -> list[str]:
        if self._is_dynamic("optional-dependencies"):
            raise UsageError(
                f"{PYPROJECT}: project.optional-dependencies is dynamic: only the build backend has {wanted}",
                hint="list the extras in [project.optional-dependencies]",
            )
        place = "project.optional-dependencies"
        extras = _require((self.project or {}).get("optional-dependencies", {}), dict, place, "a table")
        found = next((key for key in extras if canonicalize_name(key) == canonicalize_name(name)), None)
        if found is None:
            raise UsageError(f"{PYPROJECT}: there is no {wanted}", hint=_nearest(name, place, extras))
        return self._listed(extras[found], f"{place}.{found}", within | {canonicalize_name(name)})

    def _listed(self, entries: object, place: str, within: frozenset[str]) -> list[str]:
        """Check a list of requirements; `within`: the extras that it is being listed for."""
        listed: list[str] = []
        for index, entry in enumerate(_require(entries, list, place, "a list of strings")):
            where = f"{place}[{index}]"
            text = str(_require(entry, str, where, "a string")).strip()
            try:
                requirement = _requirement(text)
            except InvalidRequirement as error:
                raise UsageError(
                    f"{PYPROJECT}: {where} is not a requirement: {text!r}",
                    details=tuple(str(error).split("\n")[:1]),
                ) from error
            if self.name is not None and canonicalize_name(requirement.name) == canonicalize_name(self.name):
                listed += self._of_itself(requirement, where, within)
                continue
            listed.append(text)
        return list(dict.fromkeys(listed))

    def _of_itself(self, requirement: Requirement, where: str, within: frozenset[str]) -> Iterator[str]:
        """List the extras of the project that it names; `[project.dependencies]` are added elsewhere."""
        for extra in sorted(requirement.extras):
            if canonicalize_name(extra) in within:
                continue  # it is being listed already
            for text in self._extra(extra, f"extra {extra!r}, which {where} names", within):
                yield _under(text, requirement) if requirement.marker else text


def _requirement(text: str) -> Requirement:
    # A resolver reads one requirement from each line, and PEP 508 lets a URL hold the end of one.
    if _CONTROL.search(text):
        raise InvalidRequirement("it has a control character")
    return Requirement(text)


def _under(text: str, outer: Requirement) -> str:
    """Put a requirement under the marker of the one that named its extra."""
    requirement = Requirement(text)
    both = f"({requirement.marker}) and ({outer.marker})" if requirement.marker else str(outer.marker)
    requirement.marker = type(outer.marker)(both) if outer.marker else None
    return str(requirement)


def _require(value: object, kind: type, place: str, words: str) -> Any:  # noqa: ANN401 - of that type
    if not isinstance(value, kind):
        raise UsageError(f"{PYPROJECT}: {place} must be {words}")
    return value


def _nearest(name: str, table: str, known: Sequence[str] | Mapping[str, Any]) -> str:
    spelled: dict[str, str] = {canonicalize_name(one): one for one in known}
    if close := get_close_matches(canonicalize_name(name), spelled, 1):
        return f"did you mean {spelled[close[0]]!r}?"
    return f"[{table}] has: {', '.join(sorted(known))}" if known else f"there is no [{table}]"


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for inner in error.exceptions:
            yield from _leaves(inner)
    else:
        yield error
