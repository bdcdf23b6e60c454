"""Records as lines of canonical JSON, and back. Pure; the format is docs/formats/record-1.md.

A line may come from another machine, so nothing in it is believed before it has been checked here: above
all the names of files that `store` will write when it restores a build.
"""

from __future__ import annotations

import json
import re
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from envfreeze.digest import Digest
from envfreeze.errors import UntrustedError
from envfreeze.oci.platform import Platform
from envfreeze.records.model import (
    SCHEMA,
    KeptFile,
    Record,
    RecordedImage,
    RecordedLayer,
    Snapshot,
    Verification,
)

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")

LIMIT = 1 << 20
"""No line is longer, in bytes: an image has at most 127 layers, some 160 bytes each, per platform."""

_OBJECT_ID = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_WORD = re.compile(r"[a-z][a-z0-9-]{0,63}")
_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")


def render(line: Record | Verification) -> bytes:
    """Write a record as one line of canonical JSON in UTF-8, without its line feed.

    Raises:
        UntrustedError: the record is not one that `parse` would accept.

    """
    fields = _build_fields(line) if isinstance(line, Record) else _verification_fields(line)
    text = json.dumps(fields, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    try:
        written = text.encode()
    except UnicodeEncodeError as error:
        raise UntrustedError(f"a name in the record is not UTF-8: {error.object[error.start]!r}") from None
    parse(written)
    return written


def parse(line: bytes) -> Record | Verification | None:
    """Read one line, strictly. Keys that this version does not know are passed over.

    Returns:
        None for a kind of record that this version does not know.

    Raises:
        UntrustedError: the line is damaged, or written in a newer schema.

    """
    if len(line) > LIMIT:
        _damaged(f"it is {len(line)} bytes long")
    try:
        value = json.loads(line.decode(), object_pairs_hook=_unique, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        _damaged(f"it is not a line of JSON ({error})", error)
    fields = _Fields(value, "the record")
    schema = fields.take("schema", _natural)
    if schema > SCHEMA:
        raise UntrustedError(
            f"the record has schema {schema}, and this envfreeze reads schema {SCHEMA}",
            hint="use the version of envfreeze that wrote it, or a newer one",
        )
    kind = fields.take("kind", _word)
    if kind == "build":
        return _build(fields)
    if kind == "verification":
        return Verification(
            at=fields.take("at", _moment),
            version=fields.take("version", _text),
            digest=fields.take("digest", _digest),
            level=fields.take("level", _word),
            commit=fields.take("commit", _or_none(_object_id)),
        )
    return None


def _build_fields(record: Record) -> dict[str, Any]:
    source = record.source
    return {
        "schema": SCHEMA,
        "kind": "build",
        "at": record.at,
        "engine": record.engine,
        "engine_version": record.engine_version,
        "writer": record.writer,
        "digest": str(record.digest),
        "manifests": [
            {
                "platform": str(image.platform),
                "manifest": str(image.manifest),
                "config": str(image.config),
                "layers": [[str(layer.digest), str(layer.diff_id)] for layer in image.layers],
            }
            for image in record.manifests
        ],
        "commit": source.commit,
        "project": source.project,
        "dirty": source.dirty,
        "patch": None if source.patch is None else _kept_fields(source.patch),
        "lock": {name: _kept_fields(kept) for name, kept in source.lock.items()},
        "included": None if source.included is None else str(source.included),
        "reused": [str(digest) for digest in record.reused],
        **({"tools": dict(record.tools)} if record.tools else {}),
    }


def _verification_fields(verification: Verification) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "kind": "verification",
        "at": verification.at,
        "version": verification.version,
        "digest": str(verification.digest),
        "level": verification.level,
        "commit": verification.commit,
    }


def _kept_fields(kept: KeptFile) -> dict[str, Any]:
    return {"digest": str(kept.digest), "blob": kept.blob}


def _build(fields: _Fields) -> Record:
    source = Snapshot(
        commit=fields.take("commit", _or_none(_object_id)),
        project=fields.take("project", _project),
        dirty=fields.take("dirty", _flag),
        patch=fields.take("patch", _or_none(_kept)),
        lock=fields.take("lock", _lock),
        included=fields.take("included", _or_none(_digest)),
    )
    if source.patch is not None and (source.commit is None or not source.dirty):
        _damaged("it has a patch, but no commit that the patch changes")
    return Record(
        at=fields.take("at", _moment),
        engine=fields.take("engine", _word),
        engine_version=fields.take("engine_version", _text),
        writer=fields.take("writer", _natural),
        digest=fields.take("digest", _digest),
        manifests=fields.take("manifests", _list(_image)),
        source=source,
        reused=fields.take("reused", _list(_digest)),
        tools=fields.take("tools", _tools, {}),
    )


class _Fields:
    """The members of a JSON object, each taken through the function that knows its type."""

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, dict):
            _damaged(f"{where} is not a JSON object")
        self._members = value
        self._where = where

    def take(self, key: str, reader: Callable[[object], _T], otherwise: _T | None = None) -> _T:
        """Take a member; where it is not there, `otherwise`, and without that the line is damaged."""
        if key not in self._members:
            if otherwise is not None:
                return otherwise
            _damaged(f"{self._where} has no {key!r}")
        try:
            return reader(self._members[key])
        except ValueError as error:
            _damaged(f"its {key!r} is wrong: {error}", error)


def _damaged(why: str, cause: BaseException | None = None) -> NoReturn:
    raise UntrustedError(f"the record is damaged: {why}") from cause


def _unique(members: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in members]
    if len(set(names)) < len(names):
        raise ValueError("a key stands twice")
    return dict(members)


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("not a text")
    value.encode()  # an escaped lone surrogate is a ValueError too
    return value


def _matching(pattern: re.Pattern[str], name: str) -> Callable[[object], str]:
    def read(value: object) -> str:
        text = _text(value)
        if not pattern.fullmatch(text):
            raise ValueError(f"not {name}: {text!r}")
        return text

    return read


_word = _matching(_WORD, "a word")
_object_id = _matching(_OBJECT_ID, "the id of a git object")


def _moment(value: object) -> str:
    text = _matching(_MOMENT, "a moment")(value)
    datetime.fromisoformat(text)
    return text


def _natural(value: object) -> int:
    if type(value) is not int or not 1 <= value < 1 << 31:
        raise ValueError(f"not a version: {value!r}")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("neither true nor false")  # noqa: TRY004 - `take` turns it into an UntrustedError
    return value


def _digest(value: object) -> Digest:
    return _digest_of(_text(value))


@lru_cache(1 << 16)
def _digest_of(text: str) -> Digest:
    """Read a digest; builds share most of their layers, so most have been read before."""
    if not text.startswith("sha256:"):
        raise ValueError(f"not a sha256 digest: {text!r}")
    return Digest.parse(text)


def _or_none(reader: Callable[[object], _T]) -> Callable[[object], _T | None]:
    return lambda value: None if value is None else reader(value)


def _list(reader: Callable[[object], _T]) -> Callable[[object], tuple[_T, ...]]:
    def read(value: object) -> tuple[_T, ...]:
        if not isinstance(value, list):
            raise ValueError("not a list")  # noqa: TRY004 - `take` turns it into an UntrustedError
        return tuple(reader(item) for item in value)

    return read


def _name(value: object) -> str:
    """Read one part of a path: nothing that leads out of a folder, into git's own, or means nothing."""
    text = _text(value)
    if text in {".", ".."} or text.lower() == ".git" or any(bad in text for bad in "/\\\0\n\r"):
        raise ValueError(f"not a file name: {text!r}")
    return text


def _project(value: object) -> str:
    text = _text(value)
    if text != ".":
        for part in text.split("/"):
            _name(part)
    return text


def _kept(value: object) -> KeptFile:
    fields = _Fields(value, "a kept file")
    return KeptFile(
        digest=fields.take("digest", _digest),
        blob=fields.take("blob", _or_none(_object_id)),
    )


def _lock(value: object) -> dict[str, KeptFile]:
    if not isinstance(value, dict):
        raise ValueError("not an object of files")  # noqa: TRY004 - `take` turns it into an UntrustedError
    return {_name(name): _kept(kept) for name, kept in value.items()}


def _tools(value: object) -> dict[str, str]:
    if not isinstance(value, dict):
        raise ValueError("not an object of versions")  # noqa: TRY004 - `take` turns it into an UntrustedError
    return {_word(name): _text(version) for name, version in value.items()}


def _layer(value: object) -> RecordedLayer:
    pair = _list(_digest)(value)
    if len(pair) != 2:  # noqa: PLR2004 - a digest and a diffID
        raise ValueError("a layer is a digest and a diffID")
    return RecordedLayer(*pair)


def _image(value: object) -> RecordedImage:
    fields = _Fields(value, "an image")
    return RecordedImage(
        platform=fields.take("platform", lambda text: Platform.parse(_text(text))),
        manifest=fields.take("manifest", _digest),
        config=fields.take("config", _digest),
        layers=fields.take("layers", _list(_layer)),
    )
