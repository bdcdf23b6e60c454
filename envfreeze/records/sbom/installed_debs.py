"""The OS packages of an image: dpkg's database, and what each says of its licence (DEP-5)."""

from __future__ import annotations

import re
import warnings
from typing import TYPE_CHECKING

from envfreeze.records.sbom import licences, purl
from envfreeze.records.sbom.model import UNKNOWN, Key, Licence, Package

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from envfreeze.oci.merged import Merged

WANTED = r"var/lib/dpkg/status(?:\.d/[^/]+)?|var/lib/dpkg/info/[^/]+\.list|usr/share/doc/[^/]+/copyright"
"""The files that are read, as a regular expression of paths."""

_INSTALLED = ["ok", "installed"]
_MAIL = re.compile(r"\s*<[^>]*>")
_RELEASE = re.compile(r"^(\w+)=[\"']?([^\"'\n]*)", re.MULTILINE)
_FORMAT = "https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/"
_MOST_BYTES = 4 << 20


def read(found: Merged) -> list[Package]:
    """Read the packages that are installed."""
    from debian.deb822 import Deb822  # noqa: PLC0415 - heavy

    release = _release(found.root)
    packages = []
    for text in _databases(found.root):
        for fields in Deb822.iter_paragraphs(text, use_apt_pkg=False):
            status = fields.get("Status", "install ok installed").split()[1:]
            if status != _INSTALLED or "Package" not in fields or "Version" not in fields:
                continue
            packages.append(_package(found, fields, release))
    return packages


def owned(found: Merged) -> set[str]:
    """The paths that dpkg's packages own, without the leading slash."""
    paths: set[str] = set()
    for file in sorted((found.root / "var/lib/dpkg/info").glob("*.list")):
        for line in file.read_text("utf-8", "surrogateescape").splitlines():
            paths.add(line.lstrip("/"))
    return paths


def _databases(root: Path) -> Iterator[str]:
    folder = root / "var/lib/dpkg"
    parts = sorted((folder / "status.d").glob("*")) if (folder / "status.d").is_dir() else []
    for file in (folder / "status", *(part for part in parts if part.suffix != ".md5sums")):
        if file.is_file():
            yield file.read_text("utf-8", "replace")


def _package(found: Merged, fields: Mapping[str, str], release: Mapping[str, str]) -> Package:
    name, version = fields["Package"], fields["Version"]
    maker = _MAIL.sub("", fields.get("Maintainer", "")).strip()
    return Package(
        Key("os", name, version),
        purl.deb(
            release.get("ID", "debian"),
            name,
            version,
            fields.get("Architecture", ""),
            release.get("VERSION_CODENAME", ""),
        ),
        licence=_licence(found, name),
        supplier=maker or None,
        homepage=fields.get("Homepage") or None,
    )


def _release(root: Path) -> dict[str, str]:
    """os-release(5)."""
    for place in ("etc/os-release", "usr/lib/os-release"):
        if (root / place).is_file():
            return dict(_RELEASE.findall((root / place).read_text("utf-8", "replace")))
    return {}


def _licence(found: Merged, name: str) -> Licence:
    """The licences of a package's files, where its copyright file is one for machines."""
    path = found.root / found.resolve(f"usr/share/doc/{name}/copyright")
    if not path.is_file() or path.stat().st_size > _MOST_BYTES:
        return UNKNOWN
    first, _, rest = path.read_text("utf-8", "replace").lstrip().partition("\n")
    if not first.lower().startswith(("format:", "format-specification:")):
        return UNKNOWN
    from debian.copyright import Copyright, Error  # noqa: PLC0415 - heavy

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what is not quite as the format wants it
            parsed = Copyright([f"Format: {_FORMAT}", *rest.splitlines()], strict=False)
            stated = [getattr(part.license, "synopsis", "") for part in parsed.all_files_paragraphs()]
    except (Error, ValueError, TypeError, KeyError):
        return UNKNOWN
    return licences.of_debian([" ".join(name.split()) for name in stated if name])
