"""The skeleton of the Python environment: what makes the folder a virtual environment (PEP 405).

Where conda provides Python there is none to make: the prefix is an environment of its own. Here also stands
what depends on the project and not on a package, so that a package's layer can be shared by all images that
hold it: conda's history, the REQUESTED markers and direct_url.json (PEP 376, PEP 610).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.layers.conda.record import FOLDER, history
from envfreeze.locking.model import CONDA_PREFIX
from envfreeze.oci import canonical
from envfreeze.oci.entry import directory, file, symlink

if TYPE_CHECKING:
    from collections.abc import Mapping

    from envfreeze.locking.model import Target
    from envfreeze.oci.entry import Entry


def environment_entries(target: Target, dist_infos: Mapping[str, str]) -> list[Entry]:
    """Make the skeleton.

    Args:
        target: the target.
        dist_infos: name of a wheel to the name of its `.dist-info` folder, for every wheel that is
            requested or direct.

    """
    entries = [] if target.prefix == CONDA_PREFIX else _virtual_environment(target)
    entries.append(directory(target.site_packages))
    if target.conda:
        # Who asked for a package is the project's affair, so it is not in the package's own record.
        entries.append(file(f"{CONDA_PREFIX}/{FOLDER}/history", history(target.conda)))
    for wheel in target.wheels:
        if wheel.requested:
            entries.append(file(f"{target.site_packages}/{dist_infos[wheel.name]}/REQUESTED", b""))
        # A file's URL is where a project happens to be checked out.
        if wheel.direct and not wheel.url.startswith("file:"):
            url = {"url": wheel.url, "archive_info": {"hashes": {"sha256": wheel.digest.hex}}}
            text = canonical.dump(url)
            entries.append(file(f"{target.site_packages}/{dist_infos[wheel.name]}/direct_url.json", text))
    return entries


def _virtual_environment(target: Target) -> list[Entry]:
    interpreter = f"/usr/bin/python{target.python_minor}"
    configuration = (
        "home = /usr/bin\n"
        "include-system-site-packages = false\n"
        f"version = {target.python}\n"
        f"executable = {interpreter}\n"
    )
    return [
        file(f"{target.prefix}/pyvenv.cfg", configuration.encode()),
        symlink(f"{target.prefix}/bin/python", interpreter),
        symlink(f"{target.prefix}/bin/python3", "python"),
        symlink(f"{target.prefix}/bin/python{target.python_minor}", "python"),
    ]
