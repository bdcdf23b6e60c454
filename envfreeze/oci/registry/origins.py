"""Which repositories of a registry have a blob, as far as this machine has seen: sources for mounting.

No registry tells, so the cache remembers where blobs were pushed to and taken from. It may be out of date:
a registry that does not find the blob there wants it sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from envfreeze.digest import Digest
    from envfreeze.oci.registry.places import Place
    from envfreeze.store.cache import Cache

_KIND = "blob-origin"
_MOST = 3


def recall(cache: Cache, place: Place, digest: Digest) -> tuple[str, ...]:
    """The repositories of a place's registry, other than itself, that had a blob; the last seen first."""
    fact = cache.recall(_KIND, f"{place.registry} {digest}")
    listed = [] if fact is None else fact.get("repositories", [])
    return tuple(one for one in listed if isinstance(one, str) and one != place.repository)


def remember(cache: Cache, place: Place, digests: Iterable[Digest]) -> None:
    """Note that a repository has blobs."""
    for digest in digests:
        key = f"{place.registry} {digest}"
        fact = cache.recall(_KIND, key) or {}
        known = [one for one in fact.get("repositories", []) if one != place.repository]
        if fact.get("repositories", [])[:1] != [place.repository]:
            cache.remember(_KIND, key, {"repositories": [place.repository, *known][:_MOST]})
