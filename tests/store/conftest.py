"""A cache of the test's own, and a web server that misbehaves on request."""

from __future__ import annotations

import hashlib
import shutil
import ssl
import subprocess
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING

import pytest

from envfreeze.digest import Digest
from envfreeze.store.cache import Cache
from envfreeze.store.download import Download
from envfreeze.store.retry import Retry

if TYPE_CHECKING:
    from pathlib import Path

    from tests.conftest import Need


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Listener

    def do_GET(self) -> None:
        site = self.server.site
        name = self.path.partition("?")[0]
        with site.lock:
            site.asked.append(Asked(name, {key.lower(): value for key, value in self.headers.items()}))
            plans = site.plans[name]
            plan = plans.popleft() if plans else site.always.get(name, _serve())
        plan(self, name)

    def log_message(self, *_: object) -> None:
        pass

    def send_body(self, name: str, content: bytes, pace: float = 0.0) -> None:
        for start in range(0, len(content), 1 << 14):
            chunk = content[start : start + (1 << 14)]
            self.wfile.write(chunk)
            with self.server.site.lock:
                self.server.site.sent[name] += len(chunk)
            time.sleep(pace)


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    site: Site

    def handle_error(self, *_: object) -> None:
        pass  # clients hang up on purpose


Plan = Callable[[_Handler, str], None]


def _serve(
    *,
    stop_after: int | None = None,
    etag: str | None = '"1"',
    modified: str | None = None,
    ranges: bool = True,
    length: bool = True,
    corrupt: bool = False,
    append: bytes = b"",
    pace: float = 0.0,
    before: float = 0.0,
) -> Plan:
    """Send the file, or its rest where a range is asked for.

    Args:
        stop_after: cut the connection after so many bytes.
        etag: the file's version.
        modified: the file's date.
        ranges: whether ranges are understood.
        length: whether the length is told.
        corrupt: change the first byte that is sent.
        append: more content than the file has.
        pace: seconds to wait after every 16 KiB.
        before: seconds to wait before the answer.

    """

    def plan(handler: _Handler, name: str) -> None:
        time.sleep(before)
        content = handler.server.site.files.get(name)
        if content is None:
            _status(404)(handler, name)
            return
        content += append
        start = _start(handler, {None, etag, modified}) if ranges else None
        if start is not None and start >= len(content):
            _status(416, {"Content-Range": f"bytes */{len(content)}"})(handler, name)
            return
        body = content[start:]
        told = {"ETag": etag, "Last-Modified": modified}
        told |= {"Content-Length": str(len(body))} if length else {"Connection": "close"}
        if start is not None:
            told["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        _begin(handler, 200 if start is None else 206, told)
        if corrupt:
            body = bytes([body[0] ^ 1]) + body[1:]
        handler.send_body(name, body[:stop_after], pace)
        handler.close_connection |= stop_after is not None or not length

    return plan


def _start(handler: _Handler, versions: set[str | None]) -> int | None:
    asked = handler.headers.get("Range")
    if asked is None or handler.headers.get("If-Range") not in versions:
        return None
    return int(asked.removeprefix("bytes=").removesuffix("-"))


def _begin(handler: _Handler, code: int, headers: dict[str, str | None]) -> None:
    handler.send_response(code)
    for key, value in headers.items():
        if value is not None:
            handler.send_header(key, value)
    handler.end_headers()


def _status(code: int, headers: dict[str, str | None] | None = None) -> Plan:
    """Answer without content."""

    def plan(handler: _Handler, _: str) -> None:
        _begin(handler, code, {**(headers or {}), "Content-Length": "0"})

    return plan


def _redirect(target: str, code: int = 302) -> Plan:
    """Send the client elsewhere."""
    return _status(code, {"Location": target})


def _stall(after: int, release: threading.Event) -> Plan:
    """Send so many bytes of the file, then nothing until the test releases it."""

    def plan(handler: _Handler, name: str) -> None:
        content = handler.server.site.files[name]
        if after:
            _begin(handler, 200, {"ETag": '"1"', "Content-Length": str(len(content))})
            handler.send_body(name, content[:after])
        release.wait(30)
        handler.close_connection = True

    return plan


@dataclass
class Asked:
    path: str
    headers: dict[str, str]


@dataclass
class Site:
    """A server's files and its plans: what it does at the next requests for a path, or always."""

    base: str
    port: int
    files: dict[str, bytes] = field(default_factory=dict)
    plans: dict[str, deque[Plan]] = field(default_factory=lambda: defaultdict(deque))
    always: dict[str, Plan] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)
    sent: Counter[str] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def add(self, name: str, content: bytes, *plans: Plan, size: bool = True) -> Download:
        path = f"/{name}"
        self.files[path] = content
        self.plans[path].extend(plans)
        return Download(name, Digest.of(content), len(content) if size else None, (self.base + path,))

    def ranges(self) -> list[str | None]:
        return [asked.headers.get("range") for asked in self.asked]

    serve = staticmethod(_serve)
    status = staticmethod(_status)
    redirect = staticmethod(_redirect)
    stall = staticmethod(_stall)


def _run(context: ssl.SSLContext | None = None) -> Iterator[Site]:
    listener = _Listener(("127.0.0.1", 0), _Handler)
    port = listener.server_address[1]
    if context is not None:
        listener.socket = context.wrap_socket(listener.socket, server_side=True)
    listener.site = Site(f"{'https' if context else 'http'}://127.0.0.1:{port}", port)
    thread = threading.Thread(target=listener.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield listener.site
    listener.shutdown()
    thread.join()
    listener.server_close()


@pytest.fixture
def site() -> Iterator[Site]:
    yield from _run()


@pytest.fixture
def other_site() -> Iterator[Site]:
    yield from _run()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory, need: Need) -> Path:
    """A certificate for 127.0.0.1 with its key, in one file."""
    openssl = shutil.which("openssl")
    need("openssl", openssl is not None, "no openssl on this machine")
    folder = tmp_path_factory.mktemp("certificate")
    subprocess.run(
        [
            *(openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"),
            *("-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"),
            *("-keyout", "key.pem", "-out", "certificate.pem"),
        ],
        cwd=folder,
        check=True,
        capture_output=True,
    )
    both = folder / "both.pem"
    both.write_bytes((folder / "key.pem").read_bytes() + (folder / "certificate.pem").read_bytes())
    return both


@pytest.fixture
def secure_site(certificate: Path) -> Iterator[Site]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    yield from _run(context)


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    with Cache.open(tmp_path / "cache") as opened:
        yield opened


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The servers are here, whatever the machine's way to the web."""
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    monkeypatch.delenv("NETRC", raising=False)


@pytest.fixture
def small_disk(tmp_path: Path, need: Need) -> Iterator[Path]:
    """A file system of one megabyte."""
    folder = tmp_path / "small-disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], check=False, capture_output=True
    )
    need("root", mounted.returncode == 0, "mounting a small tmpfs needs root")
    yield folder
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


@pytest.fixture
def quick() -> Retry:
    """Ask four times, without waiting long."""
    return Retry(attempts=4, first=0.001, longest=0.01, patience=2.0)


@pytest.fixture(scope="session")
def noise() -> Callable[..., bytes]:
    """`noise(size, seed)`: bytes that do not repeat."""

    def make(size: int, seed: int = 0) -> bytes:
        return hashlib.shake_128(str(seed).encode()).digest(size)

    return make


@pytest.fixture
def left_behind(cache: Cache) -> Callable[[], list[str]]:
    """Files of the cache that are neither blobs nor facts nor the mark of an open cache."""

    def look() -> list[str]:
        return sorted(
            str(path.relative_to(cache.root))
            for folder in ("tmp", "partial")
            for path in (cache.root / folder).rglob("*")
            if path.is_file() and path.name != "alive"
        )

    return look


@dataclass
class Bars:
    """A `Progress` that keeps what it was told."""

    totals: dict[str, int | None] = field(default_factory=dict)
    done: Counter[str] = field(default_factory=Counter)
    finished: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def task(self, description: str, total: int | None = None) -> Bar:
        self.totals[description] = total
        return Bar(self, description)

    def note(self, text: str) -> None:
        self.notes.append(text)

    warn = note


@dataclass
class Bar:
    bars: Bars
    description: str

    def advance(self, amount: int) -> None:
        assert amount >= 0
        with self.bars.lock:
            self.bars.done[self.description] += amount

    def finish(self) -> None:
        self.bars.finished.append(self.description)


@pytest.fixture
def bars() -> Bars:
    return Bars()
