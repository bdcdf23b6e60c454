"""What an image holds is what unpacking its layers one after the other would leave."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envfreeze.errors import UntrustedError
from envfreeze.locking.image.inventory import Inventory, Item, LayerContents
from envfreeze.locking.image.reading import read, read_layer, unread
from envfreeze.locking.model import ImageLayer
from envfreeze.store.cache import Cache

FILE, FOLDER = Item("FILE", 0o644, 0, 0), Item("DIRECTORY", 0o755, 0, 0)
NAMES = st.sampled_from(["a", "b", "a/x", "a/y", "a/x/1", "b/x", "b/x/2"])


def layer(*paths, links=(), texts=()):
    items = [(path.rstrip("/"), FOLDER if path.endswith("/") else FILE) for path in paths]
    items += [(path, Item("SYMLINK", 0o777, 0, 0, target)) for path, target in links]
    return LayerContents(tuple(items), dict(texts))


def test_whiteouts_take_away_what_lies_below_and_nothing_of_their_own_layer():
    found = Inventory.of(
        [
            layer("a/", "a/1", "a/2", "b/", "b/1", "c"),
            layer("a/", "a/.wh.1", "b/", "b/new", "b/.wh..wh..opq", ".wh.c"),
        ]
    )
    assert sorted(found.items) == ["a", "a/2", "b", "b/new"]


def test_a_file_in_place_of_a_folder_takes_its_content_away():
    found = Inventory.of([layer("a/", "a/1", texts=[("a/1", b"x")]), layer("a")])
    assert sorted(found.items) == ["a"]
    assert not found.texts


def unpacked(layers):
    """A file system that is made the slow way."""
    tree = {}
    for one in layers:
        for path, _ in one.items:
            folder, _, name = path.rpartition("/")
            prefix = f"{folder}/" if folder else ""
            if name == ".wh..wh..opq":
                tree = {other: kind for other, kind in tree.items() if not other.startswith(prefix or "")}
            elif name.startswith(".wh."):
                gone = prefix + name[4:]
                tree = {o: k for o, k in tree.items() if o != gone and not o.startswith(f"{gone}/")}
        for path, item in one.items:
            if not path.rpartition("/")[2].startswith(".wh."):
                if item.kind != "DIRECTORY":
                    tree = {o: k for o, k in tree.items() if not o.startswith(f"{path}/")}
                tree[path] = item.kind
    return tree


@given(st.lists(st.lists(st.tuples(NAMES, st.booleans()), max_size=5), max_size=4))
def test_layers_of_whiteouts_and_files_are_as_if_they_were_unpacked(written):
    layers = []
    for rows in written:
        items = {}
        for path, hides in rows:
            folder, _, name = path.rpartition("/")
            place = f"{folder}/.wh.{name}" if folder else f".wh.{name}"
            items[place if hides else path] = FILE if hides or len(path) > 3 else FOLDER
        layers.append(LayerContents(tuple(items.items()), {}))
    found = Inventory.of(layers)
    assert {path: item.kind for path, item in found.items.items()} == unpacked(layers)


def test_links_are_followed_as_the_kernel_does():
    found = Inventory.of(
        [
            layer(
                "usr/lib/",
                "usr/lib/os-release",
                links=[("lib", "usr/lib"), ("etc/os-release", "../lib/os-release"), ("loop", "loop")],
                texts=[("usr/lib/os-release", b"ID=x")],
            )
        ]
    )
    assert found.read("etc/os-release") == b"ID=x"
    assert found.resolve("lib/os-release") == "usr/lib/os-release"
    assert found.resolve("loop") is None
    assert found.resolve("gone") is None
    assert found.is_file("lib/os-release")
    assert not found.is_file("lib")


@pytest.fixture
def stored(registry_server, tmp_path):
    """A layer as a blob on disk."""

    def make(contents, packing="gzip", diff_id=None):
        made = registry_server.layer_of(contents, packing)
        path = tmp_path / made.digest.hex
        path.write_bytes(made.blob)
        return ImageLayer(made.digest, diff_id or made.diff_id, made.size, made.media_type), path

    return make


@pytest.mark.parametrize("packing", ["gzip", "zstd", "plain", "docker"])
def test_a_layer_of_any_packing_is_read_and_remembered(stored, registry_server, tmp_path, packing):
    contents = {
        "etc/os-release": b"ID=debian\n",
        "etc/private": registry_server.Folder(0o700, 5, 6),
        "usr/lib/libc.so.6": b"\0GNU C Library (Debian GLIBC 2.41-12) stable release version 2.41.\n",
        "usr/bin/sh": registry_server.Link("dash"),
        "usr/bin/again": registry_server.Link("etc/os-release", hard=True),
        "big": b"x" * 1_000_000,
    }
    made, path = stored(contents, packing)
    with Cache.open(tmp_path / "cache") as cache:
        assert unread([made], cache) == (made,)
        found = read([made], {made.digest: path}, cache)
        assert not unread([made], cache)
        assert read([made], {}, cache).items == found.items
    assert found.texts == {"etc/os-release": b"ID=debian\n", "usr/lib/libc.so.6": b"2.41"}
    assert found.read("usr/bin/again") == b"ID=debian\n"
    assert found.items["etc/private"] == Item("DIRECTORY", 0o700, 5, 6)
    assert found.items["big"].content.endswith("-1000000")


def test_a_damaged_layer_and_one_with_another_tar_are_refused(stored, registry_server):
    made, path = stored({"a": b"a" * 1000})
    path.write_bytes(path.read_bytes()[:-9] + b"x" * 9)
    with pytest.raises(UntrustedError, match=str(made.digest)):
        read_layer(made, path)
    other = registry_server.layer_of({"b": b"b"}).diff_id
    made, path = stored({"a": b"a"}, diff_id=other)
    with pytest.raises(UntrustedError, match="the image's config says"):
        read_layer(made, path)


def test_a_layer_that_leads_out_of_its_root_is_refused(stored):
    made, path = stored({"a/../../b": b"b"})
    with pytest.raises(UntrustedError, match="leads out of the root"):
        read_layer(made, path)
