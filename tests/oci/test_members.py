from __future__ import annotations

import io
import os
import tarfile
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envfreeze.digest import Digest
from envfreeze.errors import UntrustedError
from envfreeze.oci.members import Type, members, normal, rest


def read(data):
    return list(members(io.BytesIO(data)))


def info(name, **changes):
    made = tarfile.TarInfo(name)
    for key, value in changes.items():
        setattr(made, key, value)
    return made


def test_members_come_with_all_that_is_compared(pack_tar):
    (member, _), (link, _), (device, _) = read(
        pack_tar(
            (
                info(
                    "./bin/ping",
                    mode=0o4755,
                    uid=7,
                    gid=8,
                    mtime=9,
                    pax_headers={"SCHILY.xattr.security.capability": "x"},
                ),
                b"elf",
            ),
            (info("bin/p", type=tarfile.SYMTYPE, linkname="./ping"), b""),
            (info("dev/null", type=tarfile.CHRTYPE, devmajor=1, devminor=3), b""),
        )
    )
    assert (member.path, member.written, member.type) == ("bin/ping", "./bin/ping", Type.FILE)
    assert (member.mode, member.uid, member.gid, member.size, member.mtime) == (0o4755, 7, 8, 3, 9)
    assert member.xattrs == (("security.capability", "x"),)
    assert (link.type, link.link) == (Type.SYMLINK, "./ping")
    assert (device.type, device.device) == (Type.CHARACTER, (1, 3))


def test_content_is_read_in_pieces_or_left(pack_tar):
    data = os.urandom(700_000)
    tar = pack_tar((info("a"), data), (info("b"), b"left"), (info("c"), data[:5]))
    found = {}
    for member, content in members(io.BytesIO(tar)):
        if member.path != "b":
            found[member.path] = content.digest()
    assert found == {"a": Digest.of(data), "c": Digest.of(data[:5])}


def test_an_observer_is_told_every_byte_once(pack_tar):
    tar = pack_tar((info("a"), b"a" * 5000), (info("b"), b"b"))
    seen = bytearray()
    source = io.BytesIO(tar)
    for member, content in members(source, observe=seen.extend):
        if member.path == "b":
            assert content.read(10) == b"b"
    assert rest(source, observe=seen.extend)
    assert seen == tar


@pytest.mark.parametrize("step", [1, 7, 512])
def test_a_source_that_hands_out_little_at_a_time_is_no_damage(pack_tar, step):
    class Trickle(io.BytesIO):
        def read(self, size=-1):
            return super().read(min(size, step))

    tar = pack_tar((info("a"), b"a" * 600), (info("b"), b"b"))
    assert [member.path for member, _ in members(Trickle(tar))] == ["a", "b"]


def test_a_tar_without_its_end_marker_is_read(pack_tar):
    tar = pack_tar((info("a"), b"a"))
    assert [member.path for member, _ in read(tar[:1024])] == ["a"]


@pytest.mark.parametrize("cut", [100, 512, 700, 1100, 1300])
def test_a_tar_that_ends_early_is_damaged(pack_tar, cut):
    with pytest.raises(UntrustedError):
        read(pack_tar((info("a"), b"a" * 400), (info("b"), b"b" * 400))[:cut])


def test_a_damaged_header_is_not_taken_for_the_end(pack_tar):
    tar = bytearray(pack_tar((info("a"), b""), (info("b"), b"")))
    tar[512 + 3] ^= 1
    with pytest.raises(UntrustedError, match="no header is there"):
        read(bytes(tar))


def test_a_header_of_gigabytes_is_not_read_into_memory():
    extended = tarfile.TarInfo("././@PaxHeader")
    extended.type, extended.size = tarfile.XHDTYPE, 7 << 30
    with pytest.raises(UntrustedError, match="a header of"):
        read(extended.tobuf(tarfile.USTAR_FORMAT) + bytes(4096))


def test_a_negative_size_does_not_go_back():
    member = tarfile.TarInfo("a")
    member.size = -1024
    with pytest.raises(UntrustedError):
        read(member.tobuf(tarfile.GNU_FORMAT) * 4)


def test_sparse_files_and_unknown_types_are_refused():
    for kind in (tarfile.GNUTYPE_SPARSE, b"Z"):
        member = tarfile.TarInfo("a")
        member.type = kind
        with pytest.raises(UntrustedError):
            read(member.tobuf(tarfile.GNU_FORMAT) + bytes(1024))


@given(
    st.lists(st.sampled_from(["a", "..", ".", "", ".wh.a", "ä", "a.", ".a"]), min_size=1, max_size=6).map(
        "/".join
    )
)
def test_normal_names_have_no_empty_or_dot_parts(name):
    assert normal(name) == "/".join(part for part in name.split("/") if part not in {"", "."})


def test_a_dot_at_the_end_is_no_part():
    assert normal("a/.") == "a"


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_any_bytes_are_read_or_refused(data):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name in ("a", "b" * 150, "ü"):
            tar.addfile(info(name, size=3), io.BytesIO(b"abc"))
    raw = bytearray(buffer.getvalue()[:6144])
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with suppress(UntrustedError):
        for _, content in members(io.BytesIO(bytes(raw))):
            content.digest()
