"""The layer writer: every reader of gzip and tar reads what it writes, and its bytes never change."""

from __future__ import annotations

import gzip as stdlib_gzip
import hashlib
import io
import os
import random
import tarfile
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envfreeze.errors import MachineError, UntrustedError
from envfreeze.oci import gzip, tar
from envfreeze.oci.entry import (
    Deflated,
    Entry,
    FromFile,
    Kind,
    Plain,
    Stored,
    directory,
    file,
    in_order,
    symlink,
)
from envfreeze.oci.layer import write_layer
from envfreeze.oci.paths import path_problem


def write(entries, tmp_path):
    path = tmp_path / "layer.tar.gz"
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC)
    try:
        return write_layer(in_order(entries), fd), path.read_bytes()
    finally:
        os.close(fd)


def deflated(content: bytes, level: int = 6) -> Deflated:
    compressor = zlib.compressobj(level, zlib.DEFLATED, -15)
    stream = compressor.compress(content) + compressor.flush()
    return Deflated(memoryview(stream), len(content), zlib.crc32(content))


def spliced(path: str, content: bytes, mode: int = 0o644) -> Entry:
    return Entry(path, Kind.FILE, mode, content=deflated(content))


PRINT = b"print('a')\n" * 100
PRINT_STREAM = bytes.fromhex("2b28cacc2bd1504f54d7e42a18658e324799a34c729900")
EXAMPLE = [
    Entry(
        "opt/venv/lib/a.py",
        Kind.FILE,
        0o644,
        content=Deflated(memoryview(PRINT_STREAM), len(PRINT), zlib.crc32(PRINT)),
    ),
    file("opt/venv/bin/run", b"#!/bin/sh\n", mode=0o755),
    Entry(
        "opt/venv/data/raw",
        Kind.FILE,
        0o644,
        content=Stored(memoryview(b"x" * 70_000), zlib.crc32(b"x" * 70_000)),
    ),
    Entry("opt/venv/empty", Kind.FILE, 0o644),
    symlink("opt/venv/bin/python", "/usr/bin/python3.13"),
    Entry("opt/venv/hard", Kind.HARDLINK, 0o644, link="opt/venv/lib/a.py"),
    directory("var/tmp", mode=0o1777),
    file("opt/" + "long" * 40 + "/" + "name" * 30, b"long"),
    file("opt/ünï/cödé", b"unicode"),
    Entry("etc/owned", Kind.FILE, 0o640, 0, 42, content=Plain(b"secret")),
]


def test_the_digests_of_an_example_are_golden(tmp_path):
    # Writer version 1: if these change, images change, and the writer needs a new number.
    written, _ = write(EXAMPLE, tmp_path)
    assert written.diff_id.hex == "b3ef10f29937d55259a1b1f788f78b379dfe18da59e0cb7e1faa95f8c91a71db"
    assert written.digest.hex == "de716999d3a73d4f7d54f0005ae9ba2c206142a2099a2b8e426a37d372cde8db"


def test_both_digests_and_the_size_are_those_of_the_bytes(tmp_path):
    written, blob = write(EXAMPLE, tmp_path)
    assert written.size == len(blob)
    assert written.digest.hex == hashlib.sha256(blob).hexdigest()
    assert written.diff_id.hex == hashlib.sha256(stdlib_gzip.decompress(blob)).hexdigest()


def test_tarfile_reads_every_entry_back(tmp_path):
    _, blob = write(EXAMPLE, tmp_path)
    with tarfile.open(fileobj=io.BytesIO(blob), mode="r:gz") as archive:
        members = {member.name: member for member in archive.getmembers()}
        assert archive.extractfile("opt/venv/lib/a.py").read() == b"print('a')\n" * 100
        assert archive.extractfile("opt/venv/hard").read() == b"print('a')\n" * 100
        assert archive.extractfile("opt/venv/data/raw").read() == b"x" * 70_000
        assert archive.extractfile("opt/ünï/cödé").read() == b"unicode"
        assert archive.extractfile("opt/" + "long" * 40 + "/" + "name" * 30).read() == b"long"
    assert members["opt/venv/bin/run"].mode == 0o755
    assert members["opt/venv/bin/python"].linkname == "/usr/bin/python3.13"
    assert members["var/tmp"].mode == 0o1777
    assert members["etc/owned"].gid == 42
    assert {member.mtime for member in members.values()} == {tar.MTIME}
    assert {(member.uname, member.gname) for member in members.values()} == {("", "")}


def test_parents_come_before_children_and_names_are_sorted(tmp_path):
    _, blob = write(EXAMPLE, tmp_path)
    with tarfile.open(fileobj=io.BytesIO(blob), mode="r:gz") as archive:
        names = archive.getnames()
    assert names == sorted(names, key=str.encode)
    for name in names:
        assert "/" not in name or name.rpartition("/")[0] in names


def test_the_order_of_arrival_does_not_matter(tmp_path):
    shuffled = list(EXAMPLE)
    random.Random(7).shuffle(shuffled)
    assert write(shuffled, tmp_path)[1] == write(EXAMPLE, tmp_path)[1]


def test_a_hard_link_whose_name_sorts_first_carries_the_content(tmp_path):
    entries = [file("z/target", b"content"), Entry("a/link", Kind.HARDLINK, 0o644, link="z/target")]
    _, blob = write(entries, tmp_path)
    with tarfile.open(fileobj=io.BytesIO(blob), mode="r:gz") as archive:
        assert archive.getmember("a/link").isreg()
        assert archive.getmember("z/target").linkname == "a/link"


def test_a_hard_link_to_nothing_is_refused():
    with pytest.raises(ValueError, match="no file of the same layer"):
        in_order([Entry("a", Kind.HARDLINK, 0o644, link="b")])


def test_content_larger_than_a_chunk_is_carried_whole(tmp_path):
    content = random.Random(1).randbytes(3 * gzip.CHUNK + 17)
    _, blob = write([file("plain", content), spliced("spliced", content)], tmp_path)
    with tarfile.open(fileobj=io.BytesIO(blob), mode="r:gz") as archive:
        assert archive.extractfile("plain").read() == content
        assert archive.extractfile("spliced").read() == content


GOOD = b"some content that compresses, compresses, compresses\n" * 50


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (Deflated(deflated(GOOD).data[:-4], len(GOOD), zlib.crc32(GOOD)), "ends early"),
        (Deflated(deflated(GOOD).data, len(GOOD) + 1, zlib.crc32(GOOD)), "ends early"),
        (Deflated(memoryview(bytes(deflated(GOOD).data) + b"\0\0"), len(GOOD), zlib.crc32(GOOD)), "follows"),
        (Deflated(deflated(GOOD).data, len(GOOD) - 1, zlib.crc32(GOOD)), "more than"),
        (Deflated(deflated(GOOD).data, len(GOOD), 1), "CRC-32"),
        (Deflated(memoryview(b"\xff" * 50), len(GOOD), 1), "damaged"),
        (Stored(memoryview(GOOD), 1), "CRC-32"),
    ],
)
def test_content_that_is_not_what_its_archive_states_is_refused(content, words, tmp_path):
    with pytest.raises(UntrustedError, match=words):
        write([Entry("bad", Kind.FILE, 0o644, content=content)], tmp_path)


@pytest.mark.parametrize("content", [Deflated(deflated(b"x").data, 0, 0), Stored(memoryview(b""), 7)])
def test_content_that_is_stated_to_be_empty_and_is_not_is_refused(content, tmp_path):
    with pytest.raises(UntrustedError):
        write([Entry("bad", Kind.FILE, 0o644, content=content)], tmp_path)


def test_a_file_of_the_project_is_written_as_its_content_would_be(tmp_path):
    content = random.Random(3).randbytes(gzip.CHUNK + 5)
    (tmp_path / "large").write_bytes(content)
    from_file = Entry("x", Kind.FILE, 0o644, content=FromFile(tmp_path / "large", len(content)))
    assert write([from_file], tmp_path)[1] == write([file("x", content)], tmp_path)[1]


@pytest.mark.parametrize("size", [4, 6])
def test_a_file_that_changes_while_it_is_read_is_an_error(tmp_path, size):
    (tmp_path / "file").write_bytes(b"12345")
    entry = Entry("x", Kind.FILE, 0o644, content=FromFile(tmp_path / "file", size))
    with pytest.raises(MachineError, match="changed while it was read"):
        write([entry], tmp_path)


def test_a_path_that_is_not_fit_is_a_mistake_of_the_caller(tmp_path):
    with pytest.raises(ValueError, match="leaves its root"):
        write([file("../x", b"")], tmp_path)


def test_a_bomb_is_stopped_at_its_stated_size(tmp_path):
    bomb = deflated(bytes(200_000_000), 9)
    stated = Deflated(bomb.data, 1000, bomb.crc)
    with pytest.raises(UntrustedError, match="more than the 1000 bytes"):
        write([Entry("bomb", Kind.FILE, 0o644, content=stated)], tmp_path)


def test_entries_out_of_order_or_without_parents_are_a_mistake_of_the_caller(tmp_path):
    fd = os.open(tmp_path / "x", os.O_RDWR | os.O_CREAT)
    try:
        with pytest.raises(ValueError, match="out of order"):
            write_layer([directory("b"), directory("a")], fd)
        with pytest.raises(ValueError, match="folder of a/b is missing"):
            write_layer([file("a/b", b"")], fd)
    finally:
        os.close(fd)


def test_another_libdeflate_stops_the_writer(monkeypatch):
    import deflate

    gzip.check_compressor.cache_clear()
    monkeypatch.setattr(deflate, "deflate_compress", lambda data, _level: zlib.compress(data))
    with pytest.raises(MachineError, match="does not give the bytes"):
        gzip.check_compressor()
    monkeypatch.undo()
    gzip.check_compressor.cache_clear()
    gzip.check_compressor()


names = st.text(st.characters(codec="utf-8", exclude_characters="/\0\\"), min_size=1, max_size=120).filter(
    lambda name: path_problem(name) is None
)
paths = st.lists(names, min_size=1, max_size=4).map("/".join)


@given(
    st.dictionaries(
        paths,
        st.tuples(st.binary(max_size=5000), st.sampled_from([0o644, 0o755]), st.booleans()),
        max_size=12,
    )
)
def test_any_files_come_back_as_they_were(tmp_path_factory, files):
    # A path that is a folder of another cannot be a file.
    files = {
        path: value
        for path, value in files.items()
        if not any(other.startswith(path + "/") for other in files)
    }
    entries = [
        spliced(path, content, mode) if splice and content else file(path, content, mode=mode)
        for path, (content, mode, splice) in files.items()
    ]
    _, blob = write(entries, tmp_path_factory.mktemp("layer"))
    with tarfile.open(fileobj=io.BytesIO(blob), mode="r:gz", encoding="utf-8") as archive:
        back = {
            member.name: (archive.extractfile(member).read(), member.mode)
            for member in archive.getmembers()
            if member.isreg()
        }
    assert back == {path: (content, mode) for path, (content, mode, _) in files.items()}


@pytest.mark.parametrize(
    "path",
    ["", "/a", "a/../b", "..", "a//b", "a/", "./a", "a\\b", "a\0b", "a/.wh.b", ".wh..wh..opq", "a\udc80"],
)
def test_paths_that_leave_the_root_or_delete_are_problems(path):
    assert path_problem(path) is not None


def test_a_size_over_eight_gigabytes_goes_into_a_pax_header():
    class Huge(bytes):
        __slots__ = ()

        def __len__(self):
            return 9 << 30

    blocks = tar.header(Entry("huge", Kind.FILE, 0o644, content=Plain(Huge())))
    assert b"size=9663676416\n" in blocks
    assert len(blocks) == 3 * tar.BLOCK
