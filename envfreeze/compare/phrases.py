"""What a difference was and what it is, in a few words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from envfreeze.compare.model import Kind

if TYPE_CHECKING:
    from envfreeze.compare.entries import Entry
    from envfreeze.compare.trees import Difference

_HEX = 12


def phrase(kind: Kind, one: Difference) -> str:
    """Say it: `mode 0644 -> 0755`."""
    name: str = kind.value
    if kind is Kind.HIDDEN:
        return "differs where a layer above, which both images have, hides it"
    if one.is_deletion:
        side = "the rebuilt image" if one.side else "the reference"
        all_of = "all that is in it" if kind is Kind.OPAQUE else "it"
        nothing = ", and nothing is there" if kind is Kind.IDLE_WHITEOUT else ""
        return f"{side} deletes {all_of} from the layers below{nothing}"
    if one.new is None:
        return name if one.old is None else _alone(kind, one.old, "reference")
    if one.old is None:
        return _alone(kind, one.new, "rebuilt image")
    return f"{name} {_shown(kind, one.old)} -> {_shown(kind, one.new)}"


def _alone(kind: Kind, entry: Entry, where: str) -> str:
    if kind is Kind.TAR_FORMAT:
        return f"a directory that only the {where} lists, and both have"
    size = f", {entry.size} bytes" if entry.content else ""
    link = f" to {entry.link}" if entry.link else ""
    return f"only in the {where}: {entry.type.value}{link}{size}"


def _shown(kind: Kind, entry: Entry) -> str:  # noqa: PLR0911 - one line for each kind
    match kind:
        case Kind.CONTENT:
            return f"{entry.content.hex()[:_HEX] or 'none'} ({entry.size} bytes)"
        case Kind.TYPE:
            return entry.type.value + (f" to {entry.link}" if entry.link else "")
        case Kind.LINK:
            return entry.link or "none"
        case Kind.HARD_LINK:
            return f"one file with {entry.peers}" if entry.peers else "a file of its own"
        case Kind.DEVICE:
            return "{}:{}".format(*entry.device)
        case Kind.XATTR:
            return ", ".join(f"{key}={value!r}" for key, value in entry.xattrs) or "none"
        case Kind.MODE:
            return f"{entry.mode:04o}"
        case Kind.OWNER:
            return f"{entry.uid}:{entry.gid}"
        case Kind.TIME:
            return _moment(entry.mtime)
        case _:
            return entry.type.value


def _moment(seconds: float) -> str:
    try:
        moment = datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return f"{seconds:g}"
    return moment.strftime("%Y-%m-%dT%H:%M:%S" + (".%f" if seconds % 1 else "") + "Z")
