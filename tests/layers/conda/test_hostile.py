"""Packages whose bytes were changed at random: refused, or the same entries; never anything else."""

from __future__ import annotations

import contextlib
import io
import json
import tarfile

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envfreeze.errors import UntrustedError
from envfreeze.layers.conda import link_scripts, open_conda
from envfreeze.layers.conda.paths import read_paths
from envfreeze.locking.model import CONDA_PREFIX
from envfreeze.oci.paths import path_problem

FIXTURES = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(scope="module")
def sound(conda_channel):
    kinds = {built.filename: built for built in conda_channel.every_kind()}
    return [
        kinds["zlib-1.3.1-hb9d3cd8_2.conda"],
        kinds["tools-2.0-old_0.tar.bz2"],
        kinds["pure-3.1-pyh_0.conda"],
    ]


@FIXTURES
@given(st.data())
def test_a_changed_byte_is_refused_or_changes_no_path(sound, conda_channel, tmp_path, data):
    built = data.draw(st.sampled_from(sound))
    at = data.draw(st.integers(0, len(built.content) - 1))
    other = data.draw(st.integers(0, 255))
    content = built.content[:at] + bytes([other]) + built.content[at + 1 :]
    changed = conda_channel.Built(built.filename, content, built.index)
    path = tmp_path / built.filename
    path.write_bytes(content)
    with contextlib.suppress(UntrustedError):
        link_scripts(path)
    opening = open_conda(path, changed.locked(), tmp_path, prefix=CONDA_PREFIX, python="3.13")
    with contextlib.suppress(UntrustedError), opening as opened:
        for entry in opened.entries:
            assert entry.path.startswith(f"{CONDA_PREFIX}/")
            assert path_problem(entry.path) is None


names = st.one_of(
    st.text(max_size=8),
    st.lists(st.sampled_from(["..", ".", "", "a", "b", ".wh.x", "conda-meta", "info"]), max_size=4).map(
        "/".join
    ),
)
values = st.one_of(
    st.none(), st.booleans(), st.integers(), st.text(max_size=5), st.lists(st.none(), max_size=2)
)
rows = st.fixed_dictionaries(
    {"_path": names},
    optional={
        key: st.one_of(values, st.sampled_from(["hardlink", "softlink", "directory", "text", "binary"]))
        for key in ("path_type", "file_mode", "prefix_placeholder", "sha256", "size_in_bytes", "no_link")
    },
)


@given(st.lists(rows, max_size=5))
def test_whatever_paths_json_says_its_paths_stay_below_the_prefix(listed):
    with contextlib.suppress(UntrustedError):
        for row in read_paths({"paths.json": json.dumps({"paths": listed}).encode()}):
            assert path_problem(row.path) is None
            assert (row.placeholder is None) == (row.mode is None)


@given(st.binary(max_size=60), st.binary(max_size=60), st.binary(max_size=20))
def test_whatever_the_old_lists_say_their_paths_stay_below_the_prefix(files, has_prefix, no_link):
    with contextlib.suppress(UntrustedError):
        for row in read_paths({"files": files, "has_prefix": has_prefix, "no_link": no_link}):
            assert path_problem(row.path) is None


@FIXTURES
@given(st.lists(st.tuples(names, st.sampled_from([b"0", b"1", b"2", b"5", b"3"]), names), max_size=5))
def test_whatever_a_tar_holds_nothing_leaves_the_prefix(conda_channel, tmp_path, members):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as tar:
        for name, kind, link in members:
            info = tarfile.TarInfo(name.encode("utf-8", "replace").decode())
            info.type, info.linkname = kind, link.encode("utf-8", "replace").decode()
            tar.addfile(info)
    listed = "".join(f"{name}\n" for name, *_ in members).encode("utf-8", "replace")
    built = conda_channel.package(
        "demo", info={"paths.json": None, "files": listed}, change_tar=lambda _: out.getvalue()
    )
    path = tmp_path / built.filename
    path.write_bytes(built.content)
    opening = open_conda(path, built.locked(), tmp_path, prefix=CONDA_PREFIX, python="3.13")
    with contextlib.suppress(UntrustedError), opening as opened:
        for entry in opened.entries:
            assert entry.path.startswith(f"{CONDA_PREFIX}/")
            assert path_problem(entry.path) is None
            assert not entry.link.startswith("/")
