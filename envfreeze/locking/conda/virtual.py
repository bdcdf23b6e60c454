"""The virtual packages of a target: what conda asks of the system below it, told by the target alone.

https://docs.conda.io/projects/conda/en/latest/user-guide/tasks/manage-virtual.html. Nothing of the host
enters: neither its kernel nor its driver, and no CONDA_OVERRIDE_* variable.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rattler import GenericVirtualPackage

    from envfreeze.oci.platform import Platform

LINUX = "5.10"
"""The oldest kernel that an image is made for. A kernel is the host's, so this is a promise that the fleet
keeps: Debian 11's, older than any that runs today's drivers, and what conda-lock assumes too."""


def packages(platform: Platform, glibc: str, *, cuda: str | None = None) -> list[GenericVirtualPackage]:
    """The virtual packages of a target.

    Args:
        platform: of the image.
        glibc: the base's, `2.41`.
        cuda: the newest CUDA that the fleet's oldest driver supports; None: no GPU is asked for, and no
            package that needs one is taken.

    """
    from rattler import BuildString, GenericVirtualPackage, PackageName, Version  # noqa: PLC0415 - heavy

    known = [
        ("__unix", "0", "0"),
        ("__linux", LINUX, "0"),
        ("__glibc", glibc, "0"),
        # The oldest processor of the architecture: an image runs on all of them.
        ("__archspec", "1", platform.machine),
    ]
    if cuda is not None:
        known.append(("__cuda", cuda, "0"))
    return [
        GenericVirtualPackage(PackageName(name), Version(version), BuildString(build))
        for name, version, build in known
    ]
