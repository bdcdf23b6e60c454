"""What is locked, held against what the packages themselves say: hashes, sizes, and what each one needs."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from envfreeze.errors import NetworkError, ResolutionError
from envfreeze.locking.imports import offered
from envfreeze.locking.imports.lookup import not_as_locked
from envfreeze.locking.imports.offered import Besides, Question
from envfreeze.locking.imports.picks import REMAKE, check_same, count
from envfreeze.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from envfreeze.locking.imports.lookup import Where
    from envfreeze.locking.imports.model import ImportedLock
    from envfreeze.locking.imports.picks import Pick, Place
    from envfreeze.locking.pip import PipTarget


def check(
    imported: ImportedLock,
    picks: Sequence[Pick],
    extras: Mapping[str, Collection[str]],
    where: Where,
    target: PipTarget,
    place: Place,
    besides: Besides,
) -> tuple[list[Pick], Mapping[str, tuple[str, ...]] | None]:
    """Hold hashes against the index and dependencies against the packages' metadata; fill in sizes.

    Args:
        imported: the lock.
        picks: each with its file.
        extras: by name, extras that are asked for.
        where: which index each package is asked for on.
        target: for what.
        place: where the lock file belongs.
        besides: what is left out on purpose.

    Returns:
        The packages with their sizes, and by name what each needs on the target; None: nobody can be asked.

    Raises:
        ResolutionError: a package that another one needs is not locked, or an index does not have one.
        UntrustedError: an index has another file under a locked name.

    """
    if not picks:
        return [], {}
    names = {one.name for one in picks} | besides.provided.keys()
    pins = tuple(_pin(one, extras.get(one.name, ()), where) for one in picks)
    question = Question(pins, where.usual)
    place.progress.note(f"checking {count(picks)} of {imported.file} against their metadata")
    asking = partial(
        offered.closure,
        target=target,
        folder=place.root,
        besides=besides,
        offline=place.offline,
    )
    try:
        found = where.ask(question, asking)
    except ResolutionError as error:
        raise not_as_locked(imported, error) from error
    except NetworkError as error:
        # Nothing was missing: what is locked can be used, and its files are checked when they are fetched.
        place.progress.warn(
            f"{imported.file} is taken as it is: whether it holds all that its packages need was not "
            f"checked, since {error.message}"
        )
        return list(picks), None
    checked = []
    for one in picks:
        file = one.file
        for offer in found.files.get(one.name, ()):
            if file is not None and offer.filename == file.filename:
                check_same(imported, one.package, offer, frozenset({file.sha256}))
                file = replace(file, size=offer.size if file.size is None else file.size)
        checked.append(replace(one, file=file))
    missing = sorted(found.files.keys() - names)
    if missing:
        users = {name: [user for user in found.needs if name in found.needs[user]] for name in missing}
        raise ResolutionError(
            f"{imported.file} is not whole for {target}: it lacks {', '.join(missing)}",
            details=tuple(f"{', '.join(users[name]) or 'a package'} needs {name}" for name in missing),
            hint=f"add what is missing and {REMAKE}",
        )
    return checked, found.needs


def _pin(one: Pick, extras: Collection[str], where: Where) -> str:
    package, file = one.package, one.file
    url = "" if file is None else file.url or ""
    asked = f"[{','.join(sorted(extras))}]" if extras else ""
    by_url = package.direct or package.tree is not None or url.startswith("file:")
    if not by_url and where.is_usual(package.index):
        return f"{one.name}{asked}=={package.version}"
    return f"{one.name}{asked} @ {url}"
