"""Small facts, kept by rule and key: what computing them again would cost, and nothing that cannot be lost.

A fact's file says what it is a fact about and carries a digest of itself, so that one damaged by a power
cut or a bad disk is not believed.
"""

from __future__ import annotations

import hashlib
import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def place(folder: Path, rule: str, key: str) -> Path:
    """The file of a fact; the rule's name is part of the path for people only, the hash tells facts apart."""
    name = hashlib.sha256(json.dumps([rule, key]).encode()).hexdigest()
    shown = re.sub(r"[^A-Za-z0-9._-]", "-", rule).lstrip(".")[:64] or "-"
    return folder / shown / name[:2] / f"{name}.json"


def write(rule: str, key: str, fact: Mapping[str, Any]) -> bytes:
    """A fact's file.

    Raises:
        TypeError: the fact holds something that JSON has not.
        ValueError: it holds a number that JSON has not.

    """
    document = {"rule": rule, "key": key, "fact": dict(fact)}
    return _canonical(document | {"sha256": hashlib.sha256(_canonical(document)).hexdigest()})


def read(content: bytes) -> tuple[str, str, Mapping[str, Any]] | None:
    """Rule, key and fact of a file; None where it is damaged."""
    try:
        document = json.loads(content)
        claimed = document.pop("sha256")
        rule, key, fact = document["rule"], document["key"], document["fact"]
        if hashlib.sha256(_canonical(document)).hexdigest() != claimed:
            return None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None
    return (rule, key, fact) if isinstance(fact, dict) else None


def _canonical(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":"), allow_nan=False).encode()
