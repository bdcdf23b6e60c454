"""Wheels made on the spot and a real package index on loopback that serves them."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import os
import tarfile
import threading
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import escape
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote, unquote

import pytest
from packaging.utils import canonicalize_name

from envfreeze.oci.platform import Platform
from envfreeze.progress import SILENT
from envfreeze.project.model import EntropySettings, ImageSettings, PipSettings, Project, RecordSettings
from envfreeze.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from envfreeze.progress import Task

_OLDEST = (1980, 1, 2, 0, 0, 0)


class Heard:
    """A progress that remembers what it was told.

    Attributes:
        notes: what it was told of.
        warnings: what it was warned of.

    """

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.warnings: list[str] = []

    def task(self, description: str, total: int | None = None) -> Task:
        return SILENT.task(description, total)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def warn(self, text: str) -> None:
        self.warnings.append(text)


@pytest.fixture
def heard() -> Heard:
    """Hear what is said while a test runs."""
    return Heard()


class MakeWheel(Protocol):
    """Writes a small valid wheel and returns its path."""

    def __call__(
        self,
        name: str,
        version: str = "1.0",
        *,
        tag: str = "py3-none-any",
        build: str = "",
        requires: Sequence[str] = (),
        requires_python: str | None = None,
        provides: Sequence[str] = (),
        folder: Path | None = None,
        stored: bool = False,
    ) -> Path: ...


def _metadata(
    name: str, version: str, requires: Sequence[str], requires_python: str | None, provides: Sequence[str]
) -> str:
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    if requires_python:
        lines.append(f"Requires-Python: {requires_python}")
    lines += [f"Requires-Dist: {requirement}" for requirement in requires]
    lines += [f"Provides-Extra: {extra}" for extra in provides]
    return "\n".join(lines) + "\n"


@pytest.fixture
def make_wheel(tmp_path: Path) -> MakeWheel:
    """Make wheels in `tmp_path/made` or a folder of the test's choice; `stored`: the same bytes anywhere."""

    def make(
        name: str,
        version: str = "1.0",
        *,
        tag: str = "py3-none-any",
        build: str = "",
        requires: Sequence[str] = (),
        requires_python: str | None = None,
        provides: Sequence[str] = (),
        folder: Path | None = None,
        stored: bool = False,
    ) -> Path:
        folder = folder or tmp_path / "made"
        folder.mkdir(parents=True, exist_ok=True)
        module = canonicalize_name(name).replace("-", "_")
        path = folder / ("-".join(filter(None, (module, version, build, tag))) + ".whl")
        info = f"{module}-{version}.dist-info"
        members = {
            f"{module}/__init__.py": f"__version__ = {version!r}\n",
            f"{info}/METADATA": _metadata(name, version, requires, requires_python, provides),
            f"{info}/WHEEL": f"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: {tag}\n",
        }
        record = "".join(f"{member},{_record_hash(text)},{len(text)}\n" for member, text in members.items())
        members[f"{info}/RECORD"] = f"{record}{info}/RECORD,,\n"
        method = zipfile.ZIP_STORED if stored else zipfile.ZIP_DEFLATED
        with zipfile.ZipFile(path, "w", method) as archive:
            for member, text in members.items():
                archive.writestr(zipfile.ZipInfo(member, _OLDEST), text)
        return path

    return make


def _record_hash(text: str) -> str:
    digest = hashlib.sha256(text.encode()).digest()
    return "sha256=" + base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class MakeSdist(Protocol):
    """Writes an sdist that nothing can build a wheel from, and returns its path."""

    def __call__(self, name: str, version: str = "1.0") -> Path: ...


@pytest.fixture
def make_sdist(tmp_path: Path) -> MakeSdist:
    """Make sdists in `tmp_path/made` whose PKG-INFO states all there is to know (PEP 643)."""

    def make(name: str, version: str = "1.0") -> Path:
        (tmp_path / "made").mkdir(exist_ok=True)
        path = tmp_path / "made" / f"{name.replace('-', '_')}-{version}.tar.gz"
        root = path.name.removesuffix(".tar.gz")
        files = {
            f"{root}/PKG-INFO": f"Metadata-Version: 2.2\nName: {name}\nVersion: {version}\n",
            f"{root}/pyproject.toml": '[build-system]\nrequires = []\nbuild-backend = "missing"\n',
        }
        with tarfile.open(path, "w:gz") as archive:
            for member, text in files.items():
                info = tarfile.TarInfo(member)
                info.size = len(text)
                archive.addfile(info, io.BytesIO(text.encode()))
        return path

    return make


class MakeProject(Protocol):
    """Makes a project of dependencies, files (contents by path) and `[pip]` settings."""

    def __call__(self, *dependencies: str, files: dict[str, str] | None = None, **pip: object) -> Project: ...


@pytest.fixture
def make_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MakeProject:
    """Make projects in `tmp_path/project`, on a machine that says nothing about indexes."""
    for variable in list(os.environ):
        if variable.startswith(("UV_", "PIP_")):
            monkeypatch.delenv(variable)
    root = tmp_path / "project"
    root.mkdir()

    def make(*dependencies: str, files: dict[str, str] | None = None, **pip: object) -> Project:
        for name, text in (files or {}).items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).write_text(text)
        settings = PipSettings(
            requirements=(),
            dependencies=dependencies,
            extras=(),
            groups=(),
            constraints=(),
            index_url=None,
            extra_index_urls=(),
            find_links=(),
            exclude_newer=None,
        )
        image = ImageSettings(
            base="apt:debian/trixie",
            python=None,
            platforms=(Platform("linux", "amd64"),),
            env={},
            packages=(),
            mirror=None,
            include=(),
            user=None,
            workdir="/work",
            entrypoint=None,
            cmd=None,
            labels={},
        )
        return Project(
            root=root,
            name="project",
            source=None,
            image=image,
            pip=replace(settings, **pip),  # type: ignore[arg-type]
            apt=(),
            entropy=EntropySettings(seed=None),
            record=RecordSettings(stores=("notes",)),
            inputs={name: text.encode() for name, text in (files or {}).items()},
        )

    return make


@dataclass
class _File:
    path: Path
    uploaded: str
    hashed: bool
    yanked: str


@dataclass
class Index:
    """A package index: PEP 503 and 691 pages, PEP 658 metadata, PEP 700 sizes and upload times.

    Attributes:
        address: `127.0.0.1:port`.
        credentials: `user:password` that every request has to carry; None: open to all.
        requests: path of every request, in order of arrival.
        dated: whether it states upload times.
        broken: what it answers instead of a page, by project: a status, or content type and body.

    """

    address: str
    credentials: str | None = None
    dated: bool = True
    broken: dict[str, int | tuple[str, bytes]] = field(default_factory=dict)
    requests: list[str] = field(default_factory=list)
    _files: dict[str, dict[str, _File]] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://{self.address}/simple/"

    @property
    def url_with_credentials(self) -> str:
        return f"http://{self.credentials}@{self.address}/simple/"

    def file_url(self, path: Path) -> str:
        return f"http://{self.address}/files/{quote(path.name)}"

    def add(
        self, *paths: Path, uploaded: str = "2026-01-01T00:00:00Z", hashed: bool = True, yanked: str = ""
    ) -> None:
        """Serve files, which stay where they are."""
        for path in paths:
            project = canonicalize_name(path.name.split("-")[0])
            self._files.setdefault(project, {})[path.name] = _File(path, uploaded, hashed, yanked)

    def remove(self, path: Path) -> None:
        """Serve a file no longer."""
        for files in self._files.values():
            files.pop(path.name, None)

    def answer(self, path: str, *, json_wanted: bool) -> tuple[str, bytes] | None:
        """Content type and body, None for 404."""
        match path.strip("/").split("/"):
            case ["simple", project] if isinstance(self.broken.get(project), tuple):
                return self.broken[project]  # type: ignore[return-value]
            case ["simple", project] if project in self._files:
                return self._project_page(project, json_wanted=json_wanted)
            case ["files", name]:
                return self._content(unquote(name))
        return None

    def _content(self, name: str) -> tuple[str, bytes] | None:
        for files in self._files.values():
            if name in files:
                return "application/octet-stream", files[name].path.read_bytes()
            if name.endswith(".metadata") and (wheel := files.get(name.removesuffix(".metadata"))):
                return "text/plain", _metadata_of(wheel.path)
        return None

    def _project_page(self, project: str, *, json_wanted: bool) -> tuple[str, bytes]:
        files = [
            {
                "filename": file.path.name,
                "url": self.file_url(file.path),
                "hashes": {"sha256": hashlib.sha256(file.path.read_bytes()).hexdigest()}
                if file.hashed
                else {},
                "size": file.path.stat().st_size,
                **({"upload-time": file.uploaded} if self.dated else {}),
                "yanked": file.yanked or False,
                "core-metadata": file.path.suffix == ".whl",
            }
            for file in self._files[project].values()
        ]
        if not json_wanted:
            rows = [
                f'<a href="{escape(str(file["url"]))}">{escape(str(file["filename"]))}</a><br>'
                for file in files
            ]
            return "text/html", f"<!DOCTYPE html><html><body>{''.join(rows)}</body></html>".encode()
        page = {
            "meta": {"api-version": "1.1"},
            "name": project,
            "versions": sorted({str(file["filename"]).split("-")[1] for file in files}),
            "files": files,
        }
        return "application/vnd.pypi.simple.v1+json", json.dumps(page).encode()


def _metadata_of(wheel: Path) -> bytes:
    with zipfile.ZipFile(wheel) as archive:
        member = next(name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return archive.read(member)


def _handler(index: Index) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            index.requests.append(self.path)
            wanted = "Basic " + base64.b64encode((index.credentials or "").encode()).decode()
            if index.credentials and self.headers.get("Authorization") != wanted:
                self._send(401, "text/plain", b"who are you?")
                return
            status = index.broken.get(self.path.strip("/").rpartition("/")[2])
            if isinstance(status, int):
                self._send(status, "text/plain", b"no")
                return
            answer = index.answer(self.path, json_wanted="json" in self.headers.get("Accept", ""))
            if answer is None:
                self._send(404, "text/plain", b"not here")
            else:
                self._send(200, *answer)

        do_HEAD = do_GET  # noqa: N815 - http.server's name

        def _send(self, status: int, content_type: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", content_type)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Cache-Control", "no-cache")
            if status == 401:
                self.send_header("WWW-Authenticate", 'Basic realm="index"')
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Keep the tests' output clean."""

    return Handler


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: object) -> None:
        """Keep quiet about clients that hang up."""


@contextmanager
def _served() -> Iterator[Index]:
    served = Index("")
    with _Server(("127.0.0.1", 0), _handler(served)) as server:
        served.address = f"127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def index() -> Iterator[Index]:
    """Start an empty index on loopback."""
    with _served() as served:
        yield served


@pytest.fixture
def other_index() -> Iterator[Index]:
    """Start a second empty index on loopback."""
    with _served() as served:
        yield served
