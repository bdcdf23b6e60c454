"""What all records say, in short: thousands of builds listed and chosen from without reading them again.

A text's id names its bytes for good, so what its lines say is learnt once, strictly, and kept in an index
(`remembered`). The index can be lost at any time, and is never what a verification goes by.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from envfreeze.digest import Digest
from envfreeze.errors import UntrustedError
from envfreeze.records import lines, remembered
from envfreeze.records.model import KeptFile, Record, Verification

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from envfreeze.records.shelf import Shelf, Text


class BuiltImage(NamedTuple):
    """The image of one platform in an `Entry`."""

    platform: str
    manifest: Digest
    config: Digest


@dataclass(frozen=True, slots=True)
class Entry:
    """A build as far as choosing it needs; attributes as those of `Record` and `Snapshot`.

    Attributes:
        text: where its line stands.
        line: beginning of the sha256 of its line, in hex.
        at: when it ended.
        digest: what the build printed.
        images: one per platform.
        commit: that was built.
        dirty: the tree was.
        engine: its name.
        engine_version: of envfreeze.
        lock: name of each lock file to its bytes.

    """

    text: Text
    line: str
    at: str
    digest: Digest
    images: tuple[BuiltImage, ...]
    commit: str | None
    dirty: bool
    engine: str
    engine_version: str
    lock: Mapping[str, KeptFile]

    def names(self, digest: Digest) -> bool:
        """As `Record.names`."""
        return digest == self.digest or any(digest in (image.manifest, image.config) for image in self.images)


class Damaged(NamedTuple):
    """A line that cannot be read: where it stands, and why."""

    where: str
    message: str


@dataclass(frozen=True, slots=True)
class Listing:
    """All that is recorded.

    Attributes:
        entries: the builds, newest first.
        levels: of each build's digest that was verified, what the newest verification found.
        damaged: lines that cannot be read.

    """

    entries: tuple[Entry, ...]
    levels: Mapping[Digest, str]
    damaged: tuple[Damaged, ...]


def listed(shelves: Iterable[Shelf], index: Path | None) -> Listing:
    """List what shelves hold.

    Args:
        shelves: where records are.
        index: file that keeps what was learnt; None: it is learnt each time.

    """
    known = remembered.read(index)
    facts: dict[str, Any] = {}
    where: list[Text] = []
    for shelf in shelves:
        texts = list(shelf.texts())
        where += texts
        facts |= {text.id: known[text.id] for text in texts if text.id in known}
        new = list({text.id: text for text in texts if text.id not in facts}.values())
        facts |= {text.id: _learn(content) for text, content in zip(new, shelf.read(new), strict=True)}
    if index is not None and facts.keys() != known.keys():
        remembered.write(index, facts)
    return _assembled(where, facts)


def records(shelves: Iterable[Shelf], entries: Sequence[Entry]) -> tuple[Record, ...]:
    """Read whole builds, in the order of their entries; one whose line is gone meanwhile is left out."""
    contents: dict[str, bytes] = {}
    for shelf in shelves:
        texts = list(
            {entry.text.id: entry.text for entry in entries if entry.text.shelf == shelf.name}.values()
        )
        contents |= {text.id: content for text, content in zip(texts, shelf.read(texts), strict=True)}
    found = []
    for entry in entries:
        for line in contents.get(entry.text.id, b"").split(b"\n"):
            value = lines.parse(line) if _line_id(line) == entry.line else None
            if isinstance(value, Record):
                found.append(value)
                break
    return tuple(found)


def _assembled(texts: Sequence[Text], facts: Mapping[str, Any]) -> Listing:
    entries: dict[str, Entry] = {}
    newest: dict[Digest, tuple[str, str]] = {}
    damaged: dict[str, Damaged] = {}
    locks: dict[int, Mapping[str, KeptFile]] = {}
    for text in texts:
        for kind, line, *fields in facts[text.id]:
            if kind == "build" and line not in entries:
                entries[line] = _entry(text, line, fields, locks)
            elif kind == "verification":
                at, digest, level = fields[0], Digest(fields[1]), fields[2]
                newest[digest] = max(newest.get(digest, ("", "")), (at, level))
            elif kind == "damaged":
                damaged[line] = Damaged(text.where, fields[0])
    ordered = sorted(entries.values(), key=lambda entry: entry.at, reverse=True)
    levels = {digest: level for digest, (_, level) in newest.items()}
    return Listing(tuple(ordered), levels, tuple(damaged.values()))


def _learn(content: bytes) -> list[list[Any]]:
    """What the lines of a text say; a kind that this version does not know says nothing."""
    found: list[list[Any]] = []
    for line in content.split(b"\n"):
        if not line.strip():
            continue
        try:
            value = lines.parse(line)
        except UntrustedError as error:
            found.append(["damaged", _line_id(line), error.message])
            continue
        if isinstance(value, Verification):
            found.append(["verification", _line_id(line), value.at, value.digest.hex, value.level])
        elif value is not None:
            found.append(["build", _line_id(line), *_fields(value)])
    return found


def _fields(record: Record) -> list[Any]:
    images = [[str(one.platform), one.manifest.hex, one.config.hex] for one in record.manifests]
    lock = {name: [kept.digest.hex, kept.blob] for name, kept in record.source.lock.items()}
    return [
        record.at,
        record.digest.hex,
        images,
        record.source.commit,
        record.source.dirty,
        record.engine,
        record.engine_version,
        lock,
    ]


def _entry(text: Text, line: str, fields: Sequence[Any], locks: dict[int, Mapping[str, KeptFile]]) -> Entry:
    at, digest, images, commit, dirty, engine, version, lock = fields
    if id(lock) not in locks:  # many builds of one lock share it
        locks[id(lock)] = {name: KeptFile(Digest(hexed), blob) for name, (hexed, blob) in lock.items()}
    return Entry(
        text=text,
        line=line,
        at=at,
        digest=Digest(digest),
        images=tuple(BuiltImage(name, Digest(manifest), Digest(config)) for name, manifest, config in images),
        commit=commit,
        dirty=dirty,
        engine=engine,
        engine_version=version,
        lock=locks[id(lock)],
    )


def _line_id(line: bytes) -> str:
    return hashlib.sha256(line).hexdigest()[:32]
