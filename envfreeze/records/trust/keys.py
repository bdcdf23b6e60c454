"""Keys: ed25519 and ECDSA over P-256, in the PEM files that openssl and cosign read too.

Only these two, because every version of cosign verifies them in the same way: it takes SHA-256 for any other
curve in some versions, and RSA with another padding than DSSE's users expect.
"""

from __future__ import annotations

import hashlib
import os
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from envfreeze.errors import MachineError, UntrustedError, UsageError
from envfreeze.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
    from securesystemslib.signer import CryptoSigner, SSlibKey

    from envfreeze.progress import Progress

PASSWORD: Final = "ENVFREEZE_KEY_PASSWORD"  # noqa: S105 - a variable's name
"""The environment variable with the password of the private key."""

KINDS: Final = ("ed25519", "ecdsa-p256")
"""What keys can be, the default first."""

_ENVIRONMENT = "env://"
_LONGEST = 1 << 16
_LONGEST_PASSWORD = 1023  # what OpenSSL asks for
_OTHERS = 0o077
_COSIGN = (b"ENCRYPTED COSIGN PRIVATE KEY", b"ENCRYPTED SIGSTORE PRIVATE KEY")
_UNSUPPORTED = "keys are ed25519 or ECDSA over P-256"


@dataclass(frozen=True, slots=True)
class PublicKey:
    """Whose signatures count.

    Attributes:
        key: securesystemslib's; its `keyid` is `id`.
        name: what people call it; may be empty.

    """

    key: SSlibKey
    name: str = ""

    @property
    def id(self) -> str:
        """The sha256 of its DER SubjectPublicKeyInfo, in hexadecimal."""
        return str(self.key.keyid)

    def __str__(self) -> str:
        return f"{self.name} ({self.id[:12]})" if self.name else self.id[:12]


@dataclass(frozen=True, slots=True)
class KeyPair:
    """Who signs. The private key is in no `repr`."""

    signer: CryptoSigner

    def __repr__(self) -> str:
        return f"KeyPair({self.public.id})"

    @property
    def public(self) -> PublicKey:
        """Its public key."""
        return PublicKey(self.signer.public_key)


def read_public(pem: bytes, what: str, name: str = "") -> PublicKey:
    """Read a public key.

    Args:
        pem: SubjectPublicKeyInfo in PEM.
        what: where it stands, for errors.
        name: what people call it.

    Raises:
        UsageError: it is none, or of a kind that is not supported.

    """
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - heavy
    from cryptography.hazmat.primitives.serialization import load_pem_public_key  # noqa: PLC0415 - heavy

    if b"PRIVATE KEY" in pem:
        raise UsageError(
            f"{what} is a private key, where the public one belongs",
            hint="if others have seen it, make another: envfreeze keygen",
        )
    try:
        key = load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        raise UsageError(
            f"{what} is no public key in PEM", hint="as envfreeze keygen writes NAME.pub"
        ) from None
    return PublicKey(_described(key, what), name)


def read_private(place: str, environ: Mapping[str, str] = os.environ, progress: Progress = SILENT) -> KeyPair:
    """Read a private key: PKCS #8 in PEM, encrypted with the password in `PASSWORD` or not at all.

    Args:
        place: a file, or `env://NAME` for a variable that holds the PEM text.
        environ: the environment.
        progress: is warned of a file of the user's that others can read.

    Raises:
        UsageError: there is none, it is of another kind, or its password is missing.
        UntrustedError: the password is another.
        MachineError: the file cannot be read.

    """
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - heavy
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415 - heavy
    from securesystemslib.signer import CryptoSigner  # noqa: PLC0415 - heavy

    pem = _private_bytes(place, environ, progress)
    if any(kind in pem for kind in _COSIGN):
        raise UsageError(
            f"{place} is a private key in cosign's own format",
            hint="make one that both read: envfreeze keygen",
        )
    if b"PRIVATE KEY" not in pem:
        raise UsageError(f"{place} is no private key in PEM", hint="make one: envfreeze keygen NAME")
    password = environ.get(PASSWORD) or None
    encrypted = b"ENCRYPTED" in pem
    if encrypted and password is None:
        raise UsageError(f"the key {place} is encrypted", hint=f"put its password into {PASSWORD}")
    try:
        key = load_pem_private_key(pem, _bytes_of(password) if encrypted and password else None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        if encrypted:
            raise UntrustedError(
                f"the key {place} cannot be decrypted", hint=f"{PASSWORD} may hold another password"
            ) from None
        raise UsageError(
            f"{place} is no private key in PEM", hint="make one: envfreeze keygen NAME"
        ) from None
    return _pair(key, CryptoSigner, place)


def generate(kind: str = KINDS[0]) -> KeyPair:
    """Make a new key pair of one of `KINDS`."""
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519  # noqa: PLC0415 - heavy
    from securesystemslib.signer import CryptoSigner  # noqa: PLC0415 - heavy

    key: PrivateKeyTypes = (
        ed25519.Ed25519PrivateKey.generate() if kind == KINDS[0] else ec.generate_private_key(ec.SECP256R1())
    )
    return _pair(key, CryptoSigner, kind)


def write(pair: KeyPair, path: Path, environ: Mapping[str, str] = os.environ) -> Path:
    """Write a private key to a new file that only its owner reads (0600), and the public key beside it.

    Args:
        pair: the keys.
        path: of the private key; encrypted where the environment has a `PASSWORD`.
        environ: the environment.

    Returns:
        The file of the public key: the same name with `.pub` behind it.

    Raises:
        UsageError: a file is there, the path names none, or the password is too long.
        MachineError: it cannot be written.

    """
    from cryptography.hazmat.primitives.serialization import (  # noqa: PLC0415 - heavy
        BestAvailableEncryption,
        Encoding,
        PrivateFormat,
        load_pem_private_key,
    )

    if not path.name:
        raise UsageError(f"{path} is a folder, where the name of a new file belongs")
    private = pair.signer.private_bytes
    if password := _bytes_of(environ.get(PASSWORD, "")):
        if len(password) > _LONGEST_PASSWORD:
            raise UsageError(
                f"{PASSWORD} holds more than {_LONGEST_PASSWORD} bytes, which no key is read with"
            )
        private = load_pem_private_key(private, None).private_bytes(
            Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(password)
        )
    public = path.with_name(f"{path.name}.pub")
    written: list[Path] = []
    try:
        for file, content, mode in ((path, private, 0o600), (public, pem_of(pair.public), 0o644)):
            descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
            written.append(file)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(content)
    except OSError as error:
        for file in written:
            file.unlink(missing_ok=True)
        if isinstance(error, FileExistsError):
            raise UsageError(
                f"{error.filename} is there, and no key is written over another", hint="choose another name"
            ) from None
        raise MachineError(f"{path} cannot be written: {error.strerror}") from error
    return public


def pem_of(public: PublicKey) -> bytes:
    """Write a public key as PEM (SubjectPublicKeyInfo)."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey  # noqa: PLC0415 - heavy
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415 - heavy

    value = str(public.key.keyval["public"])
    if public.key.keytype != "ed25519":
        return value.encode()
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(value))
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def _pair(key: PrivateKeyTypes, signer: type[CryptoSigner], what: str) -> KeyPair:
    return KeyPair(signer(key, _described(key.public_key(), what)))


def _described(key: PublicKeyTypes, what: str) -> SSlibKey:
    from cryptography.hazmat.primitives.asymmetric import ec, ed25519  # noqa: PLC0415 - heavy
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat  # noqa: PLC0415 - heavy
    from securesystemslib.signer import SSlibKey  # noqa: PLC0415 - heavy

    if isinstance(key, ec.EllipticCurvePublicKey):
        supported = isinstance(key.curve, ec.SECP256R1)
    else:
        supported = isinstance(key, ed25519.Ed25519PublicKey)
    if not supported:
        raise UsageError(f"the key {what} is of another kind: {_UNSUPPORTED}", hint="envfreeze keygen NAME")
    der = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return SSlibKey.from_crypto(key, keyid=hashlib.sha256(der).hexdigest())


def _bytes_of(variable: str) -> bytes:
    """What stands in an environment variable, which need not be UTF-8."""
    return variable.encode(errors="surrogateescape")


def _private_bytes(place: str, environ: Mapping[str, str], progress: Progress) -> bytes:
    from pathlib import Path  # noqa: PLC0415 - types alone need it otherwise

    if place.startswith(_ENVIRONMENT):
        text = environ.get(place.removeprefix(_ENVIRONMENT))
        if not text:
            raise UsageError(f"--key {place}: there is no such variable in the environment, or it is empty")
        return _bytes_of(text)
    if "PRIVATE KEY" in place:  # a variable that the shell has put in; it must stand in no message
        raise UsageError(
            "--key has a private key itself, where its file or env://NAME belongs",
            hint="every process of the machine can read a command line: --key env://NAME",
        )
    try:
        with Path(place).open("rb") as file:
            state = os.fstat(file.fileno())
            # As ssh does: what somebody else owns, a secret that a cluster mounts say, is theirs to protect.
            if state.st_uid == os.getuid() and (mode := stat.S_IMODE(state.st_mode)) & _OTHERS:
                progress.warn(
                    f"the private key {place} is open to others (mode {mode:04o}): chmod 600 {place}"
                )
            return file.read(_LONGEST)
    except FileNotFoundError:
        raise UsageError(f"there is no key {place}", hint=f"make one: envfreeze keygen {place}") from None
    except OSError as error:
        raise MachineError(f"the key {place} cannot be read: {error.strerror}") from error
