"""What conda packages want done when their environment is activated, which nothing in an image does.

`conda activate` sources `etc/conda/activate.d/*.sh` and reads `etc/conda/env_vars.d/*.json`. A container's
command starts without it, so who needs the variables has to set them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.locking.model import CONDA_PREFIX

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from envfreeze.engines.native.owners import Path

_FOLDERS = tuple(f"{CONDA_PREFIX}/etc/conda/{name}/" for name in ("activate.d", "env_vars.d"))


def notes(layers: Iterable[Sequence[Path]]) -> tuple[str, ...]:
    """Name the files that would have been used, in one sentence; () where there are none."""
    found = sorted({f"/{entry[0]}" for layer in layers for entry in layer if entry[0].startswith(_FOLDERS)})
    if not found:
        return ()
    more = f" and {len(found) - 1} more" if len(found) > 1 else ""
    what = f"what {found[0]}{more} would set belongs into [image] env"
    return (f"the conda environment is not activated in the image: {what}",)
