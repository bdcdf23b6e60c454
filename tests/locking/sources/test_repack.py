"""One form for a wheel, whatever tool packed it."""

from __future__ import annotations

import zipfile
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from installer.sources import WheelFile

from envfreeze.digest import Digest
from envfreeze.errors import UntrustedError
from envfreeze.layers.wheel.archive import read_archive
from envfreeze.locking.sources.repack import metadata_of, repack

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

INFO = {
    "x-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: x\nVersion: 1.0\n",
    "x-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    "x-1.0.dist-info/RECORD": b"of,no,use\n",
}
NAME = "x-1.0-py3-none-any.whl"


def pack(
    path: Path,
    files: Mapping[str, bytes],
    *,
    reverse: bool = False,
    method: int = zipfile.ZIP_DEFLATED,
    day: tuple[int, ...] = (1980, 1, 1),
    modes: Mapping[str, int] | None = None,
) -> Path:
    with zipfile.ZipFile(path, "w", method) as archive:
        for name in sorted(files, reverse=reverse):
            info = zipfile.ZipInfo(name, (*day, 0, 0, 0))
            info.compress_type = method
            info.external_attr = ((modes or {}).get(name, 0o644) | 0o100000) << 16
            archive.writestr(info, files[name])
    return path


def test_the_form_is_fixed(tmp_path: Path) -> None:
    files = {**INFO, "x/__init__.py": b"x = 1\n" * 100, "x/tool.sh": b"#!/bin/sh\n"}
    built = repack(pack(tmp_path / NAME, files, modes={"x/tool.sh": 0o700}))
    assert built.digest == Digest.parse(
        "sha256:a81bd864ababc4ca407489f4225c41fa69b6a11895d74b3d98fc99df06e78c02"
    )


_CONTENTS = st.dictionaries(
    st.sampled_from(["x/a.py", "x/b,c.py", "x/é.txt", 'x/"q".txt', "x.data/scripts/run", "x/empty"]),
    st.binary(max_size=3000),
    min_size=1,
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(_CONTENTS, st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA]))
def test_order_times_compression_and_umask_do_not_count(
    tmp_path: Path, contents: dict[str, bytes], method: int
) -> None:
    files = {**INFO, **contents}
    one = repack(pack(tmp_path / NAME, files))
    modes = dict.fromkeys(files, 0o600)
    two = repack(pack(tmp_path / NAME, files, reverse=True, method=method, day=(2026, 9, 12), modes=modes))
    assert one == two
    assert repack(written(tmp_path / NAME, one.content)) == one
    # It is a wheel to others: a reference implementation checks names, hashes and sizes of RECORD.
    path = written(tmp_path / NAME, one.content)
    with WheelFile.open(path) as wheel:
        wheel.validate_record()
    members = {member.name: member.read() for member in read_archive(path, one.digest)}
    del members["x-1.0.dist-info/RECORD"]
    assert members == {name: content for name, content in files.items() if not name.endswith("RECORD")}
    assert metadata_of(path) == files["x-1.0.dist-info/METADATA"]


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def test_what_differs_is_named(tmp_path: Path) -> None:
    one = repack(pack(tmp_path / NAME, {**INFO, "x/a": b"1", "x/b": b"1"}))
    two = repack(pack(tmp_path / NAME, {**INFO, "x/a": b"2", "x/c": b"1"}))
    assert one.differs_from(two) == ("x/a", "x/b", "x/c")
    assert one.differs_from(one) == ()


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({**INFO, "../x": b""}, "'../x' of the built wheel leaves its root"),
        ({**INFO, "/etc/x": b""}, "is absolute"),
        ({**INFO, "x/.wh.y": b""}, "would delete files of a lower layer"),
        ({**INFO, "y-1.0.dist-info/METADATA": b""}, "has 2 .dist-info folders"),
        ({"x-1.0.dist-info/METADATA": b""}, "has no WHEEL file"),
        ({}, "has 0 .dist-info folders"),
    ],
)
def test_what_is_no_wheel_is_refused(tmp_path: Path, files: dict[str, bytes], words: str) -> None:
    with pytest.raises(UntrustedError, match=words):
        repack(pack(tmp_path / NAME, files))


def test_what_is_no_zip_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UntrustedError, match="what the build made is not a wheel"):
        repack(written(tmp_path / NAME, b"not a zip"))
    with pytest.raises(UntrustedError, match="what the build made is not a wheel"):
        repack(pack(tmp_path / "x.whl", INFO))
