"""A proxy before a registry that does what networks do: it drops, delays, cuts, corrupts, redirects, refuses.

Not a test. `tests/conftest.py` hands it out as the fixture `troubles`, the module itself:

    def test_something(troubles, registry):
        with troubles.before(registry.host, login) as proxy:
            proxy.begin(seed=7, rate=0.3)
            push(image, f"{proxy.host}/team/train:v1")
            assert proxy.happened["corrupt answer"]

What goes wrong with a request depends on the seed and on the requests before it; every trouble has its turn.
The proxy speaks to the registry itself, one connection for each request.
"""

from __future__ import annotations

import base64
import http.client
import random
import re
import socket
import struct
import threading
import time
from collections import Counter
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

STALL_SECONDS = 0.6
_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})


@dataclass(frozen=True)
class Asked:
    """A request as the proxy took it."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """What is answered; `cut`: bytes of the body after which the connection ends."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    cut: int | None = None


class HangUpError(Exception):
    """The connection ends without an answer."""


class ResetError(Exception):
    """The connection is reset (RST) without an answer."""


@dataclass
class Elsewhere:
    """Another host, to which requests are redirected: it serves what it is told to, and sees what is shown.

    Attributes:
        host: where it listens.
        login: user and password by which it reads the registry itself; None: none is needed.
        shown: the `Authorization` headers that came here.
        asked: how many requests came here.

    """

    host: str
    login: tuple[str, str] | None
    shown: list[str] = field(default_factory=list)
    asked: int = 0

    def serve(self, asked: Asked, proxy: Proxy) -> Answer:
        """Serve what the registry would, or something else, or ask for a login."""
        with proxy.guard:
            self.asked += 1
            if "authorization" in asked.headers:
                self.shown.append(asked.headers["authorization"])
        kind, path = re.match(r"/(\w+)(.*)", asked.path).groups()
        if kind == "login":
            challenge = f'Bearer realm="http://{self.host}/token",service=x, Basic realm=x'
            return Answer(401, {"WWW-Authenticate": challenge}, b"")
        if kind == "other":
            return Answer(200, {"Content-Type": "application/octet-stream"}, b"something else")
        headers = {**asked.headers, "host": proxy.host}
        if self.login is not None:
            headers["authorization"] = "Basic " + base64.b64encode(":".join(self.login).encode()).decode()
        return proxy.forward(Asked(asked.method, path, headers, asked.body))


@dataclass
class Proxy:
    """What stands before the registry.

    Attributes:
        host: where it listens.
        registry: what it stands before.
        elsewhere: where it redirects to.
        happened: how often each thing went wrong.
        stalls: whether an answer may take `STALL_SECONDS`.

    """

    host: str
    registry: str
    elsewhere: Elsewhere
    happened: Counter[str] = field(default_factory=Counter)
    stalls: bool = False
    guard: threading.Lock = field(default_factory=threading.Lock)
    _chance: random.Random = field(default_factory=random.Random)
    _rate: float = 0.0
    _left: int = 0
    _pack: list[str] = field(default_factory=list)

    def begin(self, seed: int, rate: float, most: int) -> None:
        """From now on some of the requests go wrong: that share of them, and so many at most."""
        with self.guard:
            self._chance, self._rate, self._left = random.Random(seed), rate, most

    def serve(self, asked: Asked) -> Answer:
        """Answer a request, or let it go wrong."""
        with self.guard:
            wrong = self._left > 0 and self._chance.random() < self._rate
            name = self._next(asked) if wrong else ""
            chance = random.Random(self._chance.random())
            if name:
                self._left -= 1
                self.happened[name] += 1
        return TROUBLES[name](self, asked, chance) if name else self.forward(asked)

    def _next(self, asked: Asked) -> str:
        """The next trouble of a shuffled pack that can befall a request; a new pack where none is left."""
        while True:
            for name in self._pack:
                if (asked.body or name not in OF_BODIES) and (self.stalls or name != "stall"):
                    self._pack.remove(name)
                    return name
            self._pack = [*self._pack, *self._chance.sample(sorted(TROUBLES), len(TROUBLES))]

    def forward(self, asked: Asked, *, body: bytes | None = None, length: int | None = None) -> Answer:
        """Ask the registry, with another body perhaps, and perhaps with less of it than is said."""
        sent = asked.body if body is None else body
        connection = http.client.HTTPConnection(self.registry, timeout=30)
        try:
            connection.putrequest(asked.method, asked.path, skip_host=True, skip_accept_encoding=True)
            for name, value in asked.headers.items():
                if name not in _HOP:
                    connection.putheader(name, value)
            connection.putheader("Content-Length", str(len(sent) if length is None else length))
            connection.putheader("Connection", "close")
            connection.endheaders()
            with suppress(OSError):
                connection.send(sent)
            if length is not None:
                raise HangUpError
            came = connection.getresponse()
            # Of what HEAD does not send, the length is all that is told.
            hop = _HOP - {"content-length"} if asked.method == "HEAD" else _HOP
            headers = {name: value for name, value in came.getheaders() if name.lower() not in hop}
            return Answer(came.status, headers, came.read())
        finally:
            connection.close()


def _flipped(body: bytes, chance: random.Random) -> bytes:
    if not body:
        return body
    place = chance.randrange(len(body))
    return body[:place] + bytes([body[place] ^ (1 << chance.randrange(8))]) + body[place + 1 :]


def _drop(_proxy: Proxy, _asked: Asked, _chance: random.Random) -> Answer:
    raise HangUpError


def _reset(_proxy: Proxy, _asked: Asked, _chance: random.Random) -> Answer:
    raise ResetError


def _drop_answer(proxy: Proxy, asked: Asked, _chance: random.Random) -> Answer:
    proxy.forward(asked)
    raise HangUpError


def _delay(proxy: Proxy, asked: Asked, chance: random.Random) -> Answer:
    time.sleep(chance.uniform(0, 0.05))
    return proxy.forward(asked)


def _stall(_proxy: Proxy, _asked: Asked, _chance: random.Random) -> Answer:
    time.sleep(STALL_SECONDS)
    raise HangUpError


def _truncate_request(proxy: Proxy, asked: Asked, chance: random.Random) -> Answer:
    part = asked.body[: chance.randrange(len(asked.body))]
    return proxy.forward(asked, body=part, length=len(asked.body))


def _truncate_answer(proxy: Proxy, asked: Asked, chance: random.Random) -> Answer:
    answer = proxy.forward(asked)
    cut = chance.randrange(len(answer.body)) if answer.body else 0
    return Answer(answer.status, answer.headers, answer.body, cut)


def _corrupt_request(proxy: Proxy, asked: Asked, chance: random.Random) -> Answer:
    return proxy.forward(asked, body=_flipped(asked.body, chance))


def _corrupt_answer(proxy: Proxy, asked: Asked, chance: random.Random) -> Answer:
    answer = proxy.forward(asked)
    return Answer(answer.status, answer.headers, _flipped(answer.body, chance))


def _redirect(kind: str) -> Callable[[Proxy, Asked, random.Random], Answer]:
    def answer(proxy: Proxy, asked: Asked, chance: random.Random) -> Answer:
        status = chance.choice([301, 302, 303, 307, 308])
        return Answer(status, {"Location": f"http://{proxy.elsewhere.host}/{kind}{asked.path}"}, b"")

    return answer


def _redirect_nowhere(_proxy: Proxy, _asked: Asked, chance: random.Random) -> Answer:
    where = chance.choice(
        ["http://127.0.0.1:9/", "ftp://example.invalid/x", "//", "http://[::1", "file:///etc"]
    )
    return Answer(307, {"Location": where}, b"")


def _redirect_round(_proxy: Proxy, asked: Asked, _chance: random.Random) -> Answer:
    return Answer(307, {"Location": asked.path}, b"")


def _busy(_proxy: Proxy, _asked: Asked, chance: random.Random) -> Answer:
    return Answer(
        429, chance.choice([{}, {"Retry-After": "0"}, {"Retry-After": "900"}, {"Retry-After": "x"}]), b""
    )


def _broken(_proxy: Proxy, _asked: Asked, chance: random.Random) -> Answer:
    said = chance.choice([b"", b"<html>oops</html>", b'{"errors":[{"code":"UNKNOWN","message":"oops"}]}'])
    return Answer(chance.choice([500, 502, 503, 504]), {}, said)


def _unauthorized(_proxy: Proxy, _asked: Asked, chance: random.Random) -> Answer:
    challenge = chance.choice(["Basic realm=tests", 'Bearer realm="http://127.0.0.1:9/token"', ""])
    return Answer(401, {"WWW-Authenticate": challenge} if challenge else {}, b"")


def _forbidden(_proxy: Proxy, _asked: Asked, _chance: random.Random) -> Answer:
    return Answer(403, {}, b'{"errors":[{"code":"DENIED"}]}')


def _lost(_proxy: Proxy, _asked: Asked, _chance: random.Random) -> Answer:
    return Answer(404, {"Content-Type": "application/json"}, b'{"errors":[{"code":"NAME_UNKNOWN"}]}')


def _page(_proxy: Proxy, _asked: Asked, _chance: random.Random) -> Answer:
    return Answer(200, {"Content-Type": "text/html"}, b"<html>sign in</html>")


TROUBLES: Mapping[str, Callable[[Proxy, Asked, random.Random], Answer]] = {
    "drop": _drop,
    "reset": _reset,
    "drop answer": _drop_answer,
    "delay": _delay,
    "stall": _stall,
    "truncate request": _truncate_request,
    "truncate answer": _truncate_answer,
    "corrupt request": _corrupt_request,
    "corrupt answer": _corrupt_answer,
    "redirect to the same elsewhere": _redirect("same"),
    "redirect to something else elsewhere": _redirect("other"),
    "redirect to a login elsewhere": _redirect("login"),
    "redirect to nowhere": _redirect_nowhere,
    "redirect round and round": _redirect_round,
    "429": _busy,
    "500": _broken,
    "401": _unauthorized,
    "403": _forbidden,
    "404": _lost,
    "web page": _page,
}
"""What can go wrong."""

OF_BODIES = frozenset({"truncate request", "corrupt request"})
"""What can go wrong only with requests that send something."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Listener

    def do_GET(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", "0")))
        try:
            answer = self.server.answer(Asked(self.command, self.path, headers, body))
        except HangUpError:
            self.close_connection = True
            return
        except ResetError:
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self.connection.close()
            self.close_connection = True
            return
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        if answer.status != 204 and "content-length" not in {name.lower() for name in answer.headers}:
            self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD" and answer.status != 204:
            self.wfile.write(answer.body[: answer.cut])
        self.close_connection |= answer.cut is not None

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - http.server's names

    def log_message(self, *_: object) -> None:
        """Keep the tests' output clean."""


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    answer: Callable[[Asked], Answer]

    def handle_error(self, *_: object) -> None:
        """Connections are cut on purpose."""


@contextmanager
def _listening() -> Iterator[_Listener]:
    with _Listener(("127.0.0.1", 0), _Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def before(registry: str, login: tuple[str, str] | None = None) -> Iterator[Proxy]:
    """Stand before a registry for as long as the block lasts.

    Args:
        registry: host and port.
        login: user and password by which the other host reads it, as storage behind a registry does.

    """
    with _listening() as near, _listening() as away:
        hosts = [f"127.0.0.1:{server.server_address[1]}" for server in (near, away)]
        proxy = Proxy(hosts[0], registry, Elsewhere(hosts[1], login))
        near.answer = proxy.serve
        away.answer = lambda asked: proxy.elsewhere.serve(asked, proxy)
        yield proxy
