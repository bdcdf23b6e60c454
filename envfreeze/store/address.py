"""Addresses of files, with their credentials kept apart from what may be shown."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Self
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Address:
    """Where a file is. `str()` is what may be shown: no credentials and no query, which may be a signature.

    Attributes:
        url: what is asked for, without credentials and without the fragment.
        scheme: `http`, `https`, `file` or what else was written.
        host: in lower case; empty for files.
        port: as written or the scheme's own; 0 where it has none.
        credentials: user and password that stood in the URL, decoded.

    """

    url: str
    scheme: str
    host: str
    port: int
    credentials: tuple[str, str] | None = field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str) -> Self:
        """Read a URL.

        Raises:
            ValueError: it is none; the message does not repeat it.

        """
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            raise ValueError("not a valid URL") from None  # its message may repeat a password
        scheme = parts.scheme.lower()
        if scheme in _PORTS and not host:
            raise ValueError("not a valid URL: it names no host")
        credentials = None
        if parts.username is not None:
            credentials = unquote(parts.username), unquote(parts.password or "")
        bare = parts._replace(scheme=scheme, netloc=parts.netloc.rpartition("@")[2], fragment="")
        default = _PORTS.get(scheme, 0)
        return cls(urlunsplit(bare), scheme, host, default if port is None else port, credentials)

    def __str__(self) -> str:
        parts = urlsplit(self.url)
        return urlunsplit(parts._replace(query=""))

    @property
    def is_web(self) -> bool:
        """Whether it is http or https."""
        return self.scheme in _PORTS

    @property
    def path(self) -> Path:
        """The local file that a `file:` URL names (RFC 8089).

        Raises:
            ValueError: it names a file of another machine.

        """
        if self.host not in {"", "localhost"}:
            raise ValueError("a file: URL must not name another host")
        return Path(unquote(urlsplit(self.url).path))

    def moved(self, location: str) -> Self:
        """Where a redirect from here leads. Credentials written in the redirect are dropped.

        Raises:
            ValueError: nowhere, away from the web, or from https to http.

        """
        target = self.parse(urljoin(self.url, location))
        if not target.is_web:
            raise ValueError("a redirect away from http and https is refused")
        if self.scheme == "https" and target.scheme == "http":
            raise ValueError(f"a redirect from https to http is refused (to {target})")
        return type(self)(target.url, target.scheme, target.host, target.port)

    def trusts(self, other: Address) -> bool:
        """Whether credentials for this address may be shown to the other: the same origin, or its https."""
        if (self.scheme, self.host, self.port) == (other.scheme, other.host, other.port):
            return True
        upgraded = (self.scheme, self.port, other.scheme, other.port) == ("http", 80, "https", 443)
        return upgraded and self.host == other.host


def shown(url: str) -> str:
    """What of a URL may be shown; never raises."""
    try:
        return str(Address.parse(url))
    except ValueError:
        return "an address that cannot be read"
