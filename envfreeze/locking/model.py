"""`Lock`: what exactly the project gets, in values. Reading and writing the files is in `files`.

Nothing here looks at the host, a clock or the network.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from envfreeze.digest import Digest
    from envfreeze.oci.platform import Platform

SCHEMA = 1
"""The version of `envfreeze.lock`'s own format."""

WRITER = 1
"""The version of all rules that shape bytes of an image (docs/formats/writer-1.md)."""

PREFIX = "opt/venv"
"""Where the Python environment lives in the image, without the leading slash, where Python is the base's."""

CONDA_PREFIX = "opt/conda"
"""Where conda packages live in the image, without the leading slash."""


@dataclass(frozen=True, slots=True)
class Wheel:
    """A locked wheel.

    Attributes:
        name: normalised name (PEP 503).
        version: as the wheel's file name has it, normalised (PEP 440).
        filename: the wheel's file name.
        digest: sha256 of the file.
        size: bytes; None where the index does not say.
        url: where it is fetched from: http(s) or file; credentials never stand in it.
        requested: the project asks for it by name (pip's REQUESTED marker).
        direct: the project names this very URL (PEP 610 direct_url.json).
        index: URL of the index that it was taken from, without credentials, where the project has several;
            None: it has one, or the wheel comes from none.

    """

    name: str
    version: str
    filename: str
    digest: Digest
    size: int | None
    url: str
    requested: bool = False
    direct: bool = False
    index: str | None = None


@dataclass(frozen=True, slots=True)
class Deb:
    """A locked Debian package.

    Attributes:
        name: its name.
        version: with epoch and revision.
        architecture: `amd64`, `arm64` or `all`.
        filename: path in the archive's pool, relative to the archive's root.
        digest: sha256 of the .deb.
        size: bytes.
        archive: `name` of the `Archive` it comes from.
        requested: named by the seed, by Python's own needs or by the project, not only a dependency.

    """

    name: str
    version: str
    architecture: str
    filename: str
    digest: Digest
    size: int
    archive: str
    requested: bool = False


@dataclass(frozen=True, slots=True)
class Archive:
    """An apt archive that debs come from.

    Attributes:
        name: `debian`, `debian-security`, or for further archives their host and path.
        locations: roots under which `Deb.filename` is found, in the order to try: the mirror, then the
            snapshot archive at the locked index's date.

    """

    name: str
    locations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class AptIndex:
    """A signed index that the OS packages were resolved from.

    Attributes:
        archive: `name` of its `Archive`.
        suite: `trixie`, `trixie-updates`, ...
        components: read components.
        date: the Release file's `Date` as ISO 8601 in UTC (`2026-09-12T07:55:41Z`).
        digest: sha256 of the InRelease file.

    """

    archive: str
    suite: str
    components: tuple[str, ...]
    date: str
    digest: Digest


@dataclass(frozen=True, slots=True)
class AptBase:
    """A base assembled from a suite's packages.

    Attributes:
        reference: `apt:debian/trixie`.
        archives: sorted by name.
        indexes: in the order of the suites' precedence.
        packages: the closure, sorted by name.
        notes: what the user was warned of, one sentence each, sorted (maintainer scripts not run, ...).

    """

    reference: str
    archives: tuple[Archive, ...]
    indexes: tuple[AptIndex, ...]
    packages: tuple[Deb, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CondaPackage:
    """A locked conda package.

    Attributes:
        name: its name.
        version: its version.
        build: the build string, `py313h1234567_0`.
        build_number: the build number.
        subdir: `linux-64`, `linux-aarch64` or `noarch`.
        channel: the channel's URL without subdir, without a trailing slash and without credentials.
        filename: `numpy-2.3.0-py313h1234567_0.conda` or `.tar.bz2`.
        digest: sha256 of the file.
        md5: as the channel states it, in hex, None where it does not: conda-lock's explicit files hold it.
        size: bytes; None where the channel does not say.
        url: where it is fetched from: http(s) or file; credentials never stand in it.
        depends: match specs, as the channel states them.
        constrains: match specs, likewise.
        noarch: `python` or `generic`; None for a package of one platform.
        requested: the project asks for it by name.

    """

    name: str
    version: str
    build: str
    build_number: int
    subdir: str
    channel: str
    filename: str
    digest: Digest
    md5: str | None
    size: int | None
    url: str
    depends: tuple[str, ...] = ()
    constrains: tuple[str, ...] = ()
    noarch: str | None = None
    requested: bool = False


@dataclass(frozen=True, slots=True)
class LayerSeal:
    """What a sealed lock says of a layer: digests of the blob and of its tar, the blob's size in bytes."""

    digest: Digest
    diff_id: Digest
    size: int


@dataclass(frozen=True, slots=True)
class PlannedLayer:
    """One layer of the plan.

    Attributes:
        kind: `debs`, `system`, `wheels` or `environment`. Project files are not planned: they are not locked.
        name: unique in the target, like `debs-03`, `deb-perl-base`, `system`, `wheel-torch`, `environment`.
        packages: names of the debs or wheels in it, sorted; empty for `system` and `environment`.
        seal: None where the lock is not sealed.

    """

    kind: str
    name: str
    packages: tuple[str, ...]
    seal: LayerSeal | None = None


@dataclass(frozen=True, slots=True)
class Target:
    """Everything for one platform.

    Attributes:
        platform: of the image.
        python: the exact version, `3.13.5`.
        glibc: `2.41`.
        manylinux: the newest level whose wheels are accepted, `manylinux_2_40`.
        base: the OS side.
        wheels: the pip side, sorted by name.
        conda: the conda side, sorted by name; empty without one.
        layers: the plan, in the order of the image's layers.
        manifest: digest of the environment image's manifest where the lock is sealed, else None.

    """

    platform: Platform
    python: str
    glibc: str
    manylinux: str
    base: AptBase
    wheels: tuple[Wheel, ...]
    layers: tuple[PlannedLayer, ...] = ()
    manifest: Digest | None = None
    conda: tuple[CondaPackage, ...] = ()

    @property
    def prefix(self) -> str:
        """Where the environment that Python runs in lives in the image, without the leading slash."""
        return CONDA_PREFIX if any(package.name == "python" for package in self.conda) else PREFIX

    @property
    def python_minor(self) -> str:
        """`3.13` of `3.13.5`."""
        return ".".join(self.python.split(".")[:2])

    @property
    def site_packages(self) -> str:
        """Where wheels go, without the leading slash."""
        return f"{self.prefix}/lib/python{self.python_minor}/site-packages"


@dataclass(frozen=True, slots=True)
class Runtime:
    """What the image's config says beyond its layers, as the project asked for it, in sorted order.

    Attributes:
        env: environment variables of the project and of `[entropy]`, without PATH and VIRTUAL_ENV.
        labels: labels.
        include: project files to copy in.
        user: as in `ImageSettings`.
        workdir: as in `ImageSettings`.
        entrypoint: as in `ImageSettings`.
        cmd: as in `ImageSettings`.

    """

    env: Mapping[str, str]
    labels: Mapping[str, str]
    include: tuple[str, ...]
    user: str | None
    workdir: str
    entrypoint: tuple[str, ...] | None
    cmd: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Lock:
    """What exactly the project gets.

    Attributes:
        schema: `SCHEMA` when it was written.
        writer: the version of the byte rules that its images follow.
        inputs: name to sha256 of every input of `Project.inputs`.
        exclude_newer: cutoff of the package index, ISO 8601, None without one.
        runtime: the image's config.
        targets: one per platform, in the project's order.

    """

    schema: int
    writer: int
    inputs: Mapping[str, Digest]
    exclude_newer: str | None
    runtime: Runtime
    targets: tuple[Target, ...]

    @property
    def sealed(self) -> bool:
        """Whether every target's digests stand in the lock."""
        return all(target.manifest is not None for target in self.targets)
