"""From what a user names to the record of its build: here, at the git remote, beside the image in a registry.

What is asked for first costs least. An image that is not recorded by its own digest may be a recorded one
packed anew, as Docker's classic store does when it pushes: then the config is the same, or at least every
diffID, and `Likeness` says so.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

from envfreeze.digest import Digest
from envfreeze.errors import EnvfreezeError, UntrustedError, UsageError
from envfreeze.locking.model import WRITER
from envfreeze.oci.reference import Reference
from envfreeze.records.restored import from_lock
from envfreeze.verbs import images
from envfreeze.verbs.driving import ENGINES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from envfreeze.oci.image import Image, ImageIndex
    from envfreeze.progress import Progress
    from envfreeze.records.model import Record, RecordedImage
    from envfreeze.records.store import RecordStore
    from envfreeze.store.cache import Cache


class Likeness(Enum):
    """How what was asked for is like what was recorded; the values are what is said of it."""

    SAME = ""
    CONFIG = "its config is the recorded one, and its layers are compressed in another way"
    DIFF_IDS = "every layer holds what the recorded one does, and config or compression are others"


@dataclass(frozen=True, slots=True)
class Recorded:
    """The build that a verification repeats.

    Attributes:
        asked: the digest that was asked for.
        record: of the build.
        chosen: the images of it that the digest names.
        folder: its sources, restored.
        likeness: how what was asked for is like the record.

    """

    asked: Digest
    record: Record
    chosen: tuple[RecordedImage, ...]
    folder: Path
    likeness: Likeness


class _Form(NamedTuple):
    """What an image is besides its digest."""

    config: Digest
    diff_ids: tuple[Digest, ...]


class _Step(NamedTuple):
    """A place to look at: what is found there may still lack its commit or its lock."""

    likeness: Likeness
    look: Callable[[], Sequence[Record]]
    means: Callable[[Record], tuple[RecordedImage, ...]]


@dataclass(slots=True)
class _Search:
    text: str
    root: Path
    store: RecordStore
    scratch: Path
    offline: bool
    cache: Cache
    progress: Progress
    signed: Sequence[Record] | None = None
    locks: Mapping[Digest, bytes] = field(default_factory=dict)
    missing: UsageError | None = None
    tried: int = 0

    def steps(self, digest: Digest) -> Iterator[_Step]:
        """Where to look, one after the other."""
        named = partial(_named, digest)
        if self.signed is not None:
            yield _Step(Likeness.SAME, partial(tuple, self.signed), named)
            return
        yield _Step(Likeness.SAME, partial(self.store.find, digest), named)
        if not self.offline:
            yield _Step(Likeness.SAME, partial(self.fetched, digest), named)
            yield _Step(Likeness.SAME, partial(self.store.find_in_registry, digest), named)
        for form in self.forms(digest):
            named = partial(_named, form.config)
            yield _Step(Likeness.CONFIG, partial(self.store.find, form.config), named)
            if not self.offline:
                yield _Step(Likeness.CONFIG, partial(self.store.find_in_registry, form.config), named)
            layered = partial(_layered, form.diff_ids)
            yield _Step(Likeness.DIFF_IDS, partial(self.store.find_of_layers, form.diff_ids), layered)

    def fetched(self, digest: Digest) -> Sequence[Record]:
        try:
            remote = self.store.fetch()
        except EnvfreezeError as error:
            self.progress.note(error.message)
            return ()
        if remote is None:
            return ()
        self.progress.note(f"records fetched from {remote}")
        return self.store.find(digest)

    def forms(self, digest: Digest) -> Iterator[_Form]:
        """What the image at hand is, for every platform that it is for."""
        if isinstance(images.parse(self.text), Digest):
            from envfreeze.oci import held  # noqa: PLC0415 - not needed otherwise

            found = held.by_digest(digest)
            if found is not None:
                yield _Form(*found)
            return
        with images.opened(
            self.text, root=self.root, cache=self.cache, offline=self.offline, progress=self.progress
        ) as opened:
            for image in images.images_of(opened):
                yield _Form(Digest.of(image.config), tuple(layer.diff_id for layer in image.layers))

    def restored(self, record: Record) -> Path | None:
        """The record's sources, here or fetched; None where they cannot be had."""
        if record.engine not in ENGINES or record.writer > WRITER:
            raise UntrustedError(
                f"{record.digest} was built by engine {record.engine!r} with writer version {record.writer}; "
                f"this envfreeze has {', '.join(map(repr, ENGINES))} with writer versions up to {WRITER}",
                hint="upgrade envfreeze",
            )
        try:
            return self.store.restore(record, self._folder())
        except UsageError as error:
            self.missing = self.missing or error
        attached = dict(self.locks)
        if not self.offline and any(file.digest not in attached for file in record.source.lock.values()):
            attached = {**self.store.attached(record), **attached}
        if not self.offline and (self._fetched_sources(record) or attached):
            try:
                return self.store.restore(record, self._folder(), attached)
            except UsageError as error:
                self.progress.note(error.message)
        return from_lock(record, self._folder(), attached)

    def _fetched_sources(self, record: Record) -> bool:
        """Fetch the commit, and the lock that no commit has; whether anything can have come."""
        commit = self.store.fetch_commit(record)
        try:
            return self.store.fetch() is not None or commit
        except EnvfreezeError:
            return commit

    def _folder(self) -> Path:
        self.tried += 1
        return self.scratch / f"checkout-{self.tried}"


def find(
    text: str,
    *,
    root: Path,
    store: RecordStore,
    scratch: Path,
    cache: Cache,
    offline: bool,
    signed: Sequence[Record] | None = None,
    locks: Mapping[Digest, bytes] | None = None,
    progress: Progress,
) -> Recorded:
    """Find the newest record of an image whose sources can be had, and restore them.

    Args:
        text: a digest of a manifest, an index or a config, or an image as `images.parse` reads it.
        root: the project's folder.
        store: its records.
        scratch: an empty folder, to restore to.
        cache: where what registries and engines give is put.
        offline: ask neither the git remote nor a registry.
        signed: the only records that may be taken, best first; None: any.
        locks: lock files at hand, by their digests.
        progress: told where is looked.

    Raises:
        UsageError: nothing is recorded of it, or its sources cannot be had.
        UntrustedError: its record is damaged, or of a newer envfreeze.
        NetworkError: the registry cannot be asked.

    """
    digest = asked(text, root, cache, offline=offline, progress=progress)
    search = _Search(text, root, store, scratch, offline, cache, progress, signed, locks or {})
    refused: list[Record] = []
    for step in search.steps(digest):
        for record in step.look():
            chosen = step.means(record)
            if not chosen or record in refused:
                continue
            folder = search.restored(record)
            if folder is not None:
                if step.likeness is not Likeness.SAME:
                    progress.note(f"{digest} is {record.digest} in another form: {step.likeness.value}")
                return Recorded(digest, record, chosen, folder, step.likeness)
            refused.append(record)
    raise search.missing or _nothing(text, digest, store, root, offline=offline)


def _nothing(text: str, digest: Digest, store: RecordStore, root: Path, *, offline: bool) -> UsageError:
    hint = "verify it against a lock: --lock envfreeze.lock"
    if offline and store.fetch_hint:
        hint = "leave --offline out: the git remote and the registry were not asked"
    elif store.registry is None and text == str(digest):
        hint = "if it was pushed, name where: registry.example.org/team/train@" + str(digest)
    return UsageError(f"no record of {digest} in {root}", hint=hint)


def asked(text: str, root: Path, cache: Cache, *, offline: bool, progress: Progress) -> Digest:
    """The digest that is asked for: as it was written, else that of the image's index or manifest.

    Args:
        text: as `find` takes it.
        root: the project's folder.
        cache: where what registries and engines give is put.
        offline: ask no registry.
        progress: told what is fetched.

    Raises:
        UsageError: it names no image.
        NetworkError: the registry does not give it.

    """
    place = images.parse(text)
    if isinstance(place, Digest):
        return place
    if isinstance(place, Reference) and place.digest is not None:
        return place.digest
    with images.opened(text, root=root, cache=cache, offline=offline, progress=progress) as found:
        return _whole(found).digest


def _whole(found: Image | ImageIndex) -> Image | ImageIndex:
    """What is meant: of an index that holds one image beside its attestations the image."""
    one = images.images_of(found)
    return one[0] if len(one) == 1 else found


def _named(digest: Digest, record: Record) -> tuple[RecordedImage, ...]:
    """The images that a digest names: all of the record's, or the one whose manifest or config it is."""
    if digest == record.digest:
        return record.manifests
    return tuple(image for image in record.manifests if digest in {image.manifest, image.config})


def _layered(diff_ids: tuple[Digest, ...], record: Record) -> tuple[RecordedImage, ...]:
    """The images that have these very diffIDs."""
    return tuple(
        image for image in record.manifests if tuple(layer.diff_id for layer in image.layers) == diff_ids
    )
