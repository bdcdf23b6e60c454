"""What packages say of their licences, as SPDX expressions where it is one. Pure.

`packaging.licenses` knows SPDX's list; what is here is how Debian, conda and old Python metadata say it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression

from envfreeze.records.sbom.model import UNKNOWN, Licence

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_LONGEST = 120
"""Characters of what is a licence's name and not its text."""

# Trove classifiers that mean one licence of SPDX's list (https://peps.python.org/pep-0639/, "Mapping license
# classifiers to SPDX identifiers"); those that leave the version or the variant open are not among them.
_CLASSIFIERS = {
    "Academic Free License (AFL)": "",
    "Apache Software License": "",
    "BSD License": "",
    "Boost Software License 1.0 (BSL-1.0)": "BSL-1.0",
    "CC0 1.0 Universal (CC0 1.0) Public Domain Dedication": "CC0-1.0",
    "European Union Public Licence 1.1 (EUPL 1.1)": "EUPL-1.1",
    "European Union Public Licence 1.2 (EUPL 1.2)": "EUPL-1.2",
    "GNU Affero General Public License v3": "AGPL-3.0-only",
    "GNU Affero General Public License v3 or later (AGPLv3+)": "AGPL-3.0-or-later",
    "GNU General Public License v2 (GPLv2)": "GPL-2.0-only",
    "GNU General Public License v2 or later (GPLv2+)": "GPL-2.0-or-later",
    "GNU General Public License v3 (GPLv3)": "GPL-3.0-only",
    "GNU General Public License v3 or later (GPLv3+)": "GPL-3.0-or-later",
    "GNU Lesser General Public License v2 (LGPLv2)": "LGPL-2.0-only",
    "GNU Lesser General Public License v2 or later (LGPLv2+)": "LGPL-2.0-or-later",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
    "Historical Permission Notice and Disclaimer (HPND)": "HPND",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "Mozilla Public License 1.1 (MPL 1.1)": "MPL-1.1",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "PostgreSQL License": "PostgreSQL",
    "The Unlicense (Unlicense)": "Unlicense",
    "Universal Permissive License (UPL)": "UPL-1.0",
    "University of Illinois/NCSA Open Source License": "NCSA",
    "zlib/libpng License": "Zlib",
}

# https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/ ("Short name"): the names that differ
# from SPDX's.
_DEBIAN = {
    "expat": "MIT",
    "bsd-2-clause": "BSD-2-Clause",
    "bsd-3-clause": "BSD-3-Clause",
    "bsd-4-clause": "BSD-4-Clause",
    "apache-2.0": "Apache-2.0",
    "artistic": "Artistic-1.0-Perl",
    "mpl-1.1": "MPL-1.1",
    "zlib": "Zlib",
    "openssl": "OpenSSL",
    "psf-2": "PSF-2.0",
    "python": "Python-2.0",
    "w3c": "W3C",
}
# How metadata from before PEP 639 says it, where only one licence can be meant.
_SPOKEN = {
    "apache 2": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license v2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache software license 2.0": "Apache-2.0",
    "apache-2": "Apache-2.0",
    "apache2": "Apache-2.0",
    "bsd 2-clause": "BSD-2-Clause",
    "bsd 3-clause": "BSD-3-Clause",
    "bsd 3-clause license": "BSD-3-Clause",
    "bsd-3": "BSD-3-Clause",
    "lgplv3": "LGPL-3.0-only",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "mpl 2.0": "MPL-2.0",
    "new bsd": "BSD-3-Clause",
    "new bsd license": "BSD-3-Clause",
    "psf": "PSF-2.0",
    "the mit license": "MIT",
    "the unlicense": "Unlicense",
    "3-clause bsd": "BSD-3-Clause",
    "3-clause bsd license": "BSD-3-Clause",
}
_GNU = re.compile(
    r"(?P<name>a?gpl|lgpl|gfdl(?:-niv)?)-(?P<version>[0-9](?:\.[0-9])?)(?P<later>\+?)", re.IGNORECASE
)
_CLAUSE = re.compile(r",\s+(and|or)\s+")
_PART = re.compile(r"\s+(and|or)\s+")


def expression(text: str) -> str | None:
    """The text as an SPDX expression in its canonical spelling; None: it is none."""
    try:
        return str(canonicalize_license_expression(text))
    except (InvalidLicenseExpression, ValueError):
        return None


def stated(text: str | None) -> Licence:
    """Read what a package says in one field: an expression, a name, or a whole text, which counts nothing."""
    line = " ".join((text or "").split())
    if not line or line.upper() in {"UNKNOWN", "NONE", "OTHER", "SEE LICENSE", "SEE LICENSE FILE"}:
        return UNKNOWN
    found = expression(line) or _SPOKEN.get(line.lower())
    if found is not None:
        return Licence(found)
    return Licence(names=(line,)) if len(line) <= _LONGEST else UNKNOWN


def of_metadata(
    license_expression: str | None, license_field: str | None, classifiers: Iterable[str]
) -> Licence:
    """Read the metadata of a Python package: the expression counts, else what is most exact."""
    if license_expression:
        return stated(license_expression)
    field = stated(license_field)
    if field.expression is not None:
        return field
    named = [
        text.rpartition(" :: ")[2]
        for text in classifiers
        if text.startswith("License :: ") and text != "License :: OSI Approved"
    ]
    known = [_CLASSIFIERS.get(name, "") for name in named]
    if known and all(known):
        return _together(known)
    names = dict.fromkeys([*field.names, *named])
    return Licence(names=tuple(names))


def of_debian(names: Sequence[str]) -> Licence:
    """Read the licences of a machine-readable `debian/copyright`: all of them hold, each for its files.

    Short names that are not SPDX's become `LicenseRef-debian-NAME`.
    """
    found = [_debian(name) for name in dict.fromkeys(names) if name.strip()]
    return _together(found) if found else UNKNOWN


def _debian(synopsis: str) -> str:
    """A synopsis of DEP-5 ("Syntax"): `and` binds closer than `or`, a comma parts before either."""
    clauses = _CLAUSE.split(synopsis)
    told = [_clause(clause) for clause in clauses[::2]]
    if len(told) > 1:
        told = [f"({one})" if " OR " in one else one for one in told]
    for number, word in enumerate(clauses[1::2], 1):
        told[number] = f"{word.upper()} {told[number]}"
    whole = expression(" ".join(told))
    return whole or f"LicenseRef-debian-{_slug(synopsis)}"


def _clause(text: str) -> str:
    parts = _PART.split(text)
    return " ".join(_short(part) if number % 2 == 0 else part.upper() for number, part in enumerate(parts))


def _short(name: str) -> str:
    """A short name, with its exception perhaps, as SPDX calls it, else as a name of Debian's own."""
    gnu = _GNU.fullmatch(name)
    if gnu is not None:
        version = gnu["version"] if "." in gnu["version"] else f"{gnu['version']}.0"
        family, _, variant = gnu["name"].upper().partition("-")
        middle = "-no-invariants" if variant else ""
        found = f"{family}-{version}{middle}-{'or-later' if gnu['later'] else 'only'}"
    else:
        found = _DEBIAN.get(name.lower(), name)
    return expression(found) or f"LicenseRef-debian-{_slug(name)}"


def _slug(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-")[:60] or "unnamed"


def _together(expressions: Iterable[str]) -> Licence:
    """All of several expressions, each part once."""
    parts: set[str] = set()
    for one in expressions:
        parts |= {one} if " OR " in one else set(one.split(" AND "))
    if len(parts) == 1:
        return Licence(parts.pop())
    joined = " AND ".join(f"({part})" if " OR " in part else part for part in sorted(parts))
    found = expression(joined)
    return Licence(found) if found is not None else Licence(names=tuple(sorted(parts)))
