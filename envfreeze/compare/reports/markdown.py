"""A verdict as Markdown, for a comment on a pull request: short, with the rest folded away."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from envfreeze.compare.model import Level
from envfreeze.compare.reports import by_place, remedies
from envfreeze.compare.reports.document import printable
from envfreeze.compare.reports.text import summary

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from envfreeze.compare.model import Finding
    from envfreeze.compare.reports import Report

_LONGEST: Final = 60_000
"""Characters: GitHub takes 65,536 in a comment."""

_SPECIAL: Final = re.compile(r"([\\`*_{}\[\]()#+!|<>~&@-])")


def write(report: Report) -> str:
    """Write it."""
    verdict = report.verdict
    mark = "✅" if report.reached else "❌"
    written = [
        f"### {mark} envfreeze: {verdict.level.value}",
        "",
        f"{_code(report.reference)} → {_code(report.rebuilt)}, wanted: {report.wanted.value}",
        "",
        "| | digest |",
        "|---|---|",
        f"| reference | `{verdict.reference}` |",
        f"| rebuilt | `{verdict.rebuilt}` |",
    ]
    if verdict.level is Level.IDENTICAL and not verdict.findings:
        return "\n".join(written)
    written += ["", f"{escaped(summary(report))}."]
    packages = [one for one in verdict.findings if one.path is None and one.package is not None]
    if packages:
        written += ["", "| package | was → is | |", "|---|---|---|"]
        written += [
            f"| {escaped(one.package or '')} | {escaped(one.what)} | {escaped(one.cause.text)} |"
            for one in packages
        ]
    written += _causes(verdict.findings)
    rest = [one for one in verdict.findings if one not in packages] if packages else list(verdict.findings)
    return "\n".join(_within(written, rest))


def escaped(text: str) -> str:
    """Text that Markdown shows as it is, on one line."""
    return _SPECIAL.sub(r"\\\1", printable(text))


def _code(text: str) -> str:
    shown = printable(text)
    fence = "`" * (max((len(run) for run in re.findall(r"`+", shown)), default=0) + 1)
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def _causes(findings: Sequence[Finding]) -> Iterator[str]:
    found = remedies(findings)
    if found:
        yield ""
        yield "**What to do**"
        yield ""
        for cause in found:
            yield f"- {escaped(cause.text or cause.name)}: {escaped(cause.remedy)}"


def _within(head: list[str], findings: Sequence[Finding]) -> Iterator[str]:
    """The head, and as many findings as there is room for, folded by layer."""
    yield from head
    used = sum(len(line) + 1 for line in head)
    left = len(findings)
    for place, ones in by_place(findings).items():
        opening = ["", f"<details><summary>{_html(place)}: {len(ones)}</summary>", ""]
        body: list[str] = []
        for one in ones:
            piece = _finding(one)
            size = sum(len(line) + 1 for line in (*opening, *piece, "", "</details>"))
            if used + sum(len(line) + 1 for line in body) + size > _LONGEST:
                break
            body += piece
            left -= 1
        if body:
            yield from (*opening, *body, "", "</details>")
            used += sum(len(line) + 1 for line in (*opening, *body, "", "</details>"))
    if left:
        yield ""
        yield f"{left} more differences are not listed here."


def _finding(one: Finding) -> list[str]:
    where = "" if one.path is None else f"{_code(one.path)} "
    owner = "" if one.package is None else f"({escaped(one.package)}) "
    cause = f" — {escaped(one.cause.text)}" if one.cause.text else ""
    written = [f"- {where}{owner}{escaped(one.what)}{cause}"]
    if one.details:
        fence = "`" * max(
            3, *(len(run) + 1 for line in one.details for run in re.findall(r"`+", line) or [""])
        )
        written += [f"  {fence}diff", *(f"  {printable(line)}" for line in one.details), f"  {fence}"]
    return written


def _html(text: str) -> str:
    from html import escape  # noqa: PLC0415 - here only

    return escape(printable(text))
