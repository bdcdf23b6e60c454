"""Which package indexes a project resolves against, and how their credentials stay out of everything else."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

from envfreeze.locking.conda import channels

if TYPE_CHECKING:
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

    """

    default: str | None
    extra: tuple[str, ...]
    find_links: tuple[str, ...]


def of_project(project: Project) -> Indexes:
    """Collect the indexes of the project's configuration and, for the default one, of the environment.

    The environment names a mirror (UV_DEFAULT_INDEX, UV_INDEX_URL, PIP_INDEX_URL, the first that is set); it
    cannot add indexes, so that a machine's settings never add a place that packages come from.
    """
    found = Indexes(project.pip.index_url, project.pip.extra_index_urls, project.pip.find_links)
    if found.default is None:
        for variable in _FROM_ENVIRONMENT:
            # uv takes `name=url` for an index.
            if value := re.sub(r"^[\w.-]+=(?=\w+://)", "", os.environ.get(variable, "").strip()):
                return replace(found, default=value)
    return found


def without_credentials(url: str) -> str:
    """Give the URL without user, password and fragment."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path, parts.query, ""))


def redact(text: str) -> str:
    """Take the user and password out of every URL in a text."""
    return _USERINFO.sub("", text)


def authenticate(url: str, project: Project) -> str:
    """Put the credentials of the project's index or channel into a locked URL, for the download.

    Locked URLs carry no credentials. An index's apply to what has the same scheme, host and port, as in uv;
    a URL of any other origin comes back as it is.
    """
    parts = urlsplit(url)
    indexes = of_project(project)
    for index in (indexes.default, *indexes.extra, *indexes.find_links):
        if index is None or "://" not in index:
            continue
        userinfo, at, host = urlsplit(index).netloc.rpartition("@")
        if at and (urlsplit(index).scheme, host.lower()) == (parts.scheme, parts.netloc.lower()):
            return urlunsplit(parts._replace(netloc=f"{userinfo}@{parts.netloc}"))
    return channels.authenticate(url, project)
