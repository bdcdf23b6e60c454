"""Signed apt archives made on the spot, and a real web server on loopback that serves them."""

from __future__ import annotations

import gzip
import hashlib
import lzma
import threading
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import pysequoia
import pytest

from envfreeze.locking.apt import suites
from envfreeze.oci.platform import Platform
from envfreeze.project.model import (
    EntropySettings,
    ImageSettings,
    PipSettings,
    Project,
    RecordSettings,
)
from envfreeze.store.cache import Cache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

NOW = datetime(2026, 9, 20, 12, 0, tzinfo=UTC)
DATE = datetime(2026, 9, 12, 7, 55, 41, tzinfo=UTC)

# The least that makes a base: a C library and a Python.
SEED = """\
Package: libc6
Version: 2.41-12+deb13u4
Priority: required

Package: python3.13
Version: 3.13.5-2+deb13u1
Depends: libc6 (>= 2.38)

Package: tzdata
Version: 2026a-1
Architecture: all
"""


def _key(user: str) -> pysequoia.Tsk:
    return pysequoia.Tsk.generate(user_id=user)


@pytest.fixture(scope="session")
def key() -> pysequoia.Tsk:
    """The archive's key."""
    return _key("Archive <archive@example.org>")


@pytest.fixture(scope="session")
def strange_key() -> pysequoia.Tsk:
    """Somebody else's key."""
    return _key("Somebody <somebody@example.org>")


@pytest.fixture(scope="session")
def keyring(key: pysequoia.Tsk) -> bytes:
    """The public half of the archive's key."""
    return bytes(key.extract_certificate())


def sign(text: str, key: pysequoia.Tsk) -> bytes:
    return pysequoia.sign(key.signer(), text.encode(), mode=pysequoia.SignatureMode.CLEAR)


@pytest.fixture(name="sign", scope="session")
def _sign() -> Callable[[str, pysequoia.Tsk], bytes]:
    """Clear-sign a text."""
    return sign


def complete(stanzas: str, architecture: str = "amd64") -> str:
    """Add the fields that a test does not care about to each stanza."""
    made = []
    for stanza in stanzas.strip().split("\n\n"):
        fields = dict(line.split(": ", 1) for line in stanza.splitlines())
        fields.setdefault("Version", "1")
        fields.setdefault("Architecture", architecture)
        package = f"{fields['Package']}_{fields['Version']}_{fields['Architecture']}"
        fields.setdefault("Filename", f"pool/{package}.deb")
        fields.setdefault("Size", "1000")
        fields.setdefault("SHA256", hashlib.sha256(package.encode()).hexdigest())
        made.append("".join(f"{name}: {value}\n" for name, value in fields.items()))
    return "\n".join(made)


@pytest.fixture(name="complete", scope="session")
def _complete() -> Callable[..., str]:
    """Add the fields that a test does not care about to each stanza of a Packages file."""
    return complete


@dataclass
class AptArchive:
    """An archive on disk, served on loopback.

    Attributes:
        folder: its root.
        url: its root on the web.
        key: what signs it.
        requests: path of every request, in order of arrival.

    """

    folder: Path
    url: str
    key: pysequoia.Tsk
    requests: list[str] = field(default_factory=list)

    def publish(
        self,
        stanzas: str = SEED,
        *,
        at: str = "debian",
        suite: str = "trixie",
        named: str | None = None,
        component: str = "main",
        architecture: str = "amd64",
        date: datetime = DATE,
        until: datetime | None = None,
        by_hash: bool = True,
        fields: Mapping[str, str] | None = None,
        key: pysequoia.Tsk | None = None,
    ) -> Path:
        """Write an index, signed; the folder of its suite."""
        root = self.folder / at / "dists" / suite
        path = f"{component}/binary-{architecture}/Packages.xz"
        packed = lzma.compress(complete(stanzas, architecture).encode())
        digest = hashlib.sha256(packed).hexdigest()
        plain = root / path
        hashed = plain.parent / "by-hash" / "SHA256" / digest
        for file in (hashed,) if by_hash else (plain,):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(packed)
        release = {
            "Origin": "Tests",
            "Suite": "stable",
            "Codename": named or suite,
            "Date": format_datetime(date.astimezone(UTC)).replace("+0000", "UTC"),
            "Acquire-By-Hash": "yes" if by_hash else "no",
            "Architectures": "amd64 arm64",
            "Components": component,
        }
        if until is not None:
            release["Valid-Until"] = format_datetime(until).replace("+0000", "UTC")
        release |= fields or {}
        text = "".join(f"{name}: {value}\n" for name, value in release.items())
        text += f"SHA256:\n {digest} {len(packed)} {path}\n"
        (root / "InRelease").write_bytes(sign(text, key or self.key))
        return root

    def publish_flat(
        self,
        stanzas: str,
        *,
        at: str = "flat",
        folder: str = "",
        keys: tuple[pysequoia.Tsk, ...] = (),
        detached: bool = False,
        armour: bool = True,
        date: datetime = DATE,
        by_hash: bool = False,
    ) -> Path:
        """Write an archive without `dists/`, components and a suite's name; the folder of its index."""
        root = self.folder / at / folder
        root.mkdir(parents=True, exist_ok=True)
        packed = gzip.compress(complete(stanzas).replace("Filename: pool/", "Filename: ./").encode())
        digest = hashlib.sha256(packed).hexdigest()
        place = root / "by-hash" / "SHA256" / digest if by_hash else root / "Packages.gz"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(packed)
        text = f"Origin: Vendor\nDate: {format_datetime(date.astimezone(UTC))}\n"
        text += "Acquire-By-Hash: yes\n" if by_hash else ""
        text += f"SHA256:\n {digest} {len(packed)} ./Packages.gz\n"
        signers = keys or (self.key,)
        if not detached:
            (root / "InRelease").write_bytes(sign(text, signers[0]))
            return root
        (root / "Release").write_text(text)
        made = [
            pysequoia.sign(one.signer(), text.encode(), mode=pysequoia.SignatureMode.DETACHED, armor=armour)
            for one in signers
        ]
        (root / "Release.gpg").write_bytes(b"".join(made))
        return root


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, *arguments: Any, archive: AptArchive, **options: Any) -> None:
        self._archive = archive
        super().__init__(*arguments, **options)

    def do_GET(self) -> None:
        self._archive.requests.append(self.path)
        super().do_GET()

    def log_message(self, *_: object) -> None:
        """Keep the tests' output clean."""


@pytest.fixture
def archive(tmp_path: Path, key: pysequoia.Tsk) -> Iterator[AptArchive]:
    """Start an archive that has nothing yet."""
    served = AptArchive(tmp_path / "archive", "", key)
    served.folder.mkdir()
    handler = partial(_Handler, directory=str(served.folder), archive=served)
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        served.url = f"http://127.0.0.1:{server.server_address[1]}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield served
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def catalogue(keyring: bytes) -> Mapping[str, suites.Suite]:
    """A distribution of two archives, whose snapshots are nowhere."""
    table = {
        "archives": {
            "debian": {
                "suffix": "",
                "folder": "debian",
                "named-in": "Codename",
                "keyring": "debian-archive",
                "snapshot": "file:///nowhere/archive/debian",
                "settled": 24,
                "suites": ["trixie", "bookworm"],
            },
            "debian-security": {
                "suffix": "-security",
                "folder": "debian-security",
                "named-in": "Codename",
                "keyring": "debian-archive",
                "snapshot": "file:///nowhere/archive/debian-security",
                "settled": 24,
                "suites": ["trixie-security", "bookworm-security"],
            },
        },
        "seeds": {"minimal": ["libc6", "tzdata"]},
        "suites": [
            {
                "reference": "apt:debian/trixie",
                "python": "3.13",
                "python-packages": ["python3.13"],
                "seed": "minimal",
                "indexes": [
                    {"archive": "debian", "suite": "trixie", "components": ["main"], "keys": ["k"]},
                ],
            },
            {
                "reference": "apt:debian/trixie-with-security",
                "python": "3.13",
                "python-packages": ["python3.13"],
                "seed": "minimal",
                "indexes": [
                    {"archive": "debian", "suite": "trixie", "components": ["main"], "keys": ["k"]},
                    {
                        "archive": "debian-security",
                        "suite": "trixie-security",
                        "components": ["main"],
                        "keys": ["k"],
                    },
                ],
            },
        ],
    }
    return suites.read(table, lambda _: keyring)


@pytest.fixture
def project(tmp_path: Path) -> Callable[..., Project]:
    """Make projects; keyword arguments are keys of `[image]` or of the project."""
    root = tmp_path / "project"
    root.mkdir()

    def make(**given: Any) -> Project:
        image = {
            "base": "apt:debian/trixie",
            "python": None,
            "platforms": (Platform("linux", "amd64"),),
            "env": {},
            "packages": (),
            "mirror": None,
            "include": (),
            "user": None,
            "workdir": "/work",
            "entrypoint": None,
            "cmd": None,
            "labels": {},
        }
        image |= {name: given.pop(name) for name in list(given) if name in image}
        return Project(
            **{
                "root": root,
                "name": "project",
                "source": None,
                "image": ImageSettings(**image),
                "pip": PipSettings((), (), (), (), (), None, (), (), None),
                "apt": (),
                "requires_python": None,
                "entropy": EntropySettings(None),
                "record": RecordSettings(("notes",)),
                "inputs": {},
                **given,
            }
        )

    return make


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[Cache]:
    with Cache.open(tmp_path / "cache") as opened:
        yield opened


@pytest.fixture
def now() -> datetime:
    """The present moment of these tests."""
    return NOW


@pytest.fixture
def no_host(tmp_path: Path) -> Path:
    """The apt folder of a host that has no apt."""
    return tmp_path / "no-apt"
