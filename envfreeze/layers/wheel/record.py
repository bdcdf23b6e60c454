"""`RECORD`, the list of installed files (packaging.python.org, "Recording installed projects").

The wheel's own RECORD gives the hashes of its members; files that the installation makes or changes are
hashed here. Rows are sorted by path, lines end in a line feed.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
from typing import TYPE_CHECKING

from envfreeze.errors import UntrustedError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_FIELDS = 3

Row = tuple[str, str]
"""Hash (`sha256=` and unpadded base64url, or empty) and size in decimal (or empty)."""


def read_record(text: bytes) -> dict[str, Row]:
    """Read a wheel's RECORD: member name to its row.

    Raises:
        UntrustedError: it cannot be read.

    """
    try:
        rows = list(csv.reader(io.StringIO(text.decode(), newline="")))
    except (csv.Error, UnicodeDecodeError) as error:
        raise UntrustedError(f"RECORD cannot be read: {error}") from error
    found: dict[str, Row] = {}
    for row in rows:
        if not row:
            continue
        if len(row) != _FIELDS:
            raise UntrustedError(f"RECORD has a line of {len(row)} fields, not three: {','.join(row)!r}")
        found[row[0]] = (row[1], row[2])
    return found


def row_of(pieces: Iterable[bytes]) -> Row:
    """The row of a file with this content, given in pieces."""
    digest = hashlib.sha256()
    size = 0
    for piece in pieces:
        digest.update(piece)
        size += len(piece)
    return f"sha256={base64.urlsafe_b64encode(digest.digest()).rstrip(b'=').decode()}", str(size)


def write_record(rows: Mapping[str, Row], site_packages: str) -> bytes:
    """Write RECORD.

    Args:
        rows: path in the image to its row; RECORD's own has two empty fields.
        site_packages: what the paths are written relative to.

    """
    relative = {_relative(path, site_packages): row for path, row in rows.items()}
    lines = (",".join(map(_field, (path, *relative[path]))) for path in sorted(relative, key=str.encode))
    return "".join(f"{line}\n" for line in lines).encode()


def _field(text: str) -> str:
    """A field, quoted only where it holds a comma or a quote (RFC 4180, 2); it holds no line breaks."""
    if "," in text or '"' in text:
        return '"' + text.replace('"', '""') + '"'
    return text


def _relative(path: str, site_packages: str) -> str:
    below = site_packages + "/"
    if path.startswith(below):
        return path[len(below) :]
    here, there = site_packages.split("/"), path.split("/")
    common = 0
    while here[common : common + 1] == there[common : common + 1]:
        common += 1
    return "/".join([".."] * (len(here) - common) + there[common:])
