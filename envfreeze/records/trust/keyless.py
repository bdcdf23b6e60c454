"""Signing without a key: a certificate for ten minutes, issued to whom an identity token names.

The library sends the token to the instance's certificate authority (Fulcio), gets a certificate for a key
that is forgotten afterwards, and enters the signature in the instance's transparency log (Rekor). The token
goes nowhere else, and no part of it is in what is made.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from envfreeze.errors import NetworkError, UntrustedError
from envfreeze.oci import canonical
from envfreeze.progress import SILENT
from envfreeze.project.urls import without_credentials
from envfreeze.records.trust import bundle, roots, sigstore_library
from envfreeze.records.trust.tokens import Source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sigstore.models import ClientTrustConfig
    from sigstore.oidc import IdentityToken

    from envfreeze.progress import Progress
    from envfreeze.records.trust.bundle import Bundle

PATIENCE: Final = 180.0
"""Seconds that the servers have for one signature; the library itself would wait for ever."""

_OWN = "the servers of an instance of your own: --trust-config FILE"
_LONGEST_WORD = 200


@dataclass(frozen=True, slots=True)
class Keyless:
    """Who signs: whoever this runs as. No token is in it.

    Attributes:
        config: a client trust configuration, the instance that is asked; None: the public one.
        source: where the identity is looked for.

    """

    config: Path | None = None
    source: Source = field(default_factory=Source)

    def check(self) -> None:
        """Hold that there is an identity and an instance, before something long is begun.

        Raises:
            UsageError: there is none, or the configuration is none.
            UntrustedError: the configuration is malformed.
            NetworkError: the CI or the public instance does not answer.
            MachineError: a file cannot be read, or the library is missing.

        """
        with sigstore_library.told():
            self.source.find()
            self._instance()

    def sign(self, payload: bytes, progress: Progress = SILENT) -> Bundle:
        """Sign a statement of in-toto, and verify what was made.

        Args:
            payload: the statement.
            progress: is warned of what the library warns of.

        Raises:
            UsageError: as `check`.
            NetworkError: a server does not answer, or says no.
            UntrustedError: what the servers gave is not what the configuration trusts.
            MachineError: as `check`.

        """
        with sigstore_library.told(progress):
            token = self.source.find()
            config = self._instance()
            content = canonical.dump(canonical.parse(_made(payload, token, config), "bundle"))
            return bundle.verify(content, config.trusted_root, "what was just signed")

    def made_before(self, content: bytes, progress: Progress = SILENT) -> Bundle | None:
        """Give a bundle as verified where it is signed by whom the token names; None where not.

        For workflows of GitHub the certificate names what the token does not, so those are never found.
        """
        with sigstore_library.told(progress):
            token = self.source.find()
            try:
                read = bundle.verify(content, self._instance().trusted_root, "it")
            except UntrustedError:
                return None
        ours = (token.federated_issuer, token.identity)
        return read if (read.signer.issuer, read.signer.subject) == ours else None

    def _instance(self) -> ClientTrustConfig:
        return roots.public() if self.config is None else roots.read_config(self.config)


def _made(payload: bytes, token: IdentityToken, config: ClientTrustConfig) -> bytes:
    """Have the library sign, and wait for it no longer than `PATIENCE`."""
    from sigstore import dsse  # noqa: PLC0415 - heavy
    from sigstore.sign import SigningContext  # noqa: PLC0415 - heavy

    class AsItIs(dsse.Statement):
        """A statement whose subjects have no names, which in-toto allows and the library's model does not."""

        def __init__(self, contents: bytes) -> None:
            self._contents = contents

    done: list[str] = []
    failed: list[Exception] = []

    def work() -> None:
        try:
            with SigningContext.from_trust_config(config).signer(token) as signer:
                done.append(signer.sign_dsse(AsItIs(payload)).to_json())
        except Exception as error:  # noqa: BLE001 - it is told on the other side
            failed.append(error)

    thread = threading.Thread(target=work, name="sigstore", daemon=True)
    thread.start()
    thread.join(PATIENCE)
    if failed:
        raise _told(failed[0], token) from None  # what was answered may quote the token
    if not done:
        raise NetworkError(f"Sigstore's servers have not answered for {PATIENCE:.0f} seconds", hint=_OWN)
    return done[0].encode()


def _told(error: Exception, token: IdentityToken) -> NetworkError | UntrustedError:
    """Say what went wrong while signing, in words that the token is not in."""
    import requests  # noqa: PLC0415 - heavy
    from sigstore.errors import Error  # noqa: PLC0415 - heavy
    from sigstore.models import InvalidBundle  # noqa: PLC0415 - heavy
    from sigstore.oidc import ExpiredIdentity  # noqa: PLC0415 - heavy

    for one in _chain(error):
        if isinstance(one, requests.HTTPError) and one.response is not None:
            said = _message(one.response, token)
            at = without_credentials(one.response.url)
            return NetworkError(f"{at} refuses: HTTP {one.response.status_code}{said}")
        if isinstance(one, requests.RequestException) and one.request is not None:
            at = without_credentials(str(one.request.url))
            return NetworkError(f"{at} cannot be reached ({type(one).__name__})", hint=_OWN)
    if isinstance(error, ExpiredIdentity):
        return UntrustedError(
            "the identity token expired before it was used", hint="sign again with a new one"
        )
    if isinstance(error, InvalidBundle):  # a timestamp that was not given, say, which was warned of
        return NetworkError(f"Sigstore's servers did not give all that a signature needs: {error}")
    if isinstance(error, Error):
        said = " ".join(str(error).split())[:_LONGEST_WORD]
        return UntrustedError(f"what Sigstore's servers gave is not what the configuration trusts: {said}")
    return NetworkError(f"what Sigstore's servers answered is not understood ({type(error).__name__})")


def _chain(error: BaseException) -> Iterator[BaseException]:
    following: BaseException | None = error
    while following is not None:
        yield following
        following = following.__cause__ or following.__context__


def _message(response: object, token: IdentityToken) -> str:
    """What a server said of its refusal, unless it quotes the token."""
    import requests  # noqa: PLC0415 - heavy

    assert isinstance(response, requests.Response)  # noqa: S101 - for types
    try:
        said = response.json()["message"]
    except (ValueError, KeyError, TypeError):
        return ""
    if not isinstance(said, str) or any(part in said for part in str(token).split(".")):
        return ""
    said = " ".join(said.split())[:_LONGEST_WORD]
    return f", {said}" if said.isprintable() else ""
