"""A registry on loopback: the OCI distribution API, and all that can be wrong with a registry.

Not a test. `tests/conftest.py` hands it out as the fixture `registry_server`, the module itself:

    def test_something(registry_server):
        with registry_server.serve() as registry:
            image = registry_server.image_of([{"etc/os-release": b"ID=debian\n"}])
            registry.push(image, "team/base", "1")

Logins are asked for as real registries do, blobs can live on another server, and what is asked for next can
be made to fail: `registry.faults["/v2/team/base/manifests/1"] = [Fault(status=503)]`. What is pushed is
checked as the specification wants it: digests of blobs, and that a manifest's blobs are there.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
import tarfile
import threading
import time
import uuid
from collections import defaultdict
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import zstandard

from envfreeze.digest import Digest
from envfreeze.oci import canonical, media
from envfreeze.oci.image import ImageValue

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from envfreeze.oci.image import Image

# ---------------------------------------------------------------------------------------------- images


@dataclass(frozen=True)
class MemoryLayer:
    """A layer in memory."""

    blob: bytes = field(repr=False)
    diff_id: Digest
    media_type: str

    @property
    def digest(self) -> Digest:
        return Digest.of(self.blob)

    @property
    def size(self) -> int:
        return len(self.blob)

    def open(self) -> io.BytesIO:
        return io.BytesIO(self.blob)


@dataclass(frozen=True)
class Link:
    """A symbolic link, or with `hard` a hard one."""

    target: str
    hard: bool = False


@dataclass(frozen=True)
class Folder:
    """A directory."""

    mode: int = 0o755
    uid: int = 0
    gid: int = 0


@dataclass(frozen=True)
class File:
    """A file that is not 0644 and root's."""

    content: bytes
    mode: int = 0o644


def tar_of(contents: Mapping[str, bytes | File | Link | Folder]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        for path, what in contents.items():
            info = tarfile.TarInfo(path)
            match what:
                case Link(target, hard):
                    info.type, info.linkname = tarfile.LNKTYPE if hard else tarfile.SYMTYPE, target
                    archive.addfile(info)
                case Folder(mode, uid, gid):
                    info.type, info.mode, info.uid, info.gid = tarfile.DIRTYPE, mode, uid, gid
                    archive.addfile(info)
                case _:
                    content, info.mode = (
                        (what.content, what.mode) if isinstance(what, File) else (what, 0o644)
                    )
                    info.size = len(content)
                    archive.addfile(info, io.BytesIO(content))
    return out.getvalue()


def layer_of(contents: Mapping[str, bytes | File | Link | Folder], packing: str = "gzip") -> MemoryLayer:
    """Make a layer; `packing` is `gzip`, `zstd`, `plain` or `docker`."""
    tar = tar_of(contents)
    packed = {
        "gzip": (lambda: gzip.compress(tar, mtime=0), media.LAYER_GZIP),
        "docker": (lambda: gzip.compress(tar, mtime=0), media.DOCKER_LAYER_GZIP),
        "zstd": (lambda: zstandard.compress(tar), media.LAYER_ZSTD),
        "plain": (lambda: tar, media.LAYER),
    }
    make, media_type = packed[packing]
    return MemoryLayer(make(), Digest.of(tar), media_type)


def image_of(
    layers: Sequence[Mapping[str, bytes | File | Link | Folder] | MemoryLayer],
    *,
    architecture: str = "amd64",
    system: str = "linux",
    packing: str = "gzip",
    settings: Mapping[str, Any] | None = None,
    diff_ids: Sequence[Digest] | None = None,
) -> ImageValue:
    """Make an image; with `packing="docker"` in Docker's media types throughout."""
    made = tuple(layer if isinstance(layer, MemoryLayer) else layer_of(layer, packing) for layer in layers)
    docker = packing == "docker"
    stated = [layer.diff_id for layer in made] if diff_ids is None else diff_ids
    config = canonical.dump(
        {
            "os": system,
            "architecture": architecture,
            "config": dict(settings or {}),
            "rootfs": {"type": "layers", "diff_ids": [str(one) for one in stated]},
        }
    )
    manifest = canonical.dump(
        {
            "schemaVersion": 2,
            "mediaType": media.DOCKER_MANIFEST if docker else media.MANIFEST,
            "config": {
                "mediaType": media.DOCKER_CONFIG if docker else media.CONFIG,
                "digest": str(Digest.of(config)),
                "size": len(config),
            },
            "layers": [
                {"mediaType": layer.media_type, "digest": str(layer.digest), "size": layer.size}
                for layer in made
            ],
        }
    )
    return ImageValue(manifest, config, made)


# ---------------------------------------------------------------------------------------------- server


@dataclass(frozen=True)
class Fault:
    """What goes wrong once.

    Attributes:
        status: answered instead; 0: the real answer's.
        body: sent instead.
        headers: sent instead of the real ones.
        cut: bytes of the body after which the connection ends.
        flip: whether a byte in the middle of the body is another.
        delay: seconds before the answer.
        hear: bytes of the request's body that are taken before the connection ends; what they are part of
            keeps them.
        mute: the connection ends after all was done, without an answer.
        spoil: a byte in the middle of the request's body becomes another on its way.

    """

    status: int = 0
    body: bytes | None = None
    headers: Mapping[str, str] | None = None
    cut: int | None = None
    flip: bool = False
    delay: float = 0.0
    hear: int | None = None
    mute: bool = False
    spoil: bool = False


@dataclass(frozen=True)
class Asked:
    """A request: its path with the query, its headers by their names in lower case, its body's size."""

    path: str
    headers: Mapping[str, str]
    method: str = "GET"
    size: int = 0


@dataclass
class RegistryServer:
    """What is in the registry and how it behaves.

    Attributes:
        host: `127.0.0.1:port`.
        url: `http://` and the host, or `https://`.
        manifests: repository to digest or tag to media type and bytes.
        blobs: repository to digest to bytes.
        asked: all requests.
        faults: what goes wrong with the next requests of a path, in their order.
        login: user and password that are wanted; None: everybody may read.
        scheme: how they are wanted: `basic`, or `bearer` of a token server, or `oauth` with a refresh token.
        realm: the token server's URL; empty: this server's own `/token`.
        elsewhere: a server that blobs are redirected to; None: they are here.
        page: how many tags a page of the list has.
        seconds: how long tokens are good for.
        trouble: what goes wrong with a request, by its method and path, where `faults` has nothing.
        reader: the login may read only.
        resumes: whether an upload can be gone on with after a part of it broke.
        chunks: whether blobs are taken in parts.
        mounts: whether blobs of other repositories are mounted.
        largest: bytes of a request's body at most; None: any.
        uploads_at: the server that uploads go to; None: this one.
        referrers: whether there is the API of that name.
        uploads: what has come of each upload.

    """

    host: str
    url: str
    manifests: dict[str, dict[str, tuple[str, bytes]]] = field(default_factory=lambda: defaultdict(dict))
    blobs: dict[str, dict[str, bytes]] = field(default_factory=lambda: defaultdict(dict))
    asked: list[Asked] = field(default_factory=list)
    faults: dict[str, list[Fault]] = field(default_factory=dict)
    login: tuple[str, str] | None = None
    scheme: str = "basic"
    realm: str = ""
    elsewhere: str | None = None
    page: int = 100
    seconds: int = 300
    trouble: Callable[[str, str], Fault | None] | None = None
    reader: bool = False
    resumes: bool = True
    chunks: bool = True
    mounts: bool = True
    largest: int | None = None
    uploads_at: str | None = None
    referrers: bool = False
    uploads: dict[str, bytearray] = field(default_factory=dict)
    guard: threading.Lock = field(default_factory=threading.Lock)

    def push(self, image: Image, repository: str, tag: str | None = None) -> Digest:
        """Put an image in, under a tag if there is one."""
        for layer in image.layers:
            with layer.open() as blob:
                self.blobs[repository][str(layer.digest)] = blob.read()
        self.blobs[repository][str(Digest.of(image.config))] = image.config
        media_type = json.loads(image.manifest)["mediaType"]
        return self.document(image.manifest, media_type, repository, tag)

    def push_index(
        self, images: Sequence[Image], repository: str, tag: str | None = None, *, docker: bool = False
    ) -> Digest:
        """Put images in, and an index of them with an attestation beside them, as BuildKit makes it."""
        entries: list[dict[str, Any]] = []
        for image in images:
            digest = self.push(image, repository)
            platform = {"os": "linux", "architecture": image.platform.architecture}
            entries.append(_entry(image.manifest, digest, platform))
        attestation = image_of([], architecture="unknown", system="unknown").manifest
        digest = self.push(image_of([], architecture="unknown", system="unknown"), repository)
        unknown = {"os": "unknown", "architecture": "unknown"}
        annotated = {"annotations": {"vnd.docker.reference.type": "attestation-manifest"}}
        entries.insert(0, _entry(attestation, digest, unknown) | annotated)
        media_type = media.DOCKER_INDEX if docker else media.INDEX
        index = canonical.dump({"schemaVersion": 2, "mediaType": media_type, "manifests": entries})
        return self.document(index, media_type, repository, tag)

    def document(self, raw: bytes, media_type: str, repository: str, tag: str | None = None) -> Digest:
        """Put a manifest or an index in."""
        digest = Digest.of(raw)
        for name in (str(digest), *([tag] if tag else [])):
            self.manifests[repository][name] = media_type, raw
        return digest

    def paths(self, part: str = "", method: str = "") -> list[str]:
        """The paths that were asked for, those with a part, by a method."""
        return [one.path for one in self.asked if part in one.path and method in {"", one.method}]

    def received(self) -> int:
        """Bytes of blobs and documents that were sent here."""
        return sum(one.size for one in self.asked if one.path != "/token")


def _entry(raw: bytes, digest: Digest, platform: Mapping[str, str]) -> dict[str, Any]:
    return {
        "mediaType": json.loads(raw)["mediaType"],
        "digest": str(digest),
        "size": len(raw),
        "platform": dict(platform),
    }


_UPLOAD = re.compile(r"/v2/(?P<name>.+)/blobs/uploads/(?P<id>[^/]*)")


def _error(code: str) -> bytes:
    return json.dumps({"errors": [{"code": code, "message": f"what {code} is"}]}).encode()


def _flipped(body: bytes) -> bytes:
    middle = len(body) // 2
    return body[:middle] + bytes([body[middle] ^ 1]) + body[middle + 1 :] if body else body


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Listener

    def do_GET(self) -> None:
        self._serve()

    do_HEAD = do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815 - http.server's names

    def _serve(self) -> None:
        registry = self.server.registry
        parts = urlsplit(self.path)
        length = int(self.headers.get("Content-Length", "0"))
        fault = self._noted(parts.path, length)
        time.sleep(fault.delay)
        sent = self.rfile.read(length if fault.hear is None else min(fault.hear, length))
        if fault.spoil:
            sent = _flipped(sent)
        if parts.path == "/token":
            status, body, headers = self._token(parts.query, sent)
        elif not self._may_enter():
            status, body, headers = 401, b'{"errors":[{"code":"UNAUTHORIZED"}]}', self._challenge(parts.path)
        elif fault.status:
            status, body, headers = 0, b"", {}
        else:
            with registry.guard:
                status, body, headers = self._done(parts.path, parts.query, sent, len(sent) < length)
        if fault.mute or fault.hear is not None:
            self.close_connection = True
            return
        if fault.status:
            status, body, headers = fault.status, b"", {}
        headers = headers if fault.headers is None else dict(fault.headers)
        body = body if fault.body is None else fault.body
        self._say(status, headers, _flipped(body) if fault.flip else body, fault.cut)

    def _say(self, status: int, headers: Mapping[str, str], body: bytes, cut: int | None) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            if name != "Content-Length" or status != 204:
                self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD" and status != 204:
            self.wfile.write(body[:cut])
        self.close_connection |= cut is not None

    def _noted(self, path: str, length: int) -> Fault:
        """Note that something is asked; what goes wrong with it."""
        registry = self.server.registry
        headers = {k.lower(): v for k, v in self.headers.items()}
        with registry.guard:
            registry.asked.append(Asked(self.path, headers, self.command, length))
            if waiting := registry.faults.get(path):
                return waiting.pop(0)
            return (registry.trouble(self.command, path) if registry.trouble else None) or Fault()

    def _done(self, path: str, query: str, sent: bytes, broken: bool) -> tuple[int, bytes, dict[str, str]]:
        """Answer a request; the caller holds the guard."""
        registry = self.server.registry
        if registry.largest is not None and len(sent) > registry.largest:
            return 413, b"<html>413 Request Entity Too Large</html>", {"Content-Type": "text/html"}
        match = _UPLOAD.fullmatch(path)
        if match is not None:
            return self._upload(match["name"], match["id"], dict(parse_qsl(query)), sent, broken)
        if self.command == "PUT":
            return self._put(path, sent)
        if self.command == "DELETE":
            name, _, wanted = path.removeprefix("/v2/").rsplit("/", 2)
            gone = registry.manifests.get(name, {}).pop(wanted, None)
            return (404, _error("MANIFEST_UNKNOWN"), {}) if gone is None else (202, b"", {})
        if "/referrers/" in path:
            return self._referrers(path, query)
        return self._answer(path, query)

    def _upload(  # noqa: PLR0911 - one for each answer of the specification
        self, name: str, one: str, query: Mapping[str, str], sent: bytes, broken: bool
    ) -> tuple[int, bytes, dict[str, str]]:
        registry = self.server.registry
        here = registry.uploads_at or registry.url
        if self.command == "POST":
            return self._begin(name, query, here)
        if one not in registry.uploads:
            return 404, _error("BLOB_UPLOAD_UNKNOWN"), {}
        come = registry.uploads[one]
        location = {"Location": f"{here}/v2/{name}/blobs/uploads/{one}?_state={len(come) + len(sent)}"}
        if self.command == "PATCH":
            if not registry.chunks:
                return 405, _error("UNSUPPORTED"), {}
            start = self.headers.get("Content-Range", f"{len(come)}-").partition("-")[0]
            if int(start) != len(come):
                return 416, _error("BLOB_UPLOAD_INVALID"), {}
            come += sent
            if broken and not registry.resumes:
                del registry.uploads[one]
            return 202, b"", location | {"Range": f"0-{max(0, len(come) - 1)}"}
        if self.command == "GET":
            return 204, b"", location | {"Range": f"0-{max(0, len(come) - 1)}"}
        if self.command == "PUT" and not broken:
            blob = bytes(come) + sent
            del registry.uploads[one]
            if str(Digest.of(blob)) != query.get("digest"):
                return 400, _error("DIGEST_INVALID"), {}
            registry.blobs[name][query["digest"]] = blob
            return 201, b"", {"Docker-Content-Digest": query["digest"], "Location": f"/v2/{name}/blobs/x"}
        return 400, _error("UNSUPPORTED"), {}

    def _begin(self, name: str, query: Mapping[str, str], here: str) -> tuple[int, bytes, dict[str, str]]:
        registry = self.server.registry
        source = registry.blobs.get(query.get("from", ""), {})
        if registry.mounts and query.get("mount") in source:
            registry.blobs[name][query["mount"]] = source[query["mount"]]
            return 201, b"", {"Location": f"/v2/{name}/blobs/{query['mount']}"}
        one = uuid.uuid4().hex
        registry.uploads[one] = bytearray()
        return 202, b"", {"Location": f"{here}/v2/{name}/blobs/uploads/{one}?_state=secret", "Range": "0-0"}

    def _put(self, path: str, sent: bytes) -> tuple[int, bytes, dict[str, str]]:
        registry = self.server.registry
        name, _, wanted = path.removeprefix("/v2/").rsplit("/", 2)
        try:
            document = json.loads(sent)
        except ValueError:
            return 400, _error("MANIFEST_INVALID"), {}
        digest = str(Digest.of(sent))
        if wanted.startswith("sha256:") and wanted != digest:
            return 400, _error("DIGEST_INVALID"), {}
        blobs = [*document.get("layers", []), *([document["config"]] if "config" in document else [])]
        lacking = [one["digest"] for one in blobs if one["digest"] not in registry.blobs[name]]
        lacking += [
            one["digest"]
            for one in document.get("manifests", [])
            if "layers" not in document and one["digest"] not in registry.manifests[name]
        ]
        if lacking:
            return 404, _error("MANIFEST_BLOB_UNKNOWN"), {}
        registry.document(sent, self.headers["Content-Type"], name, wanted)
        headers = {"Docker-Content-Digest": digest, "Location": f"/v2/{name}/manifests/{digest}"}
        if registry.referrers and "subject" in document:
            headers["OCI-Subject"] = document["subject"]["digest"]
        return 201, b"", headers

    def _referrers(self, path: str, query: str) -> tuple[int, bytes, dict[str, str]]:
        registry = self.server.registry
        name, _, subject = path.removeprefix("/v2/").rsplit("/", 2)
        if not registry.referrers:
            return 404, b"404 page not found", {"Content-Type": "text/plain"}
        found = []
        for wanted, (media_type, raw) in sorted(registry.manifests[name].items()):
            document = json.loads(raw)
            if not wanted.startswith("sha256:") or document.get("subject", {}).get("digest") != subject:
                continue
            entry = {"mediaType": media_type, "digest": wanted, "size": len(raw)}
            kind = document.get("artifactType") or document.get("config", {}).get("mediaType")
            found.append(entry | {"artifactType": kind, "annotations": document.get("annotations", {})})
        asked = parse_qs(query)
        # Pages of two, and no filter: what clients have to do themselves.
        last = int(asked.get("last", ["0"])[0])
        headers = {"Content-Type": media.INDEX}
        if len(found) > last + 2:
            headers["Link"] = f'</v2/{name}/referrers/{subject}?last={last + 2}>; rel="next"'
        page = {"schemaVersion": 2, "mediaType": media.INDEX, "manifests": found[last : last + 2]}
        return 200, json.dumps(page).encode(), headers

    def _may_enter(self) -> bool:
        registry = self.server.registry
        if registry.login is None:
            return True
        given = self.headers.get("Authorization", "")
        if registry.scheme == "basic":
            return given == _basic(registry.login)
        reads = self.command in {"GET", "HEAD"} and "/blobs/uploads/" not in self.path
        return given == "Bearer writer" or (reads and given == "Bearer good")

    def _challenge(self, path: str) -> dict[str, str]:
        registry = self.server.registry
        if registry.scheme == "basic":
            return {"WWW-Authenticate": 'Basic realm="a registry, with a comma"'}
        name = re.split("/(?:manifests|blobs|tags|referrers)/", path.removeprefix("/v2/"))[0]
        realm = registry.realm or f"{registry.url}/token"
        actions = "pull" if self.command in {"GET", "HEAD"} else "pull,push"
        scope = f"repository:{name}:{actions}"
        return {"WWW-Authenticate": f'Bearer realm="{realm}",service="tests",scope="{scope}"'}

    def _token(self, query: str, sent: bytes) -> tuple[int, bytes, dict[str, str]]:
        registry = self.server.registry
        form = dict(parse_qsl(sent.decode()))
        known = registry.login is None or self.headers.get("Authorization") == _basic(registry.login)
        if registry.scheme == "oauth":
            known = form.get("refresh_token") == "refresh" and form.get("grant_type") == "refresh_token"
        scope = form.get("scope") or parse_qs(query).get("scope", [""])[0]
        if not known or not scope.endswith((":pull", ":pull,push")):
            return 401, b"{}", {}
        token = "writer" if scope.endswith(",push") and not registry.reader else "good"
        answer = {"access_token" if form else "token": token, "expires_in": registry.seconds}
        return 200, json.dumps(answer).encode(), {"Content-Type": "application/json"}

    def _answer(self, path: str, query: str) -> tuple[int, bytes, dict[str, str]]:
        registry = self.server.registry
        name, kind, wanted = [*path.removeprefix("/v2/").rsplit("/", 2), "", ""][:3]
        if kind == "manifests" and wanted in registry.manifests.get(name, {}):
            media_type, raw = registry.manifests[name][wanted]
            return 200, raw, {"Content-Type": media_type, "Docker-Content-Digest": str(Digest.of(raw))}
        if kind == "blobs" and wanted in registry.blobs.get(name, {}):
            if registry.elsewhere is not None:
                return 307, b"", {"Location": f"{registry.elsewhere}{path}?signature=secret"}
            blob = registry.blobs[name][wanted]
            start = self.headers.get("Range", "").removeprefix("bytes=").rstrip("-")
            if start:
                place = f"bytes {start}-{len(blob) - 1}/{len(blob)}"
                return 206, blob[int(start) :], {"Content-Range": place}
            return 200, blob, {"Content-Type": "application/octet-stream"}
        if kind == "tags" and name in registry.manifests:
            return self._tags(name, query)
        return 404, b'{"errors":[{"code":"NAME_UNKNOWN"}]}', {"Content-Type": "application/json"}

    def _tags(self, name: str, query: str) -> tuple[int, bytes, dict[str, str]]:
        registry = self.server.registry
        tags = sorted(tag for tag in registry.manifests[name] if not tag.startswith("sha256:"))
        last = parse_qs(query).get("last", [""])[0]
        page = [tag for tag in tags if tag > last][: registry.page]
        headers = {}
        if page and page[-1] != tags[-1]:
            headers["Link"] = f'</v2/{name}/tags/list?last={page[-1]}&n={registry.page}>; rel="next"'
        return 200, json.dumps({"name": name, "tags": page or None}).encode(), headers

    def log_message(self, *_: object) -> None:
        """Keep the tests' output clean."""


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    registry: RegistryServer

    def handle_error(self, *_: object) -> None:
        """Connections are cut on purpose."""


def _basic(login: tuple[str, str]) -> str:
    return "Basic " + base64.b64encode(":".join(login).encode()).decode()


@contextmanager
def serve(tls: ssl.SSLContext | None = None) -> Iterator[RegistryServer]:
    """Run an empty registry for as long as the block lasts; with `tls` it speaks that."""
    with _Listener(("127.0.0.1", 0), _Handler) as server:
        if tls is not None:
            # Hands are shaken in the thread of each connection.
            server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
        host = f"127.0.0.1:{server.server_address[1]}"
        server.registry = RegistryServer(host, f"http{'s' if tls else ''}://{host}")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server.registry
        finally:
            server.shutdown()
            thread.join()
