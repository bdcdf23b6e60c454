"""Podman's and Buildah's command lines, and what they say."""

from __future__ import annotations

from pathlib import Path

import pytest

from envfreeze.engines.driven import failing
from envfreeze.engines.driven.model import Request
from envfreeze.engines.driven.secrets import Secret
from envfreeze.engines.podman import command, program
from envfreeze.engines.podman.program import Program
from envfreeze.engines.podman.words import Build
from envfreeze.errors import MachineError, UsageError
from envfreeze.oci.platform import Platform

AMD = Platform.parse("linux/amd64")
NEW = Program("podman", "5.8.6", "1.43.2", rewrites=True, images=Path("/images"))
OLD = Program("buildah", "1.33.0", "1.33.0", rewrites=False, images=None)


def words(which: Program, **said) -> list[str]:
    request = Request(Path("/folder"), "Dockerfile", (AMD,), **said)
    return command.image(which, request, AMD, Path("/context"), Path("/id"), ["--ulimit", "nofile=1:1"])


def value(of: list[str], option: str) -> list[str]:
    return [of[at + 1] for at, word in enumerate(of) if word == option]


def test_times_are_clamped_where_the_program_can_and_set_where_it_cannot():
    assert "--rewrite-timestamp" in words(NEW)
    assert value(words(NEW), "--source-date-epoch") == ["315619200"]
    assert value(words(OLD), "--timestamp") == ["315619200"]
    assert value(words(OLD), "--build-arg") == ["SOURCE_DATE_EPOCH=315619200"]


def test_nothing_of_the_program_s_version_is_in_the_image_and_nothing_is_taken_from_a_cache():
    assert {"--identity-label=false", "--no-cache", "--layers"} <= set(words(NEW))
    assert "--no-cache" not in words(NEW, cache_from=("r.example/c",))
    assert value(words(NEW, cache_from=("r.example/c",)), "--cache-from") == ["r.example/c"]


def test_all_that_is_said_is_handed_on():
    found = words(NEW, stage="made", secrets=(Secret("t", Path("/t"), None, "s3cret"),), network="none")

    assert value(found, "--target") == ["made"]
    assert value(found, "--secret") == ["id=t,src=/t"]
    assert value(found, "--network") == ["none"]
    assert value(found, "--ulimit") == ["nofile=1:1"]
    assert found[-1] == "/context"


def test_a_storage_is_the_build_s_own_and_reads_the_user_s_images():
    assert command.storage(NEW, Path("/s"))[:5] == ["podman", "--root", "/s/root", "--runroot", "/s/run"]
    assert "additionalimagestore=/images" in command.storage(NEW, Path("/s"))
    assert command.storage(OLD, Path("/s")) == ["buildah", "--root", "/s/root", "--runroot", "/s/run"]


def test_an_image_is_exported_in_one_form():
    assert " ".join(command.export("sha256:1", Path("/into"))) == (
        "push --quiet --format oci --compression-format gzip --compression-level 6 --force-compression "
        "sha256:1 oci:/into"
    )


class Log:
    def clean(self, text: str) -> str:
        return text

    def line(self, text: str) -> None:
        pass


class Shown:
    def __init__(self) -> None:
        self.tasks: list[str] = []
        self.steps: list[str] = []
        self.over = 0

    def task(self, description: str) -> Shown:
        self.tasks.append(description)
        return self

    def finish(self) -> None:
        self.over += 1

    def step(self, text: str) -> None:
        self.steps.append(text)


@pytest.fixture
def shown():
    return Shown()


def test_steps_are_tasks_one_after_the_other(shown):
    build = Build(Log(), shown)
    for line in ("[1/2] STEP 1/2: FROM scratch AS base\n", "STEP 2/2: RUN make\n", "--> 0123\n"):
        build.line(line)
    build.close()

    assert shown.tasks == ["[1/2] 1/2 FROM scratch AS base", "2/2 RUN make"]
    assert shown.steps == [" => [1/2] 1/2 FROM scratch AS base", " => 2/2 RUN make"]
    assert shown.over == 2


def test_of_a_failure_the_step_the_reason_and_the_last_lines_are_known(shown):
    build = Build(Log(), shown)
    for line in (
        "STEP 2/2: RUN make\n",
        "no rule\n",
        'Error: building at STEP "RUN make": while running runtime: exit status 2\n',
    ):
        build.line(line)

    assert build.failure == ("RUN make", "while running runtime: exit status 2", ("no rule",))
    error = failing.failure("podman", *build.failure, Path("/log"))
    assert error.message == "podman: the step RUN make failed: exit status 2"
    assert error.details == ("no rule",)
    assert error.hint == "the whole log is in /log"


def test_a_failure_without_a_step_has_its_reason(shown):
    build = Build(Log(), shown)
    build.line("Error: no space left on device\n")

    assert failing.failure("buildah", *build.failure, Path("/l")).message == (
        "buildah failed: no space left on device"
    )


def test_a_long_step_is_shown_short():
    assert len(failing.short("RUN " + "x \\\n" * 300)) <= 100


def test_a_program_that_is_not_there_is_said(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(MachineError, match="the engine podman needs the program podman") as caught:
        program.find("podman")
    assert "--engine native" in caught.value.hint


def test_a_platform_without_emulation_is_refused():
    foreign = next(one for one in map(Platform.parse, Platform.SUPPORTED) if one != Platform.host())
    if any(program._BINFMT.glob(f"*{foreign.machine}*")):
        pytest.skip("this machine emulates it")

    program.check_platforms((Platform.host(),))
    with pytest.raises(UsageError, match=f"no emulation of {foreign}"):
        program.check_platforms((Platform.host(), foreign))
