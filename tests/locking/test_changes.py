"""What a lock has that the last one had not."""

from __future__ import annotations

import pytest

from envfreeze.digest import Digest
from envfreeze.locking import changes
from envfreeze.locking.changes import Change
from envfreeze.locking.model import AptBase, CondaPackage, Deb, Lock, Runtime, Target, Wheel
from envfreeze.oci.platform import Platform
from envfreeze.replacing import replace

ZERO, ONE = Digest("0" * 64), Digest("1" * 64)


def wheel(name: str, version: str = "1.0", *, requested: bool = False, digest: Digest = ZERO) -> Wheel:
    return Wheel(name, version, f"{name}-{version}-py3-none-any.whl", digest, 1, "file:x", requested)


def deb(name: str, version: str) -> Deb:
    return Deb(name, version, "amd64", "x.deb", Digest.of(version.encode()), 1, "debian")


def conda(name: str, version: str, build: str = "0") -> CondaPackage:
    digest = Digest.of(f"{version}{build}".encode())
    return CondaPackage(name, version, build, 0, "noarch", "file:///c", "x", digest, None, 1, "file:///c/x")


def lock(*packages: Wheel | Deb | CondaPackage, platforms: tuple[str, ...] = ("linux/amd64",)) -> Lock:
    target = Target(
        platform=Platform("linux", "amd64"),
        python="3.13.5",
        glibc="2.41",
        manylinux="manylinux_2_40",
        base=AptBase("apt:debian/trixie", (), (), tuple(one for one in packages if isinstance(one, Deb))),
        wheels=tuple(one for one in packages if isinstance(one, Wheel)),
        conda=tuple(one for one in packages if isinstance(one, CondaPackage)),
    )
    targets = tuple(replace(target, platform=Platform.parse(platform)) for platform in platforms)
    return Lock(1, 1, {}, None, Runtime({}, {}, (), None, "/", None, None), targets)


def told(before: Lock, after: Lock) -> list[tuple[str | None, ...]]:
    return [
        (one.kind, one.side, one.name, one.before, one.after, one.direction)
        for one in changes.between(before, after)
    ]


def test_a_first_lock_has_nothing_to_compare_with() -> None:
    assert changes.between(None, lock(wheel("a"))) == ()


def test_the_same_lock_has_no_changes() -> None:
    assert told(lock(wheel("a"), deb("b", "1")), lock(wheel("a"), deb("b", "1"))) == []


def test_what_came_and_what_went_is_named() -> None:
    assert told(lock(wheel("a"), wheel("b")), lock(wheel("b"), wheel("c"))) == [
        ("removed", "pip", "a", "1.0", None, None),
        ("added", "pip", "c", None, "1.0", None),
    ]


@pytest.mark.parametrize(
    ("make", "side", "before", "after", "direction"),
    [
        (wheel, "pip", "1.9", "1.10", "up"),
        (wheel, "pip", "2.0", "2.0rc1", "down"),
        (deb, "os", "2.41-12", "2.41-12+deb13u1", "up"),
        (deb, "os", "1:1.0", "2.0", "down"),
        (deb, "os", "1.0~rc1", "1.0", "up"),
        (conda, "conda", "1.1.1v", "1.1.1w", "up"),
    ],
)
def test_a_move_has_the_direction_of_its_own_side_s_order(make, side, before, after, direction) -> None:
    assert told(lock(make("a", before)), lock(make("a", after))) == [
        ("moved", side, "a", before, after, direction)
    ]


def test_another_file_of_the_same_version_is_a_replacement() -> None:
    assert told(lock(wheel("a")), lock(wheel("a", digest=ONE))) == [
        ("replaced", "pip", "a", "1.0", "1.0", None)
    ]
    assert told(lock(conda("a", "1.0", "py_0")), lock(conda("a", "1.0", "py_1"))) == [
        ("replaced", "conda", "a", "1.0 py_0", "1.0 py_1", None)
    ]


def test_sides_have_an_order_and_what_is_asked_for_comes_before_the_rest() -> None:
    after = lock(deb("o", "1"), wheel("a"), wheel("z", requested=True), conda("c", "1"))
    found = changes.between(lock(), after)
    assert [(one.side, one.name, one.direct) for one in found] == [
        ("conda", "c", False),
        ("pip", "z", True),
        ("pip", "a", False),
        ("os", "o", False),
    ]


def test_a_new_platform_is_one_change_and_not_one_for_each_package() -> None:
    one, both = lock(wheel("a")), lock(wheel("a"), platforms=("linux/amd64", "linux/arm64"))
    expected = Change("added", "target", "linux/arm64", "linux/arm64", None, "3.13.5", direct=True)
    assert changes.between(one, both) == (expected,)
    assert told(both, one) == [("removed", "target", "linux/arm64", "3.13.5", None, None)]
