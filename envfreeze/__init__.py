"""envfreeze: the lock determines the digest.

    project = envfreeze.load(Path("."))
    envfreeze.lock(project)
    digest = envfreeze.build(project).digest
    envfreeze.verify(digest, root=project.root)

The functions are loaded when they are first used, so that importing the package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from envfreeze.project.load import load
    from envfreeze.verbs.attest import attest
    from envfreeze.verbs.bake import bake
    from envfreeze.verbs.build import build
    from envfreeze.verbs.check import check
    from envfreeze.verbs.diff import diff
    from envfreeze.verbs.dockerfile import dockerfile
    from envfreeze.verbs.doctor import doctor
    from envfreeze.verbs.init import init
    from envfreeze.verbs.installed import verify_installed
    from envfreeze.verbs.lock import lock
    from envfreeze.verbs.log import log
    from envfreeze.verbs.outdated import outdated
    from envfreeze.verbs.sbom import sbom
    from envfreeze.verbs.tree import tree
    from envfreeze.verbs.verify import verify
    from envfreeze.verbs.why import why

__all__ = [
    "attest",
    "bake",
    "build",
    "check",
    "diff",
    "dockerfile",
    "doctor",
    "init",
    "load",
    "lock",
    "log",
    "outdated",
    "sbom",
    "tree",
    "verify",
    "verify_installed",
    "why",
]

_MODULES = {
    "bake": "envfreeze.verbs.bake",
    "load": "envfreeze.project.load",
    "attest": "envfreeze.verbs.attest",
    "build": "envfreeze.verbs.build",
    "diff": "envfreeze.verbs.diff",
    "dockerfile": "envfreeze.verbs.dockerfile",
    "doctor": "envfreeze.verbs.doctor",
    "init": "envfreeze.verbs.init",
    "check": "envfreeze.verbs.check",
    "lock": "envfreeze.verbs.lock",
    "outdated": "envfreeze.verbs.outdated",
    "sbom": "envfreeze.verbs.sbom",
    "log": "envfreeze.verbs.log",
    "tree": "envfreeze.verbs.tree",
    "verify": "envfreeze.verbs.verify",
    "verify_installed": "envfreeze.verbs.installed",
    "why": "envfreeze.verbs.why",
}


def __getattr__(name: str) -> object:
    import importlib  # noqa: PLC0415 - only when a function is asked for

    if name not in _MODULES:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(importlib.import_module(_MODULES[name]), name)
