"""Who knows what to show at the door of a server: an `Authority`, else the URL and netrc."""

from __future__ import annotations

import base64
import netrc
import os
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import ssl
    from collections.abc import Sequence

    from envfreeze.store.address import Address


class Authority(Protocol):
    """Who knows what to show at the door of a server, where that is not the URL's or netrc's credentials."""

    def header(self, address: Address) -> str | None:
        """Give the `Authorization` header for an address; None: nothing is shown."""

    def challenged(self, address: Address, challenges: Sequence[str]) -> bool:
        """Answer a 401: whether asking once more will show something else.

        Args:
            address: what was asked for.
            challenges: the `WWW-Authenticate` headers.

        Raises:
            AttemptError: whoever gives out tokens did not.

        """

    def refusal(self, address: Address, status: int, *, shown: bool) -> tuple[str, str]:
        """Say why 401 or 403 may have come, and what to do about it."""

    def certificates(self, address: Address) -> ssl.SSLContext | None:
        """Give what is believed of an address's server; None: the usual certificates.

        Raises:
            MachineError: they cannot be read.

        """

    def distrusted(self, address: Address) -> str:
        """Say what to do where a server's certificate is not believed; empty: nothing is known."""


def basic(user: str, password: str) -> str:
    """Give the `Authorization` header of a user and password (RFC 7617)."""
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


class Own:
    """The credentials of the URL, else netrc's for its host."""

    def __init__(self, first: Address) -> None:
        self._credentials, self._trouble = _credentials(first)

    def header(self, address: Address) -> str | None:  # noqa: ARG002 - the interface
        """Give the same for every address that may see it."""
        return None if self._credentials is None else basic(*self._credentials)

    def challenged(self, address: Address, challenges: Sequence[str]) -> bool:  # noqa: ARG002 - the interface
        """Know nothing else to show."""
        return False

    def refusal(self, address: Address, status: int, *, shown: bool) -> tuple[str, str]:  # noqa: ARG002
        """Say whether there were credentials, and whether netrc could be read."""
        reason = (
            f"{address.host} refused the credentials of the URL or of netrc"
            if shown
            else f"no credentials for {address.host} in the URL or in netrc"
        )
        return reason + (f" ({self._trouble})" if self._trouble else ""), ""

    def certificates(self, address: Address) -> ssl.SSLContext | None:  # noqa: ARG002 - the interface
        """Believe the usual ones."""
        return None

    def distrusted(self, address: Address) -> str:  # noqa: ARG002 - the interface
        """Name the variable that names further ones."""
        return "SSL_CERT_FILE names a file of certificates that are believed"


def _credentials(address: Address) -> tuple[tuple[str, str] | None, str]:
    """Those of the URL, else netrc's for its host; and why netrc could not be read, if so."""
    if address.credentials is not None:
        return address.credentials, ""
    path = Path(os.environ.get("NETRC") or Path("~/.netrc").expanduser())
    try:
        found = netrc.netrc(path).authenticators(address.host)
    except FileNotFoundError:
        return None, ""
    except (OSError, UnicodeError, netrc.NetrcParseError) as error:
        # The parser's own message may repeat a password.
        line = getattr(error, "lineno", None)
        return None, f"{path} cannot be read" + (f", line {line}" if line else "")
    return ((found[0], found[2] or ""), "") if found is not None else (None, "")
