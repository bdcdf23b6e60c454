"""Wrong use ends in exit code 2 and a line that says what to do; help and version end in 0."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from envfreeze import __version__

HEAVY = {"httpx", "uv", "debian", "pysequoia", "zstandard", "isal", "deflate", "rich", "pydantic"}


def test_help_loads_nothing_heavy():
    probe = (
        "import json, sys; from envfreeze.cli.main import main; main(['--help']);"
        "print(json.dumps(sorted({name.partition('.')[0] for name in sys.modules})), file=sys.stderr)"
    )
    process = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert "Usage: envfreeze" in process.stdout
    assert HEAVY.isdisjoint(json.loads(process.stderr))


def test_help_is_there_at_once():
    def seconds() -> float:
        # Of the processor: how busy the machine is with other tests is no fault of the command.
        command = [sys.executable, "-m", "envfreeze", "--help"]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        return usage.ru_utime + usage.ru_stime

    assert min(seconds() for _ in range(5)) < 0.3


@pytest.mark.parametrize(
    "command",
    [
        "init",
        "lock",
        "build",
        "verify",
        "log",
        "schema",
        "cache",
        "cache info",
        "cache prune",
        "cache verify",
    ],
)
def test_every_command_has_help(envfreeze, command):
    ended = envfreeze(*command.split(), "--help")
    assert ended.code == 0
    assert f"Usage: envfreeze {command}" in ended.stdout


def test_the_version_is_one_line(envfreeze):
    assert envfreeze("--version").stdout == f"envfreeze {__version__}\n"
    assert envfreeze("--version", "--json").document == {"version": __version__}


def test_no_command_shows_the_help_as_an_error(envfreeze):
    ended = envfreeze()
    assert (ended.code, ended.stdout) == (2, "")
    assert "Usage: envfreeze" in ended.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["biuld"], "No such command 'biuld'"),
        (["build", "--jsno"], "No such option: --jsno"),
        (["build", "--platform", "linux/mips"], "unknown platform 'linux/mips'; known are linux/amd64"),
        (["build", "--workers", "0"], "'--workers' / '-j'"),
        (["verify"], "Missing argument 'IMAGE'"),
        (["verify", "sha256:abc"], "not a sha256 digest: 'sha256:abc'"),
        (["verify", "a" * 64, "--against", "nowhere"], "nowhere"),
        (["log", "latest"], "'DIGEST': not a sha256 digest: 'latest'"),
        (["-C", "nowhere", "build"], "nowhere"),
        (["lock", "--check", "--outdated"], "--check and --outdated are two questions"),
        (["lock", "--check", "--upgrade"], "--check and --outdated write nothing"),
        (["lock", "--outdated", "--upgrade-package", "numpy"], "--check and --outdated write nothing"),
        (["lock", "--outdated", "--seal"], "--seal goes with"),
        (["lock", "--outdated", "--offline"], "cannot be --offline"),
        (["cache", "prune", "--max-size", "plenty"], "not a size: 'plenty'"),
    ],
)
def test_wrong_use_is_exit_code_2_and_named(envfreeze, arguments, message):
    ended = envfreeze(*arguments)
    assert (ended.code, ended.stdout) == (2, "")
    assert ended.stderr.startswith("error: ")
    assert message in ended.stderr
    assert "Traceback" not in ended.stderr

    document = envfreeze("--json", *arguments).document
    assert set(document) == {"error"}
    assert set(document["error"]) == {"message", "hint", "details", "exit_code"}
    assert message in document["error"]["message"]
    assert document["error"]["exit_code"] == 2


def test_a_misspelt_command_is_put_right(envfreeze):
    assert "Did you mean 'build'?" in envfreeze("biuld").stderr


def test_shared_options_stand_before_or_after_the_command(envfreeze, tmp_path):
    project = tmp_path / "there"
    project.mkdir()
    (project / "requirements.txt").write_text("")
    before = envfreeze("--json", "--quiet", "-C", "there", "init")
    assert before.document == {"written": str(project / "envfreeze.toml")}
    after = envfreeze("init", "--json", "--quiet", "-C", "there")
    assert after.document == {"written": None}
    assert after.stderr == ""


def test_the_schema_is_json_either_way(envfreeze):
    plain = envfreeze("schema")
    assert json.loads(plain.stdout) == envfreeze("schema", "--json").document
    assert plain.stderr == ""
