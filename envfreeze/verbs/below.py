"""What is below the Python packages of a platform: its OS side, its conda side, and what they ask of wheels.

Apart from `targets`, since it is imported while uv runs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.errors import ResolutionError
from envfreeze.locking import conda
from envfreeze.locking.pip import PipTarget
from envfreeze.verbs import beside, fitting, os_side

if TYPE_CHECKING:
    from envfreeze.locking.model import Target
    from envfreeze.oci.platform import Platform
    from envfreeze.project.model import Project
    from envfreeze.verbs.os_side import OsSide
    from envfreeze.verbs.wish import Wish


@dataclass(frozen=True, slots=True)
class Sides:
    """What is below the Python packages of a target, and what it asks of them."""

    side: conda.Side
    os: OsSide
    target: PipTarget


def resolved(project: Project, platform: Platform, last: Target | None, wish: Wish) -> Sides:
    """Resolve what is below the Python packages; `last` is what was locked of the platform before."""
    # Whether the base needs a Python shows when conda has been asked, which needs to know the base's glibc.
    own = conda.names_python(project, platform)
    if own or project.conda is None:
        os_side.check_source(project, conda_provides=own)
    side, os = _both(project, platform, last, wish, own=own)
    found = conda.python_of(side.packages)
    if (found is not None) != own:
        side, os = _both(project, platform, last, wish, own=found is not None)
        found = conda.python_of(side.packages)
    os_side.check_source(project, conda_provides=found is not None)
    python = found or os.python
    if python is None:
        raise ResolutionError(
            f"{platform}: whether conda provides Python depends on whether the base does",
            hint="name python in the environment file",
        )
    target = PipTarget(platform=platform, python=python, glibc=os.glibc)
    # Needed later; here it is imported while uv runs.
    import packaging.pylock  # noqa: F401, PLC0415

    from envfreeze.locking import changes  # noqa: F401, PLC0415

    _ = target.tags
    if os.fresh:
        beside.remember(project, target, wish.cache)
        import envfreeze.engines.native.review  # noqa: F401, PLC0415 - heavy
    fitting.prepare()
    return Sides(side, os, target)


def _both(
    project: Project, platform: Platform, last: Target | None, wish: Wish, *, own: bool
) -> tuple[conda.Side, OsSide]:
    """The conda side and the OS side, for a Python that is conda's own or the base's."""
    os = os_side.resolved(project, platform, last, wish, python=not own)
    asked = conda.Wish(
        wish.cache, wish.upgrade, tuple(wish.upgrade_packages), offline=wish.offline, progress=wish.progress
    )
    side = conda.side(
        project,
        platform,
        os.glibc,
        asked,
        pins=() if last is None else last.conda,
        cuda=fitting.newest_cuda(project),
    )
    return side, os
