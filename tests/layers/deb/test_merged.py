"""The merged-usr mapping keeps the meaning of paths and links."""

from __future__ import annotations

import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envfreeze.layers.deb.merged import ALIASED, leaves_root, moved_link, real

_parts = st.lists(
    st.sampled_from(["bin", "lib", "etc", "usr", "a", "lib64", "x86_64-linux-gnu"]), min_size=1, max_size=4
)


@given(_parts)
def test_a_real_path_is_real(parts):
    assert real(real("/".join(parts))) == real("/".join(parts))


@given(_parts, st.lists(st.sampled_from(["..", "a", "lib", "etc"]), min_size=1, max_size=5))
def test_a_moved_link_means_what_it_meant(place, target_parts):
    path, target = "/".join([*place, "link"]), "/".join(target_parts)
    if leaves_root(path, target):
        return
    meant = real(posixpath.normpath(posixpath.join(posixpath.dirname(path), target)))
    moved = moved_link(path, target)
    found = posixpath.normpath(posixpath.join(posixpath.dirname(real(path)), moved))
    if real(path) != path:
        assert found == meant


@pytest.mark.parametrize(
    ("path", "target", "moved"),
    [
        ("lib/a/libx.so", "libx.so.1", "libx.so.1"),
        ("lib/a/libx.so", "../b/libx.so.1", "../b/libx.so.1"),
        ("lib/a/libx.so", "../../etc/x", "../../../etc/x"),
        ("lib/a/libx.so", "../../usr/lib/x", "../x"),
        ("bin/x", "../sbin/y", "../sbin/y"),
        ("bin/x", "/bin/y", "/bin/y"),
        ("usr/bin/x", "../../bin/y", "../../bin/y"),
    ],
)
def test_links_by_example(path, target, moved):
    assert moved_link(path, target) == moved


def test_the_list_is_that_of_base_files():
    assert ALIASED == ("bin", "lib", "lib32", "lib64", "libo32", "libx32", "sbin")
