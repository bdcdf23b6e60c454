"""The envfreeze.toml that `envfreeze init` starts a project with."""

from __future__ import annotations

import re
import tomllib

import pytest

from envfreeze.project.template import template
from envfreeze.project.validation import Written, check
from envfreeze.replacing import replace

PROJECT = '[project]\nname = "mine"\nversion = "1"\n'

FOLDERS = {
    "nothing": {},
    "requirements.txt": {"requirements.txt": "numpy\n", "train.py": "", "src/mine/__init__.py": ""},
    "requirements.in": {"requirements.in": "numpy\n", "eval.py": "", "setup.py": ""},
    "a file under another name": {"requirements-gpu.txt": "torch\n"},
    "files under other names": {"requirements/base.txt": "torch\n", "dev-requirements.in": "ruff\n"},
    "pyproject": {"pyproject.toml": PROJECT + 'dependencies = ["numpy"]\n'},
    "extras and groups": {
        "pyproject.toml": PROJECT
        + 'dependencies = []\n[project.optional-dependencies]\nplots = ["matplotlib"]\n'
        + '[dependency-groups]\ndev = ["ruff"]\n"odd name" = []\n'
    },
    "dynamic": {"pyproject.toml": PROJECT + 'dynamic = ["dependencies"]\n', "requirements.txt": "numpy\n"},
    "names that need care": {"requirements.txt": "", 'a"b.py': "", "ünï.py": "", "a\nb.py": "", "ok.py": ""},
    "odd pyproject": {"pyproject.toml": "project = 1\ndependency-groups = 2\n"},
    "written by lock": {"requirements.lock.txt": "numpy==2.0\n"},
}


def fill(folder, files):
    for name, content in files.items():
        folder.write(name, content)


def uncommented(text):
    return re.sub(r"(?m)^# (?=[a-z-]+ = )", "", text)


@pytest.mark.parametrize("files", FOLDERS.values(), ids=FOLDERS)
def test_it_is_a_configuration_with_and_without_its_comments(folder, files):
    fill(folder, files)
    for text in (template(folder.root), uncommented(template(folder.root))):
        check(Written("envfreeze.toml", "", tomllib.loads(text)))
    assert tomllib.loads(uncommented(template(folder.root)))["entropy"] == {"seed": 0}


@pytest.mark.parametrize("name", ["requirements.txt", "requirements.in", "pyproject", "extras and groups"])
def test_it_changes_nothing_where_the_folder_works_without(folder, name):
    fill(folder, FOLDERS[name])
    before = folder.load()
    folder.write("envfreeze.toml", template(folder.root))
    after = folder.load()
    assert after == replace(before, source="envfreeze.toml")


@pytest.mark.parametrize(
    ("name", "file"), [("dynamic", "requirements.txt"), ("a file under another name", "requirements-gpu.txt")]
)
def test_it_makes_a_folder_work_that_does_not_without(folder, name, file):
    fill(folder, FOLDERS[name])
    folder.refused()
    folder.write("envfreeze.toml", template(folder.root))
    assert folder.load().pip.requirements == (file,)


def test_it_does_not_choose_between_files(folder):
    fill(folder, FOLDERS["files under other names"])
    assert '\n# requirements = ["dev-requirements.in", "requirements/base.txt"]\n' in template(folder.root)


def test_it_does_not_take_the_lock_for_a_source(folder):
    fill(folder, FOLDERS["written by lock"])
    assert "lock.txt" not in template(folder.root)


def test_it_names_what_the_folder_has(folder):
    fill(folder, FOLDERS["requirements.txt"])
    assert '\n# include = ["src/", "train.py"] ' in template(folder.root)
    assert '\n# cmd = ["python", "train.py"]\n' in template(folder.root)
    assert "extras" not in template(folder.root)
    fill(folder, FOLDERS["extras and groups"])
    assert '\n# extras = ["plots"]\n# groups = ["dev"]\n' in template(folder.root)


def test_it_leaves_names_out_that_need_care(folder):
    fill(folder, FOLDERS["names that need care"])
    assert '\n# include = ["ok.py"] ' in template(folder.root)
    assert '\n# cmd = ["python", "ok.py"]\n' in template(folder.root)
