"""A verdict as a JSON document."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from envfreeze.compare.model import Finding
    from envfreeze.compare.reports import Report


def write(report: Report) -> str:
    """Write it on one line."""
    return json.dumps(document(report))


def document(report: Report) -> dict[str, Any]:
    """Give a verdict the shape that docs/reference/cli.md describes."""
    verdict = report.verdict
    return {
        "verdict": verdict.level.value,
        "wanted": report.wanted.value,
        "reached": report.reached,
        "reference": str(verdict.reference),
        "rebuilt": str(verdict.rebuilt),
        "names": {"reference": report.reference, "rebuilt": report.rebuilt},
        "counts": {kind.value: count for kind, count in sorted(verdict.counts.items(), key=_by_name)},
        "omitted": verdict.omitted,
        "findings": [of_finding(one) for one in verdict.findings],
        "layers_read": verdict.layers_read,
        "seconds": round(report.seconds, 3),
    }


def _by_name(item: tuple[Any, int]) -> str:
    return str(item[0].value)


def of_finding(one: Finding) -> dict[str, Any]:
    """Give a finding its shape."""
    return {
        "kind": one.kind.value,
        "level": one.level.value,
        "platform": one.platform or None,
        "layer": one.layer,
        "package": one.package,
        "path": None if one.path is None else printable(one.path),
        "what": printable(one.what),
        "cause": one.cause.text,
        "cause_name": one.cause.name,
        "remedy": one.cause.remedy,
        "details": [printable(line) for line in one.details],
    }


def printable(text: str) -> str:
    """Text that can be shown anywhere: what is no text, and what a terminal would obey, is escaped."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape", "surrogatepass").decode()
        for char in text
    )
