"""A real Python, packed as python-build-standalone packs it, runs in containers: on a suite and on an image.

The archives themselves lie where no test may ask, and no package that can be had from an index ships one. So
the Python that runs the tests is moved to `/install` and packed in their shape. Its libraries are this
machine's, where python-build-standalone's are part of its own files: only what needs none of them is asked.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from envfreeze.locking import files
from envfreeze.oci import canonical, docker, layout
from envfreeze.oci.image import ImageValue
from envfreeze.oci.manifest import manifest_json
from envfreeze.oci.platform import Platform
from envfreeze.oci.validate import validate

pytestmark = pytest.mark.network

VERSION = f"{sys.version_info.major}.{sys.version_info.minor}.{sys.version_info.micro}"
MINOR = VERSION.rpartition(".")[0]
BUILT_IN = Path(sys.base_prefix)

ASK = """
import importlib.metadata, json, sys, sysconfig, zlib
import certifi, markupsafe._speedups, yaml
print(json.dumps({
    "version": sys.version.split()[0],
    "prefix": [sys.prefix, sys.base_prefix],
    "executable": sys.executable,
    "path": sys.path[1:],
    "names": sorted(one.name.lower() for one in importlib.metadata.distributions()),
    "c": yaml.__with_libyaml__,
    "where": certifi.where(),
    "variables": [sysconfig.get_config_var(name) for name in ("prefix", "INCLUDEPY", "LIBDIR")],
    "include": sysconfig.get_path("include"),
}))
"""


@pytest.fixture(scope="module")
def index(need, standalone_archive, big):
    """A list of builds that has the Python which runs the tests."""
    room = len(BUILT_IN.parts) > 2 and (BUILT_IN / f"bin/python{MINOR}").exists()
    need("relocatable python", room, f"the Python in {BUILT_IN} cannot be moved")
    need("linux/amd64", str(Platform.host()) == "linux/amd64", "the archive is of this machine's kind")
    name = standalone_archive.filename(VERSION)
    content = standalone_archive.real(BUILT_IN, VERSION)
    (big / name).write_bytes(content)
    place = big / "builds.json"
    place.write_bytes(standalone_archive.index({name: content}, {name: (big / name).as_uri()}))
    return place.as_uri()


@pytest.fixture(scope="module")
def frozen(index, big, envfreeze, _index):
    """A project with that Python: on a suite, and then on the image that came of it."""
    made = {}

    def make(name, *lines, requirements="certifi\nmarkupsafe\npyyaml\n"):
        if name not in made:
            root = big / f"standalone-{name}"
            root.mkdir()
            (root / "requirements.txt").write_text(requirements)
            text = "\n".join(["[image]", f'python = "{MINOR}"', f'python-index = "{index}"', *lines, ""])
            (root / "envfreeze.toml").write_text(text)
            envfreeze("lock", at=root)
            envfreeze("build", "--no-record", "--tag", "x", at=root)
            image = layout.read(root / ".envfreeze" / "image")
            assert not validate(image)
            made[name] = root, image
        return made[name]

    return make


@pytest.fixture
def suite(frozen):
    return frozen("suite", 'base = "apt:debian/trixie"', 'python-source = "standalone"')


@pytest.mark.usefixtures("dockerd")
def test_wheels_run_on_a_suite_with_a_python_that_it_has_not(suite, run):
    root, image = suite
    (target,) = files.read(root).targets
    assert target.standalone.version == VERSION
    assert not any(deb.name.startswith("python") for deb in target.base.packages)
    said = json.loads(run("docker", "run", "--rm", "--network=none", docker.load(image), "python", "-c", ASK))
    assert said["version"] == VERSION
    assert said["prefix"] == ["/opt/venv", "/opt/python"]
    assert said["executable"] == "/opt/venv/bin/python"
    assert said["names"] == ["certifi", "markupsafe", "pyyaml"]
    assert said["c"] is True
    assert said["where"].startswith(f"/opt/venv/lib/python{MINOR}/")
    assert all(path.startswith(("/opt/venv/", "/opt/python/")) for path in said["path"])
    assert said["variables"] == ["/opt/python", f"/opt/python/include/python{MINOR}", "/opt/python/lib"]
    assert said["include"] == f"/opt/python/include/python{MINOR}"


@pytest.mark.usefixtures("dockerd")
def test_nothing_is_installed_into_it_by_accident(suite, run):
    """What stands in EXTERNALLY-MANAGED is where installers look (PEP 668)."""
    code = (
        "import os, sysconfig;"
        "print(open(os.path.join(sysconfig.get_path('stdlib'), 'EXTERNALLY-MANAGED')).read())"
    )
    _, image = suite
    said = run(
        *("docker", "run", "--rm", "--network=none", docker.load(image)),
        *("/opt/python/bin/python3", "-c", code),
    )
    assert said.startswith("[externally-managed]\nError=")


@pytest.mark.usefixtures("dockerd")
def test_wheels_run_on_an_image_without_any_python(suite, frozen, registry, skopeo, run, big):
    _, image = suite
    document = json.loads(image.config)
    kept = [
        number
        for number, entry in enumerate(document["history"])
        if entry["created_by"].startswith(("deb", "system"))
    ]
    layers = tuple(image.layers[number] for number in kept)
    document["rootfs"]["diff_ids"] = [str(layer.diff_id) for layer in layers]
    document["history"] = [document["history"][number] for number in kept]
    document["config"] = {}
    config = canonical.dump(document)
    layout.write(ImageValue(manifest_json(config, layers), config, layers), big / "bare", name="x")
    where = f"{registry.host}/team/bare:1"
    run(skopeo, "copy", "--dest-tls-verify=false", f"oci:{big}/bare:x", f"docker://{where}")
    root, image = frozen("bare", f'base = "{where}"', 'python-source = "standalone"')
    (target,) = files.read(root).targets
    assert (target.base.packages, target.image.interpreter) == ((), None)
    start = ("docker", "run", "--rm", "--network=none", docker.load(image))
    assert json.loads(run(*start, "python", "-c", ASK))["prefix"] == ["/opt/venv", "/opt/python"]


@pytest.mark.usefixtures("dockerd")
def test_an_image_that_has_an_environment_of_its_own_keeps_it_beside_ours(
    suite, frozen, registry, skopeo, run
):
    root, _ = suite
    where = f"{registry.host}/team/trained:1"
    run(skopeo, "copy", "--dest-tls-verify=false", f"oci:{root}/.envfreeze/image:x", f"docker://{where}")
    root, image = frozen("image", f'base = "{where}"', requirements="certifi\nmarkupsafe\npyyaml\nsix\n")
    (target,) = files.read(root).targets
    assert (target.prefix, target.standalone.prefix) == ("opt/envfreeze/venv", "opt/envfreeze/python")
    loaded = docker.load(image)
    start = ("docker", "run", "--rm", "--network=none", loaded)
    ours = json.loads(run(*start, "python", "-c", ASK))
    assert ours["prefix"] == ["/opt/envfreeze/venv", "/opt/envfreeze/python"]
    assert ours["names"] == ["certifi", "markupsafe", "pyyaml", "six"]
    theirs = json.loads(run(*start, "/opt/venv/bin/python", "-c", ASK))
    assert theirs["prefix"] == ["/opt/venv", "/opt/python"]
    assert theirs["names"] == ["certifi", "markupsafe", "pyyaml"]
