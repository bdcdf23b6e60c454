"""What Docker and pip made of a lock is held against it: clean but for their traces, and nothing gets by."""

from __future__ import annotations

import json
import subprocess
from importlib.metadata import distribution
from typing import TYPE_CHECKING

import pytest

from envfreeze.store.cache import Cache

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

pytestmark = [pytest.mark.network, pytest.mark.usefixtures("dockerd")]


@pytest.fixture
def container(digits, envfreeze, run, tmp_path: Path) -> Iterator[Callable[..., str]]:
    """`container(image, commands)`: the name of an image with what commands in it have changed."""
    envfreeze("build", "--no-record", "--load", "--tag", "frozen:digits", at=digits.root)
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    with Cache.open(digits.cache) as cache:
        for wheel in digits.lock.targets[0].wheels:
            (wheels / wheel.filename).symlink_to(cache.find(wheel.digest))
    pip = distribution("pip").locate_file("pip")
    names: list[str] = []

    def commit(image: str, *commands: str) -> str:
        name = f"changed-{len(names)}"
        names.append(name)
        shell = ["run", "--network=none", f"--name={name}", "--user=0", "--entrypoint=/bin/sh"]
        mounts = [f"--volume={pip}:/peer/pip:ro", f"--volume={wheels}:/peer/wheels:ro"]
        mounts.append(f"--volume={digits.cache}:{digits.cache}:ro")
        run("docker", *shell, *mounts, image, "-ec", "\n".join(commands))
        run("docker", "commit", name, f"frozen:{name}")
        return f"frozen:{name}"

    yield commit
    for name in names:
        subprocess.run(["docker", "rm", "--force", name], capture_output=True, check=False)
        subprocess.run(["docker", "rmi", "--force", f"frozen:{name}"], capture_output=True, check=False)


PATH = "opt/venv/lib/python3.13/site-packages/sklearn/__init__.py"
INSTALL = "-m pip install --quiet --no-index --find-links=/peer/wheels --root-user-action=ignore"


def test_what_pip_installs_in_a_container_is_clean_but_for_its_traces(digits, envfreeze, container):
    def verified(image):
        arguments = ("verify", "--installed", f"docker-daemon:{image}", "--lock", ".", "--json")
        ended = envfreeze.end(*arguments, at=digits.root)
        return ended.code, json.loads(ended.out)

    image = container(
        "frozen:digits",
        "rm -rf /opt/venv",
        "python3.13 -m venv --without-pip /opt/venv",
        f"PYTHONPATH=/peer /opt/venv/bin/python {INSTALL} scikit-learn",
    )
    code, document = verified(image)
    assert (code, document["verdict"]) == (0, "packages"), document
    causes = {one["cause_name"] for one in document["findings"]}
    assert {"bytecode", "installer-metadata", "launcher", "other-environment"} <= causes
    code, document = verified(container(image, f"echo >> /{PATH}", "touch /usr/share/zoneinfo/UTC"))
    grave = [one for one in document["findings"] if one["level"] == "different"]
    assert [(one["path"], one["package"], one["cause_name"]) for one in grave] == [
        (PATH, "scikit-learn", "tampering")
    ]
    assert code == 1
