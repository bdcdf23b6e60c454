"""The Python packages of an image: the metadata that each has in its site-packages (core metadata)."""

from __future__ import annotations

import json
import re
from email.parser import HeaderParser
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name

from envfreeze.records.sbom import licences, purl
from envfreeze.records.sbom.model import Key, Package

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator
    from email.message import Message
    from pathlib import Path

    from envfreeze.oci.merged import Merged

WANTED = (
    r"(?:[^/]+/)*(?:site|dist)-packages/[^/]+\.(?:dist-info/(?:METADATA|REQUESTED|direct_url\.json)"
    r"|egg-info/PKG-INFO|egg-info)"
)
"""The files that are read, as a regular expression of paths."""

_PACKED = re.compile(r"(?:^|/)(?:pkgs|\.cache)/")
_PAGES = ("homepage", "home page", "repository", "source", "source code")


def read(found: Merged, owned: Collection[str]) -> list[Package]:
    """Read the packages of all environments, without those that dpkg or conda own.

    Args:
        found: the image's files.
        owned: paths that are somebody's, without the leading slash.

    """
    packages = []
    for file in _metadata(found.root):
        path = file.relative_to(found.root).as_posix()
        if path in owned or _PACKED.search(path):
            continue
        package = _package(HeaderParser().parsestr(file.read_text("utf-8", "replace")), file.parent)
        if package is not None:
            packages.append(package)
    return packages


def _metadata(root: Path) -> Iterator[Path]:
    wanted = re.compile(WANTED)
    for file in sorted(root.rglob("*")):
        told = file.name in {"METADATA", "PKG-INFO"} or file.suffix == ".egg-info"
        if told and file.is_file() and wanted.fullmatch(file.relative_to(root).as_posix()):
            yield file


def _package(fields: Message, folder: Path) -> Package | None:
    name, version = fields.get("Name"), fields.get("Version")
    if not name or not version:
        return None
    return Package(
        Key("pip", canonicalize_name(name), version.strip()),
        purl.pypi(name, version.strip(), _qualifiers(folder / "direct_url.json")),
        licence=licences.of_metadata(
            fields.get("License-Expression"), fields.get("License"), fields.get_all("Classifier") or ()
        ),
        supplier=_line(fields.get("Author")) or _line(fields.get("Maintainer")) or None,
        homepage=_homepage(fields),
        requested=(folder / "REQUESTED").exists() if folder.name.endswith(".dist-info") else None,
    )


def _qualifiers(file: Path) -> dict[str, str]:
    """Where it comes from, where that is no index (PEP 610)."""
    try:
        document = json.loads(file.read_bytes())
        url = re.sub(r"://[^/@\s]+@", "://", document["url"])
        if "vcs_info" in document:
            vcs = document["vcs_info"]
            return {"vcs_url": f"{vcs['vcs']}+{url}@{vcs['commit_id']}"}
        return {"download_url": url} if url.startswith("http") else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _homepage(fields: Message) -> str | None:
    page = _line(fields.get("Home-page"))
    if page.startswith("http"):
        return page
    urls = {}
    for entry in fields.get_all("Project-URL") or ():
        label, _, url = entry.partition(",")
        urls[label.strip().lower()] = url.strip()
    return next((urls[label] for label in _PAGES if urls.get(label, "").startswith("http")), None)


def _line(text: str | None) -> str:
    """A field of one line; mail addresses are nobody's business here."""
    line = " ".join((text or "").split())
    return "" if line.upper() == "UNKNOWN" or "@" in line else line
