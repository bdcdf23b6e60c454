"""`doctor`: machines that a library of the tests' own reports, against locks and images."""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from pathlib import Path

import pytest

from envfreeze.cli.main import main
from envfreeze.digest import Digest
from envfreeze.gpu import tables
from envfreeze.locking.image_packages import read
from envfreeze.locking.model import Wheel
from envfreeze.oci import archive, layout, media
from envfreeze.oci.image import FileLayer, ImageIndex, ImageValue
from envfreeze.oci.manifest import config_json, index_json, manifest_json
from envfreeze.oci.platform import Platform

A100 = "NVIDIA A100-SXM4-40GB|8.0|14|42949672960|6912|0"
V100 = "Tesla V100-SXM2-16GB|7.0|2|17179869184|5120|0"
RTX = "NVIDIA GeForce RTX 4090|8.9|5|25757220864|16384|0"

CUDA_12 = {"torch": "2.9.0", "nvidia-cuda-runtime-cu12": "12.8.90", "nvidia-cublas-cu12": "12.8.4.1"}
CUDA_13 = {"torch": "2.11.0", "nvidia-cuda-runtime": "13.0.96", "nvidia-cublas": "13.1.0.3"}
CPU = {"torch": "2.9.0+cpu"}


@pytest.fixture
def run(monkeypatch, capsys):
    """Run the command line in this process, in a project's folder: each is a second less."""

    def command(work, *arguments, **environment):
        with monkeypatch.context() as patch:
            patch.chdir(work.root)
            patch.setenv("ENVFREEZE_CACHE", str(work.cache))
            for name, value in environment.items():
                patch.setenv(name, value)
            code = main(arguments)
        written = capsys.readouterr()
        return Ended(code, written.out, written.err)

    return command


class Ended:
    def __init__(self, code, stdout, stderr):
        self.code, self.stdout, self.stderr = code, stdout, stderr

    @property
    def document(self):
        (line,) = self.stdout.splitlines()
        return json.loads(line)


@pytest.fixture
def refused(run):
    """`refused(work, code, *arguments)`: it fails with that code; what it says."""

    def command(work, code, *arguments, **environment):
        ended = run(work, *arguments, **environment)
        assert (ended.code, ended.stdout) == (code, ""), ended.stderr
        return ended.stderr

    return command


def wheel(name, version):
    filename = f"{name.replace('-', '_')}-{version}-py3-none-any.whl"
    url = f"https://wheels.example.org/{filename}"
    return Wheel(name, version, filename, Digest.of(filename.encode()), 1_000_000, url, requested=True)


@pytest.fixture
def locked(small_project):
    """A project whose lock has these Python packages."""

    def make(packages):
        work = small_project()
        work.lock(wheels=[wheel(name, version) for name, version in packages.items()])
        return work

    return make


def info(name, version):
    return {f"opt/venv/lib/python3.13/site-packages/{name}-{version}.dist-info/METADATA": b"Name: x\n"}


def image_of(folder, files, env=(), platform="linux/amd64"):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as tar:
        for path, content in files.items():
            member = tarfile.TarInfo(path)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    blob = gzip.compress(buffer.getvalue(), mtime=0)
    diff_id = Digest.of(buffer.getvalue())
    (folder / Digest.of(blob).hex).write_bytes(blob)
    layer = FileLayer(Digest.of(blob), diff_id, len(blob), media.LAYER_GZIP, folder / Digest.of(blob).hex)
    config = config_json(
        platform=Platform.parse(platform),
        env=list(env),
        labels={},
        user=None,
        workdir="/",
        entrypoint=None,
        cmd=None,
        layers=[(diff_id, "made")],
    )
    return ImageValue(manifest_json(config, [layer]), config, (layer,))


def test_a_lock_that_the_driver_was_made_for_is_native(locked, run, nvml):
    work = locked(CUDA_12)
    ended = run(work, "doctor", "--json", **nvml("570.124.06", 12080, [A100]))
    assert ended.code == 0, ended.stderr
    found = ended.document
    assert (found["verdict"], found["cuda"], found["toolkit"]) == ("native", "12.8", "12.8.1")
    assert found["starts"] == {"legacy": True, "cdi": True}
    assert found["base"] == "apt:debian/trixie"
    assert found["reasons"]
    assert found["remedies"] == []
    assert found["subject"]["kind"] == "lock"
    assert found["subject"]["evidence"][0] == {
        "source": "nvidia-cuda-runtime-cu12 12.8.90 (pip)",
        "cuda": "12.8.90",
        "decides": True,
    }
    (gpu,) = found["host"]["gpus"]
    assert (found["host"]["driver"], gpu["name"], gpu["multiprocessors"]) == (
        "570.124.06",
        "NVIDIA A100-SXM4-40GB",
        108,
    )
    (machine,) = found["machines"]
    assert machine["gpu"]["kind"] == "datacenter"
    assert len(machine["answers"]) == 3


def test_an_older_driver_runs_it_by_minor_version_compatibility(locked, run, nvml):
    found = run(locked(CUDA_12), "doctor", "--json", **nvml("535.183.01", 12020, [RTX])).document
    assert (found["verdict"], found["host"]["driver"]) == ("minor-compat", "535.183.01")
    assert "535.183.01" in " ".join(found["reasons"])


def test_a_driver_that_is_too_old_ends_with_5_and_says_what_to_change(locked, run, nvml):
    work = locked(CUDA_13)
    ended = run(work, "doctor", "--json", **nvml("535.183.01", 12020, [RTX]))
    assert ended.code == 5
    found = ended.document
    assert found["verdict"] == "reject-driver"
    assert found["reasons"]
    assert found["remedies"]
    shown = run(work, "doctor", **nvml("535.183.01", 12020, [RTX]))
    assert shown.code == 5
    assert "\x1b" not in shown.stdout
    assert "reject-driver" in shown.stdout
    assert all(reason in shown.stdout for reason in found["reasons"])
    lines = [line.strip() for line in shown.stdout.splitlines()]
    assert all(line in lines for remedy in found["remedies"] for line in remedy["line"].splitlines())


def test_several_gpus_have_a_verdict_each_and_the_worst_counts(locked, run, nvml):
    ended = run(locked(CUDA_13), "doctor", "--json", **nvml("580.95.05", 13000, [A100, V100, A100]))
    found = ended.document
    assert ended.code == 5
    assert [(one["gpu"]["name"], one["verdict"]) for one in found["machines"]] == [
        ("NVIDIA A100-SXM4-40GB", "native"),
        ("Tesla V100-SXM2-16GB", "reject-arch"),
    ]
    assert found["verdict"] == "reject-arch"
    assert "7.0" in " ".join(found["reasons"])


def test_a_cpu_lock_runs_anywhere(locked, run, nvml):
    ended = run(locked(CPU), "doctor", "--json", **nvml(fail="nvmlInitWithFlags=9"))
    assert ended.code == 0
    found = ended.document
    assert (found["verdict"], found["cuda"], found["toolkit"]) == ("cpu-only", None, None)


@pytest.mark.parametrize(
    ("wishes", "state"),
    [
        ({"fail": "nvmlInitWithFlags=9"}, "no-driver"),
        ({"fail": "nvmlInitWithFlags=18"}, "mismatch"),
        ({"fail": "nvmlInitWithFlags=-1"}, "crashed"),
        ({"fail": "nvmlInitWithFlags=999"}, "failed"),
    ],
)
def test_a_driver_that_does_not_answer_makes_the_verdict_unknown_and_says_so(
    locked, run, nvml, wishes, state
):
    ended = run(locked(CUDA_12), "doctor", "--json", **nvml(**wishes))
    assert ended.code == 0, ended.stderr
    found = ended.document
    assert (found["verdict"], found["host"]["state"]) == ("unknown", state)
    assert found["reasons"][0] == found["host"]["problems"][0]
    assert "envfreeze doctor --driver 580.65.06" in [one["line"] for one in found["remedies"]]


def test_a_driver_that_errs_in_the_middle_is_told_with_what_it_said(locked, run, nvml):
    wishes = nvml("570.124.06", 12080, [A100, RTX], fail="nvmlDeviceGetHandleByIndex_v2:1=15")
    ended = run(locked(CUDA_12), "doctor", **wishes)
    assert ended.code == 0, ended.stderr
    assert "GPU 1: GPU is lost" in ended.stdout
    assert "native" in ended.stdout


def test_another_machine_may_be_asked_for_without_any_driver(locked, run):
    work = locked(CUDA_13)
    ended = run(work, "doctor", "--driver", "570.124.06", "--gpu", "A100", "--gpu", "RTX 4090", "--json")
    found = ended.document
    assert (found["host"], found["containers"], found["checks"]) == (None, None, [])
    assert ended.code == 5
    assert [(one["gpu"]["name"], one["driver"], one["verdict"]) for one in found["machines"]] == [
        ("A100", "570.124.06", "forward-compat"),
        ("GeForce RTX 4090", "570.124.06", "reject-driver"),
    ]
    assert run(work, "doctor", "--driver", "580.95.05", "--gpu", "A100", "--quiet").stdout == "native\n"


def test_forward_compatibility_counts_where_the_image_has_the_package_for_it(locked, run, tmp_path):
    work = locked(CUDA_13)
    machine = ("--driver", "535.183.01", "--gpu", "A100", "--json")
    ended = run(work, "doctor", *machine)
    assert (ended.code, ended.document["verdict"]) == (5, "forward-compat")
    assert "the image does not have cuda-compat-13-0" in ended.document["reasons"]
    files = info("nvidia_cuda_runtime", "13.0.96") | {"usr/local/cuda-13.0/compat/libcuda.so.580.95.05": b""}
    layout.write(image_of(tmp_path, files), work.root / "built")
    ended = run(work, "doctor", "--image", "built", *machine)
    assert (ended.code, ended.document["verdict"]) == (0, "forward-compat")


def test_what_can_never_work_is_rejected_whatever_the_machine(locked, run):
    work = locked({**CUDA_13, "nvidia-cublas-cu13": "0.0.1"})
    ended = run(work, "doctor", "--driver", "580.95.05", "--gpu", "A100", "--json")
    assert ended.code == 5
    assert any(one["fatal"] for one in ended.document["subject"]["findings"])


def test_the_commands_of_the_page_are_run(locked, run, nvml, tmp_path, site):
    page = Path(__file__).parents[2] / "docs/how-to/check-a-machine.md"
    commands = [
        line.strip().removeprefix("envfreeze ").partition(" && ")[0].split()
        for line in page.read_text().splitlines()
        if line.startswith("    envfreeze ")
    ]
    work = locked(CUDA_12)
    image = image_of(tmp_path, info("nvidia_cuda_runtime_cu12", "12.8.90"))
    layout.write(image, work.root / ".envfreeze/image")
    archive.write(image, work.root / "image.tar")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as packed:
        packed.add(tables.load().folder, "tables")
    site.files["/cuda-tables.tar.gz"] = buffer.getvalue()
    for words in commands:
        here = [word.replace("https://tables.example.org", site.url) for word in words]
        ended = run(work, *here, **nvml("550.54.15", 12040, [A100]))
        assert ended.code == 0, (words, ended.stdout, ended.stderr)
        assert ended.stdout
    assert len(commands) == 9


def test_a_gpu_or_driver_that_is_none_is_refused_by_its_option(locked, refused):
    work = locked(CUDA_12)
    assert "--gpu 'A1OO'" in refused(work, 2, "doctor", "--gpu", "A1OO")
    assert "--driver 'new'" in refused(work, 2, "doctor", "--driver", "new")


def test_a_machine_that_is_asked_for_needs_something_to_hold_against_it(small_project, run):
    ended = run(small_project(), "doctor", "--driver", "550.54", "--gpu", "A100")
    assert ended.code == 0
    assert "there is no lock and no image here" in ended.stderr


def test_without_a_lock_only_the_machine_is_shown(small_project, run, nvml):
    work = small_project()
    ended = run(work, "doctor", "--json", **nvml("550.54.15", 12040, [A100]))
    assert ended.code == 0, ended.stderr
    found = ended.document
    assert [found[key] for key in ("verdict", "cuda", "toolkit", "base", "starts", "subject")] == [None] * 6
    (machine,) = found["machines"]
    assert (machine["driver"], machine["cuda"], machine["gpu"]["capability"]) == ("550.54.15", "12.4", "8.0")
    shown = run(work, "doctor", **nvml("550.54.15", 12040, [A100])).stdout
    assert "550.54.15, CUDA 12.4" in shown
    assert "compute capability 8.0, 42.9 GB, 108 SMs" in shown


def test_it_works_outside_any_project_and_finds_what_envfreeze_uses(tmp_path, run, small_project, nvml):
    work = small_project()
    work.root = tmp_path / "empty"
    work.root.mkdir()
    checks = {one["name"]: one for one in run(work, "doctor", "--json", **nvml()).document["checks"]}
    assert set(checks) == {"python", "git", "uv", "engines", "buildx", "cache", "apt mirror"}
    assert checks["python"]["good"]
    assert str(work.cache) in checks["cache"]["text"]
    assert not work.cache.exists()


def test_a_lock_elsewhere_may_be_named_by_its_file_or_folder(locked, run, tmp_path):
    work = locked(CUDA_12)
    for path in (work.root, work.root / "envfreeze.lock"):
        found = run(
            work, "doctor", "--driver", "570.124.06", "--lock", str(path), "--json", "-C", str(tmp_path)
        )
        assert found.document["verdict"] == "native"


def test_a_file_that_is_no_lock_is_refused(locked, refused):
    assert "is not a lock" in refused(locked(CUDA_12), 2, "doctor", "--lock", "pylock.toml")


def test_a_lock_that_was_edited_is_refused(locked, refused):
    work = locked(CUDA_12)
    work.replace("pylock.toml", "12.8.90", "12.4.99")
    assert "pylock.toml is not the file" in refused(work, 6, "doctor", "--driver", "570")


def test_an_image_is_judged_by_its_packages_and_what_its_environment_demands(
    small_project, run, tmp_path, nvml
):
    work = small_project()
    env = ["NVIDIA_REQUIRE_CUDA=cuda>=12.8 brand=tesla,driver>=535,driver<536"]
    files = info("torch", "2.9.0") | info("nvidia_cuda_runtime_cu12", "12.8.90")
    layout.write(image_of(tmp_path, files, env), work.root / "built")
    ended = run(work, "doctor", "--image", "built", "--json", **nvml("550.54.15", 12040, [RTX]))
    found = ended.document
    assert (found["verdict"], found["cuda"]) == ("minor-compat", "12.8")
    assert found["starts"] == {"legacy": False, "cdi": True}
    (machine,) = found["machines"]
    assert "driver>=535" in " ".join(machine["starts"]["unmet"])
    assert found["subject"] == {**found["subject"], "kind": "image", "path": "built"}


def test_a_cuda_base_without_packages_is_known_by_its_environment(small_project, run, tmp_path):
    work = small_project()
    env = ["CUDA_VERSION=12.4.1", "NVIDIA_REQUIRE_CUDA=cuda>=12.4"]
    archive.write(image_of(tmp_path, {"a": b""}, env), work.root / "image.tar")
    found = run(work, "doctor", "--image", "image.tar", "--driver", "550.54.15", "--json").document
    assert (found["cuda"], found["toolkit"], found["verdict"]) == ("12.4", "12.4.1", "native")


def test_the_image_that_was_built_here_counts_where_there_is_no_lock(small_project, run, tmp_path):
    work = small_project()
    layout.write(image_of(tmp_path, info("alpha", "1.0")), work.root / ".envfreeze/image")
    found = run(work, "doctor", "--driver", "550.54.15", "--json").document
    assert (found["verdict"], found["subject"]["kind"]) == ("cpu-only", "image")


def test_an_image_that_envfreeze_built_has_the_packages_of_its_lock(project, run):
    built = project.run("build", "--no-record", "--archive", "image.tar", "--output", "image")
    assert built.code == 0, built.stderr
    for path in ("image", "image.tar"):
        found = run(project, "doctor", "--image", path, "--driver", "550.54.15", "--json").document
        assert (found["verdict"], found["subject"]["platform"]) == ("cpu-only", "linux/amd64")
    packages = read(layout.read(project.root / "image")).packages
    assert [f"{one.name} {one.version}" for one in packages] == ["alpha 1.0", "beta 1.0", "gamma 1.0"]


def test_of_several_platforms_one_is_chosen(small_project, run, tmp_path, refused):
    work = small_project()
    amd64 = image_of(tmp_path, info("nvidia_cuda_runtime_cu12", "12.8.90"))
    arm64 = image_of(tmp_path, info("alpha", "1.0"), platform="linux/arm64")
    index = ImageIndex(index_json([amd64, arm64]), (amd64, arm64))
    layout.write(index, work.root / "both")
    command = ("doctor", "--image", "both", "--driver", "570.124.06", "--json", "--platform")
    assert run(work, *command, "linux/amd64").document["cuda"] == "12.8"
    assert run(work, *command, "linux/arm64").document["cuda"] is None
    layout.write(amd64, work.root / "one")
    said = refused(work, 2, "doctor", "--image", "one", "--platform", "linux/arm64")
    assert "has nothing for linux/arm64" in said


def test_what_is_no_image_is_refused(small_project, refused):
    work = small_project()
    assert "is not an OCI" in refused(work, 2, "doctor", "--image", ".")
    assert "both named" in refused(work, 2, "doctor", "--image", ".", "--lock", ".")


def test_the_report_is_plain_where_nobody_looks_at_a_terminal(locked, run, nvml):
    ended = run(locked(CUDA_13), "doctor", **nvml("535.183.01", 12020, [RTX]))
    assert ended.stdout.isascii()
    assert not any(line.endswith(" ") for line in ended.stdout.splitlines())
    assert ended.stderr == ""


def test_the_document_is_as_the_reference_shows_it(locked, run, nvml):
    page = (Path(__file__).parents[2] / "docs/reference/cli.md").read_text()
    section = page.partition("\n## `envfreeze doctor`\n")[2].partition("\n## ")[0]
    block = section[section.index("    {") :].partition("\n\n")[0]
    shown = json.loads(block.replace("{…}", "{}"))
    found = run(locked(CUDA_12), "doctor", "--json", **nvml("550.54.15", 12040, [A100])).document
    assert set(found) == set(shown)
    for part in ("subject", "host", "containers", "tables"):
        assert set(found[part]) == set(shown[part])
    for part in ("machines", "checks"):
        assert set(found[part][0]) == set(shown[part][0])
