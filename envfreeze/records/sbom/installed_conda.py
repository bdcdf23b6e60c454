"""The conda packages of an image: a record of each lies in its environment's `conda-meta`."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from envfreeze.digest import Digest
from envfreeze.errors import UntrustedError
from envfreeze.records.sbom import licences, purl
from envfreeze.records.sbom.model import Key, Package

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envfreeze.oci.merged import Merged

WANTED = r"(?:[^/]+/)*conda-meta/[^/]+\.json"
"""The files that are read, as a regular expression of paths."""

_CREDENTIALS = re.compile(r"://[^/@\s]+@|/t/[^/]+(?=/)")


def read(found: Merged) -> list[Package]:
    """Read the packages of all environments.

    Raises:
        UntrustedError: a record is not what conda writes.

    """
    return [_package(record, path) for path, record in _records(found)]


def owned(found: Merged) -> set[str]:
    """The paths that conda's packages own, without the leading slash."""
    paths: set[str] = set()
    for path, record in _records(found):
        prefix = path.rpartition("/conda-meta/")[0] if "/conda-meta/" in path else ""
        files = record.get("files")
        for file in files if isinstance(files, list) else ():
            if isinstance(file, str):
                paths.add(f"{prefix}/{file}".lstrip("/"))
    return paths


def _records(found: Merged) -> Iterator[tuple[str, dict[str, Any]]]:
    pattern = re.compile(WANTED)
    for file in sorted(found.root.rglob("conda-meta/*.json")):
        path = file.relative_to(found.root).as_posix()
        if pattern.fullmatch(path) is None:
            continue
        try:
            record = json.loads(file.read_bytes())
        except (ValueError, RecursionError) as error:
            raise UntrustedError(f"/{path} in the image is no record of conda's: {error}") from error
        if isinstance(record, dict):
            yield path, record


def _package(record: dict[str, Any], path: str) -> Package:
    def text(key: str) -> str:
        value = record.get(key)
        return value if isinstance(value, str) else ""

    name, version = text("name"), text("version")
    if not name or not version:
        raise UntrustedError(f"/{path} in the image is no record of conda's: it names no package")
    url = _CREDENTIALS.sub(lambda match: "://" if match[0].startswith(":") else "", text("url"))
    digest = text("sha256")
    return Package(
        Key("conda", name, version),
        purl.conda(
            name,
            version,
            build=text("build"),
            channel=_CREDENTIALS.sub("://", text("channel")).removesuffix(f"/{text('subdir')}"),
            subdir=text("subdir"),
            filename=text("fn") or url.rpartition("/")[2],
        ),
        digest=Digest(digest) if re.fullmatch("[0-9a-f]{64}", digest) else None,
        url=url if url.startswith("http") else None,
        licence=licences.stated(text("license")),
    )
