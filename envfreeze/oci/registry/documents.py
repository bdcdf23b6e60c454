"""Manifests and indexes into a repository, each read back after it was put there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.digest import Digest
from envfreeze.errors import NetworkError, UntrustedError
from envfreeze.oci.registry.refusals import verdict
from envfreeze.store.client import AttemptError, Content

if TYPE_CHECKING:
    from envfreeze.oci.registry.wire import Answer, Wire

_CREATED = frozenset({200, 201, 202, 204})
_NOT_FOUND = 404


def put_document(
    wire: Wire,
    what: str,
    raw: bytes,
    media_type: str,
    name: str,
    *,
    again: bool = False,
    shared: bool = False,
) -> Answer | None:
    """Put a manifest or an index under its digest or a tag, and read it back.

    Args:
        wire: the repository.
        what: the reference, for errors.
        raw: its bytes.
        media_type: of the bytes.
        name: digest or tag.
        again: put it also where it is already there.
        shared: others change the tag, too, so what is read back may be theirs.

    Returns:
        What the registry answered; None: it was there.

    Raises:
        NetworkError: the registry does not take it.
        UntrustedError: it then has something else there.

    """

    def put() -> Answer | None:
        if not again and _is_there(wire, raw, media_type, name):
            return None
        answer = wire.send("PUT", f"manifests/{name}", {"Content-Type": media_type}, content=Content.of(raw))
        if answer.status not in _CREATED or answer.is_page:
            page = " with a web page" if answer.is_page else ""
            raise AttemptError(f"it answers {answer.status}{page} to a manifest")
        return answer

    def read() -> bytes:
        try:
            return wire.document(name, media_type).body
        except AttemptError as failure:
            if failure.status == _NOT_FOUND:  # it may take a moment until all of a registry knows
                raise AttemptError(failure.reason, again=True, status=_NOT_FOUND) from failure
            raise

    try:
        answer = wire.patiently(what, put)
        found = wire.patiently(what, read)
    except AttemptError as failure:
        raise verdict(f"{what}: its manifest", wire.place, failure) from failure
    if found == raw or shared:
        return answer
    if name.startswith("sha256:"):
        raise UntrustedError(
            f"{what}: {wire.place.server} has {Digest.of(found)} where {name} was pushed",
            hint="a proxy between here and the registry may change what is sent: do not use it",
        )
    raise NetworkError(
        f"{what}: the tag is {Digest.of(found)} and not {Digest.of(raw)}, which was pushed just now",
        hint="somebody else may have pushed the tag at the same moment; the image is there by its digest",
    )


def _is_there(wire: Wire, raw: bytes, media_type: str, name: str) -> bool:
    """Whether the registry has the very document; in doubt it is sent."""
    try:
        answer = wire.send("HEAD", f"manifests/{name}", {"Accept": media_type})
    except AttemptError:
        return False
    return answer.headers.get("docker-content-digest") == str(Digest.of(raw))
