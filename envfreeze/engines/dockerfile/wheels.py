"""The Python packages: the locked wheels, how pip is told to take these and no others, and what it leaves."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from envfreeze.engines.dockerfile import installer
from envfreeze.engines.dockerfile.fetching import Fetched, in_stages, is_public
from envfreeze.engines.native.artifacts import obtain
from envfreeze.layers.environment import environment_entries
from envfreeze.layers.wheel.scheme import Scheme
from envfreeze.locking import pylock
from envfreeze.locking.model import CONDA_PREFIX
from envfreeze.oci.entry import Kind
from envfreeze.oci.tar import MTIME

if TYPE_CHECKING:
    from envfreeze.engines.dockerfile.means import Means
    from envfreeze.engines.dockerfile.staged import Staged
    from envfreeze.locking.model import Target

REQUIREMENTS = "requirements.lock.txt"
INSTALLED = "installed.json"
PYLOCK = "pylock.toml"
CONFIGURATION = "pyvenv.cfg"

_METADATA = ".dist-info"


@dataclass(frozen=True, slots=True)
class WheelPart:
    """Python packages to install.

    Attributes:
        count: how many.
        prefix: where the environment is: `/opt/venv`.
        interpreter: the Python that it is made of; absolute.
        minor: `3.13`.
        makes: whether the virtual environment has to be made; False where it is there already.
        in_place: they lie among conda's packages, so that they are installed where they stay.
        pip: file name of the wheel of the pip that installs them.
        near: whether wheels are in the folder.
        stages: what the builder downloads, a stage each; () where all is in the folder.

    """

    count: int
    prefix: str
    interpreter: str
    minor: str
    makes: bool
    in_place: bool
    pip: str
    near: bool
    stages: tuple[tuple[Fetched, ...], ...]


def write(target: Target, means: Means, staged: Staged) -> WheelPart | None:
    """Put a target's wheels and all that installs them into the folder; None where there are none.

    Raises:
        NetworkError: a wheel, or the pip, cannot be had.
        UntrustedError: a wheel is not what was locked.

    """
    folder = target.platform.slug
    rendered = pylock.render(target, exclude_newer=means.lock.exclude_newer, folder=means.project.root)
    staged.content(f"{folder}/{PYLOCK}", rendered)
    if not target.wheels and target.prefix == CONDA_PREFIX:
        return None
    far = [
        wheel for wheel in target.wheels if means.fetches and wheel.source is None and is_public(wheel.url)
    ]
    near = [wheel for wheel in target.wheels if wheel not in far]
    files = obtain(
        target,
        (),
        near,
        cache=means.cache,
        root=means.project.root,
        offline=means.offline,
        progress=means.progress,
        authenticate=means.authenticate,
    )
    for wheel in near:
        staged.artifact(f"{folder}/wheels/{wheel.filename}", files[wheel.digest], wheel.digest, wheel.size)
    lines = [f"{wheel.name}=={wheel.version} \\\n    --hash={wheel.digest}\n" for wheel in target.wheels]
    staged.text(f"{folder}/{REQUIREMENTS}", "".join(lines))
    _skeleton(target, staged)
    pip = installer.write(target, means, staged) if target.wheels else ""
    return WheelPart(
        count=len(target.wheels),
        prefix=f"/{target.prefix}",
        interpreter=target.interpreter,
        minor=target.python_minor,
        makes=not target.conda,
        in_place=target.prefix == CONDA_PREFIX,
        pip=pip,
        near=bool(near),
        stages=in_stages([Fetched(wheel.filename, wheel.url, wheel.digest) for wheel in far]),
    )


def _skeleton(target: Target, staged: Staged) -> None:
    """Write what makes the environment one, and what is to stand beside each package's own metadata."""
    folder = target.platform.slug
    # Which folder a package's metadata have says its wheel, which is opened where it is installed.
    names = {wheel.name: f"{wheel.name}{_METADATA}" for wheel in target.wheels}
    beside: dict[str, dict[str, str]] = {name: {} for name in names.values()}
    for entry in environment_entries(target, names):
        above, _, name = entry.path.rpartition("/")
        if entry.kind is not Kind.FILE:
            continue
        text = "" if entry.content is None else bytes(entry.content.data).decode()
        if entry.path == f"{target.prefix}/{CONFIGURATION}" and not target.conda:
            staged.text(f"{folder}/{CONFIGURATION}", text)
        elif above.rpartition("/")[2] in beside:
            beside[above.rpartition("/")[2]][name] = text
    rows = [
        {"name": wheel.name, "file": wheel.filename, "beside": beside[names[wheel.name]]}
        for wheel in target.wheels
    ]
    document: dict[str, Any] = {
        "interpreter": Scheme(target.prefix, target.python_minor).interpreter,
        "prefix": f"/{target.prefix}",
        "python": target.python_minor,
        "site_packages": f"/{target.site_packages}",
        "time": MTIME,
        "wheels": rows,
    }
    staged.text(f"{folder}/{INSTALLED}", json.dumps(document, indent=1, sort_keys=True) + "\n")
