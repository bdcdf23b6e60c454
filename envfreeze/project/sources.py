"""`[tool.uv.sources]` put into requirements: a URL, a repository or a folder instead of an index.

What an index is assigned to is an `Assignment`; every other source becomes the requirement's URL (PEP 508).
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from envfreeze.errors import UsageError
from envfreeze.project.configuration import PYPROJECT
from envfreeze.project.model import Assignment

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from envfreeze.project.uv_settings import Source

_MACHINES = ("x86_64", "aarch64")
_MINORS = range(9, 16)


def assignments(
    sources: Mapping[str, tuple[Source, ...]], chosen: Collection[str], known: Collection[str]
) -> tuple[Assignment, ...]:
    """Give the packages that sources assign to an index.

    Args:
        sources: by normalised name.
        chosen: normalised names of the extras and groups that the project takes.
        known: names of the indexes.

    Raises:
        UsageError: a source names an index that there is not.

    """
    found = []
    for name, options in sources.items():
        for source in _applying(options, chosen):
            if source.kind != "index":
                continue
            if source.value not in known:
                raise UsageError(
                    f"{PYPROJECT}: tool.uv.sources.{name} names an index that there is not: {source.value}",
                    hint=f"the indexes are: {', '.join(known)}" if known else "write a [[tool.uv.index]]",
                )
            found.append(Assignment(name, source.value, source.marker))
    return tuple(found)


def resolved(
    text: str, sources: Mapping[str, tuple[Source, ...]], chosen: Collection[str], where: str
) -> list[str]:
    """Give a requirement as its sources say; one for each marker that tells them apart.

    Args:
        text: the requirement.
        sources: by normalised name.
        chosen: normalised names of the extras and groups that the project takes.
        where: who names it, for errors.

    Raises:
        UsageError: a source cannot be locked, or none applies to a platform.

    """
    requirement = Requirement(text)
    options = _applying(sources.get(canonicalize_name(requirement.name), ()), chosen)
    if requirement.url or not options or all(source.kind == "index" for source in options):
        return [text]
    _check_covered(options, requirement.name, where)
    return [_with_source(requirement, source, where) for source in options]


def _applying(options: tuple[Source, ...], chosen: Collection[str]) -> list[Source]:
    return [source for source in options if source.only_with is None or source.only_with in chosen]


def _with_source(requirement: Requirement, source: Source, where: str) -> str:
    extras = f"[{','.join(sorted(requirement.extras))}]" if requirement.extras else ""
    markers = [f"({marker})" for marker in (requirement.marker, source.marker) if marker]
    condition = f" ; {' and '.join(markers)}" if markers else ""
    if source.kind == "index":
        return f"{requirement.name}{extras}{requirement.specifier}{condition}"
    return f"{requirement.name}{extras} @ {_url(requirement.name, source, where)}{condition}"


def _url(name: str, source: Source, where: str) -> str:
    folder = source.further.get("subdirectory")
    fragment = f"#subdirectory={quote(str(folder))}" if folder else ""
    if source.kind == "url":
        return source.value + fragment
    if source.kind == "git":
        reference = next(
            (source.further[key] for key in ("rev", "tag", "branch") if key in source.further), ""
        )
        return f"git+{source.value}{f'@{reference}' if reference else ''}{fragment}"
    if source.kind == "path":
        return source.value if source.value.startswith((".", "/")) else f"./{source.value}"
    raise UsageError(
        f"{PYPROJECT}: {where}: tool.uv.sources takes {name} from the workspace, which is not locked",
        hint=f"give its folder: {name} = {{ path = … }}, or name its dependencies instead",
    )


def _check_covered(options: list[Source], name: str, where: str) -> None:
    """Refuse sources whose markers leave a platform open: the requirement would be dropped there."""
    if any(source.marker is None for source in options):
        return
    markers = [Marker(str(source.marker)) for source in options]
    for machine in _MACHINES:
        for minor in _MINORS:
            environment = {
                "platform_machine": machine,
                "platform_system": "Linux",
                "sys_platform": "linux",
                "os_name": "posix",
                "python_version": f"3.{minor}",
                "python_full_version": f"3.{minor}.0",
                "platform_release": "",
                "platform_version": "",
                "implementation_name": "cpython",
                "implementation_version": f"3.{minor}.0",
                "platform_python_implementation": "CPython",
            }
            if not any(marker.evaluate(environment) for marker in markers):
                raise UsageError(
                    f"{PYPROJECT}: {where}: no source of {name} applies to Python 3.{minor} on {machine}",
                    hint="add a source whose marker covers it",
                )


def warned(sources: Mapping[str, tuple[Source, ...]]) -> Iterator[str]:
    """Say which sources are followed only in part."""
    for name, options in sources.items():
        if any(source.further.get("editable") for source in options):
            yield f"{PYPROJECT}: tool.uv.sources.{name} is editable; the image has a copy"
