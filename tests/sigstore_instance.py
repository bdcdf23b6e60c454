"""A Sigstore instance on loopback: a certificate authority, logs, a timestamp authority, and who knows whom.

Not a test. `tests/conftest.py` hands it out as the fixture `sigstore_instance`, the module itself:

    def test_something(sigstore_instance, tmp_path):
        with sigstore_instance.serve() as instance:
            config = instance.write(tmp_path).config
            token = instance.token("https://ci.example.org/team/train")

The authority speaks Fulcio's API and looks at tokens and at the proof of possession as Fulcio does; the logs
speak Rekor's, version 1 and 2, each a Merkle tree with signed checkpoints (RFC 6962); the timestamps are made
by openssl (RFC 3161). Nothing of it is trusted by anybody but those who have its root of trust.
"""

from __future__ import annotations

import base64
import hashlib
import json
import subprocess
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_public_key,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

GITHUB = "https://token.actions.githubusercontent.com"
ISSUER = "https://login.example.org"

_ISSUER_OID = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.1")
_ISSUER_V2_OID = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.8")
_SCTS_OID = x509.ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
_P256 = "PKIX_ECDSA_P256_SHA_256"


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def canonical(value: object) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def der(tag: int, content: bytes) -> bytes:
    """One element in DER."""
    if len(content) < 0x80:
        return bytes((tag, len(content))) + content
    size = len(content).to_bytes((len(content).bit_length() + 7) // 8, "big")
    return bytes((tag, 0x80 | len(size))) + size + content


@dataclass(frozen=True)
class Key:
    """A key over P-256."""

    private: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    def sign(self, data: bytes) -> bytes:
        return self.private.sign(data, ec.ECDSA(hashes.SHA256()))

    @property
    def spki(self) -> bytes:
        return self.private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    @property
    def id(self) -> bytes:
        return hashlib.sha256(self.spki).digest()

    @property
    def pem(self) -> bytes:
        return self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


# ------------------------------------------------------------------------------------------ certificates


class Authority:
    """Issues certificates, each with a timestamp of the certificate log in it."""

    def __init__(self) -> None:
        self.key, self.log = Key(), Key()
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sigstore of the tests")])
        now = datetime.now(UTC)
        self.root = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(self.key.private.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=365))
            .not_valid_after(now + timedelta(days=3650))
            .add_extension(x509.BasicConstraints(ca=True, path_length=1), critical=True)
            .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(self.key.private.public_key()), critical=False
            )
            .sign(self.key.private, hashes.SHA256())
        )

    def issue(
        self,
        key: ec.EllipticCurvePublicKey,
        subject: x509.GeneralName,
        issuer: str = ISSUER,
        now: datetime | None = None,
    ) -> x509.Certificate:
        now = now or datetime.now(UTC)
        made = (
            x509.CertificateBuilder()
            .subject_name(x509.Name([]))
            .issuer_name(self.root.subject)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(seconds=2))
            .not_valid_after(now + timedelta(minutes=10))
            .add_extension(_usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.private.public_key()),
                critical=False,
            )
            .add_extension(x509.SubjectAlternativeName([subject]), critical=True)
            .add_extension(x509.UnrecognizedExtension(_ISSUER_OID, issuer.encode()), critical=False)
            .add_extension(
                x509.UnrecognizedExtension(_ISSUER_V2_OID, der(0x0C, issuer.encode())), critical=False
            )
        )
        before = made.sign(self.key.private, hashes.SHA256())
        scts = der(0x04, self._timestamp(before.tbs_certificate_bytes))
        return made.add_extension(x509.UnrecognizedExtension(_SCTS_OID, scts), critical=False).sign(
            self.key.private, hashes.SHA256()
        )

    def _timestamp(self, tbs: bytes) -> bytes:
        """A list of one signed certificate timestamp (RFC 6962, 3.2 and 3.3)."""
        moment = int(time.time() * 1000).to_bytes(8, "big")
        entry = self.key.id + len(tbs).to_bytes(3, "big") + tbs
        signature = self.log.sign(b"\0\0" + moment + b"\0\1" + entry + b"\0\0")
        sct = b"\0" + self.log.id + moment + b"\0\0" + b"\4\3" + len(signature).to_bytes(2, "big") + signature
        one = len(sct).to_bytes(2, "big") + sct
        return len(one).to_bytes(2, "big") + one


def _usage(**on: bool) -> x509.KeyUsage:
    names = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{name: on.get(name, False) for name in names})


# ------------------------------------------------------------------------------------------------- logs


class Log:
    """A transparency log: a Merkle tree, whose root is signed."""

    def __init__(self, origin: str) -> None:
        self.key = Key()
        self.origin = origin
        self.name = origin.partition(" ")[0]
        # What others put there before, so that a proof has something to prove.
        self.leaves = [hashlib.sha256(b"\0" + bytes((number,))).digest() for number in range(5)]
        self._lock = threading.Lock()

    def add(self, body: bytes) -> dict[str, Any]:
        """Add an entry, and prove that it is in: index, size, root, path and checkpoint."""
        with self._lock:
            self.leaves.append(hashlib.sha256(b"\0" + body).digest())
            index, leaves = len(self.leaves) - 1, list(self.leaves)
        root = _root(leaves)
        note = f"{self.origin}\n{len(leaves)}\n{b64(root)}\n"
        signature = b64(self.key.id[:4] + self.key.sign(note.encode()))
        return {
            "index": index,
            "size": len(leaves),
            "root": root,
            "path": _path(index, leaves),
            "checkpoint": f"{note}\n— {self.name} {signature}\n",
        }


def _root(leaves: Sequence[bytes]) -> bytes:
    if len(leaves) == 1:
        return leaves[0]
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + _root(leaves[:half]) + _root(leaves[half:])).digest()


def _path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    if len(leaves) == 1:
        return []
    half = 1 << (len(leaves) - 1).bit_length() - 1
    if index < half:
        return [*_path(index, leaves[:half]), _root(leaves[half:])]
    return [*_path(index - half, leaves[half:]), _root(leaves[:half])]


# --------------------------------------------------------------------------------------------- timestamps


class Timestamps:
    """A timestamp authority, made by openssl."""

    def __init__(self) -> None:
        self.key, self.root_key = Key(), Key()
        now = datetime.now(UTC)
        names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, one)]) for one in ("tsa root", "tsa")]
        subject_key = x509.SubjectKeyIdentifier.from_public_key(self.key.private.public_key())
        root_key = x509.SubjectKeyIdentifier.from_public_key(self.root_key.private.public_key())

        def of(name: x509.Name, key: Key) -> x509.CertificateBuilder:
            return (
                x509.CertificateBuilder()
                .issuer_name(names[0])
                .subject_name(name)
                .public_key(key.private.public_key())
                .serial_number(x509.random_serial_number())
                .not_valid_before(now - timedelta(days=1))
                .not_valid_after(now + timedelta(days=3650))
            )

        self.root = (
            of(names[0], self.root_key)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
            .add_extension(root_key, critical=False)
            .sign(self.root_key.private, hashes.SHA256())
        )
        self.certificate = (
            of(names[1], self.key)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(digital_signature=True), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True)
            .add_extension(subject_key, critical=False)
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(root_key), critical=False
            )
            .sign(self.root_key.private, hashes.SHA256())
        )

    def answer(self, query: bytes) -> bytes:
        with TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "query").write_bytes(query)
            (folder / "key").write_bytes(self.key.pem)
            (folder / "crt").write_bytes(self.certificate.public_bytes(Encoding.PEM))
            (folder / "config").write_text(
                "[tsa]\ndefault_tsa = one\n[one]\nserial = serial\ndefault_policy = 1.2.3.4.1\n"
                "digests = sha256\nsigner_digest = sha256\ness_cert_id_alg = sha256\n"
                "crypto_device = builtin\nsigner_cert = crt\nsigner_key = key\ncerts = crt\n"
            )
            command = "openssl ts -reply -config config -section one -queryfile query -out answer"
            subprocess.run(command.split(), cwd=folder, check=True, capture_output=True)
            return (folder / "answer").read_bytes()


# ----------------------------------------------------------------------------------------------- instance


@dataclass(frozen=True)
class Written:
    """The files of an instance: where it is and whom it trusts, and the latter alone."""

    config: Path
    root: Path


class RefusalError(Exception):
    """What a server says no with."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class Instance:
    """One instance.

    Attributes:
        url: where its servers are.
        rekor: the version of the log that signers are told of, 1 or 2.
        seen: the paths that were asked for.
        faults: path to what is done in its place: gives status and body.

    """

    def __init__(self, url: str, rekor: int) -> None:
        self.url, self.rekor = url, rekor
        self.authority = Authority()
        self.logs = {1: Log("rekor.example.org - 1"), 2: Log("log.example.org")}
        self.timestamps = Timestamps()
        self.oidc = {GITHUB: Key(), ISSUER: Key()}
        self.seen: list[str] = []
        self.faults: dict[str, Callable[[bytes], tuple[int, bytes]]] = {}

    # ---- whom it trusts, and where it is

    @property
    def trusted_root(self) -> dict[str, Any]:
        start = {"start": "2020-01-01T00:00:00Z"}

        def chain(*certificates: x509.Certificate) -> dict[str, Any]:
            return {
                "certificates": [{"rawBytes": b64(one.public_bytes(Encoding.DER))} for one in certificates]
            }

        def log(key: Key, url: str) -> dict[str, Any]:
            return {
                "baseUrl": url,
                "hashAlgorithm": "SHA2_256",
                "publicKey": {"rawBytes": b64(key.spki), "keyDetails": _P256, "validFor": start},
                "logId": {"keyId": b64(key.id)},
            }

        return {
            "mediaType": "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
            "tlogs": [log(one.key, f"https://{one.name}") for one in self.logs.values()],
            "certificateAuthorities": [
                {
                    "subject": {"organization": "tests", "commonName": "sigstore of the tests"},
                    "uri": self.url,
                    "certChain": chain(self.authority.root),
                    "validFor": start,
                }
            ],
            "ctlogs": [log(self.authority.log, f"{self.url}/ct")],
            "timestampAuthorities": [
                {
                    "subject": {"organization": "tests", "commonName": "tsa"},
                    "uri": f"{self.url}/timestamp",
                    "certChain": chain(self.timestamps.certificate, self.timestamps.root),
                    "validFor": start,
                }
            ],
        }

    @property
    def config(self) -> dict[str, Any]:
        def service(path: str = "", version: int = 1) -> dict[str, Any]:
            return {
                "url": f"{self.url}{path}",
                "majorApiVersion": version,
                "validFor": {"start": "2020-01-01T00:00:00Z"},
                "operator": "tests",
            }

        return {
            "mediaType": "application/vnd.dev.sigstore.clienttrustconfig.v0.1+json",
            "trustedRoot": self.trusted_root,
            "signingConfig": {
                "mediaType": "application/vnd.dev.sigstore.signingconfig.v0.2+json",
                "caUrls": [service()],
                "oidcUrls": [service()],
                "rekorTlogUrls": [service(version=self.rekor)],
                "rekorTlogConfig": {"selector": "ANY"},
                "tsaUrls": [service("/timestamp")] if self.rekor == 2 else [],
                "tsaConfig": {"selector": "ANY"},
            },
        }

    def write(self, folder: Path) -> Written:
        written = Written(folder / "trust-config.json", folder / "trusted-root.json")
        written.config.write_text(json.dumps(self.config))
        written.root.write_text(json.dumps(self.trusted_root))
        return written

    # ---- who signs

    def token(self, subject: str, issuer: str = ISSUER, **claims: Any) -> str:
        """An identity token; `key` signs in place of the issuer's own."""
        now = int(time.time())
        key = claims.pop("key", self.oidc.get(issuer))
        said = {"iss": issuer, "sub": subject, "aud": "sigstore", "iat": now, "exp": now + 300} | claims
        return jwt.encode(said, key.private, algorithm="ES256")

    def ambient(self, workflow: str) -> dict[str, str]:
        """The environment of a job in GitHub Actions that may ask for tokens."""
        return {
            "GITHUB_ACTIONS": "true",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "request-token",
            "ACTIONS_ID_TOKEN_REQUEST_URL": f"{self.url}/actions?workflow={workflow}",
        }

    # ---- what its servers answer

    def answer(
        self, path: str, query: Mapping[str, list[str]], headers: Mapping[str, str], body: bytes
    ) -> bytes:
        match path:
            case "/api/v2/signingCert":
                return json.dumps(self._certificate(headers, json.loads(body))).encode()
            case "/api/v1/log/entries":
                return json.dumps(self._entry_v1(json.loads(body))).encode()
            case "/api/v2/log/entries":
                return json.dumps(self._entry_v2(json.loads(body))).encode()
            case "/timestamp":
                return self.timestamps.answer(body)
            case "/actions":
                if headers.get("Authorization") != "bearer request-token":
                    raise RefusalError(403, "not allowed")
                workflow = query["workflow"][0]
                token = self.token(
                    "repo:team/train", GITHUB, job_workflow_ref=workflow, aud=query["audience"][0]
                )
                return json.dumps({"value": token}).encode()
        raise RefusalError(404, path)

    def _certificate(self, headers: Mapping[str, str], asked: Mapping[str, str]) -> dict[str, Any]:
        raw = headers.get("Authorization", "").removeprefix("Bearer ")
        try:
            issuer = jwt.decode(raw, options={"verify_signature": False})["iss"]
            key = self.oidc[issuer].private.public_key()
            claims = jwt.decode(raw, key, algorithms=["ES256"], audience="sigstore", issuer=issuer)
        except (jwt.PyJWTError, KeyError):
            raise RefusalError(401, f"There was an error processing the identity token {raw}") from None
        public = _possessed(asked, claims["sub"])
        subject: x509.GeneralName
        if "job_workflow_ref" in claims:
            subject = x509.UniformResourceIdentifier(f"https://github.com/{claims['job_workflow_ref']}")
        elif "@" in claims["sub"]:
            subject = x509.RFC822Name(claims["sub"])
        else:
            subject = x509.UniformResourceIdentifier(claims["sub"])
        issued = self.authority.issue(public, subject, issuer)
        chain = [one.public_bytes(Encoding.PEM).decode() for one in (issued, self.authority.root)]
        return {"signedCertificateEmbeddedSct": {"chain": {"certificates": chain}}}

    def _entry_v1(self, proposed: Mapping[str, Any], moment: float | None = None) -> dict[str, Any]:
        if proposed["kind"] != "dsse":
            raise RefusalError(400, f"no {proposed['kind']} here")
        content = proposed["spec"]["proposedContent"]
        envelope = json.loads(content["envelope"])
        (verifier,) = content["verifiers"]
        payload = base64.b64decode(envelope["payload"])
        kind = envelope["payloadType"]
        signed = f"DSSEv1 {len(kind)} {kind} {len(payload)} ".encode() + payload
        public = x509.load_pem_x509_certificate(base64.b64decode(verifier)).public_key()
        assert isinstance(public, ec.EllipticCurvePublicKey)
        for one in envelope["signatures"]:
            public.verify(base64.b64decode(one["sig"]), signed, ec.ECDSA(hashes.SHA256()))
        digests = {
            name: {"algorithm": "sha256", "value": hashlib.sha256(raw).hexdigest()}
            for name, raw in (("envelopeHash", content["envelope"].encode()), ("payloadHash", payload))
        }
        signatures = [{"signature": one["sig"], "verifier": verifier} for one in envelope["signatures"]]
        body = canonical(
            {"apiVersion": "0.0.1", "kind": "dsse", "spec": {**digests, "signatures": signatures}}
        )
        proof = self.logs[1].add(body)
        entry = {
            "body": b64(body),
            "integratedTime": int(moment or time.time()),
            "logID": self.logs[1].key.id.hex(),
            "logIndex": proof["index"],
        }
        return {
            hashlib.sha256(body).hexdigest(): {
                **entry,
                "verification": {
                    "inclusionProof": {
                        "checkpoint": proof["checkpoint"],
                        "hashes": [one.hex() for one in proof["path"]],
                        "logIndex": proof["index"],
                        "rootHash": proof["root"].hex(),
                        "treeSize": proof["size"],
                    },
                    "signedEntryTimestamp": b64(self.logs[1].key.sign(canonical(entry))),
                },
            }
        }

    def bundle(
        self, payload: bytes, subject: x509.GeneralName, certified: datetime, entered: datetime
    ) -> bytes:
        """A bundle as it was made at another time."""
        key = Key()
        certificate = self.authority.issue(key.private.public_key(), subject, now=certified)
        kind = "application/vnd.in-toto+json"
        signature = b64(key.sign(f"DSSEv1 {len(kind)} {kind} {len(payload)} ".encode() + payload))
        envelope = {"payload": b64(payload), "payloadType": kind, "signatures": [{"sig": signature}]}
        content = {
            "envelope": json.dumps(envelope),
            "verifiers": [b64(certificate.public_bytes(Encoding.PEM))],
        }
        proposed = {"kind": "dsse", "spec": {"proposedContent": content}}
        (entry,) = self._entry_v1(proposed, entered.timestamp()).values()
        proof = entry["verification"]["inclusionProof"]
        return canonical(
            {
                "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
                "dsseEnvelope": envelope,
                "verificationMaterial": {
                    "certificate": {"rawBytes": b64(certificate.public_bytes(Encoding.DER))},
                    "tlogEntries": [
                        {
                            "logIndex": str(entry["logIndex"]),
                            "logId": {"keyId": b64(self.logs[1].key.id)},
                            "kindVersion": {"kind": "dsse", "version": "0.0.1"},
                            "integratedTime": str(entry["integratedTime"]),
                            "inclusionPromise": {
                                "signedEntryTimestamp": entry["verification"]["signedEntryTimestamp"]
                            },
                            "inclusionProof": {
                                "logIndex": str(proof["logIndex"]),
                                "rootHash": b64(bytes.fromhex(proof["rootHash"])),
                                "treeSize": str(proof["treeSize"]),
                                "hashes": [b64(bytes.fromhex(one)) for one in proof["hashes"]],
                                "checkpoint": {"envelope": proof["checkpoint"]},
                            },
                            "canonicalizedBody": entry["body"],
                        }
                    ],
                },
            }
        )

    def _entry_v2(self, proposed: Mapping[str, Any]) -> dict[str, Any]:
        asked = proposed["hashedRekordRequestV002"]
        spec = {
            "hashedRekordV002": {
                "data": {"algorithm": "SHA2_256", "digest": asked["digest"]},
                "signature": asked["signature"],
            }
        }
        body = canonical({"apiVersion": "0.0.2", "kind": "hashedrekord", "spec": spec})
        proof = self.logs[2].add(body)
        return {
            "logIndex": str(proof["index"]),
            "logId": {"keyId": b64(self.logs[2].key.id)},
            "kindVersion": {"kind": "hashedrekord", "version": "0.0.2"},
            "inclusionProof": {
                "logIndex": str(proof["index"]),
                "rootHash": b64(proof["root"]),
                "treeSize": str(proof["size"]),
                "hashes": [b64(one) for one in proof["path"]],
                "checkpoint": {"envelope": proof["checkpoint"]},
            },
            "canonicalizedBody": b64(body),
        }


def _possessed(asked: Mapping[str, Any], subject: str) -> ec.EllipticCurvePublicKey:
    """The key that a certificate is for: it has signed the request (sigstore), or the subject (cosign)."""
    if "certificateSigningRequest" in asked:
        request = x509.load_pem_x509_csr(base64.b64decode(asked["certificateSigningRequest"]))
        possessed = request.is_signature_valid
        public = request.public_key()
    else:
        wanted = asked["publicKeyRequest"]
        public = load_pem_public_key(wanted["publicKey"]["content"].encode())
        proof = base64.b64decode(wanted["proofOfPossession"])
        possessed = True
        try:
            public.verify(proof, subject.encode(), ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            possessed = False
    if not possessed:
        raise RefusalError(400, "The signature supplied in the request could not be verified")
    return public


@contextmanager
def serve(rekor: int = 1) -> Iterator[Instance]:
    """Serve an instance on 127.0.0.1."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self._answer(self.rfile.read(int(self.headers.get("Content-Length", 0))))

        def do_GET(self) -> None:
            self._answer(b"")

        def log_message(self, *_: object) -> None:
            """Say nothing."""

        def _answer(self, body: bytes) -> None:
            parts = urlsplit(self.path)
            instance.seen.append(parts.path)
            status = 201 if parts.path.endswith("/log/entries") else 200
            try:
                if fault := instance.faults.get(parts.path):
                    status, answer = fault(body)
                else:
                    answer = instance.answer(parts.path, parse_qs(parts.query), self.headers, body)
            except RefusalError as refusal:
                status, answer = refusal.status, json.dumps({"code": 3, "message": refusal.message}).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            if status == 201 and parts.path == "/api/v1/log/entries":
                self.send_header(
                    "ETag", next(iter(json.loads(answer)), "")
                )  # the entry's, by which clients find it
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    instance = Instance(f"http://127.0.0.1:{server.server_port}", rekor)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield instance
    finally:
        server.shutdown()
        server.server_close()
        thread.join(10)
