"""The file that keeps what was learnt of texts: a checksum, then JSON; worth nothing when in doubt.

Lock files are written once for all the builds that share them. Nothing else may be in the file than what
`listing` put there, so a damaged one, or one of another version, is as good as none.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from envfreeze import __version__

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_FORMAT = 1
_LOCK = 9
"""Position of the lock files among a build's fields, after the kind and the line."""

_LENGTHS = {"build": _LOCK + 1, "verification": 5, "damaged": 3}


def read(path: Path | None) -> dict[str, Any]:
    """What was learnt, by text; {} where that is not known."""
    if path is None:
        return {}
    try:
        stated, _, body = path.read_bytes().partition(b"\n")
        if stated != _sum(body):
            return {}
        document = json.loads(body)
        if document["format"] != _FORMAT or document["version"] != __version__:
            return {}
        locks, texts = document["locks"], document["texts"]
        for facts in texts.values():
            for fact in facts:
                if len(fact) != _LENGTHS[fact[0]]:
                    return {}
                if fact[0] == "build":
                    fact[_LOCK] = locks[fact[_LOCK]]
    except (OSError, ValueError, KeyError, TypeError, IndexError, AttributeError, RecursionError):
        return {}
    return dict(texts)


def write(path: Path, texts: Mapping[str, Any]) -> None:
    """Keep what was learnt; where it cannot be written it is not kept."""
    locks: dict[str, int] = {}
    written: dict[str, list[Any]] = {}
    for text, facts in texts.items():
        rows = []
        for fact in facts:
            row = list(fact)
            if row[0] == "build":
                lock = json.dumps(row[_LOCK], sort_keys=True)
                row[_LOCK] = locks.setdefault(lock, len(locks))
            rows.append(row)
        written[text] = rows
    document = {
        "format": _FORMAT,
        "version": __version__,
        "locks": [json.loads(lock) for lock in locks],
        "texts": written,
    }
    body = json.dumps(document, separators=(",", ":")).encode()
    staged = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    with suppress(OSError):
        path.parent.mkdir(exist_ok=True)
        try:
            staged.write_bytes(_sum(body) + b"\n" + body)
            staged.replace(path)
        except BaseException:
            staged.unlink(missing_ok=True)
            raise


def _sum(body: bytes) -> bytes:
    return hashlib.sha256(body).hexdigest().encode()
