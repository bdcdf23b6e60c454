"""An image's packages with what only its lock knows: the archives they came in, and who needs whom."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.replacing import replace

if TYPE_CHECKING:
    from envfreeze.records.sbom.model import Bill, Package


def joined(image: Bill, lock: Bill) -> Bill:
    """Join the bill of an image with that of the lock that it was built from.

    What the image has counts. A package of the lock that it does not show (a Python of its own, the base
    itself) is added; one that the image has at another version stays as it is.
    """
    known = {package.key: package for package in lock.packages}
    there = {package.key for package in image.packages}
    packages = [_joined(package, known.get(package.key)) for package in image.packages]
    packages += [package for package in lock.packages if package.key.side in {"base", "python"}]
    keys = there | {package.key for package in packages}
    closed = [
        replace(package, needs=tuple(key for key in package.needs if key in keys)) for package in packages
    ]
    return replace(
        image,
        packages=tuple(sorted(closed, key=lambda package: package.key)),
        facts={**lock.facts, **image.facts, "envfreeze:lock": str(lock.subject)},
    )


def _joined(package: Package, locked: Package | None) -> Package:
    if locked is None:
        return package
    return replace(
        package,
        purl=locked.purl,
        digest=locked.digest,
        url=locked.url or package.url,
        requested=locked.requested,
        needs=locked.needs,
    )
