"""A bill as CycloneDX 1.6 (ECMA-424) in JSON. Equal bills give equal bytes: no clock, no random number."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from envfreeze import __version__
from envfreeze.oci import canonical

if TYPE_CHECKING:
    from envfreeze.records.sbom.model import Bill, Licence, Package

MEDIA_TYPE = "application/vnd.cyclonedx+json"

_SCHEMA = "http://cyclonedx.org/schema/bom-1.6.schema.json"


def write(bill: Bill) -> bytes:
    """Write the document; its serial number is made of all that it says."""
    root = _root(bill)
    needs = {str(package.key): [f"{_ref(key)}" for key in package.needs] for package in bill.packages}
    document: dict[str, Any] = {
        "$schema": _SCHEMA,
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "timestamp": bill.at,
            "tools": {"components": [{"type": "application", "name": "envfreeze", "version": __version__}]},
            "component": root,
        },
        "components": [_component(package) for package in bill.packages],
        "dependencies": [
            {"ref": root["bom-ref"], "dependsOn": [_ref(package.key) for package in bill.packages]},
            *(
                {"ref": _ref(package.key), **({"dependsOn": found} if found else {})}
                for package in bill.packages
                for found in [needs[str(package.key)]]
            ),
        ],
    }
    serial = uuid.uuid5(uuid.NAMESPACE_OID, canonical.dump(document).decode())
    return canonical.dump(document | {"serialNumber": serial.urn}) + b"\n"


def _root(bill: Bill) -> dict[str, Any]:
    facts = {**bill.facts, "envfreeze:platform": str(bill.platform)}
    return {
        "type": "container" if bill.is_image else "application",
        "bom-ref": str(bill.subject),
        "name": bill.name,
        "version": str(bill.subject),
        "hashes": [{"alg": "SHA-256", "content": bill.subject.hex}],
        "properties": [{"name": name, "value": value} for name, value in sorted(facts.items())],
    }


def _ref(key: Any) -> str:  # noqa: ANN401 - a Key
    return f"{key.side}:{key.name}@{key.version}"


def _component(package: Package) -> dict[str, Any]:
    component: dict[str, Any] = {
        "type": {"base": "container", "python": "application"}.get(package.key.side, "library"),
        "bom-ref": _ref(package.key),
        "name": package.key.name,
        "version": package.key.version,
        "purl": package.purl,
    }
    if package.supplier is not None:
        component["supplier"] = {"name": package.supplier}
    if package.digest is not None:
        component["hashes"] = [{"alg": "SHA-256", "content": package.digest.hex}]
    if licences := _licences(package.licence):
        component["licenses"] = licences
    references = [("website", package.homepage), ("distribution", package.url)]
    if listed := [{"type": kind, "url": url} for kind, url in references if url is not None]:
        component["externalReferences"] = listed
    facts = {"envfreeze:side": package.key.side}
    if package.requested is not None:
        facts["envfreeze:requested"] = str(package.requested).lower()
    component["properties"] = [{"name": name, "value": value} for name, value in sorted(facts.items())]
    return component


def _licences(licence: Licence) -> list[dict[str, Any]]:
    if licence.expression is not None:
        return [{"expression": licence.expression, "acknowledgement": "declared"}]
    return [{"license": {"name": name, "acknowledgement": "declared"}} for name in licence.names]
