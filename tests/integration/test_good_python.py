"""What is in the image is good Python on a good Debian: the tools of both find nothing to complain of."""

from __future__ import annotations

import importlib.util
import json
import shutil
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

pytestmark = pytest.mark.network

CHECK_RECORDS = """
import base64, hashlib, importlib.metadata, json, pathlib, sys
wrong, names, covered = [], [], set()
for distribution in importlib.metadata.distributions():
    names.append(distribution.name)
    for file in distribution.files:
        path = pathlib.Path(distribution.locate_file(file)).resolve()
        covered.add(str(path))
        if not path.is_file():
            wrong.append(f"{distribution.name}: {file} is missing")
        elif file.hash is None:
            if path.name not in {"RECORD", "RECORD.jws", "RECORD.p7s"}:
                wrong.append(f"{distribution.name}: {file} has no hash")
        else:
            content = path.read_bytes()
            digest = base64.urlsafe_b64encode(hashlib.new(file.hash.mode, content).digest())
            if (digest.decode().rstrip("="), len(content)) != (file.hash.value, file.size):
                wrong.append(f"{distribution.name}: {file} is not what RECORD says")
prefix = pathlib.Path(sys.prefix)
extra = [str(path) for path in prefix.rglob("*") if path.is_file() and str(path.resolve()) not in covered]
print(json.dumps({"wrong": wrong, "names": sorted(names), "extra": sorted(extra), "files": len(covered)}))
"""

STOWED = "tmp/pip-of-the-tests"


@pytest.fixture(scope="session", params=["digits", "medley"])
def frozen(request):
    """A project and its tree."""
    return request.getfixturevalue(request.param), request.getfixturevalue(f"{request.param}_tree")


@pytest.fixture
def pip(frozen, need):
    """Run this environment's pip inside, which has none of its own."""
    found = importlib.util.find_spec("pip")
    need("pip", found is not None, "no pip in this environment")
    _, tree = frozen
    shutil.copytree(Path(found.origin).parent, tree.root / STOWED / "pip")
    environment = {"PYTHONPATH": f"/{STOWED}", "PIP_DISABLE_PIP_VERSION_CHECK": "1", "PIP_NO_INPUT": "1"}
    yield lambda *arguments: tree("python", "-m", "pip", *arguments, **environment)
    shutil.rmtree(tree.root / STOWED)


def test_pip_check_is_clean(pip):
    assert pip("check") == "No broken requirements found.\n"


def test_pip_lists_what_is_locked(pip, frozen):
    listed = json.loads(pip("list", "--format=json"))
    target, *_ = frozen[0].lock.targets
    versions = {
        entry["name"].lower().replace("_", "-").replace(".", "-"): entry["version"] for entry in listed
    }
    assert versions == {wheel.name: wheel.version for wheel in target.wheels}


def test_pip_knows_what_was_asked_for(pip, frozen):
    """Nothing that the project asks for counts as a dependency that nobody needs."""
    report = json.loads(pip("inspect"))
    asked = {
        canonicalize_name(entry["metadata"]["name"]) for entry in report["installed"] if entry["requested"]
    }
    target, *_ = frozen[0].lock.targets
    assert asked == {wheel.name for wheel in target.wheels if wheel.requested}


def test_every_file_is_recorded_and_every_record_is_true(frozen):
    project, tree = frozen
    report = json.loads(tree("python", "-B", "-c", CHECK_RECORDS))
    assert report["wrong"] == []
    target, *_ = project.lock.targets
    assert sorted(map(canonicalize_name, report["names"])) == [wheel.name for wheel in target.wheels]
    assert report["files"] > 100
    # What pip does not own is what makes the environment one.
    interpreters = {f"/opt/venv/bin/python{version}" for version in ("", "3", target.python_minor)}
    others = {path for path in report["extra"] if not path.endswith("/REQUESTED")}
    assert others == {"/opt/venv/pyvenv.cfg", *interpreters}


def test_the_environment_is_a_venv_and_sees_no_other_packages(frozen):
    _, tree = frozen
    shown = tree(
        "python",
        "-c",
        "import json, site, sys;"
        "print(json.dumps([sys.prefix, sys.base_prefix, site.ENABLE_USER_SITE, sys.path]))",
    )
    prefix, base, _, path = json.loads(shown)
    assert (prefix, base) == ("/opt/venv", "/usr")
    assert [folder for folder in path if "packages" in folder] == [
        folder for folder in path if folder.startswith("/opt/venv/lib/python3.")
    ]


@pytest.mark.parametrize("script", ["f2py", "numpy-config"])
def test_console_scripts_run(digits_tree, script):
    assert digits_tree(script, "-v" if script == "f2py" else "--version").strip()


def test_programs_from_wheels_run(medley_tree):
    assert medley_tree("ruff", "--version").startswith("ruff ")


def test_namespace_packages_of_several_wheels_are_one(medley_tree):
    code = "import zope.event, zope.interface; print(zope.interface.implementedBy(int), len(zope.__path__))"
    assert medley_tree("python", "-W", "error", "-c", code).endswith(" 1\n")


def test_data_files_are_found(medley_tree):
    code = (
        "import certifi, importlib.resources, ssl;"
        "ssl.create_default_context(cafile=certifi.where());"
        "print(importlib.resources.files('certifi').joinpath('cacert.pem').is_file())"
    )
    assert medley_tree("python", "-c", code) == "True\n"


def test_extension_modules_load(medley_tree):
    code = (
        "import markupsafe._speedups, yaml; print(yaml.__with_libyaml__, yaml.load('[1]', yaml.CSafeLoader))"
    )
    assert medley_tree("python", "-c", code) == "True [1]\n"


def test_the_standard_library_is_whole(medley_tree):
    """Modules that need a library of the system beside them."""
    modules = "bz2, ctypes, curses, dbm, decimal, hashlib, lzma, readline, sqlite3, ssl, uuid, zlib, zoneinfo"
    code = f"import {modules}; print(sqlite3.connect(':memory:').execute('select 1').fetchone())"
    assert medley_tree("python", "-W", "error", "-c", code) == "(1,)\n"


def test_certificates_of_the_system_are_found(frozen):
    _, tree = frozen
    code = "import ssl; print(ssl.create_default_context().cert_store_stats()['x509_ca'])"
    assert int(tree("python", "-c", code)) > 100


def test_time_zones_are_found(frozen):
    _, tree = frozen
    code = "import zoneinfo; print(zoneinfo.ZoneInfo('Asia/Kathmandu').key)"
    assert tree("python", "-c", code) == "Asia/Kathmandu\n"


def test_dpkg_finds_nothing_amiss(frozen):
    _, tree = frozen
    assert tree("dpkg", "--audit") == ""
    assert tree("dpkg", "--verify") == ""


def test_dpkg_would_find_something_amiss(medley_tree):
    """The proof that `dpkg --verify` looks: a changed file is named."""
    path = medley_tree.root / "usr/share/common-licenses/GPL-3"
    original = path.read_bytes()
    path.write_bytes(original + b"\n")
    try:
        found = medley_tree("dpkg", "--verify")
    finally:
        path.write_bytes(original)
    assert "/usr/share/common-licenses/GPL-3" in found


def test_dpkg_lists_what_is_locked(frozen):
    project, tree = frozen
    listed = tree("dpkg-query", "--show", "--showformat", "${Package} ${Version} ${db:Status-Abbrev}\\n")
    target, *_ = project.lock.targets
    assert sorted(line.split() for line in listed.splitlines()) == sorted(
        [deb.name, deb.version, "ii"] for deb in target.base.packages
    )
