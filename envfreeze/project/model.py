"""`Project`: what the user asks for, read and checked, with every default filled in.

Values only. How a project is found and read is in `load`, the names and types of the keys in `schema`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta
    from pathlib import Path

    from envfreeze.oci.platform import Platform


class AptArchive(Struct, frozen=True):
    """A further apt archive, `[[apt]]`.

    Attributes:
        url: its root, the folder that holds `dists/`; of a flat archive the folder that its packages are in.
            May carry credentials that came from the environment.
        suite: a suite's name, or the folder of a flat archive's index, ending in `/`.
        components: its components, `main` by default; () for a flat archive.
        key: an OpenPGP keyring file, relative to the project.
        platforms: those that it is for; (): all of the image's.

    """

    url: str
    suite: str
    components: tuple[str, ...]
    key: str
    platforms: tuple[Platform, ...] = ()

    def serves(self, platform: Platform) -> bool:
        """Whether it is for a platform."""
        return not self.platforms or platform in self.platforms


class ImageSettings(Struct, frozen=True):
    """`[image]`.

    Attributes:
        base: `apt:<distribution>/<suite>`, or an image reference.
        python: the minor version asked for (`3.13`), None for the base's own.
        platforms: at least one, in the order written.
        env: further environment variables.
        packages: names of OS packages, as written: `git`, or `git=1:2.47.3-0+deb13u1` for that very version.
        mirror: root of the distribution's mirror; None: found out.
        include: project files and folders to copy in, relative POSIX paths, folders with or without `/`.
        user: `name`, `uid` or `uid:gid` that the container runs as; None: root, or an image base's own.
        workdir: absolute path that included files are copied to and commands start in.
        entrypoint: argument list or None.
        cmd: argument list or None.
        labels: the image's labels.
        python_exact: the exact version asked for (`3.13.5`), of the minor version `python`; None: any.
        python_source: where Python comes from: `base`, `distribution`, `standalone` or `conda`; None: it is
            found out.
        python_mirror: where builds of python-build-standalone are fetched from first; None: nowhere else.
        python_index: a list of such builds, as uv has it; None: the one that envfreeze comes with.

    """

    base: str
    python: str | None
    platforms: tuple[Platform, ...]
    env: Mapping[str, str]
    packages: tuple[str, ...]
    mirror: str | None
    include: tuple[str, ...]
    user: str | None
    workdir: str
    entrypoint: tuple[str, ...] | None
    cmd: tuple[str, ...] | None
    labels: Mapping[str, str]
    python_exact: str | None = None
    python_source: str | None = None
    python_mirror: str | None = None
    python_index: str | None = None


@dataclass(frozen=True, slots=True)
class PipIndex:
    """A package index with a name.

    Attributes:
        name: unique in the project; letters, digits, `.`, `-`, `_`.
        url: of its simple API, which may hold a password.
        explicit: it is asked only for the packages that are assigned to it.

    """

    name: str
    url: str = field(repr=False)
    explicit: bool = False


class Assignment(Struct, frozen=True):
    """Packages that come from one index and no other.

    Attributes:
        packages: a normalised name, or a pattern of one with `*`.
        index: `PipIndex.name`.
        marker: an environment marker (PEP 508) that the target has to meet; None: any target.

    """

    packages: str
    index: str
    marker: str | None = None


class Adjustments(Struct, frozen=True):
    """What `[tool.uv]` says of the resolution beyond indexes.

    Attributes:
        constraints: requirements that limit versions and add no package.
        overrides: requirements that take the place of whatever else is asked of the same package.
        excludes: names that are left out of the resolution.
        environments: markers, one of which every target has to meet; (): any target.
        index_strategy: uv's; None: the first index that knows a package is the only one asked for it.
        prerelease: uv's; None: its default.
        resolution: uv's; None: the highest versions.
        package_cutoffs: name and RFC 3339 moment, or `false`, in place of `exclude_newer`.

    """

    constraints: tuple[str, ...] = ()
    overrides: tuple[str, ...] = ()
    excludes: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()
    index_strategy: str | None = None
    prerelease: str | None = None
    resolution: str | None = None
    package_cutoffs: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class PipSettings:
    """`[pip]`.

    Attributes:
        requirements: requirements files relative to the project.
        dependencies: PEP 508 requirements taken from pyproject.toml: `[project.dependencies]` where there are
            no `requirements`, and those of `extras` and `groups`. Both may be empty.
        extras: extras of the project to include.
        groups: dependency groups (PEP 735) to include.
        constraints: constraints files relative to the project.
        index_url: the index, which may hold a password; None: uv's default, or what UV_DEFAULT_INDEX,
            UV_INDEX_URL or PIP_INDEX_URL say.
        extra_index_urls: further indexes, which may hold passwords.
        find_links: folders (relative to the project) or URLs of wheels, which may hold passwords.
        exclude_newer: no file uploaded after this moment.
        allow_sdist: normalised names of packages whose sdists may be built, `*` for all.
        allow_unreproducible: normalised names of packages whose builds may differ, `*` for all.
        lock: the lock file of another tool that the packages are taken from, relative to the project, or
            `<environment>`; None: the requirements are resolved.
        exclude_newer_span: no file younger than this when the lock is made; the lock keeps the moment. Only
            one of the two is set.
        resolver: `uv` or `pip-tools`.
        index_name: the name of `index_url`, where it has one.
        indexes: indexes with names, in the order in which they are asked, before `extra_index_urls`.
        assignments: which packages come from which of them; the first that fits counts.
        no_index: there is no index, only `find_links`.
        keyring: passwords are asked of the `keyring` command; None: where the environment says so.
        adjustments: what `[tool.uv]` says.

    """

    requirements: tuple[str, ...]
    dependencies: tuple[str, ...]
    extras: tuple[str, ...]
    groups: tuple[str, ...]
    constraints: tuple[str, ...]
    index_url: str | None = field(repr=False)
    extra_index_urls: tuple[str, ...] = field(repr=False)
    find_links: tuple[str, ...] = field(repr=False)
    exclude_newer: datetime | None
    lock: str | None = None
    allow_sdist: tuple[str, ...] = ()
    allow_unreproducible: tuple[str, ...] = ()
    exclude_newer_span: timedelta | None = None
    resolver: str = "uv"
    index_name: str | None = None
    indexes: tuple[PipIndex, ...] = ()
    assignments: tuple[Assignment, ...] = ()
    no_index: bool = False
    keyring: bool | None = None
    adjustments: Adjustments = field(default_factory=Adjustments)


class CondaSpec(Struct, frozen=True):
    """A conda package that the environment file asks for.

    Attributes:
        text: a match spec, as written.
        line: where it stands in the file, counted from 1.

    """

    text: str
    line: int


@dataclass(frozen=True, slots=True)
class CondaSettings:
    """`[conda]` and the environment file.

    Attributes:
        environment: the environment file, relative to the project.
        channels: names or URLs, the most wanted first, as written: `${NAME}` still stands in them.
        locations: the same with the environment's variables put in; they may hold passwords.
        specs: what is asked for, by channel folder: `linux-64`, `linux-aarch64`.
        channel_priority: `strict` or `disabled`.
        exclude_newer: no package made after this moment.
        allow_link_scripts: packages whose link scripts the user does without.
        name_map: conda package to the Python distribution that it provides.
        overridden: the channels are the configuration's, not the environment file's.

    """

    environment: str
    channels: tuple[str, ...]
    locations: tuple[str, ...] = field(repr=False)
    specs: Mapping[str, tuple[CondaSpec, ...]]
    channel_priority: str
    exclude_newer: datetime | None
    allow_link_scripts: tuple[str, ...]
    name_map: Mapping[str, str]
    overridden: bool = False


class GpuSettings(Struct, frozen=True):
    """`[gpu]`.

    Attributes:
        driver: the fleet's oldest driver, `550.54`; None: not said.
        gpus: its GPU models, names or compute capabilities, as written.
        compile: whether what compiles kernels at run time is added; None: where something locked needs it.
        flavour: what is needed of the system's CUDA; None: what the locked packages need.

    """

    driver: str | None = None
    gpus: tuple[str, ...] = ()
    compile: bool | None = None
    flavour: Literal["nothing", "base", "runtime", "devel"] | None = None


class EntropySettings(Struct, frozen=True):
    """`[entropy]`.

    Attributes:
        seed: becomes PYTHONHASHSEED and turns on the other determinism variables; None: none is set.

    """

    seed: int | None


class RecordSettings(Struct, frozen=True):
    """`[record]`.

    Attributes:
        stores: where records go: `notes` (git notes, or a file outside git), `file`, `registry`.
        repository: registry and repository in which records are looked for; None: in none.

    """

    stores: tuple[str, ...]
    repository: str | None = None


class DockerSettings(Struct, frozen=True):
    """`[docker]`: what the generated Dockerfile is to be like.

    Attributes:
        engine: what `envfreeze build` builds with where nothing else is said: `native`, `docker`, `podman`
            or `buildah`.
        output: the folder that `envfreeze lock` writes too, relative to the project; None: it writes none.
        network: `none`: all that is installed is in the build folder; `default`: the builder fetches, by
            hash, what has a URL.
        template: the user's template that extends ours, relative to the project.
        before: instructions between the OS packages and the Python packages.
        after: instructions at the end, before the user and the command.
        context: files and folders of the project that those steps find below `context/`.
        account: name of an account that is made for the ids of `[image] user`.
        build: normalised names of packages whose wheels are compiled in a devel stage.
        build_image: the image that this stage is based on; None: the base of the image.
        build_packages: OS packages that the stage has beyond its base, as `ImageSettings.packages`.
        build_requires: PEP 508 requirements of the builds beyond those that the packages state.
        build_env: variables of the builds.
        wheelhouse: folder of the project that compiled wheels are kept in.

    """

    engine: str = "native"
    output: str | None = None
    network: Literal["none", "default"] = "none"
    template: str | None = None
    before: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    context: tuple[str, ...] = ()
    account: str | None = None
    build: tuple[str, ...] = ()
    build_image: str | None = None
    build_packages: tuple[str, ...] = ("g++",)
    build_requires: tuple[str, ...] = ()
    build_env: Mapping[str, str] = {}
    wheelhouse: str = "wheelhouse"


class BakeSettings(Struct, frozen=True):
    """`[bake]`: a matrix of images. An axis that is empty is none.

    Attributes:
        output: folder of the docker-bake file, relative to the project.
        pythons: minor versions of Python.
        cuda: name of a variant, and what it puts in place of other tables' keys: by table and key.
        platforms: platforms.

    """

    output: str = "bake"
    pythons: tuple[str, ...] = ()
    cuda: tuple[tuple[str, Mapping[str, Mapping[str, object]]], ...] = ()
    platforms: tuple[Platform, ...] = ()


@dataclass(frozen=True, slots=True)
class Project:
    """What the user asks for.

    Attributes:
        root: the project's folder, absolute.
        name: of the project: `[project] name`, else the folder's.
        source: the file that the configuration came from, relative to root; None: no configuration.
        image: `[image]`.
        pip: `[pip]`.
        apt: `[[apt]]`, further archives.
        entropy: `[entropy]`.
        record: `[record]`.
        inputs: every file that the resolution reads (requirements with their `-r` and `-c`, constraints,
            keys; not whole pyproject.toml but its used keys), relative POSIX path to content. What is not
            a file stands under a name in angle brackets, like `<configuration>`: canonical JSON of the
            effective keys that shape the resolution or the image.
        requires_python: `[project] requires-python`, a PEP 440 specifier that the image's Python has to meet;
            None: not said.
        conda: `[conda]`; None: there is no environment file.
        gpu: `[gpu]`; None: nothing is said of the machines.
        warnings: what the project says and envfreeze does not follow, one sentence each.
        mirrors: `[registry] mirrors`: host of a registry to those of its mirrors, with a folder perhaps.
        docker: `[docker]`.
        bake: `[bake]`.

    """

    root: Path
    name: str
    source: str | None
    image: ImageSettings
    pip: PipSettings
    apt: tuple[AptArchive, ...]
    entropy: EntropySettings
    record: RecordSettings
    inputs: Mapping[str, bytes] = field(repr=False)
    requires_python: str | None = None
    conda: CondaSettings | None = None
    gpu: GpuSettings | None = None
    warnings: tuple[str, ...] = ()
    mirrors: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    docker: DockerSettings = field(default_factory=DockerSettings)
    bake: BakeSettings = field(default_factory=BakeSettings)
