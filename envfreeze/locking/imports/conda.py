"""From what a lock file says of conda packages to `CondaPackage`s.

What is missing comes from the channel's repodata, asked through rattler for exactly the locked builds; a file
that the repodata no longer lists is fetched and read itself. Hashes of the lock are held against both.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from envfreeze.digest import Digest
from envfreeze.errors import NetworkError, ResolutionError, UntrustedError
from envfreeze.locking.conda.resolution import purls_of
from envfreeze.locking.indexes import redact, without_credentials
from envfreeze.locking.model import CondaPackage
from envfreeze.progress import SILENT
from envfreeze.replacing import replace
from envfreeze.store import download

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rattler.repo_data import RepoDataRecord

    from envfreeze.locking.imports.model import ImportedConda
    from envfreeze.progress import Progress
    from envfreeze.store.cache import Cache

_PARTS = 3
_LARGEST = 8_000_000_000
"""Bytes of the largest package that is fetched to be read."""


@dataclass(frozen=True, slots=True)
class _Facts:
    """What a channel, or a package itself, says of a package."""

    name: str
    version: str
    build: str
    build_number: int
    depends: tuple[str, ...]
    constrains: tuple[str, ...]
    noarch: str | None
    sha256: str | None
    md5: str | None
    size: int | None
    purls: tuple[str, ...] = ()


def complete(
    file: str,
    selected: Sequence[ImportedConda],
    *,
    cache: Cache,
    offline: bool = False,
    progress: Progress = SILENT,
) -> tuple[CondaPackage, ...]:
    """Give the conda packages of a target with all that is to be known of them.

    Args:
        file: the lock file's name, for errors.
        selected: what the target takes.
        cache: where fetched packages are kept.
        offline: ask no channel and fetch nothing.
        progress: told what happens.

    Returns:
        Sorted by name; those that no other depends on are marked as requested.

    Raises:
        ResolutionError: a package is locked twice, or one that another needs is not locked.
        UntrustedError: a hash of the lock is not that of the channel's file.
        NetworkError: a channel or a file that is needed cannot be had.

    """
    _check_unique(file, selected)
    open_ones = [one for one in selected if not _is_whole(one)]
    stated = _of_channels(open_ones, cache, offline=offline, progress=progress) if open_ones else {}
    packages = []
    for one in selected:
        if one not in open_ones:
            facts = _own_facts(one)
        elif one.url in stated:
            facts = stated[one.url]
            _check_hashes(file, one, facts)
        else:
            facts = None
        if facts is None or facts.sha256 is None:
            facts = _of_file(file, one, cache, offline=offline, progress=progress)
        packages.append(_package(one, facts))
    _check_closure(file, packages)
    needed = {_spec_name(spec) for package in packages for spec in package.depends}
    return tuple(
        sorted(
            (replace(package, requested=package.name not in needed) for package in packages),
            key=lambda package: package.name,
        )
    )


def name_of(one: ImportedConda) -> str:
    """Give a package's name, as its file's name has it."""
    return _name_parts(one.filename)[0]


def _check_unique(file: str, selected: Iterable[ImportedConda]) -> None:
    by_name: dict[str, ImportedConda] = {}
    for one in selected:
        name = _name_parts(one.filename)[0]
        other = by_name.setdefault(name, one)
        if other.url != one.url:
            raise ResolutionError(
                f"{file} takes {other.filename} and {one.filename} at once",
                hint="choose one environment with [pip] groups, or write the file anew",
            )


def _name_parts(filename: str) -> tuple[str, str, str]:
    """Split `numpy-2.3.0-py313h1234567_0.conda` into name, version and build."""
    bare = filename.removesuffix(".conda").removesuffix(".tar.bz2")
    parts = bare.rsplit("-", _PARTS - 1)
    if len(parts) != _PARTS:
        return bare, "", ""
    return parts[0], parts[1], parts[2]


def _is_whole(one: ImportedConda) -> bool:
    return None not in {one.sha256, one.build_number} and one.depends is not None


def _own_facts(one: ImportedConda) -> _Facts:
    return _Facts(
        *_name_parts(one.filename),
        build_number=one.build_number or 0,
        depends=one.depends or (),
        constrains=one.constrains or (),
        noarch=one.noarch,
        sha256=one.sha256,
        md5=one.md5,
        size=one.size,
    )


def _package(one: ImportedConda, facts: _Facts) -> CondaPackage:
    return CondaPackage(
        name=facts.name,
        version=facts.version,
        build=facts.build,
        build_number=facts.build_number,
        subdir=one.subdir,
        channel=one.channel,
        filename=one.filename,
        digest=Digest.parse(f"sha256:{facts.sha256}"),
        md5=facts.md5 or one.md5,
        size=facts.size,
        url=one.url,
        depends=facts.depends,
        constrains=facts.constrains,
        noarch=facts.noarch,
        purls=facts.purls,
    )


def _of_channels(
    ones: Sequence[ImportedConda], cache: Cache, *, offline: bool, progress: Progress
) -> dict[str, _Facts]:
    """Ask each channel for the builds that are locked; by URL."""
    by_channel: dict[str, list[ImportedConda]] = {}
    for one in ones:
        by_channel.setdefault(one.channel, []).append(one)
    found: dict[str, _Facts] = {}
    for channel, several in by_channel.items():
        progress.note(f"asking {channel} about {len(several)} package{'s' * (len(several) > 1)}")
        try:
            records = asyncio.run(_records(channel, several, cache, offline=offline))
        except Exception as error:  # noqa: BLE001 - rattler raises its own types and plain exceptions alike
            reason = redact(str(error)).replace("\n", " ")
            progress.warn(
                f"{channel} says nothing of its packages ({reason}); the packages are read themselves"
            )
            continue
        found |= {without_credentials(record.url): _of_record(record) for record in records}
    return found


async def _records(
    channel: str, ones: Sequence[ImportedConda], cache: Cache, *, offline: bool
) -> list[RepoDataRecord]:
    from rattler import Channel, Gateway, MatchSpec, SourceConfig  # noqa: PLC0415 - heavy

    config = SourceConfig(cache_action="force-cache-only" if offline else "cache-or-fetch")
    with cache.scratch() as folder:
        gateway = Gateway(cache_dir=folder, default_config=config)
        specs = []
        for one in ones:
            name, version, build = _name_parts(one.filename)
            specs.append(MatchSpec(f"{name}=={version}={build}" if build else name))
        subdirs: Any = sorted({one.subdir for one in ones})
        rows: Any = await gateway.query([Channel(channel)], subdirs, specs, recursive=False)
    return [record for several in rows for record in several]


def _of_record(record: RepoDataRecord) -> _Facts:
    noarch = record.noarch
    return _Facts(
        name=record.name.normalized,
        version=str(record.version),
        build=str(record.build),
        build_number=record.build_number,
        depends=tuple(record.depends),
        constrains=tuple(record.constrains),
        noarch="python" if noarch.python else "generic" if noarch.generic else None,
        sha256=None if record.sha256 is None else record.sha256.hex(),
        md5=None if record.md5 is None else record.md5.hex(),
        size=record.size,
        purls=purls_of(record),
    )


def _of_file(file: str, one: ImportedConda, cache: Cache, *, offline: bool, progress: Progress) -> _Facts:
    """Read a package itself; it stays in the cache for the build."""
    if offline and not one.url.startswith("file:"):
        raise NetworkError(
            f"{file} does not say all of {one.filename}, and its channel cannot be asked offline",
            hint="run it without --offline",
        )
    content = download.get(one.url, progress=progress, limit=_LARGEST)
    sha256 = hashlib.sha256(content).hexdigest()
    md5 = hashlib.md5(content, usedforsecurity=False).hexdigest()
    index = _index_json(file, one, content)
    facts = _of_index(one, index, sha256, md5, len(content))
    _check_hashes(file, one, facts)
    with cache.writer() as writer:
        writer.write(content)
        writer.commit(Digest.parse(f"sha256:{sha256}"))
    return facts


def _of_index(one: ImportedConda, index: Mapping[str, Any], sha256: str, md5: str, size: int) -> _Facts:
    name, version, build = _name_parts(one.filename)
    noarch = index.get("noarch")
    return _Facts(
        name=str(index.get("name", name)),
        version=str(index.get("version", version)),
        build=str(index.get("build", build)),
        build_number=int(index.get("build_number", 0)),
        depends=tuple(map(str, index.get("depends", ()))),
        constrains=tuple(map(str, index.get("constrains", ()))),
        noarch=noarch if noarch in {"python", "generic"} else None,
        sha256=sha256,
        md5=md5,
        size=size,
    )


def _index_json(file: str, one: ImportedConda, content: bytes) -> Mapping[str, Any]:
    from conda_package_streaming.package_streaming import (  # noqa: PLC0415 - heavy
        stream_conda_info,
    )

    try:
        for tar, member in stream_conda_info(one.filename, io.BytesIO(content)):
            if member.name == "info/index.json":
                extracted = tar.extractfile(member)
                document = json.loads(extracted.read() if extracted else b"")
                if isinstance(document, dict):
                    return document
    except Exception as error:  # whatever a damaged archive makes its readers raise
        raise UntrustedError(
            f"{file}: {one.url} is not a conda package: {error}", hint="fetch it by hand and look at it"
        ) from error
    raise UntrustedError(f"{file}: {one.url} holds no info/index.json", hint="it is not a conda package")


def _check_hashes(file: str, one: ImportedConda, facts: _Facts) -> None:
    for algorithm, locked, found in (("sha256", one.sha256, facts.sha256), ("md5", one.md5, facts.md5)):
        if locked is not None and found is not None and locked != found:
            raise UntrustedError(
                f"{file}: {one.filename} is another file in {one.channel} than was locked",
                details=(f"locked as {algorithm}:{locked}", f"the channel has {algorithm}:{found}"),
                hint=f"find out which is right; if {file} is wrong, write it anew with its own tool",
            )


def _check_closure(file: str, packages: Sequence[CondaPackage]) -> None:
    """Hold what packages need against what is locked; virtual packages (`__glibc`) are the target's."""
    names = {package.name for package in packages}
    missing = sorted(
        {
            (name, package.name)
            for package in packages
            for spec in package.depends
            if (name := _spec_name(spec)) and not name.startswith("__") and name not in names
        }
    )
    if missing:
        raise ResolutionError(
            f"{file} is not whole: it lacks {', '.join(sorted({name for name, _ in missing}))}",
            details=tuple(f"{user} needs {name}" for name, user in missing),
            hint="add what is missing and write it anew with its own tool",
        )


def _spec_name(spec: str) -> str:
    """Give the name of a match spec: `python >=3.11,<3.12.0a0`, `conda-forge::numpy[version='>=2']`."""
    bare = spec.strip().rpartition("::")[2]
    for mark in " =<>!~[;":
        bare = bare.partition(mark)[0]
    return bare
