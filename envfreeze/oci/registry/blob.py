"""One blob: what is pushed, whether a repository has it, and taking it from a neighbour there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from envfreeze.store.client import AttemptError

if TYPE_CHECKING:
    from collections.abc import Callable

    from envfreeze.digest import Digest
    from envfreeze.oci.registry.wire import Wire

_CREATED = 201
_ACCEPTED = 202


@dataclass(frozen=True, slots=True)
class Blob:
    """What is pushed.

    Attributes:
        digest: of its bytes.
        size: bytes.
        open: opens them at their beginning; reading checks them.

    """

    digest: Digest
    size: int
    open: Callable[[], BinaryIO]


def is_there(wire: Wire, blob: Blob) -> bool:
    """Whether the repository has a blob; what was there a moment ago is not asked for again.

    Raises:
        AttemptError: the registry does not say.

    """
    if blob.digest in wire.there:
        return True
    try:
        answer = wire.send("HEAD", f"blobs/{blob.digest}")
    except AttemptError as failure:
        # Who may not ask may still write; then that says more.
        if failure.status in {401, 403, 404, 405, 410}:
            return False
        raise
    length = answer.headers.get("content-length", "")
    promised = answer.headers.get("docker-content-digest", str(blob.digest))
    if answer.is_page or promised != str(blob.digest) or length not in {"", str(blob.size)}:
        return False
    wire.there.add(blob.digest)
    return True


def mount(wire: Wire, blob: Blob, source: str) -> str | None:
    """Take a blob from another repository of the registry (distribution-spec, end-11).

    Returns:
        None: it is mounted; else where to upload it to, empty where the registry said nothing of that.

    """
    try:
        answer = wire.send("POST", f"blobs/uploads/?mount={blob.digest}&from={source}")
    except AttemptError:
        return ""
    if answer.status == _CREATED:
        return None
    return (answer.location or "") if answer.status == _ACCEPTED else ""
