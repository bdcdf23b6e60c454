"""What the options of a command cost."""

from __future__ import annotations

import subprocess
import sys

import pytest

ASK = """
import sys
from envfreeze.cli.main import main
main(sys.argv[1:])
print("pydantic" in sys.modules, file=sys.stderr)
"""


@pytest.mark.parametrize("words", [["cache", "info"], ["lock", "--offline", "--quiet"]])
def test_an_option_without_a_value_costs_no_validator(words, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ENVFREEZE_CACHE", str(tmp_path / "cache"))
    done = subprocess.run([sys.executable, "-c", ASK, *words], check=False, capture_output=True, text=True)
    assert done.stderr.splitlines()[-1] == "False"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["build", "--workers", "0"], "--workers"),
        (["build", "--workers", "many"], "--workers"),
        (["lock", "--project", "nowhere"], "nowhere"),
    ],
)
def test_an_option_with_a_value_is_checked(words, said, tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "envfreeze", *words], cwd=tmp_path, check=False, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert said in done.stderr
