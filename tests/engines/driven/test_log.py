"""An engine's log: kept, shown, and without secrets."""

from __future__ import annotations

import pytest

from envfreeze.engines.driven import log
from envfreeze.errors import MachineError
from envfreeze.progress import SILENT


class Shown:
    def __init__(self):
        self.lines = []

    def detail(self, text):
        self.lines.append(text)


def test_lines_are_kept_and_shown_without_secrets_credentials_and_control_characters(tmp_path):
    shown = Shown()
    with log.opened(tmp_path, "docker", ("s3cret",), shown) as opened:
        opened.line("\x1b[31mred\x1b[0m s3cret https://ada:pw@example.org/x\n")
        opened.line("")

    assert shown.lines == ["red *** https://***@example.org/x", ""]
    assert opened.path.read_text() == "red *** https://***@example.org/x\n\n"


def test_a_lone_surrogate_is_written(tmp_path):
    with log.opened(tmp_path, "docker", (), SILENT) as opened:
        opened.line("a\udce4b")

    assert opened.path.read_text() == "a\\udce4b\n"


def test_two_builds_in_one_second_have_two_logs_and_old_ones_go(tmp_path):
    for _ in range(log.KEPT + 3):
        with log.opened(tmp_path, "docker", (), SILENT) as opened:
            opened.line("a")

    left = list(tmp_path.iterdir())
    assert len(left) == log.KEPT
    assert opened.path in left


def test_a_folder_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "file").touch()

    with (
        pytest.raises(MachineError, match="no log can be written"),
        log.opened(tmp_path / "file", "x", (), SILENT),
    ):
        pass
