"""What to show at a registry's door: nothing, a password, or a token that its token server gives.

The token server's protocol is https://distribution.github.io/distribution/spec/auth/token/ and its OAuth 2
form beside it. Tokens are kept for the process, by what they are good for; a password is shown only to the
registry that it is for, and to the token server that this registry names over the same kind of connection.
"""

from __future__ import annotations

import json
import re
import threading
import time
from typing import TYPE_CHECKING
from urllib.parse import urlencode, urlsplit, urlunsplit

from envfreeze.oci.registry import challenge, credentials
from envfreeze.oci.registry.certificates import Certificates
from envfreeze.store.address import Address
from envfreeze.store.client import AttemptError, Client, basic

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping, Sequence

    from envfreeze.oci.registry.challenge import Challenge
    from envfreeze.oci.registry.credentials import Login

_SCOPE = re.compile(r"/v2/(?P<name>.+)/(?:manifests|blobs|tags|referrers)/")
_SHORTEST_SECONDS = 60
"""How long a token counts that does not say how long it does (the token server's protocol)."""

_MARGIN_SECONDS = 10
_LARGEST_ANSWER = 1 << 20
_CLIENT = "envfreeze"


class Door:
    """An `Authority` for registries; one object serves several threads.

    Args:
        registries: host and port of a server to the name of the registry whose login it takes; may grow.
        environ: names the files that logins are in.

    """

    def __init__(self, registries: Mapping[str, str], environ: Mapping[str, str]) -> None:
        self._registries = registries
        self._environ = environ
        self._lock = threading.Lock()
        self._logins: dict[str, Login | None] = {}
        self._headers: dict[tuple[str, str], tuple[str, float]] = {}
        self._writing: set[tuple[str, str]] = set()
        self._certificates = Certificates(environ)

    def certificates(self, address: Address) -> ssl.SSLContext | None:
        """Give what `certs.d` has for a server."""
        return self._certificates.of(_host(address)) if address.scheme == "https" else None

    def distrusted(self, address: Address) -> str:
        """Say where a registry's certificate is put."""
        return self._certificates.advice(_host(address))

    def for_writing(self, server: str, repository: str) -> None:
        """Ask for tokens that let a repository be written, too, from now on."""
        with self._lock:
            self._writing.add((server, repository))

    def header(self, address: Address) -> str | None:
        """Give what was learned from earlier challenges."""
        with self._lock:
            known = self._headers.get(_place(address))
        return known[0] if known is not None and known[1] > time.monotonic() else None

    def challenged(self, address: Address, challenges: Sequence[str]) -> bool:
        """Learn from a challenge.

        Raises:
            AttemptError: the token server did not give a token.

        """
        for one in challenge.parse(challenges):
            login = self._login(address)
            if one.scheme == "bearer" and one.parameters.get("realm"):
                header, seconds = self._token(address, one, login)
            elif one.scheme == "basic" and login is not None and login.user:
                header, seconds = basic(login.user, login.password), float("inf")
            else:
                continue
            with self._lock:
                self._headers[_place(address)] = header, time.monotonic() + seconds
            return True
        return False

    def _token(self, address: Address, asked: Challenge, login: Login | None) -> tuple[str, float]:
        try:
            return _token(address, asked, login, self._certificates, writing=self._writes(address))
        except AttemptError as failure:
            if failure.status is not None:
                why, hint = self.refusal(address, failure.status, shown=login is not None)
                raise AttemptError(f"{failure.reason}: {why}", status=failure.status, hint=hint) from failure
            raise

    def refusal(self, address: Address, status: int, *, shown: bool) -> tuple[str, str]:  # noqa: ARG002
        """Say why 401 or 403 came."""
        registry = self._registries.get(_host(address), _host(address))
        command = f"docker login {registry}"
        if self._login(address) is None:
            what = "let everybody write there" if self._writes(address) else "show this to everybody"
            return f"nobody is logged in to {registry}, and it does not {what}", command
        what = "write there" if self._writes(address) else "read this"
        return f"the login for {registry} may not {what}", f"check the name, or log in again: {command}"

    def _writes(self, address: Address) -> bool:
        with self._lock:
            return _place(address) in self._writing

    def _login(self, address: Address) -> Login | None:
        registry = self._registries.get(_host(address))
        if registry is None:
            return None
        with self._lock:
            if registry not in self._logins:
                self._logins[registry] = credentials.find(registry, self._environ)
            return self._logins[registry]


class _Fixed:
    """An authority that shows one header and takes no for an answer."""

    def __init__(self, header: str | None, believed: Certificates) -> None:
        self._header = header
        self._certificates = believed

    def header(self, address: Address) -> str | None:  # noqa: ARG002 - the interface
        return self._header

    def challenged(self, address: Address, challenges: Sequence[str]) -> bool:  # noqa: ARG002 - the interface
        return False

    def refusal(self, address: Address, status: int, *, shown: bool) -> tuple[str, str]:  # noqa: ARG002
        return f"no token from {address.host}", ""

    def certificates(self, address: Address) -> ssl.SSLContext | None:
        return self._certificates.of(_host(address)) if address.scheme == "https" else None

    def distrusted(self, address: Address) -> str:
        return self._certificates.advice(_host(address))


def _place(address: Address) -> tuple[str, str]:
    """What a header is good for: a server, and a repository of it."""
    match = _SCOPE.search(urlsplit(address.url).path)
    return _host(address), "" if match is None else match["name"]


def _host(address: Address) -> str:
    return urlsplit(address.url).netloc


def _token(
    address: Address, asked: Challenge, login: Login | None, believed: Certificates, *, writing: bool
) -> tuple[str, float]:
    """Get a token: the header, and how many seconds it is good for."""
    realm = asked.parameters["realm"]
    try:
        where = Address.parse(realm)
    except ValueError as error:
        raise AttemptError(f"its token server's address is wrong: {error}") from error
    # A password that came over TLS must not leave it; anonymous tokens neither, they open the same door.
    if not where.is_web or (address.scheme == "https" and where.scheme != "https"):
        raise AttemptError(f"its token server {where} is not to be trusted: it is not https")
    service = {"service": asked.parameters["service"]} if "service" in asked.parameters else {}
    scopes = asked.parameters.get("scope", "").split(" ")
    if not any(scopes) and (name := _place(address)[1]):
        scopes = [f"repository:{name}:pull"]
    if writing:
        # One token for the whole of a push, whatever the first request was.
        name = _place(address)[1]
        others = [scope for scope in scopes if not scope.startswith(f"repository:{name}:")]
        scopes = [f"repository:{name}:pull,push", *others]
    if login is not None and login.token:
        form = {
            "grant_type": "refresh_token",
            "refresh_token": login.token,
            "client_id": _CLIENT,
            "scope": " ".join(scopes),
            **service,
        }
        answer = _ask(where.url, None, form, believed)
    else:
        query = urlencode([*service.items(), *(("scope", scope) for scope in scopes if scope)])
        parts = urlsplit(where.url)
        url = urlunsplit(parts._replace(query="&".join(part for part in (parts.query, query) if part)))
        header = basic(login.user, login.password) if login is not None and login.user else None
        answer = _ask(url, header, None, believed)
    token = answer.get("token") or answer.get("access_token")
    if not isinstance(token, str) or not token.isascii() or not token.isprintable():
        raise AttemptError(f"its token server {where} gave no token")
    stated = answer.get("expires_in")
    seconds = stated if isinstance(stated, int) and stated > 0 else _SHORTEST_SECONDS
    return f"Bearer {token}", max(1.0, float(seconds - _MARGIN_SECONDS))


def _ask(
    url: str, header: str | None, form: Mapping[str, str] | None, believed: Certificates
) -> Mapping[str, object]:
    client = Client(authority=_Fixed(header, believed))
    shown = Address.parse(url)
    try:
        with client.open(url, form=form) as response:
            body = b""
            for chunk in response.iter_raw():
                body += chunk
                if len(body) > _LARGEST_ANSWER:
                    break
    except AttemptError as failure:
        raise AttemptError(
            f"its token server {shown}: {failure.reason}",
            again=failure.again,
            after=failure.after,
            # A 404 of the token server is none of what was asked for.
            status=failure.status if failure.status in {401, 403} else None,
            hint=failure.hint,
        ) from failure
    finally:
        client.close()
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    if not isinstance(answer, dict):
        raise AttemptError(f"its token server {shown} did not answer with JSON")
    return answer
