"""apt's sources are the lock's archives."""

from __future__ import annotations


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


def test_without_apt_there_are_none(system):
    assert not any(path.startswith("etc/apt") for path in system())
