"""Findings while they are made: all are counted, those that memory has room for are kept."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from envfreeze.compare.model import MOST_FINDINGS, Kind, worst

if TYPE_CHECKING:
    from envfreeze.compare.model import Finding, Level

MOST_OF_ONE_KIND: Final = 5_000
"""Findings of one kind in one layer."""

MOST_TIMES: Final = 100
"""Findings about times in one layer: there they say little, and often all paths have one."""

_FEW: Final = {Kind.TIME: MOST_TIMES, Kind.OWNER_NAME: 1, Kind.REPEATED: MOST_TIMES}


@dataclass(slots=True)
class Collected:
    """The findings of one image.

    Attributes:
        kept: those that are listed.
        counts: how many there are of each kind.
        level: what all of them leave of equality.

    """

    kept: list[Finding] = field(default_factory=list)
    counts: Counter[Kind] = field(default_factory=Counter)
    levels: set[Level] = field(default_factory=set)
    _of_layer: Counter[tuple[Kind, str]] = field(default_factory=Counter)

    def add(self, finding: Finding) -> None:
        """Take one."""
        self.count(finding.kind, finding.level)
        key = finding.kind, finding.layer
        if self._of_layer[key] < _FEW.get(finding.kind, MOST_OF_ONE_KIND) and len(self.kept) < MOST_FINDINGS:
            self._of_layer[key] += 1
            self.kept.append(finding)

    def count(self, kind: Kind, level: Level) -> None:
        """Count one that is not listed."""
        self.counts[kind] += 1
        self.levels.add(level)

    def wants(self, kind: Kind, layer: str) -> bool:
        """Whether one more of a kind in a layer would be listed, so that it is worth explaining."""
        room = _FEW.get(kind, MOST_OF_ONE_KIND)
        return self._of_layer[kind, layer] < room and len(self.kept) < MOST_FINDINGS

    @property
    def level(self) -> Level:
        """What they leave of equality."""
        return worst(self.levels)
