"""Where an archive can be had: the configured mirror, the host's own apt sources, the snapshot archive.

A place is only a way to the bytes: everything fetched from it is checked by signature or digest, so the worst
that a wrong place can do is to have nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from envfreeze.errors import UsageError
from envfreeze.store.address import Address, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime
    from pathlib import Path

    from envfreeze.locking.apt.suites import SuiteArchive

_SCHEMES = ("http", "https", "file")

# sources.list(5), the one-line format: type, options in brackets, URI, suite, components.
_ONE_LINE = re.compile(
    r"deb\s+(?:\[(?P<options>[^\]]*)\]\s*)?(?P<uri>\S+)\s+(?P<suite>\S+)(?P<components>[^#]*)"
)


@dataclass(frozen=True, slots=True)
class HostSource:
    """An entry of the host's apt sources.

    Attributes:
        uri: root of an archive.
        suites: suites that are used of it.
        components: components that are used of it.
        signed_by: keyring files, or a key itself, as written; empty: any key that the host trusts.

    """

    uri: str
    suites: tuple[str, ...]
    components: tuple[str, ...]
    signed_by: str


@dataclass(frozen=True, slots=True)
class Place:
    """Where an archive can be had now.

    Attributes:
        root: URL that holds `dists/`, with credentials where it was given with any.
        lasting: the same URL as the lock may name it, without credentials; None for the present state of a
            snapshot archive, which the lock names at the index's date.
        name: by which a document of it is remembered.

    """

    root: str
    lasting: str | None
    name: str


def host_sources(folder: Path) -> tuple[HostSource, ...]:
    """Read the apt sources of this host (`/etc/apt`), both formats; none where it has none.

    A file that cannot be read is passed over: the sources are a convenience, not an input.
    """
    found: list[HostSource] = []
    parts = folder / "sources.list.d"
    try:
        files = sorted(path for path in parts.iterdir() if path.suffix in (".list", ".sources"))
    except OSError:
        files = []
    for path in (folder / "sources.list", *files):
        try:
            text = path.read_text("utf-8", "replace")
        except OSError:
            continue
        found.extend(_deb822(text) if path.suffix == ".sources" else _one_line(text))
    return tuple(found)


def places(
    archive: SuiteArchive, suite: str, *, mirror: str | None, host: Sequence[HostSource], now: datetime
) -> tuple[Place, ...]:
    """Return where to look for an index, in the order to try.

    With a mirror configured, the distribution's main archive is that mirror and nothing else; an archive
    beside it (`debian-security`) is looked for at the mirror's name with the archive's suffix, at the mirror
    itself, and then as if there were none: in the host's sources, in the snapshot archive.

    Raises:
        UsageError: the mirror is not a URL that files can be fetched from.

    """
    found: list[Place] = []
    if mirror is not None:
        main = _configured(mirror, "[image] mirror")
        if not archive.suffix:
            return (main,)
        found += [_place(main.root + archive.suffix), main]
    found += [_place(uri) for uri in _of_host(archive, suite, host)]
    if archive.snapshot is not None:
        found.append(Place(f"{archive.snapshot}/{stamp(now)}", None, archive.snapshot))
    return tuple(dict.fromkeys(found))


def further_place(url: str) -> Place:
    """Return the one place of a further archive, `[[apt]]`.

    Raises:
        UsageError: it is not a URL that files can be fetched from.

    """
    return _configured(url, "[[apt]] url")


def stamp(moment: datetime) -> str:
    """Write a moment as snapshot archives do: `20260912T075541Z`."""
    return moment.strftime("%Y%m%dT%H%M%SZ")


def _configured(url: str, key: str) -> Place:
    if not _usable(url):
        raise UsageError(
            f"{key}: cannot fetch from {shown(url)}",
            hint="give the archive's root, the folder that holds dists/, as http://, https:// or file://",
        )
    return _place(url.rstrip("/"))


def _place(url: str) -> Place:
    public = Address.parse(url).url
    return Place(url, public, public)


def _of_host(archive: SuiteArchive, suite: str, host: Sequence[HostSource]) -> list[str]:
    """Return the host's URIs of an archive, the likeliest first.

    An entry counts when it lists a suite of the archive and its main component under the distribution's own
    key: other vendors name their suites after the distribution's too.
    """
    found = []
    for position, source in enumerate(host):
        folder = urlsplit(source.uri).path.rstrip("/").rpartition("/")[2]
        trusted = not source.signed_by or archive.keyring in source.signed_by
        listed = "main" in source.components and not archive.suites.isdisjoint(source.suites)
        if listed and trusted and folder not in archive.rivals:
            found.append((suite not in source.suites, folder != archive.folder, position, source.uri))
    return [uri.rstrip("/") for *_, uri in sorted(found)]


def _deb822(text: str) -> Iterator[HostSource]:
    from debian.deb822 import Deb822  # noqa: PLC0415 - heavy

    for entry in Deb822.iter_paragraphs(text, use_apt_pkg=False):
        if "deb" in entry.get("Types", "").split() and entry.get("Enabled", "yes").lower() != "no":
            yield from _sources(
                entry.get("URIs", "").split(),
                suites=entry.get("Suites", "").split(),
                components=entry.get("Components", "").split(),
                signed_by=entry.get("Signed-By", ""),
            )


def _one_line(text: str) -> Iterator[HostSource]:
    for line in text.splitlines():
        match = _ONE_LINE.match(line.strip())
        if match is None:
            continue
        options = _options(match["options"] or "")
        yield from _sources(
            [match["uri"]],
            suites=[match["suite"]],
            components=match["components"].split(),
            signed_by=options.get("signed-by", ""),
        )


def _options(text: str) -> Mapping[str, str]:
    return dict(option.partition("=")[::2] for option in text.split())


def _sources(
    uris: Iterable[str], *, suites: list[str], components: list[str], signed_by: str
) -> Iterator[HostSource]:
    for uri in uris:
        for plain in _plain(uri):
            yield HostSource(plain, tuple(suites), tuple(components), signed_by)


def _plain(uri: str) -> list[str]:
    """Return the URLs that an apt URI stands for: itself, or what a mirror list on disk names."""
    from pathlib import Path  # noqa: PLC0415 - only where there is a mirror list

    if uri.startswith(("mirror+file:", "mirror:file:")):
        listed = Path(urlsplit(uri.partition("+")[2] or uri.partition(":")[2]).path)
        try:
            lines = listed.read_text("utf-8", "replace").splitlines()
        except OSError:
            return []
        uris = [line.split()[0] for line in lines if line.strip() and not line.lstrip().startswith("#")]
    else:
        uris = [uri]
    return [found for found in uris if _usable(found)]


def _usable(uri: str) -> bool:
    try:
        return Address.parse(uri).scheme in _SCHEMES
    except ValueError:
        return False
