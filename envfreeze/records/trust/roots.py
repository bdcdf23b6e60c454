"""Instances of Sigstore: where their servers are, and whose certificates, logs and times are believed.

Two files of Sigstore's own formats (https://github.com/sigstore/protobuf-specs, sigstore_trustroot.proto):
the client trust configuration says both, the trusted root the second alone. Without a file it is the public
instance, whose root the library brings along and keeps up to date by The Update Framework.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from envfreeze.errors import MachineError, NetworkError, UntrustedError, UsageError
from envfreeze.oci import canonical
from envfreeze.project.urls import without_credentials
from envfreeze.records.trust import sigstore_library

if TYPE_CHECKING:
    from pathlib import Path

    from sigstore.models import ClientTrustConfig, TrustedRoot

_CONFIG: Final = "application/vnd.dev.sigstore.clienttrustconfig"
_ROOT: Final = "application/vnd.dev.sigstore.trustedroot"
_WITHOUT = "an instance of your own: --trust-config FILE to sign, --trusted-root FILE to verify"


def read_config(path: Path) -> ClientTrustConfig:
    """Read a client trust configuration.

    Raises:
        UsageError: there is none, it is of another kind, or it would send an identity in the clear.
        MachineError: it cannot be read, or the library is missing.

    """
    content = _content(path)
    document = canonical.parse(content, str(path))
    if not str(document.get("mediaType", "")).startswith(_CONFIG):
        raise UsageError(
            f"{path} is no trust configuration of Sigstore ({document.get('mediaType')!r})",
            hint="the file has a trusted root and a signing configuration in it",
        )
    sigstore_library.needed_for("signing without a key")
    from sigstore.errors import Error  # noqa: PLC0415 - heavy
    from sigstore.models import ClientTrustConfig  # noqa: PLC0415 - heavy

    try:
        read = ClientTrustConfig.from_json(content.decode())
        read.trusted_root  # noqa: B018 - reading it is the check
        authority = read.signing_config.get_fulcio().url  # the one that will be asked
    except (Error, ValueError) as error:
        raise _wrong(path, error) from error
    _hold_secret(path, authority)
    return read


def read_root(path: Path) -> TrustedRoot:
    """Read a trusted root, from a file of its own or out of a client trust configuration.

    Raises:
        UsageError: there is none, or it is of another kind.
        MachineError: it cannot be read, or the library is missing.

    """
    content = _content(path)
    document = canonical.parse(content, str(path))
    kind = str(document.get("mediaType", ""))
    if kind.startswith(_CONFIG):
        document = document.get("trustedRoot") or {}
    elif not kind.startswith(_ROOT):
        raise UsageError(f"{path} is no trusted root of Sigstore ({document.get('mediaType')!r})")
    sigstore_library.needed_for("verifying what was signed without a key")
    from sigstore.errors import Error  # noqa: PLC0415 - heavy
    from sigstore.models import TrustedRoot  # noqa: PLC0415 - heavy
    from sigstore_models.trustroot.v1 import TrustedRoot as Document  # noqa: PLC0415 - heavy

    try:
        return TrustedRoot(Document.from_json(canonical.dump(document)))
    except (Error, ValueError) as error:
        raise _wrong(path, error) from error


def public(*, offline: bool = False) -> ClientTrustConfig:
    """The public instance; `offline`: by what is on this machine, which may be out of date.

    Raises:
        NetworkError: its root of trust cannot be brought up to date.
        MachineError: the library is missing.

    """
    sigstore_library.needed_for("Sigstore")
    from sigstore.errors import Error  # noqa: PLC0415 - heavy
    from sigstore.models import ClientTrustConfig  # noqa: PLC0415 - heavy

    try:
        return ClientTrustConfig.production(offline=offline)
    except Error as error:
        raise NetworkError(
            f"the root of trust of the public Sigstore instance cannot be had: {error}", hint=_WITHOUT
        ) from error
    except OSError as error:
        raise MachineError(f"the root of trust of Sigstore cannot be kept: {error.strerror}") from error


def _content(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(canonical.LIMIT + 1)
    except FileNotFoundError:
        raise UsageError(f"there is no {path}") from None
    except OSError as error:
        raise MachineError(f"{path} cannot be read: {error.strerror}") from error


def _wrong(path: Path, error: Exception) -> UntrustedError:
    """The library's models list every field that is wrong; the first says enough."""
    said = [line.strip() for line in str(error).splitlines() if line.strip()]
    return UntrustedError(f"{path} is malformed: {', '.join(said[:3]) or type(error).__name__}")


def _hold_secret(path: Path, url: str) -> None:
    """An identity token is sent there: not in the clear, but on this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        if parts.scheme == "https" or host == "localhost" or ipaddress.ip_address(host).is_loopback:
            return
    except ValueError:
        pass
    told = without_credentials(url)
    raise UsageError(f"{path} has {told} for a certificate authority: identities are sent to https alone")
