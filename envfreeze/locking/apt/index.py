"""Packages files: found fast, read only where asked.

Format: https://wiki.debian.org/DebianRepository/Format, "Packages" indices. A release's main index has 69,000
stanzas in 56 MB; a resolution looks at a few hundred of them. So an index is scanned once for names, and a
stanza is parsed when a relation reaches it.
"""

from __future__ import annotations

import gzip
import lzma
import re
import zlib
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from envfreeze.digest import Digest
from envfreeze.errors import UntrustedError
from envfreeze.locking.apt import relations
from envfreeze.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from envfreeze.locking.apt.relations import Group, Relation

FORMS: Mapping[str, Callable[[bytes], bytes]] = {
    ".xz": lzma.decompress,
    ".gz": gzip.decompress,
    "": bytes,
}
"""How a Packages file may be compressed, by suffix, the one to prefer first."""

_PRIORITIES = ("required", "important", "standard", "optional", "extra")

_LINE = re.compile(rb"\n(?:Package:[ \t]*([^\s]+)|Provides:((?:[^\n]|\n[ \t])*))")
_NAME = re.compile(r"[a-z0-9][a-z0-9+.-]+")
_PROVIDED = re.compile(rb"(?:^|,)\s*([a-zA-Z0-9][a-zA-Z0-9.+-]*)")
_ARCHITECTURE = re.compile(rb"\nArchitecture:[ \t]*([^\s]+)")
_VERSION = re.compile(rb"\nVersion:[ \t]*([^\s]+)")


@dataclass(frozen=True, slots=True)
class Package:
    """A package as an index describes it.

    Attributes:
        name: its name.
        version: with epoch and revision.
        architecture: `amd64`, `arm64` or `all`.
        rank: its priority as a number, 0 for `required`; `Essential` counts as that.
        filename: path under the archive's root.
        digest: sha256 of the .deb.
        size: bytes of the .deb.
        archive: name of the archive that it comes from.
        depends: `Pre-Depends` then `Depends`.
        conflicts: `Conflicts` and `Breaks`, each with its field's name.
        provides: the virtual packages that it stands for.

    """

    name: str
    version: str
    architecture: str
    rank: int
    filename: str
    digest: Digest
    size: int
    archive: str
    depends: tuple[Group, ...]
    conflicts: tuple[tuple[str, Relation], ...]
    provides: tuple[Relation, ...]

    def satisfies(self, relation: Relation) -> bool:
        """Whether it is what a relation asks for, by its own name or by one that it provides."""
        if relation.name == self.name and relation.holds_for(self.version):
            return True
        return any(
            relation.name == provision.name and relation.held_by_provision(provision)
            for provision in self.provides
        )


def described(fields: Mapping[str, str], *, where: str) -> Package:
    """Read what a stanza says of a package itself: its file's place is empty, its digest that of nothing.

    Args:
        fields: of the stanza.
        where: the file's place, for messages.

    Raises:
        UntrustedError: a field is missing, or is not what the format says.

    """
    name = fields["Package"]
    where = f"{where}: {name}"
    try:
        version, architecture = fields["Version"], fields["Architecture"]
    except KeyError as error:
        raise UntrustedError(f"{where} has a missing or wrong field: {error}") from None
    if not _NAME.fullmatch(name):
        raise UntrustedError(f"{where} has a wrong name")
    relations.sort_key(version)

    def groups(field: str) -> tuple[Group, ...]:
        return relations.parse(fields.get(field, ""), where=f"{where}, {field}")

    essential = fields.get("Essential", "no") == "yes"
    return Package(
        name=name,
        version=version,
        architecture=architecture,
        rank=0 if essential else _rank(fields.get("Priority", "")),
        filename="",
        digest=Digest.of(b""),
        size=0,
        archive="",
        depends=groups("Pre-Depends") + groups("Depends"),
        conflicts=tuple((field, group[0]) for field in ("Conflicts", "Breaks") for group in groups(field)),
        provides=tuple(group[0] for group in groups("Provides")),
    )


class PackagesFile:
    """One inflated Packages file.

    Args:
        data: its bytes.
        archive: name of the archive that it describes.
        automatic: as in `Release.automatic`.
        further: the archive is not the distribution's own.
        where: the file's place, for messages.

    """

    def __init__(
        self, data: bytes, *, archive: str, automatic: bool = True, further: bool = False, where: str
    ) -> None:
        self.archive = archive
        self.automatic = automatic
        self.further = further
        self.where = where
        # With a line end before the first line, every line is found by the line end before it.
        self._data = b"\n" + data
        self._named: dict[bytes, list[int]] = {}
        self._provided: dict[bytes, list[int]] = {}
        starts: list[tuple[int, bytes]] = []
        for match in _LINE.finditer(self._data):
            if match[1] is not None:
                self._named.setdefault(match[1], []).append(match.start())
            else:
                starts.append((match.start(), match[2]))
        for position, value in starts:
            for name in _PROVIDED.findall(value):
                self._provided.setdefault(name, []).append(position)

    def names(self) -> Iterable[str]:
        """All names of packages in it."""
        return (name.decode("ascii", "replace") for name in self._named)

    def versions(self, name: str, architecture: str) -> list[tuple[str, int]]:
        """The versions of a package for an architecture, each with the place that `package` reads."""
        found = []
        for position in self._named.get(name.encode(), ()):
            stanza = self._stanza(position)
            of = _ARCHITECTURE.search(stanza)
            version = _VERSION.search(stanza)
            if of is None or version is None:
                raise UntrustedError(f"{self.where}: {name} has no Version or no Architecture")
            if of[1].decode("ascii", "replace") in (architecture, "all"):
                found.append((version[1].decode("ascii", "replace"), position))
        return found

    def providers(self, name: str) -> set[str]:
        """The names of packages of which some version provides a virtual package."""
        found = set()
        for position in self._provided.get(name.encode(), ()):
            match = re.search(rb"\nPackage:[ \t]*([^\s]+)", self._stanza(position))
            if match is not None:
                found.add(match[1].decode("ascii", "replace"))
        return found

    def package(self, position: int) -> Package:
        """Read the stanza at a place that `versions` gave.

        Raises:
            UntrustedError: a field is missing, or is not what the format says.

        """
        from debian.deb822 import Deb822  # noqa: PLC0415 - heavy

        fields = Deb822(self._stanza(position).decode("utf-8", "replace"))
        name = fields["Package"]
        where = f"{self.where}: {name}"
        try:
            digest = Digest(fields["SHA256"])
            size, filename = int(fields["Size"]), _relative(fields["Filename"])
        except (KeyError, ValueError) as error:
            raise UntrustedError(f"{where} has a missing or wrong field: {error}") from None
        if size < 0:
            raise UntrustedError(f"{where} has a wrong Size")
        package = described(fields, where=self.where)
        return replace(package, filename=filename, digest=digest, size=size, archive=self.archive)

    def _stanza(self, position: int) -> bytes:
        start = self._data.rfind(b"\n\n", 0, position + 1)
        end = self._data.find(b"\n\n", position + 1)
        return self._data[start + 1 if start >= 0 else 0 : end if end >= 0 else None]


class Universe:
    """Everything that can be chosen from, for one architecture.

    Of each package only one version can be chosen, its candidate: the pinned one; else the newest of the
    distribution, and where that has none the newest of the further archives. Indexes whose versions are
    preferred for being newer (`Release.automatic`) come before others of their kind; for equal versions the
    first index counts.

    Args:
        files: in the order of precedence.
        architecture: Debian's name of it.
        pins: the version that has to be taken, by name.

    """

    def __init__(
        self, files: Sequence[PackagesFile], architecture: str, pins: Mapping[str, str] | None = None
    ) -> None:
        self.architecture = architecture
        self.pins: Mapping[str, str] = pins or {}
        self._files = files
        self._further = frozenset(file.archive for file in files if file.further)
        self._candidates: dict[str, Package | None] = {}
        self._providers: dict[str, tuple[Package, ...]] = {}

    def names(self) -> set[str]:
        """All names of packages, of any architecture."""
        return {name for file in self._files for name in file.names()}

    def candidate(self, name: str) -> Package | None:
        """Return the version of a package that can be chosen, None where there is none."""
        if name not in self._candidates:
            pinned = self.pins.get(name)
            best: tuple[bool, bool, object, PackagesFile, int] | None = None
            for file in self._files:
                for version, position in file.versions(name, self.architecture):
                    order = (not file.further, file.automatic, relations.sort_key(version))
                    if pinned in (None, version) and (best is None or order > best[:3]):
                        best = (*order, file, position)
            self._candidates[name] = best[3].package(best[4]) if best is not None else None
        return self._candidates[name]

    def versions(self, name: str, *, further: bool = False) -> tuple[tuple[str, str], ...]:
        """Return the versions of a package and the archive of each, the newest first, each once.

        With `further` those of further archives only.
        """
        found = {
            (version, file.archive): relations.sort_key(version)
            for file in self._files
            if file.further or not further
            for version, _ in file.versions(name, self.architecture)
        }
        return tuple(sorted(found, key=lambda one: (found[one], one[1]), reverse=True))

    def pinned(self, name: str, version: str) -> Universe:
        """Return the same with one more pin."""
        return Universe(self._files, self.architecture, {**self.pins, name: version})

    def providers(self, name: str) -> tuple[Package, ...]:
        """Return the candidates that provide a virtual package: the distribution's, by priority, by name."""
        if name not in self._providers:
            found = {
                package.name: package
                for file in self._files
                for provider in file.providers(name)
                if (package := self.candidate(provider)) is not None
                and any(provision.name == name for provision in package.provides)
            }
            self._providers[name] = tuple(
                sorted(found.values(), key=lambda one: (one.archive in self._further, one.rank, one.name))
            )
        return self._providers[name]


def inflate(data: bytes, *, suffix: str, where: str) -> bytes:
    """Inflate a Packages file of one of the `FORMS`.

    Raises:
        UntrustedError: it is not what its name says.

    """
    try:
        return FORMS[suffix](data)
    except (lzma.LZMAError, zlib.error, OSError, EOFError) as error:
        raise UntrustedError(f"{where} cannot be inflated: {error}") from None


def _rank(priority: str) -> int:
    return _PRIORITIES.index(priority) if priority in _PRIORITIES else len(_PRIORITIES)


def _relative(filename: str) -> str:
    path = PurePosixPath(filename)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise ValueError(f"Filename {filename!r} leaves the archive")
    return str(path)
