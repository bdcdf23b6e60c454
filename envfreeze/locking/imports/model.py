"""`ImportedLock`: what another tool's lock file says, in one form for all formats.

Values only, and nothing is judged for a target yet: `selection` chooses what a target takes, `complete` and
`conda` find what the file leaves out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class ImportedFile:
    """A distribution's file.

    Attributes:
        filename: its name; None where only hashes are known.
        url: where it is, without credentials; None: not said.
        path: a path relative to the folder that the lock file belongs to; None: not said.
        sha256: in hex, None where not said or another algorithm was used.
        size: bytes, None where not said.
        subdirectory: of the project in an archive of sources; None: its root.

    """

    filename: str | None
    url: str | None = None
    path: str | None = None
    sha256: str | None = None
    size: int | None = None
    subdirectory: str | None = None


@dataclass(frozen=True, slots=True)
class Dependency:
    """An edge of a lock that is a graph.

    Attributes:
        name: normalised name of what is needed.
        marker: PEP 508 marker under which it is, None: always.
        extras: extras of it that are needed, normalised.
        version: where several versions are locked: a version or a specifier that tells which; None: any.
        source: where several sources are locked: the key of the one meant; None: any.
        optional: only an extra of the package that has the edge brings it.

    """

    name: str
    marker: str | None = None
    extras: tuple[str, ...] = ()
    version: str | None = None
    source: str | None = None
    optional: bool = False


@dataclass(frozen=True, slots=True)
class ImportedTree:
    """Sources that no archive holds, from which a wheel can be built.

    Attributes:
        kind: `git`, another version control system, or `directory`.
        place: of a repository its URL without credentials; of a folder its path, relative to the lock file's
            folder where it is not absolute.
        commit: full id of the commit; None for a folder.
        revision: the branch, tag or commit that the project asks for; None: not told.
        subdirectory: of the project in the repository; None: its root.
        words: what it is, for errors.
        problem: why nothing can be built of it; None: something can.

    """

    kind: str
    place: str
    commit: str | None = None
    revision: str | None = None
    subdirectory: str | None = None
    words: str = "comes from a version control system"
    problem: str | None = None

    def __str__(self) -> str:
        at = f"@{self.commit}" if self.commit else ""
        return f"{self.words} ({self.place}{at})"


@dataclass(frozen=True, slots=True)
class ImportedPackage:
    """A locked Python package.

    Attributes:
        name: normalised (PEP 503).
        version: as the file has it; None where only a URL says it.
        files: wheels and sdists that the file names or knows the hashes of; empty: none.
        marker: PEP 508 marker under which it is installed; None: always. Extras and groups may stand in it as
            in PEP 751 (`'train' in extras`).
        platform: conda's name of the only platform it is for (`linux-64`); None: any.
        groups: the file's groups or categories that it belongs to; empty: no groups are told.
        index: the index that it comes from, without credentials; None: not said.
        direct: `files` holds the one URL that is meant, not an index's files.
        tree: what its wheel is built from, where that is no file; None: it has files, or an index has.
        refused: why it cannot be taken (`is a development install`); None: it can.
        asked_extras: extras of it that its own line asks for, normalised.
        source: key of its source, for `Dependency.source`.
        dependencies: edges, where the lock tells them; None: it does not.
        extras: further edges of each extra, where the lock is a graph.
        line: line of the file, 0 where not known.

    """

    name: str
    version: str | None
    files: tuple[ImportedFile, ...] = ()
    marker: str | None = None
    platform: str | None = None
    groups: tuple[str, ...] = ()
    index: str | None = None
    direct: bool = False
    tree: ImportedTree | None = None
    refused: str | None = None
    asked_extras: tuple[str, ...] = ()
    source: str | None = None
    dependencies: tuple[Dependency, ...] | None = None
    extras: Mapping[str, tuple[Dependency, ...]] | None = None
    line: int = 0

    def __str__(self) -> str:
        return self.name if self.version is None else f"{self.name} {self.version}"


@dataclass(frozen=True, slots=True)
class ImportedConda:
    """A locked conda package, as far as its file tells.

    Attributes:
        url: of the file, without credentials and fragment.
        subdir: `linux-64`, `linux-aarch64` or `noarch`, from the URL.
        platform: the platform that it is locked for; None: that of `subdir`, any for `noarch`.
        md5: in hex, None where not said.
        sha256: in hex, None where not said.
        groups: categories or environments that it belongs to; empty: none are told.
        size: bytes.
        build_number: its build number.
        depends: match specs; None: not said.
        constrains: match specs; None: not said.
        noarch: `python` or `generic`; None: not said, or for one platform.

    """

    url: str
    subdir: str
    platform: str | None = None
    md5: str | None = None
    sha256: str | None = None
    groups: tuple[str, ...] = ()
    size: int | None = None
    build_number: int | None = None
    depends: tuple[str, ...] | None = None
    constrains: tuple[str, ...] | None = None
    noarch: str | None = None

    @property
    def filename(self) -> str:
        """The file's name."""
        return self.url.rpartition("/")[2]

    @property
    def channel(self) -> str:
        """The channel's URL, without subdir."""
        return self.url.rpartition("/")[0].rpartition("/")[0]


@dataclass(frozen=True, slots=True)
class ImportedDeb:
    """A Debian package of an image: told of, not taken, since the base has its own.

    Attributes:
        name: its name.
        version: with epoch and revision.
        requested: somebody asked for it: it is neither a dependency nor of the distribution's own set.

    """

    name: str
    version: str
    requested: bool


@dataclass(frozen=True, slots=True)
class Roots:
    """Where a lock that is a graph begins.

    Attributes:
        name: of the project that was locked, normalised.
        dependencies: what it needs always.
        extras: and for each of its extras.
        groups: and for each of its groups.

    """

    name: str
    dependencies: tuple[Dependency, ...]
    extras: Mapping[str, tuple[Dependency, ...]]
    groups: Mapping[str, tuple[Dependency, ...]]


@dataclass(frozen=True, slots=True)
class ImportedLock:
    """What a lock file of another tool says.

    Attributes:
        file: its name, for errors.
        kind: the format, `uv.lock`.
        packages: the Python packages.
        conda: the conda packages.
        roots: where the graph begins; None: packages say by themselves whether they apply.
        requested: normalised names that are asked for; None: not told.
        extras: names of extras that may be chosen; None: the format does not list them.
        groups: names of groups that may be chosen; None: likewise.
        default_groups: groups that are taken where the project chooses none.
        platforms: conda's names of the platforms it is for; empty: it does not say.
        requires_python: PEP 440 specifier of the Pythons it is for.
        environments: markers of the environments it is for; one has to hold. Empty: any.
        omitted: dependencies that the lock leaves out on purpose (uv's overrides), normalised.
        debs: the OS packages of an image; empty for all else.

    """

    file: str
    kind: str
    packages: tuple[ImportedPackage, ...]
    conda: tuple[ImportedConda, ...] = ()
    roots: tuple[Roots, ...] | None = None
    requested: frozenset[str] | None = None
    extras: frozenset[str] | None = None
    groups: frozenset[str] | None = None
    default_groups: tuple[str, ...] = ()
    platforms: tuple[str, ...] = ()
    requires_python: str | None = None
    environments: tuple[str, ...] = ()
    omitted: frozenset[str] = frozenset()
    debs: tuple[ImportedDeb, ...] = ()
