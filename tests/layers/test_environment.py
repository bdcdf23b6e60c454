"""The skeleton of the environment."""

from __future__ import annotations

import json

from envfreeze.digest import Digest
from envfreeze.layers.environment import environment_entries
from envfreeze.locking.model import AptBase, Target, Wheel
from envfreeze.oci.platform import Platform
from envfreeze.replacing import replace

WHEEL = Wheel("demo", "1.0", "demo-1.0-py3-none-any.whl", Digest.of(b""), 1, "https://example.org/demo.whl")
TARGET = Target(
    Platform.parse("linux/amd64"),
    "3.13.5",
    "2.41",
    "manylinux_2_40",
    AptBase("apt:debian/trixie", (), (), ()),
    (),
)
SITE = "opt/venv/lib/python3.13/site-packages"


def entries(*wheels):
    made = environment_entries(replace(TARGET, wheels=wheels), {"demo": "Demo-1.0.dist-info"})
    return {entry.path: entry for entry in made}


def test_the_interpreter_is_the_base_systems():
    made = entries()
    assert made["opt/venv/bin/python"].link == "/usr/bin/python3.13"
    assert made["opt/venv/bin/python3"].link == "python"
    assert bytes(made["opt/venv/pyvenv.cfg"].content.data).startswith(b"home = /usr/bin\n")


def test_only_what_the_project_names_is_marked_as_requested():
    assert f"{SITE}/Demo-1.0.dist-info/REQUESTED" in entries(replace(WHEEL, requested=True))
    assert f"{SITE}/Demo-1.0.dist-info/REQUESTED" not in entries(WHEEL)


def test_what_is_named_by_url_says_so():
    made = entries(replace(WHEEL, direct=True))
    text = json.loads(bytes(made[f"{SITE}/Demo-1.0.dist-info/direct_url.json"].content.data))
    assert text == {
        "url": WHEEL.url,
        "archive_info": {"hashes": {"sha256": WHEEL.digest.hex}},
    }


def test_a_wheel_from_a_file_does_not_say_where_the_project_lies():
    local = replace(WHEEL, direct=True, url="file:///home/someone/project/wheels/demo-1.0-py3-none-any.whl")
    assert f"{SITE}/Demo-1.0.dist-info/direct_url.json" not in entries(local)
