"""Finding builds and verifications among lines of records, some of which may be damaged. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

from envfreeze.errors import UntrustedError
from envfreeze.records import lines
from envfreeze.records.model import Record, Verification

if TYPE_CHECKING:
    from collections.abc import Iterable

    from envfreeze.digest import Digest


_Dated = TypeVar("_Dated", Record, Verification)


class Line(NamedTuple):
    """A line, and where it stands, in words."""

    text: bytes
    where: str


def split(text: bytes, where: str) -> list[Line]:
    """Split a note or a file into its lines; the lines of a merge may be parted by empty ones."""
    return [Line(line, where) for line in text.split(b"\n") if line.strip()]


def builds_of(written: Iterable[Line], digest: Digest) -> list[Record]:
    """Read the builds of an index, manifest or config digest, newest first.

    Raises:
        UntrustedError: only damaged or newer lines name the digest.

    """
    found, refused = _read(_naming(written, digest))
    records = [record for record in found if isinstance(record, Record) and record.names(digest)]
    if refused and not records:
        line, error = refused[0]
        raise UntrustedError(f"in {line.where}, where {digest} is named: {error.message}", hint=error.hint)
    return _newest_first(records)


def builds_of_layers(written: Iterable[Line], diff_ids: tuple[Digest, ...]) -> list[Record]:
    """Read the builds that have an image of these very diffIDs, newest first; damage is passed over."""
    found, _ = _read(_naming(written, diff_ids[-1]))
    return _newest_first(
        record
        for record in found
        if isinstance(record, Record)
        and any(tuple(layer.diff_id for layer in image.layers) == diff_ids for image in record.manifests)
    )


def verifications_of(written: Iterable[Line], digest: Digest) -> list[Verification]:
    """Read the verifications of a build's digest, newest first; a damaged line is passed over."""
    found, _ = _read(_naming(written, digest))
    return _newest_first(line for line in found if isinstance(line, Verification) and line.digest == digest)


def _naming(written: Iterable[Line], digest: Digest) -> list[Line]:
    named = digest.hex.encode()
    return [line for line in written if named in line.text]


def _read(
    written: Iterable[Line],
) -> tuple[list[Record | Verification], list[tuple[Line, UntrustedError]]]:
    """Read each different line once: a rewritten commit carries its notes along, a merge may repeat them."""
    found: list[Record | Verification] = []
    refused: list[tuple[Line, UntrustedError]] = []
    for line in sorted({line.text: line for line in written}.values()):
        try:
            value = lines.parse(line.text)
        except UntrustedError as error:
            refused.append((line, error))
        else:
            if value is not None:
                found.append(value)
    return found, refused


def _newest_first(found: Iterable[_Dated]) -> list[_Dated]:
    return sorted(found, key=lambda line: line.at, reverse=True)
