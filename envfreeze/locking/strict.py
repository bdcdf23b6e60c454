"""Strict reading of the lock's tables: every key is asked for by its type, and none may be left over.

A lock that is not exactly what envfreeze writes is an `EditedError` with the path of the key, never a
KeyError from somewhere later.
"""

from __future__ import annotations

from typing import Any, TypeVar

from envfreeze.digest import Digest
from envfreeze.errors import UntrustedError

RELOCK = "run `envfreeze lock` to write it anew"


class EditedError(UntrustedError):
    """The lock's files are not as envfreeze wrote them: edited, damaged, lost, or merged with conflicts.

    Running `envfreeze lock` repairs that, which it does not where a newer envfreeze wrote them.
    """


_NAMES = {str: "a string", int: "an integer", bool: "a boolean", list: "an array", dict: "a table"}

_T = TypeVar("_T")


class Table:
    """A TOML table and where it stands.

    Attributes:
        where: file and path of keys, for errors: `envfreeze.lock: target[0].base`.

    """

    def __init__(self, where: str, values: dict[str, Any]) -> None:
        self.where = where
        self._values = dict(values)

    def wrong(self, key: str, what: str) -> EditedError:
        """Make the error that names a key of this table."""
        return EditedError(f"{self._path(key)}: {what}", hint=RELOCK)

    def values(self) -> dict[str, Any]:
        """Give what has not been taken yet."""
        return dict(self._values)

    def string(self, key: str) -> str:
        """Take a string."""
        return self._take(key, str)

    def optional_string(self, key: str) -> str | None:
        """Take a string that may be absent."""
        return self.string(key) if key in self._values else None

    def size(self, key: str) -> int:
        """Take an integer that is not negative."""
        value = self._take(key, int)
        if value < 0:
            raise self.wrong(key, "is negative")
        return value

    def optional_size(self, key: str) -> int | None:
        """Take an integer that is not negative and may be absent."""
        return self.size(key) if key in self._values else None

    def flag(self, key: str) -> bool:
        """Take a boolean; absent is false."""
        return self._take(key, bool) if key in self._values else False

    def digest(self, key: str) -> Digest:
        """Take a sha256, `sha256:<hex>`."""
        text = self.string(key)
        if not text.startswith("sha256:"):
            raise self.wrong(key, f"not a sha256 digest: {text!r}")
        try:
            return Digest.parse(text)
        except ValueError as error:
            raise self.wrong(key, str(error)) from error

    def optional_digest(self, key: str) -> Digest | None:
        """Take a sha256 that may be absent."""
        return self.digest(key) if key in self._values else None

    def strings(self, key: str) -> tuple[str, ...]:
        """Take an array of strings."""
        return tuple(self._items(key, str))

    def optional_strings(self, key: str) -> tuple[str, ...] | None:
        """Take an array of strings that may be absent."""
        return self.strings(key) if key in self._values else None

    def table(self, key: str) -> Table:
        """Take a table."""
        return Table(self._path(key), self._take(key, dict))

    def tables(self, key: str) -> list[Table]:
        """Take an array of tables."""
        path = self._path(key)
        return [Table(f"{path}[{number}]", row) for number, row in enumerate(self._items(key, dict))]

    def string_map(self, key: str) -> dict[str, str]:
        """Take a table of strings with keys of any name."""
        inner = self.table(key)
        return {name: inner.string(name) for name in inner.keys()}  # noqa: SIM118 - not a mapping

    def keys(self) -> tuple[str, ...]:
        """Name the keys that have not been taken yet."""
        return tuple(self._values)

    def finish(self) -> None:
        """Refuse keys that nothing asked for."""
        for key in self._values:
            raise self.wrong(key, "is not a key that envfreeze writes")

    def _path(self, key: str) -> str:
        return f"{self.where}{'' if self.where.endswith(': ') else '.'}{key}"

    def _take(self, key: str, kind: type[_T]) -> _T:
        if key not in self._values:
            raise self.wrong(key, "is missing")
        value = self._values.pop(key)
        # A boolean is an int to Python; TOML tells them apart.
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise self.wrong(key, f"is {_NAMES.get(type(value), 'a date or a float')}, not {_NAMES[kind]}")
        return value

    def _items(self, key: str, kind: type[_T]) -> list[_T]:
        items = self._take(key, list)
        for number, item in enumerate(items):
            if not isinstance(item, kind):
                found = _NAMES.get(type(item), "a date or a float")
                raise self.wrong(f"{key}[{number}]", f"is {found}, not {_NAMES[kind]}")
        return items
