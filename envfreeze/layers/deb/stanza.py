"""A control stanza (deb-control(5)): fields in their order, values with their folded lines."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from collections.abc import Iterator

_FIELD = re.compile(r"([!-9;-~]+):[ \t]*(.*)")


@dataclass(frozen=True, slots=True)
class Stanza:
    """One stanza.

    Attributes:
        fields: name and value in the order of the text; a folded value keeps its newlines and the
            leading blanks of its continuation lines.

    """

    fields: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, content: bytes) -> Self:
        """Read the one stanza of a control file.

        Raises:
            ValueError: it is not UTF-8, holds a line that is no field, or a field twice.

        """
        fields: dict[str, list[str]] = {}
        last: list[str] | None = None
        text = content.decode().strip("\n")
        for line in text.split("\n"):
            if line[:1] in {" ", "\t"}:
                if last is None:
                    raise ValueError("it begins with a continuation line")
                last.append(line)
                continue
            match = _FIELD.fullmatch(line)
            if match is None:
                raise ValueError(f"{line[:40]!r} is no field")
            if match[1].lower() in {name.lower() for name in fields}:
                raise ValueError(f"{match[1]} stands twice")
            last = fields[match[1]] = [match[2]]
        return cls(tuple((name, "\n".join(lines)) for name, lines in fields.items()))

    def get(self, name: str) -> str | None:
        """Give a field's value; names are compared without regard to case."""
        wanted = name.lower()
        return next((value for key, value in self.fields if key.lower() == wanted), None)

    def __iter__(self) -> Iterator[tuple[str, str]]:
        return iter(self.fields)
