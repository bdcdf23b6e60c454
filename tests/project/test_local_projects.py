"""Local projects among the requirements are inputs of the lock."""

from __future__ import annotations

import pytest

from envfreeze.project.load import CONFIGURATION


@pytest.fixture
def inner(folder):
    folder.write("inner/pyproject.toml", '[project]\nname = "inner"\nversion = "1"\n')
    folder.write("inner/inner.py", "x = 1\n")
    return folder


@pytest.mark.parametrize(
    "line", ["-e ./inner", "-e inner", "./inner[more]", "inner @ ./inner", "./inner ; python_version > '3'"]
)
def test_their_files_are_inputs(inner, line):
    inner.write("requirements.txt", f"{line}\n")
    inputs = inner.load().inputs
    assert set(inputs) == {CONFIGURATION, "requirements.txt", "<folder inner>"}
    assert [row.split()[2] for row in inputs["<folder inner>"].decode().splitlines()] == [
        "inner.py",
        "pyproject.toml",
    ]
    inner.write("inner/inner.py", "x = 2\n")
    assert inner.load().inputs["<folder inner>"] != inputs["<folder inner>"]


def test_the_project_itself_may_be_one_and_its_lock_does_not_count(inner):
    inner.write("setup.py", "")
    inner.write("requirements.txt", "-e .\n")
    before = inner.load().inputs
    inner.write("envfreeze.lock", "x")
    inner.write("pylock.toml", "x")
    inner.write("build/lib/x.py", "x")
    assert inner.load().inputs == before
    assert "<folder .>" in before


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("-e ./gone", "requirements.txt, line 1: ./gone does not exist"),
        ("..", "requirements.txt, line 1: .. leads out of the project"),
        ("./empty", "./empty has neither pyproject.toml nor setup.py"),
        ("-e ~/inner", "~/inner depends on who reads it"),
        ("./${HOME}/x", "depends on who reads it"),
        ("x @ file:///nowhere/x.tar.gz", "/nowhere/x.tar.gz does not exist"),
    ],
)
def test_what_cannot_be_built_is_named_with_its_line(inner, line, words):
    inner.write("empty/x", "")
    inner.write("requirements.txt", f"{line}\n")
    assert words in inner.refused().message


def test_names_are_read_in_any_spelling_and_older_locks_stay_current(folder):
    folder.write("requirements.txt", "x\n")
    before = folder.load().inputs[CONFIGURATION]
    folder.write("envfreeze.toml", "[pip]\nallow-sdist = []\n")
    assert folder.load().inputs[CONFIGURATION] == before
    folder.write("envfreeze.toml", '[pip]\nallow-sdist = ["Foo_Bar", "*"]\nallow-unreproducible = ["X"]\n')
    project = folder.load()
    assert project.pip.allow_sdist == ("*", "foo-bar")
    assert project.pip.allow_unreproducible == ("x",)
    assert project.inputs[CONFIGURATION] != before
