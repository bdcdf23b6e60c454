"""`conda-lock.yml`: the conda side of a lock, in conda-lock's format v1, for all platforms.

https://github.com/conda/conda-lock (`conda-lock-v1.schema.json`) and docs/formats/lock-1.md. conda-lock's own
models judge what is written (`judged`); the bytes are made here, so that no library's version moves them.
What conda-lock's format has no place for (constraints, build numbers) stands in envfreeze.lock.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from envfreeze.digest import Digest
from envfreeze.errors import UntrustedError
from envfreeze.locking import local
from envfreeze.locking.conda import LOCK_NAME
from envfreeze.locking.generated import HEADER
from envfreeze.locking.model import CondaSources
from envfreeze.locking.strict import RELOCK, EditedError, Table

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from envfreeze.locking.model import CondaPackage, Lock, Target, Wheel

NAME: Final = LOCK_NAME

_VARIABLE = re.compile(r"\$\{?([A-Za-z_][A-Za-z0-9_]*)\}?")
_MD5 = re.compile("[0-9a-f]{32}")
_FILE_NAME = re.compile(r"(?P<name>.+)-(?P<version>[^-]+)-(?P<build>[^-]+)(?:\.conda|\.tar\.bz2)")


@dataclass(frozen=True, slots=True)
class Entry:
    """A conda package as `conda-lock.yml` names it.

    Attributes:
        version: its version.
        build: its build string.
        subdir: the channel's folder that it lies in.
        channel: the channel's URL.
        filename: of the package.
        digest: sha256 of the file.
        md5: of the file, in hex.
        url: where it is fetched from.

    """

    version: str
    build: str
    subdir: str
    channel: str
    filename: str
    digest: Digest
    md5: str
    url: str


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a `conda-lock.yml` says.

    Attributes:
        sources: where the conda side comes from.
        entries: the conda packages by channel folder of the target and name.

    """

    sources: CondaSources
    entries: Mapping[tuple[str, str], Entry]


def render(lock: Lock, folder: Path | None) -> bytes:
    """Write the file.

    Args:
        lock: with a conda side.
        folder: the project's; wheels in it are left out, since conda-lock cannot name them.

    """
    assert lock.conda is not None, "a lock with a conda side"  # noqa: S101 - the caller looked
    sources = lock.conda
    targets = sorted(lock.targets, key=lambda target: target.platform.conda_subdir)
    document = {
        "version": 1,
        "metadata": {
            "content_hash": dict(sorted(sources.content_hash.items())),
            "channels": [
                {"url": channel, "used_env_vars": sorted(set(_VARIABLE.findall(channel)))}
                for channel in sources.channels
            ],
            "platforms": [target.platform.conda_subdir for target in targets if target.conda],
            "sources": [sources.environment],
        },
        "package": [row for target in targets for row in _rows(target, folder)],
    }
    return (HEADER + "\n".join(_yaml(document, "")) + "\n").encode()


def parse(content: bytes) -> Parsed:
    """Read what `render` wrote.

    Raises:
        EditedError: it is not such a file.

    """
    document = Table(f"{NAME}: ", load(content))
    if document.size("version") != 1:
        raise document.wrong("version", "is not 1")
    metadata = document.table("metadata")
    sources = metadata.strings("sources")
    if len(sources) != 1:
        raise metadata.wrong("sources", "does not name one environment file")
    channels = []
    for row in metadata.tables("channels"):
        channels.append(row.string("url"))
        row.strings("used_env_vars")
        row.finish()
    found = CondaSources(sources[0], tuple(channels), metadata.string_map("content_hash"))
    if tuple(sorted(found.content_hash)) != metadata.strings("platforms"):
        raise metadata.wrong("platforms", "are not those of content_hash")
    metadata.finish()
    entries = {}
    for row in document.tables("package"):
        manager, name, platform = row.string("manager"), row.string("name"), row.string("platform")
        entry = _entry(row, name, platform, manager)
        if entry is not None:
            entries[platform, name] = entry
    document.finish()
    return Parsed(found, entries)


def load(content: bytes) -> dict[str, Any]:
    """Read YAML that is one mapping.

    Raises:
        EditedError: it is not.

    """
    import yaml  # noqa: PLC0415 - only where there is a conda side

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        document = yaml.load(content.decode("utf-8"), Loader=loader)  # noqa: S506 - both are safe loaders
    except (UnicodeDecodeError, yaml.YAMLError, RecursionError, ValueError) as error:
        raise EditedError(f"{NAME} is not YAML: {str(error).splitlines()[0]}", hint=RELOCK) from error
    if not isinstance(document, dict) or not all(isinstance(key, str) for key in document):
        raise EditedError(f"{NAME} is not a mapping", hint=RELOCK)
    return document


def split_url(url: str) -> tuple[str, str, str]:
    """Channel, channel folder and file name of a package's URL.

    Raises:
        UntrustedError: it is not a URL of that form.

    """
    parts = urlsplit(url)
    pieces = url.rsplit("/", 2)
    if parts.scheme not in {"http", "https", "file"} or "@" in parts.netloc or len(pieces) != 3:  # noqa: PLR2004
        raise UntrustedError(f"{url} is not the URL of a conda package without credentials")
    return pieces[0], pieces[1], unquote(pieces[2])


def _rows(target: Target, folder: Path | None) -> Iterator[dict[str, Any]]:
    platform = target.platform.conda_subdir
    for package in target.conda:
        yield {
            "name": package.name,
            "version": package.version,
            "manager": "conda",
            "platform": platform,
            "dependencies": dict(sorted(_dependencies(package).items())),
            "url": package.url,
            "hash": {"md5": package.md5, "sha256": package.digest.hex},
            "category": "main",
            "optional": False,
        }
    # conda-lock installs these by the environment's own pip: without one it could not.
    if any(package.name == "pip" for package in target.conda):
        for wheel in target.wheels:
            if local.relative(wheel.url, folder) is None:
                yield _pip_row(wheel, platform)


def _pip_row(wheel: Wheel, platform: str) -> dict[str, Any]:
    return {
        "name": wheel.name,
        "version": wheel.version,
        "manager": "pip",
        "platform": platform,
        "dependencies": {},
        "url": wheel.url,
        "hash": {"sha256": wheel.digest.hex},
        "category": "main",
        "optional": False,
    }


def _dependencies(package: CondaPackage) -> dict[str, str]:
    """The dependencies as conda-lock writes them: one spec for a name, several joined."""
    found: dict[str, str] = {}
    for spec in package.depends:
        name, _, rest = spec.strip().partition(" ")
        before, rest = found.get(name, ""), rest.strip()
        # A spec with a build string cannot be joined; conda-lock keeps the last one too.
        joins = before and rest and not {" "} & {*before, *rest}
        found[name] = f"{before},{rest}" if joins else rest or before
    return found


def _entry(row: Table, name: str, platform: str, manager: str) -> Entry | None:
    version, url = row.string("version"), row.string("url")
    row.string_map("dependencies")
    hashes = row.table("hash")
    md5 = hashes.optional_string("md5")
    sha256 = hashes.string("sha256")
    hashes.finish()
    if row.string("category") != "main" or row.flag("optional"):
        raise row.wrong("category", "is not main")
    row.finish()
    if manager == "pip":
        return None
    try:
        channel, subdir, filename = split_url(url)
        digest = Digest(sha256)
    except (UntrustedError, ValueError) as error:
        raise row.wrong("url", str(error)) from error
    match = _FILE_NAME.fullmatch(filename)
    if match is None or (match["name"], match["version"]) != (name, version):
        raise row.wrong("url", f"{filename!r} is not a package of {name} {version}")
    if manager != "conda" or subdir not in {platform, "noarch"} or md5 is None or not _MD5.fullmatch(md5):
        raise row.wrong("hash" if md5 is None else "manager", f"is not that of a conda package of {platform}")
    return Entry(version, match["build"], subdir, channel, filename, digest, md5, url)


def _yaml(value: Any, indent: str) -> Iterator[str]:  # noqa: ANN401 - JSON
    """Write what JSON can hold as block-style YAML; every string is quoted, so that none is a number."""
    if isinstance(value, dict):
        for key, member in value.items():
            shown = key if re.fullmatch("[a-z][a-z0-9_-]*", key) and key not in _WORDS else json.dumps(key)
            if isinstance(member, (dict, list)) and member:
                yield f"{indent}{shown}:"
                yield from _yaml(member, indent if isinstance(member, list) else f"{indent}  ")
            else:
                yield f"{indent}{shown}: {json.dumps(member)}"
    else:
        for member in value:
            if isinstance(member, dict):
                first, *rest = _yaml(member, f"{indent}  ")
                yield f"{indent}- {first[len(indent) + 2 :]}"
                yield from rest
            else:
                yield f"{indent}- {json.dumps(member)}"


_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
"""What YAML 1.1 reads as something else than text."""
