"""The conda packages of a platform as conda's explicit format lists them.

https://docs.conda.io/projects/conda/en/stable/user-guide/tasks/manage-environments.html ("Building identical
conda environments"): `@EXPLICIT`, then a URL for each package with its hash behind a `#`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from envfreeze.locking.model import Target

NAME = "conda.lock"


def explicit(target: Target) -> str:
    """List a target's conda packages, sorted by name, each by its URL and sha256."""
    lines = [f"{package.url}#sha256:{package.digest.hex}\n" for package in target.conda]
    return f"# platform: {target.platform.conda_subdir}\n@EXPLICIT\n" + "".join(lines)
