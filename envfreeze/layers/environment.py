"""The skeleton of the Python environment: what makes the folder a virtual environment (PEP 405).

Where conda provides Python there is none to make: the prefix is an environment of its own. Here also stands
what depends on the project and not on a package, so that a package's layer can be shared by all images that
hold it: conda's history, the REQUESTED markers and direct_url.json (PEP 376, PEP 610).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from envfreeze.layers.conda.record import FOLDER, history
from envfreeze.locking.model import CONDA_PREFIX
from envfreeze.oci import canonical
from envfreeze.oci.entry import directory, file, symlink

if TYPE_CHECKING:
    from collections.abc import Mapping

    from envfreeze.locking.model import Source, Target, Wheel
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
        if (origin := _direct_url(wheel)) is not None:
            text = canonical.dump(origin)
            entries.append(file(f"{target.site_packages}/{dist_infos[wheel.name]}/direct_url.json", text))
    return entries


def _virtual_environment(target: Target) -> list[Entry]:
    interpreter = target.interpreter
    configuration = (
        f"home = {interpreter.rpartition('/')[0]}\n"
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


def _direct_url(wheel: Wheel) -> dict[str, Any] | None:
    """Where a wheel comes from that was named by URL (PEP 610); None for one of an index.

    The URL of a folder has the project's folder for its root: where the project happens to be checked out
    must not reach the image.
    """
    if not wheel.direct:
        return None
    source = wheel.source
    if source is not None and source.kind == "directory":
        path = "" if source.url == "." else quote(source.url)
        return {"url": f"file:///{path}", "dir_info": {}, **_within(source)}
    if source is not None and source.kind == "git":
        info = {"vcs": "git", "commit_id": source.commit}
        if source.revision is not None:
            info["requested_revision"] = source.revision
        return {"url": source.url, "vcs_info": info, **_within(source)}
    if wheel.url.startswith("file:"):
        return None
    digest = wheel.digest if source is None else source.digest
    origin = {"url": wheel.url, "archive_info": {"hashes": {"sha256": digest.hex}}}
    return origin if source is None else {**origin, **_within(source)}


def _within(source: Source) -> dict[str, str]:
    return {} if source.subdirectory is None else {"subdirectory": source.subdirectory}
