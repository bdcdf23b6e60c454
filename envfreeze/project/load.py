"""Reads a folder into a `Project`."""

from __future__ import annotations

import functools
from datetime import UTC
from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from envfreeze.errors import MachineError, UsageError
from envfreeze.oci import canonical
from envfreeze.oci.paths import path_problem
from envfreeze.oci.platform import Platform
from envfreeze.project import places, sources, taken
from envfreeze.project.conda import beside_lock, join_pip, read_conda
from envfreeze.project.configuration import OWN, PYPROJECT, read_configuration
from envfreeze.project.index_tables import described
from envfreeze.project.keys import VARIANT_TABLES
from envfreeze.project.model import (
    AptArchive,
    BakeSettings,
    DockerSettings,
    EntropySettings,
    GpuSettings,
    ImageSettings,
    Project,
    RecordSettings,
)
from envfreeze.project.packages import read_packages, several
from envfreeze.project.pyproject import Pyproject
from envfreeze.project.toml_file import read_toml
from envfreeze.project.urls import expand, without_credentials
from envfreeze.project.validation import Written, check
from envfreeze.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from envfreeze.project.model import CondaSettings, PipSettings

CONFIGURATION = "<configuration>"
"""Name of the input that holds the effective settings."""

_LAST_ID = 4_294_967_294
"""The greatest uid: one more is -1 in 32 bits, which the kernel takes for "unchanged"."""


def load(
    root: Path,
    *,
    source: str | None = None,
    resolve: bool = False,
    instead: Mapping[str, Mapping[str, object]] | None = None,
) -> Project:
    """Read what a project asks for.

    Args:
        root: the project's folder.
        source: the lock file of another tool that packages are taken from, relative to the folder, or
            `taken.ENVIRONMENT`; None: what the configuration says, else what the last lock was taken from.
        resolve: forget what the last lock was taken from.
        instead: values of keys, by table and key, that take the place of what is written.

    Raises:
        UsageError: the configuration, a requirements file or pyproject.toml is missing or wrong; file and key
            are named.
        MachineError: a file cannot be read.

    """
    root = _folder(root)
    document = read_toml(root, PYPROJECT) or {}
    pyproject = Pyproject.of(document)
    found = read_configuration(root, document)
    written = _instead(found or Written(OWN, "", {}), instead or {})
    settings = check(written)
    image = _image(root, written, settings["image"])
    image = replace(
        image,
        python_mirror=image.python_mirror or pyproject.uv.python_mirror,
        python_index=image.python_index or pyproject.uv.python_index,
    )
    apt, keys = _apt(root, written, settings["apt"])
    if source is None and not resolve and settings["pip"]["lock"] is None:
        source = taken.remembered(root)
    side = None
    taken_settings = None
    if source is not None or settings["pip"]["lock"] is not None:
        taken_settings = beside_lock(written, settings["conda"], source or settings["pip"]["lock"])
    else:
        side = read_conda(
            root,
            written,
            settings["conda"],
            newest=settings["pip"]["exclude-newer"],
            configured=found is not None,
        )
    pip, files = read_packages(
        root, written, settings["pip"], pyproject, optional=side is not None, named=source
    )
    if side is not None:
        is_written = "platform" in written.values.get("image", {})
        image = replace(
            image,
            platforms=side.platforms(image.platforms, written=is_written),
            env={**side.environment.variables, **image.env},
        )
        pip, included = join_pip(root, side, pip, image.platforms)
        files |= {**included, **side.files}
    entropy = EntropySettings(settings["entropy"]["seed"])
    effective = _effective(image, apt, pip, settings, pyproject.requires_python)
    if side is not None:
        effective["conda"] = _effective_conda(side.settings)
    elif taken_settings is not None:
        effective["conda"] = _effective_conda(taken_settings)
    effective["pip"] |= described(settings["pip"], pyproject.uv)
    gpu = _gpu(settings["gpu"]) if written.values.get("gpu") else None
    if gpu is not None:
        effective["gpu"] = {
            "compile": gpu.compile,
            "driver": gpu.driver,
            "flavour": gpu.flavour,
            "gpus": sorted(gpu.gpus),
        }
    docker = _docker(root, written, settings["docker"])
    if docker.build:
        effective["docker"] = _effective_docker(docker)
    environment_name = None if side is None else side.environment.name
    return Project(
        root=root,
        name=pyproject.name or environment_name or root.name or "project",
        source=None if found is None else found.file,
        image=image,
        pip=pip,
        apt=apt,
        entropy=entropy,
        record=RecordSettings(tuple(settings["record"]["store"]), settings["record"]["repository"]),
        inputs={**files, **keys, CONFIGURATION: canonical.dump(effective)},
        requires_python=pyproject.requires_python,
        conda=taken_settings if side is None else side.settings,
        gpu=gpu,
        warnings=(*pyproject.uv.warnings, *sources.warned(pyproject.uv.sources)),
        mirrors={name: (mirror,) for name, mirror in settings["registry"]["mirrors"].items()},
        docker=docker,
        bake=_bake(written, settings["bake"]),
    )


def _instead(written: Written, instead: Mapping[str, Mapping[str, object]]) -> Written:
    values = dict(written.values)
    for table, keys in instead.items():
        values[table] = {**values.get(table, {}), **keys}
    return replace(written, values=values)


def _folder(root: Path) -> Path:
    try:
        resolved = root.resolve(strict=True)
        if resolved.is_dir():
            return resolved
    except FileNotFoundError as error:
        raise UsageError(f"{root} does not exist", hint="name the project's folder") from error
    except (OSError, RuntimeError) as error:
        raise MachineError(f"{root} cannot be read: {error}") from error
    raise UsageError(f"{root} is not a folder", hint="name the project's folder")


def _image(root: Path, written: Written, values: Mapping[str, Any]) -> ImageSettings:
    exact = values["python"]
    return ImageSettings(
        base=values["base"],
        python=None if exact is None else ".".join(exact.split(".")[:2]),
        platforms=tuple(map(Platform.parse, several(values["platform"]))),
        env=dict(values["env"]),
        packages=tuple(values["packages"]),
        mirror=values["mirror"],
        include=_include(root, written, values["include"]),
        user=_user(written, values["user"]),
        workdir=values["workdir"].rstrip("/") or "/",
        entrypoint=_arguments(values["entrypoint"]),
        cmd=_arguments(values["cmd"]),
        labels=dict(values["labels"]),
        python_exact=exact if exact is not None and exact.count(".") > 1 else None,
        python_source=values["python-source"],
        python_mirror=values["python-mirror"],
        python_index=values["python-index"],
    )


def _docker(root: Path, written: Written, values: Mapping[str, Any]) -> DockerSettings:
    template = values["template"]
    if template is not None:
        template = template.removeprefix("./")
        blame = functools.partial(_blame, written, "docker.template", template)
        places.read(places.inside(root, root / template, blame), blame)
    output = values["output"]
    return DockerSettings(
        engine=values["engine"],
        output=None if output is None else output.removeprefix("./"),
        network=values["network"],
        template=template,
        before=tuple(values["before"]),
        after=tuple(values["after"]),
        context=_include(root, written, values["context"], "docker.context"),
        account=values["account"],
        build=tuple(sorted({canonicalize_name(name) for name in values["build"]})),
        build_image=values["build-image"],
        build_packages=tuple(values["build-packages"]),
        build_requires=_requirements(written, values["build-requires"]),
        build_env=dict(values["build-env"]),
        wheelhouse=values["wheelhouse"].removeprefix("./").rstrip("/"),
    )


def _bake(written: Written, values: Mapping[str, Any]) -> BakeSettings:
    variants: list[tuple[str, dict[str, dict[str, object]]]] = []
    for index, row in enumerate(values["cuda"]):
        if row["name"] in {name for name, _ in variants}:
            raise written.error(
                f"bake.cuda[{index}].name", f"stands there twice: {row['name']}", "give it another name"
            )
        instead: dict[str, dict[str, object]] = {}
        for key, value in row.items():
            if key != "name":
                instead.setdefault(VARIANT_TABLES[key], {})[key] = value
        variants.append((row["name"], instead))
    return BakeSettings(
        output=values["output"].removeprefix("./").rstrip("/"),
        pythons=tuple(values["python"] or ()),
        cuda=tuple(variants),
        platforms=tuple(map(Platform.parse, values["platform"] or ())),
    )


def _requirements(written: Written, lines: Sequence[str]) -> tuple[str, ...]:
    for index, line in enumerate(lines):
        try:
            Requirement(line)
        except InvalidRequirement as error:
            raise written.error(f"docker.build-requires[{index}]", f"is no requirement: {error}") from error
    return tuple(lines)


def _effective_docker(docker: DockerSettings) -> dict[str, Any]:
    """What of `[docker]` shapes the lock; all else shapes the Dockerfile alone."""
    return {
        "build": list(docker.build),
        "build-env": dict(sorted(docker.build_env.items())),
        "build-image": docker.build_image,
        "build-packages": sorted(docker.build_packages),
        "build-requires": sorted(docker.build_requires),
    }


def _gpu(values: Mapping[str, Any]) -> GpuSettings:
    driver = values["driver"]
    return GpuSettings(
        driver=None if driver is None else driver.removeprefix(">=").strip(),
        gpus=tuple(values["gpus"]),
        compile=values["compile"],
        flavour=values["flavour"],
    )


def _arguments(value: list[str] | None) -> tuple[str, ...] | None:
    return None if value is None else tuple(value)


def _user(written: Written, value: str | None) -> str | None:
    if value is not None and any(part.isdigit() and int(part) > _LAST_ID for part in value.split(":")):
        raise written.error("image.user", f"must have ids of at most {_LAST_ID}, not {value!r}")
    return value


def _include(
    root: Path, written: Written, names: Sequence[str], key: str = "image.include"
) -> tuple[str, ...]:
    included: dict[str, None] = {}
    for index, name in enumerate(names):
        blame = functools.partial(_blame, written, f"{key}[{index}]", name)
        relative = name.removeprefix("./").rstrip("/") or "."
        problem = None if relative == "." else path_problem(relative)
        if problem:
            raise blame(problem)
        found = places.inside(root, root / relative, blame)
        if name.endswith("/") and not found.is_dir():
            raise blame("is not a folder")
        if relative.split("/")[0] == ".git":
            raise blame("is git's own folder, which differs in every clone")
        included[relative] = None
    return tuple(included)


def _apt(
    root: Path, written: Written, rows: list[Mapping[str, Any]]
) -> tuple[tuple[AptArchive, ...], dict[str, bytes]]:
    archives, keys = [], {}
    for index, row in enumerate(rows):
        key = row["key"].removeprefix("./")
        blame = functools.partial(_blame, written, f"apt[{index}].key", key)
        keys[key] = places.read(places.inside(root, root / key, blame), blame)
        flat = row["suite"].endswith("/")
        if flat and "components" in written.values["apt"][index]:
            raise written.error(
                f"apt[{index}].components",
                f"must not be there: {row['suite']!r}, which ends in /, is a flat archive and has none",
                "leave components out, or name a suite below dists/",
            )
        archives.append(
            AptArchive(
                url=expand(written, f"apt[{index}].url", [row["url"]])[0],
                suite=row["suite"],
                components=() if flat else tuple(row["components"]),
                key=key,
                platforms=tuple(map(Platform.parse, several(row["platform"]))),
            )
        )
    return tuple(archives), keys


def _effective_apt(archive: AptArchive, row: Mapping[str, Any]) -> dict[str, Any]:
    platforms = {"platform": sorted(map(str, archive.platforms))} if archive.platforms else {}
    return {
        "components": list(archive.components),
        "key": archive.key,
        "suite": archive.suite,
        "url": without_credentials(row["url"]),
        **platforms,
    }


def _blame(written: Written, key: str, name: str, problem: str) -> UsageError:
    return written.error(key, f"{name!r} {problem}")


def _effective_conda(conda: CondaSettings) -> dict[str, Any]:
    """What of `[conda]` shapes the resolution; the environment file is an input of its own."""
    newest = conda.exclude_newer
    return {
        "allow-link-scripts": sorted(conda.allow_link_scripts),
        "channel-priority": conda.channel_priority,
        "channels": list(conda.channels),
        "environment": conda.environment,
        "exclude-newer": None if newest is None else newest.astimezone(UTC).isoformat(),
        "name-map": dict(sorted(conda.name_map.items())),
    }


def _effective(
    image: ImageSettings,
    apt: tuple[AptArchive, ...],
    pip: PipSettings,
    settings: Mapping[str, Any],
    requires_python: str | None,
) -> dict[str, Any]:
    """Everything that shapes the resolution or the image, with defaults, without credentials.

    Where no order is meant there is one order. A mirror is not in it, since it does not change the image;
    locations of packages stand in it as they were written, so that neither the value of an environment
    variable nor a password is told, and a new password is no drift.
    """
    written = settings["pip"]
    newest = pip.exclude_newer
    # Keys that came later stand in it only where they are used: older locks stay what they are.
    later = {} if written["lock"] is None else {"lock": written["lock"]}
    if pip.lock is not None:
        later |= {"extras": list(pip.extras), "groups": list(pip.groups)}
    return {
        "apt": [_effective_apt(archive, row) for archive, row in zip(apt, settings["apt"], strict=True)],
        "entropy": {"seed": settings["entropy"]["seed"]},
        "image": {
            "base": image.base,
            "cmd": image.cmd,
            "entrypoint": image.entrypoint,
            "env": dict(image.env),
            "include": sorted(image.include),
            "labels": dict(image.labels),
            "packages": sorted(image.packages),
            "platform": [str(platform) for platform in image.platforms],
            "python": image.python_exact or image.python,
            # Without it the hash of older locks stays what it is.
            **({} if image.python_source is None else {"python-source": image.python_source}),
            "user": image.user,
            "workdir": image.workdir,
        },
        "pip": {
            "constraints": list(pip.constraints),
            "dependencies": list(pip.dependencies),
            "exclude-newer": None if newest is None else newest.astimezone(UTC).isoformat(),
            "extra-index-url": [without_credentials(url) for url in several(written["extra-index-url"])],
            "find-links": [without_credentials(url) for url in several(written["find-links"])],
            "index-url": [without_credentials(url) for url in several(written["index-url"])],
            "requirements": list(pip.requirements),
            "resolver": written["resolver"],
            **later,
            # Without them the hash of older locks stays what it is.
            **({"allow-sdist": list(pip.allow_sdist)} if pip.allow_sdist else {}),
            **({"allow-unreproducible": list(pip.allow_unreproducible)} if pip.allow_unreproducible else {}),
        },
        "python": {"requires": requires_python},
    }
