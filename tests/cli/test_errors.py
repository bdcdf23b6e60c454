"""Whatever goes wrong becomes a message, a hint and an exit code."""

from __future__ import annotations

import errno

import pytest
import typer

from envfreeze import errors
from envfreeze.cli.errors import failure


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.AnswerIsNoError, 1),
        (errors.UsageError, 2),
        (errors.ResolutionError, 3),
        (errors.NetworkError, 4),
        (errors.UntrustedError, 6),
        (errors.MachineError, 7),
    ],
)
def test_an_error_of_ours_brings_its_own_code_and_words(kind, code):
    end = failure(kind("numpy is not there", hint="envfreeze lock", details=("one", "two")))
    assert end.document() == {
        "error": {
            "message": "numpy is not there",
            "hint": "envfreeze lock",
            "details": ["one", "two"],
            "exit_code": code,
        },
    }


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (errno.ENOSPC, "no space left on the disk"),
        (errno.EDQUOT, "no space left on the disk"),
        (errno.EACCES, "permission denied"),
        (errno.EROFS, "the file system is read-only"),
        (errno.EMFILE, "too many open files"),
        (errno.EIO, "Input/output error"),
    ],
)
def test_what_the_machine_refuses_is_exit_code_7_and_names_the_file(number, words):
    end = failure(OSError(number, "Input/output error", "/data/blob"))
    assert end.exit_code == 7
    assert end.message == f"{words}: /data/blob"
    assert not end.bug


def test_an_operating_system_error_without_words_still_says_something():
    assert failure(OSError()).message == "OSError"
    assert failure(TimeoutError("timed out")).message == "timed out"


def test_an_interrupt_is_130():
    assert failure(KeyboardInterrupt()).exit_code == 130
    assert failure(typer.Abort()).exit_code == 130


def test_a_bug_is_called_one_and_is_not_a_no():
    end = failure(KeyError("layers"))
    assert end.bug
    assert end.exit_code == 70
    assert end.message == "this is a bug in envfreeze: KeyError: 'layers'"
