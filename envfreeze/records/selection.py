"""Choosing among builds. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from envfreeze.digest import Digest
    from envfreeze.oci.platform import Platform
    from envfreeze.records.listing import Entry

NEVER = "never"
"""Stands for a level where a build was not verified."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which builds are wanted; None: that does not count.

    Attributes:
        digest: of the index, a manifest or a config.
        commits: ids of the commits that were built.
        commit: beginning of the id of the commit, where no repository knows it whole.
        since: the moment from which on, as records write it.
        until: the moment before which.
        engine: name of the engine.
        platform: one of the image's.
        dirty: whether the tree was.
        verified: what the newest verification found: its level, or `NEVER`.

    """

    digest: Digest | None = None
    commits: frozenset[str] | None = None
    commit: str | None = None
    since: str | None = None
    until: str | None = None
    engine: str | None = None
    platform: Platform | None = None
    dirty: bool | None = None
    verified: frozenset[str] | None = None

    def holds(self, entry: Entry, level: str | None) -> bool:
        """Whether a build is wanted, which was verified with this outcome, None: never."""
        return (
            (self.digest is None or entry.names(self.digest))
            and (self.commits is None or entry.commit in self.commits)
            and (self.commit is None or (entry.commit or "").startswith(self.commit))
            and (self.since is None or entry.at >= self.since)
            and (self.until is None or entry.at < self.until)
            and (self.engine is None or entry.engine == self.engine)
            and (self.platform is None or str(self.platform) in [image.platform for image in entry.images])
            and (self.dirty is None or entry.dirty == self.dirty)
            and (self.verified is None or (level or NEVER) in self.verified)
        )
