"""What an image itself says of its packages: wheels' `RECORD`, dpkg's lists, conda's records. Pure.

Formats: the packaging specification "Recording installed projects", dpkg's `/var/lib/dpkg/info` and `status`
(dpkg-query(1)), distroless images' `status.d`, and conda's `conda-meta/*.json` (conda's `PrefixRecord`).
"""

from __future__ import annotations

import base64
import binascii
import csv
import io
import json
import posixpath
import re
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from envfreeze.compare.entries import Owner, Package

if TYPE_CHECKING:
    from collections.abc import Iterator

DIST_INFO = re.compile(
    r"(?P<root>(?:.*/)?(?:site|dist)-packages)/(?P<name>[^/]+?)-(?P<version>[^/-]+)\.dist-info(?=/|$)"
)
_DPKG_INFO = re.compile(r"var/lib/dpkg/info/(?P<name>[^/:]+)(?::[^/.]+)?\.(?P<kind>[a-z0-9]+)")
_DISTROLESS = re.compile(r"var/lib/dpkg/status\.d/(?P<name>[^/]+?)(?P<sums>\.md5sums)?")
_DPKG_STATUS = "var/lib/dpkg/status"
CONDA_META = re.compile(
    r"(?P<root>(?:.*/)?)conda-meta/(?P<name>[^/]+)-(?P<version>[^/-]+)-(?P<build>[^/-]+)\.json"
)
# Debian's merged /usr: packages may list files under the old names.
_MERGED = ("usr/bin/", "usr/sbin/", "usr/lib/", "usr/lib64/", "usr/lib32/", "usr/libx32/")
# Written by whoever installs, not by whoever made the package.
_NOTES = (
    "RECORD",
    "INSTALLER",
    "REQUESTED",
    "direct_url.json",
    "uv_cache.json",
    "uv_build.json",
    "provenance_url.json",
)


@dataclass(slots=True)
class Listing:
    """What one file tells: packages, and the paths that belong to them."""

    packages: list[Package] = field(default_factory=list)
    owned: list[tuple[str, Owner]] = field(default_factory=list)


def tells(path: str) -> bool:
    """Whether the content of a file tells about packages."""
    return (
        path == _DPKG_STATUS
        or path.endswith((".dist-info/RECORD", ".list", ".md5sums"))
        or _DISTROLESS.fullmatch(path) is not None
        or CONDA_META.fullmatch(path) is not None
    )


def named(path: str) -> Package | None:
    """The package that a path tells of by its name alone: a wheel's metadata, whatever it contains."""
    wheel = DIST_INFO.match(path)
    if wheel is None or not path.endswith("/METADATA"):
        return None
    return Package("pip", wheel["root"], normal(wheel["name"]), wheel["version"])


def read(path: str, data: bytes) -> Listing:
    """Take in the content of a file that `tells`; of one that is damaged what can be read."""
    found = Listing()
    text = data.decode("utf-8", "replace")
    if path == _DPKG_STATUS:
        found.packages += _stanzas(text, "")
    elif CONDA_META.fullmatch(path) is not None:
        _conda(path, text, found)
    elif (wheel := DIST_INFO.match(path)) is not None:
        _wheel(wheel, text, found)
    elif (deb := _DPKG_INFO.fullmatch(path)) is not None:
        found.owned += _dpkg(deb["name"], deb["kind"], text)
    elif (deb := _DISTROLESS.fullmatch(path)) is not None:
        if deb["sums"]:
            found.owned += _dpkg(deb["name"], "md5sums", text)
        else:
            found.packages += _stanzas(text, deb["name"])
    return found


def own_list_of(path: str) -> tuple[str, str] | None:
    """The package that keeps its own notes at a path, and its kind; None where it is no such place."""
    if (wheel := DIST_INFO.match(path)) is not None:
        return normal(wheel["name"]), "pip"
    if (conda := CONDA_META.fullmatch(path)) is not None:
        return conda["name"], "conda"
    if (deb := _DPKG_INFO.fullmatch(path) or _DISTROLESS.fullmatch(path)) is not None:
        return deb["name"], "dpkg"
    return None


def is_note(path: str) -> bool:
    """Whether a path is an installer's own note, which is part of no package."""
    if path.endswith(".pyc"):
        return True
    if DIST_INFO.match(path) is not None:
        return posixpath.basename(path) in _NOTES
    return "/conda-meta/" in f"/{path}" or path.startswith("var/lib/dpkg/")


def other_names(path: str) -> Iterator[str]:
    """The names that a package may list a path under: its own, and that from before /usr was merged."""
    yield path
    if path.startswith(_MERGED):
        yield path.removeprefix("usr/")


def normal(name: str) -> str:
    """The normalised name (PEP 503), which is what locks and findings call a package by."""
    return re.sub(r"[-_.]+", "-", name).lower()


def _wheel(match: re.Match[str], text: str, found: Listing) -> None:
    name = normal(match["name"])
    found.packages.append(Package("pip", match["root"], name, match["version"]))
    with suppress(csv.Error):
        for row in csv.reader(io.StringIO(text)):
            if row and row[0]:
                path = posixpath.normpath(posixpath.join("/", match["root"], row[0])).lstrip("/")
                found.owned.append((path, Owner(name, "pip", _hash(row[1] if row[1:] else ""))))


def _hash(text: str) -> str:
    """A RECORD's hash, `sha256=` and URL-safe base64 without padding, in hexadecimal."""
    algorithm, _, value = text.partition("=")
    if algorithm != "sha256":
        return ""
    try:
        return f"sha256:{base64.urlsafe_b64decode(value + '=' * (-len(value) % 4)).hex()}"
    except (binascii.Error, ValueError):
        return ""


def _conda(path: str, text: str, found: Listing) -> None:
    root = path.rpartition("conda-meta/")[0]
    try:
        record = json.loads(text)
        name = str(record["name"])
        found.packages.append(
            Package("conda", root.rstrip("/"), name, f"{record['version']}-{record['build']}")
        )
        files = [str(file) for file in record["files"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        return
    hashes = _conda_hashes(record)
    found.owned.append((path, Owner(name, "conda", "")))
    found.owned += [(f"{root}{file}", Owner(name, "conda", hashes.get(file, ""))) for file in files]


def _conda_hashes(record: Any) -> dict[str, str]:  # noqa: ANN401 - parsed JSON
    with suppress(KeyError, TypeError, AttributeError):
        return {
            str(one["_path"]): f"sha256:{one.get('sha256_in_prefix') or one['sha256']}"
            for one in record["paths_data"]["paths"]
            if one.get("path_type") == "hardlink" and (one.get("sha256_in_prefix") or one.get("sha256"))
        }
    return {}


def _dpkg(name: str, kind: str, text: str) -> Iterator[tuple[str, Owner]]:
    if kind == "list":
        for line in text.splitlines():
            yield line.strip("/"), Owner(name, "dpkg", "")
    elif kind == "md5sums":
        for line in text.splitlines():
            value, _, path = line.partition("  ")
            if path:
                yield path.removeprefix("./"), Owner(name, "dpkg", f"md5:{value.strip()}")


def _stanzas(text: str, root: str) -> Iterator[Package]:
    """The installed packages of dpkg's status file; `root` tells one file of distroless from another."""
    for paragraph in re.split(r"\n\s*\n", text):
        fields = dict(
            line.split(": ", 1) for line in paragraph.splitlines() if ": " in line and line[:1] not in " \t"
        )
        name, version = fields.get("Package", "").strip(), fields.get("Version", "").strip()
        # What was removed and left its configuration behind is listed too.
        if name and version and fields.get("Status", "installed").split()[-1:] == ["installed"]:
            yield Package("dpkg", root, name, version)
