"""A record as an in-toto statement: what is said of an image, in the form that tools for attestations read.

https://github.com/in-toto/attestation (spec/v1/statement.md). The subjects are the digests that the record
names, the predicate is the record itself, as docs/formats/record-1.md has it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from envfreeze.errors import UntrustedError
from envfreeze.oci import canonical
from envfreeze.records import lines
from envfreeze.records.model import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from envfreeze.digest import Digest
    from envfreeze.records.model import Verification

STATEMENT = "https://in-toto.io/Statement/v1"

PREDICATE = "urn:envfreeze:record:1"
"""The type of a record as a predicate."""

MEDIA_TYPE = "application/vnd.in-toto+json"


def of_record(value: Record | Verification) -> bytes:
    """Write the statement of a record, canonically.

    Raises:
        UntrustedError: the record is not one that can be read again.

    """
    return write(subjects(value), PREDICATE, json.loads(lines.render(value)))


def subjects(value: Record | Verification) -> list[Digest]:
    """The digests of what a record is about: index and manifests, those that a registry knows."""
    manifests = [image.manifest for image in value.manifests] if isinstance(value, Record) else []
    return list(dict.fromkeys([value.digest, *manifests]))


def write(about: Iterable[Digest], predicate_type: str, predicate: Mapping[str, Any]) -> bytes:
    """Write a statement, canonically; its subjects have no names, since an image has many."""
    return canonical.dump(
        {
            "_type": STATEMENT,
            "subject": [{"digest": {"sha256": digest.hex}} for digest in about],
            "predicateType": predicate_type,
            "predicate": predicate,
        }
    )


def line_of(statement: bytes) -> bytes:
    """Give the record's line that a statement holds.

    Raises:
        UntrustedError: it is no statement of a record.

    """
    document = canonical.parse(statement, "statement")
    if document.get("_type") != STATEMENT or document.get("predicateType") != PREDICATE:
        raise UntrustedError("the statement is of something else than a record")
    return canonical.dump(document.get("predicate"))
