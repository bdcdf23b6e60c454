"""Packages that are added to a base leave what assembling all of them at once would have left."""

from __future__ import annotations

import pytest

from envfreeze.layers.system import system_entries
from envfreeze.layers.system.alternatives import parse
from envfreeze.layers.system.ldformat import FLAGS, in_order, render
from envfreeze.layers.system.ldformat import parse as parse_cache
from envfreeze.locking.image.inventory import Inventory, Item, LayerContents
from envfreeze.oci.entry import Kind

from .test_ldcache import LIB, elf

AWK = (
    "update-alternatives --install /usr/bin/awk awk /usr/bin/{0} {1} "
    "--slave /usr/bin/nawk nawk /usr/bin/{0}\n"
)


@pytest.fixture
def over(packages, target):
    """The system layer of packages over a base of others; and what the base has."""

    def make(below, added, changed=None):
        base = packages(**below)
        entries = {entry.path: entry for package in base for entry in package.entries}
        entries |= {entry.path: entry for entry in system_entries(base, target(base))}
        texts = {path: bytes(entry.content.data) for path, entry in entries.items() if entry.content}
        texts |= changed or {}
        rows = tuple(
            (path, Item(entry.kind.name, entry.mode, entry.uid, entry.gid, entry.link))
            for path, entry in entries.items()
        )
        beneath = Inventory.of([LayerContents(rows, texts)])
        found = packages(**added)
        return {entry.path: entry for entry in system_entries(found, target(found), beneath)}, beneath

    return make


def content(tree, path):
    return bytes(tree[path].content.data) if tree[path].content else b""


def awk(kit, name, priority):
    return {
        "members": [kit.Member(f"./usr/bin/{name}", b"x", mode=0o755)],
        "control": {"postinst": "#!/bin/sh\n" + AWK.format(name, priority)},
    }


def libraries(kit, *names):
    return [kit.Member(f"{LIB}/{name}", elf(name.encode())) for name in names]


@pytest.mark.parametrize(("first", "second"), [("mawk", "gawk"), ("gawk", "mawk")])
def test_alternatives_are_those_of_all_packages(over, system, kit, first, second):
    priority = {"mawk": 5, "gawk": 10}
    whole = system(**{name: awk(kit, name, priority[name]) for name in priority})
    tree, _ = over({first: awk(kit, first, priority[first])}, {second: awk(kit, second, priority[second])})
    admin = "var/lib/dpkg/alternatives/awk"
    assert content(tree, admin).decode() == whole.text(admin)
    assert tree["etc/alternatives/awk"].link == "/usr/bin/gawk"
    assert tree["etc/alternatives/nawk"].link == "/usr/bin/gawk"


def test_a_choice_that_somebody_made_stays(over, kit):
    admin = "var/lib/dpkg/alternatives/awk"
    chosen = b"manual\n/usr/bin/awk\nnawk\n/usr/bin/nawk\n\n/usr/bin/mawk\n5\n/usr/bin/mawk\n\n"
    tree, _ = over({"mawk": awk(kit, "mawk", 5)}, {"gawk": awk(kit, "gawk", 10)}, {admin: chosen})
    assert "etc/alternatives/awk" not in tree
    manual, choices = parse("awk", content(tree, admin))
    assert manual
    assert {choice.path for choice in choices} == {"/usr/bin/gawk", "/usr/bin/mawk"}


def test_alternatives_that_cannot_be_read_are_made_anew():
    assert parse("awk", b"auto\n") is None
    assert parse("awk", b"auto\n/usr/bin/awk\n\n/usr/bin/mawk\nmany\n\n") is None


def test_the_loaders_cache_is_that_of_all_packages(over, system, kit):
    below = {
        "libc_bin": [kit.Member("./etc/ld.so.conf.d/a.conf", b"/opt/a/lib\n"), *libraries(kit, "libc.so.6")],
        "here": [kit.Member("./opt/a/lib/libhere.so.1", elf(b"libhere.so.1"))],
    }
    added = {
        "b": [
            kit.Member("./etc/ld.so.conf.d/b.conf", b"/opt/b/lib\n"),
            kit.Member("./opt/b/lib/libb.so.2", elf(b"libb.so.2")),
            kit.Member("./opt/a/lib/liba.so.2", elf(b"liba.so.2")),
            *libraries(kit, "libz.so.1"),
        ]
    }
    whole = system(**below, **added)
    tree, _ = over(below, added)
    assert content(tree, "etc/ld.so.cache") == whole.bytes("etc/ld.so.cache")


def test_a_cache_of_another_kind_stays_as_it_is(over, kit):
    below = {"libc_bin": libraries(kit, "libc.so.6")}
    tree, _ = over(below, {"b": libraries(kit, "libz.so.1")}, {"etc/ld.so.cache": b"ld.so-1.7.0 and so on"})
    assert "etc/ld.so.cache" not in tree


def test_a_cache_is_read_as_it_was_written(over, kit):
    _, beneath = over({"libc_bin": libraries(kit, "libc.so.6", "libz.so.1")}, {"b": []})
    written = beneath.read("etc/ld.so.cache")
    found = parse_cache(written, FLAGS["amd64"])
    assert [library.key for library in found] == [b"libz.so.1", b"libc.so.6"]
    assert render(in_order(found), FLAGS["amd64"]) == written
    assert parse_cache(written, FLAGS["arm64"]) is None
    assert parse_cache(written[:60], FLAGS["amd64"]) is None


def test_the_database_has_the_packages_of_both(over, system, kit):
    triggers = {"control": {"triggers": "interest /usr/share/x\ninterest-noawait named\n"}}
    below = {"aa": {**triggers}, "cc": [kit.Member("./usr/share/c", b"c")]}
    added = {"bb": {**triggers}}
    whole = system(**below, **added)
    tree, _ = over(below, added)
    status = "var/lib/dpkg/status"
    assert sorted(content(tree, status).decode().split("\n\n")) == sorted(whole.text(status).split("\n\n"))
    for name in ("File", "named"):
        path = f"var/lib/dpkg/triggers/{name}"
        assert sorted(content(tree, path).splitlines()) == sorted(whole.bytes(path).splitlines())
    assert "var/lib/dpkg/available" not in tree
    assert "var/lib/dpkg/info/format" not in tree


def test_a_newer_version_takes_the_place_of_the_older_and_its_files(over, kit):
    below = {
        "aa": {
            "members": [kit.Member(f"./usr/share/{name}", b"x") for name in ("old", "both", "shared")]
            + [kit.Member("./etc/aa.conf", b"x")],
            "control": {"conffiles": "/etc/aa.conf\n", "postinst": "#!/bin/sh\n"},
        },
        "bb": [kit.Member("./usr/share/shared", b"x")],
    }
    added = {"aa": {"members": [kit.Member("./usr/share/both", b"y")], "version": "2.0"}}
    tree, _ = over(below, added)
    hidden = sorted(path for path, entry in tree.items() if entry.hides)
    assert hidden == [
        "usr/share/.wh.old",
        "var/lib/dpkg/info/.wh.aa.conffiles",
        "var/lib/dpkg/info/.wh.aa.postinst",
    ]
    status = content(tree, "var/lib/dpkg/status").decode()
    assert [line for line in status.splitlines() if line.startswith(("Package", "Version"))] == [
        "Package: aa",
        "Version: 2.0",
        "Package: bb",
        "Version: 1.0-1",
    ]


def test_folders_and_links_of_the_base_stay_what_they_are(over, kit):
    below = {
        "aa": [
            kit.folder("./usr/share/private", mode=0o2750, gid=7),
            kit.link("./usr/lib/linked", "/opt/real"),
        ]
    }
    added = {"bb": [kit.folder("./usr/share/private"), kit.folder("./usr/lib/linked")]}
    tree, _ = over(below, added)
    assert (tree["usr/share/private"].mode, tree["usr/share/private"].gid) == (0o2750, 7)
    assert (tree["usr/lib/linked"].kind, tree["usr/lib/linked"].link) == (Kind.SYMLINK, "/opt/real")


def test_accounts_certificates_and_sources_of_the_base_stay(over, kit):
    master = [kit.Member("./usr/share/base-passwd/passwd.master", b"root:*:0:0:root:/root:/bin/sh\n")]
    master += [kit.Member("./usr/share/base-passwd/group.master", b"root:*:0:\n")]
    authority = [kit.Member("./usr/share/ca-certificates/x/a.crt", b"x")]
    below = {"base_passwd": master, "ca_certificates": authority, "apt": [kit.Member("./etc/apt/x", b"")]}
    tree, _ = over(below, {name: {"members": members, "version": "2.0"} for name, members in below.items()})
    touched = {path.partition("/")[0] + "/" + path.split("/")[1] for path in tree if path.startswith("etc/")}
    assert not touched & {"etc/passwd", "etc/group", "etc/shadow", "etc/ssl", "etc/apt"}


def test_shells_come_behind_those_of_the_base(over, kit):
    template = kit.Member("./usr/share/debianutils/shells", b"# shells\n/bin/sh\n")
    below = {"debianutils": [template]}
    added = {"zsh": [kit.Member("./usr/share/debianutils/shells.d/zsh", b"/bin/zsh\n")]}
    tree, _ = over(below, added)
    assert content(tree, "etc/shells") == b"# shells\n/bin/sh\n/usr/bin/sh\n/bin/zsh\n/usr/bin/zsh\n"
