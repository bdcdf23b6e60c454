"""`RECORD`, the list of installed files (packaging.python.org, "Recording installed projects").

The wheel's own RECORD gives the hashes of its members; files that the installation makes or changes are
hashed here. Rows are sorted by path, fields quoted as in CSV, lines end in a line feed.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import posixpath
from typing import TYPE_CHECKING

from envfreeze.errors import UntrustedError

if TYPE_CHECKING:
    from collections.abc import Mapping

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


def row_of(content: bytes) -> Row:
    """The row of a file with this content."""
    hashed = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"sha256={hashed}", str(len(content))


def write_record(rows: Mapping[str, Row], site_packages: str) -> bytes:
    """Write RECORD.

    Args:
        rows: path in the image to its row; RECORD's own has two empty fields.
        site_packages: what the paths are written relative to.

    """
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\n")
    relative = {_relative(path, site_packages): row for path, row in rows.items()}
    for path in sorted(relative, key=str.encode):
        writer.writerow((path, *relative[path]))
    return out.getvalue().encode()


def _relative(path: str, site_packages: str) -> str:
    below = site_packages + "/"
    return path[len(below) :] if path.startswith(below) else posixpath.relpath(path, site_packages)
