"""`conda-meta/NAME-VERSION-BUILD.json`: what tells conda, mamba and rattler that a package is installed.

The fields are those of conda's `PrefixRecord`; paths of the machine that built the image
(`extracted_package_dir`, `package_tarball_full_path`, `link`) are not among them, and who asked for the
package stands in `conda-meta/history` alone, so that the record is a function of the locked package.
"""

from __future__ import annotations

import json
import posixpath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from envfreeze.errors import UntrustedError
from envfreeze.oci import canonical

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from envfreeze.locking.model import CondaPackage

FOLDER = "conda-meta"

_DATE = "1980-01-02 00:00:00"
"""The writer's one date, as conda writes dates (docs/formats/writer-1.md)."""

_TEXTS = (
    "arch",
    "features",
    "license",
    "license_family",
    "platform",
    "python_site_packages_path",
    "track_features",
)
"""What is taken from index.json as it is; all else that a lock has comes from the lock."""


def record_name(package: CondaPackage) -> str:
    """The name of a package's record."""
    return f"{package.name}-{package.version}-{package.build}.json"


def read_index(text: bytes | None, package: CondaPackage) -> dict[str, Any]:
    """Read `info/index.json` and hold it against the lock.

    Raises:
        UntrustedError: it is missing, cannot be read, or is another package's.

    """
    if text is None:
        raise UntrustedError("it has no info/index.json")
    index = canonical.parse(text, "its info/index.json")
    for key, locked in (("name", package.name), ("version", package.version), ("build", package.build)):
        if index.get(key) != locked:
            raise UntrustedError(
                f"it says of itself {key} {index.get(key)!r}, the lock has {locked!r}",
                hint="make the lock anew: envfreeze lock --upgrade",
            )
    noarch = index.get("noarch")
    if noarch not in {None, "python", "generic"} or (package.noarch not in {None, noarch}):
        raise UntrustedError(f"it says of itself noarch {noarch!r}, the lock has {package.noarch!r}")
    if noarch is not None and package.subdir != "noarch":
        raise UntrustedError(f"it is a noarch package, and the lock has it from {package.subdir}")
    return index


def record(
    package: CondaPackage, index: Mapping[str, Any], size: int, rows: Iterable[Mapping[str, Any]]
) -> bytes:
    """Write a package's record.

    Args:
        package: the locked package.
        index: its info/index.json.
        size: bytes of the package's file.
        rows: `paths_data.paths`, sorted by path.

    Raises:
        UntrustedError: its metadata is no text.

    """
    channel, url = _public(package)
    paths = list(rows)
    fields: dict[str, Any] = {
        "build": package.build,
        "build_number": package.build_number,
        "channel": channel,
        "constrains": list(package.constrains),
        "depends": list(package.depends),
        "files": [row["_path"] for row in paths],
        "fn": package.filename,
        "md5": package.md5,
        "name": package.name,
        "noarch": index.get("noarch"),
        "paths_data": {"paths": paths, "paths_version": 1},
        "sha256": package.digest.hex,
        "size": size,
        "subdir": package.subdir,
        "timestamp": _timestamp(index.get("timestamp")),
        "url": url,
        "version": package.version,
        **{key: index[key] for key in _TEXTS if isinstance(index.get(key), str) and index[key]},
    }
    try:
        return canonical.dump({key: value for key, value in fields.items() if value is not None})
    except ValueError as error:
        raise UntrustedError("its metadata holds what is not Unicode") from error


def history(packages: Iterable[CondaPackage]) -> bytes:
    """Write `conda-meta/history`: one revision with every package, and the specs that the project asked for.

    The format is that of conda's `History`: dists as `CHANNEL/SUBDIR::NAME-VERSION-BUILD`.
    """
    ordered = sorted(packages, key=lambda package: package.name)
    dists = [
        f"+{_public(package)[0]}/{package.subdir}::{package.name}-{package.version}-{package.build}"
        for package in ordered
    ]
    requested = [package.name for package in ordered if package.requested]
    specs = [f"# update specs: {json.dumps(requested)}"] if requested else []
    # conda takes the specs only where a command stands before them.
    lines = (f"==> {_DATE} <==", "# cmd: envfreeze build", *dists, *specs)
    return "".join(f"{line}\n" for line in lines).encode()


def _public(package: CondaPackage) -> tuple[str, str]:
    """Channel and URL; a channel in a folder of the build's machine is named by its last part alone."""
    if urlsplit(package.channel).scheme != "file" and urlsplit(package.url).scheme != "file":
        return package.channel, package.url
    channel = f"file:///{posixpath.basename(package.channel.rstrip('/'))}"
    return channel, f"{channel}/{package.subdir}/{package.filename}"


def _timestamp(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
