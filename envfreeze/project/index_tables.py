"""Where packages come from, collected: `[pip]`, `[[pip.index]]`, and below them `[tool.uv]`.

envfreeze's own keys count for more than uv's: an index of the same name, and the default index.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

from msgspec import structs
from packaging.utils import canonicalize_name

from envfreeze.project.configuration import PYPROJECT
from envfreeze.project.model import Assignment, PipIndex
from envfreeze.project.moments import span
from envfreeze.project.urls import expand, is_url, without_credentials
from envfreeze.project.validation import Written

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from envfreeze.project.uv_settings import UvSettings


@dataclass(frozen=True, slots=True)
class Locations:
    """Where packages come from; URLs with their variables put in, so that they may hold passwords.

    Attributes:
        index_url: the default index; None: not said.
        index_name: its name, where it has one.
        extra_index_urls: further indexes.
        indexes: those with names, without the default one.
        assignments: of `[[pip.index]] packages`.
        find_links: of `[tool.uv]`, as written.
        no_index: there is no index at all, as `[tool.uv] no-index` says where `[pip]` names none.

    """

    index_url: str | None = field(repr=False)
    index_name: str | None
    extra_index_urls: tuple[str, ...] = field(repr=False)
    indexes: tuple[PipIndex, ...]
    assignments: tuple[Assignment, ...]
    find_links: tuple[str, ...] = field(repr=False)
    no_index: bool

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all indexes."""
        default = () if self.index_name is None else (self.index_name,)
        return (*(index.name for index in self.indexes), *default)


def of_uv(file: str = PYPROJECT) -> Written:
    """Name `[tool.uv]` in errors."""
    return Written(file, "tool.uv.", {})


def collect(written: Written, values: Mapping[str, Any], uv: UvSettings) -> Locations:
    """Collect the locations.

    Args:
        written: envfreeze's configuration, for errors.
        values: the checked values of its `[pip]`.
        uv: `[tool.uv]`.

    Raises:
        UsageError: there are two default indexes, a name stands there twice, an index without packages is
            explicit, a variable is not set, or what it holds makes no URL.

    """
    rows = values["index"]
    _check_rows(written, rows, values)
    if uv.no_index and not (rows or values["index-url"] or values["extra-index-url"]):
        return Locations(None, None, (), (), (), _links(uv), no_index=True)
    own = [_own(written, number, row) for number, row in enumerate(rows)]
    names = {index.name for index in own}
    theirs = [
        PipIndex(index.name, _url(of_uv(), f"index.{index.name}.url", index.url), index.explicit)
        for index in uv.indexes
        if not index.flat and index.name not in names
    ]
    default_url, default_name = _default(written, values, own, rows)
    if default_url is None:
        default_url, default_name = _default_of_uv(uv, theirs)
    defaults = {index.name for index in uv.indexes if index.default}
    defaults |= {row["name"] for row in rows if row.get("default")}
    return Locations(
        index_url=default_url,
        index_name=default_name,
        extra_index_urls=(
            *_urls(written, "pip.extra-index-url", _several(values["extra-index-url"])),
            *_urls(of_uv(), "extra-index-url", uv.extra_index_urls),
        ),
        indexes=tuple(index for index in (*own, *theirs) if index.name not in defaults),
        assignments=tuple(
            Assignment(_pattern(name), row["name"]) for row in rows for name in row.get("packages", ())
        ),
        find_links=_links(uv),
        no_index=False,
    )


def _links(uv: UvSettings) -> tuple[str, ...]:
    return (*uv.find_links, *(index.url for index in uv.indexes if index.flat))


def described(values: Mapping[str, Any], uv: UvSettings) -> dict[str, Any]:
    """Give what of it stands in the `<configuration>` input: as written, without credentials.

    Only what a project has: the input of one without these keys is that of the versions before them.
    """
    found: dict[str, Any] = {}
    if values["index"]:
        found["index"] = [{**row, "url": without_credentials(row["url"])} for row in values["index"]]
    if span(values["exclude-newer"]) is not None:
        found["exclude-newer"] = values["exclude-newer"]
    settings: dict[str, Any] = {
        "index": [{**asdict(index), "url": without_credentials(index.url)} for index in uv.indexes],
        "sources": {name: [structs.asdict(source) for source in found] for name, found in uv.sources.items()},
        "index-url": without_credentials(uv.index_url or ""),
        "extra-index-url": [without_credentials(url) for url in uv.extra_index_urls],
        "find-links": [without_credentials(url) for url in uv.find_links],
        "no-index": uv.no_index,
        "exclude-newer": str(uv.exclude_newer or ""),
        **{key: value for key, value in structs.asdict(uv.adjustments).items() if value},
    }
    if kept := {key: value for key, value in settings.items() if value}:
        found["uv"] = kept
    return found


def _check_rows(written: Written, rows: list[Mapping[str, Any]], values: Mapping[str, Any]) -> None:
    seen: set[str] = set()
    defaults = 0
    for number, row in enumerate(rows):
        place = f"pip.index[{number}]"
        if row["name"] in seen:
            raise written.error(f"{place}.name", f"stands there twice: {row['name']}", "give it another name")
        seen.add(row["name"])
        if row.get("explicit") and not row.get("packages"):
            raise written.error(
                place, "is explicit and has no packages: nothing would come from it", 'packages = ["torch"]'
            )
        defaults += bool(row.get("default"))
        if row.get("default") and (values["index-url"] is not None or defaults > 1):
            raise written.error(
                f"{place}.default", "makes a second default index", "only one index can be asked last"
            )
        if row.get("default") and row.get("explicit"):
            raise written.error(f"{place}.default", "and explicit cannot both be true")


def _own(written: Written, number: int, row: Mapping[str, Any]) -> PipIndex:
    url = _url(written, f"pip.index[{number}].url", row["url"])
    return PipIndex(row["name"], url, bool(row.get("explicit", bool(row.get("packages")))))


def _default(
    written: Written, values: Mapping[str, Any], own: Iterable[PipIndex], rows: Iterable[Mapping[str, Any]]
) -> tuple[str | None, str | None]:
    for index, row in zip(own, rows, strict=True):
        if row.get("default"):
            return index.url, index.name
    if values["index-url"] is None:
        return None, None
    return _url(written, "pip.index-url", values["index-url"]), None


def _default_of_uv(uv: UvSettings, indexes: Iterable[PipIndex]) -> tuple[str | None, str | None]:
    urls = {index.name: index.url for index in indexes}
    for index in uv.indexes:
        if index.default and index.name in urls:
            return urls[index.name], index.name
    return (None if uv.index_url is None else _url(of_uv(), "index-url", uv.index_url)), None


def _pattern(name: str) -> str:
    # The characters beside `*` are those of names; PEP 503 makes runs of them one.
    return "*".join(canonicalize_name(f"x{part}x")[1:-1] for part in name.split("*"))


def _url(written: Written, key: str, value: str) -> str:
    return _urls(written, key, (value,))[0]


def _urls(written: Written, key: str, values: tuple[str, ...]) -> tuple[str, ...]:
    expanded = expand(written, key, values)
    if not all(map(is_url, expanded)):
        raise written.error(
            key, "is not a URL once the environment variables are put in", "check what they hold"
        )
    return expanded


def _several(value: str | Iterable[str] | None) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(value)
