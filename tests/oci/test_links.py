"""Links are followed as the kernel follows them: held against the kernel itself."""

from __future__ import annotations

import os
import posixpath
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envfreeze.oci.links import follow

PARTS = st.sampled_from(["a", "b", "c", "..", "."])
TARGETS = st.builds(
    lambda rooted, parts: ("/" if rooted else "") + "/".join(parts),
    st.booleans(),
    st.lists(PARTS, min_size=1, max_size=3),
)
TREES = st.dictionaries(st.sampled_from(["a", "b", "c", "a/b", "b/c", "c/a"]), TARGETS, max_size=4)


@pytest.mark.parametrize(
    ("path", "links", "leads_to"),
    [
        ("bin/sh", {"bin": "usr/bin"}, "usr/bin/sh"),
        ("lib/x", {"lib": "/usr/lib", "usr/lib/x": "../share/y"}, "usr/share/y"),
        ("../../a", {}, "a"),
        ("a/b", {"a": "b", "b": "a"}, None),
        ("", {}, ""),
    ],
)
def test_links_are_followed(path, links, leads_to):
    assert follow(path, links.get) == leads_to


@given(tree=TREES, path=st.lists(PARTS, min_size=1, max_size=4).map("/".join))
def test_a_path_ends_or_leads_to_no_link(tree, path):
    found = follow(path, tree.get)
    if found is not None:
        heads = found.split("/")
        assert all("/".join(heads[:count]) not in tree for count in range(1, len(heads) + 1))
        assert found == "" or posixpath.normpath(found) == found


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can chroot")
def test_the_kernel_agrees(tmp_path):
    (tmp_path / "usr/share").mkdir(parents=True)
    (tmp_path / "usr/share/y").write_text("")
    (tmp_path / "usr/lib").symlink_to("/usr/share/../share")
    (tmp_path / "lib").symlink_to("usr/./lib")
    links = {"usr/lib": "/usr/share/../share", "lib": "usr/./lib"}
    asked = "import os, sys; os.chroot(sys.argv[1]); os.chdir('/'); print(os.path.realpath('/lib/y'))"
    said = subprocess.run(
        [sys.executable, "-c", asked, str(tmp_path)], capture_output=True, text=True, check=True
    ).stdout
    assert said.strip() == f"/{follow('lib/y', links.get)}"
