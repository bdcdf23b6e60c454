"""A small project, everything that it is made of, and the command line to do things to it.

Wheels and debs are made on the spot and served on loopback: a package index, a signed apt archive, and a
server that can be told to misbehave. The command line runs as a process of its own.
"""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import lzma
import os
import re
import shlex
import signal
import struct
import subprocess
import sys
import tarfile
import threading
import time
import zlib
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

import pysequoia
import pytest
import zstandard

from envfreeze.digest import Digest
from envfreeze.layers.plan import plan
from envfreeze.locking import files as lock_files
from envfreeze.locking.model import (
    SCHEMA,
    WRITER,
    AptBase,
    AptIndex,
    Archive,
    Deb,
    Lock,
    Runtime,
    Target,
    Wheel,
)
from envfreeze.oci import layout, media
from envfreeze.oci.image import FileLayer, ImageValue
from envfreeze.oci.manifest import manifest_json
from envfreeze.oci.platform import Platform
from envfreeze.oci.validate import validate
from envfreeze.project.load import load
from envfreeze.records.lines import parse as parse_record
from envfreeze.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from envfreeze.records.model import Record


SCENARIOS = {
    "test_at_once.py",
    "test_bad_artifacts.py",
    "test_bad_machine.py",
    "test_base_mirror.py",
    "test_check_what_is_installed_page.py",
    "test_choose_python_page.py",
    "test_ci_page.py",
    "test_conda_lock.py",
    "test_conda_whole_way.py",
    "test_cuda_base.py",
    "test_dockerfile.py",
    "test_engines.py",
    "test_explain.py",
    "test_further_archives.py",
    "test_gpu_conda.py",
    "test_gpu_lock.py",
    "test_image_bases.py",
    "test_index_credentials.py",
    "test_keyless.py",
    "test_killed.py",
    "test_lock_from.py",
    "test_lock_from_conda.py",
    "test_lock_questions.py",
    "test_noble.py",
    "test_packages_without_a_wheel_page.py",
    "test_pip_tools.py",
    "test_push.py",
    "test_push_and_mirror_page.py",
    "test_recorded.py",
    "test_sbom.py",
    "test_sbom_page.py",
    "test_secrets.py",
    "test_sources.py",
    "test_standalone.py",
    "test_trust.py",
    "test_trust_page.py",
    "test_verify.py",
}
"""Files whose tests run whole commands in processes of their own: seconds each, minutes together."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark them, so that `make test` stays short."""
    here = Path(__file__).parent
    for item in items:
        if item.path.parent == here and item.path.name in SCENARIOS:
            item.add_marker(pytest.mark.scenario)


PATIENCE = 60
"""Seconds that any command may take before the test gives up."""

# ------------------------------------------------------------------------------------------ artifacts


@dataclass(frozen=True)
class Member:
    """A member of a zip, each of its numbers as the test wants it.

    Attributes:
        name: its name.
        content: what it holds.
        raw: its compressed bytes; None: `content`, deflated.
        size: its stated size; None: that of `content`.
        mode: as in the upper half of the external attributes.
        local: numbers that the local header states otherwise: `crc`, `size`, `name`.
        at: name of the member whose local header the central directory points to; empty: its own.

    """

    name: str
    content: bytes = b""
    raw: bytes | None = None
    size: int | None = None
    mode: int = 0o100644
    local: Mapping[str, Any] = field(default_factory=dict)
    at: str = ""


def deflated(content: bytes) -> bytes:
    stream = zlib.compressobj(9, zlib.DEFLATED, -15)
    return stream.compress(content) + stream.flush()


def zip_of(members: Sequence[Member]) -> bytes:
    """Write a zip file (APPNOTE.TXT 4.3.7, 4.3.12, 4.3.16) with whatever is wrong with its members."""
    out = io.BytesIO()
    central = io.BytesIO()
    offsets: dict[str, int] = {}
    for member in members:
        raw = deflated(member.content) if member.raw is None else member.raw
        size = len(member.content) if member.size is None else member.size
        numbers = {"crc": zlib.crc32(member.content), "size": size, "name": member.name}
        local = numbers | member.local
        name = local["name"].encode()
        offset = offsets.get(member.at, out.tell())
        offsets[member.name] = offset
        fixed = (20, 0x800, 8, 0, 0x21)
        header = (*fixed, local["crc"], len(raw), local["size"], len(name), 0)
        if not member.at:
            out.write(struct.pack("<4sHHHHHIIIHH", b"PK\3\4", *header) + name + raw)
        name = member.name.encode()
        header = (0x31E, *fixed, numbers["crc"], len(raw), size, len(name))
        rest = (0, 0, 0, 0, member.mode << 16, offset)
        central.write(struct.pack("<4sHHHHHHIIIHHHHHII", b"PK\1\2", *header, *rest) + name)
    directory = central.getvalue()
    counts = (0, 0, len(members), len(members), len(directory), out.tell(), 0)
    return out.getvalue() + directory + struct.pack("<4sHHHHIIH", b"PK\5\6", *counts)


def wheel_of(
    name: str,
    version: str = "1.0",
    contents: Mapping[str, bytes] | None = None,
    *,
    requires: Sequence[str] = (),
    requires_python: str = "",
    entry_points: str = "",
    further: Sequence[Member] = (),
) -> bytes:
    """Make a wheel; `further` members are in no RECORD and may be as bad as the test likes."""
    info = f"{name}-{version}.dist-info"
    needs = "".join(f"Requires-Dist: {requirement}\n" for requirement in requires)
    needs += f"Requires-Python: {requires_python}\n" if requires_python else ""
    members = {
        **(contents or {f"{name}/__init__.py": f"version = {version!r}\n".encode() * 20}),
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if entry_points:
        members[f"{info}/entry_points.txt"] = entry_points.encode()
    rows = "".join(f"{path},{_row(content)}\n" for path, content in members.items())
    members[f"{info}/RECORD"] = f"{rows}{info}/RECORD,,\n".encode()
    return zip_of([*(Member(path, content) for path, content in members.items()), *further])


def _row(content: bytes) -> str:
    hashed = base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b"=").decode()
    return f"sha256={hashed},{len(content)}"


def deb_of(
    name: str,
    version: str,
    contents: Mapping[str, bytes | str],
    *,
    architecture: str = "amd64",
    depends: str = "",
    packing: str = "xz",
) -> tuple[bytes, str]:
    """Make a .deb; a content that is text is a symbolic link's target. Gives the file and its stanza.

    `packing` is `xz`, as Debian packs, or `zst`, as Ubuntu does.
    """
    stanza = f"Package: {name}\nVersion: {version}\nArchitecture: {architecture}\n"
    stanza += f"Maintainer: Tests <tests@example.org>\nPriority: required\nDescription: {name}\n"
    stanza += f"Depends: {depends}\n" if depends else ""
    control = _tar({"./control": stanza.encode()})
    data = _tar(contents)
    members = {"debian-binary": b"2.0\n", "control.tar": control}
    if packing == "zst":
        members |= {"control.tar.zst": zstandard.compress(members.pop("control.tar"))}
        members["data.tar.zst"] = zstandard.compress(data)
    else:
        members["data.tar.xz"] = lzma.compress(data, preset=0)
    out = b"!<arch>\n"
    for path, content in members.items():
        out += f"{path:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode()
        out += content + b"\n" * (len(content) % 2)
    return out, stanza


def _tar(contents: Mapping[str, bytes | str]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for path, content in contents.items():
            info = tarfile.TarInfo(path)
            info.mode = 0o755 if "/bin/" in path else 0o644
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                archive.addfile(info)
            else:
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


WHEELS = {
    "alpha": wheel_of("alpha", requires=["beta"], entry_points="[console_scripts]\nalpha = alpha:main\n"),
    "beta": wheel_of("beta"),
    "gamma": wheel_of("gamma", contents={f"gamma/{number}.py": b"x = 1\n" * 50 for number in range(20)}),
}
"""Wheels of version 1.0: what the small project asks for, and what that needs."""

DEBS = {
    "base-files": deb_of("base-files", "13.8", {"./etc/debian_version": b"13.5\n"}),
    "libc6": deb_of("libc6", "2.41-12", {"./usr/lib/x86_64-linux-gnu/libc.so.6": b"\x7fELF" * 500}),
    "python3.13": deb_of(
        "python3.13", "3.13.5-2", {"./usr/bin/python3.13": b"\x7fELF" * 500}, depends="libc6 (>= 2.38)"
    ),
    "tzdata": deb_of("tzdata", "2026a-1", {"./usr/share/zoneinfo/UTC": b"TZif2"}, architecture="all"),
}
"""The least that makes a base: a file system's skeleton, a C library and a Python."""


# --------------------------------------------------------------------------------------------- server


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Listener

    def do_GET(self) -> None:
        site = self.server.site
        path = unquote(self.path.partition("?")[0])
        with site.guard:
            site.asked[path] += 1
        for place, credentials in site.credentials.items():
            wanted = "Basic " + base64.b64encode(credentials.encode()).decode()
            if path.startswith(place) and self.headers.get("Authorization") != wanted:
                self._send(401, b"who are you?", {"WWW-Authenticate": 'Basic realm="site"'})
                return
        content = site.instead.get(path, site.files.get(path))
        if content is None and path.startswith("/simple/"):
            content = site.page(path.split("/")[2])
        if content is None:
            self._send(404, b"not here")
        else:
            kind = "application/vnd.pypi.simple.v1+json" if path.startswith("/simple/") else "x/y"
            self._send(
                200, content, {"Content-Type": kind}, cut=site.cut.get(path), pace=site.pace.get(path, 0.0)
            )

    do_HEAD = do_GET  # noqa: N815 - http.server's name

    def _send(
        self,
        status: int,
        body: bytes,
        headers: Mapping[str, str] | None = None,
        *,
        cut: int | None = None,
        pace: float = 0.0,
    ) -> None:
        self.send_response(status)
        for name, value in {**(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command == "HEAD":
            return
        for start in range(0, len(body[:cut]), 1 << 8 if pace else 1 << 16):
            self.wfile.write(body[:cut][start : start + (1 << 8 if pace else 1 << 16)])
            time.sleep(pace)
        self.close_connection |= cut is not None

    def log_message(self, *_: object) -> None:
        """Keep the tests' output clean."""


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    site: Site

    def handle_error(self, *_: object) -> None:
        """Clients are killed on purpose."""


@dataclass
class Site:
    """A package index below `/simple/`, an apt archive below `/debian/`, and what goes wrong with them.

    Attributes:
        address: `127.0.0.1:port`.
        key: signs the apt archive.
        files: what is served, by path.
        asked: how often each path was asked for.
        instead: other content than there should be, by path.
        cut: after how many bytes the connection ends, by path.
        pace: seconds between two pieces of 256 bytes, by path.
        credentials: `user:password` that is needed, by the beginning of a path.
        uploaded: when all wheels were uploaded; None: the index does not say.

    """

    address: str
    key: pysequoia.Tsk
    files: dict[str, bytes] = field(default_factory=dict)
    asked: Counter[str] = field(default_factory=Counter)
    instead: dict[str, bytes] = field(default_factory=dict)
    cut: dict[str, int] = field(default_factory=dict)
    pace: dict[str, float] = field(default_factory=dict)
    credentials: dict[str, str] = field(default_factory=dict)
    uploaded: str | None = None
    guard: threading.Lock = field(default_factory=threading.Lock)
    stanzas: dict[str, str] = field(default_factory=dict)

    @property
    def url(self) -> str:
        return f"http://{self.address}"

    def add_wheel(self, name: str, content: bytes, version: str = "1.0") -> Wheel:
        """Put a wheel on the index, and give it as a lock would name it."""
        filename = f"{name}-{version}-py3-none-any.whl"
        self.files[f"/wheels/{filename}"] = content
        url = f"{self.url}/wheels/{filename}"
        return Wheel(name, version, filename, Digest.of(content), len(content), url, requested=True)

    def add_deb(self, name: str, made: tuple[bytes, str]) -> Deb:
        """Put a .deb into the archive, and give it as a lock would name it."""
        content, stanza = made
        fields = dict(line.split(": ", 1) for line in stanza.splitlines())
        path = f"pool/{name}_{fields['Version']}_{fields['Architecture']}.deb"
        self.files[f"/debian/{path}"] = content
        digest = Digest.of(content)
        self.stanzas[name] = f"{stanza}Filename: {path}\nSize: {len(content)}\nSHA256: {digest.hex}\n"
        return Deb(
            name, fields["Version"], fields["Architecture"], path, digest, len(content), "debian", True
        )

    def publish(
        self,
        *,
        date: datetime | None = None,
        until: datetime | None = None,
        key: pysequoia.Tsk | None = None,
        signed: bool = True,
        architectures: Sequence[str] = ("amd64",),
    ) -> None:
        """Write and sign the apt archive's index of what is in it, the same for all architectures."""
        listed = ""
        for architecture in architectures:
            stanzas = "\n".join(self.stanzas.values())
            packed = lzma.compress(stanzas.replace(": amd64", f": {architecture}").encode())
            digest = hashlib.sha256(packed).hexdigest()
            folder = f"main/binary-{architecture}"
            self.files[f"/debian/dists/trixie/{folder}/by-hash/SHA256/{digest}"] = packed
            listed += f" {digest} {len(packed)} {folder}/Packages.xz\n"
        date = date or datetime.now(UTC) - timedelta(days=1)
        release = "Origin: Tests\nSuite: stable\nCodename: trixie\nAcquire-By-Hash: yes\n"
        release += f"Architectures: amd64 arm64\nComponents: main\nDate: {_http_date(date)}\n"
        release += f"Valid-Until: {_http_date(until)}\n" if until else ""
        release += f"SHA256:\n{listed}"
        content = release.encode()
        if signed:
            signer = (key or self.key).signer()
            content = pysequoia.sign(signer, content, mode=pysequoia.SignatureMode.CLEAR)
        self.files["/debian/dists/trixie/InRelease"] = content

    def page(self, name: str) -> bytes | None:
        """Give a project's page of the index (PEP 691)."""
        found = {
            path.rpartition("/")[2]: content
            for path, content in self.files.items()
            if re.match(rf"/wheels/{name}-[0-9]", path.replace("_", "-"))
        }
        listed = [
            {
                "filename": filename,
                "url": f"{self.url}/wheels/{filename}",
                "hashes": {"sha256": Digest.of(content).hex},
                "size": len(content),
                **({} if self.uploaded is None else {"upload-time": self.uploaded}),
            }
            for filename, content in found.items()
        ]
        page = {"meta": {"api-version": "1.1"}, "name": name, "files": listed}
        page["versions"] = sorted({filename.split("-")[1] for filename in found})
        return json.dumps(page).encode() if found else None


def _http_date(moment: datetime) -> str:
    return format_datetime(moment.astimezone(UTC)).replace("+0000", "UTC")


@pytest.fixture(scope="session")
def key() -> pysequoia.Tsk:
    """The apt archive's key."""
    return pysequoia.Tsk.generate(user_id="Archive <archive@example.org>")


@pytest.fixture(scope="session")
def strange_key() -> pysequoia.Tsk:
    """Somebody else's key."""
    return pysequoia.Tsk.generate(user_id="Somebody <somebody@example.org>")


@pytest.fixture
def site(key: pysequoia.Tsk) -> Iterator[Site]:
    """Start a server that has what the small project needs."""
    with _Listener(("127.0.0.1", 0), _Handler) as server:
        server.site = Site(f"127.0.0.1:{server.server_address[1]}", key)
        for name, content in WHEELS.items():
            server.site.add_wheel(name, content)
        for name, made in DEBS.items():
            server.site.add_deb(name, made)
        server.site.publish()
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server.site
        finally:
            server.shutdown()
            thread.join()


# -------------------------------------------------------------------------------------------- project


@dataclass(frozen=True)
class Ended:
    """How a command ended."""

    code: int
    stdout: str
    stderr: str

    @property
    def digest(self) -> Digest:
        """What `build` printed, of a build that went well."""
        assert self.code == 0, self.stderr
        return Digest.parse(self.stdout.strip())

    @property
    def document(self) -> Any:
        (line,) = self.stdout.splitlines()
        return json.loads(line)


@dataclass
class Work:
    """A project's folder, its cache, and the command line in it.

    Attributes:
        root: the project's folder.
        cache: the cache's folder.
        temporary: the folder for temporary files.
        site: where its packages are.
        suites: the table of suites that `lock` goes by.
        bytecode: where Python keeps what it has compiled, so that commands start fast.

    """

    root: Path
    cache: Path
    temporary: Path
    site: Site
    suites: Path
    bytecode: Path

    @property
    def _with_suites(self) -> list[str]:
        """What starts envfreeze with the tests' table of suites, which only `lock` reads."""
        return [sys.executable, str(Path(__file__).with_name("with_suites.py")), str(self.suites)]

    @property
    def _surroundings(self) -> dict[str, str]:
        places = {
            "ENVFREEZE_CACHE": self.cache,
            "TMPDIR": self.temporary,
            "PYTHONPYCACHEPREFIX": self.bytecode,
        }
        return os.environ | {name: str(place) for name, place in places.items()}

    def shell(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run a page's commands in the project's folder."""
        programs = self.root.with_name("programs")
        programs.mkdir(exist_ok=True)
        command = programs / "envfreeze"
        command.write_text(f'#!/bin/sh\nexec {shlex.join(self._with_suites)} "$@"\n')
        command.chmod(0o755)
        return subprocess.run(
            ["bash", "-eu", "-o", "pipefail"],
            cwd=self.root,
            env=self._surroundings | {"PATH": f"{programs}:{os.environ['PATH']}"},
            input=script,
            text=True,
            capture_output=True,
            check=False,
        )

    def start(self, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        """Start a command as the leader of a process group."""
        face = self._with_suites if "lock" in arguments else [sys.executable, "-m", "envfreeze"]
        return subprocess.Popen(
            [*face, *arguments],
            cwd=self.root,
            env=self._surroundings | environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, *arguments: str, **environment: str) -> Ended:
        """Run a command to its end."""
        return self.end(self.start(*arguments, **environment))

    @staticmethod
    def end(process: subprocess.Popen[str]) -> Ended:
        """Wait for a command."""
        try:
            stdout, stderr = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            Work.kill(process)
            raise
        assert "Traceback" not in stderr, stderr
        return Ended(process.returncode, stdout, stderr)

    @staticmethod
    def kill(process: subprocess.Popen[str]) -> None:
        """Kill a command and everything that it started."""
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=self.root, check=True, capture_output=True, text=True, errors="replace"
        )
        return done.stdout.strip()

    def commit(self) -> str:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", "work")
        return self.git("rev-parse", "HEAD")

    def write(self, path: str, content: str) -> None:
        (self.root / path).write_text(content)

    def replace(self, path: str, before: str, after: str) -> None:
        """Change a file's text."""
        text = (self.root / path).read_text()
        assert before in text
        self.write(path, text.replace(before, after))

    def lock_files(self) -> dict[str, tuple[bytes, int]]:
        """The lock's files: contents and times of change."""
        return {
            path.name: (path.read_bytes(), path.stat().st_mtime_ns)
            for path in self.root.iterdir()
            if "lock" in path.name
        }

    def lock(self, *, wheels: Sequence[Wheel] | None = None, debs: Sequence[Deb] = ()) -> Lock:
        """Write a real lock, without asking any index.

        Args:
            wheels: None: those of the small project.
            debs: beside the base.

        """
        project = load(self.root)
        if wheels is None:
            wheels = [self.site.add_wheel(name, content) for name, content in WHEELS.items()]
        base = AptBase(
            reference="apt:debian/trixie",
            archives=(Archive("debian", (f"{self.site.url}/debian",)),),
            indexes=(AptIndex("debian", "trixie", ("main",), "2026-09-12T07:55:41Z", Digest.of(b"index")),),
            packages=tuple(
                sorted(
                    [*(self.site.add_deb(name, made) for name, made in DEBS.items()), *debs],
                    key=lambda deb: deb.name,
                )
            ),
        )
        target = Target(
            platform=Platform.parse("linux/amd64"),
            python="3.13.5",
            glibc="2.41",
            manylinux="manylinux_2_40",
            base=base,
            wheels=tuple(sorted(wheels, key=lambda wheel: wheel.name)),
        )
        image = project.image
        lock = Lock(
            schema=SCHEMA,
            writer=WRITER,
            inputs={name: Digest.of(content) for name, content in project.inputs.items()},
            exclude_newer=None,
            runtime=Runtime({}, {}, image.include, None, image.workdir, None, image.cmd),
            targets=(replace(target, layers=plan(target)),),
        )
        lock_files.write(lock, self.root)
        return lock

    def records(self) -> list[Record]:
        """Read the records of all commits as git has them."""
        if not self.git("for-each-ref", "refs/notes/envfreeze"):
            return []
        listed = self.git("ls-tree", "-r", "refs/notes/envfreeze").splitlines()
        lines = [
            line for entry in listed for line in self.git("cat-file", "blob", entry.split()[2]).splitlines()
        ]
        return [parse_record(line.encode()) for line in lines]

    def built(self) -> Digest:
        """Check the layout that the last build wrote from end to end; its digest."""
        image = layout.read(self.root / ".envfreeze" / "image")
        assert not validate(image)
        return image.digest

    def listing(self) -> dict[str, bytes | None]:
        """Everything in the project's folder but git's own, with the contents."""
        return {
            str(path.relative_to(self.root)): path.read_bytes() if path.is_file() else None
            for path in sorted(self.root.rglob("*"))
            if path.relative_to(self.root).parts[0] != ".git"
        }

    def leftovers(self) -> list[str]:
        """What is neither the project's nor of use to the next build: unfinished files and folders."""
        places = (self.cache / "tmp", self.cache / "partial", self.temporary)
        found = [path for place in places if place.exists() for path in place.iterdir()]
        staged = [path for path in self.root.rglob(".envfreeze-*") if ".git" not in path.parts]
        locks = (self.root / ".git").rglob("*.lock")
        return sorted(str(path) for path in [*found, *staged, *locks])


@pytest.fixture(scope="session")
def bytecode(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where Python keeps what it has compiled."""
    return tmp_path_factory.mktemp("bytecode")


@pytest.fixture
def small_project(
    tmp_path: Path, site: Site, key: pysequoia.Tsk, bytecode: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Work]:
    """Make the small project: committed, with no lock yet; `git=False`: outside git."""
    monkeypatch.delenv("PYTHONDONTWRITEBYTECODE", raising=False)
    for name in list(os.environ):
        if name.startswith(("UV_", "PIP_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "Ada")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "ada@example.org")

    def make(*, git: bool = True, where: str = "work") -> Work:
        work = Work(
            root=tmp_path / where,
            cache=tmp_path / "cache",
            temporary=tmp_path / "temporary",
            site=site,
            suites=tmp_path / "suites",
            bytecode=bytecode,
        )
        work.root.mkdir()
        work.temporary.mkdir(exist_ok=True)
        work.suites.write_text(json.dumps(_SUITES))
        (tmp_path / "archive.gpg").write_bytes(bytes(key.extract_certificate()))
        work.write("requirements.txt", "alpha\ngamma\n")
        work.write("train.py", "print('train')\n")
        work.write(
            "envfreeze.toml",
            f'[image]\nmirror = "{site.url}/debian"\ninclude = ["train.py"]\nworkdir = "/app"\n'
            f'cmd = ["python", "train.py"]\n\n[pip]\nindex-url = "{site.url}/simple/"\n',
        )
        if git:
            work.git("init", "--quiet", "--initial-branch", "main")
            work.commit()
        return work

    return make


_SUITES = {
    "archives": {
        "debian": {
            "suffix": "",
            "folder": "debian",
            "named-in": "Codename",
            "keyring": "debian-archive",
            "settled": 24,
            "suites": ["trixie"],
        }
    },
    "seeds": {"minimal": ["base-files", "libc6", "tzdata"]},
    "suites": [
        {
            "reference": "apt:debian/trixie",
            "python": "3.13",
            "python-packages": ["python3.13"],
            "seed": "minimal",
            "indexes": [
                {"archive": "debian", "suite": "trixie", "components": ["main"], "keys": ["archive.gpg"]}
            ],
        }
    ],
}


@pytest.fixture
def project(small_project: Callable[..., Work]) -> Work:
    """The small project, locked and committed."""
    work = small_project()
    work.lock()
    work.commit()
    return work


@pytest.fixture(scope="session")
def tools() -> SimpleNamespace:
    """What makes wheels and debs."""
    return SimpleNamespace(Member=Member, deflated=deflated, wheel_of=wheel_of, deb_of=deb_of)


@pytest.fixture
def refused() -> Callable[..., str]:
    """`refused(work, code, *arguments)`: it fails with one message (given) and leaves nothing behind."""

    def run(work: Work, code: int, *arguments: str, **environment: str) -> str:
        before, records = work.listing(), len(work.records())
        ended = work.run(*arguments, **environment)
        assert ended.code == code, ended.stderr
        assert ended.stdout == ""
        assert ended.stderr.count("error:") == 1
        assert work.listing() == before
        assert len(work.records()) == records
        assert not work.leftovers()
        return ended.stderr

    return run


@pytest.fixture(scope="session")
def contents_of() -> Callable[[Path], dict[str, bytes]]:
    """Read every file of every layer of an OCI archive."""

    def read(path: Path) -> dict[str, bytes]:
        found = {}
        with tarfile.open(path) as outer:
            for blob in outer:
                content = outer.extractfile(blob)
                if content is None or content.read(2) != b"\x1f\x8b":
                    continue
                content.seek(0)
                with gzip.open(content) as inflated, tarfile.open(fileobj=inflated, mode="r|") as layer:
                    found |= {one.name: layer.extractfile(one).read() for one in layer if one.isfile()}
        return found

    return read


@pytest.fixture
def patched(tmp_path: Path) -> Callable[..., Path]:
    """`patched(image, {path: change})`: the image with one more layer, as an OCI layout.

    A change is a content, `None` to delete the path, or a `tarfile.TarInfo` with its content.
    """

    def make(image: Any, changes: Mapping[str, Any], *, keep: Callable[[str], bool] = lambda _: True) -> Path:
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for path, change in changes.items():
                folder, slash, name = path.rpartition("/")
                info, content = change if isinstance(change, tuple) else (tarfile.TarInfo(path), change)
                if content is None:
                    info, content = tarfile.TarInfo(f"{folder}{slash}.wh.{name}"), b""
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
        blob = gzip.compress(out.getvalue(), 1, mtime=0)
        place = tmp_path / f"layer-{Digest.of(blob).hex}"
        place.write_bytes(blob)
        top = FileLayer(Digest.of(blob), Digest.of(out.getvalue()), len(blob), media.LAYER_GZIP, place)
        config = json.loads(image.config)
        filled = [one["created_by"] for one in config["history"] if not one.get("empty_layer")]
        kept = [
            (layer, name)
            for layer, name in zip(image.layers, filled, strict=True)
            if keep(name.split(":")[0])
        ]
        config["rootfs"]["diff_ids"] = [str(layer.diff_id) for layer, _ in kept] + [str(top.diff_id)]
        config["history"] = [{"created_by": name} for _, name in kept] + [{"created_by": "RUN change"}]
        text = json.dumps(config).encode()
        blobs = (*(layer for layer, _ in kept), top)
        folder = tmp_path / f"patched-{top.digest.hex}"
        layout.write(ImageValue(manifest_json(text, blobs), text, blobs), folder)
        return folder

    return make
