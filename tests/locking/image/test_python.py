"""Which Pythons, which C library and which distribution an image has."""

from __future__ import annotations

import pytest

from envfreeze.errors import UsageError
from envfreeze.locking.image import dpkg, system
from envfreeze.locking.image.inventory import Inventory, Item, LayerContents
from envfreeze.locking.image.python import interpreters


def inventory(texts=(), paths=(), links=()):
    texts = dict(texts)
    items = [(path, Item("FILE", 0o755, 0, 0)) for path in (*texts, *paths)]
    items += [(path, Item("SYMLINK", 0o777, 0, 0, target)) for path, target in dict(links).items()]
    return Inventory.of([LayerContents(tuple(items), texts)])


def stanza(name, version, state="install ok installed"):
    return f"Package: {name}\nStatus: {state}\nArchitecture: amd64\nVersion: {version}\n"


def test_the_pythons_come_in_the_order_of_the_images_path():
    found = inventory(
        {
            "var/lib/dpkg/status": stanza("python3.13", "3.13.5-2").encode(),
            "usr/local/include/python3.12/patchlevel.h": b'#define PY_VERSION "3.12.4"\n',
        },
        paths=[
            *("usr/bin/python3.13", "usr/local/bin/python3.12", "opt/conda/bin/python3.11"),
            "opt/conda/conda-meta/python-3.11.9-h955ad1f_0_cpython.json",
        ],
    )
    conda_first = {"PATH": "/opt/conda/bin:/usr/local/bin:/usr/bin"}
    assert [(one.path, one.version) for one in interpreters(found, conda_first)] == [
        ("/opt/conda/bin/python3.11", "3.11.9"),
        ("/usr/local/bin/python3.12", "3.12.4"),
        ("/usr/bin/python3.13", "3.13.5"),
    ]
    assert [one.minor for one in interpreters(found, {})] == ["3.12", "3.13", "3.11"]


def test_of_one_folder_the_usual_python_comes_first_then_the_newer():
    status = "\n".join(stanza(f"python3.{minor}", f"3.{minor}.1-1") for minor in (9, 10, 12)).encode()
    paths = [f"usr/bin/python3.{minor}" for minor in (9, 10, 12)]
    found = inventory({"var/lib/dpkg/status": status}, paths, {"usr/bin/python3": "python3.10"})
    assert [one.minor for one in interpreters(found, {})] == ["3.10", "3.12", "3.9"]


def test_the_official_images_say_their_version_in_the_environment():
    found = inventory(paths=["usr/local/bin/python3.12"])
    assert interpreters(found, {"PYTHON_VERSION": "3.12.4"})[0].version == "3.12.4"
    assert not interpreters(found, {"PYTHON_VERSION": "3.11.4"})
    assert not interpreters(found, {})


def test_a_minimal_python_without_its_library_does_not_count():
    status = stanza("python3.13-minimal", "3.13.5-2").encode()
    assert not interpreters(inventory({"var/lib/dpkg/status": status}, ["usr/bin/python3.13"]), {})


@pytest.mark.parametrize("written", ['"24.04"', "24.04", "'24.04'"])
def test_os_release_is_read_with_and_without_quotes(written):
    text = f'# a comment\nID=ubuntu\nVERSION_ID={written}\nVERSION_CODENAME=noble\nBROKEN="\n'.encode()
    found = system.distribution(inventory({"usr/lib/os-release": text}))
    assert (found.id, found.release, found.suite) == ("ubuntu", "24.04", "apt:ubuntu/noble")


def test_the_c_library_is_what_it_says_of_itself_before_what_dpkg_says():
    status = {"var/lib/dpkg/status": stanza("libc6", "2.39-0ubuntu8").encode()}
    assert system.glibc(inventory(status), "x") == "2.39"
    assert system.glibc(inventory({**status, "lib64/libc.so.6": b"2.34"}), "x") == "2.34"
    with pytest.raises(UsageError, match="musl"):
        system.glibc(inventory(paths=["lib/ld-musl-x86_64.so.1"]), "alpine")


def test_installed_is_what_dpkg_calls_so_and_what_distroless_lists():
    status = "\n".join(
        [
            stanza("aa", "1"),
            stanza("bb", "1", "deinstall ok config-files"),
            stanza("cc", "1", "install ok half-installed"),
            stanza("dd", "2").replace("amd64", "i386"),
        ]
    )
    texts = {
        "var/lib/dpkg/status": status.encode(),
        "var/lib/dpkg/status.d/base": b"Package: ee\nVersion: 3\nArchitecture: all\n",
        "var/lib/dpkg/status.d/base.md5sums": b"x",
    }
    assert [one.name for one in dpkg.installed(inventory(texts), "amd64")] == ["aa", "ee"]
