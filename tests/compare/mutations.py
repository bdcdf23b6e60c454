"""A small real image, and what can happen to it: each mutation with the level, place and cause that it has.

Not a test. The packages are those of this Python, with their own RECORDs; `test_mutations.py` compares, and
`tests/bench/run.py peers` shows what other tools say of the same pairs.
"""

from __future__ import annotations

import base64
import copy
import csv
import gzip
import hashlib
import importlib.metadata
import io
import json
import py_compile
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import zstandard

from envfreeze.digest import Digest
from envfreeze.oci import canonical, media
from envfreeze.oci.image import ImageValue

if TYPE_CHECKING:
    from collections.abc import Callable

SITE = "opt/venv/lib/python3.13/site-packages"
PYC = f"{SITE}/packaging/__pycache__/tags.cpython-313.pyc"
MOMENT = 315619200
"""Of all files: 1980-01-02."""


@dataclass
class Node:
    """A member of a layer: a file, or what `kind` says."""

    path: str
    content: bytes = b""
    kind: bytes = tarfile.REGTYPE
    mode: int = 0o644
    uid: int = 0
    gid: int = 0
    mtime: float = MOMENT
    link: str = ""
    xattrs: dict[str, str] = field(default_factory=dict)
    uname: str = ""


@dataclass
class LayerOf:
    """A layer: its members in their order, and how they are packed."""

    name: str
    nodes: list[Node]
    packing: str = "gzip"
    level: int = 6
    form: int = tarfile.PAX_FORMAT

    def node(self, path: str) -> Node:
        return next(node for node in self.nodes if node.path == path)

    def drop(self, path: str) -> None:
        self.nodes = [
            node for node in self.nodes if node.path != path and not node.path.startswith(f"{path}/")
        ]

    def put(self, *nodes: Node) -> None:
        for node in nodes:
            self.drop(node.path)
        self.nodes = sorted([*self.nodes, *nodes], key=lambda node: node.path)

    def tar(self) -> bytes:
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w", format=self.form) as archive:
            for node in self.nodes:
                info = tarfile.TarInfo(node.path)
                info.type, info.mode, info.uid, info.gid = node.kind, node.mode, node.uid, node.gid
                info.mtime, info.linkname, info.size = node.mtime, node.link, len(node.content)
                info.uname = node.uname
                info.pax_headers = {f"SCHILY.xattr.{key}": value for key, value in node.xattrs.items()}
                archive.addfile(info, io.BytesIO(node.content))
        return out.getvalue()


@dataclass(frozen=True)
class Blob:
    """A layer in memory."""

    data: bytes = field(repr=False)
    diff_id: Digest
    media_type: str

    @property
    def digest(self) -> Digest:
        return Digest.of(self.data)

    @property
    def size(self) -> int:
        return len(self.data)

    def open(self) -> io.BytesIO:
        return io.BytesIO(self.data)


_BLOBS: dict[tuple[Any, ...], Blob] = {}


@dataclass
class ImageOf:
    """An image that can be changed."""

    layers: list[LayerOf]
    settings: dict[str, Any]
    top: dict[str, Any] = field(default_factory=dict)
    docker: bool = False
    annotations: dict[str, str] = field(default_factory=dict)
    spaced: bool = False

    def layer(self, name: str) -> LayerOf:
        return next(layer for layer in self.layers if layer.name == name)

    def copy(self) -> ImageOf:
        return copy.deepcopy(self)

    def image(self) -> ImageValue:
        """The image as it is now."""
        blobs = tuple(self._blob(layer) for layer in self.layers)
        config = {
            "created": "1980-01-02T00:00:00Z",
            "os": "linux",
            "architecture": "amd64",
            "config": self.settings,
            "rootfs": {"type": "layers", "diff_ids": [str(blob.diff_id) for blob in blobs]},
            "history": [
                {"created": "1980-01-02T00:00:00Z", "created_by": layer.name} for layer in self.layers
            ],
        } | self.top
        raw = json.dumps(config, indent=2).encode() if self.spaced else canonical.dump(config)
        manifest = {
            "schemaVersion": 2,
            "mediaType": media.DOCKER_MANIFEST if self.docker else media.MANIFEST,
            "config": {
                "mediaType": media.DOCKER_CONFIG if self.docker else media.CONFIG,
                "digest": str(Digest.of(raw)),
                "size": len(raw),
            },
            "layers": [
                {"mediaType": blob.media_type, "digest": str(blob.digest), "size": blob.size}
                for blob in blobs
            ],
        }
        if self.annotations:
            manifest["annotations"] = self.annotations
        return ImageValue(canonical.dump(manifest), raw, blobs)

    def _blob(self, layer: LayerOf) -> Blob:
        tar = layer.tar()
        key = (hashlib.sha256(tar).digest(), layer.packing, layer.level, self.docker)
        if key not in _BLOBS:
            _BLOBS[key] = self._packed(tar, layer)
        return _BLOBS[key]

    def _packed(self, tar: bytes, layer: LayerOf) -> Blob:
        made, media_type = {
            "gzip": (lambda: gzip.compress(tar, layer.level, mtime=0), media.LAYER_GZIP),
            "zstd": (lambda: zstandard.ZstdCompressor(level=layer.level).compress(tar), media.LAYER_ZSTD),
            "plain": (lambda: tar, media.LAYER),
        }[layer.packing]
        if self.docker:
            media_type = {media.LAYER_GZIP: media.DOCKER_LAYER_GZIP, media.LAYER: media.DOCKER_LAYER}[
                media_type
            ]
        return Blob(made(), Digest.of(tar), media_type)


def folder(path: str, **changes: Any) -> Node:
    return Node(path, kind=tarfile.DIRTYPE, **({"mode": 0o755} | changes))


def symlink(path: str, target: str) -> Node:
    return Node(path, kind=tarfile.SYMTYPE, mode=0o777, link=target)


def hard(path: str, target: str) -> Node:
    return Node(path, kind=tarfile.LNKTYPE, link=target)


def with_folders(nodes: list[Node]) -> list[Node]:
    """Every parent there, sorted."""
    there = {node.path for node in nodes}
    above = {str(parent) for node in nodes for parent in Path(node.path).parents} - {"."} - there
    return sorted([*nodes, *(folder(path) for path in above)], key=lambda node: node.path)


def wheel(name: str) -> list[Node]:
    """A package as it is installed here, without bytecode and installers' notes."""
    found = importlib.metadata.distribution(name)
    about = next(path.parent for path in found.files or () if path.name == "METADATA")
    nodes, rows = [], []
    for path in found.files or ():
        is_note = path.name in {"RECORD", "REQUESTED", "direct_url.json", "INSTALLER"} or "uv_" in path.name
        if path.suffix == ".pyc" or is_note or ".." in path.parts:
            continue
        content = Path(path.locate()).read_bytes()
        nodes.append(Node(f"{SITE}/{path}", content))
        rows.append((str(path), hash_of(content), len(content)))
    nodes.append(Node(f"{SITE}/{about}/INSTALLER", b"envfreeze"))
    rows += [(f"{about}/INSTALLER", hash_of(b"envfreeze"), 9), (f"{about}/RECORD", "", "")]
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(sorted(rows))
    nodes.append(Node(f"{SITE}/{about}/RECORD", text.getvalue().encode()))
    return with_folders(nodes)


def hash_of(content: bytes) -> str:
    return f"sha256={base64.urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b'=').decode()}"


def deb(name: str, files: dict[str, bytes]) -> list[Node]:
    """An OS package as dpkg leaves it, but for its stanza in the status."""
    listed = sorted({str(above) for path in files for above in Path(path).parents} - {"."} | files.keys())
    sums = "".join(f"{hashlib.md5(content).hexdigest()}  {path}\n" for path, content in sorted(files.items()))
    info = f"var/lib/dpkg/info/{name}"
    return [
        *(Node(path, content, mode=0o755 if "/bin/" in path else 0o644) for path, content in files.items()),
        Node(f"{info}.list", "".join(f"/{path}\n" for path in listed).encode()),
        Node(f"{info}.md5sums", sums.encode()),
    ]


def status(**versions: str) -> Node:
    stanzas = (
        f"Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {version}\n"
        for name, version in sorted(versions.items())
    )
    return Node("var/lib/dpkg/status", "\n".join(stanzas).encode())


def library(seed: str = "") -> bytes:
    """A real shared library: that of a package here."""
    found = importlib.metadata.distribution("deflate")
    path = next(path for path in found.files or () if path.suffix == ".so")
    return Path(path.locate()).read_bytes() + seed.encode()


def bytecode(source: str, mtime: int) -> bytes:
    """What this Python compiles a source to."""
    import os

    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / "tags.py"
        path.write_text(source)
        os.utime(path, (mtime, mtime))
        made = py_compile.compile(str(path), str(path.with_suffix(".pyc")), dfile="tags.py", doraise=True)
        return Path(str(made)).read_bytes()


def jar(moment: int, *, text: bytes = b"hello\n") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in (("a.txt", text), ("b.txt", b"other\n")):
            archive.writestr(zipfile.ZipInfo(name, (moment, 1, 2, 0, 0, 0)), content)
    return out.getvalue()


def original() -> ImageOf:
    """The image that all mutations start from."""
    base = with_folders(
        [
            *deb("bash", {"usr/bin/bash": b"\x7fELF bash", "usr/share/doc/bash/README": b"bash\n"}),
            *deb("libc6", {"usr/lib/libc.so.6": b"\x7fELF libc", "etc/ld.so.conf": b"/usr/lib\n"}),
            status(bash="5.2.37-2", libc6="2.41-12"),
            Node("etc/passwd", b"root:x:0:0::/root:/bin/sh\n"),
            Node("etc/shadow", b"root:*:20000:0:99999:7:::\n", mode=0o640, gid=42),
            Node("etc/motd", b"welcome\n"),
            Node("etc/ld.so.cache", b"cache one"),
            symlink("bin/sh", "bash"),
            folder("tmp", mode=0o1777),
            folder("data"),
            Node("data/seed.bin", bytes(range(256)) * 64),
            Node("usr/share/data/a", b"shared\n"),
            hard("usr/share/data/b", "usr/share/data/a"),
        ]
    )
    packaging = wheel("packaging")
    tags = next(node for node in packaging if node.path == f"{SITE}/packaging/tags.py")
    packaging = with_folders([*packaging, Node(PYC, bytecode(tags.content.decode(), 1_600_000_000))])
    project = with_folders(
        [
            Node("app/train.py", b"import packaging\n\nprint('epoch', 1)\n"),
            Node("app/config.json", b'{"lr": 0.1, "layers": [1, 2]}'),
            Node("app/names.txt", b"".join(f"name {number}\n".encode() for number in range(50))),
            Node("app/bundle.zip", jar(1980)),
            Node("app/log.gz", gzip.compress(b"one\ntwo\n", mtime=1)),
            Node("app/run.sh", b"#!/bin/sh\nexec python train.py\n", mode=0o755),
        ]
    )
    return ImageOf(
        [
            LayerOf("rootfs", base),
            LayerOf("wheel-packaging", packaging),
            LayerOf("wheel-deflate", wheel("deflate")),
            LayerOf("files", project),
        ],
        {
            "Env": ["PATH=/opt/venv/bin:/usr/bin", "LANG=C.UTF-8"],
            "Labels": {"org.example.team": "vision", "org.opencontainers.image.base.name": "debian:trixie"},
            "Cmd": ["python"],
            "WorkingDir": "/app",
        },
    )


# ------------------------------------------------------------------------------------------ mutations


@dataclass(frozen=True)
class Mutation:
    """What happens, and what is to be said of it.

    Attributes:
        name: in words.
        change: makes it happen to a copy of the original.
        level: what is left of equality.
        kind: of the finding that tells it.
        place: its path, else its layer.
        cause: the name of its cause; empty: none.
        package: the package that is named; empty: none.

    """

    name: str
    change: Callable[[ImageOf], object]
    level: str
    kind: str
    place: str
    cause: str = ""
    package: str = ""


def edit(layer: str, path: str, change: Callable[[bytes], bytes]) -> Callable[[ImageOf], None]:
    def do(image: ImageOf) -> None:
        node = image.layer(layer).node(path)
        node.content = change(node.content)

    return do


def attribute(layer: str, path: str, **changes: Any) -> Callable[[ImageOf], None]:
    def do(image: ImageOf) -> None:
        for name, value in changes.items():
            setattr(image.layer(layer).node(path), name, value)

    return do


def put(layer: str, *nodes: Node) -> Callable[[ImageOf], None]:
    return lambda image: image.layer(layer).put(*nodes)


def drop(layer: str, path: str) -> Callable[[ImageOf], None]:
    return lambda image: image.layer(layer).drop(path)


def packed(**changes: Any) -> Callable[[ImageOf], None]:
    def do(image: ImageOf) -> None:
        for name, value in changes.items():
            setattr(image.layer("wheel-packaging"), name, value)

    return do


def extra(*nodes: Node) -> Callable[[ImageOf], None]:
    return lambda image: image.layers.append(LayerOf("extra", list(nodes)))


def settings(**changes: Any) -> Callable[[ImageOf], None]:
    return lambda image: image.settings.update(changes)


def flipped(content: bytes) -> bytes:
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def swapped_package(image: ImageOf) -> None:
    """The wheel's own bytes of another version."""
    layer = image.layer("wheel-deflate")
    version = importlib.metadata.version("deflate")
    for node in layer.nodes:
        node.path = node.path.replace(f"deflate-{version}.dist-info", "deflate-9.9.dist-info")
        if node.path.endswith("RECORD"):
            node.content = node.content.replace(f"deflate-{version}".encode(), b"deflate-9.9")


def rebuilt_package(image: ImageOf) -> None:
    """The same version with another file and a RECORD that says so."""
    layer = image.layer("wheel-packaging")
    node = layer.node(f"{SITE}/packaging/tags.py")
    before = hash_of(node.content)
    node.content += b"# built again\n"
    record = next(one for one in layer.nodes if one.path.endswith("RECORD"))
    record.content = record.content.replace(before.encode(), hash_of(node.content).encode())


def re_pushed_base(image: ImageOf) -> None:
    layer = image.layer("rootfs")
    layer.put(
        *deb("bash", {"usr/bin/bash": b"\x7fELF bash three"}),
        status(bash="5.2.37-3", libc6="2.41-12"),
    )


def merged(image: ImageOf) -> None:
    first, second = image.layer("wheel-packaging"), image.layer("wheel-deflate")
    nodes = {node.path: node for node in (*first.nodes, *second.nodes)}
    image.layers[1:3] = [LayerOf("RUN pip install", sorted(nodes.values(), key=lambda node: node.path))]


def split(image: ImageOf) -> None:
    layer = image.layer("files")
    image.layers[3:] = [
        LayerOf("COPY app", [node for node in layer.nodes if not node.path.endswith("train.py")]),
        LayerOf("COPY train.py", [node for node in layer.nodes if node.path in {"app", "app/train.py"}]),
    ]


def reordered(image: ImageOf) -> None:
    image.layers[1], image.layers[2] = image.layers[2], image.layers[1]


def another_owner(image: ImageOf) -> None:
    for node in image.layer("files").nodes:
        node.uid = node.gid = 1000


def another_moment(image: ImageOf) -> None:
    for node in image.layer("files").nodes:
        node.mtime = 1_700_000_000


def shuffled(image: ImageOf) -> None:
    image.layer("files").nodes.reverse()


def as_docker(image: ImageOf) -> None:
    image.docker = True


def recompiled(image: ImageOf) -> None:
    layer = image.layer("wheel-packaging")
    source = layer.node(f"{SITE}/packaging/tags.py").content.decode()
    layer.node(PYC).content = bytecode(source, 1_700_000_000)


def other_bytecode(image: ImageOf) -> None:
    layer = image.layer("wheel-packaging")
    source = layer.node(f"{SITE}/packaging/tags.py").content.decode()
    layer.node(PYC).content = bytecode(f"{source}\nEXTRA = 1\n", 1_600_000_000)


def so_path() -> str:
    found = importlib.metadata.distribution("deflate")
    return f"{SITE}/{next(path for path in found.files or () if path.suffix == '.so')}"


def about(name: str, file: str) -> str:
    return f"{SITE}/{name}-{importlib.metadata.version(name)}.dist-info/{file}"


MUTATIONS = (
    # Nothing that runs differs.
    Mutation(
        "another level of gzip",
        packed(level=1),
        "layers",
        "compression",
        "wheel-packaging",
        "other-compressor",
    ),
    Mutation(
        "zstd instead of gzip",
        packed(packing="zstd", level=3),
        "layers",
        "media-type",
        "wheel-packaging",
        "other-compressor",
    ),
    Mutation(
        "no compression",
        packed(packing="plain"),
        "layers",
        "compression",
        "wheel-packaging",
        "other-compressor",
    ),
    Mutation("Docker's media types", as_docker, "layers", "media-type", "manifest", "other-compressor"),
    Mutation(
        "an annotation",
        lambda image: image.annotations.update({"org.example.x": "1"}),
        "layers",
        "manifest",
        "manifest",
        "other-builder",
    ),
    # Packing and times.
    Mutation(
        "the config's JSON",
        lambda image: setattr(image, "spaced", True),
        "tree",
        "config-json",
        "config",
        "other-builder",
    ),
    Mutation(
        "the moment of the build",
        lambda image: image.top.update(created="2026-01-01T00:00:00Z"),
        "tree",
        "config-time",
        "config",
        "timestamps",
    ),
    Mutation(
        "one file's time",
        attribute("files", "app/run.sh", mtime=1_700_000_000),
        "tree",
        "time",
        "app/run.sh",
        "timestamps",
    ),
    Mutation("all times of a layer", another_moment, "tree", "time", "app/train.py", "timestamps"),
    Mutation("the order of members", shuffled, "tree", "tar-order", "files", "other-builder"),
    Mutation(
        "another form of tar",
        packed(form=tarfile.GNU_FORMAT),
        "tree",
        "tar-format",
        "wheel-packaging",
        "other-builder",
    ),
    Mutation(
        "a user's name",
        attribute("files", "app/run.sh", uname="ada"),
        "tree",
        "owner-name",
        "files",
        "other-builder",
    ),
    Mutation("two layers merged", merged, "tree", "layer-boundaries", "manifest", "other-builder"),
    Mutation("a layer split in two", split, "tree", "layer-boundaries", "manifest", "other-builder"),
    Mutation("layers in another order", reordered, "tree", "layer-order", "manifest"),
    Mutation("an empty layer more", extra(), "tree", "layer-added", "extra"),
    Mutation(
        "a directory's entry repeated", extra(folder("etc")), "tree", "repeated", "etc", "other-builder"
    ),
    Mutation(
        "a deletion of nothing",
        extra(Node("etc/.wh.never")),
        "tree",
        "idle-whiteout",
        "etc/never",
        "other-file-system",
    ),
    # The same packages.
    Mutation(
        "one byte of a data file",
        edit("rootfs", "data/seed.bin", flipped),
        "packages",
        "content",
        "data/seed.bin",
        "re-pushed-base",
    ),
    Mutation(
        "a line of the project",
        edit("files", "app/train.py", lambda old: old.replace(b"1)", b"2)")),
        "packages",
        "content",
        "app/train.py",
        "project-files",
    ),
    Mutation(
        "the ends of lines",
        edit("files", "app/names.txt", lambda old: old.replace(b"\n", b"\r\n")),
        "packages",
        "content",
        "app/names.txt",
        "line-endings",
    ),
    Mutation(
        "the order of lines",
        edit("files", "app/names.txt", lambda old: b"".join(reversed(old.splitlines(keepends=True)))),
        "packages",
        "content",
        "app/names.txt",
        "unsorted",
    ),
    Mutation(
        "a value in JSON",
        edit("files", "app/config.json", lambda old: old.replace(b"0.1", b"0.2")),
        "packages",
        "content",
        "app/config.json",
        "project-files",
    ),
    Mutation(
        "times inside a zip",
        edit("files", "app/bundle.zip", lambda _: jar(2026)),
        "packages",
        "content",
        "app/bundle.zip",
        "timestamps",
    ),
    Mutation(
        "a time inside a gzip",
        edit("files", "app/log.gz", lambda _: gzip.compress(b"one\ntwo\n", mtime=9)),
        "packages",
        "content",
        "app/log.gz",
        "timestamps",
    ),
    Mutation(
        "a mode",
        attribute("files", "app/run.sh", mode=0o775),
        "packages",
        "mode",
        "app/run.sh",
        "permissions",
    ),
    Mutation("another owner", another_owner, "packages", "owner", "app/train.py", "ownership"),
    Mutation(
        "a link", attribute("rootfs", "bin/sh", link="dash"), "packages", "link", "bin/sh", "re-pushed-base"
    ),
    Mutation(
        "a link in place of a file",
        put("files", symlink("app/run.sh", "/bin/true")),
        "packages",
        "type",
        "app/run.sh",
        "project-files",
    ),
    Mutation(
        "hard links broken up",
        put("rootfs", Node("usr/share/data/b", b"shared\n")),
        "packages",
        "hard-link",
        "usr/share/data/b",
        "other-file-system",
    ),
    Mutation(
        "an extended attribute",
        attribute("files", "app/run.sh", xattrs={"user.note": "1"}),
        "packages",
        "xattr",
        "app/run.sh",
        "attributes",
    ),
    Mutation(
        "a file more",
        put("files", Node("app/new.py", b"")),
        "packages",
        "added",
        "app/new.py",
        "project-files",
    ),
    Mutation(
        "a file less", drop("files", "app/run.sh"), "packages", "removed", "app/run.sh", "project-files"
    ),
    Mutation("a deletion", extra(Node("etc/.wh.motd")), "packages", "whiteout", "etc/motd"),
    Mutation(
        "an opaque directory",
        extra(folder("data"), Node("data/.wh..wh..opq")),
        "packages",
        "opaque",
        "data",
        "other-file-system",
    ),
    Mutation("bytecode compiled again", recompiled, "packages", "content", PYC, "bytecode"),
    Mutation("other bytecode", other_bytecode, "packages", "content", PYC, "bytecode"),
    Mutation(
        "uv's notes",
        put("wheel-packaging", Node(about("packaging", "uv_cache.json"), b'{"timestamp":1}')),
        "packages",
        "added",
        about("packaging", "uv_cache.json"),
        "installer-metadata",
        "packaging",
    ),
    Mutation(
        "another installer",
        edit("wheel-packaging", about("packaging", "INSTALLER"), lambda _: b"pip\n"),
        "packages",
        "content",
        about("packaging", "INSTALLER"),
        "installer-metadata",
        "packaging",
    ),
    Mutation(
        "what apt leaves",
        put("files", Node("var/cache/apt/pkgcache.bin", b"\0\1"), Node("var/log/dpkg.log", b"x")),
        "packages",
        "added",
        "var/cache/apt/pkgcache.bin",
        "apt-residue",
    ),
    Mutation(
        "the linker's cache",
        edit("rootfs", "etc/ld.so.cache", lambda _: b"cache two"),
        "packages",
        "content",
        "etc/ld.so.cache",
        "ldconfig-cache",
    ),
    Mutation(
        "the day in etc/shadow",
        edit("rootfs", "etc/shadow", lambda old: old.replace(b"20000", b"20400")),
        "packages",
        "content",
        "etc/shadow",
        "account-date",
    ),
    Mutation(
        "the machine's id",
        put("files", Node("etc/machine-id", b"0123456789abcdef0123456789abcdef\n")),
        "packages",
        "added",
        "etc/machine-id",
        "host-identity",
    ),
    Mutation(
        "a variable",
        settings(Env=["PATH=/opt/venv/bin:/usr/bin", "LANG=C"]),
        "packages",
        "config-env",
        "config",
        "settings",
    ),
    Mutation(
        "a label",
        settings(
            Labels={"org.example.team": "speech", "org.opencontainers.image.base.name": "debian:trixie"}
        ),
        "packages",
        "config-label",
        "config",
        "settings",
    ),
    Mutation("the command", settings(Cmd=["sh"]), "packages", "config-command", "config", "settings"),
    Mutation("the user", settings(User="1000"), "packages", "config-user", "config", "settings"),
    Mutation(
        "the working directory", settings(WorkingDir="/"), "packages", "config-workdir", "config", "settings"
    ),
    # The packages themselves.
    Mutation(
        "one byte of a wheel's file",
        edit("wheel-packaging", f"{SITE}/packaging/tags.py", flipped),
        "different",
        "content",
        f"{SITE}/packaging/tags.py",
        "tampering",
        "packaging",
    ),
    Mutation(
        "one byte of a program",
        edit("wheel-deflate", so_path(), flipped),
        "different",
        "content",
        so_path(),
        "tampering",
        "deflate",
    ),
    Mutation(
        "one byte of an OS package's file",
        edit("rootfs", "usr/lib/libc.so.6", flipped),
        "different",
        "content",
        "usr/lib/libc.so.6",
        "tampering",
        "libc6",
    ),
    Mutation(
        "a wheel's file replaced in a layer more",
        extra(Node(f"{SITE}/packaging/tags.py", b"import os\n")),
        "different",
        "content",
        f"{SITE}/packaging/tags.py",
        "tampering",
        "packaging",
    ),
    Mutation(
        "a wheel's file deleted in a layer more",
        extra(Node(f"{SITE}/packaging/.wh.tags.py")),
        "different",
        "whiteout",
        f"{SITE}/packaging/tags.py",
        "changed-after-install",
        "packaging",
    ),
    Mutation(
        "a set-id bit",
        attribute("rootfs", "usr/bin/bash", mode=0o4755),
        "different",
        "mode",
        "usr/bin/bash",
        "changed-after-install",
        "bash",
    ),
    Mutation(
        "a capability",
        attribute("rootfs", "usr/bin/bash", xattrs={"security.capability": "x"}),
        "different",
        "xattr",
        "usr/bin/bash",
        "attributes",
        "bash",
    ),
    Mutation(
        "another build of the version",
        rebuilt_package,
        "different",
        "content",
        f"{SITE}/packaging/tags.py",
        "rebuilt-package",
        "packaging",
    ),
    Mutation(
        "another version of a package",
        swapped_package,
        "different",
        "package-version",
        "packages",
        "floating-package",
        "deflate",
    ),
    Mutation(
        "a package less",
        lambda image: image.layers.pop(2),
        "different",
        "package-removed",
        "packages",
        "floating-package",
        "deflate",
    ),
    Mutation(
        "a re-pushed base",
        re_pushed_base,
        "different",
        "package-version",
        "packages",
        "re-pushed-base",
        "bash",
    ),
    Mutation(
        "another processor",
        lambda image: image.top.update(architecture="arm64"),
        "different",
        "platform",
        "config",
    ),
)
