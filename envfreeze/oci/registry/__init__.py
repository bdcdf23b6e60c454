"""Images in registries, read and written over the OCI distribution API.

    tags("nvidia/cuda")                                   the tags of a repository
    resolve("debian:trixie", Platform.parse(...))         which manifest that is now: `Pulled`
    Registries                                            the connection under all, and blobs into the cache
    push.push(image, "registry.example.org/team/train:v1")    an image into a registry: `Pushed`

`docs/decisions/registries.md` says why the client is envfreeze's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from envfreeze.oci.registry.connection import Registries
    from envfreeze.oci.registry.image import Pulled, RegistryLayer, resolve, tags

__all__ = ["Pulled", "Registries", "RegistryLayer", "resolve", "tags"]

_HOMES = {"Registries": "connection"}


def __getattr__(name: str) -> object:
    import importlib  # noqa: PLC0415 - only when a registry is asked

    if name not in __all__:
        msg = f"module {__name__!r} has no attribute {name!r}"
        raise AttributeError(msg)
    return getattr(importlib.import_module(f"{__name__}.{_HOMES.get(name, 'image')}"), name)
