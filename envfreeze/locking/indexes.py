"""Which package indexes a project resolves against, and how their credentials stay out of everything else."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit, urlunsplit

from envfreeze.locking import keyring, requirements
from envfreeze.project.model import PipIndex
from envfreeze.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envfreeze.project.model import Project

_USERINFO = re.compile(r"(?<=://)[^\s/\"'`]*@")
_FROM_ENVIRONMENT = ("UV_DEFAULT_INDEX", "UV_INDEX_URL", "PIP_INDEX_URL")


@dataclass(frozen=True, slots=True)
class Indexes:
    """Where distributions are looked for. URLs may carry credentials.

    Attributes:
        default: the index; None: uv's own default.
        extra: further indexes. The first index that knows a package is the only one asked for it, and the
            further ones come before the default.
        find_links: folders or pages of wheels, as the project wrote them.
        named: indexes with names, which come before `extra`.
        default_name: the name of `default`, where it has one.
        in_files: URLs that the requirements files themselves name; uv reads those from the files.
        no_index: there is no index, only `find_links`.
        keyring: passwords are asked of the `keyring` command.

    """

    default: str | None = field(repr=False)
    extra: tuple[str, ...] = field(repr=False)
    find_links: tuple[str, ...] = field(repr=False)
    named: tuple[PipIndex, ...] = ()
    default_name: str | None = None
    in_files: tuple[str, ...] = field(default=(), repr=False)
    no_index: bool = False
    keyring: bool = False

    @property
    def are_several(self) -> bool:
        """Whether a package may come from more than one index, so that the lock says from which."""
        return bool(self.named or self.extra or self.in_files)

    @property
    def in_order(self) -> tuple[str, ...]:
        """The URLs in the order in which a package that is assigned to none of them is looked for."""
        default = () if self.default is None else (self.default,)
        asked = (index.url for index in self.named if not index.explicit)
        return (*asked, *self.extra, *self.in_files, *default)


def of_project(project: Project) -> Indexes:
    """Collect the indexes of the project's configuration and, for the default one, of the environment.

    The environment names a mirror (UV_DEFAULT_INDEX, UV_INDEX_URL, PIP_INDEX_URL, the first that is set); it
    cannot add indexes, so that a machine's settings never add a place that packages come from. What the
    project's requirements files say counts for more than the machine's mirror.
    """
    pip = project.pip
    found = Indexes(
        default=pip.index_url,
        extra=pip.extra_index_urls,
        find_links=pip.find_links,
        named=pip.indexes,
        default_name=pip.index_name,
        in_files=requirements.further_indexes(project),
        no_index=pip.no_index,
        keyring=keyring.is_wanted(project),
    )
    if found.default is None and not found.no_index and requirements.index(project) is None:
        for variable in _FROM_ENVIRONMENT:
            # uv takes `name=url` for an index.
            if value := re.sub(r"^[\w.-]+=(?=\w+://)", "", os.environ.get(variable, "").strip()):
                return replace(found, default=value)
    return found


def variables(name: str) -> tuple[str, str]:
    """Name the environment variables that hold an index's user and password, as uv does."""
    letters = re.sub("[^A-Z0-9]", "_", name.upper())
    return f"UV_INDEX_{letters}_USERNAME", f"UV_INDEX_{letters}_PASSWORD"


def without_credentials(url: str) -> str:
    """Give the URL without user, password and fragment."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, parts.query, ""))


def redact(text: str) -> str:
    """Take the user and password out of every URL in a text."""
    return _USERINFO.sub("", text)


def authenticate(url: str, project: Project) -> str:
    """Put the credentials of the project's index, archive or channel into a locked URL of the same origin.

    Locked URLs carry no credentials. An index's or archive's apply to what has the same scheme, host and
    port, as in uv; of several with one origin the one counts whose path has most in common with the URL's. A
    URL of any other origin comes back as it is, and so does one whose index has no credentials: netrc is
    looked at when it is fetched.
    """
    parts = urlsplit(url)
    where = of_project(project)
    best, most = "", -1
    for index in _with_credentials(where, project):
        candidate = urlsplit(index)
        if _origin(candidate.scheme, candidate.netloc) != _origin(parts.scheme, parts.netloc):
            continue
        common = _common(candidate.path, parts.path)
        if common > most:
            best, most = index, common
    userinfo = _userinfo(best, where)
    if userinfo:
        return urlunsplit(parts._replace(netloc=f"{userinfo}@{parts.netloc}"))
    from envfreeze.locking.conda import channels  # noqa: PLC0415 - only where a file is fetched

    return channels.authenticate(url, project)


def _common(first: str, second: str) -> int:
    """How many leading parts two paths share."""
    pairs = zip(first.split("/"), second.split("/"), strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _origin(scheme: str, netloc: str) -> tuple[str, str]:
    return scheme, netloc.rpartition("@")[2].lower()


def _with_credentials(where: Indexes, project: Project) -> Iterator[str]:
    """Every URL that says who is asking."""
    default = None if where.default is None else PipIndex(where.default_name or "", where.default)
    for index in (*where.named, *([] if default is None else [default])):
        user, word = (os.environ.get(variable, "") for variable in variables(index.name))
        parts = urlsplit(index.url)
        if index.name and user and "@" not in parts.netloc:
            secret = f":{quote(word, safe='')}" if word else ""
            yield urlunsplit(parts._replace(netloc=f"{quote(user, safe='')}{secret}@{parts.netloc}"))
        elif "@" in parts.netloc:
            yield index.url
    archives = (archive.url for archive in project.apt)
    for url in (*where.extra, *where.find_links, *requirements.urls(project), *archives):
        if "://" in url and "@" in urlsplit(url).netloc:
            yield url


def _userinfo(index: str, where: Indexes) -> str:
    userinfo = urlsplit(index).netloc.rpartition("@")[0]
    if not userinfo or ":" in userinfo or not where.keyring:
        return userinfo
    word = keyring.password(without_credentials(index), userinfo)
    return userinfo if word is None else f"{userinfo}:{quote(word, safe='')}"
