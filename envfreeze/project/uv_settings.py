"""`[tool.uv]` of pyproject.toml: what in it says how the project's packages are to be resolved.

The keys are uv's (https://docs.astral.sh/uv/reference/settings/). Each stands in one of three lists: those
that are followed, those that cannot change which packages are locked, and all others, which are warned of by
name. envfreeze's own keys count for more than uv's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from packaging.markers import InvalidMarker, Marker
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from envfreeze.errors import UsageError
from envfreeze.project.configuration import PYPROJECT
from envfreeze.project.keys import ARCHIVE
from envfreeze.project.kinds import quoted
from envfreeze.project.model import Adjustments

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_FOLLOWED = frozenset(
    {
        "constraint-dependencies",
        "environments",
        "exclude-dependencies",
        "exclude-newer",
        "exclude-newer-package",
        "extra-index-url",
        "find-links",
        "index",
        "index-strategy",
        "index-url",
        "keyring-provider",
        "no-index",
        "override-dependencies",
        "prerelease",
        "python-downloads-json-url",
        "python-install-mirror",
        "resolution",
        "sources",
    }
)
# How uv runs, installs, builds and publishes the project itself, or what only its lock for all platforms has.
_WITHOUT_EFFECT = frozenset(
    {
        "add-bounds",
        "allow-insecure-host",
        "audit",
        "build-backend",
        "cache-dir",
        "cache-keys",
        "check-url",
        "compile-bytecode",
        "concurrent-builds",
        "concurrent-downloads",
        "concurrent-installs",
        "conflicts",
        "default-groups",
        "dev-dependencies",
        "fork-strategy",
        "http-proxy",
        "https-proxy",
        "link-mode",
        "managed",
        "native-tls",
        "no-cache",
        "no-proxy",
        "no-sources",
        "offline",
        "package",
        "pip",
        "preview",
        "preview-features",
        "publish-url",
        "pypy-install-mirror",
        "python-downloads",
        "python-preference",
        "reinstall",
        "reinstall-package",
        "required-environments",
        "required-version",
        "system-certs",
        "trusted-publishing",
        "workspace",
    }
)
_INDEX_KEYS = frozenset(
    {"name", "url", "default", "explicit", "format", "publish-url", "cache-control", "authenticate"}
)
_SOURCE_KINDS = ("index", "url", "git", "path", "workspace")
_NAME = re.compile("[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True)
class UvIndex:
    """`[[tool.uv.index]]`.

    Attributes:
        name: its own, or `index-1` for the first without one.
        url: as written; may hold a password.
        default: it is the index that is asked last.
        explicit: it is asked only for packages that `sources` assign to it.
        flat: it is a page or folder of files, like `find-links`.

    """

    name: str
    url: str = field(repr=False)
    default: bool = False
    explicit: bool = False
    flat: bool = False


class Source(Struct, frozen=True):
    """Where `[tool.uv.sources]` takes a package from.

    Attributes:
        kind: `index`, `url`, `git`, `path` or `workspace`.
        value: the kind's.
        marker: where it applies; None: everywhere.
        only_with: the extra or group that it applies to; None: any.
        further: `rev`, `tag`, `branch`, `subdirectory`, `editable`.

    """

    kind: str
    value: str
    marker: str | None
    only_with: str | None
    further: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class UvSettings:
    """What of `[tool.uv]` is followed.

    Attributes:
        indexes: as written, in order.
        sources: by normalised name.
        index_url: as written.
        extra_index_urls: as written.
        find_links: as written.
        no_index: there is no index, only `find_links`.
        exclude_newer: as written.
        keyring: `keyring-provider = "subprocess"`.
        adjustments: the rest of what shapes the resolution.
        python_mirror: `python-install-mirror`.
        python_index: `python-downloads-json-url`.
        warnings: keys that are not followed, one sentence each.

    """

    indexes: tuple[UvIndex, ...] = ()
    sources: Mapping[str, tuple[Source, ...]] = field(default_factory=dict)
    index_url: str | None = field(default=None, repr=False)
    extra_index_urls: tuple[str, ...] = field(default=(), repr=False)
    find_links: tuple[str, ...] = field(default=(), repr=False)
    no_index: bool = False
    exclude_newer: object = None
    keyring: bool | None = None
    adjustments: Adjustments = field(default_factory=Adjustments)
    python_mirror: str | None = None
    python_index: str | None = None
    warnings: tuple[str, ...] = ()

    @classmethod
    def of(cls, document: Mapping[str, Any]) -> UvSettings:
        """Read them from pyproject.toml.

        Raises:
            UsageError: a key that is followed has a wrong value; it is named.

        """
        tool = document.get("tool", {})
        table = tool.get("uv", {}) if isinstance(tool, dict) else {}
        if not isinstance(table, dict):
            raise _wrong("", "must be a table")
        keyring = _choice(table, "keyring-provider", ("disabled", "subprocess"))
        return cls(
            indexes=tuple(_indexes(table)),
            sources={canonicalize_name(name): tuple(found) for name, found in _sources(table)},
            index_url=_text(table, "index-url"),
            extra_index_urls=_texts(table, "extra-index-url"),
            find_links=_texts(table, "find-links"),
            no_index=_flag(table, "no-index", "no-index"),
            exclude_newer=table.get("exclude-newer"),
            keyring=None if keyring is None else keyring == "subprocess",
            adjustments=_adjustments(table),
            python_mirror=_place(table, "python-install-mirror"),
            python_index=_place(table, "python-downloads-json-url"),
            warnings=tuple(_warnings(table)),
        )


def _wrong(key: str, problem: str, hint: str = "") -> UsageError:
    return UsageError(f"{PYPROJECT}: tool.uv{'.' if key else ''}{key} {problem}", hint=hint)


def _text(table: Mapping[str, Any], key: str) -> str | None:
    value = table.get(key)
    if value is not None and not isinstance(value, str):
        raise _wrong(key, "must be a string")
    return value


def _place(table: Mapping[str, Any], key: str) -> str | None:
    """A URL that is locked, or fetched for what is."""
    value = table.get(key)
    for problem in ARCHIVE.problems(value, f"tool.uv.{key}") if value is not None else ():
        raise UsageError(f"{PYPROJECT}: {problem.message}", hint=problem.hint)
    return value


def _texts(table: Mapping[str, Any], key: str) -> tuple[str, ...]:
    value = table.get(key, [])
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise _wrong(key, "must be a list of strings")
    return tuple(value)


def _flag(table: Mapping[str, Any], key: str, place: str) -> bool:
    value = table.get(key, False)
    if not isinstance(value, bool):
        raise _wrong(place, "must be true or false")
    return value


def _choice(table: Mapping[str, Any], key: str, values: tuple[str, ...]) -> str | None:
    value = table.get(key)
    if value is not None and value not in values:
        raise _wrong(key, f"must be {' or '.join(values)}")
    return value


def _indexes(table: Mapping[str, Any]) -> Iterator[UvIndex]:
    rows = table.get("index", [])
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise _wrong("index", "must be a list of tables", "write [[tool.uv.index]]")
    seen: set[str] = set()
    for number, row in enumerate(rows):
        place = f"index[{number}]"
        name, url = row.get("name", f"index-{number + 1}"), row.get("url")
        if not isinstance(url, str) or not url:
            raise _wrong(f"{place}.url", "must be a URL")
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise _wrong(f"{place}.name", "must be a name of letters, digits, `.`, `-` and `_`")
        if name in seen:
            raise _wrong(f"{place}.name", f"stands there twice: {name}")
        seen.add(name)
        if row.get("format", "simple") not in {"simple", "flat"}:
            raise _wrong(f"{place}.format", "must be simple or flat")
        explicit = _flag(row, "explicit", f"{place}.explicit")
        default = _flag(row, "default", f"{place}.default")
        yield UvIndex(name, url, default, explicit, row.get("format") == "flat")


def _sources(table: Mapping[str, Any]) -> Iterator[tuple[str, list[Source]]]:
    written = table.get("sources", {})
    if not isinstance(written, dict):
        raise _wrong("sources", "must be a table")
    for name, value in written.items():
        place = f"sources.{quoted(name)}"
        rows = value if isinstance(value, list) else [value]
        if not all(isinstance(row, dict) for row in rows):
            raise _wrong(place, "must be a table, or a list of tables")
        yield name, [_source(row, place) for row in rows]


def _source(row: Mapping[str, Any], place: str) -> Source:
    kinds = [kind for kind in _SOURCE_KINDS if kind in row]
    if len(kinds) != 1:
        raise _wrong(place, f"must have one of {', '.join(_SOURCE_KINDS)}")
    (kind,) = kinds
    value = row[kind]
    if not isinstance(value, bool if kind == "workspace" else str):
        raise _wrong(f"{place}.{kind}", "has the wrong type")
    marker = row.get("marker")
    if marker is not None:
        _check_marker(marker, f"{place}.marker")
    only_with = row.get("extra", row.get("group"))
    if only_with is not None and not isinstance(only_with, str):
        raise _wrong(place, "names an extra or group that is not a string")
    further = {key: row[key] for key in ("rev", "tag", "branch", "subdirectory", "editable") if key in row}
    return Source(kind, str(value), marker, only_with and canonicalize_name(only_with), further)


def _check_marker(text: object, place: str) -> None:
    try:
        Marker(str(text))
    except InvalidMarker as error:
        raise _wrong(place, f"is not an environment marker: {text!r}") from error


def _adjustments(table: Mapping[str, Any]) -> Adjustments:
    environments = table.get("environments", [])
    environments = [environments] if isinstance(environments, str) else environments
    for number, marker in enumerate(_texts({"environments": environments}, "environments")):
        _check_marker(marker, f"environments[{number}]")
    return Adjustments(
        constraints=_requirements(table, "constraint-dependencies"),
        overrides=_requirements(table, "override-dependencies"),
        excludes=tuple(canonicalize_name(name) for name in _texts(table, "exclude-dependencies")),
        environments=tuple(environments),
        index_strategy=_choice(
            table, "index-strategy", ("first-index", "unsafe-first-match", "unsafe-best-match")
        ),
        prerelease=_choice(
            table, "prerelease", ("disallow", "allow", "if-necessary", "explicit", "if-necessary-or-explicit")
        ),
        resolution=_choice(table, "resolution", ("highest", "lowest", "lowest-direct")),
        package_cutoffs=tuple(_package_cutoffs(table)),
    )


def _requirements(table: Mapping[str, Any], key: str) -> tuple[str, ...]:
    listed = _texts(table, key)
    for number, text in enumerate(listed):
        try:
            Requirement(text)
        except InvalidRequirement as error:
            raise _wrong(f"{key}[{number}]", f"is not a requirement: {text!r}") from error
        if "\n" in text or "\r" in text:
            raise _wrong(f"{key}[{number}]", "has a line end")
    return listed


def _package_cutoffs(table: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    from datetime import UTC  # noqa: PLC0415 - only where the key is used

    from envfreeze.project.moments import moment, span  # noqa: PLC0415 - likewise

    written = table.get("exclude-newer-package", {})
    if not isinstance(written, dict):
        raise _wrong("exclude-newer-package", "must be a table")
    for name, value in sorted(written.items()):
        place = f"exclude-newer-package.{quoted(name)}"
        if value is False:
            yield canonicalize_name(name), "false"
            continue
        if span(value) is not None:
            raise _wrong(place, "is a span of time, which would move with every lock", "write a date")
        try:
            text = moment(value).astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        except (ValueError, AttributeError, TypeError) as error:
            raise _wrong(place, "must be an RFC 3339 date or date and time, or false") from error
        yield canonicalize_name(name), text


def _warnings(table: Mapping[str, Any]) -> Iterator[str]:
    """Name each key that could change the answer and is not followed."""
    ignored = [f"tool.uv.{quoted(key)}" for key in table if key not in _FOLLOWED | _WITHOUT_EFFECT]
    ignored += [f"tool.uv.pip.{quoted(key)}" for key in table.get("pip", {}) if key in _PIP_KEYS]
    for number, row in enumerate(table.get("index", [])):
        ignored += [f"tool.uv.index[{number}].{quoted(key)}" for key in row if key not in _INDEX_KEYS]
    if _flag(table, "no-sources", "no-sources") and table.get("sources"):
        ignored.append("tool.uv.no-sources")
    for key in ignored:
        yield f"{PYPROJECT}: {key} is not followed: the lock may differ from uv's own"


# Of `[tool.uv.pip]`, which `uv pip compile` reads: what says which packages there are.
_PIP_KEYS = frozenset(
    {
        "all-extras",
        "config-settings",
        "constraint-dependencies",
        "dependency-metadata",
        "exclude-newer",
        "exclude-newer-package",
        "extra",
        "extra-build-dependencies",
        "extra-index-url",
        "find-links",
        "group",
        "index-strategy",
        "index-url",
        "no-binary",
        "no-build",
        "no-deps",
        "no-index",
        "no-sources",
        "only-binary",
        "override-dependencies",
        "prerelease",
        "python-platform",
        "python-version",
        "resolution",
        "torch-backend",
    }
)
