"""What the templates are given: one `Part` for each platform, and what all of them share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from envfreeze.engines.dockerfile import base, debs, wheels
from envfreeze.engines.dockerfile.account import account_of
from envfreeze.engines.dockerfile.settings import settings_of
from envfreeze.oci.tar import MTIME

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from envfreeze.digest import Digest
    from envfreeze.engines.dockerfile.base import BasePart
    from envfreeze.engines.dockerfile.debs import DebPart
    from envfreeze.engines.dockerfile.means import Means
    from envfreeze.engines.dockerfile.project_files import Copies
    from envfreeze.engines.dockerfile.settings import Settings
    from envfreeze.engines.dockerfile.staged import Staged
    from envfreeze.engines.dockerfile.wheels import WheelPart


@dataclass(frozen=True, slots=True)
class Part:
    """One platform of a Dockerfile: a chain of stages.

    Attributes:
        platform: `linux/amd64`.
        suffix: what the names of its stages end in: empty where there is one platform, else `-amd64`.
        folder: where its files are in the build folder.
        base: what it begins with.
        debs: OS packages that are added to an image; None: there are none.
        wheels: Python packages; None: there are none.
        settings: the image's config.
        notes: what the user should know.

    """

    platform: str
    suffix: str
    folder: str
    base: BasePart
    debs: DebPart | None
    wheels: WheelPart | None
    settings: Settings
    notes: tuple[str, ...]


def parts(means: Means, staged: Staged) -> tuple[Part, ...]:
    """Put what each platform is made of into the folder.

    Raises:
        UsageError: the lock has what a Dockerfile cannot say.
        NetworkError: an artifact cannot be had.
        UntrustedError: an artifact is not what was locked.

    """
    found = []
    for target in means.lock.targets:
        folder = target.platform.slug
        made = base.write(target, means, staged)
        added = None if target.image is None else debs.write(target.base, folder, means, staged)
        found.append(
            Part(
                platform=str(target.platform),
                suffix="" if len(means.lock.targets) == 1 else f"-{target.platform.architecture}",
                folder=folder,
                base=made,
                debs=added,
                wheels=wheels.write(target, means, staged),
                settings=settings_of(target, means.lock.runtime, made),
                notes=made.notes,
            )
        )
    return tuple(found)


def values(means: Means, found: Sequence[Part], copies: Copies, lock: Digest) -> Mapping[str, Any]:
    """All that the templates are given, by name."""
    settings = means.settings
    return {
        "lock": str(lock),
        "epoch": MTIME,
        "parts": found,
        "fetches": means.fetches,
        "copies": copies,
        "account": account_of(settings, means.lock.runtime),
        "before": settings.before,
        "after": settings.after,
    }
