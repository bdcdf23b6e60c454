"""Where a repository's documents and blobs are asked for: its mirrors, then the registry itself.

Plain HTTP only on loopback, and there only where no TLS is spoken. A mirror is a registry that serves the
repositories of another under the same names, below a folder of its own perhaps. All that comes from any of
them is held to its digest, or read by tag only from where the tag is asked for.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.errors import UsageError
from envfreeze.oci.reference import HUB, Reference

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

VARIABLE = "ENVFREEZE_REGISTRY_MIRRORS"
"""Names mirrors for this machine: `docker.io=mirror.example.org/hub`, several separated by commas."""

_SERVERS = {HUB: "registry-1.docker.io"}


@dataclass(frozen=True, slots=True)
class Place:
    """A repository on a server.

    Attributes:
        registry: whose login is good there.
        server: host and port that is asked.
        repository: its name there.
        scheme: `https`, or `http` on loopback.

    """

    registry: str
    server: str
    repository: str
    scheme: str

    @property
    def url(self) -> str:
        """What the paths of the distribution API are appended to."""
        return f"{self.scheme}://{self.server}/v2/{self.repository}"

    @property
    def name(self) -> str:
        """Registry and repository, as a reference has them."""
        return f"{self.registry}/{self.repository}"


def scheme(server: str) -> str:
    """What is spoken with a server that was not asked: TLS, except on loopback."""
    return "http" if on_loopback(server) else "https"


def places(
    name: str,
    mirrors: Mapping[str, tuple[str, ...]] | None = None,
    spoken: Callable[[str], str] = scheme,
) -> tuple[Place, ...]:
    """Give where a repository can be had, in the order to try: its mirrors, then the registry itself.

    Args:
        name: registry and repository, as `Reference.name`.
        mirrors: registry to its mirrors, each a host with a folder perhaps.
        spoken: tells the scheme of a server.

    Raises:
        UsageError: a mirror is not what it should be.

    """
    reference = Reference.parse(name)
    found = []
    for mirror in (mirrors or {}).get(reference.registry, ()):
        host, _, folder = mirror.strip("/").partition("/")
        path = f"{folder}/{reference.repository}" if folder else reference.repository
        try:
            moved = Reference.parse(f"{host}/{path}")
        except ValueError:
            moved = reference
        if moved.registry != host.lower():
            raise UsageError(
                f"{mirror!r} is not a registry mirror",
                hint="name its host, with a folder perhaps: mirror.example.org/hub",
            )
        found.append(_place(moved, spoken))
    return tuple(dict.fromkeys((*found, _place(reference, spoken))))


def _place(reference: Reference, spoken: Callable[[str], str]) -> Place:
    server = _SERVERS.get(reference.registry, reference.registry)
    return Place(reference.registry, server, reference.repository, spoken(server))


def of_environment(environ: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """Read the mirrors that the environment names.

    Raises:
        UsageError: the variable is not what it should be.

    """
    found: dict[str, tuple[str, ...]] = {}
    for part in environ.get(VARIABLE, "").split(","):
        registry, equals, mirror = (text.strip() for text in part.partition("="))
        if not part.strip():
            continue
        if not registry or not equals or not mirror:
            raise UsageError(
                f"{VARIABLE}: {part.strip()!r} names no mirror",
                hint=f"{VARIABLE}=docker.io=mirror.example.org/hub,quay.io=mirror.example.org/quay",
            )
        found[registry] = (*found.get(registry, ()), mirror)
    return found


def on_loopback(server: str) -> bool:
    """Whether a server is this machine's own: there plain HTTP may be spoken, as Docker does."""
    host = server.rpartition(":")[0] if server.rpartition(":")[2].isdigit() else server
    host = host.strip("[]")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
