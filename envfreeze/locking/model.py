"""`Lock`: what exactly the project gets, in values. Reading and writing the files is in `files`.

Nothing here looks at the host, a clock or the network.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - so that the types of a Struct's fields can be asked for
from dataclasses import dataclass, field

from msgspec import Struct

from envfreeze.digest import Digest
from envfreeze.oci import canonical
from envfreeze.oci.platform import Platform  # noqa: TC001 - likewise

SCHEMA = 1
"""The version of `envfreeze.lock`'s own format."""

WRITER = 1
"""The version of all rules that shape bytes of an image (docs/formats/writer-1.md)."""

PREFIX = "opt/venv"
"""Where the virtual environment lives in the image, without the leading slash."""

PREFIX_BESIDE = "opt/envfreeze/venv"
"""Where it lives on a base that has something else there."""

CONDA_PREFIX = "opt/conda"
"""Where conda packages live in the image, without the leading slash."""

STANDALONE_PREFIX = "opt/python"
"""Where a build of python-build-standalone lives in the image, without the leading slash."""

STANDALONE_PREFIX_BESIDE = "opt/envfreeze/python"
"""Where it lives on a base that has something else there."""


class Source(Struct, frozen=True):
    """Where a wheel that was built, not fetched, comes from, and with what it was built.

    Attributes:
        kind: `sdist` (of an index), `archive` (a URL that the project names), `git` or `directory`.
        url: of the sdist, the archive or the repository, without credentials; of a folder its path relative
            to the project, `.` for the project itself.
        digest: sha256 of the sdist or archive; of a commit or a folder that of the canonical archive of its
            files (docs/formats/lock-1.md).
        size: bytes of the sdist or archive; None where the index does not say, and for the others.
        commit: full id of the commit, for `git`.
        revision: the branch, tag or commit that the project names, for `git`; None: the default branch.
        subdirectory: of the project in the archive or repository; None: its root.
        python: minor version of the interpreter that built it, `3.13`.
        requires: what it was built with (PEP 517, PEP 518), sorted by name.
        notes: what to know of the build, one sentence each, sorted: that it was not isolated, or which
            members two builds do not agree on.
        devel: `Devel.digest` of the stage that it was compiled in; None: it was built without a compiler.

    """

    kind: str
    url: str
    digest: Digest
    size: int | None = None
    commit: str | None = None
    revision: str | None = None
    subdirectory: str | None = None
    python: str = ""
    requires: tuple[Wheel, ...] = ()
    notes: tuple[str, ...] = ()
    devel: Digest | None = None

    def is_of(self, other: Source) -> bool:
        """Whether both are the same source, however each was built."""
        mine = self.kind, self.url, self.digest, self.commit, self.subdirectory
        return mine == (other.kind, other.url, other.digest, other.commit, other.subdirectory)


class Wheel(Struct, frozen=True):
    """A locked wheel.

    Attributes:
        name: normalised name (PEP 503).
        version: as the wheel's file name has it, normalised (PEP 440).
        filename: the wheel's file name.
        digest: sha256 of the file.
        size: bytes; None where the index does not say.
        url: where it is fetched from: http(s) or file; credentials never stand in it. Of a wheel that was
            built: where its source is; a folder as `file:` with its path relative to the project.
        requested: the project asks for it by name (pip's REQUESTED marker).
        direct: the project names this very URL (PEP 610 direct_url.json).
        dependencies: normalised names of what it needs on the target with the extras asked for, sorted: other
            wheels, or what conda provides. Explains the lock, and shapes no byte of an image.
        source: what it was built from; None: it was fetched as it is.
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
    dependencies: tuple[str, ...] = ()
    source: Source | None = None
    index: str | None = None


class Deb(Struct, frozen=True):
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
        depends: names of the locked packages that settle its `Pre-Depends` and `Depends`, sorted. Explains
            the lock, and shapes no byte of an image.

    """

    name: str
    version: str
    architecture: str
    filename: str
    digest: Digest
    size: int
    archive: str
    requested: bool = False
    depends: tuple[str, ...] = ()


class Archive(Struct, frozen=True):
    """An apt archive that debs come from.

    Attributes:
        name: `debian`, `debian-security`, or for a further archive its host and path.
        locations: roots under which `Deb.filename` is found, in the order to try: the mirror, then the
            snapshot archive at the locked index's date.
        key: the OpenPGP certificates that signed a further archive's index, binary: the image's own apt needs
            them. None for the distribution's archives, whose keys are in one of its packages.

    """

    name: str
    locations: tuple[str, ...]
    key: bytes | None = None


class AptIndex(Struct, frozen=True):
    """A signed index that the OS packages were resolved from.

    Attributes:
        archive: `name` of its `Archive`.
        suite: `trixie`, `trixie-updates`, ...; of a flat archive its index's folder, ending in `/`.
        components: read components.
        date: the Release file's `Date` as ISO 8601 in UTC (`2026-09-12T07:55:41Z`).
        digest: sha256 of the InRelease file, or of the Release file where its signature is a file of its own.

    """

    archive: str
    suite: str
    components: tuple[str, ...]
    date: str
    digest: Digest


class AptBase(Struct, frozen=True):
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


class ImageLayer(Struct, frozen=True):
    """A layer of a base that is an image.

    Attributes:
        digest: of the blob.
        diff_id: of the tar inside.
        size: bytes of the blob.
        media_type: of the blob, as the base's manifest has it.

    """

    digest: Digest
    diff_id: Digest
    size: int
    media_type: str


class ImageBase(Struct, frozen=True):
    """A base that is an image of a registry, for the target's platform.

    Attributes:
        reference: as the project writes it, `nvidia/cuda:12.8.1-base-ubuntu24.04`.
        manifest: digest of the image's manifest.
        index: digest of the index that the reference led to; None: it led to the manifest itself.
        config: digest of the image's config.
        config_size: bytes of the config.
        places: repositories that have it, `docker.io/nvidia/cuda`, the one to try first first.
        layers: lowest first.
        env: the variables that the config sets, sorted by name.
        distribution: `ID` of its os-release, `ubuntu`; empty where it has none.
        release: `VERSION_ID` of its os-release, `24.04`; empty where it has none.
        codename: `VERSION_CODENAME` of its os-release, `noble`; empty where it has none.
        interpreter: absolute path of the Python in it that the environment uses; None: the Python comes from
            elsewhere, or conda brings it.

    """

    reference: str
    manifest: Digest
    index: Digest | None
    config: Digest
    config_size: int
    places: tuple[str, ...]
    layers: tuple[ImageLayer, ...]
    env: Mapping[str, str]
    distribution: str = ""
    release: str = ""
    codename: str = ""
    interpreter: str | None = None


class StandalonePython(Struct, frozen=True):
    """A locked build of python-build-standalone.

    Attributes:
        version: exact: `3.12.13`.
        build: the date of the release that it is of, `20260807`.
        filename: `cpython-3.12.13+20260807-x86_64-unknown-linux-gnu-install_only_stripped.tar.gz`.
        digest: sha256 of the file.
        size: bytes.
        urls: where it is fetched from, in the order to try: http(s) or file, without credentials.
        prefix: where it lives in the image, without the leading slash.

    """

    version: str
    build: str
    filename: str
    digest: Digest
    size: int
    urls: tuple[str, ...]
    prefix: str = STANDALONE_PREFIX

    @property
    def release(self) -> str:
        """Version and build, as the file's name has them: `3.12.13+20260807`."""
        return f"{self.version}+{self.build}"

    @property
    def interpreter(self) -> str:
        """Absolute path of its Python in the image."""
        minor = ".".join(self.version.split(".")[:2])
        return f"/{self.prefix}/bin/python{minor}"


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
        allowed_scripts: it may have link scripts; they are installed as files and never run.
        purls: what the channel says that it is elsewhere (`pkg:pypi/torch`). Not part of the lock.

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
    allowed_scripts: bool = False
    purls: tuple[str, ...] = field(default=(), compare=False, repr=False)


class CondaSources(Struct, frozen=True):
    """Where the conda side of a lock comes from, as conda-lock wants to know it.

    Attributes:
        environment: the environment file, relative to the project.
        channels: names or URLs, the most wanted first; `${NAME}` stands for what the environment holds.
        content_hash: by channel folder, what conda-lock computes of the environment file.

    """

    environment: str
    channels: tuple[str, ...]
    content_hash: Mapping[str, str]


class LayerSeal(Struct, frozen=True):
    """What a sealed lock says of a layer: digests of the blob and of its tar, the blob's size in bytes."""

    digest: Digest
    diff_id: Digest
    size: int


class PlannedLayer(Struct, frozen=True):
    """One layer of the plan.

    Attributes:
        kind: `debs`, `system`, `python`, `conda`, `wheels` or `environment`. Project files are not planned:
            they are not locked.
        name: unique in the target, like `debs-03`, `deb-perl-base`, `system`, `wheel-torch`, `environment`.
        packages: names of the debs, conda packages or wheels in it, sorted; empty for `system`, `python` and
            `environment`.
        seal: None where the lock is not sealed.

    """

    kind: str
    name: str
    packages: tuple[str, ...]
    seal: LayerSeal | None = None


class FleetVerdict(Struct, frozen=True):
    """Whether a target runs on one machine of the fleet.

    Attributes:
        driver: the driver asked about, None: none was named.
        gpu: the GPU model asked about, None: none was named.
        word: `gpu.model.Word`.

    """

    driver: str | None
    gpu: str | None
    word: str


class GpuFacts(Struct, frozen=True):
    """What a target brings of CUDA, and what the machines it shall run on say to it.

    Attributes:
        cuda: major and minor version, `12.8`; None: none, although machines with GPUs were named.
        runtime: the CUDA runtime's full version; None: only the minor one is stated.
        toolkit: the newest toolkit release with that runtime; None: the tables do not know it.
        cudnn: version of the packages' cuDNN; None: there is none.
        sources: what states a CUDA version, the one that decided first.
        tables: sha256 of the tables that were asked.
        fleet: the verdicts, in the order of the project's GPUs.
        env: the variables that tell a container runtime what the image needs.
        labels: what the image says of its CUDA to people and their tools.

    """

    cuda: str | None
    runtime: str | None
    toolkit: str | None
    cudnn: str | None
    sources: tuple[str, ...]
    tables: Digest
    fleet: tuple[FleetVerdict, ...]
    env: Mapping[str, str]
    labels: Mapping[str, str] = {}


class Devel(Struct, frozen=True):
    """The stage that wheels are compiled in (`[docker] build`): a system with a compiler.

    Attributes:
        python: the exact version of its Python, which is of the target's minor version.
        glibc: of its C library, no newer than the target's.
        base: the OS packages that it is assembled from, or that are added to `image`.
        image: the image that it is based on; None: it is assembled.
        env: variables of its builds, sorted by name.

    """

    python: str
    glibc: str
    base: AptBase
    image: ImageBase | None = None
    env: Mapping[str, str] = {}

    @property
    def digest(self) -> Digest:
        """What stands for it: the sha256 of all that its bytes depend on, as canonical JSON."""
        return Digest.of(
            canonical.dump(
                {
                    "python": self.python,
                    "image": None if self.image is None else str(self.image.manifest),
                    "packages": [[deb.name, str(deb.digest)] for deb in self.base.packages],
                    "env": dict(self.env),
                }
            )
        )


class Target(Struct, frozen=True):
    """Everything for one platform.

    Attributes:
        platform: of the image.
        python: the exact version, `3.13.5`.
        glibc: `2.41`.
        manylinux: the newest level whose wheels are accepted, `manylinux_2_40`.
        base: the OS side: the packages that the base is assembled from, or that are added to `image`.
        wheels: the pip side, sorted by name.
        conda: the conda side, sorted by name; empty without one.
        layers: the plan, in the order of the image's layers.
        manifest: digest of the environment image's manifest where the lock is sealed, else None.
        gpu: None where it has no CUDA and no machines with GPUs were named.
        image: the base, where it is an image of a registry; None: it is assembled from packages.
        standalone: the Python, where it is a build of python-build-standalone; None: it comes from the base,
            its distribution or conda.
        environment: where the virtual environment lives in the image, without the leading slash.
        workdir_free: sealed, and nothing of the environment is at the working directory or below it: the
            project's files have room there, whatever they are called.
        devel: what its wheels were compiled in; None: none was.

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
    gpu: GpuFacts | None = None
    image: ImageBase | None = None
    standalone: StandalonePython | None = None
    environment: str = PREFIX
    workdir_free: bool = False
    devel: Devel | None = None

    @property
    def interpreter(self) -> str:
        """Where the Python of a virtual environment is: absolute path in the image."""
        if self.standalone is not None:
            return self.standalone.interpreter
        if self.image is not None and self.image.interpreter is not None:
            return self.image.interpreter
        return f"/usr/bin/python{self.python_minor}"

    @property
    def prefix(self) -> str:
        """Where the environment that Python runs in lives in the image, without the leading slash."""
        return CONDA_PREFIX if any(package.name == "python" for package in self.conda) else self.environment

    @property
    def python_minor(self) -> str:
        """`3.13` of `3.13.5`."""
        return ".".join(self.python.split(".")[:2])

    @property
    def site_packages(self) -> str:
        """Where wheels go, without the leading slash."""
        return f"{self.prefix}/lib/python{self.python_minor}/site-packages"


class Runtime(Struct, frozen=True):
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


class Lock(Struct, frozen=True):
    """What exactly the project gets.

    Attributes:
        schema: `SCHEMA` when it was written.
        writer: the version of the byte rules that its images follow.
        inputs: name to sha256 of every input of `Project.inputs`.
        exclude_newer: cutoff of the package index, ISO 8601, None without one.
        runtime: the image's config.
        targets: one per platform, in the project's order.
        conda: where the conda side comes from; None where no target has one.

    """

    schema: int
    writer: int
    inputs: Mapping[str, Digest]
    exclude_newer: str | None
    runtime: Runtime
    targets: tuple[Target, ...]
    conda: CondaSources | None = None

    @property
    def sealed(self) -> bool:
        """Whether every target's digests stand in the lock."""
        return all(target.manifest is not None for target in self.targets)
