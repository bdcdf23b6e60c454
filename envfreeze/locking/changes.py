"""What one lock has that another had not, or had otherwise."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from packaging.version import InvalidVersion, Version

from envfreeze.errors import EnvfreezeError
from envfreeze.locking.apt.relations import sort_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envfreeze.locking.model import CondaPackage, Deb, Lock, Target, Wheel


@dataclass(frozen=True, slots=True)
class Change:
    """What became of a package, or of a whole target.

    Attributes:
        kind: `added`, `removed`, `moved` (another version) or `replaced` (another file of the same version).
        side: `base` (an image, whose versions are the digests of its manifests), `python` (one that is no
            package), `conda`, `pip` or `os`; `target` for a platform that came or went, whose `name` is its
            platform and whose versions are those of its Python.
        platform: `linux/amd64`.
        name: of the package.
        before: version in the last lock, None where added.
        after: version in this lock, None where removed.
        direction: of a move: `up`, `down`, or None where the versions cannot be compared.
        direct: the package was or is asked for by name, and not only needed by another one.

    """

    kind: str
    side: str
    platform: str
    name: str
    before: str | None
    after: str | None
    direction: str | None = None
    direct: bool = False


def between(before: Lock | None, after: Lock) -> tuple[Change, ...]:
    """Compare two locks of a project.

    Args:
        before: the last one; None: there was none, and nothing is compared.
        after: the new one.

    Returns:
        Targets first, then target by target the base, Python and the packages: conda, pip, OS; direct ones
        before the others, then by name. A target that is new has no packages here: all of them are.

    """
    if before is None:
        return ()
    last = {str(target.platform): target for target in before.targets}
    now = {str(target.platform): target for target in after.targets}
    found = [_target("removed", target) for platform, target in last.items() if platform not in now]
    found += [_target("added", target) for platform, target in now.items() if platform not in last]
    for platform, target in now.items():
        if platform in last:
            found += _of_image(last[platform], target)
            found += _of_python(last[platform], target)
            for side in ("conda", "pip", "os"):
                changes = _of_side(side, last[platform], target)
                found += sorted(changes, key=lambda change: (not change.direct, change.name))
    return tuple(found)


def _target(kind: str, target: Target) -> Change:
    platform, added = str(target.platform), kind == "added"
    return Change(
        kind=kind,
        side="target",
        platform=platform,
        name=platform,
        before=None if added else target.python,
        after=target.python if added else None,
        direct=True,
    )


def _of_image(last: Target, now: Target) -> Iterator[Change]:
    """What became of the base: `moved` where its reference stands for another image by now."""
    was, present = last.image, now.image
    if was is None and present is None:
        return
    names = {one.reference for one in (was, present) if one is not None}
    for name in sorted(names):
        before = was.manifest if was is not None and was.reference == name else None
        after = present.manifest if present is not None and present.reference == name else None
        if before != after:
            yield Change(
                kind="moved" if before and after else "removed" if before else "added",
                side="base",
                platform=str(now.platform),
                name=name,
                before=None if before is None else str(before),
                after=None if after is None else str(after),
                direct=True,
            )


def _of_python(last: Target, now: Target) -> Iterator[Change]:
    """What became of a Python that is no package."""
    was, present = last.standalone, now.standalone
    if was == present or (was is not None and present is not None and was.digest == present.digest):
        return
    before = None if was is None else was.release
    after = None if present is None else present.release
    same = before == after
    yield Change(
        kind="added" if before is None else "removed" if after is None else "replaced" if same else "moved",
        side="python",
        platform=str(now.platform),
        name="python",
        before=before,
        after=after,
        direction=None if same else _direction("python", before, after),
        direct=True,
    )


def _of_side(side: str, last: Target, now: Target) -> Iterator[Change]:
    old, new = _packages(side, last), _packages(side, now)
    for name in sorted(old.keys() | new.keys()):
        was, present = old.get(name), new.get(name)
        if was is not None and present is not None:
            if was.version == present.version and was.digest == present.digest:
                continue
            kind = "replaced" if was.version == present.version else "moved"
        else:
            kind = "added" if was is None else "removed"
        whole = kind == "replaced"
        before = None if was is None else _version(was, whole=whole)
        after = None if present is None else _version(present, whole=whole)
        yield Change(
            kind=kind,
            side=side,
            platform=str(now.platform),
            name=name,
            before=before,
            after=after,
            direction=_direction(side, before, after) if kind == "moved" else None,
            direct=any(package is not None and package.requested for package in (was, present)),
        )


def _version(package: CondaPackage | Wheel | Deb, *, whole: bool) -> str:
    """Give the version; for a conda package that only its build string tells apart, that as well."""
    build = getattr(package, "build", "") if whole else ""
    return f"{package.version} {build}".strip()


def _packages(side: str, target: Target) -> dict[str, CondaPackage | Wheel | Deb]:
    packages: tuple[CondaPackage, ...] | tuple[Wheel, ...] | tuple[Deb, ...]
    packages = target.conda if side == "conda" else target.wheels if side == "pip" else target.base.packages
    return {package.name: package for package in packages}


def _direction(side: str, before: str | None, after: str | None) -> str | None:
    if before is None or after is None:
        return None
    with suppress(InvalidVersion, EnvfreezeError, ValueError, ImportError):
        then, now = _order(side, before), _order(side, after)
        return "up" if then < now else "down" if now < then else None
    return None


def _order(side: str, version: str) -> Any:  # noqa: ANN401 - each side has an order of its own
    if side == "os":
        return sort_key(version)
    if side == "conda":
        from rattler import Version as CondaVersion  # noqa: PLC0415 - heavy

        return CondaVersion(version)
    return Version(version)
