"""The merged-usr layout, in which `/bin`, `/sbin` and `/lib*` are links into `/usr` (DEP 17).

Packages may still ship files under the old names; the kernel would follow the link, a layer must not rely
on one in another layer. So the old names are replaced by the real ones before an entry is made.
"""

from __future__ import annotations

import posixpath

ALIASED = ("bin", "lib", "lib32", "lib64", "libo32", "libx32", "sbin")
"""Top-level directories that are links into `usr/` (base-files' preinst has the same list)."""

_MOVED = {name: f"usr/{name}" for name in ALIASED} | {"var/run": "run", "var/lock": "run/lock"}


def real(path: str) -> str:
    """Give the path that a path of a package has under merged-usr.

    `bin/sh` becomes `usr/bin/sh`; `var/run/x` and `var/lock/x`, which base-files' postinst makes links to
    `/run`, become `run/x` and `run/lock/x`. All other paths stay.
    """
    for old, new in _MOVED.items():
        if path == old or path.startswith(old + "/"):
            return new + path[len(old) :]
    return path


def moved_link(path: str, target: str) -> str:
    """Give the target that a symbolic link needs at its real place to mean what it meant at its old one.

    A relative target is resolved from where the link really lies. One that stays below the moved directory
    (`lib/a/b -> ../c`) means the same there and is kept as written; one that leaves it (`lib/b -> ../etc/c`)
    is written anew from the real place: `../../etc/c`. Absolute targets are kept.
    """
    place = real(path)
    if place == path or target.startswith("/"):
        return target
    meant = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
    found = posixpath.normpath(posixpath.join(posixpath.dirname(place), target))
    if real(meant) == found:
        return target
    return posixpath.relpath(real(meant), posixpath.dirname(place))


def leaves_root(path: str, target: str) -> bool:
    """Say whether a symbolic link's target climbs above the root on its way.

    The kernel stops at the root; a tool that extracts a layer on a host may not.
    """
    depth = 0 if target.startswith("/") else path.count("/")
    for part in target.split("/"):
        if part == "..":
            depth -= 1
        elif part not in {"", "."}:
            depth += 1
        if depth < 0:
            return True
    return False
