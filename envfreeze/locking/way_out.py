"""What to type next where a resolver has no answer: its explanation, read for what helps. Pure.

What is recognised is uv's wording and pip's; where they say something else there is nothing to add.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.specifiers import InvalidSpecifier, SpecifierSet

if TYPE_CHECKING:
    from collections.abc import Callable

    from envfreeze.project.model import Project

_UNKNOWN = re.compile(
    r"\b([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?) was not found in the package registry"
    r"|satisfies the requirement ([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)[^\n]*\(from versions: none\)"
)
_NOWHERE = re.compile(r"was not found in the provided package locations")
_TAGS = re.compile(
    r"we only found wheels for `(?P<name>[^`]+)` \(v?(?P<version>[^)]+)\) "
    r"with the following Python ABI tags?: (?P<tags>[^\n]+)"
)
_MACHINES = re.compile(
    r"Wheels are available for `(?P<name>[^`]+)` \(v?(?P<version>[^)]+)\) on the following platforms?: "
    r"(?P<tags>[^\n]+)"
)
_CPYTHON = re.compile(r"\bcp3(\d+)t?\b")
_RANGE = re.compile(
    r"\b(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)(?:[<>=!]=?[^\s,]+,?)* "
    r"requires Python (?P<range>[<>=!~][0-9.*,<>=!~ ]*)"
)


def hint(said: str, project: Project) -> str | None:
    """Give what to do about a resolution without an answer; None: the explanation tells nothing of this kind.

    Args:
        said: the resolver's explanation, all its lines.
        project: which keys it has to change.

    """
    unknown = dict.fromkeys(name for pair in _UNKNOWN.findall(said) for name in pair if name)
    if unknown:
        return (
            f"check the spelling of {', '.join(unknown)}; what another index has needs that index: "
            "[pip] extra-index-url, or [[pip.index]] name, url, packages"
        )
    if _NOWHERE.search(said):
        return "there is no index (no-index): name the folder that has it, [pip] find-links, or an index"
    if machines := _MACHINES.search(said):
        if "linux" in machines["tags"]:
            return (
                f"take another version of {machines['name']}, or a base or platform that its wheels are for"
            )
        return f"leave it out on Linux, with a marker: {machines['name']}; sys_platform != 'linux'"
    if tags := _TAGS.search(said):
        fitting = {int(minor) for minor in _CPYTHON.findall(tags["tags"])}
        another = _another_python(project, lambda minor: minor in fitting)
        return f"take a version of {tags['name']} that has wheels for this Python" + another
    if needed := _RANGE.search(said):
        try:
            wanted = SpecifierSet(needed["range"].strip(", "))
        except InvalidSpecifier:
            return None
        return f"take a version of {needed['name']} that knows this Python" + _another_python(
            project, lambda minor: _meets(wanted, minor)
        )
    return None


def python(requires_python: str) -> str:
    """Name the setting that gives a Python that fits: ` ([image] python = "3.11")`, or nothing.

    Raises:
        InvalidSpecifier: it is no specifier.

    """
    wanted = SpecifierSet(requires_python)
    found = _nearest(lambda minor: _meets(wanted, minor))
    return f' ([image] python = "{found}")' if found else ""


def _meets(wanted: SpecifierSet, minor: int) -> bool:
    return wanted.contains(f"3.{minor}.99")


def _another_python(project: Project, fits: Callable[[int], bool]) -> str:
    """Say where another Python comes from: conda, where it provides this one, else the setting for it."""
    if project.conda is not None and any(
        re.match(r"python\b(?!-)", spec.text) for specs in project.conda.specs.values() for spec in specs
    ):
        return f", or ask for another `python` in {project.conda.environment}"
    found = _nearest(fits)
    return f', or another Python: [image] python = "{found}"' if found else ""


def _nearest(fits: Callable[[int], bool]) -> str | None:
    """The minor version nearest to the usual one, of those that can be had; None: none fits."""
    from envfreeze.locking.standalone.builds import shipped  # noqa: PLC0415 - only for an error
    from envfreeze.locking.standalone.choice import USUAL  # noqa: PLC0415 - with it
    from envfreeze.oci.platform import Platform  # noqa: PLC0415 - with it

    usual = int(USUAL.partition(".")[2])
    known = {int(build.minor.partition(".")[2]) for build in shipped(Platform.parse("linux/amd64"))}
    fitting = sorted((abs(minor - usual), -minor) for minor in known if fits(minor))
    return f"3.{-fitting[0][1]}" if fitting else None
