"""The bill of a lock: from the lock alone, without an artifact and without the network.

A lock knows every archive by its sha256 and who needs whom, and nothing of licences: those are in the
packages, so they come with an image (`of_image`, `joined`).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envfreeze.locking import graph
from envfreeze.oci.manifest import CREATED
from envfreeze.oci.reference import Reference
from envfreeze.records.sbom import purl
from envfreeze.records.sbom.model import Bill, Key, Package

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from envfreeze.digest import Digest
    from envfreeze.locking.model import CondaPackage, Deb, Lock, Target, Wheel

_SUITE = re.compile(r"apt:(?P<distribution>[a-z]+)/(?P<release>[a-z]+)")


def bill(lock: Lock, target: Target, *, name: str, digest: Digest) -> Bill:
    """Tell what a target of a lock is made of.

    Args:
        lock: the lock.
        target: one of its targets.
        name: the project's.
        digest: of `envfreeze.lock`.

    """
    packages = {package.key: package for package in _packages(target)}
    facts = {"envfreeze:python": target.python, "envfreeze:glibc": target.glibc}
    if target.gpu is not None and target.gpu.cuda is not None:
        facts["envfreeze:cuda"] = target.gpu.cuda
    return Bill(
        name=name,
        subject=digest,
        is_image=False,
        platform=target.platform,
        at=_moment(lock, target),
        packages=tuple(packages[key] for key in sorted(packages)),
        facts=facts,
    )


def _moment(lock: Lock, target: Target) -> str:
    """The newest date that the lock has of an index; packages are as old as that."""
    dates = [index.date for index in target.base.indexes]
    if lock.exclude_newer is not None:
        dates.append(lock.exclude_newer)
    whole = [date for date in dates if re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", date)]
    return max(whole, default=CREATED)


def _packages(target: Target) -> Iterator[Package]:
    keys = _keys(target)
    needs = {
        keys[node.key]: tuple(sorted(keys[other] for other in node.needs if other in keys))
        for node in graph.of_target(target).nodes.values()
        if node.key in keys
    }
    for wheel in target.wheels:
        yield _wheel(wheel, needs)
    for package in target.conda:
        yield _conda(package, needs)
    for deb in target.base.packages:
        yield _deb(deb, target, needs)
    if target.standalone is not None:
        python = target.standalone
        yield Package(
            Key("python", "cpython", python.release),
            purl.generic("cpython", python.release, {"download_url": python.urls[0]}),
            digest=python.digest,
            url=python.urls[0],
            supplier="python-build-standalone",
        )
    if target.image is not None:
        base = Reference.parse(target.image.reference)
        repository = target.image.places[0] if target.image.places else base.name
        yield Package(
            Key("base", base.name, str(target.image.manifest)),
            purl.oci(repository, str(target.image.manifest), base.tag, target.platform.architecture),
            digest=target.image.manifest,
        )


def _keys(target: Target) -> dict[graph.Key, Key]:
    found = {graph.Key("pip", one.name): Key("pip", one.name, one.version) for one in target.wheels}
    found |= {graph.Key("conda", one.name): Key("conda", one.name, one.version) for one in target.conda}
    found |= {graph.Key("os", one.name): Key("os", one.name, one.version) for one in target.base.packages}
    return found


def _wheel(wheel: Wheel, needs: Mapping[Key, tuple[Key, ...]]) -> Package:
    key = Key("pip", wheel.name, wheel.version)
    qualifiers = {}
    if wheel.source is not None and wheel.source.kind == "git":
        qualifiers["vcs_url"] = f"git+{wheel.source.url}@{wheel.source.commit}"
    elif wheel.direct and wheel.url.startswith("http"):
        qualifiers["download_url"] = wheel.url
    return Package(
        key,
        purl.pypi(wheel.name, wheel.version, qualifiers),
        digest=wheel.digest,
        url=wheel.url if wheel.source is None and wheel.url.startswith("http") else None,
        requested=wheel.requested,
        needs=needs.get(key, ()),
    )


def _conda(package: CondaPackage, needs: Mapping[Key, tuple[Key, ...]]) -> Package:
    key = Key("conda", package.name, package.version)
    return Package(
        key,
        purl.conda(
            package.name,
            package.version,
            build=package.build,
            channel=package.channel,
            subdir=package.subdir,
            filename=package.filename,
        ),
        digest=package.digest,
        url=package.url if package.url.startswith("http") else None,
        requested=package.requested,
        needs=needs.get(key, ()),
    )


def _deb(deb: Deb, target: Target, needs: Mapping[Key, tuple[Key, ...]]) -> Package:
    key = Key("os", deb.name, deb.version)
    suite = _SUITE.fullmatch(target.base.reference)
    distribution, release = (suite["distribution"], suite["release"]) if suite else ("debian", "")
    if target.image is not None:
        distribution = target.image.distribution or distribution
        release = target.image.codename or release
    roots = {archive.name: archive.locations for archive in target.base.archives}
    locations = roots.get(deb.archive, ())
    return Package(
        key,
        purl.deb(distribution, deb.name, deb.version, deb.architecture, release),
        digest=deb.digest,
        url=f"{locations[-1].rstrip('/')}/{deb.filename}" if locations else None,
        requested=deb.requested,
        needs=needs.get(key, ()),
    )
