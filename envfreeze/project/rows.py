"""A list of tables inside a table, `[[pip.index]]`: a kind of value made of keys."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, ClassVar

from msgspec import Struct

from envfreeze.project.kinds import Problem, quoted, words_for

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envfreeze.project.keys import Key


class Flag(Struct, frozen=True):
    """True or false."""

    words: ClassVar[str] = "a boolean"

    def problems(self, value: object, place: str) -> Iterator[Problem]:
        """Refuse other types."""
        if not isinstance(value, bool):
            yield Problem(f"{place} must be true or false, not {words_for(value)}")

    def schema(self) -> dict[str, Any]:
        """A boolean."""
        return {"type": "boolean"}


class Rows(Struct, frozen=True):
    """Tables with keys, each of which may stand there once.

    Attributes:
        keys: of each table.

    """

    keys: tuple[Key, ...]
    words: ClassVar[str] = "a list of tables"

    def problems(self, value: object, place: str) -> Iterator[Problem]:
        """Refuse other types, unknown and missing keys, and wrong values."""
        if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
            wrong = "a list of other values" if isinstance(value, list) else words_for(value)
            yield Problem(
                f"{place} must be a list of tables, not {wrong}",
                f"write [[{place}]], once for each, and its keys below it",
            )
            return
        known = {key.name: key for key in self.keys}
        for index, row in enumerate(value):
            for name, member in row.items():
                inside = f"{place}[{index}].{quoted(name)}"
                if name not in known:
                    close = get_close_matches(name.lower().replace("_", "-"), known, 1)
                    hint = f"did you mean {close[0]}?" if close else f"its keys: {', '.join(known)}"
                    yield Problem(f"unknown key {inside}", hint)
                    continue
                for problem in known[name].kind.problems(member, inside):
                    yield Problem(problem.message, problem.hint or f"for example: {known[name].example}")
            for key in self.keys:
                if key.required and key.name not in row:
                    yield Problem(f"{place}[{index}].{key.name} is missing", f"for example: {key.example}")

    def schema(self) -> dict[str, Any]:
        """An array of objects."""
        properties = {
            key.name: {"description": f"{key.doc}\n\nExample: {key.example}", **key.kind.schema()}
            for key in self.keys
        }
        row = {
            "type": "object",
            "additionalProperties": False,
            "properties": properties,
            "required": [key.name for key in self.keys if key.required],
        }
        return {"type": "array", "items": row}
