"""TOML as the lock's files write it: one fact per line, the same bytes for the same value.

A library's layout may change with its version, and a lock's bytes must not; and a reader of a diff wants one
package to be one line. Only what the lock holds can be written: strings, integers, booleans, arrays, tables.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias, TypeGuard

if TYPE_CHECKING:
    from collections.abc import Iterator

Value: TypeAlias = "str | int | bool | Sequence[Value] | Mapping[str, Value]"

_WIDTH = 100
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_NOT_LITERAL = re.compile(r"['\x00-\x1f\x7f]")
_ESCAPED = re.compile(r'[\\"\x00-\x1f\x7f]')
_SHORT = {"\\": "\\\\", '"': '\\"', "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}


def dumps(document: Mapping[str, Value]) -> str:
    r"""Write a document.

    Keys keep their order, except that within a table plain values come before sub-tables, as TOML wants it.
    A table becomes `[key]`, with a list of tables at the top `[[key]]` each; a list of tables further down is
    an array with one inline table per line. An array of plain values stands on one line if that is at most
    100 characters long, else each value has a line of its own. A string is a basic one, unless it holds a
    double quote and could be a literal one.
    """
    return "".join(f"{line}\n" for line in _table(document, ()))


def _table(table: Mapping[str, Value], path: tuple[str, ...]) -> Iterator[str]:
    below: list[tuple[str, Mapping[str, Value], str]] = []
    for key, value in table.items():
        name = ".".join(_key(part) for part in (*path, key))
        if isinstance(value, Mapping):
            below.append((key, value, f"[{name}]"))
        elif not path and _is_tables(value):
            below += [(key, row, f"[[{name}]]") for row in value]
        else:
            yield from _assignment(key, value)
    for key, value, header in below:
        # The header of a table that only holds tables says nothing; that of an array's element begins it.
        only_tables = bool(value) and all(isinstance(inner, Mapping) for inner in value.values())
        if header.startswith("[[") or not only_tables:
            yield ""
            yield header
        yield from _table(value, (*path, key))


def _is_tables(value: Value) -> TypeGuard[Sequence[Mapping[str, Value]]]:
    if isinstance(value, str | int) or not isinstance(value, Sequence):
        return False
    return bool(value) and all(isinstance(item, Mapping) for item in value)


def _assignment(key: str, value: Value) -> Iterator[str]:
    line = f"{_key(key)} = {_inline(value)}"
    if isinstance(value, str | int | Mapping) or not value or (len(line) <= _WIDTH and not _is_tables(value)):
        yield line
        return
    yield f"{_key(key)} = ["
    for item in value:
        yield f"    {_inline(item)},"
    yield "]"


def _inline(value: Value) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, Mapping):
        pairs = ", ".join(f"{_key(key)} = {_inline(item)}" for key, item in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    return f"[{', '.join(_inline(item) for item in value)}]"


def _key(key: str) -> str:
    return key if _BARE_KEY.fullmatch(key) else _quoted(key)


def _quoted(text: str) -> str:
    if '"' in text and not _NOT_LITERAL.search(text):
        return f"'{text}'"
    return '"' + _ESCAPED.sub(lambda match: _SHORT.get(match[0], f"\\u{ord(match[0]):04x}"), text) + '"'
