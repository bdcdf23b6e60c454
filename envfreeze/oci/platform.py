"""Platforms, in the terms of the OCI image index (image-spec, image-index.md, "platform")."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True, order=True)
class Platform:
    """An operating system and a processor architecture; `str()` gives `linux/amd64`.

    Attributes:
        os: always `linux` today.
        architecture: a GOARCH value: `amd64` or `arm64`.

    """

    os: str
    architecture: str

    SUPPORTED: ClassVar[tuple[str, ...]] = ("linux/amd64", "linux/arm64")
    _MACHINES: ClassVar[dict[str, str]] = {"amd64": "x86_64", "arm64": "aarch64"}
    _MULTIARCH: ClassVar[dict[str, str]] = {"amd64": "x86_64-linux-gnu", "arm64": "aarch64-linux-gnu"}

    def __str__(self) -> str:
        return f"{self.os}/{self.architecture}"

    @classmethod
    def parse(cls, text: str) -> Platform:
        """Read `linux/amd64` or `linux/arm64`.

        Raises:
            ValueError: the platform is not one that images can be made for.

        """
        if text not in cls.SUPPORTED:
            msg = f"unknown platform {text!r}; known are {', '.join(cls.SUPPORTED)}"
            raise ValueError(msg)
        os, architecture = text.split("/")
        return cls(os, architecture)

    @classmethod
    def host(cls) -> Platform:
        """The platform of this machine, for what runs here; never for what is locked."""
        import platform  # noqa: PLC0415 - only where something is to run here

        machines = {machine: architecture for architecture, machine in cls._MACHINES.items()}
        return cls("linux", machines.get(platform.machine(), platform.machine()))

    @property
    def slug(self) -> str:
        """The platform as part of a file name: `linux-amd64`."""
        return f"{self.os}-{self.architecture}"

    @property
    def machine(self) -> str:
        """What `platform.machine()` says there: `x86_64` or `aarch64`."""
        return self._MACHINES[self.architecture]

    @property
    def multiarch(self) -> str:
        """Debian's multiarch triplet: `x86_64-linux-gnu`."""
        return self._MULTIARCH[self.architecture]

    @property
    def debian_architecture(self) -> str:
        """Debian's name of the architecture, which is GOARCH's for both."""
        return self.architecture

    @property
    def conda_subdir(self) -> str:
        """The folder of a conda channel that holds the platform's packages: `linux-64`, `linux-aarch64`."""
        return {"amd64": "linux-64", "arm64": "linux-aarch64"}[self.architecture]

    @property
    def variant(self) -> str | None:
        """The processor variant that image indexes state: `v8` for arm64."""
        return "v8" if self.architecture == "arm64" else None
