"""Who owns which path of an image: what happens where two packages want the same one.

Identical content under one path is fine. Different content follows the order of the plan, the later
package wins, and it is reported. A path that leads through another package's symbolic link, or through
its file, is refused: what lies there would depend on who unpacks the image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.errors import UntrustedError, UsageError
from envfreeze.oci.entry import Entry, Kind, parents
from envfreeze.oci.gzip import crc32
from envfreeze.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from envfreeze.oci.entry import Content

Path = list[str]
"""A path, its kind's name, its owner and what tells its content from another's."""


def conda_owner(name: str) -> str:
    """What a conda package is called as an owner: an OS package or a wheel may have the same name."""
    return f"the conda package {name}"


def listing(owner: str, entries: Iterable[Entry]) -> list[Path]:
    """The paths of a package's entries; of directories only those that are not 0755 and root's."""
    return [
        [entry.path, entry.kind.name, owner, _identity(entry)]
        for entry in entries
        if entry.kind is not Kind.DIRECTORY or (entry.mode, entry.uid, entry.gid) != (0o755, 0, 0)
    ]


def _identity(entry: Entry) -> str:
    if entry.kind is Kind.DIRECTORY:
        return f"{entry.mode:o} {entry.uid} {entry.gid}"
    if entry.kind is not Kind.FILE:
        return entry.link
    content: Content | None = entry.content
    if content is None or not content.size:
        return "empty"
    crc = content.crc if hasattr(content, "crc") else crc32(content.data)
    return f"{crc:08x}-{content.size}"


def merge(packages: Sequence[tuple[str, Sequence[Entry]]]) -> dict[str, Entry]:
    """Put the entries of several packages into one layer, the packages in their fixed order.

    A directory that several packages bring has the mode and owner that the first gives it.
    """
    found: dict[str, Entry] = {}
    linked: dict[str, Entry] = {}
    for _, entries in packages:
        own = {entry.path: entry for entry in entries}
        for entry in entries:
            if entry.kind is Kind.DIRECTORY and entry.path in found:
                continue
            found[entry.path] = entry
            linked.pop(entry.path, None)
            if entry.kind is Kind.HARDLINK:
                linked[entry.path] = _file_of(entry, own)
    _keep_links(found, linked)
    return found


def _file_of(entry: Entry, own: Mapping[str, Entry]) -> Entry:
    """The file that a hard link of a package names, through other links of the package if need be."""
    for _ in own:
        if entry.kind is not Kind.HARDLINK or entry.link not in own:
            break
        entry = own[entry.link]
    return entry


def _keep_links(found: dict[str, Entry], linked: Mapping[str, Entry]) -> None:
    """Give hard links whose file another package has replaced the content that they had."""
    heirs: dict[int, str] = {}
    for path in sorted(linked, key=str.encode):
        file = linked[path]
        if file.kind is not Kind.FILE or found.get(file.path) is file:
            continue
        heir = heirs.setdefault(id(file), path)
        if heir == path:
            found[path] = replace(file, path=path)
        else:
            found[path] = replace(found[path], link=heir)


def conflicts(layers: Iterable[Sequence[Path]], *settled: Collection[str]) -> tuple[str, ...]:
    """Go through the paths of an image, the lowest layer first, and say what packages overwrite.

    Args:
        layers: the paths of each layer, as `listing` gives them.
        settled: groups of owners among whom nothing is said, since it is settled elsewhere: the OS packages,
            whose `Replaces` decide (layers.system); the base image and what replaces packages of it.

    Raises:
        UntrustedError: a path leads through another package's link or file.

    """
    owners: dict[str, Path] = {}
    groups = [frozenset(group) for group in settled]
    overwritten: dict[tuple[str, str], list[str]] = {}
    for layer in layers:
        for entry in layer:
            path, kind, owner, identity = entry
            if kind == Kind.DIRECTORY.name:
                continue
            before = owners.get(path)
            differs = before is not None and before[1:] != [kind, before[2], identity] and before[2] != owner
            if before is not None and differs and not any({owner, before[2]} <= group for group in groups):
                overwritten.setdefault((owner, before[2]), []).append(path)
            owners[path] = entry
    for parent in sorted(_folders(owners) & owners.keys()):
        through = owners[parent]
        entry = next(entry for path, entry in owners.items() if path.startswith(f"{parent}/"))
        what = "link" if through[1] == Kind.SYMLINK.name else "file"
        raise UntrustedError(
            f"{entry[2]} installs /{entry[0]} through the {what} /{parent} of {through[2]}",
            hint="the two cannot be in one image; lock another version of one of them",
        )
    return tuple(
        f"{owner} overwrites {len(paths)} of the files of {other}: /{paths[0]}"
        + (f" and {len(paths) - 1} more" if len(paths) > 1 else "")
        for (owner, other), paths in sorted(overwritten.items())
    )


def _folders(paths: Iterable[str]) -> set[str]:
    """Every folder above any of the paths."""
    found: set[str] = set()
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder and folder not in found:
            found.add(folder)
            folder = folder.rpartition("/")[0]
    return found


def room_for(
    files: Iterable[str], layers: Iterable[Sequence[Path]], reserved: Collection[str]
) -> dict[str, tuple[int, int, int]]:
    """See whether the project's files have room beside what the layers below hold.

    Args:
        files: the paths that they are to have in the image, without folders.
        layers: the paths of the layers below, the lowest first.
        reserved: folders that are the environment's alone.

    Returns:
        Of the folders above the files those that are not 0755 and root's, with mode, owner and group: a
        layer that names them must not change them.

    Raises:
        UsageError: a path belongs to a package, or leads through its link or file.

    """
    below: dict[str, Path] = {}
    folders: dict[str, tuple[int, int, int]] = {}
    for layer in layers:
        for entry in layer:
            path, kind, _, identity = entry
            if kind == Kind.DIRECTORY.name:
                mode, uid, gid = identity.split(" ")
                folders[path] = int(mode, 8), int(uid), int(gid)
            else:
                below[path] = entry
    held = _folders(below)
    inside = tuple(f"{folder}/" for folder in reserved)
    above: set[str] = set()
    for file in files:
        above.update(parents(file))
        if file in held or file in folders:
            raise UsageError(f"include: /{file} is a folder of the image below", hint=_ELSEWHERE)
        if file in below or file.startswith(inside):
            owner = below[file][2] if file in below else "the environment"
            raise UsageError(f"include: /{file} belongs to {owner}", hint=_ELSEWHERE)
    for folder in sorted(above):
        if folder in below:
            raise UsageError(
                f"include: /{folder} is no folder but belongs to {below[folder][2]}", hint=_ELSEWHERE
            )
    return {folder: folders[folder] for folder in sorted(above) if folder in folders}


def is_free(folder: str, layers: Iterable[Sequence[Path]], reserved: Collection[str]) -> bool:
    """See whether anything that is put into a folder has room there, whatever it is called.

    Args:
        folder: without slashes at its ends.
        layers: the paths of the layers below.
        reserved: folders that are the environment's alone.

    Returns:
        Whether nothing of the layers is there or below, and the folders above are 0755 and root's, no links.

    """
    around = {folder, *parents(folder)}
    inside = f"{folder}/"
    if not folder or any(path in around or path.startswith(inside) for path in reserved):
        return False
    # Folders that are 0755 and root's are not in the lists, and do not matter.
    return not any(entry[0] in around or entry[0].startswith(inside) for layer in layers for entry in layer)


_ELSEWHERE = "choose another [image] workdir"
