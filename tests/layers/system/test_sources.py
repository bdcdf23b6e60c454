"""apt's sources are the lock's archives."""

from __future__ import annotations

import pytest

from envfreeze.digest import Digest
from envfreeze.layers.system import system_entries
from envfreeze.locking.model import AptIndex, Archive
from envfreeze.replacing import replace


@pytest.fixture
def opened_apt(packages):
    """The package apt, with nothing in it."""
    return packages(apt=[])


def test_each_archive_has_a_file_with_its_last_location(system, kit):
    tree = system(
        apt=[],
        base_passwd=[
            kit.Member(
                "./usr/share/base-passwd/passwd.master",
                b"root:*:0:0:root:/root:/bin/sh\n_apt:*:42:65534::/x:/y\n",
            )
        ],
        debian_archive_keyring=[kit.Member("./usr/share/keyrings/debian-archive-keyring.gpg", b"x")],
    )
    assert tree.text("etc/apt/sources.list.d/debian.sources") == (
        "Types: deb\nURIs: http://old.example.org/debian/20260912T000000Z/\nSuites: trixie trixie-updates\n"
        "Components: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\nCheck-Valid-Until: no\n"
    )
    assert tree.text("etc/apt/sources.list.d/debian-security.sources") == (
        "Types: deb\nURIs: http://mirror.example.org/debian-security\nSuites: trixie-security\n"
        "Components: main contrib\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n"
    )
    assert (tree["var/lib/apt/lists/partial"].mode, tree["var/lib/apt/lists/partial"].uid) == (0o700, 42)


def test_a_further_archive_brings_its_key(opened_apt, target):
    found = target(opened_apt)
    base = found.base
    further = Archive("own.example.org/CUDA", ("https://own.example.org/CUDA",), b"\x99key")
    index = AptIndex("own.example.org/CUDA", "/", (), "2026-09-12T07:55:41Z", Digest("0" * 64))
    base = replace(base, archives=(*base.archives, further), indexes=(*base.indexes, index))
    tree = {entry.path: entry for entry in system_entries(opened_apt, replace(found, base=base))}
    assert bytes(tree["etc/apt/keyrings/own.example.org-cuda.gpg"].content.data) == b"\x99key"
    assert bytes(tree["etc/apt/sources.list.d/own.example.org-cuda.sources"].content.data).decode() == (
        "Types: deb\nURIs: https://own.example.org/CUDA\nSuites: /\n"
        "Signed-By: /etc/apt/keyrings/own.example.org-cuda.gpg\n"
    )


def test_without_apt_there_are_none(system):
    assert not any(path.startswith("etc/apt") for path in system())
