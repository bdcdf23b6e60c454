"""Asking registries: documents by tag or digest, lists of tags, and blobs into the cache.

The API is the OCI distribution specification's, "Pulling". Everything that has a digest is held to it, so a
mirror or a proxy can at worst have nothing. What goes wrong is said with the reference that was asked for.
"""

from __future__ import annotations

import os
import re
import time
from typing import TYPE_CHECKING, Self, TypeVar
from urllib.parse import urljoin, urlsplit

from envfreeze.errors import NetworkError, UntrustedError
from envfreeze.oci import canonical, media
from envfreeze.oci.registry import places as whereabouts
from envfreeze.oci.registry.body import TooLongError, whole
from envfreeze.oci.registry.document import hold, read
from envfreeze.oci.registry.door import Door
from envfreeze.oci.registry.scheme import speaks_tls
from envfreeze.oci.registry.wire import Wire
from envfreeze.progress import SILENT
from envfreeze.store.client import AttemptError, Client
from envfreeze.store.download import Download, NotFoundError, fetch
from envfreeze.store.retry import Retry
from envfreeze.store.transfer import advice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

    from envfreeze.digest import Digest
    from envfreeze.oci.descriptor import Descriptor
    from envfreeze.oci.reference import Reference
    from envfreeze.oci.registry.document import Document
    from envfreeze.oci.registry.places import Place
    from envfreeze.progress import Progress
    from envfreeze.store.cache import Cache

_ACCEPTED = ", ".join(sorted(media.INDEXES | media.MANIFESTS))
_NEXT = re.compile(r'<([^>]*)>\s*;[^,]*\brel="?next"?')
_MOST_PAGES = 1000
_TAGS_A_PAGE = 1000
_OK = 200
_NOT_FOUND = 404

T = TypeVar("T")


class Registries:
    """Connections to registries. Close it, or use it in a `with`.

    Args:
        mirrors: registry to its mirrors, asked before it; those of the environment come before these.
        environ: names logins and mirrors.
        retry: how often and when to ask again.
        progress: told of pauses and of what a mirror does not have.

    Raises:
        UsageError: the environment's mirrors cannot be read.

    """

    def __init__(
        self,
        *,
        mirrors: Mapping[str, tuple[str, ...]] | None = None,
        environ: Mapping[str, str] = os.environ,
        retry: Retry | None = None,
        progress: Progress = SILENT,
    ) -> None:
        self._mirrors = dict(whereabouts.of_environment(environ))
        for registry, names in (mirrors or {}).items():
            self._mirrors[registry] = (*self._mirrors.get(registry, ()), *names)
        self._environ = environ
        self._retry = retry or Retry()
        self._progress = progress
        self._servers: dict[str, str] = {}
        self._schemes: dict[str, str] = {}
        self._there: dict[tuple[str, str], set[Digest]] = {}
        self._door = Door(self._servers, environ)
        self._client: Client | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        if self._client is not None:
            self._client.close()
            self._client = None

    def document(self, reference: Reference) -> Document:
        """Read the manifest or index that a reference names; its digest counts where it has one.

        Raises:
            NotFoundError: no place has it.
            NetworkError: no place gave it.
            UntrustedError: what came is not what the digest says, or no manifest that can be used.

        """
        name = str(reference.digest or reference.tag)
        return self._first(
            str(reference), self._places(reference.name), lambda place: self._document(reference, place, name)
        )

    def read(self, name: str, descriptor: Descriptor) -> bytes:
        """Read a small blob whole.

        Args:
            name: registry and repository.
            descriptor: of the blob.

        Raises:
            NotFoundError: no place has it.
            NetworkError: no place gave it.
            UntrustedError: what came is not what the descriptor says.

        """
        what = f"{name}@{descriptor.digest}"

        def one(place: Place) -> bytes:
            try:
                raw, _ = self._get(f"{place.url}/blobs/{descriptor.digest}", {}, canonical.LIMIT)
            except TooLongError as failure:  # no matter how often, or where
                raise UntrustedError(f"{what} has more than {canonical.LIMIT} bytes") from failure
            hold(raw, descriptor.digest, what)
            return raw

        return self._first(what, self._places(name), one)

    def tags(self, name: str) -> tuple[str, ...]:
        """List the tags of a repository, sorted; all pages of the list.

        Raises:
            NotFoundError: there is no such repository.
            NetworkError: the list did not come, or is none.

        """
        return self._first(name, self._places(name), self._tags)

    def fetch(
        self, cache: Cache, names: Sequence[str], blobs: Iterable[Descriptor], *, offline: bool = False
    ) -> dict[Digest, Path]:
        """Bring blobs into the cache, several at a time, going on with what had begun; as `store.fetch`.

        Args:
            cache: where to.
            names: repositories that have them, the first to try first.
            blobs: what is wanted.
            offline: fetch nothing.

        Raises:
            NotFoundError: no place has one of them.
            NetworkError: a blob could not be had, or is missing and `offline` is set.
            UntrustedError: what came is not what its digest says.
            MachineError: the disk is full or refuses.

        """
        # Who asks nobody does not ask either whether TLS is spoken: these addresses are for people then.
        spoken = whereabouts.scheme if offline else self._scheme
        where = tuple(dict.fromkeys(place for name in names for place in self._places(name, spoken)))
        downloads = [
            Download(
                name=f"{names[0]}@{blob.digest}",
                digest=blob.digest,
                size=blob.size,
                urls=tuple(f"{place.url}/blobs/{blob.digest}" for place in where),
                advice="the image may have been deleted there: a registry mirror that still has it helps "
                f"({whereabouts.VARIABLE}), or another base",
            )
            for blob in blobs
        ]
        return fetch(
            cache,
            downloads,
            progress=self._progress,
            offline=offline,
            retry=self._retry,
            authority=self._door,
        )

    def wire(self, name: str, connections: int = 1, *, writing: bool = True) -> Wire:
        """Open a repository at its own registry, never at a mirror; to be closed.

        Args:
            name: registry and repository.
            connections: how many at once.
            writing: it will be written to.

        """
        place = self._places(name)[-1]
        if writing:
            self._door.for_writing(place.server, place.repository)
        client = Client(connections=connections, authority=self._door)
        there = self._there.setdefault((place.server, place.repository), set())
        return Wire(place, client, retry=self._retry, progress=self._progress, there=there)

    def _places(self, name: str, spoken: Callable[[str], str] | None = None) -> tuple[Place, ...]:
        found = whereabouts.places(name, self._mirrors, spoken or self._scheme)
        for place in found:
            self._servers[place.server] = place.registry
        return found

    def _scheme(self, server: str) -> str:
        if server not in self._schemes:
            plain = whereabouts.on_loopback(server) and not speaks_tls(server)
            self._schemes[server] = "http" if plain else "https"
        return self._schemes[server]

    def _first(self, what: str, where: Sequence[Place], ask: Callable[[Place], T]) -> T:
        """What the first place that has it answers."""
        failures: list[tuple[Place, AttemptError]] = []
        for place in where:
            try:
                return self._patiently(what, place, ask)
            except AttemptError as failure:
                failures.append((place, failure))
                if place is not where[-1]:
                    self._progress.note(f"{what}: {place.server} does not give it: {failure.reason}")
        raise _verdict(what, failures)

    def _patiently(self, what: str, place: Place, ask: Callable[[Place], T]) -> T:
        failed = 0
        while True:
            try:
                return ask(place)
            except AttemptError as failure:
                failed += 1
                pause = self._retry.delay(failed, failure.after) if failure.again else None
                if pause is None:
                    raise
                self._progress.note(
                    f"{what}: {place.server}: {failure.reason}; asking again in {pause:.1f} s"
                )
                time.sleep(pause)

    def _document(self, reference: Reference, place: Place, name: str) -> Document:
        raw, headers = self._get(f"{place.url}/manifests/{name}", {"Accept": _ACCEPTED}, canonical.LIMIT)
        return read(raw, headers, reference, place)

    def _tags(self, place: Place) -> tuple[str, ...]:
        found: set[str] = set()
        url = f"{place.url}/tags/list?n={_TAGS_A_PAGE}"
        for number in range(_MOST_PAGES):
            try:
                raw, headers = self._get(url, {}, canonical.LIMIT)
            except AttemptError as failure:
                if number or failure.status != _NOT_FOUND:
                    raise
                # Some do not know that pages have a size (zuul-registry).
                url = f"{place.url}/tags/list"
                raw, headers = self._get(url, {}, canonical.LIMIT)
            try:
                listed = canonical.parse(raw, url).get("tags")
            except UntrustedError as error:
                raise AttemptError("what it answered is no list of tags") from error
            # A repository without tags has null there; zuul-registry lists digests among them.
            found.update(tag for tag in (listed or []) if isinstance(tag, str) and ":" not in tag)
            following = _NEXT.search(headers.get("link", ""))
            if following is None:
                return tuple(sorted(found))
            moved = urljoin(url, following[1])
            if urlsplit(moved)[:2] != urlsplit(url)[:2]:
                raise AttemptError("its list of tags goes on at another server")
            url = moved
        raise AttemptError("its list of tags does not end")

    def _get(self, url: str, headers: Mapping[str, str], limit: int) -> tuple[bytes, Mapping[str, str]]:
        if self._client is None:
            self._client = Client(authority=self._door)
        with self._client.open(url, headers) as response:
            if response.status_code != _OK:
                raise AttemptError(f"{response.status_code} to a request for the whole document")
            return whole(response, limit), {key.lower(): value for key, value in response.headers.items()}


def _verdict(what: str, failures: Sequence[tuple[Place, AttemptError]]) -> NetworkError:
    errors = [failure for _, failure in failures]
    details = (
        tuple(f"{place.server}: {failure.reason}" for place, failure in failures) if failures[1:] else ()
    )
    place, last = failures[-1]
    if all(failure.status in {404, 410} for failure in errors):
        return NotFoundError(
            f"{what} is not in the registry ({place.server}: {last.reason})",
            hint="check the name and the tag; a private image may need a login: "
            f"docker login {place.registry}",
            details=details,
        )
    return NetworkError(
        f"{what} could not be had from {place.server}: {last.reason}", hint=advice(errors), details=details
    )
