"""How containers get GPUs, on machines that the tests make of files and small programs."""

from __future__ import annotations

import json
import sys

import pytest

from envfreeze.gpu import containers
from envfreeze.gpu.containers import CdiSpec, Engine, Toolkit

SPEC = """\
cdiVersion: 0.5.0
kind: nvidia.com/gpu
devices:
- name: "0"
  containerEdits:
    deviceNodes:
    - path: /dev/nvidia0
- name: all
  containerEdits:
    deviceNodes:
    - path: /dev/nvidia0
containerEdits:
  mounts:
  - hostPath: /usr/lib/x86_64-linux-gnu/libcuda.so.550.54.15
    containerPath: /usr/lib/x86_64-linux-gnu/libcuda.so.550.54.15
    options: [ro, nosuid, nodev, bind]
"""


class Machine:
    def __init__(self, root, programs):
        self.root = root
        self.programs = programs
        root.mkdir()
        programs.mkdir()

    def write(self, path, text):
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)

    def program(self, name, says):
        path = self.programs / name
        path.write_text(f"#!{sys.executable}\nprint({says!r})\n")
        path.chmod(0o755)

    def toolkit(self, version, mode=None):
        self.program("nvidia-ctk", f"NVIDIA Container Toolkit CLI version {version}\ncommit: 0123456789ab")
        if mode is not None:
            self.write(
                containers.CONFIG,
                f'[nvidia-container-runtime]\nmode = "{mode}"\nruntimes = ["runc"]\n',
            )

    def find(self, driver=""):
        return containers.find(root=self.root, driver=driver)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    made = Machine(tmp_path / "root", tmp_path / "programs")
    monkeypatch.setenv("PATH", str(made.programs))
    return made


def test_a_machine_without_anything_has_no_way(machine):
    found = machine.find()
    assert found == containers.Containers()
    assert found.way is None


def test_engines_are_told_with_their_versions(machine):
    machine.program("docker", "Docker version 28.2.2, build e6534b4")
    machine.program("podman", "podman version 4.3.1")
    assert machine.find().engines == (Engine("docker", "28.2.2"), Engine("podman", "4.3.1"))


def test_an_engine_that_says_nothing_is_there_all_the_same(machine):
    machine.program("docker", "")
    assert machine.find().engines == (Engine("docker", ""),)


@pytest.mark.parametrize(
    ("version", "configured", "mode", "way"),
    [
        ("1.17.9", None, "legacy", "legacy"),
        ("1.17.9", "auto", "legacy", "legacy"),
        ("1.18.0", None, "jit-cdi", "cdi"),
        ("1.18.0-rc.1", "auto", "jit-cdi", "cdi"),
        ("1.20.1", "auto", "jit-cdi", "cdi"),
        ("1.20.1", "legacy", "legacy", "legacy"),
        ("1.16.2", "cdi", "cdi", "cdi"),
        ("unknown", "auto", None, None),
    ],
)
def test_the_mode_is_the_configured_one_or_the_version_s_own(machine, version, configured, mode, way):
    machine.toolkit(version, configured)
    found = machine.find()
    assert found.toolkit is not None
    assert (found.toolkit.configured, found.toolkit.mode, found.way) == (configured or "auto", mode, way)


def test_a_jetson_has_its_own_mode(machine):
    machine.toolkit("1.18.0", "auto")
    machine.write("etc/nv_tegra_release", "# R36 (release), REVISION: 4.3\n")
    assert (machine.find().toolkit.mode, machine.find().way) == ("csv", "legacy")


def test_a_configuration_that_is_no_toml_is_named(machine):
    machine.toolkit("1.17.9")
    machine.write(containers.CONFIG, "mode = = legacy")
    found = machine.find()
    assert found.toolkit == Toolkit("1.17.9", "", None)
    assert "config.toml cannot be read" in found.problems[0]


@pytest.mark.parametrize("folder", ["etc/cdi", "var/run/cdi"])
def test_cdi_specifications_are_found_with_their_devices_and_driver(machine, folder):
    machine.write(f"{folder}/nvidia.yaml", SPEC)
    found = machine.find(driver="550.54.15")
    path = machine.root / folder / "nvidia.yaml"
    assert found.specs == (CdiSpec(path, ("nvidia.com/gpu=0", "nvidia.com/gpu=all"), "550.54.15"),)
    assert (found.way, found.problems) == ("cdi", ())


def test_a_cdi_specification_may_be_json_and_another_vendor_s_is_passed_over(machine):
    machine.write("etc/cdi/nvidia.json", json.dumps({"kind": "nvidia.com/gpu", "devices": [{"name": "all"}]}))
    machine.write("etc/cdi/other.yaml", "kind: vendor.com/device\ndevices: []\n")
    machine.write("etc/cdi/README", "nvidia.com/gpu")
    (spec,) = machine.find().specs
    assert (spec.devices, spec.driver) == (("nvidia.com/gpu=all",), "")


def test_a_cdi_specification_of_the_driver_before_the_update_is_named(machine):
    machine.write("etc/cdi/nvidia.yaml", SPEC)
    (problem,) = machine.find(driver="570.86.15").problems
    assert "is of driver 550.54.15, and 570.86.15 is loaded" in problem
    assert "nvidia-ctk cdi generate" in problem


@pytest.mark.parametrize("text", ["nvidia.com/gpu: [", "- nvidia.com/gpu", "kind: nvidia.com/gpu\n", "{"])
def test_a_cdi_specification_that_is_none_is_named_or_passed_over(machine, text):
    machine.write("etc/cdi/nvidia.yaml", text)
    found = machine.find()
    assert found.specs == ()
    assert bool(found.problems) == ("nvidia" in text)


@pytest.mark.parametrize(
    ("text", "there"),
    [
        ('{"runtimes": {"nvidia": {"path": "nvidia-container-runtime"}}}', True),
        ('{"runtimes": {}}', False),
        ('{"log-level": "warn"}', False),
        ("[]", False),
        ("{", False),
    ],
)
def test_docker_s_runtime_is_read_from_its_configuration(machine, text, there):
    machine.write("etc/docker/daemon.json", text)
    assert machine.find().runtime is there
