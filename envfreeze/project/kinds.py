r"""Kinds of values that a key of the configuration can have.

Each kind says in one place what it accepts, and is used twice: to check what was written and to write the
JSON schema. Patterns are therefore regular expressions that mean the same to Python and to ECMA-262, the
dialect of JSON schema: no `\d`, `\s` or `\w`, and they match the whole value.
"""

from __future__ import annotations

import re
from datetime import date, datetime, time
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Problem(Struct, frozen=True):
    """Something wrong with a value.

    Attributes:
        message: what is wrong, naming the key and the place inside it: `image.packages[2]`.
        hint: what to do; empty: an example of the key says it best.
        unquoted: the value only lacks its quotes.

    """

    message: str
    hint: str = ""
    unquoted: bool = False


class Kind(Protocol):
    """What a value has to be."""

    @property
    def words(self) -> str:
        """The kind as it stands in a sentence: `a string`."""

    def problems(self, value: object, place: str) -> Iterator[Problem]:
        """Tell everything that is wrong with a value."""

    def schema(self) -> dict[str, Any]:
        """Describe the kind as JSON schema."""


_WORDS: tuple[tuple[type, str], ...] = (
    (bool, "a boolean"),  # before int, which it is a subclass of
    (int, "an integer"),
    (float, "a number"),
    (str, "a string"),
    (list, "a list"),
    (dict, "a table"),
    (datetime, "a date and time"),
    (date, "a date"),
    (time, "a time"),
)


def words_for(value: object) -> str:
    """Name the type of a TOML value."""
    return next(words for kind, words in _WORDS if isinstance(value, kind))


def anchored(pattern: str) -> str:
    """Write a pattern for JSON schema, where a pattern may match anywhere."""
    return f"^(?:{pattern})$"


def _wrong_type(value: object, place: str, wanted: str) -> Problem:
    unquoted = wanted.startswith("a string") and not isinstance(value, list | dict)
    return Problem(f"{place} must be {wanted}, not {words_for(value)}", unquoted=unquoted)


class Text(Struct, frozen=True):
    """A string.

    Attributes:
        pattern: what all of it matches.
        form: the pattern in words, after "must be".
        hint: what to say to who wrote another form; empty: an example is shown.

    """

    pattern: str
    form: str
    hint: str = ""
    words: ClassVar[str] = "a string"

    def problems(self, value: object, place: str) -> Iterator[Problem]:
        """Refuse other types and other forms."""
        if not isinstance(value, str):
            yield _wrong_type(value, place, self.words)
        elif not re.fullmatch(self.pattern, value):
            yield Problem(f"{place} must be {self.form}, not {value!r}", self.hint)

    def schema(self) -> dict[str, Any]:
        """A string with its pattern."""
        return {"type": "string", "pattern": anchored(self.pattern)}


class Secret(Struct, frozen=True):
    """A string that may hold credentials and is never shown.

    Attributes:
        pattern: what all of it matches.
        form: the pattern in words, after "must be".
        hint: what to say to who wrote another form; empty: an example is shown.

    """

    pattern: str
    form: str
    hint: str = ""

    words: ClassVar[str] = "a string"

    def problems(self, value: object, place: str) -> Iterator[Problem]:
        """Refuse other types and other forms, without telling the value."""
        if not isinstance(value, str):
            yield _wrong_type(value, place, self.words)
        elif not re.fullmatch(self.pattern, value):
            yield Problem(f"{place} must be {self.form}", self.hint)

    def schema(self) -> dict[str, Any]:
        """A string with its pattern."""
        return {"type": "string", "pattern": anchored(self.pattern)}


class Choice(Struct, frozen=True):
    """One of a few strings.

    Attributes:
        values: all of them.
        hint: what to say to who wrote another one; empty: the nearest is named.

    """

    values: tuple[str, ...]
    hint: str = ""
    words: ClassVar[str] = "a string"

    def problems(self, value: object, place: str) -> Iterator[Problem]:
        """Refuse any other value."""
        if not isinstance(value, str):
            yield _wrong_type(value, place, self.words)
        elif value not in self.values:
            listed = " or ".join(f'"{known}"' for known in self.values)
            nearest = get_close_matches(value, self.values, 1)
            hint = self.hint or (f'did you mean "{nearest[0]}"?' if nearest else "")
            yield Problem(f"{place} must be {listed}, not {value!r}", hint)

    def schema(self) -> dict[str, Any]:
        """An enumeration."""
        return {"enum": list(self.values)}


class Whole(Struct, frozen=True):
    """An integer.

    Attributes:
        minimum: the least.
        maximum: the greatest.

    """

    minimum: int
    maximum: int
    words: ClassVar[str] = "an integer"

    def problems(self, value: object, place: str) -> Iterator[Problem]:
        """Refuse other types, booleans among them, and what is out of range."""
        if not isinstance(value, int) or isinstance(value, bool):
            yield _wrong_type(value, place, self.words)
        elif not self.minimum <= value <= self.maximum:
            yield Problem(f"{place} must be between {self.minimum} and {self.maximum}")

    def schema(self) -> dict[str, Any]:
        """An integer with its range."""
        return {"type": "integer", "minimum": self.minimum, "maximum": self.maximum}


_DATE = "[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = r"[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?"
_SPAN = "[1-9][0-9]{0,3} (?:hours?|days?|weeks?)|P[1-9][0-9]{0,3}[DW]|PT[1-9][0-9]{0,3}H"
_MOMENT = f"{_DATE}(?:[Tt ]{_CLOCK}(?:[Zz]|[+-][0-9]{{2}}:[0-9]{{2}}))?"


class Moment(Struct, frozen=True):
    """A date, or a date and time with its offset from UTC (RFC 3339), as TOML has them or as a string.

    Or a span of time before the lock is made: `7 days`, or as ISO 8601 writes it, `P7D`.
    """

    words: ClassVar[str] = "a date"

    def problems(self, value: object, place: str) -> Iterator[Problem]:
        """Refuse other types and times without an offset."""
        offset = "write the offset from UTC, as in 2026-09-12T08:00:00Z"
        if isinstance(value, datetime):
            if value.tzinfo is None:
                yield Problem(f"{place} must say which time zone it is in", offset)
        elif isinstance(value, str):
            if not re.fullmatch(f"{_MOMENT}|{_SPAN}", value):
                yield Problem(
                    f"{place} must be an RFC 3339 date or date and time, or a span of time, not {value!r}",
                    f"{offset}, or a span, as in 7 days",
                )
        elif not isinstance(value, date):
            yield _wrong_type(value, place, self.words)

    def schema(self) -> dict[str, Any]:
        """A string, as which editors show TOML's own dates to a schema."""
        return {"type": "string", "pattern": anchored(f"{_MOMENT}|{_SPAN}")}


class Items(Struct, frozen=True):
    """A list.

    Attributes:
        item: what each member is.
        at_least: how many there must be.
        unique: whether one may stand there only once.

    """

    item: Kind
    at_least: int = 0
    unique: bool = True

    @property
    def words(self) -> str:
        """The members' kind in the plural."""
        return f"a list of {self.item.words.partition(' ')[2]}s"

    def problems(self, value: object, place: str) -> Iterator[Problem]:
        """Refuse other types, a list that is too short, wrong members and members that stand there twice."""
        if not isinstance(value, list):
            yield _wrong_type(value, place, self.words)
            return
        if len(value) < self.at_least:
            yield Problem(f"{place} must not be empty")
        for index, member in enumerate(value):
            problems = list(self.item.problems(member, f"{place}[{index}]"))
            yield from problems
            if self.unique and not problems and member in value[:index]:
                yield Problem(f"{place}[{index}] stands there twice", "remove one of the two")

    def schema(self) -> dict[str, Any]:
        """An array."""
        described: dict[str, Any] = {"type": "array", "items": self.item.schema()}
        if self.at_least:
            described["minItems"] = self.at_least
        if self.unique:
            described["uniqueItems"] = True
        return described


class OneOrMore(Struct, frozen=True):
    """A value, or a list of them.

    Attributes:
        item: what each is.
        at_least: how many a list must have.

    """

    item: Kind
    at_least: int = 0

    @property
    def words(self) -> str:
        """Both forms."""
        return f"{self.item.words} or {self._items.words}"

    @property
    def _items(self) -> Items:
        return Items(self.item, at_least=self.at_least)

    def problems(self, value: object, place: str) -> Iterator[Problem]:
        """Refuse other types and wrong members."""
        if isinstance(value, list):
            yield from self._items.problems(value, place)
        elif isinstance(value, str):
            yield from self.item.problems(value, place)
        else:
            yield _wrong_type(value, place, self.words)

    def schema(self) -> dict[str, Any]:
        """The value or an array of it."""
        return {"anyOf": [self.item.schema(), self._items.schema()]}


class Named(Struct, frozen=True):
    """A table of values under names of the user's own.

    Attributes:
        value: what each value is.
        names: the pattern that all of a name matches.
        form: that pattern in words.
        reserved: names that may not be used, and why.

    """

    value: Kind
    names: str
    form: str
    reserved: Mapping[str, str]

    @property
    def words(self) -> str:
        """The values' kind in the plural."""
        return f"a table of {self.value.words.partition(' ')[2]}s"

    def problems(self, value: object, place: str) -> Iterator[Problem]:
        """Refuse other types, wrong names and wrong values."""
        if not isinstance(value, dict):
            yield _wrong_type(value, place, self.words)
            return
        for name, member in value.items():
            inside = f"{place}.{quoted(name)}"
            if name in self.reserved:
                yield Problem(f"{inside} cannot be set", self.reserved[name])
            elif not re.fullmatch(self.names, name):
                yield Problem(f"{inside} must be named by {self.form}")
            else:
                yield from self.value.problems(member, inside)

    def schema(self) -> dict[str, Any]:
        """An object without properties of its own."""
        names: dict[str, Any] = {"pattern": anchored(self.names)}
        if self.reserved:
            names["not"] = {"enum": sorted(self.reserved)}
        return {"type": "object", "propertyNames": names, "additionalProperties": self.value.schema()}


def quoted(name: str) -> str:
    """Write a key as TOML does: bare where it can be."""
    if re.fullmatch("[A-Za-z0-9_-]+", name):
        return name
    return '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
