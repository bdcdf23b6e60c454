"""Where a project's conda channels are, and how their credentials stay out of everything else.

Credentials stand in a URL as user and password, or as a token, `/t/<token>/`
(https://docs.conda.io/projects/conda/en/latest/user-guide/configuration/settings.html). A locked URL has
neither; for a download they are put back.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit, urlunsplit

if TYPE_CHECKING:
    from envfreeze.project.model import Project

_TOKEN = re.compile(r"/t/[^/]+(?=/)")


@dataclass(frozen=True, slots=True)
class Location:
    """A channel's place.

    Attributes:
        url: as it is asked, with credentials where there are some; without a trailing slash.
        bare: the same without credentials.

    """

    url: str
    bare: str


def of_project(project: Project) -> tuple[Location, ...]:
    """The project's channels, the most wanted first, and then those that only a match spec names."""
    if project.conda is None:
        return ()
    from rattler import Channel, MatchSpec  # noqa: PLC0415 - heavy

    urls = [Channel(location).base_url for location in project.conda.locations]
    for specs in project.conda.specs.values():
        named = (MatchSpec(spec.text).channel for spec in specs)
        urls += [channel.base_url for channel in named if channel is not None]
    found: dict[str, Location] = {}
    for url in urls:
        bare = without_credentials(url).rstrip("/")
        found.setdefault(bare, Location(url.rstrip("/"), bare))
    return tuple(found.values())


def without_credentials(url: str) -> str:
    """Give the URL without user, password, token, query and fragment."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, _TOKEN.sub("", parts.path, count=1), "", ""))


def redact(text: str) -> str:
    """Take user, password and token out of every URL in a text."""
    bare = re.sub(r"(?<=://)[^\s/\"'`]*@", "", text)
    return re.sub(r"(://[^\s/]+)/t/[^/\s]+(?=/)", r"\1", bare)


def authenticate(url: str, project: Project) -> str:
    """Put the credentials of the channel that a locked URL lies in back into it, for the download."""
    if project.conda is None or not any(map(_has_credentials, project.conda.locations)):
        return url
    for location in of_project(project):
        if url.startswith(f"{location.bare}/"):
            return location.url + url.removeprefix(location.bare)
    return url


def _has_credentials(location: str) -> bool:
    return "@" in location or _TOKEN.search(location) is not None
