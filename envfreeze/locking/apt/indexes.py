"""One signed index of an archive: found, checked, fetched and read.

The InRelease file is taken from the first place that has one, and from no other once a signature or a date is
wrong: an error there is told, not routed around. The Packages files are fetched by the digests that it gives
and so may come from any place.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.digest import Digest
from envfreeze.errors import NetworkError, ResolutionError, UntrustedError
from envfreeze.locking.apt import release as releases
from envfreeze.locking.apt.index import FORMS, PackagesFile, inflate
from envfreeze.store import download

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path

    from envfreeze.locking.apt.mirrors import Place
    from envfreeze.locking.apt.release import Release
    from envfreeze.progress import Progress
    from envfreeze.store.cache import Cache

_RULE = "apt-inrelease"
"""Under which the cache remembers the digest of the InRelease file that was last seen."""

_BRIEF = download.Retry(attempts=2)


@dataclass(frozen=True, slots=True)
class Wanted:
    """An index to read.

    Attributes:
        archive: name of the archive.
        suite: folder under `dists/`.
        named_in: fields of the Release file of which one has to name it.
        components: to read.
        keyring: certificates, one of which has to have signed it.
        places: where to look, in order.
        locked: date of the index that was locked before, None without one.

    """

    archive: str
    suite: str
    named_in: tuple[str, ...]
    components: tuple[str, ...]
    keyring: bytes
    places: tuple[Place, ...]
    locked: datetime | None


@dataclass(frozen=True, slots=True)
class SignedIndex:
    """An index whose signature, name and age were found right.

    Attributes:
        wanted: what was asked for.
        place: where it was found.
        release: what it says.
        digest: sha256 of the InRelease file.

    """

    wanted: Wanted
    place: Place
    release: Release
    digest: Digest


@dataclass(frozen=True, slots=True)
class Session:
    """What reading an index needs to know besides the index.

    Attributes:
        cache: where downloads are kept.
        offline: use only what the cache has.
        allow_stale: accept an index that has expired or is older than the locked one.
        now: the present moment.
        progress: where to report.

    """

    cache: Cache
    offline: bool
    allow_stale: bool
    now: datetime
    progress: Progress


def find(wanted: Wanted, session: Session) -> SignedIndex:
    """Find an index, check it and remember it for work offline.

    Raises:
        NetworkError: no place has it, or, offline, the cache does not.
        UntrustedError: its signature, its name or its age is wrong.

    """
    place, document = _recall(wanted, session) if session.offline else _fetch(wanted, session)
    where = f"{place.name}/dists/{wanted.suite}/InRelease"
    content = releases.verify(document, wanted.keyring, where=where)
    release = releases.parse(content, where=where)
    releases.check(
        release,
        suite=wanted.suite,
        named_in=wanted.named_in,
        now=session.now,
        locked=wanted.locked,
        allow_stale=session.allow_stale,
        where=where,
    )
    digest = Digest.of(document)
    if not session.offline:
        _remember(place, wanted.suite, document, digest, session.cache)
    return SignedIndex(wanted, place, release, digest)


def read(indexes: Sequence[SignedIndex], architecture: str, session: Session) -> list[PackagesFile]:
    """Fetch and read the Packages files of indexes, in their order.

    Raises:
        ResolutionError: an index has no packages of a component or of the architecture.
        NetworkError, UntrustedError: as `download.fetch` raises them.

    """
    parts = [part for index in indexes for part in _parts(index, architecture)]
    blobs = download.fetch(
        session.cache, [part.download for part in parts], progress=session.progress, offline=session.offline
    )
    # lzma and the scan release the interpreter for most of their time.
    with ThreadPoolExecutor(max_workers=2) as pool:
        return list(pool.map(lambda part: part.read(blobs[part.download.digest]), parts))


@dataclass(frozen=True, slots=True)
class _Part:
    """One Packages file of an index."""

    index: SignedIndex
    suffix: str
    size: int
    download: download.Download

    def read(self, path: Path) -> PackagesFile:
        where = self.download.name
        data = path.read_bytes()
        if len(data) != self.size:
            raise UntrustedError(f"{where} has {len(data)} bytes, its Release file says {self.size}")
        return PackagesFile(
            inflate(data, suffix=self.suffix, where=where),
            archive=self.index.wanted.archive,
            automatic=self.index.release.automatic,
            where=where,
        )


def _parts(index: SignedIndex, architecture: str) -> list[_Part]:
    architectures = (architecture, "all") if index.release.lists_all else (architecture,)
    parts = []
    for component in index.wanted.components:
        found = [part for name in architectures if (part := _part(index, component, name)) is not None]
        if not found:
            raise ResolutionError(
                f"{index.wanted.archive} {index.wanted.suite} has no packages of {component} "
                f"for {architecture}",
                hint="check the archive's suite and components, and [image] platform",
            )
        parts += found
    return parts


def _part(index: SignedIndex, component: str, architecture: str) -> _Part | None:
    for suffix in FORMS:
        path = f"{component}/binary-{architecture}/Packages{suffix}"
        file = index.release.files.get(path)
        if file is None:
            continue
        folder, _, _ = path.rpartition("/")
        paths = [f"{folder}/by-hash/SHA256/{file.digest.hex}"] if index.release.by_hash else []
        paths.append(path)
        suite = index.wanted.suite
        # The place that had the InRelease file first; any other may have the same bytes.
        places = [index.place, *(place for place in index.wanted.places if place != index.place)]
        return _Part(
            index,
            suffix,
            file.size,
            download.Download(
                name=f"{index.wanted.archive} {suite} {path}",
                digest=file.digest,
                size=file.size,
                urls=tuple(f"{place.root}/dists/{suite}/{way}" for place in places for way in paths),
            ),
        )
    return None


def _fetch(wanted: Wanted, session: Session) -> tuple[Place, bytes]:
    failures = []
    last = wanted.places[-1]
    for place in wanted.places:
        # Where there is another place to ask, little time is spent on one that does not answer.
        retry = download.Retry() if place is last else _BRIEF
        try:
            url = f"{place.root}/dists/{wanted.suite}/InRelease"
            return place, download.get(url, progress=session.progress, retry=retry)
        except NetworkError as error:
            failures.append(error.message)
            session.progress.note(error.message)
    raise NetworkError(
        f"the index of {wanted.suite} could not be had from {wanted.archive}",
        hint="set [image] mirror to a mirror that this machine reaches, or look at the [[apt]] url",
        details=tuple(failures),
    )


def _remember(place: Place, suite: str, document: bytes, digest: Digest, cache: Cache) -> None:
    if cache.find(digest) is None:
        with cache.writer() as writer:
            writer.write(document)
            writer.commit(digest)
    cache.remember(_RULE, f"{place.name} {suite}", {"digest": str(digest)})


def _recall(wanted: Wanted, session: Session) -> tuple[Place, bytes]:
    for place in wanted.places:
        fact = session.cache.recall(_RULE, f"{place.name} {wanted.suite}")
        if fact is None:
            continue
        digest = Digest.parse(str(fact["digest"]))
        path = session.cache.find(digest)
        if path is not None:
            return place, path.read_bytes()
    raise NetworkError(
        f"the index of {wanted.suite} of {wanted.archive} is not in the cache",
        hint="lock once without --offline",
    )
