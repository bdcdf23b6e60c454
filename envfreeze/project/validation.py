"""Checks a configuration against its keys and fills in the defaults. Looks at values only, never at files."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from envfreeze.errors import UsageError
from envfreeze.project.keys import TABLES
from envfreeze.project.kinds import Problem, quoted, words_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from envfreeze.project.keys import Table


class Written(Struct, frozen=True):
    """A configuration as it was written.

    Attributes:
        file: the file's name, as errors show it.
        prefix: what comes before each key in that file: empty, or `tool.envfreeze.`.
        values: its tables, as TOML reads them.

    """

    file: str
    prefix: str
    values: Mapping[str, Any]

    def error(self, key: str, message: str, hint: str = "") -> UsageError:
        """Make the error for a key: `envfreeze.toml: image.python …`."""
        return UsageError(f"{self.file}: {self.prefix}{key} {message}", hint=hint)


def check(written: Written) -> dict[str, Any]:
    """Give the settings by table and key, with every default filled in.

    A repeated table is a list of tables. Keys without a default that were not written are None.

    Raises:
        UsageError: an unknown key, a wrong type or a wrong value; all of them are told at once.

    """
    problems = list(_problems(written))
    if problems:
        raise _error(written.file, problems)
    return {table.name: _filled(table, written.values.get(table.name)) for table in TABLES}


def _filled(table: Table, value: Any) -> Any:  # noqa: ANN401 - TOML
    rows = (value or []) if table.repeated else [value or {}]
    filled = [{key.name: row.get(key.name, key.default) for key in table.keys} for row in rows]
    return filled if table.repeated else filled[0]


def _error(file: str, problems: list[Problem]) -> UsageError:
    if len(problems) == 1:
        return UsageError(f"{file}: {problems[0].message}", hint=problems[0].hint)
    details = (f"{problem.message}{f' ({problem.hint})' if problem.hint else ''}" for problem in problems)
    return UsageError(f"{file}: {len(problems)} keys are wrong", details=tuple(details))


def _problems(written: Written) -> Iterator[Problem]:
    tables = {table.name: table for table in TABLES}
    for name, value in written.values.items():
        place = f"{written.prefix}{quoted(name)}"
        if name not in tables:
            yield Problem(f"unknown key {place}", _meant(name, None, written.prefix))
        elif tables[name].repeated:
            yield from _in_tables(tables[name], value, place, written.prefix)
        elif isinstance(value, dict):
            yield from _in_table(tables[name], value, place, written.prefix)
        else:
            yield Problem(
                f"{place} must be a table, not {words_for(value)}", f"write [{place}], and its keys below it"
            )


def _in_tables(table: Table, value: object, place: str, prefix: str) -> Iterator[Problem]:
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        wrong = f"{words_for(value)}" if not isinstance(value, list) else "a list of other values"
        hint = f"write [[{place}]], once for each, and its keys below it"
        yield Problem(f"{place} must be a list of tables, not {wrong}", hint)
        return
    for index, row in enumerate(value):
        yield from _in_table(table, row, f"{place}[{index}]", prefix)
        for key in table.keys:
            if key.required and key.name not in row:
                yield Problem(f"{place}[{index}].{key.name} is missing", f"for example: {key.example}")


def _in_table(table: Table, values: Mapping[str, Any], place: str, prefix: str) -> Iterator[Problem]:
    for name, value in values.items():
        key = table.key(name)
        inside = f"{place}.{quoted(name)}"
        if key is None:
            yield Problem(f"unknown key {inside}", _meant(name, table, prefix))
            continue
        for problem in key.kind.problems(value, inside):
            quotes = "put it in quotes, " if problem.unquoted else ""
            yield Problem(problem.message, problem.hint or f"{quotes}for example: {key.example}")


def _meant(name: str, table: Table | None, prefix: str) -> str:
    """Name the key that was probably meant, or all that there are."""
    here = [key.name for key in table.keys] if table else [known.name for known in TABLES]
    below = f"{table.name}." if table else ""
    wanted = name.lower().replace("_", "-")
    if close := get_close_matches(wanted, here, 1):
        return f"did you mean {prefix}{below}{close[0]}?"
    for other in TABLES:
        if close := get_close_matches(wanted, [key.name for key in other.keys], 1, 0.8):
            return f"did you mean {close[0]} in {_header(other, prefix)}?"
    what = f"keys in {_header(table, prefix)}" if table else "tables"
    return f"the {what} that this version of envfreeze knows: {', '.join(here)}"


def _header(table: Table, prefix: str) -> str:
    return f"[[{prefix}{table.name}]]" if table.repeated else f"[{prefix}{table.name}]"
