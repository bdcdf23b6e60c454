"""dpkg's database, as dpkg reads it."""

from __future__ import annotations

import os
import shutil
import subprocess

from envfreeze.oci.entry import Kind, in_order


def test_stanzas_are_sorted_and_in_dpkg_s_order(system, kit):
    tree = system(
        zlib1g=[kit.Member("./x", b"")],
        bash={
            "members": [kit.Member("./etc/bash.bashrc", b"1")],
            "fields": "X-Own: kept\nEssential: yes\nDepends: base-files (>= 2),\n debianutils\n",
            "control": {"conffiles": "/etc/bash.bashrc\n"},
        },
    )
    first, second = tree.text("var/lib/dpkg/status").split("\n\n")[:2]
    assert first == (
        "Package: bash\nEssential: yes\nStatus: install ok installed\n"
        "Maintainer: A. Person <person@example.org>\n"
        "Architecture: amd64\nVersion: 1.0-1\nDepends: base-files (>= 2), debianutils\n"
        "Conffiles:\n /etc/bash.bashrc c4ca4238a0b923820dcc509a6f75849b\n"
        "Description: made by hand\n For a test.\nX-Own: kept"
    )
    assert second.startswith("Package: zlib1g\n")


def test_triggers_are_written_for_a_later_dpkg(system):
    tree = system(
        libc_bin={"control": {"triggers": "# x\ninterest-await ldconfig\n"}},
        base={"control": {"triggers": "interest-noawait /usr/lib32\nactivate ldconfig\n"}},
        libx={
            "control": {"triggers": "interest ldconfig\ninterest ../../evil\n"},
            "fields": "Multi-Arch: same\n",
        },
    )
    assert tree.text("var/lib/dpkg/triggers/ldconfig") == "libc-bin\nlibx:amd64\n"
    assert tree.text("var/lib/dpkg/triggers/File") == "/usr/lib32 base/noawait\n"
    assert not any("evil" in path for path in tree)


def test_what_apt_and_dpkg_want_comes_with_them(system):
    tree = system(dpkg=[], apt={"requested": True})
    assert tree.text("var/lib/dpkg/arch-native") == "amd64\n"
    assert (
        tree.text("var/lib/apt/extended_states")
        == "Package: dpkg\nArchitecture: amd64\nAuto-Installed: 1\n\n"
    )
    assert not {"var/lib/dpkg/arch-native", "var/lib/apt/extended_states"} & set(system())


def test_dpkg_finds_nothing_to_complain_of(system, kit, tmp_path, need):
    need("dpkg", shutil.which("dpkg") is not None and os.geteuid() == 0, "needs dpkg and root")
    tree = system(
        base_files=[kit.folder("./"), kit.folder("./tmp/", mode=0o1777)],
        libx1={
            "members": [
                kit.folder("./"),
                kit.folder("./lib/"),
                kit.Member("./lib/libx.so.1", b"x"),
                kit.Member("./etc/x", b"1"),
            ],
            "fields": "Multi-Arch: same\n",
            "control": {"conffiles": "/etc/x\n"},
        },
    )
    root = tmp_path / "root"
    root.mkdir()
    for entries in (*(package.entries for package in tree.packages), tree.values()):
        for entry in in_order(entries):
            path = root / entry.path
            if entry.kind is Kind.DIRECTORY:
                path.mkdir(exist_ok=True)
            elif entry.kind is Kind.SYMLINK:
                path.symlink_to(entry.link)
            else:
                path.write_bytes(b"" if entry.content is None else entry.content.data)

    def dpkg(*arguments: str) -> str:
        return subprocess.run(
            ["dpkg", f"--root={root}", *arguments], check=True, capture_output=True, text=True
        ).stdout

    assert dpkg("--audit") == ""
    assert dpkg("--verify") == ""
    assert [line.split()[:3] for line in dpkg("-l").splitlines()[-2:]] == [
        ["ii", "base-files", "1.0-1"],
        ["ii", "libx1:amd64", "1.0-1"],
    ]
    assert dpkg("-S", "/lib/libx.so.1") == "libx1:amd64: /lib/libx.so.1\n"
    (root / "usr/lib/libx.so.1").write_bytes(b"changed")
    assert subprocess.run(["dpkg", f"--root={root}", "--verify"], check=False, capture_output=True).stdout
