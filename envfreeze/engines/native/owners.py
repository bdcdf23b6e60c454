"""Who owns which path of an image: what happens where two packages want the same one.

Identical content under one path is fine. Different content follows the order of the plan, the later
package wins, and it is reported. A path that leads through another package's symbolic link, or through
its file, is refused: what lies there would depend on who unpacks the image.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.errors import UntrustedError
from envfreeze.oci.entry import Entry, Kind, parents
from envfreeze.oci.gzip import crc32

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from envfreeze.oci.entry import Content

Path = list[str]
"""A path, its kind's name, its owner and what tells its content from another's."""


def listing(owner: str, entries: Iterable[Entry]) -> list[Path]:
    """The paths of a package's entries, without directories."""
    return [
        [entry.path, entry.kind.name, owner, _identity(entry)]
        for entry in entries
        if entry.kind is not Kind.DIRECTORY
    ]


def _identity(entry: Entry) -> str:
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
    for _, entries in packages:
        for entry in entries:
            if entry.kind is Kind.DIRECTORY and entry.path in found:
                continue
            found[entry.path] = entry
    return found


def conflicts(layers: Iterable[Sequence[Path]], settled: Collection[str] = ()) -> tuple[str, ...]:
    """Go through the paths of an image, the lowest layer first, and say what packages overwrite.

    Args:
        layers: the paths of each layer, as `listing` gives them.
        settled: owners among whom nothing is said, since it is settled elsewhere: the OS packages, whose
            `Replaces` decide (layers.system).

    Raises:
        UntrustedError: a path leads through another package's link or file.

    """
    owners: dict[str, Path] = {}
    overwritten: dict[tuple[str, str], list[str]] = {}
    for layer in layers:
        for entry in layer:
            path, kind, owner, identity = entry
            before = owners.get(path)
            differs = before is not None and before[1:] != [kind, before[2], identity] and before[2] != owner
            if before is not None and differs and not {owner, before[2]} <= set(settled):
                overwritten.setdefault((owner, before[2]), []).append(path)
            owners[path] = entry
    for path, entry in owners.items():
        for parent in parents(path):
            through = owners.get(parent)
            if through is not None:
                what = "link" if through[1] == Kind.SYMLINK.name else "file"
                raise UntrustedError(
                    f"{entry[2]} installs /{path} through the {what} /{parent} of {through[2]}",
                    hint="the two cannot be in one image; lock another version of one of them",
                )
    return tuple(
        f"{owner} overwrites {len(paths)} of the files of {other}: /{paths[0]}"
        + (f" and {len(paths) - 1} more" if len(paths) > 1 else "")
        for (owner, other), paths in sorted(overwritten.items())
    )
