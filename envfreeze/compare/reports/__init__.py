"""A verdict written down: for people, for programs, for a pull request, for CI, and as a page.

Each form is a module with one function, `write(report) -> str`. Nothing here compares.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from envfreeze.compare.model import Level

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from envfreeze.compare.inventory import Inventory
    from envfreeze.compare.model import Cause, Finding, Verdict

FORMATS: Final = ("text", "json", "markdown", "junit", "html")
"""What a verdict can be written as."""

_ABOVE_ALL: Final = 10


@dataclass(frozen=True, slots=True)
class Report:
    """A verdict, and what is said with it.

    Attributes:
        verdict: the verdict.
        reference: what the reference was named by.
        rebuilt: what the other image was named by.
        wanted: the level that counts as success.
        seconds: how long it took.
        inventories: the other image by package, with its platform; only a page has them.

    """

    verdict: Verdict
    reference: str
    rebuilt: str
    wanted: Level = Level.IDENTICAL
    seconds: float = 0.0
    inventories: Sequence[tuple[str, Inventory]] = ()

    @property
    def reached(self) -> bool:
        """Whether the images are as alike as is wanted."""
        return self.verdict.level.reaches(self.wanted)


def by_place(findings: Iterable[Finding]) -> dict[str, list[Finding]]:
    """Findings by what to call their layer and platform, in the order of the first of each."""
    places: dict[str, list[Finding]] = {}
    for one in findings:
        name = one.layer or "the reference"
        places.setdefault(f"{name} ({one.platform})" if one.platform else name, []).append(one)
    return places


def remedies(findings: Iterable[Finding]) -> tuple[Cause, ...]:
    """The causes that something can be done about, the gravest first."""
    found: dict[str, tuple[int, Cause]] = {}
    for one in findings:
        rank = one.level.rank + (_ABOVE_ALL if one.cause.name == "tampering" else 0)
        if one.cause.remedy and found.get(one.cause.name, (-1, one.cause))[0] < rank:
            found[one.cause.name] = rank, one.cause
    return tuple(cause for _, cause in sorted(found.values(), key=lambda item: -item[0]))


def write(report: Report, form: str) -> str:
    """Write a report as one of `FORMATS`, without a newline at the end."""
    from importlib import import_module  # noqa: PLC0415 - one form at a time

    module = import_module(f"{__name__}.{'document' if form == 'json' else form}")
    text: str = module.write(report)
    return text
