"""What can go wrong with one attempt to get something from a server, without a word of credentials."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from envfreeze.store.address import Address
from envfreeze.store.retry import retry_after

if TYPE_CHECKING:
    import httpx

    from envfreeze.digest import Digest
    from envfreeze.store.authority import Authority

CONNECT_SECONDS: Final = 10.0
"""How long a connection may take to be made."""

_AGAIN: Final = frozenset({408, 425, 429})
_MOST_SAID: Final = 4096


class AttemptError(Exception):
    """One attempt at one address failed.

    Attributes:
        reason: for people, without credentials.
        again: whether the same address may give it later.
        after: seconds that the server asked to wait.
        status: the HTTP status, where there was one; 404 also for a local file that is not there.
        got: what the address has instead of what is wanted: its digest or its size in words.
        hint: what to do about it, where whoever failed knows it better than who asked.
        said: the beginning of what the server answered to `send`, for whoever knows its language.

    """

    def __init__(
        self,
        reason: str,
        *,
        again: bool = False,
        after: float | None = None,
        status: int | None = None,
        got: Digest | str | None = None,
        hint: str = "",
        said: bytes = b"",
    ) -> None:
        super().__init__(reason)
        self.reason = reason
        self.again = again
        self.after = after
        self.status = status
        self.got = got
        self.hint = hint
        self.said = said


def said_by(response: httpx.Response) -> bytes:
    """The beginning of an answer's body."""
    said = b""
    for chunk in response.iter_raw(_MOST_SAID):
        said += chunk
        if len(said) >= _MOST_SAID:
            break
    return said[:_MOST_SAID]


def refused(
    response: httpx.Response, address: Address, authority: Authority, *, shown: bool, said: bytes
) -> AttemptError:
    """Say that a server refused.

    Args:
        response: its answer.
        address: what was asked.
        authority: knows why 401 or 403 may have come.
        shown: credentials were shown.
        said: the beginning of the answer's body, where it was read.

    """
    status = response.status_code
    reason, hint = f"{status} {response.reason_phrase}".rstrip(), ""
    if status in {401, 403}:
        why, hint = authority.refusal(address, status, shown=shown)
        reason += f": {why}"
    after = retry_after(response.headers.get("retry-after"))
    if after:
        reason += f", asks to wait {after:.0f} s"
    return AttemptError(
        reason,
        again=status in _AGAIN or status >= 500,  # noqa: PLR2004 - server errors
        after=after,
        status=status,
        hint=hint,
        said=said,
    )


def explained(error: Exception, silence: float, authority: Authority | None = None) -> AttemptError:
    """Say what an error of httpx means.

    Args:
        error: the error.
        silence: how many seconds an answer was waited for.
        authority: knows what to do about certificates; None: whoever knows the usual ones.

    """
    import ssl  # noqa: PLC0415 - heavy

    import httpx  # noqa: PLC0415 - heavy

    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            hint = _believing(error, authority)
            return AttemptError(f"its certificate is not trusted: {cause.verify_message}", hint=hint)
        if isinstance(cause, ssl.SSLError) and "CERTIFICATE_REQUIRED" in (cause.reason or ""):
            return AttemptError("it wants to be shown a certificate", hint=_believing(error, authority))
        cause = cause.__cause__ or cause.__context__
    if isinstance(error, httpx.ConnectTimeout):
        return AttemptError(f"no connection within {CONNECT_SECONDS:.0f} s", again=True)
    if isinstance(error, httpx.TimeoutException):
        return AttemptError(f"nothing came for {silence:.0f} s", again=True)
    reason = str(error).partition("] ")[2] or str(error) or type(error).__name__
    final = isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol | httpx.LocalProtocolError)
    if isinstance(error, httpx.ProxyError):
        reason, final = f"the proxy refused: {reason}", reason.startswith("407")
    return AttemptError(reason, again=not final)


def _believing(error: Exception, authority: Authority | None) -> str:
    """What to do about a certificate."""
    request = getattr(error, "_request", None)  # the property raises where there is none
    if request is None or authority is None:
        return "SSL_CERT_FILE names a file of certificates that are believed"
    return authority.distrusted(Address.parse(str(request.url)))
