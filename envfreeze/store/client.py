"""Asking web servers for files, and sending some: redirects, credentials, certificates, proxies, failures.

Knows nothing of digests, caches or resuming. Everything that goes wrong is an `AttemptError`, which says
whether asking again may help and shows no credentials.
"""

from __future__ import annotations

import socket
import sys
import threading
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

from envfreeze.errors import MachineError, UsageError
from envfreeze.store import certificates
from envfreeze.store.address import Address
from envfreeze.store.attempt import CONNECT_SECONDS, AttemptError, explained, refused, said_by
from envfreeze.store.authority import Authority, Own, basic

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable, Iterator, Mapping

    import httpx


__all__ = ["AttemptError", "Authority", "Client", "Content", "basic"]

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_REDIRECTS_AS_IT_IS: Final = frozenset({307, 308})
"""Those after which the same is sent again (RFC 9110, sections 15.4.8 and 15.4.9)."""
_ASKING: Final = frozenset({"GET", "HEAD"})
_FILE: Final = frozenset({200, 206, 416})
_SUCCESS: Final = frozenset(range(200, 300))
_LONGEST_CHAIN: Final = 10
_SILENCE_SECONDS: Final = 30.0


@dataclass(frozen=True, slots=True)
class Content:
    """What is sent with a request.

    Attributes:
        size: bytes.
        open: gives the bytes from their beginning, in pieces; called again where they are sent again.

    """

    size: int
    open: Callable[[], Iterable[bytes]]

    @classmethod
    def of(cls, raw: bytes) -> Content:
        """Bytes that are in memory."""
        return cls(len(raw), lambda: (raw,))


@dataclass(frozen=True, slots=True)
class _Request:
    """What is asked or sent; `home` is whose credentials may be shown, None: the address's own."""

    method: str
    headers: Mapping[str, str]
    form: Mapping[str, str] | None = None
    content: Content | None = None
    home: str | None = None
    silence: float = _SILENCE_SECONDS
    good: frozenset[int] = _FILE

    @property
    def redirects(self) -> frozenset[int]:
        """The answers that lead elsewhere; a form goes nowhere else."""
        if self.form is not None:
            return frozenset()
        return _REDIRECTS if self.method in _ASKING else _REDIRECTS_AS_IT_IS


class Client:
    """A pool of connections that several threads may use.

    Proxies come from the environment as everywhere (`HTTPS_PROXY`, `NO_PROXY`), credentials from the
    authority, else from the URL or from netrc. Nobody's are shown to a host that a redirect leads to.

    Args:
        connections: how many at once.
        authority: who knows the credentials; None: they are the URL's or netrc's.

    Raises:
        MachineError: certificates that the environment names cannot be read, or a proxy cannot be used.
        UsageError: a proxy's address in the environment is none.

    """

    def __init__(self, *, connections: int = 1, authority: Authority | None = None) -> None:
        self._authority = authority
        self._connections = connections
        self._lock = threading.Lock()
        self._sockets: WeakSet[socket.socket] = WeakSet()
        self._aborted = False
        self._http = self._pool(certificates.usual())
        self._special: dict[ssl.SSLContext, httpx.Client] = {}

    def _pool(self, verify: ssl.SSLContext) -> httpx.Client:
        with _no_command_line():
            import httpx  # noqa: PLC0415 - heavy

        from envfreeze import __version__  # noqa: PLC0415 - the package may be importing this module

        try:
            return httpx.Client(
                verify=verify,
                timeout=httpx.Timeout(_SILENCE_SECONDS, connect=CONNECT_SECONDS, pool=None),
                limits=httpx.Limits(
                    max_connections=self._connections, max_keepalive_connections=self._connections
                ),
                headers={
                    "User-Agent": f"envfreeze/{__version__}",
                    "Accept": "*/*",
                    # Digests are of files as they are; a range of a compressed answer means nothing.
                    "Accept-Encoding": "identity",
                },
            )
        except ImportError as error:
            raise MachineError(
                "a SOCKS proxy is set in the environment, and its support is not installed",
                hint="pip install 'httpx[socks]', or unset ALL_PROXY",
            ) from error
        except (ValueError, httpx.InvalidURL):
            # Its message would repeat the proxy's address with its password.
            raise UsageError(
                "a proxy's address in the environment is not a URL",
                hint="look at HTTP_PROXY, HTTPS_PROXY and ALL_PROXY: http://proxy.example.org:3128",
            ) from None

    def close(self) -> None:
        """Close all connections."""
        for pool in (self._http, *self._special.values()):
            pool.close()

    def abort(self) -> None:
        """End what other threads are waiting for, now. They see an `AttemptError`."""
        with self._lock:
            self._aborted = True
            for connected in self._sockets:
                _hang_up(connected)

    @contextmanager
    def open(
        self, url: str, headers: Mapping[str, str] | None = None, *, form: Mapping[str, str] | None = None
    ) -> Iterator[httpx.Response]:
        """Ask for a file: an answer with status 200, 206 or 416, its body not read yet.

        Read the body with `iter_raw`, inside the block. With a `form` it is sent (POST) to the address
        itself and to nowhere that a redirect leads to.

        Raises:
            AttemptError: from the asking, and from reading the body in the block.

        """
        method = "GET" if form is None else "POST"
        with self._answer(url, _Request(method, headers or {}, form)) as response:
            yield response

    @contextmanager
    def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        *,
        content: Content | None = None,
        home: str | None = None,
        silence: float = _SILENCE_SECONDS,
    ) -> Iterator[httpx.Response]:
        """Send something, or ask about something: a successful answer (2xx), its body not read yet.

        A redirect that may change what is asked (301, 302, 303) is followed only by GET and HEAD; 307 and
        308 have the content sent again.

        Args:
            method: GET, HEAD, POST, PUT, PATCH or DELETE.
            url: where to.
            headers: of the request.
            content: what is sent; errors of whoever gives it come through.
            home: the address whose credentials may be shown, where `url` came from a server; None: `url`.
            silence: seconds to wait for an answer.

        Raises:
            AttemptError: as in `open`.

        """
        request = _Request(method, headers or {}, content=content, home=home, silence=silence, good=_SUCCESS)
        with self._answer(url, request) as response:
            yield response

    @contextmanager
    def _answer(self, url: str, request: _Request) -> Iterator[httpx.Response]:
        import httpx  # noqa: PLC0415 - heavy

        response: httpx.Response | None = None
        try:
            response = self._follow(url, request)
            yield response
        except (httpx.HTTPError, httpx.StreamError, httpx.InvalidURL) as error:
            raise explained(error, request.silence, self._authority) from error
        finally:
            if response is not None:
                with suppress(httpx.HTTPError, OSError):
                    response.close()

    def _follow(self, url: str, request: _Request) -> httpx.Response:
        try:
            here = Address.parse(url)
            first = here if request.home is None else Address.parse(request.home)
        except ValueError as error:
            raise AttemptError(str(error)) from error
        if not here.is_web:
            raise AttemptError(f"{here.scheme or 'a path'} is no scheme that files can be fetched by")
        authority = self._authority or Own(first)
        answered = False
        for _ in range(_LONGEST_CHAIN):
            header = authority.header(here) if first.trusts(here) else None
            response = self._ask(here, request, header)
            if response.status_code in request.redirects and "location" in response.headers:
                response.close()
                try:
                    here = here.moved(response.headers["location"])
                except ValueError as error:
                    raise AttemptError(str(error), status=response.status_code) from error
                continue
            if response.status_code in request.good:
                return response
            said = b"" if request.good is _FILE else said_by(response)
            response.close()
            challenges = response.headers.get_list("www-authenticate")
            if response.status_code == 401 and first.trusts(here) and not answered:  # noqa: PLR2004 - no access
                answered = True
                if authority.challenged(here, challenges):
                    continue
            raise refused(response, here, authority, shown=header is not None, said=said)
        raise AttemptError(f"more than {_LONGEST_CHAIN} redirects")

    def _ask(self, address: Address, request: _Request, authorization: str | None) -> httpx.Response:
        import httpx  # noqa: PLC0415 - heavy

        sent = dict(request.headers)
        if authorization is not None:
            sent["Authorization"] = authorization
        if request.content is not None:
            sent["Content-Length"] = str(request.content.size)
        elif request.form is None and request.method not in _ASKING:
            sent["Content-Length"] = "0"
        pool = self._pool_of(address)
        built = pool.build_request(
            request.method,
            address.url,
            headers=sent,
            data=request.form,
            content=None if request.content is None else request.content.open(),
            timeout=httpx.Timeout(request.silence, connect=CONNECT_SECONDS, pool=None),
            extensions={"trace": self._watch},
        )
        return pool.send(built, stream=True, follow_redirects=False)

    def _pool_of(self, address: Address) -> httpx.Client:
        """The connections for an address, which depend on what is believed of its server."""
        own = None if self._authority is None else self._authority.certificates(address)
        if own is None:
            return self._http
        with self._lock:
            if own not in self._special:
                self._special[own] = self._pool(own)
            return self._special[own]

    def _watch(self, event: str, told: Mapping[str, Any]) -> None:
        """Remember every socket, so that `abort` can end a wait that no flag would."""
        if not event.endswith(("connect_tcp.complete", "start_tls.complete")):
            return
        connected = told["return_value"].get_extra_info("socket")
        if isinstance(connected, socket.socket):
            with self._lock:
                self._sockets.add(connected)
                if self._aborted:
                    _hang_up(connected)


@contextmanager
def _no_command_line() -> Iterator[None]:
    """Leave out httpx's own command line, an optional part, which takes longer to import than the rest."""
    part = "httpx._main"
    absent = not {"httpx", part} & sys.modules.keys()
    if absent:
        sys.modules[part] = None  # type: ignore[assignment] # so Python marks what is not to be imported
    try:
        yield
    finally:
        if absent:
            sys.modules.pop(part, None)


def _hang_up(connected: socket.socket) -> None:
    # Closing would not wake up a thread that waits for data. Not the TLS socket's own shutdown, which
    # takes its state away under the thread that uses it.
    with suppress(OSError):
        socket.socket.shutdown(connected, socket.SHUT_RDWR)
