"""A build as SLSA provenance v1 in a statement of in-toto, and back to its record.

https://slsa.dev/spec/v1.0/provenance. The statement is a function of the record, its lock, the repository's
address and the builder's name: no clock, no host. The record's own line stands in it as a by-product, byte
for byte, so one signature covers both, and who verifies a build takes the record from there and from nowhere
else. The format is docs/formats/attestation-1.md.
"""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from envfreeze.digest import Digest
from envfreeze.errors import UntrustedError
from envfreeze.oci import canonical
from envfreeze.records import lines, statement
from envfreeze.records.model import Record
from envfreeze.records.trust import materials

if TYPE_CHECKING:
    from collections.abc import Mapping

    from envfreeze.locking.model import Lock

PREDICATE: Final = "https://slsa.dev/provenance/v1"
"""The type of the predicate."""

BUILD_TYPE: Final = "urn:envfreeze:build:1"
"""SLSA's `buildType`: what the parameters mean (docs/formats/attestation-1.md)."""

BUILDER: Final = "urn:envfreeze:builder"
"""SLSA's `builder.id` where who signs says nothing else."""

RECORD: Final = "envfreeze.record"
"""The name of the by-product that is the record."""

_RECORD_TYPE = "application/vnd.envfreeze.record.v1+json"


def of_build(record: Record, lock: Lock, *, source: str | None = None, builder: str = BUILDER) -> bytes:
    """Write the statement of a build, canonically.

    Args:
        record: of the build.
        lock: what it was built from.
        source: address of the git repository, without credentials; None: it has none.
        builder: URI of the platform that built.

    Raises:
        UntrustedError: the record is not one that can be read again.

    """
    line = lines.render(record)
    made = {
        "buildDefinition": _definition(record, lock, source),
        "runDetails": {
            "builder": {"id": builder, "version": {"envfreeze": record.engine_version, **record.tools}},
            "metadata": {"finishedOn": record.at},
            "byproducts": [
                {
                    "name": RECORD,
                    "mediaType": _RECORD_TYPE,
                    "digest": {"sha256": Digest.of(line).hex},
                    "content": base64.b64encode(line).decode(),
                }
            ],
        },
    }
    return statement.write(statement.subjects(record), PREDICATE, made)


def _definition(record: Record, lock: Lock, source: str | None) -> Mapping[str, Any]:
    built_from = record.source
    outer: dict[str, Any] = {
        "engine": record.engine,
        "lock": {name: {"sha256": kept.digest.hex} for name, kept in built_from.lock.items()},
        "platforms": [str(image.platform) for image in record.manifests],
        "project": built_from.project,
    }
    if source is not None:
        outer["source"] = source
    dependencies = materials.of_lock(lock)
    if built_from.commit is not None:
        commit: dict[str, Any] = {"name": "source", "digest": {"gitCommit": built_from.commit}}
        if source is not None:
            commit["uri"] = f"git+{source}@{built_from.commit}"
        dependencies = [commit, *dependencies]
    inner: dict[str, Any] = {
        "dirty": built_from.dirty,
        "readyMade": [str(digest) for digest in record.reused],
        "writer": record.writer,
    }
    if built_from.included is not None:
        inner["included"] = str(built_from.included)
    return {
        "buildType": BUILD_TYPE,
        "externalParameters": outer,
        "internalParameters": inner,
        "resolvedDependencies": dependencies,
    }


class Provenance(NamedTuple):
    """What a statement says of a build.

    Attributes:
        record: of the build.
        builder: SLSA's `builder.id`; empty where there is none.
        source: address of the git repository; None: none is stated.

    """

    record: Record
    builder: str
    source: str | None


def parse(payload: bytes, what: str) -> Provenance:
    """Read a statement. What others added to it is passed over.

    Args:
        payload: the statement, whose signature was verified.
        what: its name in errors.

    Raises:
        UntrustedError: it is of something else, or says of other images than its record does.

    """
    document = canonical.parse(payload, what)
    if document.get("_type") != statement.STATEMENT or document.get("predicateType") != PREDICATE:
        raise UntrustedError(f"{what} is signed, and is no provenance ({document.get('predicateType')!r})")
    predicate = _object(document, "predicate", what)
    definition = _object(predicate, "buildDefinition", what)
    if definition.get("buildType") != BUILD_TYPE:
        raise UntrustedError(
            f"{what} is the provenance of another kind of build ({definition.get('buildType')!r})"
        )
    details = _object(predicate, "runDetails", what)
    record = lines.parse(_line(details, what))
    if not isinstance(record, Record):
        raise UntrustedError(f"{what} holds a record that is of no build")
    about = [{"digest": {"sha256": digest.hex}} for digest in statement.subjects(record)]
    subjects = document.get("subject")
    named = [
        {"digest": {"sha256": digest.get("sha256")}}
        for one in (subjects if isinstance(subjects, list) else [])
        for digest in [one.get("digest") if isinstance(one, dict) else None]
        if isinstance(digest, dict)
    ]
    if named != about:
        raise UntrustedError(f"{what} is about other images than the record in it")
    builder = _object(details, "builder", what).get("id")
    source = _object(definition, "externalParameters", what).get("source")
    return Provenance(
        record,
        builder if isinstance(builder, str) else "",
        source if isinstance(source, str) else None,
    )


def _line(details: Mapping[str, Any], what: str) -> bytes:
    products = details.get("byproducts")
    for one in products if isinstance(products, list) else []:
        if isinstance(one, dict) and one.get("name") == RECORD:
            try:
                return base64.b64decode(one.get("content", ""), validate=True)
            except (binascii.Error, TypeError, ValueError):
                break
    raise UntrustedError(f"{what} holds no record of the build")


def _object(document: Mapping[str, Any], key: str, what: str) -> Mapping[str, Any]:
    found = document.get(key)
    if not isinstance(found, dict):
        raise UntrustedError(f"{what} has no {key}")
    return found
