"""A real Python, repackaged as a conda package that was built elsewhere, runs from the image's layers."""

from __future__ import annotations

import hashlib
import importlib.util
import io
import json
import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from envfreeze.digest import Digest
from envfreeze.engines.native import assemble
from envfreeze.layers.plan import plan
from envfreeze.locking.model import SCHEMA, WRITER, AptBase, Lock, Runtime, Target, Wheel
from envfreeze.oci.platform import Platform
from envfreeze.oci.validate import validate
from envfreeze.progress import SILENT
from envfreeze.replacing import replace
from envfreeze.store.cache import Cache

MINOR = f"{sys.version_info.major}.{sys.version_info.minor}"
VERSION = f"{MINOR}.{sys.version_info.micro}"
BUILT_IN = Path(sys.base_prefix)
LEFT_OUT = {"__pycache__", "ensurepip", "idlelib", "lib2to3", "site-packages", "test", "turtledemo"}
STOWED = "tmp/pip-of-the-tests"

ASK = """
import ctypes, hashlib, importlib.metadata, json, pure.where, sys, sysconfig, zlib
import alpha
print(json.dumps({
    "prefix": [sys.prefix, sys.base_prefix, sys.exec_prefix],
    "executable": sys.executable,
    "modules": sysconfig.get_path("purelib"),
    "path": sys.path,
    "variable": sysconfig.get_config_var("prefix"),
    "names": sorted(found.name for found in importlib.metadata.distributions()),
    "where": pure.where.where,
}))
"""


@pytest.fixture(scope="module")
def python(need, conda_channel):
    """The Python that runs the tests, as the conda package `python`; it was built elsewhere."""
    prefix = str(BUILT_IN)
    room = len(prefix) > len("/opt/conda") and (BUILT_IN / f"bin/python{MINOR}").exists()
    need("relocatable python", room, f"the Python in {prefix} cannot be moved to /opt/conda")
    paths = {}
    sources = [BUILT_IN / f"bin/python{MINOR}", *sorted(BUILT_IN.glob("lib/libpython*"))]
    library = BUILT_IN / f"lib/python{MINOR}"
    sources += sorted(
        path
        for path in library.rglob("*")
        if not LEFT_OUT & set(path.relative_to(library).parts) and not path.is_dir()
    )
    for path in sources:
        name = str(path.relative_to(BUILT_IN))
        if path.is_symlink():
            paths[name] = conda_channel.Item(symlink=str(path.readlink()))
            continue
        content = path.read_bytes()
        mode = ("binary" if b"\0" in content else "text") if prefix.encode() in content else None
        executable = 0o755 if path.stat().st_mode & 0o100 else 0o644
        paths[name] = conda_channel.Item(content, executable, prefix=mode, placeholder=prefix)
    for name in ("python", "python3"):
        paths[f"bin/{name}"] = conda_channel.Item(symlink=f"python{MINOR}")
    assert {item.prefix for item in paths.values()} == {None, "text", "binary"}
    return conda_channel.package("python", VERSION, "real_0", paths=paths)


@pytest.fixture(scope="module")
def alpha():
    """A wheel with a command."""
    info = "alpha-1.0.dist-info"
    members = {
        "alpha.py": "def main():\n    print('alpha runs')\n",
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: alpha\nVersion: 1.0\nRequires-Dist: pure>=3\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/entry_points.txt": "[console_scripts]\nalpha = alpha:main\n",
        f"{info}/RECORD": f"alpha.py,,\n{info}/RECORD,,\n",
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in members.items():
            archive.writestr(name, text)
    return out.getvalue()


@pytest.fixture(scope="module")
def tree(python, alpha, conda_channel, unpack, big, need):
    """The unpacked image: Python, a noarch package and a wheel, with the C library of this machine."""
    need("linux", sys.platform == "linux", "conda packages of this platform run on Linux")
    pure = next(built for built in conda_channel.every_kind() if built.index["name"] == "pure")
    content = pure.locked()
    wheel = Wheel("alpha", "1.0", "alpha-1.0-py3-none-any.whl", Digest.of(alpha), len(alpha), "file:///alpha")
    target = Target(
        platform=Platform.host(),
        python=VERSION,
        glibc="2.36",
        manylinux="manylinux_2_36",
        base=AptBase("apt:debian/bookworm", (), (), ()),
        wheels=(wheel,),
        conda=(content, python.locked(requested=True)),
    )
    runtime = Runtime({}, {}, (), None, "/", None, None)
    lock = Lock(SCHEMA, WRITER, {}, None, runtime, (replace(target, layers=plan(target)),))
    with Cache.open(big / "conda-cache") as cache:
        for data in (python.content, pure.content, alpha):
            with cache.writer() as blob:
                blob.write(data)
                blob.commit(Digest.of(data))
        assembly = assemble(lock, root=big, cache=cache, progress=SILENT, offline=True)
        (made,) = assembly.images
        assert not validate(made.image)
        unpacked = unpack(made.image)
    for library in host_libraries():
        copy = unpacked.root / str(library).lstrip("/")
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(library, copy)
        copy.chmod(0o755)
    variables = dict(line.split("=", 1) for line in json.loads(made.image.config)["config"]["Env"])
    return lambda *command: unpacked(*command, HOME="/root", **variables), unpacked.root


def host_libraries():
    """What this Python needs of the system that it was built on."""
    built = [BUILT_IN / f"bin/python{MINOR}", *(BUILT_IN / f"lib/python{MINOR}/lib-dynload").glob("*.so")]
    said = subprocess.run(["ldd", *built], capture_output=True, text=True, check=True).stdout
    found = {Path(path) for path in re.findall(r"(?:=> |^\t)(/[^ ]+) \(0x", said, re.MULTILINE)}
    return {path for path in found if not path.is_relative_to(BUILT_IN)}


def test_the_real_python_runs_where_it_was_never_built(tree):
    run, _ = tree
    said = json.loads(run("python", "-c", ASK))
    assert said["prefix"] == ["/opt/conda"] * 3
    assert said["executable"] == "/opt/conda/bin/python"
    assert said["modules"] == f"/opt/conda/lib/python{MINOR}/site-packages"
    assert said["variable"] == "/opt/conda"
    assert not any(str(BUILT_IN) in path for path in said["path"])
    assert said["names"] == ["alpha", "pure"]
    assert said["where"] == "/opt/conda"


def test_commands_of_noarch_packages_and_of_wheels_run_by_it(tree):
    run, _ = tree
    assert run("pure") == "pure\n"
    assert run("alpha") == "alpha runs\n"


def test_pip_finds_nothing_to_complain_of(tree, need):
    run, root = tree
    found = importlib.util.find_spec("pip")
    need("pip", found is not None, "no pip in this environment")
    shutil.copytree(Path(found.origin).parent, root / STOWED / "pip")
    program = f"import sys; sys.path.append('/{STOWED}'); sys.argv = ['pip', 'check']\n"
    program += "import runpy; runpy.run_module('pip', run_name='__main__')"
    try:
        assert run("python", "-c", program) == "No broken requirements found.\n"
    finally:
        shutil.rmtree(root / STOWED)


def test_every_file_is_what_condas_record_says(tree):
    _, root = tree
    prefix = root / "opt/conda"
    checked = 0
    for record in (prefix / "conda-meta").glob("*.json"):
        for row in json.loads(record.read_text())["paths_data"]["paths"]:
            path = prefix / row["_path"]
            if row["path_type"] == "softlink":
                assert path.is_symlink()
            else:
                wanted = row.get("sha256_in_prefix", row["sha256"])
                assert hashlib.sha256(path.read_bytes()).hexdigest() == wanted
                checked += 1
    assert checked > 500
    left = subprocess.run(
        ["grep", "-rlF", f"{BUILT_IN}/", prefix, "--exclude-dir=conda-meta"],
        capture_output=True,
        text=True,
        check=False,
        env=os.environ,
    )
    assert left.stdout == ""
