"""What the writing of a build folder works with."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.locking import indexes

if TYPE_CHECKING:
    from envfreeze.locking.model import Lock
    from envfreeze.progress import Progress
    from envfreeze.project.model import DockerSettings, Project
    from envfreeze.store.cache import Cache


@dataclass(frozen=True, slots=True)
class Means:
    """A lock, whose it is, and where things are.

    Attributes:
        lock: the lock.
        project: the project.
        cache: has artifacts and layers, or gets them.
        progress: told what happens.
        offline: fetch nothing.

    """

    lock: Lock
    project: Project
    cache: Cache
    progress: Progress
    offline: bool

    @property
    def settings(self) -> DockerSettings:
        """`[docker]`."""
        return self.project.docker

    @property
    def fetches(self) -> bool:
        """Whether the builder downloads what has a URL, instead of finding it in the folder."""
        return self.settings.network == "default"

    def authenticate(self, url: str) -> str:
        """Put the project's credentials into a locked URL, for a download of ours."""
        return indexes.authenticate(url, self.project)
