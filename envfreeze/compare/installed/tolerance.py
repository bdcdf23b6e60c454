"""What a faithful installer may leave different, and what it may not. Pure.

pip, uv, conda and dpkg each write notes of their own, compile bytecode, make commands' scripts in their own
words and leave modes to the umask (packaging.python.org, "Recording installed projects"; dpkg(1),
`path-exclude`; deb-conffiles(5)). That is told and tolerated; another content is not.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, NamedTuple

from envfreeze.compare import causes, listings, suspects
from envfreeze.compare.entries import Owner
from envfreeze.compare.installed import origins
from envfreeze.compare.model import Kind, Level
from envfreeze.compare.trees import compared
from envfreeze.oci.members import Type

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envfreeze.compare.entries import Entry
    from envfreeze.compare.installed.origins import Origin
    from envfreeze.compare.model import Cause

TOLERATED: Final = Level.PACKAGES
GRAVE: Final = Level.DIFFERENT

_SET_ID: Final = 0o6000
_SPECIAL: Final = 0o7000
_EXECUTABLE: Final = 0o111
_WRITABLE: Final = 0o002
_STICKY: Final = 0o1000
_CAPABILITY: Final = "security.capability"
_PRELOAD: Final = "etc/ld.so.preload"
_DPKG_NOTES: Final = re.compile(r"var/lib/dpkg/info/[^/]+\.(list|md5sums)")
_DPKG: Final = "var/lib/dpkg/"
_MODULE: Final = re.compile(r"etc/python[^/]*/.*\.py")
"""Debian's `sitecustomize`: declared as configuration, and imported whenever Python starts."""

_DOCUMENTATION: Final = re.compile(
    r"usr/share/(doc|doc-base|man|locale|info|lintian|groff|linda|help|omf|gnome/help|calendar)/.*"
)
"""What the official images of Debian and Ubuntu leave out, and who follows them."""

_UNTOLD: Final = frozenset({Kind.TIME, Kind.HARD_LINK})
_CONTENT: Final = frozenset({Kind.TYPE, Kind.CONTENT, Kind.LINK, Kind.DEVICE})


class Ruling(NamedTuple):
    """What is to be said of a path.

    Attributes:
        kind: what differs.
        level: `GRAVE` or `TOLERATED`.
        cause: why, likely.

    """

    kind: Kind
    level: Level
    cause: Cause


def differs(old: Entry, new: Entry) -> bool:
    """Whether two entries of one path differ in what is judged here: not in times, nor in hard links."""
    return any(kind not in _UNTOLD for kind in compared(old, new))


def gives_power(new: Entry) -> bool:
    """Whether a file that nobody owns gives rights, or is loaded into every program (ld.so(8))."""
    capable = _CAPABILITY in dict(new.xattrs)
    is_file = new.type in {Type.FILE, Type.HARDLINK}
    return (is_file and (capable or bool(new.mode & _SET_ID))) or new.path == _PRELOAD


def lets_others_write(new: Entry) -> bool:
    """Whether anybody may put files into a directory, and remove those that are there."""
    return bool(new.mode & _WRITABLE) and not new.mode & _STICKY


def of_missing(origin: Origin, old: Entry) -> Ruling:
    """Judge a path of the lock that the image does not have."""
    note = _note(origin, old.path) or _by_origin(origin, old.path)
    if note is None and _DOCUMENTATION.fullmatch(old.path) and origin.kind in {origins.DPKG, origins.BASE}:
        note = causes.LEFT_OUT
    if note is None and _is_compiled(old.path):
        note = causes.BYTECODE
    if note is None and old.is_directory:
        note = causes.OTHER_BUILDER
    if note is not None:
        return Ruling(Kind.REMOVED, TOLERATED, note)
    cause = causes.PROJECT_FILES if origin.kind == origins.PROJECT else causes.NOT_INSTALLED
    return Ruling(Kind.REMOVED, GRAVE, cause)


def of_changed(origin: Origin, old: Entry, new: Entry, told: Owner | None) -> Iterator[Ruling]:
    """Judge a path that both have.

    Args:
        origin: what of the lock it comes from.
        old: as the lock has it.
        new: as the image has it.
        told: what the image's own list says of it; None: nothing.

    """
    for kind in compared(old, new):
        if kind in _UNTOLD:
            continue
        if kind in _CONTENT:
            yield _of_content(origin, kind, old, new, told)
            if kind is Kind.TYPE:
                return
        elif kind is Kind.MODE:
            level = GRAVE if _is_grave_mode(origin, old, new) else TOLERATED
            yield Ruling(kind, level, _tolerated(origin, level) or causes.PERMISSIONS)
        elif kind is Kind.OWNER:
            level = GRAVE if (old.mode | new.mode) & _SET_ID and not new.is_directory else TOLERATED
            yield Ruling(kind, level, _tolerated(origin, level) or causes.OWNERSHIP)
        else:
            gained = _CAPABILITY in dict(new.xattrs) and not origin.sets_capabilities
            gained = gained and dict(old.xattrs).get(_CAPABILITY) != dict(new.xattrs)[_CAPABILITY]
            level = GRAVE if gained else TOLERATED
            scripted = not gained and origin.sets_capabilities
            yield Ruling(kind, level, causes.MAINTAINER_SCRIPTS if scripted else causes.ATTRIBUTES)


def _of_content(origin: Origin, kind: Kind, old: Entry, new: Entry, told: Owner | None) -> Ruling:
    note = _note(origin, old.path) or _by_origin(origin, old.path)
    if kind is Kind.TYPE and new.type is Type.FILE and _is_put_for_a_link(origin, new):
        note = None
    if note is None and _is_compiled(old.path):
        note = causes.BYTECODE
    if note is not None:
        return Ruling(kind, TOLERATED, note)
    if origin.kind == origins.PROJECT:
        return Ruling(kind, GRAVE, causes.PROJECT_FILES)
    sound = Owner(origin.name, origin.kind, f"sha256:{old.content.hex()}" if old.content else "")
    cause = suspects.of_package_file((old, sound), (new, told))
    return Ruling(kind, GRAVE, cause or causes.CHANGED_AFTER_INSTALL)


def _note(origin: Origin, path: str) -> Cause | None:
    """The cause where a path holds an installer's own notes, or what users may change; None: it does not."""
    if path in origin.conffiles and _MODULE.fullmatch(path) is None:
        return causes.CONFIGURATION_FILE
    if listings.DIST_INFO.match(path) is not None and listings.is_note(path):
        return causes.INSTALLER_METADATA
    if listings.CONDA_META.fullmatch(path) is not None or path.endswith("conda-meta/history"):
        return causes.CONDA_METADATA
    return causes.DPKG_DATABASE if _DPKG_NOTES.fullmatch(path) else None


def _by_origin(origin: Origin, path: str) -> Cause | None:
    """The cause where all of an origin may differ, or where the base is changed by whoever builds on it."""
    if origin.kind == origins.SYSTEM:
        return causes.DPKG_DATABASE if path.startswith(_DPKG) else causes.MAINTAINER_SCRIPTS
    if origin.kind == origins.ENVIRONMENT:
        return causes.OTHER_ENVIRONMENT
    if origin.kind != origins.BASE:
        return None
    if path.startswith(_DPKG) and not path.startswith(f"{_DPKG}info/"):
        return causes.DPKG_DATABASE
    return suspects.by_path(path, Kind.CONTENT)


def _tolerated(origin: Origin, level: Level) -> Cause | None:
    if level is GRAVE:
        return causes.CHANGED_AFTER_INSTALL
    return causes.MAINTAINER_SCRIPTS if origin.kind == origins.SYSTEM else None


def _is_grave_mode(origin: Origin, old: Entry, new: Entry) -> bool:
    """Whether a mode differs in more than a umask makes of it."""
    opened = bool(new.mode & ~old.mode & _WRITABLE)
    if new.is_directory:
        return opened and not new.mode & _STICKY
    special = bool((old.mode ^ new.mode) & _SPECIAL)
    runs = bool(old.mode & _EXECUTABLE) != bool(new.mode & _EXECUTABLE)
    if origin.kind in {origins.SYSTEM, origins.ENVIRONMENT}:
        return opened or bool(new.mode & ~old.mode & _SET_ID)
    return opened or special or runs


def _is_put_for_a_link(origin: Origin, new: Entry) -> bool:
    """Whether a file stands where a link to a program should: to the interpreter, to an alternative."""
    runs = bool(new.mode & _EXECUTABLE) and origin.kind == origins.SYSTEM
    return origin.kind == origins.ENVIRONMENT or runs or gives_power(new)


def _is_compiled(path: str) -> bool:
    return path.endswith(".pyc") and "/__pycache__/" in path
