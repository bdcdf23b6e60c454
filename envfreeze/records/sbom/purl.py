"""Package URLs: one name for a package that scanners and databases of vulnerabilities know.

https://github.com/package-url/purl-spec (PURL-SPECIFICATION.rst, and PURL-TYPES.rst for each type).
"""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Mapping


def pypi(name: str, version: str, qualifiers: Mapping[str, str] | None = None) -> str:
    """Name a Python package."""
    return _purl("pypi", "", canonicalize_name(name), version, qualifiers or {})


def deb(distribution: str, name: str, version: str, architecture: str, release: str = "") -> str:
    """Name an OS package.

    Args:
        distribution: `debian`, `ubuntu`.
        name: of the package.
        version: with epoch and revision.
        architecture: `amd64`, `all`.
        release: the distribution's code name, `trixie`; empty: not known.

    """
    return _purl("deb", distribution, name.lower(), version, {"arch": architecture, "distro": release})


def conda(name: str, version: str, *, build: str, channel: str, subdir: str, filename: str) -> str:
    """Name a conda package; of a channel's URL its last part is the channel's name."""
    kind = "conda" if filename.endswith(".conda") else "tar.bz2"
    last = urlsplit(channel).path.rstrip("/").rpartition("/")[2] or channel
    return _purl(
        "conda", "", name, version, {"build": build, "channel": last, "subdir": subdir, "type": kind}
    )


def generic(name: str, version: str, qualifiers: Mapping[str, str]) -> str:
    """Name what belongs to no archive of packages."""
    return _purl("generic", "", name, version, qualifiers)


def oci(repository: str, digest: str, tag: str | None = None, architecture: str = "") -> str:
    """Name an image; `repository` is registry and repository."""
    name = repository.rpartition("/")[2]
    return _purl(
        "oci", "", name, digest, {"repository_url": repository, "tag": tag or "", "arch": architecture}
    )


def _purl(kind: str, namespace: str, name: str, version: str, qualifiers: Mapping[str, str]) -> str:
    path = "/".join(_encoded(part) for part in (namespace, name) if part)
    pairs = "&".join(f"{key}={_encoded(value, '/')}" for key, value in sorted(qualifiers.items()) if value)
    return f"pkg:{kind}/{path}@{_encoded(version)}" + (f"?{pairs}" if pairs else "")


def _encoded(text: str, further: str = "") -> str:
    # The specification leaves letters, digits, `.`, `-`, `_`, `~` and the separator `:` as they are.
    return quote(text, safe=f":{further}")
