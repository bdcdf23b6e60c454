"""What an archive of python-build-standalone becomes in a layer, and what is refused."""

from __future__ import annotations

import contextlib
import gzip
import tarfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envfreeze.digest import Digest
from envfreeze.errors import UntrustedError
from envfreeze.layers.standalone import open_standalone
from envfreeze.layers.standalone.package import MANAGED
from envfreeze.oci.entry import Kind
from envfreeze.oci.paths import path_problem
from envfreeze.replacing import replace

LIBRARY = "lib/python3.12"


@pytest.fixture
def kit(standalone_archive):
    return standalone_archive


@pytest.fixture
def scratch(tmp_path):
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


@pytest.fixture
def opened(tmp_path, scratch, kit):
    """Open an archive: path below Python's folder to its entry and content."""

    def read(content, *, checked=False, **changes):
        path = tmp_path / "python.tar.gz"
        path.write_bytes(content)
        python = replace(kit.locked(content), **changes)
        with open_standalone(path, python, scratch, checked=checked) as entries:
            found = {
                entry.path.removeprefix(f"{python.prefix}/"): (
                    entry,
                    bytes(entry.content.data) if entry.content is not None else b"",
                )
                for entry in entries
            }
        assert len(found) == len(entries)
        assert list(scratch.iterdir()) == []
        return found

    return read


@pytest.fixture
def refusal(opened):
    def read(content, **changes):
        with pytest.raises(UntrustedError) as refused:
            opened(content, **changes)
        assert refused.value.message.startswith("cpython-3.12.13+20260807-")
        assert refused.value.hint
        return refused.value.message

    return read


def test_what_lies_below_python_lies_below_the_prefix(kit, opened):
    found = opened(kit.archive(kit.small()))
    entry, content = found["bin/python3.12"]
    assert (entry.path, entry.kind, entry.mode, entry.uid, entry.gid) == (
        "opt/python/bin/python3.12",
        Kind.FILE,
        0o755,
        0,
        0,
    )
    assert content.startswith(b"\x7fELF")
    assert (found["bin/python"][0].kind, found["bin/python"][0].link) == (Kind.SYMLINK, "python3.12")
    # Neither the builder's umask nor its names are in the image.
    assert found[f"{LIBRARY}/os.py"][0].mode == 0o644
    assert found["bin/pip"][0].mode == 0o755
    assert found["bin/pip"][1].startswith(b"#!/bin/sh\n'''exec'")


def test_the_folder_that_it_was_built_for_is_replaced(kit, opened):
    found = opened(kit.archive(kit.small()), prefix="opt/envfreeze/python")
    assert b"exec_prefix" in found["lib/pkgconfig/python3.pc"][1]
    for path in (
        "lib/pkgconfig/python3.pc",
        "bin/python3.12-config",
        f"{LIBRARY}/config-3.12-x86_64-linux-gnu/Makefile",
    ):
        assert b"/install" not in found[path][1]
        assert b"/opt/envfreeze/python" in found[path][1]
    assert found["bin/python3.12-config"][0].mode == 0o755


def test_bytecode_is_left_out_and_its_folders_with_it(kit, opened):
    folders = {"python/lib/python3.12/json/__pycache__": kit.folder()}
    found = opened(kit.archive(kit.small(further=folders)))
    assert not any("__pycache__" in path for path in found)


def test_no_installer_may_write_into_it(kit, opened):
    assert opened(kit.archive(kit.small()))[f"{LIBRARY}/EXTERNALLY-MANAGED"][1] == MANAGED
    theirs = {f"python/{LIBRARY}/EXTERNALLY-MANAGED": kit.Item(b"[externally-managed]\nError=theirs\n")}
    found = opened(kit.archive(kit.small(further=theirs)))
    assert found[f"{LIBRARY}/EXTERNALLY-MANAGED"][1].endswith(b"theirs\n")


def test_hard_links_stay_unless_their_file_is_changed_or_left_out(kit, opened):
    found = opened(
        kit.archive(
            {
                **kit.small(),
                "python/lib/a": kit.hardlink("python/bin/python3.12"),
                "python/lib/b": kit.hardlink("python/lib/a"),
                "python/lib/c": kit.hardlink("python/bin/python3.12-config"),
                "python/lib/d": kit.hardlink(f"python/{LIBRARY}/__pycache__/os.cpython-312.opt-1.pyc"),
                "python/bin/e": kit.hardlink("python/bin/python3.12-config"),
            }
        )
    )
    assert [(found[path][0].kind, found[path][0].link) for path in ("lib/a", "lib/b")] == [
        (Kind.HARDLINK, "opt/python/bin/python3.12")
    ] * 2
    # Not a script of bin/, so it keeps what its file had.
    assert (found["lib/c"][0].kind, b"/install" in found["lib/c"][1]) == (Kind.FILE, True)
    assert (found["lib/d"][0].kind, found["lib/d"][1]) == (Kind.FILE, b"compiled")
    assert (found["bin/e"][0].kind, b"/install" in found["bin/e"][1]) == (Kind.FILE, False)


def test_empty_folders_and_files_stay(kit, opened):
    found = opened(
        kit.archive(
            kit.small(further={"python": kit.folder(), "python/x": kit.folder(0o700), "python/y": kit.Item()})
        )
    )
    assert (found["x"][0].kind, found["x"][0].mode) == (Kind.DIRECTORY, 0o755)
    assert (found["y"][0].kind, found["y"][1]) == (Kind.FILE, b"")


@pytest.mark.parametrize(
    ("path", "item", "words"),
    [
        ("/etc/passwd", {}, "is absolute"),
        ("python/../../etc/passwd", {}, "leaves its root"),
        ("python/lib/.wh.python3.12", {}, "would delete files"),
        ("python/a\\b", {}, "holds a backslash"),
        ("etc/passwd", {}, "which is not below python/"),
        ("PYTHON.json", {}, "which is not below python/"),
        ("python/bin/x", {"kind": tarfile.CHRTYPE}, "neither a file, a folder nor a link"),
        ("python/bin/x", {"kind": tarfile.FIFOTYPE}, "neither a file, a folder nor a link"),
        ("python/bin/x", {"kind": tarfile.SYMTYPE, "link": "/etc/passwd"}, "out of the prefix"),
        ("python/bin/x", {"kind": tarfile.SYMTYPE, "link": "../../etc/passwd"}, "out of the prefix"),
        ("python/bin/x", {"kind": tarfile.SYMTYPE, "link": ""}, "to nothing"),
        ("python/bin/x", {"kind": tarfile.LNKTYPE, "link": "/etc/passwd"}, "no earlier file of it"),
        ("python/bin/x", {"kind": tarfile.LNKTYPE, "link": "python/bin/python"}, "no earlier file of it"),
        ("python/lib/python3.12/os.py/x", {}, "which is no folder"),
        ("python/bin/python/x", {}, "which is no folder"),
        ("python/bin/python3.12", {}, "stands in the archive twice"),
    ],
)
def test_a_path_or_link_that_leads_elsewhere_is_refused(kit, refusal, path, item, words):
    members = [*kit.small().items(), (path, kit.Item(**item))]
    assert words in refusal(kit.archive(members))


@pytest.mark.parametrize(
    ("without", "words"),
    [
        ("python/bin/python3.12", "has no program python/bin/python3.12"),
        (f"python/{LIBRARY}/os.py", "has no standard library"),
    ],
)
def test_what_is_no_python_is_refused(kit, refusal, without, words):
    members = {path: item for path, item in kit.small().items() if path != without}
    assert words in refusal(kit.archive(members))


def test_a_program_that_nobody_may_run_is_none(kit, refusal):
    assert "has no program" in refusal(
        kit.archive(kit.small(further={"python/bin/python3.12": kit.Item(b"x")}))
    )


def test_another_version_than_the_locked_one_is_refused(kit, refusal):
    assert "it is Python 3.12.12, and the lock says 3.12.13" in refusal(kit.archive(kit.small("3.12.12")))


def test_a_changed_file_is_refused_and_a_cut_one(kit, opened, refusal):
    content = kit.archive(kit.small())
    assert "the lock has" in refusal(content, digest=Digest.of(b"another"))
    assert "cannot be decompressed" in refusal(content[:-9])
    assert "cannot be decompressed" in refusal(b"no gzip")
    assert "is empty" in refusal(b"")
    assert "tar without an end" in refusal(
        gzip.compress(gzip.decompress(content)[:10240].rstrip(b"\0")[:5120])
    )
    assert opened(content, digest=Digest.of(b"another"), checked=True)  # who says so has computed it


FIXTURES = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
names = st.lists(
    st.sampled_from(["python", "bin", "lib", "..", ".", "", "a", "__pycache__", ".wh.x", "python3.12", "é"]),
    max_size=5,
).map("/".join)
items = st.tuples(
    names,
    st.sampled_from([tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE, tarfile.CHRTYPE]),
    names,
    st.integers(0, 0o7777),
)


@FIXTURES
@given(st.lists(items, max_size=6))
def test_any_members_are_refused_or_lie_below_the_prefix(kit, tmp_path, drawn):
    further = [
        (path, kit.Item(b"x" if kind == tarfile.REGTYPE else b"", mode, kind, link))
        for path, kind, link, mode in drawn
        if path
    ]
    content = kit.archive([*kit.small().items(), *further])
    path = tmp_path / "python.tar.gz"
    path.write_bytes(content)
    with contextlib.suppress(UntrustedError), open_standalone(path, kit.locked(content), tmp_path) as entries:
        for entry in entries:
            assert entry.path.startswith("opt/python/")
            assert path_problem(entry.path) is None
            assert not entry.link.startswith("/")


@FIXTURES
@given(st.data())
def test_a_changed_byte_is_refused_or_changes_no_path(kit, tmp_path, data):
    content = gzip.decompress(kit.archive(kit.small()))
    at = data.draw(st.integers(0, len(content) - 1))
    packed = gzip.compress(content[:at] + bytes([data.draw(st.integers(0, 255))]) + content[at + 1 :], 1)
    path = tmp_path / "python.tar.gz"
    path.write_bytes(packed)
    with contextlib.suppress(UntrustedError), open_standalone(path, kit.locked(packed), tmp_path) as entries:
        assert all(entry.path.startswith("opt/python/") for entry in entries)
