"""`envfreeze.lock`: the one file that binds everything that is locked.

docs/formats/lock-1.md describes it. Here are its text and its checks; the files around it are in `files`.
"""

from __future__ import annotations

import base64
import binascii
import re
from typing import TYPE_CHECKING

import tomli
from msgspec import Struct
from packaging.version import InvalidVersion, Version

from envfreeze.digest import Digest
from envfreeze.errors import UntrustedError
from envfreeze.locking import gpufacts, toml
from envfreeze.locking.generated import HEADER
from envfreeze.locking.image import table as image_table
from envfreeze.locking.model import (
    PREFIX,
    SCHEMA,
    WRITER,
    AptBase,
    AptIndex,
    Archive,
    CondaPackage,
    Deb,
    Devel,
    LayerSeal,
    Lock,
    PlannedLayer,
    Runtime,
    Target,
)
from envfreeze.locking.standalone import table as standalone_table
from envfreeze.locking.strict import RELOCK, EditedError, Table
from envfreeze.oci.platform import Platform
from envfreeze.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from envfreeze.locking.conda.lockfile import Parsed
    from envfreeze.locking.model import StandalonePython, Wheel

NAME = "envfreeze.lock"

_CHECKSUM = re.compile(rb'^checksum = "(sha256:[0-9a-f]{64})"\n', re.MULTILINE)
_CONFLICT = re.compile(rb"^(<{7} |>{7} )", re.MULTILINE)
_GLIBC = re.compile(r"[0-9]+\.[0-9]+(\.[0-9]+)?")
_MANYLINUX = re.compile(r"manylinux_2_[0-9]+")
_KINDS = frozenset({"debs", "system", "python", "conda", "wheels", "environment"})


class Bound(Struct, frozen=True):
    """A file that `envfreeze.lock` binds by its content.

    Attributes:
        name: of the file, in the same folder.
        digest: of its content.

    """

    name: str
    digest: Digest


class BoundFiles(Struct, frozen=True):
    """The files of one target."""

    pylock: Bound
    requirements: Bound


def render(lock: Lock, bound: tuple[BoundFiles, ...], conda: Bound | None = None) -> bytes:
    """Write the file.

    Args:
        lock: what it holds; the wheels stand in the bound files.
        bound: the files of each target, in the targets' order.
        conda: `conda-lock.yml`, where there is a conda side.

    """
    document: dict[str, toml.Value] = {"schema": lock.schema, "writer": lock.writer}
    if lock.exclude_newer is not None:
        document["exclude-newer"] = lock.exclude_newer
    document["inputs"] = {name: str(lock.inputs[name]) for name in sorted(lock.inputs)}
    document["image"] = _runtime_table(lock.runtime)
    if conda is not None:
        document["conda"] = {"file": conda.name, "digest": str(conda.digest)}
    document["target"] = [
        _target_table(target, files) for target, files in zip(lock.targets, bound, strict=True)
    ]
    body = toml.dumps(document).encode()
    header = HEADER.encode()
    return header + f'checksum = "{Digest.of(header + body)}"\n'.encode() + body


def parse(
    content: bytes,
    read_wheels: Callable[[Target, str | None, BoundFiles], tuple[Wheel, ...]],
    read_conda: Callable[[Bound], Parsed],
) -> Lock:
    """Read what `render` wrote.

    Args:
        content: the file.
        read_wheels: gives the wheels of a target (which has none yet), for the lock's cutoff and the
            target's bound files.
        read_conda: gives what the bound `conda-lock.yml` says.

    Raises:
        EditedError: it was edited by hand or is damaged.
        UntrustedError: a newer envfreeze wrote it.

    """
    check_for_conflict(content, NAME)
    document = Table(f"{NAME}: ", _load(content))
    schema, writer = _versions(document)
    _check_sum(content)
    document.string("checksum")
    exclude_newer = document.optional_string("exclude-newer")
    inputs_table = document.table("inputs")
    inputs = {name: inputs_table.digest(name) for name in inputs_table.keys()}  # noqa: SIM118 - not a mapping
    runtime = _runtime(document.table("image"))
    has_conda = "conda" in document.keys()  # noqa: SIM118 - not a mapping
    conda = read_conda(_bound(document.table("conda"))) if has_conda else None
    targets = tuple(
        _target(table, exclude_newer, read_wheels, conda)
        for table in (document.tables("target") if "target" in document.keys() else ())  # noqa: SIM118
    )
    document.finish()
    if conda is not None:
        _check_same_conda(conda, targets)
    sources = None if conda is None else conda.sources
    return Lock(schema, writer, inputs, exclude_newer, runtime, targets, sources)


def check_for_conflict(content: bytes, name: str) -> None:
    """Refuse a file with git's conflict markers in it.

    Raises:
        EditedError: there are some.

    """
    if _CONFLICT.search(content):
        raise EditedError(
            f"{name} holds the conflict markers of a git merge",
            hint="take one side of all of them (`git checkout --ours envfreeze.lock pylock*.toml "
            "requirements*.lock.txt`), then run `envfreeze lock`",
        )


def _load(content: bytes) -> dict[str, object]:
    try:
        return tomli.loads(content.decode("utf-8"))
    except (UnicodeDecodeError, tomli.TOMLDecodeError, RecursionError) as error:
        raise EditedError(
            f"{NAME} was edited by hand or is damaged: it is not TOML: {error}", hint=RELOCK
        ) from error


def _versions(document: Table) -> tuple[int, int]:
    """Read the versions first: what else the file holds depends on them."""
    schema, writer = document.size("schema"), document.size("writer")
    if schema > SCHEMA:
        raise UntrustedError(
            f"{NAME} was written by a newer envfreeze (schema {schema}); this one reads schema {SCHEMA}",
            hint="run `pip install --upgrade envfreeze`",
        )
    if writer > WRITER:
        raise UntrustedError(
            f"{NAME} was written by a newer envfreeze (writer {writer}); this one has writer {WRITER}",
            hint="run `pip install --upgrade envfreeze`",
        )
    if 0 in {schema, writer}:
        raise document.wrong("writer" if schema else "schema", "is 0; versions begin at 1")
    return schema, writer


def _check_sum(content: bytes) -> None:
    stated = _CHECKSUM.search(content)
    if stated is not None:
        rest = content[: stated.start()] + content[stated.end() :]
        if str(Digest.of(rest)) == stated[1].decode():
            return
    if b"\r\n" in content:
        raise EditedError(
            f"{NAME} has Windows line ends, so its checksum is wrong",
            hint="say `*.lock -text` and `pylock*.toml -text` in .gitattributes and check them out again",
        )
    raise EditedError(
        f"{NAME} was edited by hand: its checksum is not that of its content",
        hint=f"change what the project asks for instead, and {RELOCK}",
    )


def _runtime_table(runtime: Runtime) -> Mapping[str, toml.Value]:
    table: dict[str, toml.Value] = {"workdir": runtime.workdir, "include": runtime.include}
    if runtime.user is not None:
        table["user"] = runtime.user
    if runtime.entrypoint is not None:
        table["entrypoint"] = runtime.entrypoint
    if runtime.cmd is not None:
        table["cmd"] = runtime.cmd
    table["env"] = dict(sorted(runtime.env.items()))
    table["labels"] = dict(sorted(runtime.labels.items()))
    return table


def _runtime(table: Table) -> Runtime:
    runtime = Runtime(
        env=table.string_map("env"),
        labels=table.string_map("labels"),
        include=table.strings("include"),
        user=table.optional_string("user"),
        workdir=table.string("workdir"),
        entrypoint=table.optional_strings("entrypoint"),
        cmd=table.optional_strings("cmd"),
    )
    table.finish()
    return runtime


def _target_table(target: Target, files: BoundFiles) -> Mapping[str, toml.Value]:
    table: dict[str, toml.Value] = {
        "platform": str(target.platform),
        "python": target.python,
        "glibc": target.glibc,
        "manylinux": target.manylinux,
        "pylock": {"file": files.pylock.name, "digest": str(files.pylock.digest)},
        "requirements": {"file": files.requirements.name, "digest": str(files.requirements.digest)},
    }
    if target.environment != PREFIX:
        table["prefix"] = f"/{target.environment}"
    if target.manifest is not None:
        table["manifest"] = str(target.manifest)
        if target.workdir_free:
            table["workdir-free"] = True
    table["layers"] = [_layer_row(layer) for layer in target.layers]
    if target.conda:
        table["conda"] = [_conda_row(package) for package in target.conda]
    if target.image is not None:
        table["image"] = image_table.render(target.image)
    if target.standalone is not None:
        table["standalone"] = standalone_table.render(target.standalone)
    table["base"] = _base_table(target.base)
    if target.devel is not None:
        table["devel"] = _devel_table(target.devel)
    if target.gpu is not None:
        table["gpu"] = gpufacts.table(target.gpu)
    return table


def _devel_table(devel: Devel) -> Mapping[str, toml.Value]:
    table: dict[str, toml.Value] = {"python": devel.python, "glibc": devel.glibc}
    if devel.image is not None:
        table["image"] = image_table.render(devel.image)
    table["base"] = _base_table(devel.base)
    table["env"] = dict(sorted(devel.env.items()))
    return table


def _devel(table: Table) -> Devel:
    devel = Devel(
        python=_python(table),
        glibc=_matching(table, "glibc", _GLIBC),
        base=_base(table.table("base")),
        image=image_table.parse(table.table("image")) if "image" in table.keys() else None,  # noqa: SIM118 - not a mapping
        env=table.string_map("env"),
    )
    table.finish()
    return devel


def _target(
    table: Table,
    exclude_newer: str | None,
    read_wheels: Callable[[Target, str | None, BoundFiles], tuple[Wheel, ...]],
    conda: Parsed | None,
) -> Target:
    target = Target(
        platform=_platform(table),
        python=_python(table),
        glibc=_matching(table, "glibc", _GLIBC),
        manylinux=_matching(table, "manylinux", _MANYLINUX),
        base=_base(table.table("base")),
        wheels=(),
        layers=tuple(_layer(row) for row in table.tables("layers")),
        manifest=table.optional_digest("manifest"),
        workdir_free=table.flag("workdir-free"),
        image=image_table.parse(table.table("image")) if "image" in table.keys() else None,  # noqa: SIM118 - not a mapping
        environment=standalone_table.prefix(table) if "prefix" in table.keys() else PREFIX,  # noqa: SIM118 - likewise
    )
    if "standalone" in table.keys():  # noqa: SIM118 - not a mapping
        target = replace(target, standalone=_standalone(table, target.python))
    if "gpu" in table.keys():  # noqa: SIM118 - not a mapping
        target = replace(target, gpu=gpufacts.read(table.table("gpu")))
    if "devel" in table.keys():  # noqa: SIM118 - not a mapping
        target = replace(target, devel=_devel(table.table("devel")))
    if conda is not None and "conda" in table.keys():  # noqa: SIM118 - not a mapping
        subdir = target.platform.conda_subdir
        target = replace(
            target, conda=tuple(_conda_package(row, subdir, conda) for row in table.tables("conda"))
        )
    files = BoundFiles(_bound(table.table("pylock")), _bound(table.table("requirements")))
    table.finish()
    return replace(target, wheels=read_wheels(target, exclude_newer, files))


def _standalone(table: Table, version: str) -> StandalonePython:
    inner = table.table("standalone")
    python = standalone_table.parse(inner)
    if python.version != version:
        raise inner.wrong("version", f"{python.version} is not the target's Python, {version}")
    return python


def _conda_row(package: CondaPackage) -> Mapping[str, toml.Value]:
    """What conda-lock's format has no place for, under the name, version and build that it is of."""
    row: dict[str, toml.Value] = {
        "name": package.name,
        "version": package.version,
        "build": package.build,
        "build-number": package.build_number,
    }
    if package.noarch is not None:
        row["noarch"] = package.noarch
    if package.size is not None:
        row["size"] = package.size
    if package.requested:
        row["requested"] = True
    if package.allowed_scripts:
        row["link-scripts"] = True
    row["depends"] = package.depends
    if package.constrains:
        row["constrains"] = package.constrains
    return row


def _conda_package(row: Table, subdir: str, conda: Parsed) -> CondaPackage:
    name, version, build = row.string("name"), row.string("version"), row.string("build")
    entry = conda.entries.get((subdir, name))
    if entry is None or (entry.version, entry.build) != (version, build):
        raise row.wrong("name", f"{name} {version} {build} for {subdir} is not what the conda lock file has")
    noarch = row.optional_string("noarch")
    if noarch not in {None, "python", "generic"}:
        raise row.wrong("noarch", f"{noarch!r} is neither python nor generic")
    package = CondaPackage(
        name=name,
        version=version,
        build=build,
        build_number=row.size("build-number"),
        subdir=entry.subdir,
        channel=entry.channel,
        filename=entry.filename,
        digest=entry.digest,
        md5=entry.md5,
        size=row.optional_size("size"),
        url=entry.url,
        depends=row.strings("depends"),
        constrains=row.optional_strings("constrains") or (),
        noarch=noarch,
        requested=row.flag("requested"),
        allowed_scripts=row.flag("link-scripts"),
    )
    row.finish()
    return package


def _check_same_conda(conda: Parsed, targets: tuple[Target, ...]) -> None:
    """Refuse a conda lock file that has packages which no target has."""
    known = {(target.platform.conda_subdir, package.name) for target in targets for package in target.conda}
    for subdir, name in conda.entries:
        if (subdir, name) not in known:
            raise EditedError(f"{NAME} does not hold {name} for {subdir}, which it binds", hint=RELOCK)


def _platform(table: Table) -> Platform:
    try:
        return Platform.parse(table.string("platform"))
    except ValueError as error:
        raise table.wrong("platform", str(error)) from error


def _python(table: Table) -> str:
    text = table.string("python")
    try:
        exact = len(Version(text).release) == 3  # noqa: PLR2004 - major, minor, patch
    except InvalidVersion:
        exact = False
    if not exact:
        raise table.wrong("python", f"{text!r} is not an exact version like 3.13.5")
    return text


def _matching(table: Table, key: str, pattern: re.Pattern[str]) -> str:
    text = table.string(key)
    if not pattern.fullmatch(text):
        raise table.wrong(key, f"{text!r} is not of the form that envfreeze writes")
    return text


def _bound(table: Table) -> Bound:
    bound = Bound(table.string("file"), table.digest("digest"))
    table.finish()
    return bound


def _layer_row(layer: PlannedLayer) -> Mapping[str, toml.Value]:
    row: dict[str, toml.Value] = {"name": layer.name, "kind": layer.kind}
    if layer.packages:
        row["packages"] = layer.packages
    if layer.seal is not None:
        row |= {
            "digest": str(layer.seal.digest),
            "diff-id": str(layer.seal.diff_id),
            "size": layer.seal.size,
        }
    return row


def _layer(row: Table) -> PlannedLayer:
    kind = row.string("kind")
    if kind not in _KINDS:
        raise row.wrong("kind", f"{kind!r} is not one of {', '.join(sorted(_KINDS))}")
    digest = row.optional_digest("digest")
    layer = PlannedLayer(
        kind=kind,
        name=row.string("name"),
        packages=row.optional_strings("packages") or (),
        seal=None if digest is None else LayerSeal(digest, row.digest("diff-id"), row.size("size")),
    )
    row.finish()
    return layer


def _base_table(base: AptBase) -> Mapping[str, toml.Value]:
    return {
        "reference": base.reference,
        "notes": base.notes,
        "archives": [_archive_row(archive) for archive in base.archives],
        "indexes": [
            {
                "archive": index.archive,
                "suite": index.suite,
                "components": index.components,
                "date": index.date,
                "digest": str(index.digest),
            }
            for index in base.indexes
        ],
        "packages": [_deb_row(deb) for deb in base.packages],
    }


def _base(table: Table) -> AptBase:
    archives = tuple(_archive(row) for row in table.tables("archives"))
    names = {archive.name for archive in archives}
    base = AptBase(
        reference=table.string("reference"),
        archives=archives,
        indexes=tuple(_index(row, names) for row in table.tables("indexes")),
        packages=tuple(_deb(row, names) for row in table.tables("packages")),
        notes=table.strings("notes"),
    )
    table.finish()
    return base


def _archive_row(archive: Archive) -> Mapping[str, toml.Value]:
    row: dict[str, toml.Value] = {"name": archive.name, "locations": archive.locations}
    if archive.key is not None:
        row["key"] = base64.b64encode(archive.key).decode()
    return row


def _archive(row: Table) -> Archive:
    key = row.optional_string("key")
    try:
        archive = Archive(
            name=row.string("name"),
            locations=row.strings("locations"),
            key=None if key is None else base64.b64decode(key, validate=True),
        )
    except binascii.Error as error:
        raise row.wrong("key", "is not base64") from error
    row.finish()
    return archive


def _index(row: Table, archives: set[str]) -> AptIndex:
    index = AptIndex(
        archive=_known(row, archives),
        suite=row.string("suite"),
        components=row.strings("components"),
        date=row.string("date"),
        digest=row.digest("digest"),
    )
    row.finish()
    return index


def _deb_row(deb: Deb) -> Mapping[str, toml.Value]:
    row: dict[str, toml.Value] = {
        "name": deb.name,
        "version": deb.version,
        "architecture": deb.architecture,
        "archive": deb.archive,
        "filename": deb.filename,
        "size": deb.size,
        "digest": str(deb.digest),
    }
    if deb.requested:
        row["requested"] = True
    if deb.depends:
        row["depends"] = deb.depends
    return row


def _deb(row: Table, archives: set[str]) -> Deb:
    filename = row.string("filename")
    if filename.startswith("/") or ".." in filename.split("/"):
        raise row.wrong("filename", f"{filename!r} leads out of the archive")
    deb = Deb(
        name=row.string("name"),
        version=row.string("version"),
        architecture=row.string("architecture"),
        filename=filename,
        digest=row.digest("digest"),
        size=row.size("size"),
        archive=_known(row, archives),
        requested=row.flag("requested"),
        depends=row.optional_strings("depends") or (),
    )
    row.finish()
    return deb


def _known(row: Table, archives: set[str]) -> str:
    name = row.string("archive")
    if name not in archives:
        raise row.wrong("archive", f"{name!r} is not one of the archives")
    return name
