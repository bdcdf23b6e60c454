"""Look into the maintainer scripts of the OS packages that are about to be locked.

The scripts are never run. What they do and a rule of ours covers is fine; what they do beyond that is
said, one sentence each, while there is still time to choose another package.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze import __version__

if TYPE_CHECKING:
    from collections.abc import Callable

    from envfreeze.locking.model import AptBase
    from envfreeze.progress import Progress
    from envfreeze.store.cache import Cache

_RULE = f"review-{__version__}"


def review_packages(
    base: AptBase,
    *,
    cache: Cache,
    offline: bool,
    progress: Progress,
    authenticate: Callable[[str], str] = str,
) -> tuple[str, ...]:
    """Review every package of a base; the packages are downloaded, as a build would.

    `authenticate` puts credentials into the URLs of further archives.

    Raises:
        NetworkError: a package cannot be had.
        UntrustedError: a package is not what the index says, or is damaged.

    """
    notes: list[str] = []
    unknown = []
    for deb in base.packages:
        fact = cache.recall(_RULE, str(deb.digest))
        if fact is not None and isinstance(fact.get("notes"), list):
            notes.extend(fact["notes"])
        else:
            unknown.append(deb)
    if not unknown:
        return tuple(sorted(notes))

    from envfreeze.engines.native.artifacts import obtain_debs  # noqa: PLC0415 - not needed where all is known
    from envfreeze.layers.deb import read_control, review  # noqa: PLC0415 - with it

    files = obtain_debs(
        base, unknown, cache=cache, offline=offline, progress=progress, authenticate=authenticate
    )
    for deb in unknown:
        found = review(read_control(files[deb.digest], deb), deb.name)
        cache.remember(_RULE, str(deb.digest), {"notes": list(found)})
        notes.extend(found)
    return tuple(sorted(notes))
