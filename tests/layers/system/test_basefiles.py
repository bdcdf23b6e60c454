"""Defaults are copied where no package has the file."""

from __future__ import annotations

from envfreeze.oci.entry import Kind


def test_defaults_are_copied_with_their_modes_unless_a_package_has_the_file(system, kit):
    tree = system(
        base_files=[
            kit.Member("./usr/share/base-files/profile", b"P", mode=0o644),
            kit.Member("./usr/share/base-files/dot.bashrc", b"B", mode=0o600),
            kit.Member("./usr/share/base-files/motd", b"M"),
        ],
        other=[kit.Member("./etc/motd", b"own")],
    )
    assert (tree.text("etc/profile"), tree.text("root/.bashrc"), tree["root/.bashrc"].mode) == (
        "P",
        "B",
        0o600,
    )
    assert "etc/motd" not in tree


def test_the_skeleton_has_its_folders_links_and_logs(system, kit):
    tree = system(base_files=[kit.Member("./etc/dpkg/origins/debian", b"x")])
    assert (tree["var/mail"].mode, tree["var/mail"].gid) == (0o2775, 8)
    assert tree["run/lock"].mode == 0o1777
    assert tree.link("var/run") == "/run"
    assert tree.link("var/lock") == "/run/lock"
    assert tree.link("var/spool/mail") == "../mail"
    assert tree.link("etc/dpkg/origins/default") == "debian"
    assert (tree["var/log/btmp"].mode, tree["var/log/btmp"].gid) == (0o660, 43)
    assert tree["usr/local/bin"].kind is Kind.DIRECTORY


def test_the_rows_of_other_packages_come_with_them(system, kit):
    tree = system(
        libc_bin=[kit.Member("./usr/share/libc-bin/nsswitch.conf", b"passwd: files\n")],
        netbase=[],
        libpam_modules=[],
        login={"control": {"postinst": '#!/bin/sh\ntouch "$DPKG_ROOT/var/log/faillog"\n'}},
        readline_common=[kit.Member("./usr/share/readline/inputrc", b"set x\n")],
    )
    assert tree.text("etc/nsswitch.conf") == "passwd: files\n"
    assert tree.text("etc/hosts").startswith("127.0.0.1\tlocalhost\n")
    assert "loopback\t127.0.0.0" in tree.text("etc/networks")
    assert tree["etc/security/opasswd"].mode == 0o600
    assert tree.text("etc/inputrc") == "set x\n"
    assert tree["var/log/faillog"].mode == 0o644
    assert not {"etc/hosts", "etc/inputrc", "etc/environment", "var/run"} & set(system())
