"""What an installer may leave different is tolerated wherever it is, and nothing beyond it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envfreeze.compare.entries import Entry, Owner
from envfreeze.compare.installed import origins
from envfreeze.compare.installed.origins import Origin
from envfreeze.compare.installed.tolerance import GRAVE, TOLERATED, of_changed, of_missing
from envfreeze.compare.model import Kind
from envfreeze.oci.members import Type
from envfreeze.replacing import replace

SITE = "opt/venv/lib/python3.13/site-packages"
NUMPY = Origin(origins.PIP, "numpy", "2.3.0")
TOOL = Origin(origins.DPKG, "tool", "1", conffiles=frozenset({"etc/tool.conf"}))
CAPABLE = replace(TOOL, sets_capabilities=True)
SYSTEM = Origin(origins.SYSTEM, "the base system")
ENVIRONMENT = Origin(origins.ENVIRONMENT, "the environment")
BASE = Origin(origins.BASE, "debian:trixie")
PROJECT = Origin(origins.PROJECT, "the project's files")


def entry(path, content=b"\1" * 32, *, kind=Type.FILE, mode=0o644, **further):
    fields = {"uid": 0, "gid": 0, "size": 1, "mtime": 0, "link": "", "device": (0, 0), "xattrs": ()}
    content = content if kind is Type.FILE else b""
    return Entry(0, 0, 0, path, kind, mode, **(fields | further), names=("", ""), content=content, peers="")


@pytest.mark.parametrize(
    ("origin", "path", "level", "cause"),
    [
        (NUMPY, f"{SITE}/numpy/core.py", GRAVE, "not-installed"),
        (NUMPY, f"{SITE}/numpy-2.3.0.dist-info/RECORD", TOLERATED, "installer-metadata"),
        (NUMPY, f"{SITE}/numpy-2.3.0.dist-info/METADATA", GRAVE, "not-installed"),
        (TOOL, "usr/bin/tool", GRAVE, "not-installed"),
        (TOOL, "etc/tool.conf", TOLERATED, "configuration-file"),
        (TOOL, "usr/share/doc/tool/copyright", TOLERATED, "left-out"),
        (TOOL, "usr/share/locale/de/LC_MESSAGES/tool.mo", TOLERATED, "left-out"),
        (NUMPY, "usr/share/doc/tool/copyright", GRAVE, "not-installed"),
        (TOOL, "var/lib/dpkg/info/tool.list", TOLERATED, "dpkg-database"),
        (TOOL, "var/lib/dpkg/info/tool.postinst", GRAVE, "not-installed"),
        (SYSTEM, "etc/passwd", TOLERATED, "maintainer-scripts"),
        (ENVIRONMENT, "opt/venv/pyvenv.cfg", TOLERATED, "other-environment"),
        (BASE, "usr/bin/tool", GRAVE, "not-installed"),
        (BASE, "var/lib/apt/lists/x", TOLERATED, "apt-residue"),
        (PROJECT, "app/train.py", GRAVE, "project-files"),
        (
            Origin(origins.CONDA, "numpy"),
            f"{SITE}/numpy/__pycache__/core.cpython-313.pyc",
            TOLERATED,
            "bytecode",
        ),
        (Origin(origins.CONDA, "zlib"), "opt/conda/conda-meta/zlib-1-0.json", TOLERATED, "conda-metadata"),
    ],
)
def test_what_is_missing(origin, path, level, cause):
    ruling = of_missing(origin, entry(path))
    assert (ruling.kind, ruling.level, ruling.cause.name) == (Kind.REMOVED, level, cause)


@pytest.mark.parametrize(
    ("origin", "old", "new", "expected"),
    [
        (NUMPY, {}, {"content": b"\2" * 32}, (Kind.CONTENT, GRAVE, "changed-after-install")),
        (
            TOOL,
            {"path": "etc/tool.conf"},
            {"content": b"\2" * 32},
            (Kind.CONTENT, TOLERATED, "configuration-file"),
        ),
        (
            replace(TOOL, conffiles=frozenset({"etc/python3.13/sitecustomize.py"})),
            {"path": "etc/python3.13/sitecustomize.py"},
            {"content": b"\2" * 32},
            (Kind.CONTENT, GRAVE, "changed-after-install"),
        ),
        (
            SYSTEM,
            {"kind": Type.SYMLINK, "link": "/etc/alternatives/awk"},
            {"kind": Type.FILE, "mode": 0o755, "content": b"\2" * 32},
            (Kind.TYPE, GRAVE, "changed-after-install"),
        ),
        (
            SYSTEM,
            {"kind": Type.SYMLINK, "link": "/usr/share/zoneinfo/Etc/UTC"},
            {"kind": Type.FILE, "link": "", "content": b"\2" * 32},
            (Kind.TYPE, TOLERATED, "maintainer-scripts"),
        ),
        (NUMPY, {}, {"mode": 0o600}, (Kind.MODE, TOLERATED, "permissions")),
        (NUMPY, {}, {"mode": 0o664}, (Kind.MODE, TOLERATED, "permissions")),
        (NUMPY, {}, {"mode": 0o646}, (Kind.MODE, GRAVE, "changed-after-install")),
        (NUMPY, {"mode": 0o755}, {"mode": 0o644}, (Kind.MODE, GRAVE, "changed-after-install")),
        (NUMPY, {"mode": 0o755}, {"mode": 0o700}, (Kind.MODE, TOLERATED, "permissions")),
        (TOOL, {"mode": 0o755}, {"mode": 0o4755}, (Kind.MODE, GRAVE, "changed-after-install")),
        (TOOL, {"mode": 0o4755}, {"mode": 0o755}, (Kind.MODE, GRAVE, "changed-after-install")),
        (SYSTEM, {"mode": 0o755}, {"mode": 0o700}, (Kind.MODE, TOLERATED, "maintainer-scripts")),
        (SYSTEM, {"mode": 0o755}, {"mode": 0o4755}, (Kind.MODE, GRAVE, "changed-after-install")),
        (NUMPY, {}, {"uid": 1000}, (Kind.OWNER, TOLERATED, "ownership")),
        (TOOL, {"mode": 0o2755, "gid": 42}, {"gid": 0}, (Kind.OWNER, GRAVE, "changed-after-install")),
        (
            TOOL,
            {"mode": 0o755, "kind": Type.DIRECTORY},
            {"mode": 0o777, "kind": Type.DIRECTORY},
            (Kind.MODE, GRAVE, "changed-after-install"),
        ),
        (
            TOOL,
            {"mode": 0o755, "kind": Type.DIRECTORY},
            {"mode": 0o1777, "kind": Type.DIRECTORY},
            (Kind.MODE, TOLERATED, "permissions"),
        ),
        (
            TOOL,
            {},
            {"xattrs": (("security.capability", "x"),)},
            (Kind.XATTR, GRAVE, "attributes"),
        ),
        (
            CAPABLE,
            {},
            {"xattrs": (("security.capability", "x"),)},
            (Kind.XATTR, TOLERATED, "maintainer-scripts"),
        ),
        (TOOL, {}, {"xattrs": (("user.note", "x"),)}, (Kind.XATTR, TOLERATED, "attributes")),
        (
            ENVIRONMENT,
            {"kind": Type.SYMLINK, "link": "/usr/bin/python3.13"},
            {"kind": Type.SYMLINK, "link": "python3"},
            (Kind.LINK, TOLERATED, "other-environment"),
        ),
    ],
)
def test_what_is_changed(origin, old, new, expected):
    path = old.pop("path", f"{SITE}/numpy/core.py")
    (ruling,) = of_changed(origin, entry(path, **old), entry(path, **{**old, **new}), None)
    assert (ruling.kind, ruling.level, ruling.cause.name) == expected


def test_the_image_s_own_list_tells_tampering_from_another_build():
    old, new = entry("x"), entry("x", b"\2" * 32)
    for stated, cause in ((b"\1" * 32, "tampering"), (b"\2" * 32, "rebuilt-package")):
        told = Owner("numpy", "pip", f"sha256:{stated.hex()}")
        (ruling,) = of_changed(NUMPY, old, new, told)
        assert (ruling.level, ruling.cause.name) == (GRAVE, cause)


@given(st.integers(0, 0o7777), st.integers(0, 0o7777))
def test_no_umask_makes_a_mode_grave_and_no_right_is_gained_unseen(before, after):
    old, new = entry("x", mode=before), entry("x", mode=after)
    levels = [one.level for one in of_changed(TOOL, old, new, None)]
    gained = after & ~before & 0o6002
    if gained or bool(before & 0o111) != bool(after & 0o111):
        assert GRAVE in levels
    for umask in (0o002, 0o022, 0o027):
        usual = 0o755 if before & 0o111 else 0o644
        masked = (0o777 if usual == 0o755 else 0o666) & ~umask
        rulings = of_changed(TOOL, entry("x", mode=usual), entry("x", mode=masked), None)
        assert all(one.level is TOLERATED for one in rulings)
