"""From what a lock file says of the chosen packages to wheels: one file each, with URL, hash and size.

What a file leaves out is looked up on the index: by name where the lock names files, by hash where it holds
only hashes (`lookup`). What has no wheel is built where that is allowed. What the lock does say is held
against what the index says, and what the packages' own metadata need against what is locked (`closure`).
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.utils import parse_wheel_filename

from envfreeze.digest import Digest
from envfreeze.errors import MachineError
from envfreeze.locking import indexes
from envfreeze.locking.imports.closure import check
from envfreeze.locking.imports.lookup import Where, look_up
from envfreeze.locking.imports.model import ImportedFile
from envfreeze.locking.imports.offered import Besides
from envfreeze.locking.imports.picks import Pick, Place, pick
from envfreeze.locking.model import Wheel
from envfreeze.locking.provided import write_stubs
from envfreeze.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from envfreeze.locking.imports.model import ImportedLock
    from envfreeze.locking.imports.selection import Selected
    from envfreeze.locking.pip import PipTarget
    from envfreeze.locking.provided import Provided
    from envfreeze.locking.sources.builder import Builder
    from envfreeze.project.model import Project

__all__ = ["Place", "complete"]


def complete(
    imported: ImportedLock,
    selected: Selected,
    project: Project,
    target: PipTarget,
    place: Place,
    *,
    provided: Sequence[Provided] = (),
    builder: Builder | None = None,
) -> tuple[Wheel, ...]:
    """Give the wheel of every chosen package.

    Args:
        imported: the lock.
        selected: what the target takes of it.
        project: whose indexes are asked.
        target: whose tags the wheels have to fit.
        place: where the lock file belongs.
        provided: what conda packages bring.
        builder: builds what has no wheel and may be built; None: nothing is.

    Returns:
        The wheels, sorted by name, none of them marked as requested.

    Raises:
        ResolutionError: a package cannot be taken or has no wheel for the target, an index does not have it,
            a package that another one needs is not locked, or a build fails.
        UntrustedError: an index has another file under a locked name, or a source is not what was locked.
        NetworkError: an index or a source that is needed did not answer.
        MachineError: uv is missing, or this machine cannot isolate a build.

    """
    picks = pick(imported, selected, target, place, builder)
    where = Where(imported, indexes.of_project(project))
    picks = look_up(imported, picks, where, target, place, builder)
    try:
        with tempfile.TemporaryDirectory(prefix="envfreeze-import-") as temporary:
            scratch = Path(temporary).resolve()
            if builder is not None:
                picks = [
                    _built(imported, one, builder, target, place, scratch) if one.is_source else one
                    for one in picks
                ]
            there = {one.name for one in picks}
            spare = [one for one in provided if one.name not in there]
            omitted = imported.omitted - there - {one.name for one in spare}
            stubs = write_stubs(spare, scratch / "conda") if spare else {}
            besides = Besides(sorted(omitted), stubs)
            extras = _extras(picks, selected)
            picks, needs = check(imported, picks, extras, where, target, place, besides)
    except OSError as error:
        raise MachineError(
            f"no room to look packages up in: {error.filename or tempfile.gettempdir()}: {error.strerror}",
            hint="set TMPDIR to a folder that can be written",
        ) from error
    known = selected.needs if selected.needs is not None else needs or {}
    return _wheels(picks, known, there | {one.name for one in spare})


def _built(
    imported: ImportedLock, one: Pick, builder: Builder, target: PipTarget, place: Place, scratch: Path
) -> Pick:
    """Build the wheel of a package that has none, and lay it where uv can read its metadata."""
    made = builder.wheel(_entry(one, place), scratch, str(target), target.tags)
    stated = one.package.version
    if stated is not None and stated != made.version:
        place.progress.warn(
            f"{made.name}: {imported.file} says version {stated}; what it locks makes {made.version}"
        )
    folder = scratch / "built"
    folder.mkdir(exist_ok=True)
    (folder / made.filename).symlink_to(builder.file_of(made))
    url = (folder / made.filename).as_uri()
    return replace(
        one, made=made, file=ImportedFile(made.filename, url, sha256=made.digest.hex, size=made.size)
    )


def _entry(one: Pick, place: Place) -> Mapping[str, Any]:
    """Say what is to be built as a resolver does: an entry of a PEP 751 document."""
    package, tree, file = one.package, one.package.tree, one.file
    if tree is not None and tree.kind == "directory":
        unnamed = package.name == tree.place
        path = place.absolute(tree.place)
        return {"name": "" if unnamed else package.name, "directory": {"path": str(path)}}
    if tree is not None:
        vcs = {"type": tree.kind, "url": tree.place, "commit-id": tree.commit}
        vcs |= {"requested-revision": tree.revision} if tree.revision else {}
        vcs |= {"subdirectory": tree.subdirectory} if tree.subdirectory else {}
        return {"name": package.name, "vcs": vcs}
    assert file is not None  # noqa: S101 - `look_up`'s result
    about: dict[str, Any] = {"name": file.filename, "url": file.url, "hashes": {"sha256": file.sha256}}
    about |= {} if file.size is None else {"size": file.size}
    about |= {} if file.subdirectory is None else {"subdirectory": file.subdirectory}
    if package.direct:
        return {"name": package.name, "archive": about}
    return {"name": package.name, "version": package.version, "sdist": about}


def _extras(picks: Iterable[Pick], selected: Selected) -> Mapping[str, Collection[str]]:
    """By name, the extras that are asked for as far as anybody says so."""
    found: dict[str, set[str]] = {}
    for one in picks:
        asked = {*one.package.asked_extras, *selected.asked_extras.get(one.package.name, ())}
        if asked:
            found[one.name] = asked
    return found


def _wheels(
    picks: Iterable[Pick], needs: Mapping[str, Collection[str]], there: Collection[str]
) -> tuple[Wheel, ...]:
    wheels = []
    for one in picks:
        needed = {*needs.get(one.name, ()), *needs.get(one.package.name, ())} & {*there} - {one.name}
        wheels.append(replace(_wheel(one), dependencies=tuple(sorted(needed))))
    return tuple(sorted(wheels, key=lambda wheel: wheel.name))


def _wheel(one: Pick) -> Wheel:
    if one.made is not None:
        return one.made
    file = one.file
    assert file is not None and file.filename and file.url and file.sha256  # noqa: S101, PT018 - `look_up`'s result
    name, version, _, _ = parse_wheel_filename(file.filename)
    return Wheel(
        name=name,
        version=str(version),
        filename=file.filename,
        digest=Digest.parse(f"sha256:{file.sha256}"),
        size=file.size,
        url=file.url,
        direct=one.package.direct,
    )
