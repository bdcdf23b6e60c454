"""A repository at its own registry, spoken to for writing: requests, answers, pauses, and nothing of images.

Writing never goes to a mirror. Whatever address a registry hands out (where an upload goes on, say) may be
another server's: the login is for the registry alone (`Client.send`, `home`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from envfreeze.oci import canonical
from envfreeze.oci.registry.body import whole
from envfreeze.oci.registry.refusals import spoken
from envfreeze.store.address import Address
from envfreeze.store.client import AttemptError
from envfreeze.store.transfer import Halt

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from envfreeze.digest import Digest
    from envfreeze.oci.registry.places import Place
    from envfreeze.progress import Progress
    from envfreeze.store.client import Client, Content
    from envfreeze.store.retry import Retry

_LONG_SECONDS = 300.0
"""How long an answer to what was sent may take: some registries copy a blob before they answer."""

_SHORT_SECONDS = 30.0

_REGISTRYS_OWN = frozenset(
    {"docker-content-digest", "docker-distribution-api-version", "docker-upload-uuid", "oci-subject"}
)
"""Headers that nothing but a registry sends."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Answer:
    """What a registry answered, successfully.

    Attributes:
        status: from 200 to 299.
        headers: by their names in lower case.
        body: whole; empty where it was not asked for.
        url: what answered, after redirects; never to be shown.

    """

    status: int
    headers: Mapping[str, str]
    body: bytes
    url: str

    @property
    def location(self) -> str | None:
        """Where it says to go on, absolute; may hold a signature, so never to be shown.

        Raises:
            AttemptError: it leads to where nobody should go.

        """
        stated = self.headers.get("location")
        if not stated:
            return None
        try:
            return Address.parse(self.url).moved(stated).url
        except ValueError as error:
            raise AttemptError(str(error)) from error

    @property
    def is_page(self) -> bool:
        """Whether a web page came, as from something that is no registry.

        Registries call what has no body a page, too (zuul-registry does).
        """
        page = self.headers.get("content-type", "").lower().startswith("text/html")
        return page and self.headers.get("content-length") != "0" and not self.headers.keys() & _REGISTRYS_OWN


class Wire:
    """A repository; one object serves several threads.

    Args:
        place: where it is.
        client: the connections, which know the login.
        retry: how often and when to ask again.
        progress: told of every pause.
        there: blobs that the repository was seen to have, for all who write to it in this process.

    """

    def __init__(
        self,
        place: Place,
        client: Client,
        *,
        retry: Retry,
        progress: Progress,
        there: set[Digest] | None = None,
    ) -> None:
        self.place = place
        self.there = set() if there is None else there
        self.retry = retry
        self.progress = progress
        self.halt = Halt()
        self._client = client

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def stop(self) -> None:
        """End what other threads do here, now."""
        self.halt.call()
        self._client.abort()

    def send(
        self,
        method: str,
        where: str,
        headers: Mapping[str, str] | None = None,
        *,
        content: Content | None = None,
        limit: int = 0,
    ) -> Answer:
        """Ask once.

        Args:
            method: as in HTTP.
            where: a path below the repository, `manifests/1`, or an address that the registry gave.
            headers: of the request.
            content: what is sent.
            limit: bytes of the answer's body that are wanted, at most; 0: none.

        Raises:
            AttemptError: it did not work, or more came than `limit`.
            HaltedError: it was called off.

        """
        self.halt.check()
        url = where if "://" in where else f"{self.place.url}/{where}"
        silence = _SHORT_SECONDS if method in {"GET", "HEAD"} else _LONG_SECONDS
        try:
            with self._client.send(
                method, url, headers, content=content, home=self.place.url, silence=silence
            ) as response:
                body = whole(response, limit) if limit else b""
                known = {key.lower(): value for key, value in response.headers.items()}
                return Answer(response.status_code, known, body, str(response.url))
        except AttemptError as failure:
            self.halt.check()  # a connection that was cut by calling it off is no failure
            raise spoken(failure) from None

    def document(self, name: str, accepted: str) -> Answer:
        """Read a manifest or an index by digest or tag.

        Raises:
            AttemptError: it did not come.

        """
        return self.send("GET", f"manifests/{name}", {"Accept": accepted}, limit=canonical.LIMIT)

    def patiently(self, what: str, ask: Callable[[], T]) -> T:
        """Ask until it works or is given up.

        Raises:
            AttemptError: the last failure.
            HaltedError: it was called off.

        """
        failed = 0
        while True:
            try:
                return ask()
            except AttemptError as failure:
                failed += 1
                self.pause(what, failure, failed)

    def pause(self, what: str, failure: AttemptError, failed: int) -> None:
        """Wait after a failure before the next attempt.

        Raises:
            AttemptError: the failure itself, where it is given up.
            HaltedError: it was called off.

        """
        seconds = self.retry.delay(failed, failure.after) if failure.again else None
        if seconds is None:
            raise failure
        self.progress.note(f"{what}: {self.place.server}: {failure.reason}; trying again in {seconds:.1f} s")
        self.halt.pause(seconds)
