"""The one file of each chosen package that a target takes, or the sources that its wheel is built from.

A wheel goes first. An sdist is built where `[pip] allow-sdist` names its package; what the lock names by its
URL, its commit or its folder needs no such leave, as in a project's own requirements.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from envfreeze.errors import ResolutionError, UntrustedError
from envfreeze.locking.imports.model import ImportedFile
from envfreeze.locking.sources.knowledge import allow_sdist
from envfreeze.locking.wheels import best
from envfreeze.progress import SILENT
from envfreeze.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from envfreeze.locking.imports.model import ImportedLock, ImportedPackage
    from envfreeze.locking.imports.offered import Offer
    from envfreeze.locking.imports.selection import Selected
    from envfreeze.locking.model import Wheel
    from envfreeze.locking.pip import PipTarget
    from envfreeze.locking.sources.builder import Builder
    from envfreeze.progress import Progress

REMAKE = "write it anew with its own tool"

_ARCHIVES = (".tar.gz", ".zip", ".tgz", ".tar.bz2", ".tar.xz", ".tar")
_ONLY_SDIST = "no wheel for the target, only an sdist"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a lock file belongs, and how it is completed.

    Attributes:
        root: the project's folder, that relative places of its indexes start from, absolute.
        folder: that relative paths in the lock file start from, absolute.
        offline: look nothing up but in uv's cache.
        progress: told what happens.

    """

    root: Path
    folder: Path
    offline: bool = False
    progress: Progress = SILENT

    def absolute(self, path: str) -> Path:
        """Give the path of what the lock file names by a path."""
        return Path(os.path.normpath(self.folder / path))

    def is_outside(self, path: str) -> bool:
        """Whether what the lock file names by a path lies outside the project."""
        found = self.absolute(path)
        return not any(found.is_relative_to(root) for root in (self.root, self.root.resolve()))


@dataclass(frozen=True, slots=True)
class Pick:
    """A package and what is known so far of the file to take.

    Attributes:
        package: the package.
        why_none: why nothing fits; None: something does, or it is not known yet.
        file: the file; None: not known yet, or there is none.
        is_source: a wheel is built from the file, or from the package's tree.
        made: the wheel that was built.

    """

    package: ImportedPackage
    why_none: str | None = None
    file: ImportedFile | None = None
    is_source: bool = False
    made: Wheel | None = None

    @property
    def name(self) -> str:
        """The package's name; only its build knows that of a folder that is named by its place."""
        return self.package.name if self.made is None else self.made.name

    @property
    def is_complete(self) -> bool:
        """Whether nothing has to be looked up."""
        if self.package.tree is not None:
            return True
        return self.file is not None and self.file.url is not None and self.file.sha256 is not None


def pick(
    imported: ImportedLock,
    selected: Selected,
    target: PipTarget,
    place: Place,
    builder: Builder | None,
) -> list[Pick]:
    """Choose, of what the lock names, the file of every package.

    Args:
        imported: the lock.
        selected: what the target takes of it.
        target: whose tags the wheels have to fit.
        place: where the lock file belongs.
        builder: says what may be built; None: nothing.

    Raises:
        ResolutionError: a package cannot be taken, or has nothing that fits.

    """
    _refuse(imported, selected, place, builder)
    picks = [_pick(imported, package, target, place, builder) for package in selected.packages]
    check_fitting(imported, picks, target)
    return picks


def check_fitting(imported: ImportedLock, picks: Iterable[Pick], target: PipTarget) -> None:
    """Name every package that has nothing that fits, and what to do.

    Raises:
        ResolutionError: there are some.

    """
    missing = [one for one in picks if one.why_none is not None]
    if not missing:
        return
    hint = f"lock versions that have wheels: change them in {imported.file} with its own tool"
    if sdists := sorted(one.name for one in missing if one.why_none == _ONLY_SDIST):
        hint = f"let what has only an sdist be built, in [pip]: {allow_sdist(sdists)}; or {hint}"
    raise ResolutionError(
        f"{imported.file}: {count(missing)} without a wheel for {target} ({target.manylinux})",
        details=tuple(sorted(f"{one.package}: {one.why_none}" for one in missing)),
        hint=hint,
    )


def completed(
    imported: ImportedLock,
    one: Pick,
    offers: Sequence[Offer],
    target: PipTarget,
    builder: Builder | None,
) -> Pick:
    """Find the file of a package among those that an index has.

    Raises:
        ResolutionError: the index has not what is locked, or states no hash of it.
        UntrustedError: the index has another file under the locked name.

    """
    by_name = {offer.filename: offer for offer in offers}
    locked, package = one.file, one.package
    if locked is not None and locked.filename in by_name:
        offer = by_name[locked.filename]
        check_same(imported, package, offer, frozenset({locked.sha256} - {None}))
    elif locked is not None:
        raise ResolutionError(
            f"{imported.file}: {package}: the index does not have {locked.filename} (any more)",
            hint=f"name the index that has it in [pip] index-url, or {REMAKE}",
        )
    else:
        hashes = frozenset(file.sha256 for file in package.files if file.sha256 is not None)
        known = {name: offer for name, offer in by_name.items() if not hashes or offer.sha256 in hashes}
        chosen = best(known, target.tags)
        may = builder is not None and builder.allows(package.name)
        if chosen is None and may:
            chosen = next(filter(is_archive, known), None)
            one = replace(one, is_source=chosen is not None)
        if chosen is None:
            sdist = next(filter(is_archive, by_name), None)
            fitting = best(by_name, target.tags) or (sdist if may else None)
            if fitting is None:
                return replace(one, why_none=_ONLY_SDIST if sdist else "no wheel for the target")
            check_same(imported, package, by_name[fitting], hashes)
        offer = known[chosen or ""]
    if offer.sha256 is None:
        raise ResolutionError(
            f"{imported.file}: {package}: neither it nor the index states a sha256 of {offer.filename}",
            hint="use an index that states sha256 hashes",
        )
    file = _filled(locked, offer)
    return replace(one, file=file)


def check_same(
    imported: ImportedLock, package: ImportedPackage, offer: Offer, hashes: frozenset[str | None]
) -> None:
    """Hold the hash that an index states against those of the lock; without any there is nothing to hold.

    Raises:
        UntrustedError: it is none of them.

    """
    if not hashes or offer.sha256 is None or offer.sha256 in hashes:
        return
    locked = ", ".join(f"sha256:{value}" for value in sorted(filter(None, hashes)))
    raise UntrustedError(
        f"{imported.file}: {package}: {offer.filename} is another file on the index than was locked",
        details=(f"locked as {locked}", f"the index has sha256:{offer.sha256} ({offer.url})"),
        hint=f"find out which is right; if {imported.file} is wrong or lacks the hashes of this platform's "
        f"files, {REMAKE}",
    )


def is_archive(filename: str) -> bool:
    """Whether a file holds sources."""
    return filename.endswith(_ARCHIVES)


def count(items: Sequence[object]) -> str:
    """Count packages, in words."""
    return f"{len(items)} package{'' if len(items) == 1 else 's'}"


def _refuse(imported: ImportedLock, selected: Selected, place: Place, builder: Builder | None) -> None:
    found = ((one, _problem(one, place, builder)) for one in selected.packages)
    refused = [f"{one}: {problem}" for one, problem in found if problem is not None]
    if refused:
        raise ResolutionError(
            f"{count(refused)} of {imported.file} cannot be taken",
            details=tuple(refused),
            hint="build wheels of them, put those on an index or into the project, and lock again",
        )


def _problem(package: ImportedPackage, place: Place, builder: Builder | None) -> str | None:
    tree = package.tree
    if package.refused is not None or tree is None:
        return package.refused
    if tree.problem is not None:
        return f"{tree}, and {tree.problem}"
    if builder is None:
        return str(tree)
    if tree.kind != "directory":
        return None
    if place.is_outside(tree.place):
        return f"{tree} outside the project"
    return None if place.absolute(tree.place).is_dir() else f"{tree} that is not there"


def _pick(
    imported: ImportedLock,
    package: ImportedPackage,
    target: PipTarget,
    place: Place,
    builder: Builder | None,
) -> Pick:
    if package.tree is not None:
        return Pick(package, is_source=True)
    if package.direct:
        return _direct(imported, package, target, place, builder)
    named = {file.filename: file for file in package.files if file.filename is not None}
    if not named:
        return Pick(package)
    filename = best(named, target.tags)
    if filename is not None:
        return Pick(package, file=_located(named[filename], place))
    sdist = next(filter(is_archive, named), None)
    if sdist is not None and builder is not None and builder.allows(package.name):
        return Pick(package, file=_located(named[sdist], place), is_source=True)
    return Pick(package, _ONLY_SDIST if sdist is not None else "no wheel for the target")


def _direct(
    imported: ImportedLock,
    package: ImportedPackage,
    target: PipTarget,
    place: Place,
    builder: Builder | None,
) -> Pick:
    (file,) = package.files[:1] or (None,)
    name = "nothing" if file is None else file.filename or ""
    if file is not None and best([name], target.tags) is not None:
        return Pick(package, file=_located(file, place))
    if file is not None and is_archive(name) and builder is not None:
        return Pick(package, file=_located(file, place), is_source=True)
    return Pick(package, f"{imported.file} names {name}, which is not a wheel for the target")


def _located(file: ImportedFile, place: Place) -> ImportedFile:
    if file.url is not None or file.path is None:
        return file
    path = place.folder / file.path
    size = path.stat().st_size if file.size is None and path.is_file() else file.size
    return replace(file, url=path.as_uri(), size=size)


def _filled(locked: ImportedFile | None, offer: Offer) -> ImportedFile:
    """What the lock says of a file, and for the rest what the index says."""
    known = locked or ImportedFile(offer.filename)
    return replace(
        known,
        filename=offer.filename,
        url=known.url or offer.url,
        sha256=offer.sha256,
        size=offer.size if known.size is None else known.size,
    )
