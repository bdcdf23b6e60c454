"""Where a project's settings come from, and what they are without any."""

from __future__ import annotations

import json
import socket
from pathlib import Path

import pytest

from envfreeze.errors import MachineError, UsageError
from envfreeze.oci.platform import Platform
from envfreeze.project.load import CONFIGURATION, load
from envfreeze.project.model import GpuSettings
from envfreeze.project.template import find_configuration

PROJECT = """
[project]
name = "mine"
version = "1"
dependencies = ["numpy>=2", "torch; sys_platform == 'linux'"]
"""


def test_a_folder_with_only_requirements_works(folder):
    folder.write("requirements.txt", "numpy\n")
    project = folder.load()
    assert project.source is None
    assert project.name == "demo"
    assert project.pip.requirements == ("requirements.txt",)
    assert project.pip.dependencies == ()
    assert project.inputs["requirements.txt"] == b"numpy\n"


def test_a_folder_with_only_pyproject_works(folder):
    folder.write("pyproject.toml", PROJECT + 'requires-python = ">=3.11"\n')
    project = folder.load()
    assert project.source is None
    assert project.name == "mine"
    assert project.requires_python == ">=3.11"
    assert project.pip.requirements == ()
    assert project.pip.dependencies == ("numpy>=2", "torch; sys_platform == 'linux'")
    assert list(project.inputs) == [CONFIGURATION]


def test_defaults(folder):
    folder.write("requirements.txt")
    project = folder.load()
    assert project.root == folder.root.resolve()
    assert project.requires_python is None
    image = project.image
    assert (image.base, image.python, image.platforms) == (
        "apt:debian/trixie",
        None,
        (Platform("linux", "amd64"),),
    )
    assert (image.env, image.packages, image.mirror, image.include) == ({}, (), None, ())
    assert (image.user, image.workdir, image.entrypoint, image.cmd, image.labels) == (
        None,
        "/app",
        None,
        None,
        {},
    )
    assert project.apt == ()
    assert project.pip.index_url is None
    assert project.pip.extra_index_urls == project.pip.find_links == project.pip.constraints == ()
    assert project.pip.exclude_newer is None
    assert project.entropy.seed is None
    assert project.record.stores == ("notes",)


def test_every_key_arrives(folder):
    for name in ("base.in", "limits.txt", "keys/example.gpg", "train.py", "src/a.py", "wheels/readme"):
        folder.write(name, name)
    folder.write("base.in", "numpy")
    folder.write("limits.txt", "numpy<3")
    folder.write(
        "envfreeze.toml",
        """
        [image]
        base = "apt:ubuntu/noble"
        python = "3.12"
        platform = ["linux/arm64", "linux/amd64"]
        env = { OMP_NUM_THREADS = "8" }
        packages = ["git", "libstdc++6"]
        mirror = "http://mirror.example.org/ubuntu"
        include = ["./src/", "train.py"]
        user = "1000:100"
        workdir = "/work/"
        entrypoint = ["python"]
        cmd = ["train.py", ""]
        labels = { "org.opencontainers.image.title" = "demo" }
        [[apt]]
        url = "https://apt.example.org/"
        suite = "noble"
        key = "keys/example.gpg"
        [pip]
        requirements = ["base.in"]
        index-url = "https://example.org/simple"
        extra-index-url = "https://example.org/extra"
        find-links = ["wheels/", "https://example.org/wheels.html"]
        constraints = ["limits.txt"]
        exclude-newer = 2026-09-12T08:00:00+02:00
        resolver = "uv"
        [entropy]
        seed = 7
        [record]
        store = ["notes"]
        """,
    )
    project = folder.load()
    image = project.image
    assert project.source == "envfreeze.toml"
    assert (image.base, image.python) == ("apt:ubuntu/noble", "3.12")
    assert image.platforms == (Platform("linux", "arm64"), Platform("linux", "amd64"))
    assert image.env == {"OMP_NUM_THREADS": "8"}
    assert image.packages == ("git", "libstdc++6")
    assert image.mirror == "http://mirror.example.org/ubuntu"
    assert image.include == ("src", "train.py")
    assert (image.user, image.workdir) == ("1000:100", "/work")
    assert (image.entrypoint, image.cmd) == (("python",), ("train.py", ""))
    assert image.labels == {"org.opencontainers.image.title": "demo"}
    (archive,) = project.apt
    assert (archive.url, archive.suite) == ("https://apt.example.org/", "noble")
    assert (archive.components, archive.key) == (("main",), "keys/example.gpg")
    pip = project.pip
    assert (pip.requirements, pip.constraints) == (("base.in",), ("limits.txt",))
    assert pip.index_url == "https://example.org/simple"
    assert pip.extra_index_urls == ("https://example.org/extra",)
    assert pip.find_links == ("wheels/", "https://example.org/wheels.html")
    assert pip.exclude_newer.isoformat() == "2026-09-12T06:00:00+00:00"
    assert project.entropy.seed == 7
    assert set(project.inputs) == {"base.in", "limits.txt", "keys/example.gpg", CONFIGURATION}


def test_the_same_keys_under_tool_envfreeze(folder):
    folder.write("pyproject.toml", PROJECT + '[tool.envfreeze.image]\npython = "3.13"\n')
    project = folder.load()
    assert project.source == "pyproject.toml"
    assert project.image.python == "3.13"


def test_two_configurations_are_refused_by_both_names(folder):
    folder.write("pyproject.toml", PROJECT + '[tool.envfreeze.image]\npython = "3.13"\n')
    folder.write("envfreeze.toml", "[entropy]\nseed = 1\n")
    message = folder.refused().message
    assert "envfreeze.toml" in message
    assert "pyproject.toml" in message


@pytest.mark.parametrize("empty", ["", "# only a comment\n"])
def test_an_empty_envfreeze_toml_does_not_compete(folder, empty):
    folder.write("pyproject.toml", PROJECT + "[tool.envfreeze.entropy]\nseed = 1\n")
    folder.write("envfreeze.toml", empty)
    assert folder.load().entropy.seed == 1


def test_an_empty_table_does_not_compete_either(folder):
    folder.write("pyproject.toml", PROJECT + "[tool.envfreeze]\n")
    folder.write("envfreeze.toml", "[entropy]\nseed = 1\n")
    assert folder.load().source == "envfreeze.toml"


def test_project_dependencies_come_before_requirements_files(folder):
    folder.write("pyproject.toml", PROJECT)
    folder.write("requirements.txt", "other\n")
    assert folder.load().pip.requirements == ()


def test_a_project_that_says_nothing_of_dependencies_leaves_them_to_requirements(folder):
    folder.write("pyproject.toml", '[project]\nname = "mine"\nversion = "1"\n')
    folder.write("requirements.txt", "numpy\n")
    assert folder.load().pip.requirements == ("requirements.txt",)


def test_a_project_without_any_dependency_has_none(folder):
    folder.write("pyproject.toml", '[project]\nname = "mine"\nversion = "1"\n')
    pip = folder.load().pip
    assert pip.requirements == pip.dependencies == ()


def test_requirements_txt_comes_before_requirements_in(folder):
    folder.write("requirements.in", "a")
    assert folder.load().pip.requirements == ("requirements.in",)
    folder.write("requirements.txt", "a==1")
    assert folder.load().pip.requirements == ("requirements.txt",)


def test_pyproject_for_tools_only_is_no_source(folder):
    folder.write("pyproject.toml", "[tool.ruff]\nline-length = 100\n")
    assert "[project]" in folder.refused().message
    folder.write("requirements.txt", "numpy\n")
    assert folder.load().pip.requirements == ("requirements.txt",)


def test_an_empty_list_of_requirements_means_none(configured):
    pip = configured("[pip]\nrequirements = []\n").load().pip
    assert pip.requirements == pip.dependencies == ()


def test_a_folder_that_says_nothing(folder):
    error = folder.refused()
    for name in ("pyproject.toml", "requirements.txt", "requirements.in"):
        assert name in error.message
    assert "envfreeze init" in error.hint
    assert "requirements.txt" in error.hint
    assert error.details == ()


@pytest.mark.parametrize(
    ("name", "content", "way"),
    [
        ("Pipfile", "", "`pipenv lock`"),
        ("setup.py", "", "name the folder, `.`, in requirements.txt"),
        ("pyproject.toml", '[tool.poetry]\nname = "x"\n', "`poetry lock`"),
    ],
)
def test_what_is_there_and_not_read_is_named_with_the_way_out(folder, name, content, way):
    folder.write(name, content)
    error = folder.refused()
    (detail,) = error.details
    assert detail.startswith(name)
    assert way in detail
    assert "poetry.lock" in error.message


def test_a_missing_folder(tmp_path):
    with pytest.raises(UsageError, match="does not exist"):
        load(tmp_path / "nowhere")


def test_a_file_in_place_of_the_folder(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="is not a folder"):
        load(tmp_path / "file")


def test_the_root_is_absolute_and_without_links(folder, tmp_path, monkeypatch):
    folder.write("requirements.txt")
    (tmp_path / "link").symlink_to("demo")
    monkeypatch.chdir(tmp_path)
    assert load(Path("link")).root == folder.root.resolve()


@pytest.mark.parametrize("name", ["envfreeze.toml", "pyproject.toml"])
@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"[image\n", "is not valid TOML"),
        (b"a = 1\na = 2\n", "is not valid TOML"),
        (b"a = '\xff'\n", "is not UTF-8 text, at byte 5"),
        (b"a = " + b"9" * 5000, "is not valid TOML"),
        (b"a = " + b"[" * 100_000, "TOML"),
    ],
)
def test_a_broken_file_is_named(folder, name, content, words):
    folder.write("requirements.txt")
    folder.write(name, content)
    message = folder.refused().message
    assert message.startswith(name)
    assert words in message or "nested too deeply" in message


def test_a_folder_named_as_the_configuration(folder):
    (folder.root / "envfreeze.toml").mkdir()
    assert folder.refused().message == "envfreeze.toml is a folder, not a file"


def test_an_unreadable_file_is_this_machines_fault(folder, monkeypatch):
    monkeypatch.chdir(folder.root)  # names of sockets are short
    with socket.socket(socket.AF_UNIX) as endpoint:
        endpoint.bind("envfreeze.toml")  # not even root can open it as a file
        with pytest.raises(MachineError, match=r"envfreeze\.toml cannot be read"):
            folder.load()


def test_find_configuration(folder):
    assert find_configuration(folder.root) is None
    folder.write("pyproject.toml", "[tool.ruff]\n")
    assert find_configuration(folder.root) is None
    folder.write("pyproject.toml", "[tool.envfreeze]\n")
    assert find_configuration(folder.root) == folder.root / "pyproject.toml"
    folder.write("envfreeze.toml", "")
    assert find_configuration(folder.root) == folder.root / "envfreeze.toml"


def test_tool_envfreeze_that_is_no_table(folder):
    folder.write("requirements.txt")
    for value in ("1", "[]", '""', "false"):
        folder.write("pyproject.toml", f"[tool]\nenvfreeze = {value}\n")
        assert folder.refused().message == "pyproject.toml: tool.envfreeze must be a table"


def effective(folder):
    return json.loads(folder.load().inputs[CONFIGURATION])


def test_the_effective_configuration_has_the_defaults(folder):
    folder.write("requirements.txt", "numpy\n")
    assert effective(folder) == {
        "apt": [],
        "entropy": {"seed": None},
        "image": {
            "base": "apt:debian/trixie",
            "cmd": None,
            "entrypoint": None,
            "env": {},
            "include": [],
            "labels": {},
            "packages": [],
            "platform": ["linux/amd64"],
            "python": None,
            "user": None,
            "workdir": "/app",
        },
        "pip": {
            "constraints": [],
            "dependencies": [],
            "exclude-newer": None,
            "extra-index-url": [],
            "find-links": [],
            "index-url": [],
            "requirements": ["requirements.txt"],
            "resolver": "uv",
        },
        "python": {"requires": None},
    }


def test_the_effective_configuration_is_canonical(configured):
    data = configured('[image]\nlabels = { b = "ä", a = "1" }\n').load().inputs[CONFIGURATION]
    assert '"labels":{"a":"1","b":"ä"}'.encode() in data
    assert b"\n" not in data


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("", "[image]\nbase = 'apt:debian/trixie'\nplatform = ['linux/amd64']\n"),
        ("", "[image]\nmirror = 'http://mirror.example.org/debian'\n"),
        ("", "[record]\nstore = ['notes']\n"),
        ("[image]\npackages = ['git', 'curl']\n", "[image]\npackages = ['curl', 'git']\n"),
        ("[image]\ninclude = ['./a/']\n", "[image]\ninclude = ['a']\n"),
        ("[image]\nworkdir = '/x/'\n", "[image]\nworkdir = '/x'\n"),
        (
            "[pip]\nindex-url = 'https://a:b@example.org/'\n",
            "[pip]\nindex-url = 'https://c:d@example.org/'\n",
        ),
        ("[pip]\nexclude-newer = 2026-01-31\n", "[pip]\nexclude-newer = '2026-02-01T01:00:00+01:00'\n"),
    ],
)
def test_what_changes_nothing_is_no_drift(configured, one, other):
    first = configured(one)
    first.write("a/file")
    before = first.load().inputs
    assert configured(other).load().inputs == before


@pytest.mark.parametrize(
    "change",
    [
        "[image]\npython = '3.13'\n",
        "[image]\ncmd = ['x']\n",
        "[image]\ncmd = []\n",
        "[image]\ninclude = ['requirements.txt']\n",
        "[image]\nplatform = 'linux/arm64'\n",
        "[entropy]\nseed = 0\n",
        "[pip]\nindex-url = 'https://example.org/'\n",
    ],
)
def test_what_shapes_the_image_is_an_input(configured, change):
    before = configured("").load().inputs
    assert configured(change).load().inputs != before


def test_other_tables_of_pyproject_are_no_input(folder):
    folder.write("pyproject.toml", PROJECT)
    before = folder.load().inputs
    folder.write("pyproject.toml", PROJECT + 'description = "x"\n[tool.ruff]\nline-length = 80\n')
    assert folder.load().inputs == before


def test_gpu_settings_are_read_and_are_an_input_only_where_they_are_written(folder):
    folder.write("requirements.txt")
    without = folder.load()
    assert without.gpu is None
    assert b'"gpu"' not in without.inputs[CONFIGURATION]
    folder.write("envfreeze.toml", "[gpu]\n")
    assert folder.load().gpu is None
    folder.write("envfreeze.toml", "[gpu]\ndriver = '>=550.54'\ngpus = ['H100', '8.0']\n")
    project = folder.load()
    assert project.gpu == GpuSettings("550.54", ("H100", "8.0"), None)
    folder.write("envfreeze.toml", "[gpu]\ndriver = '550.54'\ngpus = ['8.0', 'H100']\n")
    assert folder.load().inputs == project.inputs
