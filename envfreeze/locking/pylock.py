"""`pylock.toml` as envfreeze writes it: PEP 751, one wheel per package, for one target.

https://packaging.python.org/en/latest/specifications/pylock-toml/ and docs/formats/lock-1.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import tomli

from envfreeze.locking import local, pylock_files, pylock_sources, toml
from envfreeze.locking.generated import HEADER
from envfreeze.locking.model import Wheel
from envfreeze.locking.strict import RELOCK, EditedError, Table
from envfreeze.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from envfreeze.locking.model import Target

_CREATED_BY = "envfreeze"


def render(target: Target, *, exclude_newer: str | None, folder: Path | None) -> bytes:
    """Write a target's `pylock.toml`.

    Args:
        target: whose wheels.
        exclude_newer: the cutoff that they were resolved under.
        folder: the project's; wheels in it are named by their path.

    """
    document: dict[str, toml.Value] = {
        "lock-version": "1.0",
        "environments": [_environment(target)],
        "requires-python": f"=={target.python_minor}.*",
        "created-by": _CREATED_BY,
        "packages": [
            _package(wheel, folder, {other.name for other in target.wheels}) for wheel in target.wheels
        ],
        "tool": {"envfreeze": _about(target, exclude_newer)},
    }
    from packaging.pylock import Pylock  # noqa: PLC0415 - only where it is written

    # The reference implementation judges it; the bytes are made here: no library's version moves them.
    Pylock.from_dict(document)
    return (HEADER + "\n" + toml.dumps(document)).encode()


def parse(
    content: bytes, name: str, target: Target, *, exclude_newer: str | None, folder: Path | None
) -> tuple[Wheel, ...]:
    """Read what `render` wrote.

    Args:
        content: the file.
        name: of the file, for errors.
        target: what `envfreeze.lock` says of the target; the file has to agree.
        exclude_newer: likewise.
        folder: the project's; paths become URLs in it, None: relative ones.

    Raises:
        EditedError: it is not such a file.

    """
    try:
        document = Table(f"{name}: ", tomli.loads(content.decode("utf-8")))
    except (UnicodeDecodeError, tomli.TOMLDecodeError) as error:
        raise EditedError(f"{name} is not TOML: {error}", hint=RELOCK) from error
    _expect(document, "lock-version", "1.0")
    _expect(document, "created-by", _CREATED_BY)
    _expect(document, "requires-python", f"=={target.python_minor}.*")
    environments = document.strings("environments")
    if environments != (_environment(target),):
        raise document.wrong("environments", f"is not that of {target.platform}, Python {target.python}")
    about = document.table("tool").table("envfreeze")
    requested = frozenset(about.strings("requested"))
    for key, value in _about(target, exclude_newer).items():
        if key != "requested":
            _expect(about, key, str(value))
    about.finish()
    wheels = tuple(_wheel(package, requested, folder) for package in document.tables("packages"))
    document.finish()
    return wheels


def _environment(target: Target) -> str:
    # No exact patch version: installers would refuse every other one.
    return (
        f"python_version == '{target.python_minor}' and sys_platform == '{target.platform.os}' "
        f"and platform_machine == '{target.platform.machine}'"
    )


def _about(target: Target, exclude_newer: str | None) -> dict[str, toml.Value]:
    about: dict[str, toml.Value] = {
        "platform": str(target.platform),
        "python": target.python,
        "glibc": target.glibc,
        "manylinux": target.manylinux,
    }
    if exclude_newer is not None:
        about["exclude-newer"] = exclude_newer
    about["requested"] = [wheel.name for wheel in target.wheels if wheel.requested]
    return about


def _package(wheel: Wheel, folder: Path | None, locked: Collection[str]) -> Mapping[str, toml.Value]:
    if wheel.source is not None:
        return pylock_sources.package(wheel, wheel.source, folder, locked)
    file: dict[str, toml.Value] = {} if wheel.direct else {"name": wheel.filename}
    path = local.relative(wheel.url, folder)
    file |= {"url": wheel.url} if path is None else {"path": path}
    if wheel.size is not None:
        file["size"] = wheel.size
    file["hashes"] = {"sha256": wheel.digest.hex}
    package: dict[str, toml.Value] = {"name": wheel.name, "version": wheel.version}
    if wheel.index is not None:
        package["index"] = wheel.index
    if here := [name for name in wheel.dependencies if name in locked]:
        package["dependencies"] = [{"name": name} for name in here]
    package |= {"archive": file} if wheel.direct else {"wheels": [file]}
    # PEP 751 lets `dependencies` name packages of the same file only; what else is needed is conda's.
    if elsewhere := [name for name in wheel.dependencies if name not in locked]:
        package["tool"] = {"envfreeze": {"conda": elsewhere}}
    return package


def _wheel(package: Table, requested: frozenset[str], folder: Path | None) -> Wheel:
    if pylock_sources.is_built(package):
        wheel = pylock_sources.read(package, folder)
        return replace(wheel, requested=wheel.name in requested)
    name, version = package.string("name"), package.string("version")
    direct = "archive" in package.keys()  # noqa: SIM118 - not a mapping
    index = pylock_files.index(package)
    if direct:
        file = package.table("archive")
    else:
        files = package.tables("wheels")
        if len(files) != 1:
            raise package.wrong("wheels", f"holds {len(files)} wheels, not one")
        file = files[0]
    dependencies = _dependencies(package)
    package.finish()
    url = pylock_files.url(file, folder)
    filename = unquote(urlsplit(url).path).rpartition("/")[2] if direct else file.string("name")
    pylock_files.check_filename(file, filename, name, version)
    hashes = file.table("hashes")
    digest = pylock_files.sha256(hashes)
    hashes.finish()
    size = file.optional_size("size")
    file.finish()
    return Wheel(
        name=name,
        version=version,
        filename=filename,
        digest=digest,
        size=size,
        url=url,
        requested=name in requested,
        direct=direct,
        dependencies=dependencies,
        index=index,
    )


def _dependencies(package: Table) -> tuple[str, ...]:
    names = pylock_files.dependencies(package)
    if "tool" in package.keys():  # noqa: SIM118 - not a mapping
        tool = package.table("tool")
        ours = tool.table("envfreeze")
        names += ours.strings("conda")
        ours.finish()
        tool.finish()
    return tuple(sorted(names))


def _expect(table: Table, key: str, value: str) -> None:
    found = table.string(key)
    if found != value:
        raise table.wrong(key, f"is {found!r}, but envfreeze.lock says {value!r}")
