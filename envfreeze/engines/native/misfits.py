"""Wheels that say of themselves that they are not for the image's Python (`Requires-Python`).

uv leaves upper bounds out of account (`>=3.9,<3.13`), so such a wheel can be locked, and it often works. But
pip refuses to install it, and whoever builds the image should know that its authors did not mean it to run
there.
What a wheel says is known once it was opened; of one whose layer is taken ready-made it may not be known.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from envfreeze.engines.native import known

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envfreeze.locking.model import Target
    from envfreeze.store.cache import Cache


def notes(cache: Cache, target: Target) -> Iterator[str]:
    """Name the wheels of a target that are not for its Python, one sentence each."""
    for wheel in target.wheels:
        requires = known.recall_requires_python(cache, wheel)
        if requires and not _is_for(requires, target.python):
            yield (
                f"{wheel.name} {wheel.version} is for Python {requires}, and the image has {target.python}: "
                "uv locks it all the same, pip would not install it; a limit takes another version, as in "
                f"`{wheel.name}<{wheel.version}`"
            )


def _is_for(requires: str, python: str) -> bool:
    try:
        return SpecifierSet(requires).contains(python, prereleases=True)
    except InvalidSpecifier:
        return True  # installers pass over what they cannot read
