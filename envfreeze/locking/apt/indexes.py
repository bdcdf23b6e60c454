"""One signed index of an archive: found, checked, fetched and read.

The InRelease file, or in its stead Release with Release.gpg, is taken from the first place that has one, and
from no other once a signature or a date is wrong: an error there is told, not routed around.
The Packages files are fetched by the digests that it gives and so may come from any place.
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
from envfreeze.store.download import NotFoundError

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
        suite: folder under `dists/`; of a flat archive the folder that holds its index, ending in `/`.
        named_in: fields of the Release file of which one has to name it; empty for a flat archive.
        components: to read.
        keyring: certificates, one of which has to have signed it.
        places: where to look, in order.
        locked: date of the index that was locked before, None without one.
        further: it is not the distribution's own: what it has is taken where the distribution has nothing.

    """

    archive: str
    suite: str
    named_in: tuple[str, ...]
    components: tuple[str, ...]
    keyring: bytes
    places: tuple[Place, ...]
    locked: datetime | None
    further: bool = False

    @property
    def flat(self) -> bool:
        """Whether there are neither `dists/` nor components: the suite ends in `/` (sources.list(5))."""
        return self.suite.endswith("/")

    @property
    def folder(self) -> str:
        """Where the index lies below the archive's root, with a `/` before it; empty for the root itself."""
        if not self.flat:
            return f"/dists/{self.suite}"
        return "".join(f"/{part}" for part in self.suite.split("/") if part not in {"", "."})


@dataclass(frozen=True, slots=True)
class _Document:
    """A signed document and the file of its signature; None: the document carries it itself."""

    name: str
    content: bytes
    signature: bytes | None = None


@dataclass(frozen=True, slots=True)
class SignedIndex:
    """An index whose signature, name and age were found right.

    Attributes:
        wanted: what was asked for.
        place: where it was found.
        release: what it says.
        digest: sha256 of the InRelease file, or of the Release file that Release.gpg is of.

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
    where = f"{place.name}{wanted.folder}/{document.name}"
    content = releases.verify(
        document.content,
        wanted.keyring,
        where=where,
        signature=document.signature,
        now=None if session.allow_stale else session.now,
    )
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
    digest = Digest.of(document.content)
    if not session.offline:
        _remember(place, wanted.suite, document, session.cache)
    return SignedIndex(wanted, place, release, digest)


def fetch(indexes: Sequence[SignedIndex], architecture: str, session: Session) -> list[Fetched]:
    """Fetch the Packages files of indexes, in their order.

    Raises:
        ResolutionError: an index has no packages of a component or of the architecture.
        NetworkError, UntrustedError: as `download.fetch` raises them.

    """
    parts = [part for index in indexes for part in _parts(index, architecture, session.progress)]
    blobs = download.fetch(
        session.cache, [part.download for part in parts], progress=session.progress, offline=session.offline
    )
    return [Fetched(part, blobs[part.download.digest]) for part in parts]


def read(files: Sequence[Fetched]) -> list[PackagesFile]:
    """Read Packages files, in their order.

    Raises:
        UntrustedError: one is not what its name or the Release file says.

    """
    # lzma and the scan release the interpreter for most of their time.
    with ThreadPoolExecutor(max_workers=2) as pool:
        return list(pool.map(lambda file: file.part.read(file.path), files))


@dataclass(frozen=True, slots=True)
class Fetched:
    """A Packages file in the cache."""

    part: _Part
    path: Path

    @property
    def digest(self) -> Digest:
        """What the Release file says that it is."""
        return self.part.download.digest


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
            further=self.index.wanted.further,
            where=where,
        )


def _parts(index: SignedIndex, architecture: str, progress: Progress) -> list[_Part]:
    wanted = index.wanted
    if wanted.flat:
        flat = _part(index, "Packages")
        if flat is None:
            raise ResolutionError(
                f"{wanted.archive} {wanted.suite} has no Packages file",
                hint="check the archive's suite: a flat one is the folder that holds Packages, ending in /",
            )
        return [flat]
    architectures = (architecture, "all") if index.release.lists_all else (architecture,)
    parts = []
    for component in wanted.components:
        found = [
            part
            for name in architectures
            if (part := _part(index, f"{component}/binary-{name}/Packages")) is not None
        ]
        if not found and not (wanted.further and _has(index, component)):
            raise ResolutionError(
                f"{wanted.archive} {wanted.suite} has no packages of {component} for {architecture}",
                hint="check the archive's suite and components, and [image] platform",
            )
        if not found:
            progress.warn(
                f"{wanted.archive} {wanted.suite} has nothing of {component} for {architecture}; "
                "[[apt]] platform says which platforms an archive is for"
            )
        parts += found
    return parts


def _has(index: SignedIndex, component: str) -> bool:
    """Whether it has a component for any architecture."""
    return any(path.startswith(f"{component}/binary-") for path in index.release.files)


def _part(index: SignedIndex, path: str) -> _Part | None:
    wanted = index.wanted
    for suffix in FORMS:
        name = f"{path}{suffix}"
        file = index.release.files.get(name)
        if file is None:
            continue
        folder = name.rpartition("/")[0]
        hashed = f"{folder}/by-hash/SHA256/{file.digest.hex}".removeprefix("/")
        ways = [hashed, name] if index.release.by_hash else [name]
        # The place that had the Release file first; any other may have the same bytes.
        places = [index.place, *(place for place in wanted.places if place != index.place)]
        return _Part(
            index,
            suffix,
            file.size,
            download.Download(
                name=f"{wanted.archive} {wanted.suite} {name}",
                digest=file.digest,
                size=file.size,
                urls=tuple(f"{place.root}{wanted.folder}/{way}" for place in places for way in ways),
            ),
        )
    return None


def _fetch(wanted: Wanted, session: Session) -> tuple[Place, _Document]:
    failures = []
    last = wanted.places[-1]
    for place in wanted.places:
        # Where there is another place to ask, little time is spent on one that does not answer.
        retry = download.Retry() if place is last else _BRIEF
        try:
            return place, _documents(wanted, place, retry, session.progress)
        except NetworkError as error:
            failures.append(error.message)
            session.progress.note(error.message)
    hint = "set [image] mirror to a mirror that this machine reaches"
    if wanted.further:
        hint = "check the url and the suite of its [[apt]] table, and that this machine reaches it"
    raise NetworkError(
        f"the index of {wanted.suite} could not be had from {wanted.archive}",
        hint=hint,
        details=tuple(failures),
    )


def _documents(wanted: Wanted, place: Place, retry: download.Retry, progress: Progress) -> _Document:
    """Fetch what is signed: InRelease, and where there is none Release with Release.gpg."""

    def get(name: str) -> bytes:
        return download.get(f"{place.root}{wanted.folder}/{name}", progress=progress, retry=retry)

    try:
        return _Document("InRelease", get("InRelease"))
    except NotFoundError as missing:
        try:
            content = get("Release")
        except NotFoundError:
            raise missing from None
        try:
            return _Document("Release", content, get("Release.gpg"))
        except NotFoundError:
            raise UntrustedError(
                f"{place.name}{wanted.folder}/Release is not signed: no InRelease, no Release.gpg",
                hint="ask who publishes the archive to sign it; an unsigned one is not read",
            ) from None


def _remember(place: Place, suite: str, document: _Document, cache: Cache) -> None:
    fact = {"digest": _keep(document.content, cache), "name": document.name}
    if document.signature is not None:
        fact["signature"] = _keep(document.signature, cache)
    cache.remember(_RULE, f"{place.name} {suite}", fact)


def _keep(content: bytes, cache: Cache) -> str:
    digest = Digest.of(content)
    if cache.find(digest) is None:
        with cache.writer() as writer:
            writer.write(content)
            writer.commit(digest)
    return str(digest)


def _recall(wanted: Wanted, session: Session) -> tuple[Place, _Document]:
    for place in wanted.places:
        fact = session.cache.recall(_RULE, f"{place.name} {wanted.suite}")
        if fact is None:
            continue
        content = _kept(fact.get("digest"), session.cache)
        signature = _kept(fact.get("signature"), session.cache)
        if content is not None and (signature is None) == ("signature" not in fact):
            return place, _Document(str(fact.get("name", "InRelease")), content, signature)
    raise NetworkError(
        f"the index of {wanted.suite} of {wanted.archive} is not in the cache",
        hint="lock once without --offline",
    )


def _kept(digest: object, cache: Cache) -> bytes | None:
    path = None if digest is None else cache.find(Digest.parse(str(digest)))
    return None if path is None else path.read_bytes()
