"""Records in a registry, each attached to the image that it is about, with the lock that the image came of.

Found from the digest alone, whoever holds the image. Each record is a manifest of its own that refers to the
image's (`oci.registry.referrers`): a statement of in-toto, then the lock files.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from envfreeze.digest import Digest
from envfreeze.errors import UntrustedError
from envfreeze.oci import canonical
from envfreeze.oci.reference import Reference
from envfreeze.oci.registry.referrers import Part, Referrer, attach, fetch, listed, parts_of
from envfreeze.records import lines, statement
from envfreeze.records.shelf import Text
from envfreeze.store.download import NotFoundError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from envfreeze.oci.registry.connection import Registries
    from envfreeze.progress import Progress
    from envfreeze.records.model import Record, Verification
    from envfreeze.store.cache import Cache

TYPE = "application/vnd.envfreeze.record.v1+json"
"""The artifact type of a record."""

LOCK = "application/vnd.envfreeze.lock.v1"
"""The media type of a lock file beside it."""

_LISTED = re.compile(r"sha256-([0-9a-f]{64})")
"""The tag of a list of referrers, where there is no API for them."""

_COSIGN = re.compile(r"sha256-[0-9a-f]{64}\.(?:att|sig|sbom)")
"""Tags of what cosign attaches: no images."""


@dataclass(frozen=True, slots=True)
class RegistryShelf:
    """A `Shelf` that is a repository of a registry.

    Attributes:
        repository: registry and repository, `registry.example.org/team/train`.
        registries: the connection.
        cache: keeps others on this machine from changing a list at the same moment; None: nothing does.
        progress: told what is sent, and warned of what cannot be attached.

    """

    repository: str
    registries: Registries
    cache: Cache | None
    progress: Progress
    _found: dict[str, tuple[Reference, Referrer]] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> str:
        """What `[record] store` calls it."""
        return "registry"

    def add(self, value: Record | Verification) -> None:
        """Attach a verification to the image; a build's record needs its lock: `attach`.

        Raises:
            NetworkError: the registry does not have the image, or does not take this.

        """
        self.attach(value, ())

    def attach(self, value: Record | Verification, locks: Iterable[bytes]) -> None:
        """Attach a record to all that it is about, with its lock files.

        Raises:
            NetworkError: the registry does not have the image, or does not take this.
            UntrustedError: what the registry has in the end is not what was sent.

        """
        parts = [Part(statement.MEDIA_TYPE, statement.of_record(value))]
        for content in locks:
            if len(content) <= canonical.LIMIT:
                parts.append(Part(LOCK, content))
            else:
                self.progress.warn(
                    f"a lock file of {len(content)} bytes is too large to be attached to the image in "
                    f"{self.repository}: its record there can be verified with the commit only"
                )
        for digest in statement.subjects(value):
            attach(
                self._reference(digest),
                parts,
                artifact_type=TYPE,
                registries=self.registries,
                cache=self.cache,
                progress=self.progress,
            )

    def texts(self, digest: Digest | None = None) -> Sequence[Text]:
        """Name what is attached to an image; without a digest, to all images of the repository.

        A config's digest is in no registry's lists, so where nothing is attached to a digest all are named.
        """
        found = [] if digest is None else self._attached(digest)
        if not found:
            found = [text for one in self._images() if one != digest for text in self._attached(one)]
        return list({text.id: text for text in found}.values())

    def read(self, texts: Sequence[Text]) -> Iterator[bytes]:
        """Read records; what is none is given as it is, and says so when it is read."""
        for text in texts:
            reference, referrer = self._found[text.id]
            first = parts_of(reference, referrer, registries=self.registries)[:1]
            content = b"".join(self.registries.read(self.repository, part) for part in first)
            try:
                yield statement.line_of(content)
            except UntrustedError:
                yield content.replace(b"\n", b" ")

    def locks(self, record: Record) -> Mapping[Digest, bytes]:
        """Read the lock files that are attached with a record, by their digests.

        Raises:
            NetworkError: they cannot be had.
            UntrustedError: they are not what was attached.

        """
        line = lines.render(record)
        for text in self._attached(record.digest):
            reference, referrer = self._found[text.id]
            parts = fetch(reference, referrer, registries=self.registries)
            if parts and line in parts[0].content:
                return {Digest.of(part.content): part.content for part in parts[1:]}
        return {}

    def _reference(self, digest: Digest) -> Reference:
        return Reference.parse(f"{self.repository}@{digest}")

    def _attached(self, digest: Digest) -> list[Text]:
        reference = self._reference(digest)
        found = listed(reference, registries=self.registries, artifact_type=TYPE)
        texts = []
        for referrer in found:
            name = referrer.descriptor.digest
            self._found[name.hex] = reference, referrer
            texts.append(Text(self.name, name.hex, f"{name}, attached to {reference}"))
        return texts

    def _images(self) -> list[Digest]:
        """The images that the repository's tags lead to, and those that have a list of referrers."""
        found: dict[Digest, None] = {}
        try:
            tags = self.registries.tags(self.repository)
        except NotFoundError:
            return []
        for tag in tags:
            fallback = _LISTED.fullmatch(tag)
            if fallback is not None:
                found[Digest(fallback[1])] = None
            elif _COSIGN.fullmatch(tag) is None:
                found[self.registries.document(Reference.parse(f"{self.repository}:{tag}")).digest] = None
        return list(found)
