"""What is known of uv's command line, asked of uv itself."""

from __future__ import annotations

import re
import subprocess

from uv import find_uv_bin

from envfreeze.locking.manylinux import UV_LEVELS
from envfreeze.locking.uv import _clean, _error
from envfreeze.oci.platform import Platform


def test_the_table_of_levels_is_that_of_uv() -> None:
    said = subprocess.run(
        [find_uv_bin(), "pip", "compile", "--help"], capture_output=True, text=True, check=True
    ).stdout
    for platform in Platform.SUPPORTED:
        machine = Platform.parse(platform).machine
        known = {int(level) for level in re.findall(rf"\b{machine}-manylinux_2_(\d+)\b", said)}
        # A newer uv may know more; what the table names, it must know.
        assert known >= set(UV_LEVELS)
        assert {level for level in known if level <= UV_LEVELS[-1]} == set(UV_LEVELS)


def test_colours_noise_and_credentials_are_cleaned_away() -> None:
    said = (
        "\x1b[33mwarning\x1b[0m: The requested Python version 3.13.5 is not available; 3.11 will be used\n"
        "\x1b[31merror\x1b[0m: Failed to fetch https://me:p%40ss@index.example.org/simple/a/\n"
        "  cause: see `https://token@index.example.org/b` and http://me:p@ss@example.org\n"
    )
    error = _error(2, _clean(said), keyring=False)
    assert error.message.endswith("Failed to fetch https://index.example.org/simple/a/")
    assert error.details == ("see `https://index.example.org/b` and http://example.org",)
    assert error.exit_code == 4


def test_a_failed_build_is_told_without_its_traceback() -> None:
    said = (
        "error: Failed to build `old==1.4`\n"
        "  cause: The build backend returned an error\n\n"
        "         [stderr]\n         Traceback (most recent call last):\n"
        '           File "<string>", line 1, in <module>\n'
        "         ModuleNotFoundError: No module named 'distutils'\n\n"
        "hint: Build failures usually indicate a problem with the package\n"
    )
    error = _error(1, _clean(said), keyring=False)
    assert error.message.startswith("old==1.4 has no wheel for the target")
    assert error.details == ("ModuleNotFoundError: No module named 'distutils'",)
    assert error.exit_code == 3


def test_a_killed_uv_is_the_machine() -> None:
    assert _error(-9, "", keyring=False).message == "uv was ended by SIGKILL"
