"""What pip installs and `settle.py` settles is what the native engine lays down, file by file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zlib
from pathlib import Path

import pytest

from envfreeze.digest import Digest
from envfreeze.layers.wheel import open_wheel
from envfreeze.layers.wheel.scheme import Scheme
from envfreeze.locking.model import Wheel
from envfreeze.oci.entry import Kind
from envfreeze.oci.tar import MTIME

SETTLE = Path(__file__).parents[3] / "templates/scripts/settle.py"
MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture
def wheels(make_wheel, tmp_path):
    """Wheels that show what installers do differently, by name."""
    contents = {
        "alpha": make_wheel(
            "alpha",
            entry_points="[gui_scripts]\nshown = alpha:main\n[console_scripts]\n"
            "alpha = alpha:main [extra]\nalpha-deep = alpha.sub:Thing.run\n",
        ),
        # Executable without being said to be a file, as Bazel writes them: pip takes no notice.
        "bazel": make_wheel(
            "bazel",
            files={"bazel/__init__.py": b"", "bazel/tool": b"#!/bin/sh\n"},
            modes={"bazel/__init__.py": 0o777, "bazel/tool": 0o755},
        ),
        "schemes": make_wheel(
            "schemes",
            files={
                "schemes.py": b"",
                "schemes-1.0.data/scripts/runs": b"#!python -u\nprint(1)\n",
                "schemes-1.0.data/scripts/plain": b"echo\n",
                "schemes-1.0.data/data/share/schemes/x y, z": b"data",
                "schemes-1.0.data/headers/schemes.h": b"// header",
                "schemes-1.0.data/purelib/more.py": b"",
            },
        ),
    }
    return {name: _wheel(name, content, tmp_path / "wheels") for name, content in contents.items()}


def _wheel(name, content, folder):
    folder.mkdir(exist_ok=True)
    wheel = Wheel(name, "1.0", f"{name}-1.0-py3-none-any.whl", Digest.of(content), len(content), "file:///x")
    (folder / wheel.filename).write_bytes(content)
    return wheel


def test_it_is_the_same_files(wheels, tmp_path):
    prefix = tmp_path / "opt/venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", prefix], check=True)
    before = set(prefix.rglob("*"))
    installed = [
        *(sys.executable, "-m", "pip", "--python", prefix / "bin/python", "--isolated", "--quiet", "install"),
        *(
            "--no-index",
            "--no-deps",
            "--no-compile",
            "--no-warn-script-location",
            "--root-user-action=ignore",
        ),
        "--disable-pip-version-check",
        *(tmp_path / "wheels" / wheel.filename for wheel in wheels.values()),
    ]
    subprocess.run(installed, check=True)
    beside = {"alpha": {"REQUESTED": ""}, "schemes": {"direct_url.json": '{"url":"https://example.org/x"}'}}
    about = {
        "interpreter": f"{prefix}/bin/python",
        "prefix": str(prefix),
        "python": MINOR,
        "site_packages": f"{prefix}/lib/python{MINOR}/site-packages",
        "time": MTIME,
        "wheels": [
            {"name": name, "file": wheel.filename, "beside": beside.get(name, {})}
            for name, wheel in wheels.items()
        ],
    }
    listed = tmp_path / "installed.json"
    listed.write_text(json.dumps(about))
    subprocess.run([sys.executable, "-B", "-I", SETTLE, listed, tmp_path, tmp_path / "wheels"], check=True)

    wanted = {}
    scheme = Scheme(str(prefix).lstrip("/"), MINOR)
    for wheel in wheels.values():
        with open_wheel(tmp_path / "wheels" / wheel.filename, wheel, scheme) as package:
            for entry in package.entries:
                assert entry.kind is Kind.FILE
                wanted[f"/{entry.path}"] = entry.mode, _content(entry)
    for name, files in beside.items():
        for file, text in files.items():
            wanted[f"/{scheme.site_packages}/{name}-1.0.dist-info/{file}"] = 0o644, text.encode()
    found = {
        str(path): (path.stat().st_mode & 0o7777, path.read_bytes())
        for path in set(prefix.rglob("*")) - before
        if path.is_file()
    }
    assert found == wanted
    assert {os.lstat(path).st_mtime for path in prefix.rglob("*")} == {MTIME}


def _content(entry):
    if entry.content is None:
        return b""
    if hasattr(entry.content, "crc"):
        data = bytes(entry.content.data)
        return data if len(data) == entry.content.size else zlib.decompress(data, -15)
    return bytes(entry.content.data)


def test_what_has_its_time_is_not_touched(tmp_path):
    (tmp_path / "venv").mkdir()
    old = tmp_path / "venv/old"
    old.write_text("")
    os.utime(old, (MTIME, MTIME))
    changed = old.stat().st_ctime_ns
    listed = tmp_path / "installed.json"
    listed.write_text(json.dumps({"prefix": str(tmp_path / "venv"), "time": MTIME, "wheels": []}))
    subprocess.run([sys.executable, "-I", SETTLE, listed], check=True)
    assert old.stat().st_ctime_ns == changed
    assert (tmp_path / "venv").stat().st_mtime == MTIME
