"""OS packages from signed apt archives: `resolve` a base, and tell whether a locked one is `satisfied`.

A pipeline: the suite (`suites`), where its archives are (`mirrors`), their signed indexes (`indexes`,
`release`, `keyring`), the packages in them (`index`, `relations`), the closure of what was asked for
(`closure`), and the values of the lock (`resolution`).

The functions are loaded when they are first used: what only looks up a suite or compares two versions does
not pay for what fetches indexes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from envfreeze.locking.apt.resolution import AptResolution, resolve, satisfied

__all__ = ["AptResolution", "resolve", "satisfied"]


def __getattr__(name: str) -> object:
    import importlib  # noqa: PLC0415 - only when a function is asked for

    if name not in __all__:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(importlib.import_module(f"{__name__}.resolution"), name)
