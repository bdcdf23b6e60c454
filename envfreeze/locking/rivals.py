"""Packages that more than one index has: which one they were taken from, said aloud.

The first index that knows a package is the only one asked for it, so nobody can slip a newer version of a
private package in by publishing it elsewhere (dependency confusion). But the order of the indexes decides,
and a name that is on two of them is worth a look. Only advice: an index that does not answer is passed over.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.locking import indexes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envfreeze.locking.model import Wheel
    from envfreeze.progress import Progress
    from envfreeze.project.model import Project
    from envfreeze.store.client import Client

_AT_ONCE = 8
_NAMED = 10


def warn(wheels: Sequence[Wheel], project: Project, progress: Progress) -> None:
    """Say which packages were taken from an index before another one that has them too.

    A package that the project assigns to an index is not asked about.
    """
    where = indexes.of_project(project)
    urls = {indexes.without_credentials(url): url for url in where.in_order}
    assigned = {indexes.without_credentials(index.url) for index in where.named if index.explicit}
    if where.default is None:
        # uv's own default is the one that is not known here.
        known = urls.keys() | assigned
        urls |= {wheel.index: wheel.index for wheel in wheels if wheel.index and wheel.index not in known}
    order = list(urls)
    asked = [
        (wheel, later)
        for wheel in wheels
        if wheel.index in urls and wheel.index not in assigned and not _is_assigned(wheel, project)
        for later in order[order.index(wheel.index) + 1 :]
    ]
    if not asked:
        return
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415 - heavy

    from envfreeze.store.client import Client  # noqa: PLC0415 - heavy

    client = Client(connections=_AT_ONCE)
    try:
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            has = list(pool.map(lambda one: _has(client, urls[one[1]], one[0].name, project), asked))
    finally:
        client.close()
    for index in order:
        names = sorted({wheel.name for (wheel, _), found in zip(asked, has, strict=True) if found
                        and wheel.index == index})  # fmt: skip
        if names:
            shown = ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if names[_NAMED:] else "")
            progress.warn(
                f"{shown}: on several indexes, taken from {index}, the first that has them; "
                "say which one is meant with `packages` of a [[pip.index]]"
            )


def _is_assigned(wheel: Wheel, project: Project) -> bool:
    from fnmatch import fnmatchcase  # noqa: PLC0415 - only with several indexes

    return any(fnmatchcase(wheel.name, assignment.packages) for assignment in project.pip.assignments)


def _has(client: Client, index: str, name: str, project: Project) -> bool:
    from envfreeze.store.client import AttemptError  # noqa: PLC0415 - heavy

    url = indexes.authenticate(f"{index.rstrip('/')}/{name}/", project)
    if url.startswith("file:"):
        return False
    try:
        with client.open(url, {"Accept": "application/vnd.pypi.simple.v1+json, text/html;q=0.1"}):
            return True
    except AttemptError:
        return False
