"""Builds wheels from locked sources: the same source, tools and surroundings, so the same wheel everywhere.

At lock time every wheel is built twice, in different folders, with another order of writing and another
umask, and the two are compared. When a locked wheel is missing on another machine it is built again and its
hash is the judge.
"""

from __future__ import annotations

import json
import re
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import InvalidVersion, Version

from envfreeze.digest import Digest
from envfreeze.errors import EnvfreezeError, ResolutionError, UntrustedError
from envfreeze.locking import local
from envfreeze.locking.model import Source, Wheel
from envfreeze.locking.sources import environment, interpreter
from envfreeze.locking.sources.backend import Backend
from envfreeze.locking.sources.repack import metadata_of
from envfreeze.locking.sources.sandbox import NOT_ISOLATED, Sandbox, isolated
from envfreeze.locking.sources.unpack import unpack
from envfreeze.replacing import replace
from envfreeze.store.download import Download, fetch

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from envfreeze.locking.sources.interpreter import Interpreter
    from envfreeze.locking.sources.repack import Built
    from envfreeze.progress import Progress
    from envfreeze.store.cache import Cache

    Resolve = Callable[[Sequence[str], Interpreter], tuple[Wheel, ...]]
    """Resolves build requirements for an interpreter of this machine."""

RULE = 1
"""Counted up when builds run or wheels are repacked otherwise: what was built before is not used then."""

_BUILT = "built-wheel"
_TAG = re.compile(r"[vV]?(\d.*)")


@dataclass(frozen=True, slots=True)
class Workshop:
    """Where wheels are built.

    Attributes:
        cache: holds sources, build requirements and wheels.
        progress: told what is built.
        offline: fetch nothing.
        authenticate: puts credentials into the URL of a build requirement for its download.

    """

    cache: Cache
    progress: Progress
    offline: bool
    authenticate: Callable[[str], str]

    def build(
        self, source: Source, archive: Path, *, minor: str, resolve: Resolve, forgive: Callable[[str], bool]
    ) -> tuple[Wheel, bytes]:
        """Build a wheel twice, and lock what it was built with.

        Args:
            source: what to build.
            archive: its file.
            minor: version of Python that the target has.
            resolve: resolves build requirements.
            forgive: whether the package of this name may be one whose builds differ.

        Returns:
            The wheel, neither requested nor direct, and its METADATA.

        Raises:
            ResolutionError: the build fails, or two builds differ and may not.
            UntrustedError: the source or what was made of it is damaged.
            MachineError: builds cannot be isolated here, or the disk is full.

        """
        what, runs = named(source), interpreter.find(minor)
        with self.scratch(what) as scratch:
            with about(what):
                project = unpacked(source, archive, scratch / "look")
            asked = Backend(what, project, runs.path, _sandbox(source, scratch / "look", runs.path.parent))
            wheels = resolve(asked.static_requirements(), runs)
            place = scratch / "first"
            python = environment.install(place, runs, wheels, self._fetch(wheels))
            backend = Backend(what, project, python, _sandbox(source, scratch / "look", python.parent))
            if further := backend.further_requirements():
                wheels = resolve((*asked.static_requirements(), *further), runs)
                place = scratch / "all"
                python = environment.install(place, runs, wheels, self._fetch(wheels))
            locked = replace(
                source,
                python=runs.minor,
                requires=tuple(
                    replace(wheel, requested=False, dependencies=(), index=None) for wheel in wheels
                ),
                notes=() if isolated() else (NOT_ISOLATED,),
            )
            key = _key(locked, runs)
            if (known := self._recall(key, locked)) is not None:
                return known
            self.progress.note(f"building {what} twice")
            one = self._once(locked, archive, scratch / "1", python)
            two = self._once(locked, archive, scratch / "another" / "place", python, again=True)
        wheel = wheel_of(one, locked)
        if differing := one.differs_from(two):
            note = f"two builds of it differ in {', '.join(differing[:20])}"
            if not forgive(wheel.name):
                raise ResolutionError(
                    f"{what}: two builds of it are not the same wheel",
                    details=tuple(f"differs: {name}" for name in differing),
                    hint="accept that only machines that have this very wheel can build the image, in [pip]: "
                    f'allow-unreproducible = ["{wheel.name}"]',
                )
            locked = replace(locked, notes=tuple(sorted((*locked.notes, note))))
            wheel = replace(wheel, source=locked)
        self.keep(one)
        # What may differ is built again where it is asked for again.
        if not differing:
            self.cache.remember(_BUILT, key, {"filename": wheel.filename, "digest": str(wheel.digest)})
        return wheel, one.metadata

    def rebuild(self, wheel: Wheel, archive: Path) -> Path:
        """Build a locked wheel again, with the locked tools; its file.

        Raises:
            UntrustedError: it is another wheel than the locked one.
            ResolutionError: the build fails.
            NetworkError: a build requirement cannot be had.
            MachineError: builds cannot be isolated here, or the disk is full.

        """
        source = wheel.source
        if source is None:
            raise ValueError(wheel.filename)
        with self.cache.exclusive(f"build {wheel.digest}"):
            if (present := self.cache.find(wheel.digest)) is not None:
                return present
            runs = interpreter.find(source.python)
            self.progress.note(f"building {wheel.filename} from its locked source")
            with self.scratch(wheel.filename) as scratch:
                python = environment.install(
                    scratch / "tools", runs, source.requires, self._fetch(source.requires)
                )
                built = self._once(source, archive, scratch / "1", python)
            if built.digest != wheel.digest:
                raise _not_the_same(wheel, source, built, runs)
            return self.keep(built)

    def metadata(self, wheel: Wheel, archive: Callable[[], Path]) -> bytes:
        """Read the METADATA of a locked wheel, which is built again where the cache has it no more."""
        path = self.cache.find(wheel.digest) or self.rebuild(wheel, archive())
        return metadata_of(path)

    def _once(
        self, source: Source, archive: Path, folder: Path, python: Path, *, again: bool = False
    ) -> Built:
        what = named(source)
        with about(what):
            project = unpacked(source, archive, folder, again=again)
        sandbox = _sandbox(source, folder, python.parent, again=again)
        (folder / "wheel").mkdir()
        return Backend(what, project, python, sandbox).wheel(folder / "wheel")

    def _fetch(self, wheels: Sequence[Wheel]) -> Mapping[Digest, Path]:
        downloads = [
            Download(wheel.filename, wheel.digest, wheel.size, (self.authenticate(wheel.url),))
            for wheel in wheels
        ]
        return fetch(self.cache, downloads, progress=self.progress, offline=self.offline)

    def keep(self, built: Built) -> Path:
        """Put a wheel into the cache."""
        with self.cache.writer() as blob:
            blob.write(built.content)
            return blob.commit(built.digest)

    def _recall(self, key: str, source: Source) -> tuple[Wheel, bytes] | None:
        fact = self.cache.recall(_BUILT, key)
        if fact is None:
            return None
        digest = Digest.parse(fact["digest"])
        path = self.cache.find(digest)
        if path is None:
            return None
        name, version, _, _ = parse_wheel_filename(fact["filename"])
        size = path.stat().st_size
        wheel = Wheel(name, str(version), fact["filename"], digest, size, source.url, source=source)
        return wheel, metadata_of(path)

    @contextmanager
    def scratch(self, what: str) -> Iterator[Path]:
        """A temporary folder for work on `what`, which errors name."""
        with self.cache.scratch() as scratch:
            try:
                yield scratch.resolve()
            except OSError as error:
                from envfreeze.store.disk import explain  # noqa: PLC0415 - only where it fails

                raise explain(error, self.cache.root) from error
            except UntrustedError as error:
                raise UntrustedError(
                    error.message if what in error.message else f"{what}: {error.message}",
                    hint=error.hint,
                    details=error.details,
                ) from error


def named(source: Source) -> str:
    """What a source is called in errors: the file's name, or the place."""
    if source.kind in {"sdist", "archive"}:
        return local.filename(source.url)
    where = f"{source.url} at {source.commit}" if source.commit else source.url
    return f"{where}, {source.subdirectory}" if source.subdirectory else where


@contextmanager
def about(what: str) -> Iterator[None]:
    """Have errors name what they are about."""
    try:
        yield
    except EnvfreezeError as error:
        if what not in error.message:
            error.message = f"{what}: {error.message}"
        raise


def unpacked(source: Source, archive: Path, folder: Path, *, again: bool = False) -> Path:
    """Lay out a build's folder; the project in it."""
    folder.mkdir(parents=True)
    for name in ("home", "tmp"):
        (folder / name).mkdir()
    files = folder / "source"
    is_file = source.kind in {"sdist", "archive"}
    name = local.filename(source.url) if is_file else "tree.tar"
    unpack(archive, name, files, umask=_umask(again=again), reverse=again)
    project = files
    if is_file:
        # One folder at the top (PEP 517, "Source distributions"); archives of other tools may have none.
        found = sorted(files.iterdir())
        if len(found) == 1 and found[0].is_dir() and not found[0].is_symlink():
            project = found[0]
    if source.subdirectory:
        project = project / source.subdirectory
        if not project.resolve().is_relative_to(files.resolve()) or not project.is_dir():
            raise ResolutionError(f"{named(source)}: there is no such folder in it")
    return project


def _umask(*, again: bool) -> int:
    return 0o077 if again else 0o022


def _sandbox(source: Source, folder: Path, programs: Path, *, again: bool = False) -> Sandbox:
    return Sandbox(folder, programs, _umask(again=again), versions(source))


def versions(source: Source) -> dict[str, str]:
    """What tools that read the version from git are told, since a build sees files and no repository.

    Of a commit it is the version in the name of the tag that the project asks for (`v1.2.3`), else
    `0.0.0+g<12 digits of the commit>`; of a folder `0.0.0`.
    """
    if source.kind not in {"git", "directory"}:
        return {}
    version = "0.0.0"
    if source.commit is not None:
        version = _version_of_tag(source.revision) or f"{version}+g{source.commit[:12]}"
    names = (
        "SETUPTOOLS_SCM_PRETEND_VERSION",
        "PBR_VERSION",
        "PDM_BUILD_SCM_VERSION",
        "UV_DYNAMIC_VERSIONING_BYPASS",
    )
    return dict.fromkeys((*names, "POETRY_DYNAMIC_VERSIONING_BYPASS"), version)


def _version_of_tag(revision: str | None) -> str | None:
    match = _TAG.fullmatch((revision or "").rpartition("/")[2].rpartition("-")[2] or "")
    if match is None or re.fullmatch(r"[0-9a-f]{7,64}", revision or ""):
        return None
    try:
        return str(Version(match[1]))
    except InvalidVersion:
        return None


def wheel_of(built: Built, source: Source) -> Wheel:
    """The locked wheel, neither requested nor direct."""
    name, version, _, _ = parse_wheel_filename(built.filename)
    return Wheel(
        canonicalize_name(name),
        str(version),
        built.filename,
        built.digest,
        len(built.content),
        source.url,
        source=source,
    )


def _key(source: Source, runs: Interpreter) -> str:
    """All that a built wheel depends on, as canonical JSON."""
    parts: dict[str, Any] = {
        "rule": RULE,
        "kind": source.kind,
        "digest": source.digest.hex,
        "subdirectory": source.subdirectory,
        "versions": versions(source),
        "python": [runs.version, str(runs.path)],
        "requires": [wheel.digest.hex for wheel in source.requires],
        "notes": source.notes,
    }
    return json.dumps(parts, sort_keys=True, separators=(",", ":"))


def _not_the_same(wheel: Wheel, source: Source, built: Built, runs: Interpreter) -> UntrustedError:
    reasons = [f"locked as {wheel.digest}, built here {built.digest}"]
    if built.filename != wheel.filename:
        reasons.append(f"the build here made {built.filename}")
    if runs.minor != source.python:
        reasons.append(f"it was built with Python {source.python}; this machine has {runs.version}")
    if NOT_ISOLATED in source.notes:
        reasons.append("it was locked by a build that was not isolated")
    reasons += [note for note in source.notes if note.startswith("two builds")]
    hint = "build where the wheel is still in the cache, or lock again"
    if runs.minor != source.python:
        hint = f"install Python {source.python} (`uv python install {source.python}`) and build again"
    return UntrustedError(
        f"{wheel.filename}: building its locked source here gives another wheel",
        details=tuple(reasons),
        hint=hint,
    )
