"""Following symbolic links in a tree that is not on disk, as the kernel does (path_resolution(7))."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_MOST_LINKS = 40
"""As many as the kernel follows."""


def follow(path: str, link: Callable[[str], str | None]) -> str | None:
    """Follow every link of a path.

    Args:
        path: in the tree, without the leading slash.
        link: the target of what stands at a path whose folders are no links; None: it is no link.

    Returns:
        Where it leads, without a leading slash, whether or not something is there; None where the links have
        no end. `..` at the root stays there.

    """
    todo = path.split("/")[::-1]
    done: list[str] = []
    links = 0
    while todo:
        part = todo.pop()
        if part in {"", "."}:
            continue
        if part == "..":
            done = done[:-1]
            continue
        target = link("/".join((*done, part)))
        if target is None:
            done.append(part)
            continue
        links += 1
        if links > _MOST_LINKS:
            return None
        if target.startswith("/"):
            done = []
        todo += target.split("/")[::-1]
    return "/".join(done)
