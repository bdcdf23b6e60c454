"""dpkg's info files and status, compared with what dpkg itself writes."""

from __future__ import annotations

import os
import shutil
import subprocess

from envfreeze.layers.deb.infofiles import conffiles
from envfreeze.layers.system.status import stanza


def infos(package):
    return {
        entry.path.removeprefix("var/lib/dpkg/info/"): (
            entry.mode,
            b"" if entry.content is None else bytes(entry.content.data),
        )
        for entry in package.entries
        if entry.path.startswith("var/lib/dpkg/info/")
    }


def test_the_list_has_every_name_in_archive_order_and_links_last(opened, kit):
    members = [
        kit.folder("./"),
        kit.folder("./etc/"),
        kit.link("./etc/c", "b"),
        kit.Member("./etc/b"),
        kit.Member("./etc/a"),
    ]
    assert infos(opened(members))["demo.list"] == (0o644, b"/.\n/etc\n/etc/b\n/etc/a\n/etc/c\n")


def test_scripts_are_executable_and_all_but_control_is_kept(opened, kit):
    package = opened(
        [kit.Member("./x", b"x")],
        control={"postinst": "#!/bin/sh\n", "triggers": "interest x\n", "md5sums": "0  x\n"},
    )
    assert infos(package) == {
        "demo.list": (0o644, b"/x\n"),
        "demo.md5sums": (0o644, b"0  x\n"),
        "demo.postinst": (0o755, b"#!/bin/sh\n"),
        "demo.triggers": (0o644, b"interest x\n"),
    }


def test_a_multi_arch_same_package_s_files_carry_its_architecture(opened, kit):
    package = opened([kit.Member("./x", b"x")], name="libx1", fields="Multi-Arch: same\n")
    assert set(infos(package)) == {"libx1:amd64.list", "libx1:amd64.md5sums"}


def test_missing_checksums_are_made_under_the_package_s_own_names(opened, kit):
    package = opened([kit.Member("./bin/x", b"x"), kit.link("./bin/y", "x"), kit.hard("./bin/z", "./bin/x")])
    assert infos(package)["demo.md5sums"][1] == (
        b"9dd4e461268c8034f5c8564e155c67a6  bin/x\n9dd4e461268c8034f5c8564e155c67a6  bin/z\n"
    )


def test_conffiles_with_a_flag_are_no_files_of_the_package():
    control = {"conffiles": b"/etc/a\nremove-on-upgrade /etc/b\n/etc/c d\n"}
    assert conffiles(control) == (("/etc/a", True), ("/etc/b", False), ("/etc/c d", True))


def test_dpkg_writes_the_same_files_and_the_same_stanza(opened, kit, make_deb, tmp_path, need):
    need("dpkg", shutil.which("dpkg") is not None and os.geteuid() == 0, "needs dpkg and root")
    members = [
        kit.folder("./"),
        kit.folder("./etc/"),
        kit.Member("./etc/demo.conf", b"a = 1\n"),
        kit.folder("./usr/"),
        kit.folder("./usr/bin/"),
        kit.Member("./usr/bin/demo", b"#!/bin/sh\n", mode=0o755),
        kit.link("./usr/bin/demo-link", "demo"),
        kit.hard("./usr/bin/demo-too", "./usr/bin/demo"),
    ]
    more = {
        "fields": (
            "Multi-Arch: same\nEnhances: c\nSource: demo-source\n"
            "X-Own: kept\nSection: misc\nPriority: optional\n"
            "Homepage: https://example.org\nDepends: a (>= 1), b | c\nBreaks: z\nInstalled-Size: 12\n"
            "Recommends: r\n"
        ),
        "control": {"conffiles": "remove-on-upgrade /etc/old\n/etc/demo.conf\n", "shlibs": "demo 1 demo\n"},
    }
    path, _ = make_deb(members, **more)
    root = tmp_path / "root"
    for folder in ("var/lib/dpkg/info", "var/lib/dpkg/updates", "etc"):
        (root / folder).mkdir(parents=True)
    (root / "var/lib/dpkg/status").touch()
    subprocess.run(
        [
            "dpkg",
            f"--root={root}",
            "--force-depends",
            "--force-script-chrootless",
            "--log=/dev/null",
            "-i",
            path,
        ],
        check=True,
        capture_output=True,
    )
    package = opened(members, **more)
    written = {
        file.name: (file.stat().st_mode & 0o7777, file.read_bytes())
        for file in (root / "var/lib/dpkg/info").iterdir()
        if file.name != "format"
    }
    assert infos(package) == written
    assert stanza(package) == (root / "var/lib/dpkg/status").read_text().rstrip("\n") + "\n"
