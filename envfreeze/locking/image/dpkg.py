"""The OS packages that are installed in an image, by dpkg's own database (dpkg(1), "FILES").

Images without dpkg (distroless) have a stanza a file in `var/lib/dpkg/status.d` instead.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

from envfreeze.locking.apt.index import described

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envfreeze.locking.apt.index import Package
    from envfreeze.locking.image.inventory import Inventory

STATUS = "var/lib/dpkg/status"
PARTS = "var/lib/dpkg/status.d/"
_INSTALLED = ("ok", "installed")


def stanzas(inventory: Inventory) -> tuple[str, ...]:
    """The stanzas of dpkg's `status` as they stand there, without the empty lines between them."""
    text = (inventory.read(STATUS) or b"").decode("utf-8", "surrogateescape")
    return tuple(stanza.strip("\n") for stanza in text.split("\n\n") if stanza.strip())


def name_of(stanza: str) -> tuple[str, str]:
    """Name and architecture of a stanza."""
    fields = dict.fromkeys(("package", "architecture"), "")
    for line in stanza.split("\n"):
        key, colon, value = line.partition(":")
        if colon and key.lower() in fields and not line[:1].isspace():
            fields[key.lower()] = value.strip()
    return fields["package"], fields["architecture"]


def installed(inventory: Inventory, architecture: str | None = None) -> tuple[Package, ...]:
    """The packages that are installed.

    Args:
        inventory: of the image.
        architecture: Debian's name of it: packages of others do not count; None: all do.

    Raises:
        UntrustedError: the database is not what dpkg writes.

    """
    found = tuple(_installed(inventory))
    return tuple(
        package for package in found if architecture is None or package.architecture in {architecture, "all"}
    )


def _installed(inventory: Inventory) -> Iterator[Package]:
    for stanza in stanzas(inventory):
        package = _package(stanza, bare=False)
        if package is not None:
            yield package
    for path in sorted(inventory.texts):
        if path.startswith(PARTS) and not path.endswith(".md5sums"):
            package = _package(inventory.texts[path].decode("utf-8", "surrogateescape"), bare=True)
            if package is not None:
                yield package


@functools.lru_cache(maxsize=4096)
def _package(stanza: str, *, bare: bool) -> Package | None:
    from debian.deb822 import Deb822  # noqa: PLC0415 - heavy

    fields = Deb822(stanza)
    state = tuple(fields.get("Status", "").split()[1:])
    if (
        "Package" not in fields
        or "Version" not in fields
        or not (state == _INSTALLED or (bare and not state))
    ):
        return None
    return described(fields, where="the base's dpkg status")
