"""The reference implementation of installing a wheel lays down what a wheel's layer holds."""

from __future__ import annotations

import csv
import io
import zlib

import installer
from installer.destinations import SchemeDictionaryDestination
from installer.sources import WheelFile

from envfreeze.layers.wheel import open_wheel
from envfreeze.layers.wheel.scheme import Scheme
from envfreeze.oci.entry import Deflated

SCHEME = Scheme("opt/venv", "3.13")
SITE = "lib/python3.13/site-packages"


def content(entry):
    if isinstance(entry.content, Deflated):
        return zlib.decompress(entry.content.data, -15)
    return b"" if entry.content is None else bytes(entry.content.data)


def rows(text):
    return {row[0]: row[1:] for row in csv.reader(io.StringIO(text)) if row}


def test_the_same_files_with_the_same_content_modes_and_records(make_wheel, tmp_path):
    path, wheel = make_wheel(
        {
            "demo/__init__.py": b"value = 1\n" * 50,
            "demo/data.bin": bytes(range(256)),
            "demo/tool": b"#!/bin/sh\n",
            "demo-1.0.data/scripts/run": b"#!python -u\nprint(1)\n",
            "demo-1.0.data/data/share/demo/x.txt": b"x",
            "demo-1.0.data/headers/demo.h": b"/* */",
            "demo-1.0.data/purelib/pure.py": b"",
            "demo-1.0.dist-info/entry_points.txt": b"[console_scripts]\ndemo = demo:main\n",
        },
        modes={"demo/tool": 0o100755, "demo-1.0.data/scripts/run": 0o100755},
    )
    prefix = tmp_path / "prefix"
    site = str(prefix / SITE)
    destination = SchemeDictionaryDestination(
        {
            "purelib": site,
            "platlib": site,
            "scripts": str(prefix / "bin"),
            "data": str(prefix),
            "headers": str(prefix / "include/site/python3.13/demo"),
        },
        interpreter="/opt/venv/bin/python",
        script_kind="posix",
    )
    with WheelFile.open(path) as source:
        installer.install(source, destination, additional_metadata={"INSTALLER": b"envfreeze\n"})
    laid_down = {file.relative_to(prefix).as_posix(): file for file in prefix.rglob("*") if file.is_file()}

    with open_wheel(path, wheel, SCHEME) as package:
        ours = {entry.path.removeprefix("opt/venv/"): entry for entry in package.entries}

    assert ours.keys() == laid_down.keys()
    # The text of a console script is each installer's own.
    own = {"bin/demo", f"{SITE}/demo-1.0.dist-info/RECORD"}
    for name, file in laid_down.items():
        assert bool(ours[name].mode & 0o100) == bool(file.stat().st_mode & 0o100), name
        if name not in own:
            assert content(ours[name]) == file.read_bytes(), name
    record = f"{SITE}/demo-1.0.dist-info/RECORD"
    theirs, mine = rows(laid_down[record].read_text()), rows(content(ours[record]).decode())
    assert mine.keys() == theirs.keys()
    assert {name: row for name, row in mine.items() if name != "../../../bin/demo"} == {
        name: row for name, row in theirs.items() if name != "../../../bin/demo"
    }
