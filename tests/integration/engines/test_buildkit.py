"""BuildKit builds a folder: the same image of it anywhere, and what was asked for is in it."""

from __future__ import annotations

import os
import random
import socket
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from envfreeze.engines.docker import builder as builders
from envfreeze.engines.docker import client, command
from envfreeze.engines.docker.build import Buildx
from envfreeze.engines.driven import process, readback
from envfreeze.engines.driven.model import EPOCH, Request
from envfreeze.engines.driven.secrets import parse_secret, parse_ssh
from envfreeze.errors import MachineError, UsageError
from envfreeze.oci import layout
from envfreeze.oci.image import ImageIndex
from envfreeze.oci.inflate import inflate
from envfreeze.oci.members import members
from envfreeze.oci.platform import Platform
from envfreeze.oci.validate import validate
from envfreeze.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envfreeze.oci.image import Image

HERE = Platform.host()


@pytest.fixture
def build(tmp_path: Path):
    """Build a folder, with what is said of it in `Request`."""
    made = 0

    def call(root: Path, progress=SILENT, **said):
        nonlocal made
        made += 1
        into = tmp_path / f"into-{made}"
        into.mkdir()
        request = Request(root, "Dockerfile", said.pop("platforms", (HERE,)), **{"network": "none"} | said)
        return Buildx().build(request, into, logs=tmp_path / "logs", progress=progress)

    return call


def entries(image: Image) -> Iterator:
    for layer in image.layers:
        with layer.open() as blob, inflate(blob, layer.media_type) as stream:
            for member, _ in members(stream):
                yield member


def content(image: Image, path: str) -> bytes | None:
    found = None
    for layer in image.layers:
        with layer.open() as blob, inflate(blob, layer.media_type) as stream:
            for member, data in members(stream):
                if member.path == path:
                    found = data.read(1 << 20)
    return found


@pytest.mark.usefixtures("docker")
def test_what_is_built_is_sound_and_of_one_time(build, folder):
    root = folder("BASE\nCOPY a /a\nRUN echo now > /b && mkdir /c\n", a="a\n")

    built = build(root)

    readback.check(built.images, program="docker")
    assert {entry.mtime for entry in entries(built.images[0])} == {EPOCH}
    assert built.tools["driver"] == "docker"
    assert built.tools["docker"].count(".") == 2
    assert built.tools["buildx"].count(".") == 2


def test_two_daemons_build_the_same_image(build, folder, one, two, monkeypatch):
    root = folder(
        "BASE\nCOPY a /a\nRUN echo $((6 * 7)) > /b && ln -s b /c && chmod 700 /c\n", a=os.urandom(99)
    )

    digests = set()
    for daemon in (one, two):
        daemon.use(monkeypatch)
        digests.add(build(root).images[0].digest)

    assert len(digests) == 1


@pytest.mark.usefixtures("docker")
def test_times_and_modes_of_the_folder_are_not_in_the_image(build, folder):
    root = folder("FROM scratch\nCOPY . /files/\n", a="a\n", b="b\n")
    (root / "a").chmod(0o600)
    os.utime(root / "a", (1, 1))  # older than the epoch: it would not be clamped
    (root / "b").chmod(0o755)
    other = folder("FROM scratch\nCOPY . /files/\n", b="b\n", a="a\n")
    (other / "a").chmod(0o664)
    (other / "b").chmod(0o711)

    assert build(root).images[0].digest == build(other).images[0].digest


@pytest.mark.usefixtures("docker")
def test_a_file_that_keeps_its_size_and_time_is_sent_again(build, folder):
    root = folder("FROM scratch\nCOPY a /a\n", a="before")

    first = build(root).images[0]
    (root / "a").write_text("after!")
    second = build(root).images[0]

    assert content(first, "a") == b"before"
    assert content(second, "a") == b"after!"


@pytest.mark.usefixtures("docker")
def test_a_fresh_build_uses_no_step_and_no_cache_mount(build, folder):
    step = "BASE\nRUN --mount=type=cache,target=/kept echo x >> /kept/n && cat /kept/n > /n && echo {}\n"
    first, second = folder(step.format(1)), folder(step.format(2))

    assert content(build(first).images[0], "n") == b"x\n"
    assert content(build(second).images[0], "n") == b"x\nx\n"  # a mount outlives the build
    assert content(build(second, fresh=True).images[0], "n") == b"x\n"


@pytest.mark.usefixtures("docker")
def test_a_step_that_fails_is_named_with_its_last_lines_and_the_log(build, folder):
    root = folder('BASE\nRUN echo it goes wrong && false "# with a long comment"\n')

    with pytest.raises(MachineError) as caught:
        build(root)

    assert "RUN echo it goes wrong" in caught.value.message
    assert "exit code: 1" in caught.value.message
    assert "it goes wrong" in caught.value.details
    log = Path(caught.value.hint.split()[-1])
    assert "it goes wrong" in log.read_text()


@pytest.mark.usefixtures("docker")
def test_a_secret_is_read_and_never_shown(build, folder, tmp_path, monkeypatch):
    secret = f"s3cret-{random.Random(7).randbytes(9).hex()}"
    monkeypatch.setenv("TOKEN", secret)
    (tmp_path / "file").write_text(f"first\n{secret}\n")
    root = folder(
        "BASE\n"
        "RUN --mount=type=secret,id=token cat /run/secrets/token && wc -c < /run/secrets/token > /size\n"
        "RUN --mount=type=secret,id=file cat /run/secrets/file >&2\n"
    )
    shown = Shown()

    built = build(
        root,
        shown,
        secrets=(parse_secret("id=token,env=TOKEN"), parse_secret(f"id=file,src={tmp_path}/file")),
    )

    assert content(built.images[0], "size") == f"{len(secret)}\n".encode()
    log = built.log.read_text()
    assert "***" in log
    assert secret not in log
    assert secret not in "\n".join(shown.lines)
    assert secret.encode() not in built.images[0].config


@pytest.mark.usefixtures("docker")
def test_an_agent_is_reached_while_a_step_runs_and_is_in_no_layer(build, folder, monkeypatch):
    with tempfile.TemporaryDirectory(prefix="agent-") as short, socket.socket(socket.AF_UNIX) as agent:
        agent.bind(f"{short}/agent")
        agent.listen()
        monkeypatch.setenv("SSH_AUTH_SOCK", f"{short}/agent")
        root = folder('BASE\nRUN --mount=type=ssh test -S "$SSH_AUTH_SOCK" && echo there > /agent\n')

        built = build(root, ssh=(parse_ssh("default"),))

    assert content(built.images[0], "agent") == b"there\n"
    assert not [member.path for member in entries(built.images[0]) if "ssh_agent" in member.path]
    assert short.encode() not in built.images[0].config


class Shown:
    """What a user would see."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.running: list[str] = []

    def task(self, description, total=None):
        self.running.append(description)
        return SILENT.task(description, total)

    def note(self, text):
        self.lines.append(text)

    detail = step = warn = note


@pytest.mark.usefixtures("docker")
def test_the_steps_are_shown_as_they_run(build, folder):
    shown = Shown()

    build(folder(f"BASE\nRUN echo {random.random()} && printf 'no end'\n"), shown)

    text = "\n".join(shown.lines)
    assert "RUN echo" in text
    assert "no end" in text
    assert any(name.startswith("[") and "RUN echo" in name for name in shown.running)


@pytest.mark.usefixtures("docker")
def test_several_platforms_are_an_index(folder, tmp_path):
    platforms = tuple(Platform.parse(text) for text in Platform.SUPPORTED)
    request = Request(folder("FROM scratch\nCOPY a /a\n", a="a"), "Dockerfile", platforms)
    words = command.image(request, builders.find(None), request.folder, tmp_path / "image", space=None)

    assert process.run(words, print, client.environment()) == 0

    image = layout.read(tmp_path / "image")
    assert isinstance(image, ImageIndex)
    assert [one.platform for one in image.images] == list(platforms)
    assert validate(image) == ()


@pytest.mark.usefixtures("docker")
def test_a_platform_that_the_builder_does_not_run_is_refused_with_the_way_out(build, folder):
    foreign = [text for text in Platform.SUPPORTED if text not in builders.find(None).platforms]
    if not foreign:
        pytest.skip("this machine emulates all platforms")

    with pytest.raises(UsageError, match=f"not for {foreign[0]}") as caught:
        build(folder("FROM scratch\nCOPY a /a\n", a="a"), platforms=(Platform.parse(foreign[0]),))

    assert "binfmt_misc" in caught.value.hint
    assert "--engine native" in caught.value.hint


@pytest.mark.usefixtures("docker")
def test_a_stage_gives_its_files(folder, tmp_path):
    root = folder(
        "BASE\nFROM scratch AS made\nCOPY a /wheels/a.whl\nFROM scratch\nCOPY --from=made / /\n", a="a wheel"
    )
    (tmp_path / "into").mkdir()

    files = Buildx().extract(
        Request(root, "Dockerfile", (HERE,), stage="made"), tmp_path / "into", logs=tmp_path, progress=SILENT
    )

    assert (files / "wheels/a.whl").read_text() == "a wheel"


@pytest.mark.usefixtures("docker")
def test_a_builder_that_there_is_not_is_named(build, folder):
    with pytest.raises(UsageError, match="no builder nowhere"):
        build(folder("FROM scratch\n"), builder="nowhere")


def test_a_remote_builder_builds_the_same_image_by_its_name(build, folder, docker, remote):
    root = folder("BASE\nRUN echo a > /a\n", a=os.urandom(9))
    docker("buildx", "create", "--name", "team", "--driver", "remote", remote)

    built = build(root, builder="team")

    assert built.tools["driver"] == "remote"
    assert "docker" not in built.tools
    assert built.images[0].digest == build(root).images[0].digest


@pytest.mark.usefixtures("docker")
def test_no_daemon_is_said_with_the_way_out(build, folder, tmp_path, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")

    with pytest.raises(MachineError, match="does not answer") as caught:
        build(folder("FROM scratch\n"))

    assert "--engine native" in caught.value.hint


@pytest.mark.usefixtures("docker")
def test_a_killed_build_ends_at_the_daemon_too(folder, tmp_path, killed, running, wait_for):
    root = folder(f"BASE\nRUN echo {random.random()} && sleep 1001\n")
    (tmp_path / "into").mkdir()

    with killed("docker", root, tmp_path / "into"):
        assert wait_for(lambda: running("sleep 1001"))

    assert wait_for(lambda: not running("sleep 1001"))
    assert wait_for(lambda: not running(str(root)))
    assert wait_for(lambda: not running(str(tmp_path / "into")))
