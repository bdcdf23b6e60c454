"""Hashes that the project's own requirements state (`--hash`), held against what an index offers.

uv resolves without looking at them. Here files with other hashes are taken out of its answer before a wheel
is chosen, so that what is locked is what the project meant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from packaging.utils import canonicalize_name

from envfreeze.errors import UntrustedError, UsageError
from envfreeze.locking.markers import holds

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from envfreeze.locking.requirements import Hashed

_SINGLE = ("archive", "sdist")


def hold(
    document: Mapping[str, Any], lines: Iterable[Hashed], environment: Mapping[str, str]
) -> Mapping[str, Any]:
    """Give the answer without the files that the project's hashes rule out.

    Args:
        document: uv's answer.
        lines: of requirements and constraints files, with their hashes.
        environment: the target's; lines whose markers do not hold there are passed over.

    Raises:
        UntrustedError: no file of a package has a hash that its requirement states; all are named.
        UsageError: a requirement states no sha256.

    """
    wanted: dict[str, list[Hashed]] = {}
    for line in lines:
        if not line.sha256:
            raise UsageError(
                f"{line.where}: {line.name} has a hash by {', '.join(sorted(line.others))} only",
                hint="state its sha256: that is what the lock holds files by",
            )
        if holds(line.marker, environment):
            wanted.setdefault(line.name, []).append(line)
    problems: list[str] = []
    packages = [
        _held(package, wanted.get(canonicalize_name(str(package["name"])), ()), problems)
        for package in document.get("packages", ())
    ]
    if problems:
        raise UntrustedError(
            "the index has no file with the hash that a requirement states",
            details=tuple(problems),
            hint="find out whether the file on the index or the hash is wrong before you change the hash",
        )
    return {**document, "packages": packages} if wanted else document


def _held(package: Mapping[str, Any], lines: Iterable[Hashed], problems: list[str]) -> Mapping[str, Any]:
    for line in lines:
        kept = {key: value for key, value in package.items() if key not in {*_SINGLE, "wheels"}}
        for key in _SINGLE:
            if key in package and _sha256(package[key]) in line.sha256:
                kept[key] = package[key]
        if wheels := [file for file in package.get("wheels", ()) if _sha256(file) in line.sha256]:
            kept["wheels"] = wheels
        if not kept.keys() & {*_SINGLE, "wheels"}:
            offered = sorted(filter(None, map(_sha256, _files(package))))
            shown = ", ".join(offered[:3]) + (", …" if len(offered) > len(offered[:3]) else "")
            label = f"{package['name']} {package.get('version', '')}".rstrip()
            problems.append(
                f"{line.where}: {label}: stated sha256 {', '.join(sorted(line.sha256))}; offered {shown}"
            )
            return package
        package = kept
    return package


def _files(package: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [*package.get("wheels", ()), *(package[key] for key in _SINGLE if key in package)]


def _sha256(file: Mapping[str, Any]) -> str:
    return str(file.get("hashes", {}).get("sha256", ""))
