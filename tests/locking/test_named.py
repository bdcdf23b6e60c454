"""Packages found in lock files as they are written, against what the whole lock says."""

from __future__ import annotations

import sys
from pathlib import Path

from hypothesis import given, settings

from envfreeze.locking import files
from envfreeze.locking.named import Name, Named
from envfreeze.replacing import replace

sys.path.insert(0, str(Path(__file__).parent))
from lock_strategies import locks


def told_by(lock, name):
    """What the whole lock says of a package."""
    found = set()
    for target in lock.targets:
        found |= {Named("pip", one.name, one.version) for one in target.wheels if one.name == name}
        found |= {Named("os", one.name, one.version) for one in target.base.packages if one.name == name}
        found |= {Named("conda", one.name, one.version) for one in target.conda if one.name == name}
    return tuple(sorted(found))


def as_debian_names(lock):
    """The lock with OS packages that are called as Debian's are; the strategy's are any text."""
    targets = []
    for target in lock.targets:
        debs = tuple(
            replace(deb, name=f"lib{number % 3}++", version=f"{number}:2.41-12+deb13u1~bpo")
            for number, deb in enumerate(target.base.packages)
        )
        targets.append(replace(target, base=replace(target.base, packages=debs)))
    return replace(lock, targets=tuple(targets))


@settings(max_examples=50, deadline=None)
@given(locks.map(as_debian_names))
def test_a_name_is_found_as_the_whole_lock_has_it(lock):
    written = files.render(lock)
    packages = [
        one for target in lock.targets for one in (*target.wheels, *target.base.packages, *target.conda)
    ]
    for name in sorted({one.name for one in packages})[:6]:
        assert Name(name).named_in(written) == told_by(lock, name)
    assert Name("no-such-package").named_in(written) == ()


def test_a_name_is_no_part_of_another_and_no_pattern():
    written = {
        "envfreeze.lock": b'    { name = "libc6", version = "2.41-12", architecture = "amd64" },\n',
        "pylock.toml": b'[[packages]]\nname = "torch-geometric"\nversion = "2.6"\n',
    }
    for name in ("libc", "c6", "libc.", "torch", "geometric", "torch.geometri"):
        assert Name(name).named_in(written) == ()
    assert Name("Torch_Geometric").named_in(written) == (Named("pip", "torch-geometric", "2.6"),)
    assert Name("libc6").named_in(written) == (Named("os", "libc6", "2.41-12"),)
