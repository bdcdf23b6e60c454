"""Files that no second build gives again, though all times are equal: what programs leave of themselves.

Each was seen to differ between two builds of one Dockerfile (docs/decisions/docker-engine.md).
"""

from __future__ import annotations

import fnmatch
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from envfreeze.engines.driven.model import EPOCH
from envfreeze.oci.members import Type

if TYPE_CHECKING:
    from collections.abc import Callable

    from envfreeze.oci.members import Content, Member

_DAY = 86400
_LARGEST = 1 << 20
_TODAY = datetime.fromtimestamp(EPOCH, UTC).strftime("%Y-%m-%d")
_REVISION = re.compile(r"^==> (\d{4}-\d\d-\d\d) .*<==$", re.MULTILINE)
_PYC_HEADER = 16
_HASH_BASED = 1
"""Of the flags in the second word of a `.pyc`: its source is named by hash and not by time (PEP 552)."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What may not be in a layer.

    Attributes:
        pattern: of the path, as `fnmatch` reads it; `*` stands for slashes too.
        what: what it is.
        remedy: what a step does against it.
        harmless: whether a file of this path is none of it after all, by its content; None: none is.

    """

    pattern: str
    what: str
    remedy: str
    harmless: Callable[[Member, Content], bool] | None = None


def _empty(member: Member, _: Content) -> bool:
    return member.size == 0


def _hash_based(member: Member, content: Content) -> bool:
    del member
    head = b"".join(content.chunks())[:_PYC_HEADER]
    return len(head) == _PYC_HEADER and bool(int.from_bytes(head[4:8], "little") & _HASH_BASED)


def _no_revision(member: Member, content: Content) -> bool:
    """Whether all of conda's revisions, `==> 1980-01-02 00:00:00 <==`, are of no later day than all files."""
    del member
    days = _REVISION.findall((content.read(_LARGEST) or b"").decode("utf-8", "replace"))
    return bool(days) and all(day <= _TODAY for day in days)


def _no_day(member: Member, content: Content) -> bool:
    """Whether no account's password was set on a later day than all other files have."""
    del member
    data = content.read(_LARGEST)
    rows = (line.split(":") for line in (data or b"").decode("utf-8", "replace").splitlines())
    days = (row[2] for row in rows if len(row) > 2)  # noqa: PLR2004 - name, password, day
    return all(not day.isdigit() or int(day) <= EPOCH // _DAY for day in days)


_APT = "rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/log/apt /var/log/dpkg.log"
_PYC = "set PYTHONDONTWRITEBYTECODE=1, or compile with --invalidation-mode unchecked-hash"

RULES: Final = (
    Rule("*.pyc", "bytecode that names the time of its source", _PYC, _hash_based),
    Rule("*/uv_cache.json", "what uv notes of its cache", "UV_NO_INSTALLER_METADATA=1"),
    Rule("*conda-meta/history", "conda's history, with the day", "rm the file", _no_revision),
    Rule("var/cache/ldconfig/aux-cache", "ldconfig's cache, with inodes and times", "rm the file"),
    Rule("var/cache/apt/*.bin", "apt's cache", _APT),
    Rule("var/lib/apt/lists/*_*", "the archive's index of the day", _APT),
    Rule("var/log/apt/*", "apt's log", _APT, _empty),
    Rule("var/log/dpkg.log", "dpkg's log", _APT, _empty),
    Rule("var/log/alternatives.log", "a log with the day", "rm the file", _empty),
    Rule("var/log/bootstrap.log", "a log with the day", "rm the file", _empty),
    Rule(
        "etc/shadow",
        "an account with the day it was made on",
        "run useradd with SOURCE_DATE_EPOCH set",
        _no_day,
    ),
    Rule("etc/shadow-", "an account with the day it was made on", "rm the file", _no_day),
    Rule("etc/machine-id", "the machine's own name", "truncate the file", _empty),
    Rule("var/lib/dbus/machine-id", "the machine's own name", "rm the file", _empty),
    Rule("etc/ssh/ssh_host_*_key", "a private key made by the build", "rm the file"),
    Rule("var/lib/systemd/random-seed", "random bytes", "rm the file"),
    Rule("*/.cache/pip/*", "pip's cache", "pip install --no-cache-dir"),
    Rule("*/.cache/uv/*", "uv's cache", "UV_NO_CACHE=1"),
    Rule("*/.bash_history", "a shell's history", "rm the file"),
)


def found(member: Member, content: Content) -> Rule | None:
    """The rule that a member of a layer breaks; None: it may stay."""
    if member.type is not Type.FILE:
        return None
    for rule in RULES:
        if fnmatch.fnmatchcase(member.path, rule.pattern):
            if rule.harmless is None or not rule.harmless(member, content):
                return rule
            return None
    return None
