"""Which package owns a path, as the image itself says: wheels' `RECORD`, dpkg's `*.list`, conda's records.

Read while a layer is read: a layer that carries a package carries what lists its files too.
"""

from __future__ import annotations

import csv
import io
import json
import posixpath
import re
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from envfreeze.oci.members import Member

_DIST_INFO = re.compile(
    r"(?P<root>(?:.*/)?(?:site|dist)-packages)/(?P<name>[^/]+?)-(?P<version>[^/-]+)\.dist-info"
)
_DPKG_LIST = re.compile(r"var/lib/dpkg/info/(?P<name>[^/:]+)(?::[^/.]+)?\.[a-z0-9]+")
_DPKG_STATUS = "var/lib/dpkg/status"
_CONDA_META = re.compile(r"(?P<root>(?:.*/)?)conda-meta/[^/]+\.json")
# Debian's merged /usr: packages may list files under the old names.
_MERGED = ("usr/bin/", "usr/sbin/", "usr/lib/", "usr/lib64/", "usr/lib32/", "usr/libx32/")


def read_by_owners(path: str) -> bool:
    """Whether a file tells about packages, so that its content is wanted."""
    return (
        path == _DPKG_STATUS
        or path.endswith((".dist-info/RECORD", ".list"))
        or _CONDA_META.fullmatch(path) is not None
    )


@dataclass(slots=True)
class Owners:
    """The packages of one layer.

    Attributes:
        wheels: normalised name to version of the wheels whose `RECORD` is in the layer.
        debs: name to version of the packages in dpkg's status file, where the layer has one.
        conda: name to version and build of the conda packages whose record is in the layer.

    """

    wheels: dict[str, str] = field(default_factory=dict)
    debs: dict[str, str] = field(default_factory=dict)
    conda: dict[str, str] = field(default_factory=dict)
    _paths: dict[str, str] = field(default_factory=dict)
    _of_conda: set[str] = field(default_factory=set)

    def learn(self, member: Member, data: bytes) -> None:
        """Take in the content of a file that `read_by_owners` asked for."""
        text = data.decode("utf-8", "replace")
        if member.path == _DPKG_STATUS:
            self.debs.update(_stanzas(text))
        elif (record := _CONDA_META.fullmatch(member.path)) is not None:
            self._learn_conda(record["root"], member.path, text)
        elif member.path in self._of_conda:
            # A Python package from conda: its record has said all that there is to say.
            return
        elif (wheel := _DIST_INFO.match(member.path)) is not None:
            name = _wheel_name(wheel)
            self.wheels[name] = wheel["version"]
            for listed in _listed(text):
                path = posixpath.normpath(posixpath.join("/", wheel["root"], listed))
                self._paths[path.lstrip("/")] = name
        elif (deb := _DPKG_LIST.fullmatch(member.path)) is not None:
            for line in text.splitlines():
                # Directories belong to many packages; whoever lists them last is no owner.
                self._paths.setdefault(line.strip("/"), deb["name"])

    def _learn_conda(self, root: str, path: str, text: str) -> None:
        with suppress(ValueError, KeyError, TypeError, AttributeError, RecursionError):
            record = json.loads(text)
            name = str(record["name"])
            self.conda[name] = f"{record['version']}-{record['build']}"
            for listed in (path, *(f"{root}{file}" for file in record["files"])):
                self._paths[listed] = name
                self._of_conda.add(listed)

    def of(self, path: str) -> str | None:
        """The package that owns a path; None where the layer does not say."""
        if path in self._of_conda:
            return self._paths[path]
        wheel = _DIST_INFO.match(path)
        if wheel is not None:
            return _wheel_name(wheel)
        deb = _DPKG_LIST.fullmatch(path)
        if deb is not None:
            return deb["name"]
        owner = self._paths.get(path)
        if owner is None and path.startswith(_MERGED):
            owner = self._paths.get(path.removeprefix("usr/"))
        return owner


def _wheel_name(match: re.Match[str]) -> str:
    """The normalised name (PEP 503), which is what locks and findings call a package by."""
    return re.sub(r"[-_.]+", "-", match["name"]).lower()


def _listed(record: str) -> list[str]:
    """The paths of a RECORD; those before the damage where it is not CSV."""
    paths: list[str] = []
    with suppress(csv.Error):
        paths.extend(row[0] for row in csv.reader(io.StringIO(record)) if row and row[0])
    return paths


def _stanzas(text: str) -> dict[str, str]:
    versions: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        if line.startswith("Package: "):
            name = line.removeprefix("Package: ").strip()
        elif line.startswith("Version: ") and name:
            versions[name] = line.removeprefix("Version: ").strip()
    return versions
