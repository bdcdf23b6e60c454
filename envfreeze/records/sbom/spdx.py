"""A bill as SPDX 2.3 (ISO/IEC 5962) in JSON. Equal bills give equal bytes: no clock, no random number."""

from __future__ import annotations

import hashlib
import re
import uuid
from typing import TYPE_CHECKING, Any

from envfreeze import __version__
from envfreeze.oci import canonical

if TYPE_CHECKING:
    from envfreeze.records.sbom.model import Bill, Key, Licence, Package

MEDIA_TYPE = "application/spdx+json"

_ROOT = "SPDXRef-subject"
_NOTHING = "NOASSERTION"
_REFERENCES = re.compile(r"LicenseRef-[A-Za-z0-9.-]+")


def write(bill: Bill) -> bytes:
    """Write the document; its namespace is made of all that it says."""
    document: dict[str, Any] = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": bill.name,
        "creationInfo": {"created": bill.at, "creators": [f"Tool: envfreeze-{__version__}"]},
        "packages": [_root(bill), *(_package(package) for package in bill.packages)],
        "relationships": list(_relationships(bill)),
    }
    extracted = _extracted(bill)
    if extracted:
        document["hasExtractedLicensingInfos"] = extracted
    name = uuid.uuid5(uuid.NAMESPACE_OID, canonical.dump(document).decode())
    return canonical.dump(document | {"documentNamespace": f"urn:uuid:{name}"}) + b"\n"


def _root(bill: Bill) -> dict[str, Any]:
    facts = {**bill.facts, "envfreeze:platform": str(bill.platform)}
    return {
        "SPDXID": _ROOT,
        "name": bill.name,
        "versionInfo": str(bill.subject),
        "downloadLocation": _NOTHING,
        "filesAnalyzed": False,
        "primaryPackagePurpose": "CONTAINER" if bill.is_image else "APPLICATION",
        "checksums": [{"algorithm": "SHA256", "checksumValue": bill.subject.hex}],
        "licenseConcluded": _NOTHING,
        "licenseDeclared": _NOTHING,
        "copyrightText": _NOTHING,
        "comment": "; ".join(f"{key}={value}" for key, value in sorted(facts.items())),
    }


def _package(package: Package) -> dict[str, Any]:
    row: dict[str, Any] = {
        "SPDXID": _id(package.key),
        "name": package.key.name,
        "versionInfo": package.key.version,
        "downloadLocation": package.url or _NOTHING,
        "filesAnalyzed": False,
        "primaryPackagePurpose": "CONTAINER" if package.key.side == "base" else "LIBRARY",
        "licenseConcluded": _NOTHING,
        "licenseDeclared": _declared(package.licence),
        "copyrightText": _NOTHING,
        "externalRefs": [
            {
                "referenceCategory": "PACKAGE-MANAGER",
                "referenceType": "purl",
                "referenceLocator": package.purl,
            }
        ],
        "comment": f"envfreeze:side={package.key.side}",
    }
    if package.supplier is not None:
        row["supplier"] = f"Organization: {package.supplier}"
    if package.digest is not None:
        row["checksums"] = [{"algorithm": "SHA256", "checksumValue": package.digest.hex}]
    if package.homepage is not None:
        row["homepage"] = package.homepage
    return row


def _relationships(bill: Bill) -> list[dict[str, str]]:
    found = [("SPDXRef-DOCUMENT", "DESCRIBES", _ROOT)]
    found += [(_ROOT, "CONTAINS", _id(package.key)) for package in bill.packages]
    found += [
        (_id(package.key), "DEPENDS_ON", _id(key)) for package in bill.packages for key in package.needs
    ]
    return [
        {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}
        for one, kind, other in found
    ]


def _id(key: Key) -> str:
    """An identifier of letters, digits, `.` and `-`, which alone SPDX allows; the hash tells keys apart."""
    text = f"{key.side}-{key.name}-{key.version}"
    hashed = hashlib.sha256(repr((key.side, key.name, key.version)).encode()).hexdigest()[:8]
    return f"SPDXRef-{re.sub(r'[^A-Za-z0-9.-]', '-', text)[:80]}-{hashed}"


def _declared(licence: Licence) -> str:
    if licence.expression is not None:
        return licence.expression
    return " AND ".join(_reference(name) for name in licence.names) or _NOTHING


def _reference(name: str) -> str:
    """The name that the document gives to words which are no expression."""
    slug = re.sub(r"[^A-Za-z0-9.]+", "-", name).strip("-")[:40]
    return f"LicenseRef-envfreeze-{slug}-{hashlib.sha256(name.encode()).hexdigest()[:8]}"


def _extracted(bill: Bill) -> list[dict[str, str]]:
    """What each `LicenseRef-` in the document stands for."""
    found: dict[str, str] = {}
    for package in bill.packages:
        found |= {_reference(name): name for name in package.licence.names}
        for reference in _REFERENCES.findall(package.licence.expression or ""):
            found.setdefault(reference, f"The package declares {reference}; its text is in the package.")
    return [
        {"licenseId": reference, "extractedText": text, "name": text if len(text) <= 60 else reference}  # noqa: PLR2004 - a line
        for reference, text in sorted(found.items())
    ]
