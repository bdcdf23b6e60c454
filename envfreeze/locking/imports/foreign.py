"""Reading of other tools' files: what is not as their format has it is an error that names file and key."""

from __future__ import annotations

import json
import posixpath
import re
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import unquote, urlsplit

import tomli
from packaging.utils import InvalidName, canonicalize_name
from packaging.version import InvalidVersion, Version

from envfreeze.errors import UsageError
from envfreeze.locking.indexes import without_credentials
from envfreeze.locking.strict import Table

if TYPE_CHECKING:
    from collections.abc import Callable

_SHA256 = re.compile(r"[0-9a-f]{64}")
_TEXT_PROBLEM = re.compile(r"[\x00-\x1f\x7f]")
_DEEPEST = 40

_T = TypeVar("_T")


class Foreign(Table):
    """A table of another tool's file. Keys that nothing asks for are that tool's own business."""

    def wrong(self, key: str, what: str) -> UsageError:  # type: ignore[override]
        """Make the error that names a key of this table."""
        return UsageError(
            f"{self._path(key)}: {what}",
            hint="the file is damaged or of a version that is not known: write it anew with its own tool",
        )

    def has(self, key: str) -> bool:
        """Whether the key is there and holds something."""
        return self.get(key) is not None

    def get(self, key: str) -> Any:  # noqa: ANN401 - whatever the document holds
        """Look at a value as it is; None where there is none."""
        return self._values.get(key)

    def names(self, key: str) -> tuple[str, ...]:
        """Take normalised names, an array or one string; absent: none."""
        value = self.get(key)
        if value is None:
            return ()
        texts = (self.string(key),) if isinstance(value, str) else self.strings(key)
        return tuple(self._name(key, text) for text in texts)

    def name(self, key: str) -> str:
        """Take a package's or extra's name, normalised."""
        return self._name(key, self.string(key))

    def version(self, key: str) -> str | None:
        """Take a version, normalised; absent: None."""
        if not self.has(key):
            return None
        return normal_version(self.string(key), lambda what: self.wrong(key, what))

    def sha256(self, key: str) -> str | None:
        """Take `sha256:<hex>`; None for a hash of another algorithm."""
        return sha256_of(self.string(key), lambda what: self.wrong(key, what))

    def url(self, key: str) -> str:
        """Take an http, https or file URL, without credentials and fragment."""
        return plain_url(self.string(key), lambda what: self.wrong(key, what))

    def optional_tables(self, key: str) -> list[Foreign]:
        """Take an array of tables that may be absent."""
        return self.rows(key) if self.has(key) else []

    def rows(self, key: str) -> list[Foreign]:
        """Take an array of tables."""
        return [Foreign(table.where, table.values()) for table in self.tables(key)]

    def inner(self, key: str) -> Foreign:
        """Take a table; absent: an empty one."""
        if not self.has(key):
            return Foreign(self._path(key), {})
        table = self.table(key)
        return Foreign(table.where, table.values())

    def _take(self, key: str, kind: type[_T]) -> _T:
        # Nothing counts what is left over, so a key may be asked for twice.
        value = super()._take(key, kind)
        self._values[key] = value
        return value

    def normal(self, key: str) -> str:
        """Give a key that is a name, normalised."""
        return self._name(key, key)

    def _name(self, key: str, text: str) -> str:
        return normal_name(text, lambda what: self.wrong(key, what))


def normal_name(text: str, blame: Callable[[str], UsageError]) -> str:
    """Normalise a name (PEP 503)."""
    try:
        return canonicalize_name(text, validate=True)
    except InvalidName as error:
        raise blame(f"{text!r} is not a name") from error


def normal_version(text: str, blame: Callable[[str], UsageError]) -> str:
    """Normalise a version (PEP 440)."""
    try:
        return str(Version(text))
    except InvalidVersion as error:
        raise blame(f"{text!r} is not a version") from error


def plain_url(text: str, blame: Callable[[str], UsageError]) -> str:
    """Check a URL and take credentials and fragment out of it."""
    try:
        parts = urlsplit(text)
        plain = without_credentials(text)
    except ValueError as error:
        raise blame("is not a URL") from error
    web = parts.scheme in {"http", "https"} and bool(parts.hostname)
    local = parts.scheme == "file" and parts.path.startswith("/")
    if not (web or local) or _TEXT_PROBLEM.search(text):
        raise blame("is not an http, https or file URL")
    return plain


def relative_path(text: str, blame: Callable[[str], UsageError]) -> str:
    """Check that a path stays in its folder, and normalise it."""
    plain = posixpath.normpath(text)
    if not text or plain.startswith(("/", "../")) or plain == ".." or _TEXT_PROBLEM.search(text):
        raise blame(f"{text!r} leads out of the project")
    return plain


def sha256_of(text: str, blame: Callable[[str], UsageError]) -> str | None:
    """Read `sha256:<hex>`; None for a hash of another algorithm."""
    algorithm, _, value = text.partition(":")
    if algorithm != "sha256":
        return None
    if not _SHA256.fullmatch(value):
        raise blame(f"{text!r} is not a sha256")
    return value


def filename_of(url: str) -> str:
    """Give the name of the file that a URL or path leads to."""
    return unquote(urlsplit(url).path if "://" in url else url).rpartition("/")[2]


def text_of(content: bytes, file: str) -> str:
    """Decode a file.

    Raises:
        UsageError: it is not UTF-8.

    """
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{file} is not UTF-8 text: {error.reason} at byte {error.start}") from error


def load_toml(content: bytes, file: str) -> Foreign:
    """Read TOML.

    Raises:
        UsageError: it is not TOML.

    """
    try:
        return Foreign(f"{file}: ", tomli.loads(text_of(content, file)))
    except (tomli.TOMLDecodeError, RecursionError, ValueError) as error:
        raise UsageError(f"{file} is not TOML: {error}") from error


def load_json(content: bytes, file: str) -> Foreign:
    """Read a JSON object.

    Raises:
        UsageError: it is not one.

    """
    try:
        document = json.loads(text_of(content, file))
    except (json.JSONDecodeError, RecursionError, ValueError) as error:
        raise UsageError(f"{file} is not JSON: {error}") from error
    return _top(document, file)


def load_yaml(content: bytes, file: str) -> Foreign:
    """Read a YAML mapping.

    Raises:
        UsageError: it is not one.

    """
    import yaml  # noqa: PLC0415 - heavy

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        document = yaml.load(text_of(content, file), Loader=loader)  # noqa: S506 - a safe one
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        where = str(error).replace("\n", " ")
        raise UsageError(f"{file} is not YAML: {where}") from error
    return _top(document, file)


def _top(document: object, file: str) -> Foreign:
    if not isinstance(document, dict) or not all(isinstance(key, str) for key in document):
        raise UsageError(f"{file} holds no table of keys")
    if _too_deep(document):
        raise UsageError(f"{file} is nested too deeply")
    return Foreign(f"{file}: ", document)


def _too_deep(document: object) -> bool:
    """Whether it is nested beyond reason; aliases in YAML can even make it endless."""
    level: list[object] = [document]
    for _ in range(_DEEPEST):
        deeper: dict[int, object] = {}
        for value in level:
            inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
            deeper |= {id(one): one for one in inner if isinstance(one, (dict, list))}
        if not deeper:
            return False
        level = list(deeper.values())
    return True
