"""What kind of system an image is: its distribution and its C library."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.errors import EnvfreezeError, UsageError
from envfreeze.locking.apt.resolution import glibc_version
from envfreeze.locking.image import dpkg

if TYPE_CHECKING:
    from envfreeze.locking.image.inventory import Inventory
    from envfreeze.oci.platform import Platform

_FOLDERS = ("lib64", "usr/lib64", "lib", "usr/lib")
"""Where the C library is beside Debian's folders for an architecture (FHS 3.0, 3.10)."""


@dataclass(frozen=True, slots=True)
class Distribution:
    """What os-release(5) says.

    Attributes:
        id: `ID`, `ubuntu`; empty where it does not say.
        release: `VERSION_ID`, `24.04`; likewise.
        codename: `VERSION_CODENAME`, `noble`; likewise.
        name: `PRETTY_NAME`, for people; likewise.

    """

    id: str = ""
    release: str = ""
    codename: str = ""
    name: str = ""

    @property
    def suite(self) -> str:
        """The suite whose packages fit it, as `[image] base` would name it: `apt:ubuntu/noble`."""
        return f"apt:{self.id}/{self.codename}"


def distribution(inventory: Inventory) -> Distribution:
    """Read os-release(5)."""
    content = inventory.read("etc/os-release") or inventory.read("usr/lib/os-release") or b""
    fields: dict[str, str] = {}
    for line in content.decode("utf-8", "replace").splitlines():
        name, equals, value = line.strip().partition("=")
        if equals and not name.startswith("#"):
            try:
                fields[name] = "".join(shlex.split(value))
            except ValueError:
                continue
    return Distribution(
        fields.get("ID", ""),
        fields.get("VERSION_ID", ""),
        fields.get("VERSION_CODENAME", ""),
        fields.get("PRETTY_NAME", ""),
    )


def glibc(inventory: Inventory, reference: str, platform: Platform) -> str:
    """Find out the version of the C library, `2.39`: what the library says of itself, else what dpkg says.

    Only the library that programs are loaded with counts: a compiler's or conda's sysroot has another.

    Raises:
        UsageError: the image has no glibc, so that no wheel of the index fits it.

    """
    for folder in (f"lib/{platform.multiarch}", f"usr/lib/{platform.multiarch}", *_FOLDERS):
        stated = inventory.read(f"{folder}/libc.so.6")
        if stated is not None:
            return stated.decode("ascii")
    for package in dpkg.installed(inventory):
        if package.name == "libc6":
            try:
                return glibc_version(package.version)
            except EnvfreezeError:
                break
    if any(path.rpartition("/")[2].startswith("ld-musl-") for path in inventory.items):
        raise UsageError(
            f"[image] base: {reference} has musl for its C library, and wheels need glibc",
            hint="choose a base with glibc: one of Debian, Ubuntu, Red Hat or SUSE",
        )
    raise UsageError(
        f"[image] base: {reference} has no C library (glibc)",
        hint="choose a base with one; a base without anything is what apt:debian/trixie is for",
    )
