"""A verdict for people: what differs by layer, then why and what to do."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from envfreeze.compare.reports import by_place, remedies
from envfreeze.compare.reports.document import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from envfreeze.compare.model import Finding
    from envfreeze.compare.reports import Report

SHOWN: Final = 50
"""Findings that are told; the other forms have all."""

_DETAILS: Final = 12


def write(report: Report) -> str:
    """Write it."""
    return "\n".join(lines(report))


def lines(report: Report) -> list[str]:
    """The verdict's word, then the explanation."""
    return [report.verdict.level.value, *explanation(report)]


def explanation(report: Report) -> list[str]:
    """What differs, and why; empty where nothing does."""
    verdict = report.verdict
    if not verdict.counts and not verdict.findings:
        return []
    told = sorted(verdict.findings, key=lambda one: -one.level.rank)[:SHOWN]
    kept = {id(one) for one in told}
    chosen = [one for one in verdict.findings if id(one) in kept]
    written = ["", summary(report)]
    for where, ones in by_place(chosen).items():
        written += ["", printable(where)]
        for one in ones:
            written += _finding(one)
    left = sum(verdict.counts.values()) - len(chosen)
    if left > 0:
        written += ["", f"and {left} more, which --format json lists"]
    return [*written, *_causes(verdict.findings)]


def summary(report: Report) -> str:
    """How many differences there are of each kind, on one line."""
    counts = report.verdict.counts
    ordered = sorted(counts.items(), key=lambda item: (-item[0].level.rank, item[0].value))
    each = ", ".join(f"{count} {kind.value}" for kind, count in ordered)
    total = sum(counts.values())
    return f"{total} difference{'s' if total != 1 else ''}: {each}" if counts else "no differences"


def _finding(one: Finding) -> Iterator[str]:
    where = "" if one.path is None else f"{printable(one.path)}: "
    owner = "" if one.package is None else f"{one.package}: " if one.path is None else f"[{one.package}] "
    cause = f" ({one.cause.text})" if one.cause.text else ""
    yield f"  {printable(owner)}{where}{printable(one.what)}{cause}"
    for line in one.details[:_DETAILS]:
        yield f"      {printable(line)}"
    if len(one.details) > _DETAILS:
        yield f"      … and {len(one.details) - _DETAILS} more lines"


def _causes(findings: Sequence[Finding]) -> list[str]:
    found = remedies(findings)
    if not found:
        return []
    return ["", "what to do", *(f"  {cause.text or cause.name}: {cause.remedy}" for cause in found)]
