"""What differs between two image configs, field by field."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from envfreeze.compare.model import Finding
from envfreeze.oci import canonical

if TYPE_CHECKING:
    from collections.abc import Iterator

_LAYER = "config"
_ABSENT = "absent"


def compare_configs(reference: bytes, rebuilt: bytes) -> tuple[Finding, ...]:
    """Compare two configs; layers (`rootfs`, `history`) are compared elsewhere.

    Raises:
        UntrustedError: one is not a JSON object.

    """
    old = canonical.parse(reference, "the reference's config")
    new = canonical.parse(rebuilt, "the rebuilt config")
    findings = [
        Finding(_LAYER, None, None, f"{key} {_shown(before)} -> {_shown(after)}", f"{key} differs")
        for key, before, after in _differing(_fields(old), _fields(new))
    ]
    if not findings and reference != rebuilt and old.get("rootfs") == new.get("rootfs"):
        what = "history differs" if old.get("history") != new.get("history") else "same values, other JSON"
        findings.append(Finding(_LAYER, None, None, what, "config written by another tool"))
    return tuple(findings)


def _fields(config: dict[str, Any]) -> dict[str, Any]:
    """The config as flat fields: `Env.PATH`, `Labels.maintainer`, `architecture`."""
    fields = {key: value for key, value in config.items() if key not in {"config", "rootfs", "history"}}
    execution = config.get("config")
    for key, value in (execution if isinstance(execution, dict) else {}).items():
        if key == "Env" and isinstance(value, list):
            names = [str(item).partition("=") for item in value]
            fields |= {f"Env.{name}": text for name, _, text in names}
            fields["Env order"] = [name for name, _, _ in names]
        elif isinstance(value, dict):
            fields |= {f"{key}.{name}": item for name, item in value.items()}
        else:
            fields[key] = value
    return fields


def _differing(old: dict[str, Any], new: dict[str, Any]) -> Iterator[tuple[str, Any, Any]]:
    for key in sorted(old.keys() | new.keys()):
        before, after = old.get(key, _ABSENT), new.get(key, _ABSENT)
        if before == after:
            continue
        if key == "Env order" and (_ABSENT in (before, after) or sorted(before) != sorted(after)):
            continue  # A variable that is new or gone has been named.
        yield key, before, after


def _shown(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True)
