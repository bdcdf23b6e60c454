"""Podman and Buildah build the same folder, alone with it, and leave nothing."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from envfreeze.engines.driven import readback
from envfreeze.engines.driven.choice import engine
from envfreeze.engines.driven.model import Request
from envfreeze.engines.driven.secrets import parse_secret
from envfreeze.errors import MachineError, UsageError
from envfreeze.oci.inflate import inflate
from envfreeze.oci.members import members
from envfreeze.oci.platform import Platform
from envfreeze.progress import SILENT

HERE = Platform.host()
PROGRAMS = ("podman", "buildah")

pytestmark = pytest.mark.usefixtures("containers")


@pytest.fixture
def build(tmp_path: Path):
    made = 0

    def call(name: str, root: Path, **said):
        nonlocal made
        made += 1
        into = tmp_path / f"into-{made}"
        into.mkdir()
        request = Request(root, "Dockerfile", said.pop("platforms", (HERE,)), **{"network": "none"} | said)
        return engine(name).build(request, into, logs=tmp_path / "logs", progress=SILENT)

    return call


def content(image, path: str) -> bytes | None:
    found = None
    for layer in image.layers:
        with layer.open() as blob, inflate(blob, layer.media_type) as stream:
            for member, data in members(stream):
                if member.path == path:
                    found = data.read(1 << 20)
    return found


def test_both_build_the_same_sound_image(build, folder):
    root = folder("BASE\nCOPY a /a\nRUN date > /b && rm /b && echo now > /c && mkdir /d\n", a=os.urandom(9))

    built = [build(name, root) for name in (*PROGRAMS, "buildah")]

    for one, name in zip(built, PROGRAMS, strict=False):
        assert readback.check(one.images, program=name) == ()
        assert one.tools["buildah"].count(".") == 2
    assert len({one.images[0].digest for one in built}) == 1
    assert list(built[0].tools) == ["podman", "buildah"]


@pytest.mark.parametrize("name", PROGRAMS)
def test_nothing_of_an_earlier_build_is_used_and_nothing_is_left(build, folder, tmp_path, containers, name):
    root = folder("BASE\nRUN --mount=type=cache,target=/kept echo x >> /kept/n && cat /kept/n > /n\n")

    for _ in range(2):
        assert content(build(name, root).images[0], "n") == b"x\n"

    assert not list(tmp_path.glob("into-*/storage*"))
    assert str(tmp_path) not in Path("/proc/self/mounts").read_text()
    assert not list(containers.glob("overlay-images/*/manifest"))


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_step_that_fails_is_named_with_its_last_lines_and_the_log(build, folder, name):
    with pytest.raises(MachineError) as caught:
        build(name, folder("BASE\nRUN echo it goes wrong && false\n"))

    assert caught.value.message == f"{name}: the step RUN echo it goes wrong && false failed: exit status 1"
    assert "it goes wrong" in caught.value.details
    assert "it goes wrong" in Path(caught.value.hint.split()[-1]).read_text()


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_shell_of_the_dockerfile_runs_its_steps(build, folder, name):
    root = folder(
        'BASE\nSHELL ["/bin/busybox", "ash", "-c"]\nRUN rm /bin/sh && echo done > /a\nRUN echo b > /b\n'
    )

    image = build(name, root).images[0]

    assert content(image, "b") == b"b\n"
    assert b"vnd.oci.image.manifest" in image.manifest


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_secret_is_read_and_never_shown(build, folder, monkeypatch, name):
    secret = f"s3cret-{random.Random(7).randbytes(9).hex()}"
    monkeypatch.setenv("TOKEN", secret)
    mounted = "--mount=type=secret,id=token"
    root = folder(f"BASE\nRUN {mounted} cat /run/secrets/token && wc -c < /run/secrets/token > /size\n")

    built = build(name, root, secrets=(parse_secret("id=token,env=TOKEN"),))

    assert content(built.images[0], "size") == f"{len(secret)}\n".encode()
    assert "***" in built.log.read_text()
    assert secret not in built.log.read_text()


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_stage_gives_its_files(folder, tmp_path, name):
    root = folder(
        "FROM scratch AS made\nCOPY a /wheels/a.whl\nFROM scratch\nCOPY --from=made / /\n", a="a wheel"
    )
    (tmp_path / "into").mkdir()
    request = Request(root, "Dockerfile", (HERE,), stage="made")

    files = engine(name).extract(request, tmp_path / "into", logs=tmp_path, progress=SILENT)

    assert (files / "wheels/a.whl").read_text() == "a wheel"


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_killed_build_leaves_no_process_and_no_mount(folder, tmp_path, name):
    root = folder(f"BASE\nRUN echo {random.random()} && sleep 1000\n")
    text = (
        "import sys, pathlib\n"
        "from envfreeze.engines.driven.choice import engine\n"
        "from envfreeze.engines.driven.model import Request\n"
        "from envfreeze.oci.platform import Platform\n"
        "from envfreeze.progress import SILENT\n"
        "name, (folder, into) = sys.argv[1], map(pathlib.Path, sys.argv[2:])\n"
        "request = Request(folder, 'Dockerfile', (Platform.host(),), network='none')\n"
        "engine(name).build(request, into, logs=into, progress=SILENT)\n"
    )
    into = tmp_path / "into"
    into.mkdir()
    process = subprocess.Popen([sys.executable, "-c", text, name, str(root), str(into)])
    assert wait_for(lambda: running("sleep 1000") and list(into.glob("*.log")))

    process.send_signal(signal.SIGKILL)
    process.wait()

    assert wait_for(lambda: not running("sleep 1000"))
    assert wait_for(lambda: not running(str(into)))
    assert str(into) not in Path("/proc/self/mounts").read_text()


@pytest.mark.parametrize("name", PROGRAMS)
def test_options_of_another_engine_are_refused(build, folder, name):
    root = folder("FROM scratch\n")
    with pytest.raises(UsageError, match="takes a repository"):
        build(name, root, cache_from=("type=registry,ref=r.example/a",))
    with pytest.raises(UsageError, match="no builders"):
        build(name, root, builder="other")


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_base_that_the_user_has_is_not_pulled_again(build, folder, run, name, docker, registry, tmp_path):
    where = f"{registry.host}/base/{name}"
    base = folder("FROM scratch\nCOPY a /a\n", a=os.urandom(9))
    docker("buildx", "build", "--provenance=false", "--tag", f"{where}:1", "--push", str(base))
    run(name, "pull", "--tls-verify=false", f"{where}:1")
    digest = run("podman", "image", "inspect", "--format", "{{.Digest}}", f"{where}:1").strip()
    gone = folder(f"FROM {where}@{digest}\nCOPY b /b\n", b="b\n")
    (tmp_path / "none.conf").write_text(f'[[registry]]\nlocation = "{registry.host}"\nblocked = true\n')
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("CONTAINERS_REGISTRIES_CONF", str(tmp_path / "none.conf"))

        built = build(name, gone)

    assert content(built.images[0], "a") == (base / "a").read_bytes()
    assert content(built.images[0], "b") == b"b\n"


def running(words: str) -> bool:
    return words in subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout


def wait_for(what, seconds: float = 60):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = what()
        if found:
            return found
        time.sleep(0.1)
    return what()
