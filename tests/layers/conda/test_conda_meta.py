"""Who reads `conda-meta` finds the lock there: rattler, and conda's own code, which conda-lock carries."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from rattler import PrefixRecord

from envfreeze.layers.conda.record import history

CONDA = """
import contextlib, io, json, sys
from conda_lock._vendor.conda.cli import main_list
from conda_lock._vendor.conda.core.prefix_data import PrefixData
from conda_lock._vendor.conda.history import History
prefix = sys.argv[1]
explicit = io.StringIO()
with contextlib.redirect_stdout(explicit):
    main_list.print_explicit(prefix, add_md5=True)
records = PrefixData(prefix).iter_records()
print(json.dumps({
    "list": main_list.list_packages(prefix, format="canonical")[1],
    "explicit": explicit.getvalue().splitlines(),
    "paths": {record.name: [path._path for path in record.paths_data.paths] for record in records},
    "state": sorted(History(prefix).get_state()),
    "requested": sorted(History(prefix).get_requested_specs_map()),
}))
"""


@pytest.fixture
def installed(conda_channel, lay_out):
    """A prefix with packages of every kind, and what the lock says of them."""
    packages = conda_channel.every_kind()
    prefix = lay_out(packages)
    asked = {"pure", "tools"}
    locked = [built.locked(requested=built.index["name"] in asked) for built in packages]
    (prefix / "conda-meta" / "history").write_bytes(history(locked))
    return prefix, {package.name: package for package in locked}


def test_conda_lists_exactly_the_lock(installed):
    prefix, locked = installed
    asked = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CONDA, prefix], capture_output=True, check=True, text=True
    )
    said = json.loads(asked.stdout)
    named = {f"{package.name}-{package.version}-{package.build}" for package in locked.values()}
    assert {line.rpartition("::")[2].rpartition("/")[2] for line in said["list"]} == named
    urls = {f"{package.url}#{package.md5}" for package in locked.values()}
    assert {line for line in said["explicit"] if line.startswith("http")} == urls
    assert said["requested"] == ["pure", "tools"]
    assert {dist.rpartition("::")[2] for dist in said["state"]} == named
    assert "lib/python3.13/site-packages/pure/cli.py" in said["paths"]["pure"]


def test_rattler_reads_the_lock_back(installed):
    prefix, locked = installed
    records = {
        record.name.normalized: record
        for record in map(PrefixRecord.from_path, sorted((prefix / "conda-meta").glob("*.json")))
    }
    assert records.keys() == locked.keys()
    for name, package in locked.items():
        record = records[name]
        assert str(record.version) == package.version
        assert (str(record.build), record.build_number) == (package.build, package.build_number)
        assert (str(record.subdir), record.file_name) == (package.subdir, package.filename)
        assert (record.url, record.channel) == (package.url, package.channel)
        assert (record.sha256.hex(), record.md5.hex()) == (package.digest.hex, package.md5)
        assert (tuple(record.depends), tuple(record.constrains)) == (package.depends, package.constrains)
        assert record.size == package.size
        assert all((prefix / path).exists() or (prefix / path).is_symlink() for path in record.files)


def test_every_file_of_the_prefix_is_in_a_record(installed):
    prefix, _ = installed
    recorded = {
        str(path)
        for file in (prefix / "conda-meta").glob("*.json")
        for path in PrefixRecord.from_path(file).files
    }
    there = {
        str(path.relative_to(prefix))
        for path in prefix.rglob("*")
        if (path.is_symlink() or path.is_file()) and "conda-meta" not in path.parts
    }
    assert recorded == there
