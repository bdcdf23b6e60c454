"""The environment that markers of a target are evaluated in (PEP 508), never that of this machine."""

from __future__ import annotations

from typing import TYPE_CHECKING

from packaging.markers import Marker

if TYPE_CHECKING:
    from collections.abc import Mapping

    from envfreeze.oci.platform import Platform


def environment(platform: Platform, python: str) -> dict[str, str]:
    """Give it for a CPython of a platform.

    Args:
        platform: of the image.
        python: the exact version, `3.13.5`.

    """
    return {
        "implementation_name": "cpython",
        "implementation_version": python,
        "os_name": "posix",
        "platform_machine": platform.machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": python,
        "python_version": ".".join(python.split(".")[:2]),
        "sys_platform": platform.os,
    }


def holds(marker: str | Marker | None, where: Mapping[str, str]) -> bool:
    """Tell whether a marker holds; None always does. No extra is asked for."""
    if marker is None:
        return True
    parsed = Marker(marker) if isinstance(marker, str) else marker
    return parsed.evaluate({**where, "extra": ""})
