"""Locks whose artifacts are made on the spot and lie in a cache of the test's own; what is written of it."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import tarfile
import zipfile
from typing import TYPE_CHECKING

import pytest

from envfreeze.digest import Digest
from envfreeze.engines import dockerfile
from envfreeze.engines.dockerfile import installer
from envfreeze.layers.plan import plan
from envfreeze.locking.model import (
    SCHEMA,
    WRITER,
    AptBase,
    AptIndex,
    Archive,
    Deb,
    ImageBase,
    ImageLayer,
    Lock,
    Runtime,
    Target,
    Wheel,
)
from envfreeze.oci.platform import Platform
from envfreeze.progress import SILENT
from envfreeze.project.load import load
from envfreeze.replacing import replace
from envfreeze.store.cache import Cache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from envfreeze.engines.dockerfile import BuildFolder

AMD64, ARM64 = Platform.parse("linux/amd64"), Platform.parse("linux/arm64")
ARCHIVE = "https://archive.example.org/debian"
SNAPSHOT = "https://snapshot.example.org/archive/debian/20260912T075541Z"
WHEELS = "https://files.example.org/packages"


def wheel_bytes(
    name: str,
    version: str = "1.0",
    *,
    entry_points: str = "",
    files: Mapping[str, bytes] | None = None,
    modes: Mapping[str, int] | None = None,
) -> bytes:
    """Make a wheel; `modes` are whole upper halves of the external attributes."""
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    members = dict(files or {f"{name.replace('-', '_')}/__init__.py": b"def main():\n    print('hello')\n"})
    members[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n".encode()
    members[f"{info}/WHEEL"] = b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    if entry_points:
        members[f"{info}/entry_points.txt"] = entry_points.encode()
    record = io.StringIO()
    writer = csv.writer(record, lineterminator="\n")
    writer.writerows((path, _hashed(content), len(content)) for path, content in members.items())
    writer.writerow((f"{info}/RECORD", "", ""))
    members[f"{info}/RECORD"] = record.getvalue().encode()
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for path, content in members.items():
            member = zipfile.ZipInfo(path)
            member.external_attr = (modes or {}).get(path, 0o100644) << 16
            archive.writestr(member, content)
    return out.getvalue()


def _hashed(content: bytes) -> str:
    return f"sha256={base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b'=').decode()}"


def deb_bytes(name: str, version: str, files: Mapping[str, bytes], architecture: str = "amd64") -> bytes:
    """Make a .deb, uncompressed."""
    control = f"Package: {name}\nVersion: {version}\nArchitecture: {architecture}\n"
    control += f"Maintainer: Tests <tests@example.org>\nDescription: {name}\n"
    members = {
        "debian-binary": b"2.0\n",
        "control.tar": _tar({"./control": control.encode()}),
        "data.tar": _tar(files),
    }
    out = b"!<arch>\n"
    for member, content in members.items():
        out += f"{member:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(content):<10}`\n".encode()
        out += content + b"\n" * (len(content) % 2)
    return out


def _tar(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return out.getvalue()


class Kit:
    """A project's folder, a cache, and what a lock is made of."""

    def __init__(self, root: Path, cache: Cache) -> None:
        self.root = root
        self.cache = cache
        (root / "requirements.txt").write_text("alpha\n")

    def keep(self, content: bytes) -> Digest:
        """Put bytes into the cache."""
        digest = Digest.of(content)
        with self.cache.writer() as blob:
            blob.write(content)
            blob.commit(digest)
        return digest

    def wheel(self, name: str, version: str = "1.0", *, requested: bool = True, **more) -> Wheel:
        content = wheel_bytes(name, version, **more)
        filename = f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
        url = f"{WHEELS}/{filename}"
        return Wheel(name, version, filename, self.keep(content), len(content), url, requested=requested)

    def deb(
        self, name: str, version: str = "1.0-1", *, architecture: str = "amd64", requested: bool = True
    ) -> Deb:
        path = f"./usr/lib/{name}/file"
        if name == "base-files":
            path = "./etc/debian_version"
        content = deb_bytes(name, version, {path: name.encode()}, architecture)
        plain = version.partition(":")[2] or version
        pool = f"pool/main/{name}_{plain}_{architecture}.deb"
        return Deb(name, version, architecture, pool, self.keep(content), len(content), "debian", requested)

    def suite(self, *debs: Deb) -> AptBase:
        """The base of a suite, or packages that are added to an image."""
        index = AptIndex("debian", "trixie", ("main",), "2026-09-12T07:55:41Z", Digest.of(b"index"))
        archive = Archive("debian", (ARCHIVE, SNAPSHOT))
        packages = tuple(sorted(debs, key=lambda deb: deb.name))
        return AptBase("apt:debian/trixie", (archive,), (index,), packages)

    def image(self, reference: str = "registry.example.org/team/base:1", **config) -> ImageBase:
        """A base that is an image of one small layer."""
        path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
        settings = {"Env": [path], "Cmd": ["bash"], **config}
        content = _tar({"etc/os-release": b"ID=debian\n"})
        layer, size = self.keep(content), len(content)
        document = {
            "architecture": "amd64",
            "os": "linux",
            "config": settings,
            "rootfs": {"type": "layers", "diff_ids": [str(layer)]},
        }
        content = json.dumps(document).encode()
        return ImageBase(
            reference=reference,
            manifest=Digest.of(b"manifest"),
            index=None,
            config=self.keep(content),
            config_size=len(content),
            places=(reference.rpartition(":")[0],),
            layers=(ImageLayer(layer, layer, size, "application/vnd.oci.image.layer.v1.tar"),),
            env={},
            distribution="debian",
            release="13",
            codename="trixie",
            interpreter="/usr/local/bin/python3.13",
        )

    def target(self, *, platform: Platform = AMD64, **more) -> Target:
        fields = {
            "python": "3.13.5",
            "glibc": "2.41",
            "manylinux": "manylinux_2_40",
            "base": self.suite(self.deb("base-files", "13.8"), self.deb("libc6", "2.41-12")),
            "wheels": (),
        }
        made = Target(platform=platform, **fields | more)
        return replace(made, layers=plan(made))

    def lock(self, *targets: Target, **runtime) -> Lock:
        fields = {
            "env": {},
            "labels": {},
            "include": (),
            "user": None,
            "workdir": "/app",
            "entrypoint": None,
            "cmd": None,
        }
        return Lock(SCHEMA, WRITER, {}, None, Runtime(**fields | runtime), targets)

    def write(self, lock: Lock, configuration: str = "", into: str = "out") -> BuildFolder:
        (self.root / "envfreeze.toml").write_text(configuration)
        return dockerfile.write(
            lock,
            load(self.root),
            self.root.parent / into,
            cache=self.cache,
            progress=SILENT,
            offline=True,
        )

    def text(self, lock: Lock, configuration: str = "") -> str:
        """The Dockerfile of a lock."""
        return self.write(lock, configuration).dockerfile.read_text()


@pytest.fixture(scope="session")
def make_wheel() -> Callable[..., bytes]:
    return wheel_bytes


@pytest.fixture
def kit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Kit]:
    (tmp_path / "project").mkdir()
    with Cache.open(tmp_path / "cache") as cache:
        made = Kit(tmp_path / "project", cache)
        pip = wheel_bytes("pip", "99.0")
        table = tmp_path / "pip.toml"
        table.write_text(
            f'[[pip]]\npython = ">=3.9"\nversion = "99.0"\nfilename = "pip-99.0-py3-none-any.whl"\n'
            f'sha256 = "{made.keep(pip).hex}"\nsize = {len(pip)}\n'
        )
        monkeypatch.setattr(installer, "TABLE", table)
        yield made
