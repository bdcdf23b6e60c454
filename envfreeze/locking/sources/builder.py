"""From what uv resolved to without a wheel, to a wheel that is built, locked and fits the target."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from packaging.utils import (
    InvalidSdistFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)

from envfreeze.digest import Digest
from envfreeze.errors import NetworkError, ResolutionError, UntrustedError
from envfreeze.locking import indexes, local, offered
from envfreeze.locking.model import Source, Wheel
from envfreeze.locking.sources import git, metadata, tree, wheelhouse
from envfreeze.locking.sources.compiled import fits, missing
from envfreeze.locking.sources.repack import metadata_of
from envfreeze.project import folders
from envfreeze.replacing import replace
from envfreeze.store.download import Download, fetch

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from packaging.tags import Tag

    from envfreeze.locking.sources.compiled import Compiler
    from envfreeze.locking.sources.metadata import Metadata
    from envfreeze.locking.sources.workshop import Resolve, Workshop
    from envfreeze.project.model import Project

ALL = "*"
"""In `allow-sdist`: every package."""

_TREE = "git-tree"


@dataclass(frozen=True, slots=True)
class Builder:
    """Builds what a target's resolution asks for.

    Attributes:
        project: says what may be built.
        workshop: where it is built.
        minor: version of Python that the target has.
        resolve: resolves build requirements.
        pins: wheels that were built before: one of the same source is taken as it is.
        compiler: compiles what `[docker] build` names; None: nothing may be compiled.

    """

    project: Project
    workshop: Workshop
    minor: str
    resolve: Resolve
    pins: Sequence[Wheel]
    compiler: Compiler | None = None
    _done: dict[tuple[Any, ...], tuple[Wheel, Callable[[], bytes]]] = field(default_factory=dict)

    def allows(self, name: str) -> bool:
        """Whether the sdist of a package may be built."""
        return self._compiles(name) or bool({name, ALL} & set(self.project.pip.allow_sdist))

    def _compiles(self, name: str) -> bool:
        return self.compiler is not None and canonicalize_name(name) in self.compiler.names

    def may_build(self, package: Mapping[str, Any]) -> bool:
        """Whether a package of uv's answer may be built: allowed, or named by URL, revision or folder."""
        if "sdist" in package:
            return self.allows(canonicalize_name(package["name"]))
        return bool({"vcs", "directory"} & package.keys()) or (
            "archive" in package and not offered.filename(package["archive"]).endswith(".whl")
        )

    def wheel(
        self, package: Mapping[str, Any], scratch: Path, target: str, accepted: Collection[Tag]
    ) -> Wheel:
        """Give the wheel of a package that has none.

        Args:
            package: its entry in uv's answer.
            scratch: the folder of that answer.
            target: names the target in errors.
            accepted: the wheel tags that it takes.

        Raises:
            ResolutionError: the build fails, differs from build to build, or does not fit the target.
            NetworkError: the source cannot be had.
            UntrustedError: the source is not what it was, or is damaged.
            MachineError: this machine cannot isolate builds.

        """
        made, _ = self._made(package, scratch)
        _check_fits(made, target, accepted, self.compiler)
        source = made.source
        if source is not None and source.kind == "directory":
            made = replace(made, url=f"file:{quote(source.url)}")
        direct = source is not None and source.kind != "sdist"
        return replace(made, direct=direct, index=None if direct else package.get("index"))

    def file_of(self, made: Wheel) -> Path:
        """Give the file of a wheel that `wheel` gave; it is built again where the cache has it no more.

        Raises:
            ResolutionError: as `wheel`, and likewise the others.

        """
        if made.source is None:
            raise ValueError(made.filename)
        source = made.source
        return self._file(made, lambda: obtain(source, self.project.root, self.workshop))

    def _file(self, made: Wheel, have: Callable[[], Path]) -> Path:
        if (present := found(made, self.project, self.workshop)) is not None:
            return present
        if made.source is not None and made.source.devel is not None:
            if self.compiler is None:
                raise missing(made)
            return self.compiler.rebuild(made, have())
        return self.workshop.rebuild(made, have())

    def metadata(self, package: Mapping[str, Any], scratch: Path) -> Metadata:
        """Give what a package says of itself once it is built.

        Raises:
            ResolutionError: as `wheel`, and likewise the others.

        """
        made, content = self._made(package, scratch)
        return metadata.read(content(), made.filename)

    def _made(self, package: Mapping[str, Any], scratch: Path) -> tuple[Wheel, Callable[[], bytes]]:
        source, have = self._source(package, scratch)
        key = (source.kind, source.url, source.digest, source.commit, source.subdirectory)
        if key not in self._done:
            compiler = self.compiler if self._compiles(package["name"]) else None
            pinned = next((pin for pin in self.pins if pin.source and pin.source.is_of(source)), None)
            if pinned is not None and not _is_still_good(pinned, compiler):
                pinned = None
            if pinned is not None:
                self._done[key] = pinned, lambda: metadata_of(self._file(pinned, have))
            elif compiler is not None:
                built, content = compiler.build(source, have(), forgive=self._forgives)
                self._done[key] = built, lambda: content
            else:
                built, content = self.workshop.build(
                    source, have(), minor=self.minor, resolve=self.resolve, forgive=self._forgives
                )
                self._done[key] = built, lambda: content
        made, content_of = self._done[key]
        # A folder whose name only its build knows has none here.
        if package["name"] and made.name != canonicalize_name(package["name"]):
            raise UntrustedError(f"{package['name']}: its source makes a wheel of {made.name}")
        if package.get("version", made.version) != made.version and package["version"] != "0":
            raise UntrustedError(
                f"{package['name']} {package['version']}: its source makes a wheel of version {made.version}"
            )
        return made, content_of

    def _forgives(self, name: str) -> bool:
        return bool({name, ALL} & set(self.project.pip.allow_unreproducible))

    def _source(self, package: Mapping[str, Any], scratch: Path) -> tuple[Source, Callable[[], Path]]:
        """Say what is to be built, and how its file is had."""
        if "vcs" in package:
            return self._commit(package["vcs"])
        if "directory" in package:
            return self._folder(package["directory"], scratch)
        kind = "archive" if "archive" in package else "sdist"
        file = package[kind]
        url = offered.url(file, scratch)
        if "sha256" not in file.get("hashes", {}):
            raise ResolutionError(
                f"{package['name']}: its index states no sha256 of {offered.filename(file)}",
                hint="use an index that states sha256 hashes",
            )
        if kind == "sdist":
            _check_name(offered.filename(file))
        digest, size = Digest.parse(file["hashes"]["sha256"]), offered.size(file, url)
        source = Source(kind, url, digest, size, subdirectory=file.get("subdirectory"))
        return source, lambda: obtain_archive(source, self.workshop)

    def _commit(self, vcs: Mapping[str, Any]) -> tuple[Source, Callable[[], Path]]:
        if vcs["type"] != "git":
            raise ResolutionError(f"{offered.place(vcs)}: {vcs['type']} is not read, only git is")
        raw, commit = str(vcs["url"] if "url" in vcs else vcs["path"]), str(vcs["commit-id"])
        url = repository(raw)
        digest = obtain_commit(url, commit, self.workshop, raw=raw)
        source = Source(
            "git",
            url,
            digest,
            commit=commit,
            revision=vcs.get("requested-revision"),
            subdirectory=vcs.get("subdirectory"),
        )
        return source, lambda: _archived(
            self.workshop, digest, lambda: git.archive_commit(raw, commit, self.workshop.cache)
        )

    def _folder(self, entry: Mapping[str, Any], scratch: Path) -> tuple[Source, Callable[[], Path]]:
        path = offered.path(entry, scratch)
        for root in (self.project.root, self.project.root.resolve()):
            if path.is_relative_to(root):
                relative = path.relative_to(root).as_posix()
                break
        else:
            raise ResolutionError(
                f"{path} lies outside the project, so no other machine could build it",
                hint="move the folder into the project",
            )
        digest = tree.archive(folders.entries(path), self.workshop.cache)
        source = Source("directory", relative, digest, subdirectory=entry.get("subdirectory"))
        return source, lambda: _archived(
            self.workshop, digest, lambda: tree.archive(folders.entries(path), self.workshop.cache)
        )


def rebuilt(wheel: Wheel, root: Path, workshop: Workshop) -> Path:
    """Have a built wheel in the cache: as it lies there, or built again from its locked source; its file.

    Args:
        wheel: has a source.
        root: the project's folder.
        workshop: where to build.

    Raises:
        NetworkError: the source or a build requirement cannot be had.
        UntrustedError: the source, or what it is built into, is not what was locked.
        ResolutionError: it cannot be built here.
        MachineError: this machine cannot isolate a build.

    """
    if wheel.source is None:
        raise ValueError(wheel.filename)
    if (present := workshop.cache.find(wheel.digest)) is not None:
        return present
    if wheel.source.devel is not None:
        raise missing(wheel)
    return workshop.rebuild(wheel, obtain(wheel.source, root, workshop))


def obtain(source: Source, root: Path, workshop: Workshop) -> Path:
    """Have the archive of a locked source.

    Args:
        source: what is locked.
        root: the project's folder, for its own folders.
        workshop: has the cache.

    Raises:
        NetworkError: it cannot be had.
        UntrustedError: it is not what was locked.

    """
    if (present := workshop.cache.find(source.digest)) is not None:
        return present
    if source.kind == "git":
        found = obtain_commit(source.url, source.commit or "", workshop)
    elif source.kind == "directory":
        folder = root / source.url
        if not folder.is_dir():
            raise UntrustedError(f"{folder} is locked as a source and is not there")
        found = tree.archive(folders.entries(folder), workshop.cache)
    else:
        return obtain_archive(source, workshop)
    if found != source.digest:
        raise UntrustedError(
            f"{source.url}: its files are not those that were locked",
            details=(f"locked as {source.digest}, now {found}",),
            hint="run `envfreeze lock` to lock what is there now",
        )
    return _archived(workshop, found, lambda: found)


def obtain_archive(source: Source, workshop: Workshop) -> Path:
    """Have a locked sdist or archive; raises as `obtain`."""
    wanted = Download(
        local.filename(source.url), source.digest, source.size, (workshop.authenticate(source.url),)
    )
    return fetch(workshop.cache, [wanted], progress=workshop.progress, offline=workshop.offline)[
        source.digest
    ]


def obtain_commit(url: str, commit: str, workshop: Workshop, *, raw: str | None = None) -> Digest:
    """Have the archive of a commit; its sha256. `raw` is the URL with its credentials.

    Raises:
        NetworkError: the repository cannot be reached, or lost the commit; or nothing may be fetched.

    """
    key = f"{url} {commit}"
    fact = workshop.cache.recall(_TREE, key)
    if fact is not None and workshop.cache.find(digest := Digest.parse(fact["digest"])) is not None:
        return digest
    if workshop.offline and not url.startswith("file:"):
        raise NetworkError(
            f"{url} at {commit} is not in the cache, and nothing is fetched offline",
            hint="run it once without --offline",
        )
    workshop.progress.note(f"fetching {url} at {commit[:12]}")
    digest = git.archive_commit(raw or url, commit, workshop.cache)
    workshop.cache.remember(_TREE, key, {"digest": str(digest)})
    return digest


def repository(url: str) -> str:
    """Give a repository's URL without credentials; a user name is part of an ssh address and stays."""
    if url.startswith("/"):
        return f"file://{quote(url)}"
    if url.startswith(("ssh://", "git+ssh://")):
        scheme, _, rest = url.partition("://")
        user, at, host = rest.rpartition("@")
        return f"{scheme}://{user.partition(':')[0]}{at}{host}".partition("#")[0]
    return indexes.without_credentials(url)


def _check_name(filename: str) -> None:
    """Refuse a file name that a lock file of the standard cannot hold (PEP 625)."""
    try:
        parse_sdist_filename(filename)
    except InvalidSdistFilename as error:
        raise ResolutionError(
            f"{filename} is not the name of an sdist that can be locked: .tar.gz and .zip are",
            hint="take another version, or name the file by its URL: `name @ https://…`",
        ) from error


def _archived(workshop: Workshop, digest: Digest, make: Callable[[], Digest]) -> Path:
    path = workshop.cache.find(digest)
    if path is None and make() == digest:
        path = workshop.cache.find(digest)
    if path is None:
        raise UntrustedError(f"a source changed while it was being read ({digest})")
    return path


def found(made: Wheel, project: Project, workshop: Workshop) -> Path | None:
    """A built wheel's file, where the cache or the project's wheelhouse has it."""
    present = workshop.cache.find(made.digest)
    return present or wheelhouse.take(made, project, workshop.cache)


def _is_still_good(pinned: Wheel, compiler: Compiler | None) -> bool:
    if compiler is None:
        return pinned.source is None or pinned.source.devel is None
    return compiler.still_good(pinned)


def _check_fits(wheel: Wheel, target: str, accepted: Collection[Tag], compiler: Compiler | None) -> None:
    tags = parse_wheel_filename(wheel.filename)[3]
    if compiler is not None and wheel.name in compiler.names and fits(wheel, compiler.target, accepted):
        return
    if any(tag.platform.startswith("linux_") for tag in tags):
        raise ResolutionError(
            f"{wheel.name} {wheel.version}: its build compiles code for this machine ({wheel.filename}), "
            "which is not what the image runs on",
            hint="take a version that has a wheel for the target, or the package from conda, or have Docker "
            f'compile it, in [docker]: build = ["{wheel.name}"]',
        )
    if not any(tag in accepted for tag in tags):
        raise ResolutionError(
            f"{wheel.name} {wheel.version}: its build makes {wheel.filename}, which does not fit {target}",
            hint="take a version that has a wheel for the target, or the package from conda",
        )
