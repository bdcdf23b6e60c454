"""The policy file: whose signatures count, and what a build has to be like (docs/formats/policy-1.md)."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NoReturn

import tomli

from envfreeze.errors import MachineError, UsageError
from envfreeze.records.trust.identities import Identity
from envfreeze.records.trust.keys import PublicKey, read_public

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

SCHEMA: Final = 1
"""The version of the file's format."""

SIGNED: Final = "signed"
"""The level of a policy that asks for no rebuild."""

LEVELS: Final = ("identical", "layers", "tree", "packages", "different", SIGNED)
"""What `level` can be: `compare.model.Level`, or `SIGNED`."""

SBOMS: Final = ("cyclonedx", "spdx", "any")
"""What `sbom` can be: a format, or either."""

_KEYS = (
    "schema",
    "level",
    "signatures",
    "engines",
    "bases",
    "sources",
    "builders",
    "dirty",
    "ready-made",
    "sbom",
    "trusted-root",
    "key",
    "identity",
)
_KEY_KEYS = ("name", "file", "public")
_IDENTITY_KEYS = ("name", "issuer", "subject")
_LARGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class Policy:
    """What is asked of an image. Where a tuple is None, everything is allowed; where it is empty, nothing.

    Attributes:
        keys: whose signatures count.
        signatures: how many of them and of the identities have to have signed, at least 1.
        level: how exactly the image has to be reproduced; one of `LEVELS`.
        engines: engines that may have built.
        bases: patterns of bases (`judgement.allows`).
        sources: patterns of repositories' addresses.
        builders: patterns of SLSA's `builder.id`.
        dirty: a build of uncommitted files, or outside git, is allowed.
        ready_made: layers that were taken ready-made are allowed.
        identities: who else's signatures count, by what certificates say; keys and they together are at least
            one.
        trusted_root: whose certificates are believed, a file of Sigstore; None: those of the public instance.
        sbom: a bill of materials has to be signed, too, in this one of `SBOMS`; None: none has to be.

    """

    keys: tuple[PublicKey, ...]
    signatures: int = 1
    level: str = LEVELS[0]
    engines: tuple[str, ...] | None = None
    bases: tuple[str, ...] | None = None
    sources: tuple[str, ...] | None = None
    builders: tuple[str, ...] | None = None
    dirty: bool = False
    ready_made: bool = True
    identities: tuple[Identity, ...] = ()
    trusted_root: Path | None = None
    sbom: str | None = None


def read(path: Path) -> Policy:
    """Read a policy file, strictly: what is not understood would otherwise be allowed.

    Raises:
        UsageError: there is none, or it is wrong.
        MachineError: it cannot be read.

    """
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
        if len(content) > _LARGEST:  # what is cut off would be allowed
            raise UsageError(f"{path} is too large for a policy: more than {_LARGEST} bytes")
        document = tomli.loads(content.decode())
    except FileNotFoundError:
        raise UsageError(f"there is no policy {path}") from None
    except OSError as error:
        raise MachineError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise UsageError(f"{path} is not valid TOML: {error}") from None
    return parse(document, path)


def parse(document: Mapping[str, Any], path: Path) -> Policy:
    """Read a parsed policy.

    Args:
        document: the file's content.
        path: the file, for errors; the keys' files are relative to its folder.

    Raises:
        UsageError: it is wrong.

    """
    reader = _Reader(path)
    reader.known(document, _KEYS, "")
    schema = document.get("schema")
    if schema != SCHEMA or isinstance(schema, bool):
        reader.wrong("schema", f"has to be {SCHEMA}")
    identities = tuple(reader.identities(document.get("identity", [])))
    keys = tuple(reader.keys(document.get("key", [] if identities else None)))
    if not keys and not identities:
        reader.nobody()
    signatures = document.get("signatures", 1)
    most = len(keys) + len(identities)
    if type(signatures) is not int or not 1 <= signatures <= most:
        reader.wrong("signatures", f"has to be a number from 1 to {most}, the number of keys and identities")
    sbom = document.get("sbom")
    if sbom is not None and sbom not in SBOMS:
        reader.wrong("sbom", f"has to be one of {', '.join(SBOMS)}")
    level = document.get("level", LEVELS[0])
    if level not in LEVELS:
        reader.wrong("level", f"has to be one of {', '.join(LEVELS)}")
    return Policy(
        keys,
        signatures,
        level,
        engines=reader.texts(document, "engines"),
        bases=reader.texts(document, "bases"),
        sources=reader.texts(document, "sources"),
        builders=reader.texts(document, "builders"),
        dirty=reader.flag(document, "dirty", otherwise=False),
        ready_made=reader.flag(document, "ready-made", otherwise=True),
        identities=identities,
        trusted_root=reader.file(document, "trusted-root"),
        sbom=sbom,
    )


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads parts of one file, and names it in errors."""

    path: Path

    def wrong(self, key: str, why: str, hint: str = "") -> NoReturn:
        raise UsageError(f"{self.path}: {key} {why}", hint=hint)

    def known(self, table: Mapping[str, Any], allowed: Sequence[str], where: str) -> None:
        for key in table:
            if key not in allowed:
                near = difflib.get_close_matches(key, allowed, 1)
                self.wrong(
                    f"{where}{key}", "is no key of a policy", f"did you mean {near[0]}?" if near else ""
                )

    def nobody(self) -> NoReturn:
        hint = "[[key]] with file or public, or [[identity]] with issuer and subject"
        self.wrong("key", "names nobody who may sign", hint)

    def texts(self, table: Mapping[str, Any], key: str) -> tuple[str, ...] | None:
        value = table.get(key)
        if value is None:
            return None
        if not isinstance(value, list) or not all(isinstance(one, str) and one for one in value):
            self.wrong(key, "has to be a list of texts")
        return tuple(value)

    def flag(self, table: Mapping[str, Any], key: str, *, otherwise: bool) -> bool:
        value = table.get(key, otherwise)
        if not isinstance(value, bool):
            self.wrong(key, "has to be true or false")
        return value

    def file(self, table: Mapping[str, Any], key: str) -> Path | None:
        value = table.get(key)
        if value is None:
            return None
        if not isinstance(value, str) or not value or "\0" in value:
            self.wrong(key, "has to be the name of a file")
        return self.path.parent / value

    def identities(self, value: object) -> list[Identity]:
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            self.wrong("identity", "has to be a table", "[[identity]] with issuer and subject")
        found: list[Identity] = []
        for number, table in enumerate(value, 1):
            self.known(table, _IDENTITY_KEYS, "identity.")
            for name in ("issuer", "subject"):
                if not str(table.get(name, "")).strip("*"):  # nothing, or a pattern of everybody
                    self.wrong(f"identity {number}", f"needs the {name} who may sign, and not everybody")
            self.texts_of(table, "identity.")
            one = Identity(**table)
            if any((one.issuer, one.subject) == (other.issuer, other.subject) for other in found):
                self.wrong(f"identity {number}", "stands here twice")
            found.append(one)
        return found

    def keys(self, value: object) -> list[PublicKey]:
        if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
            self.nobody()
        found: dict[str, PublicKey] = {}
        for number, table in enumerate(value, 1):
            self.known(table, _KEY_KEYS, "key.")
            self.texts_of(table, "key.")
            if ("file" in table) == ("public" in table):
                self.wrong(f"key {number}", "needs either file or public")
            key = self.key(table)
            if key.id in found:  # or one who signs would count as two
                self.wrong(f"key {number}", f"is the same as key {found[key.id]}")
            found[key.id] = key
        return list(found.values())

    def texts_of(self, table: Mapping[str, object], where: str) -> None:
        for name, text in table.items():
            if not isinstance(text, str) or not text or "\0" in text:
                self.wrong(f"{where}{name}", "has to be a text")

    def key(self, table: Mapping[str, str]) -> PublicKey:
        name = table.get("name", table.get("file", ""))
        if "public" in table:
            return read_public(table["public"].encode(), f"{self.path}: key.public", name)
        file = self.path.parent / table["file"]
        try:
            with file.open("rb") as stream:
                return read_public(stream.read(_LARGEST), str(file), name)
        except FileNotFoundError:
            self.wrong("key.file", f"names {file}, which is not there")
        except OSError as error:
            raise MachineError(f"{file} cannot be read: {error.strerror}") from error
