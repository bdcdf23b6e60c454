"""Two packages that want one path."""

from __future__ import annotations

import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envfreeze.engines.native.owners import conflicts, is_free, listing, merge, room_for
from envfreeze.errors import UntrustedError, UsageError
from envfreeze.oci.entry import Deflated, Entry, Kind, directory, file, symlink


def spliced(path, content):
    return Entry(path, Kind.FILE, 0o644, content=Deflated(memoryview(b""), len(content), zlib.crc32(content)))


def test_identical_content_under_one_path_is_fine():
    layers = [
        listing("a", [file("x/__init__.py", b"same")]),
        listing("b", [spliced("x/__init__.py", b"same")]),
    ]
    assert conflicts(layers) == ()


def test_different_content_is_reported_with_both_owners():
    layers = [
        listing("a", [file("x", b"1"), file("y", b"1")]),
        listing("b", [file("x", b"2"), file("y", b"2")]),
    ]
    assert conflicts(layers) == ("b overwrites 2 of the files of a: /x and 1 more",)


def test_a_path_through_another_packages_link_is_refused():
    layers = [listing("a", [symlink("opt/link", "/etc")]), listing("b", [file("opt/link/passwd", b"")])]
    with pytest.raises(UntrustedError, match="b installs /opt/link/passwd through the link /opt/link of a"):
        conflicts(layers)


def test_a_path_below_another_packages_file_is_refused():
    layers = [listing("b", [file("opt/x/y", b"")]), listing("a", [file("opt/x", b"")])]
    with pytest.raises(UntrustedError, match="through the file /opt/x of a"):
        conflicts(layers)


def test_in_a_shared_layer_the_later_file_and_the_first_directory_win():
    merged = merge(
        [
            ("a", [directory("d", mode=0o700), file("d/x", b"a")]),
            ("b", [directory("d", mode=0o755), file("d/x", b"b")]),
        ]
    )
    assert merged["d"].mode == 0o700
    assert merged["d/x"] == file("d/x", b"b")


def test_what_is_settled_elsewhere_is_not_reported():
    layers = [listing("a", [file("x", b"1")]), listing("b", [file("x", b"2")])]
    assert conflicts(layers, {"a", "b"}) == ()
    assert conflicts(layers, {"a"}, {"b"}) == ("b overwrites 1 of the files of a: /x",)


BELOW = [
    listing("base-files", [directory("tmp", mode=0o1777), directory("root", mode=0o700), directory("usr")]),
    listing("the base system", [symlink("bin", "usr/bin")]),
    listing("bash", [file("usr/bin/bash", b"")]),
]


def test_folders_that_exist_below_keep_their_modes():
    assert room_for(["tmp/work/train.py", "root/x"], BELOW, ["opt/venv"]) == {
        "tmp": (0o1777, 0, 0),
        "root": (0o700, 0, 0),
    }


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("bin/train.py", "/bin is no folder but belongs to the base system"),
        ("usr/bin/bash", "/usr/bin/bash belongs to bash"),
        ("usr/bin/bash/x", "is no folder but belongs to bash"),
        ("usr/bin", "is a folder of the image"),
        ("opt/venv/bin/python", "belongs to the environment"),
    ],
)
def test_project_files_cannot_take_what_is_a_packages(path, words):
    with pytest.raises(UsageError, match=words):
        room_for([path], BELOW, ["opt/venv"])


def test_a_hard_link_keeps_its_content_when_its_file_is_replaced():
    links = [Entry(name, Kind.HARDLINK, 0o644, link="a") for name in ("b", "c")]
    merged = merge([("one", [file("a", b"one", mode=0o755), *links]), ("two", [file("a", b"two")])])
    assert merged["a"] == file("a", b"two")
    assert merged["b"] == file("b", b"one", mode=0o755)
    assert (merged["c"].kind, merged["c"].link) == (Kind.HARDLINK, "b")


@pytest.mark.parametrize("folder", ["workspace", "srv/work", "usr/share/work", "opt/project"])
def test_a_folder_that_nobody_has_anything_in_is_free(folder):
    assert is_free(folder, BELOW, ["opt/venv"])


@pytest.mark.parametrize(
    "folder",
    [
        "",
        "tmp",
        "tmp/work",
        "root/x",
        "bin",
        "bin/x",
        "usr",
        "usr/bin",
        "usr/bin/bash/x",
        "opt",
        "opt/venv/x",
    ],
)
def test_a_folder_is_not_free_where_something_is_in_it_or_leads_through_it(folder):
    assert not is_free(folder, BELOW, ["opt/venv"])


NAMES = st.lists(st.sampled_from("abc"), min_size=1, max_size=3).map("/".join)


@given(
    st.lists(st.tuples(NAMES, st.booleans()), max_size=6),
    NAMES,
    st.lists(NAMES, min_size=1, max_size=4),
)
def test_whatever_is_put_into_a_free_folder_has_room(below, folder, names):
    entries = [file(path, b"") if is_file else directory(path, mode=0o700) for path, is_file in below]
    layers = [listing("a", entries)]
    if is_free(folder, layers, ["opt/venv"]):
        assert room_for([f"{folder}/{name}" for name in names], layers, ["opt/venv"]) == {}
