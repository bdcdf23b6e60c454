"""Finds in a requirements file what makes it depend on other files. Pure: it reads no file.

The format is pip's (https://pip.pypa.io/en/stable/reference/requirements-file-format/), and uv is what
resolves it, which differs from pip in corners: where a comment begins in the name of an included file, how
a continued line goes on, two options on one line. A line that the two read differently is refused, so that
no file is read by the resolution that is not among the project's inputs.
"""

from __future__ import annotations

import re
import shlex
from typing import TYPE_CHECKING
from urllib.parse import unquote

from msgspec import Struct

from envfreeze.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

_END_OF_LINE = re.compile(r"\r\n|\r|\n")
_COMMENT = re.compile(r"(?:^|\s)#.*", re.DOTALL)
_INCLUDE = re.compile(r"(?P<option>--(?:requirement|constraint)(?=[=\s]|$)|-[rc])(?P<value>.*)", re.DOTALL)
_EDITABLE = re.compile(r"--editable(?:[=\s]|$)|-e")
_INCLUDE_WITHIN = re.compile(r"\s(-[rce]|--(?:requirement|constraint|editable)(?=[=\s]|$))")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")
_OPTIONS = re.compile(r"\s-.*", re.DOTALL)
_NAMED = re.compile(
    r"(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)\s*(?P<extras>\[[^\]]*\]\s*)?@\s*(?P<target>.*)", re.DOTALL
)
_MARKER = re.compile(r"\s*;.*", re.DOTALL)
_EXTRAS = re.compile(r"\s*\[[^\]]*\]$")


class Include(Struct, frozen=True):
    """A file that a requirements file includes.

    Attributes:
        line: where, counted from 1.
        option: how: `-r`, `-c` or their long forms.
        path: as written, relative to the folder of the including file.

    """

    line: int
    option: str
    path: str


def includes(content: bytes, file: str) -> list[Include]:
    """List what a requirements or constraints file includes.

    Args:
        content: the file's.
        file: its name in errors.

    Raises:
        UsageError: it is not UTF-8, or includes what cannot be locked.

    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{file} is not UTF-8 text, at byte {error.start}", hint=f"save {file} as UTF-8"
        ) from error
    found = []
    for number, line, is_joined in _joined_lines(text):
        where = f"{file}, line {number}"
        included = _INCLUDE.match(line)
        if included and is_joined:
            raise UsageError(
                f"{where}: {included['option']} is continued on another line, where uv does not look for it",
                hint="write it on one line",
            )
        if included:
            found.append(Include(number, included["option"], _path(included["value"], where)))
        elif within := _INCLUDE_WITHIN.search(line):
            raise UsageError(f"{where}: {within[1]} is not at the start", hint="give it a line of its own")
    return found


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Join continued lines and drop comments and empty lines; each with the number of its first line."""
    return ((number, line) for number, line, _ in _joined_lines(text))


def _joined_lines(text: str) -> Iterator[tuple[int, str, bool]]:
    """Like `logical_lines`, and whether the line was continued."""
    pending, start = "", 0
    for number, line in enumerate(_END_OF_LINE.split(text), start=1):
        start = start if pending else number
        # A comment ends with its line, whatever its last character is.
        bare, commented = _COMMENT.subn("", line)
        if not commented and bare.endswith("\\"):
            pending += bare[:-1] or " "
            continue
        if joined := (pending + bare).strip():
            yield start, joined, bool(pending)
        pending = ""
    if pending.strip():
        yield start, pending.strip(), True


def _path(value: str, where: str) -> str:
    """Read the file's name behind the option."""
    raw = value.partition("#")[0].strip()
    if raw.startswith("="):
        if not value.startswith("=") or raw[1:] != raw[1:].lstrip():
            raise UsageError(f"{where}: there is a space beside `=`", hint="write `=` without spaces")
        raw = raw[1:]
    if not raw:
        raise UsageError(f"{where}: the option names no file")
    path = _unquoted(raw, where)
    problems = (
        (
            _SCHEME.match(path),
            "what a URL holds cannot be locked",
            "download the file into the project and include it from there",
        ),
        (
            "${" in path,
            "an environment variable in the name of an included file cannot be locked",
            "write the name itself",
        ),
        (path.endswith("/"), f"{path} is a folder", "name the file in it"),
        (path.startswith("/"), f"{path} is absolute", "write the path relative to the folder of this file"),
    )
    for is_so, problem, hint in problems:
        if is_so:
            raise UsageError(f"{where}: {problem}", hint=hint)
    return path


def _unquoted(raw: str, where: str) -> str:
    try:
        words = shlex.split(raw)
    except ValueError as error:
        raise UsageError(f"{where}: a quotation mark is left open") from error
    if len(words) == 1:
        return words[0]
    if within := _INCLUDE_WITHIN.search(raw):
        raise UsageError(f"{where}: {within[1]} is not at the start", hint="give it a line of its own")
    if any(mark in raw for mark in "\"'\\"):
        raise UsageError(
            f"{where}: only part of the file's name is quoted", hint="quote all of it, or nothing"
        )
    return raw


class Local(Struct, frozen=True):
    """A requirement that is a file or folder of this machine.

    Attributes:
        name: before the `@`; None without one.
        path: of the file or folder; relative to the project where it is not absolute.
        extras: `[a,b]` behind name or path, or empty.
        marker: `; …`, or empty.
        editable: it was written with `-e`.

    """

    name: str | None
    path: str
    extras: str
    marker: str
    editable: bool


def local(line: str) -> Local | None:
    """Read a requirement that is a file or folder of this machine; None: it is something else.

    Args:
        line: a logical line of a requirements file, or a PEP 508 requirement.

    """
    editable = _EDITABLE.match(line)
    bare = _OPTIONS.sub("", line[editable.end() :].strip() if editable else line)
    named = _NAMED.match(bare)
    rest = named["target"] if named else bare
    marker = _MARKER.search(rest)
    target = _MARKER.sub("", rest).strip()
    is_file_url = target.lower().startswith("file:")
    if target.startswith("$") or (_SCHEME.match(target) and not is_file_url):
        return None
    if not (named or editable or is_file_url or target.startswith((".", "~")) or "/" in target):
        return None
    extras = _EXTRAS.search(target)
    path = _EXTRAS.sub("", target)
    if is_file_url:
        path = unquote(
            re.sub(r"^file:(//(localhost)?(?=/))?", "", path.partition("#")[0], flags=re.IGNORECASE)
        )
    return Local(
        named["name"] if named else None,
        path,
        (named["extras"] or "").strip() if named else extras[0].strip() if extras else "",
        marker[0].strip() if marker else "",
        editable is not None,
    )
