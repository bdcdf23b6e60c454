"""What `open_deb` accepts, what it refuses, and that nothing stays behind."""

from __future__ import annotations

import shutil
import subprocess
import tarfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envfreeze.digest import Digest
from envfreeze.errors import MachineError, UntrustedError
from envfreeze.layers import inflate
from envfreeze.layers.deb import open_deb
from envfreeze.locking.model import Deb
from envfreeze.oci.entry import Kind
from envfreeze.replacing import replace


def refusal(path, deb, scratch) -> UntrustedError:
    with pytest.raises(UntrustedError) as caught, open_deb(path, deb, scratch):
        pass
    assert deb.name in caught.value.message
    assert caught.value.exit_code == 6
    assert list(scratch.iterdir()) == []
    return caught.value


@pytest.mark.parametrize("suffix", ["", ".gz", ".xz", ".lzma", ".bz2", ".zst"])
def test_every_compression_of_deb_5_gives_the_same_entries(opened, kit, suffix):
    content = b"some text\n" * 50_000
    package = opened([kit.folder("./"), kit.folder("./usr/"), kit.Member("./usr/x", content)], suffix=suffix)
    assert [(entry.path, entry.kind) for entry in package.entries[:2]] == [
        ("usr", Kind.DIRECTORY),
        ("usr/x", Kind.FILE),
    ]
    assert bytes(package.entries[1].content.data) == content


def test_a_package_of_dpkg_deb_opens(tmp_path, scratch, need):
    need("dpkg", shutil.which("dpkg-deb") is not None, "no dpkg-deb on this machine")
    tree = tmp_path / "tree"
    (tree / "DEBIAN").mkdir(parents=True)
    (tree / "DEBIAN/control").write_text(
        "Package: real\nVersion: 2:1.0~rc1-3+b1\nArchitecture: all\nMaintainer: A <a@example.org>\n"
        "Description: x\n"
    )
    (tree / "usr/bin").mkdir(parents=True)
    (tree / "usr/bin/tool").write_text("#!/bin/sh\n")
    (tree / "usr/bin/tool").chmod(0o4755)
    path = tmp_path / "real.deb"
    subprocess.run(["dpkg-deb", "--root-owner-group", "-b", tree, path], check=True, capture_output=True)
    deb = Deb("real", "2:1.0~rc1-3+b1", "all", "x", Digest.of_file(path), path.stat().st_size, "debian")
    with open_deb(path, deb, scratch) as package:
        tool = next(entry for entry in package.entries if entry.path == "usr/bin/tool")
        assert (tool.mode, tool.uid, tool.gid) == (0o4755, 0, 0)
        assert package.names == ("/.", "/usr", "/usr/bin", "/usr/bin/tool")


def test_modes_and_numeric_owners_are_kept_and_names_are_not_looked_up(opened, kit):
    package = opened(
        [kit.folder("./var/", mode=0o2775, gid=8), kit.Member("./var/x", b"x", mode=0o4750, uid=7, gid=42)]
    )
    assert [(entry.mode, entry.uid, entry.gid) for entry in package.entries[:2]] == [
        (0o2775, 0, 8),
        (0o4750, 7, 42),
    ]


def test_a_file_that_is_not_the_locked_one_is_refused_before_it_is_read(make_deb, kit, scratch):
    path, deb = make_deb([kit.Member("./x")])
    path.write_bytes(b"not an archive at all")
    error = refusal(path, deb, scratch)
    assert "not the locked one" in error.message
    assert error.hint


def test_an_empty_file_is_refused(make_deb, kit, scratch):
    path, deb = make_deb([kit.Member("./x")])
    path.write_bytes(b"")
    refusal(path, replace(deb, digest=Digest.of(b"")), scratch)


@pytest.mark.parametrize(
    ("field", "value"), [("name", "other"), ("version", "1.0-2"), ("architecture", "arm64")]
)
def test_a_package_that_says_it_is_another_is_refused(make_deb, kit, scratch, field, value):
    path, deb = make_deb([kit.Member("./x")])
    refusal(path, replace(deb, **{field: value}), scratch)


def outer(kit, tmp_path, members, name="demo"):
    content = kit.ar(members)
    path = tmp_path / "outer.deb"
    path.write_bytes(content)
    return path, Deb(name, "1.0-1", "amd64", "x", Digest.of(content), len(content), "debian")


@pytest.mark.parametrize(
    "members",
    [
        [],
        [("control.tar", b""), ("data.tar", b"")],
        [("debian-binary", b"3.0\n"), ("control.tar", b""), ("data.tar", b"")],
        [("debian-binary", b"2.0\n"), ("data.tar", b""), ("control.tar", b"")],
        [("debian-binary", b"2.0\n"), ("control.tar", b"")],
        [("debian-binary", b"2.0\n"), ("control.tar", b""), ("data.tar", b"")],
        [("debian-binary", b"2.0\n"), ("control.tar.rar", b"x"), ("data.tar", b"")],
    ],
)
def test_an_archive_of_another_shape_is_refused(kit, tmp_path, scratch, members):
    refusal(*outer(kit, tmp_path, members), scratch)


def test_members_that_begin_with_an_underscore_are_passed_over(make_deb, kit, tmp_path, scratch):
    path, _ = make_deb([kit.Member("./x", b"1")])
    raw = path.read_bytes()
    at = raw.index(b"control.tar.gz")
    extra = kit.ar([("_gpgorigin", b"abc")])[8:]
    content = raw[:at] + extra + raw[at:]
    changed = tmp_path / "extra.deb"
    changed.write_bytes(content)
    deb = Deb("demo", "1.0-1", "amd64", "x", Digest.of(content), len(content), "debian")
    with open_deb(changed, deb, scratch) as package:
        assert package.entries[0].path == "x"


@pytest.mark.parametrize("suffix", [".gz", ".xz", ".lzma", ".bz2", ".zst"])
@pytest.mark.parametrize("missing", [1, 9, 200])
def test_data_that_ends_early_is_refused(make_deb, kit, scratch, suffix, missing):
    whole = kit.COMPRESSORS[suffix](kit.tar([kit.Member("./x", bytes(range(256)) * 100)]))
    path, deb = make_deb([])
    raw = path.read_bytes()
    controls = raw[raw.index(b"control.tar.gz") : raw.index(b"data.tar")]
    size = int(controls[48:58])
    content = kit.ar(
        [
            ("debian-binary", b"2.0\n"),
            ("control.tar.gz", controls[60 : 60 + size]),
            (f"data.tar{suffix}", whole[:-missing]),
        ]
    )
    path.write_bytes(content)
    refusal(path, replace(deb, digest=Digest.of(content)), scratch)


@pytest.mark.parametrize("keep", [0, 100, 512, 1100, 1536])
def test_a_tar_without_its_end_is_refused(make_deb, kit, scratch, keep):
    whole = kit.tar([kit.Member("./x", b"x" * 700)])
    path, deb = make_deb([], data=whole[:keep])
    refusal(path, deb, scratch)


def test_a_broken_header_behind_a_good_member_is_refused(make_deb, kit, scratch):
    good = kit.tar([kit.Member("./x", b"x")])
    path, deb = make_deb([], data=good[:1024] + b"garbage!" * 64 + good[1024:])
    assert "header" in refusal(path, deb, scratch).message


@pytest.mark.parametrize("suffix", [".gz", ".xz", ".bz2", ".zst"])
def test_a_bomb_is_stopped_long_before_it_fills_the_disk(make_deb, scratch, monkeypatch, suffix):
    monkeypatch.setattr(inflate, "FLOOR", 1 << 20)
    monkeypatch.setattr(inflate, "RATIO", 20)
    path, deb = make_deb([], data=bytes(30 << 20), suffix=suffix)
    assert "grows beyond" in refusal(path, deb, scratch).message


def test_several_streams_behind_each_other_are_one(kit):
    whole = kit.tar([kit.Member("./x", b"x" * 3000)])
    for suffix in (".gz", ".xz", ".bz2", ".zst"):
        compress = kit.COMPRESSORS[suffix]
        chunks = [compress(whole[:1000]) + compress(whole[1000:])]
        pieces = inflate.inflate(chunks, suffix, package="demo", member="data.tar", compressed=1000)
        assert b"".join(pieces) == whole


@pytest.mark.parametrize("name", ["list", "../x", "a/b", ".hidden"])
def test_control_files_with_names_that_dpkg_keeps_for_itself_are_refused(make_deb, kit, scratch, name):
    path, deb = make_deb([kit.Member("./x")], control={name: "x"})
    refusal(path, deb, scratch)


def test_a_control_file_that_is_no_stanza_is_refused(make_deb, kit, scratch):
    path, deb = make_deb([kit.Member("./x")], fields="no field\n")
    refusal(path, deb, scratch)


def test_a_package_that_ships_dpkg_s_own_files_is_refused(make_deb, kit, scratch):
    path, deb = make_deb([kit.Member("./var/lib/dpkg/info/demo.list", b"/etc/passwd\n")])
    assert "dpkg's own" in refusal(path, deb, scratch).message


def test_a_scratch_folder_that_is_not_there_is_the_machine_s_fault(make_deb, kit, tmp_path):
    path, deb = make_deb([kit.Member("./x")])
    with pytest.raises(MachineError) as caught, open_deb(path, deb, tmp_path / "nowhere"):
        pass
    assert caught.value.exit_code == 7


def test_nothing_stays_in_the_scratch_folder(make_deb, kit, scratch):
    path, deb = make_deb([kit.Member("./x", b"y" * 100_000)])
    with open_deb(path, deb, scratch) as package:
        content = package.entries[0].content.data
        assert list(scratch.iterdir()) == []
    assert bytes(content[:1]) == b"y"  # a slice that is still held stays readable


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_damaged_archive_gives_entries_or_a_refusal_and_nothing_else(make_deb, kit, scratch, data):
    suffix = data.draw(st.sampled_from(["", ".gz", ".xz", ".zst"]))
    path, deb = make_deb(
        [
            kit.folder("./usr/"),
            kit.Member("./usr/a", b"a" * 600),
            kit.link("./usr/b", "a"),
            kit.hard("./usr/c", "./usr/a"),
        ],
        suffix=suffix,
    )
    raw = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    raw = raw[: data.draw(st.integers(1, len(raw)))] if data.draw(st.booleans()) else raw
    path.write_bytes(raw)
    try:
        with open_deb(path, replace(deb, digest=Digest.of(raw)), scratch) as package:
            assert all(".." not in entry.path.split("/") for entry in package.entries)
    except UntrustedError:
        assert list(scratch.iterdir()) == []


def test_a_type_flag_that_nobody_knows_is_refused(make_deb, kit, scratch):
    assert "unknown kind" in refusal(*make_deb([kit.Member("./x", type=b"Z")]), scratch).message


def test_a_sparse_file_is_refused(make_deb, kit, scratch):
    refusal(*make_deb([kit.Member("./x", type=tarfile.GNUTYPE_SPARSE)]), scratch)
