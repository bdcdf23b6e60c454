"""What `[tool.uv]` says, `[[pip.index]]`, and which counts for more."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest

from envfreeze.oci import canonical
from envfreeze.project.load import CONFIGURATION
from envfreeze.project.model import Assignment, PipIndex

HEAD = '[project]\nname = "mine"\nversion = "1"\ndependencies = ["torch>=2", "numpy"]\n'


@pytest.fixture
def load(folder):
    def make(uv: str, own: str = ""):
        folder.write("pyproject.toml", HEAD + uv)
        folder.write("envfreeze.toml", own)
        return folder.load()

    return make


@pytest.fixture
def refused(folder):
    def make(uv: str, own: str = ""):
        folder.write("pyproject.toml", HEAD + uv)
        folder.write("envfreeze.toml", own)
        return folder.refused()

    return make


CUDA = '[[tool.uv.index]]\nname = "cu128"\nurl = "https://wheels.example.org/cu128"\nexplicit = true\n'


def test_a_package_is_assigned_to_an_index_in_uv_s_words(load):
    pip = load(
        CUDA + "[tool.uv.sources]\nTorch = { index = 'cu128', marker = \"sys_platform == 'linux'\" }\n"
    ).pip
    assert pip.indexes == (PipIndex("cu128", "https://wheels.example.org/cu128", explicit=True),)
    assert pip.assignments == (Assignment("torch", "cu128", "sys_platform == 'linux'"),)
    assert pip.dependencies == ("torch>=2", "numpy")


def test_and_in_envfreeze_s(load):
    own = (
        "[[pip.index]]\nname = 'cu128'\nurl = 'https://a.example.org'\n"
        "packages = ['Torch_Vision', 'nvidia-*']\n"
        "[[pip.index]]\nname = 'team'\nurl = 'https://b.example.org'\n"
        "[[pip.index]]\nname = 'all'\nurl = 'https://c.example.org'\ndefault = true\n"
    )
    pip = load(CUDA, own).pip
    assert pip.indexes == (
        PipIndex("cu128", "https://a.example.org", explicit=True),
        PipIndex("team", "https://b.example.org"),
    )
    assert pip.assignments == (Assignment("torch-vision", "cu128"), Assignment("nvidia-*", "cu128"))
    assert (pip.index_name, pip.index_url) == ("all", "https://c.example.org")


def test_envfreeze_s_own_keys_count_for_more(load):
    uv = (
        '[tool.uv]\nindex-url = "https://uv.example.org"\nextra-index-url = ["https://more.example.org"]\n'
        'exclude-newer = "2025-01-01T00:00:00Z"\n'
    )
    pip = load(uv).pip
    assert pip.index_url == "https://uv.example.org"
    assert pip.exclude_newer == datetime(2025, 1, 1, tzinfo=UTC)
    pip = load(uv, "[pip]\nindex-url = 'https://own.example.org'\nexclude-newer = '7 days'\n").pip
    assert pip.index_url == "https://own.example.org"
    assert pip.extra_index_urls == ("https://more.example.org",)
    assert (pip.exclude_newer, pip.exclude_newer_span) == (None, timedelta(days=7))


@pytest.mark.parametrize(
    ("source", "requirement"),
    [
        (
            "{ url = 'https://example.org/torch-2-py3-none-any.whl' }",
            "torch @ https://example.org/torch-2-py3-none-any.whl",
        ),
        (
            """[{ url = 'https://example.org/t.whl', marker = "platform_machine == 'x86_64'" },
            { index = 'cu128', marker = "platform_machine != 'x86_64'" }]""",
            "torch @ https://example.org/t.whl ; (platform_machine == 'x86_64')",
        ),
        ("{ path = 'wheels/torch-2-py3-none-any.whl' }", "torch @ ./wheels/torch-2-py3-none-any.whl"),
        ("{ index = 'cu128', extra = 'gpu' }", "torch>=2"),
    ],
    ids=["url", "marker", "path", "extra"],
)
def test_a_source_takes_the_place_of_the_index(source, requirement, load):
    project = load(CUDA + f"[tool.uv.sources]\ntorch = {source}\n")
    assert project.pip.dependencies[0] == requirement
    assert "numpy" in project.pip.dependencies


@pytest.mark.parametrize(
    ("uv", "words"),
    [
        ("[tool.uv.sources]\ntorch = { workspace = true }\n", "takes torch from the workspace"),
        (
            "[tool.uv.sources]\ntorch = [{ url = 'https://e.org', marker = \"os_name == 'nt'\" }]\n",
            "no source of torch applies to Python 3.9 on x86_64",
        ),
        ("[tool.uv.sources]\ntorch = { index = 'cu12' }\n", "an index that there is not: cu12"),
        ("[tool.uv.sources]\ntorch = { index = 1 }\n", "tool.uv.sources.torch.index has the wrong type"),
        ("[tool.uv.sources]\ntorch = {}\n", "must have one of index, url"),
        ("[tool.uv]\nindex = 1\n", "tool.uv.index must be a list of tables"),
        ("[[tool.uv.index]]\nname = 'a'\n", "tool.uv.index[0].url must be a URL"),
        ("[tool.uv]\nconstraint-dependencies = ['a b']\n", "constraint-dependencies[0] is not a requirement"),
        ("[tool.uv]\nresolution = 'newest'\n", "tool.uv.resolution must be highest or lowest"),
        ("[tool.uv]\nenvironments = ['linux']\n", "environments[0] is not an environment marker"),
        ("[tool.uv]\nexclude-newer = 7\n", "tool.uv.exclude-newer is not a date"),
        ("[tool.uv]\nexclude-newer = 'soon'\n", "tool.uv.exclude-newer is not in the calendar"),
        ("[tool.uv]\nexclude-newer-package = { a = '7 days' }\n", "would move with every lock"),
    ],
)
def test_a_wrong_value_is_named(uv, words, refused):
    error = refused(uv)
    assert words in error.message
    assert error.message.startswith("pyproject.toml: ")


@pytest.mark.parametrize(
    ("own", "words"),
    [
        (
            "index-url = 'https://a.e'\n[[pip.index]]\nname = 'b'\nurl = 'https://b.e'\ndefault = true",
            "second default",
        ),
        ("[[pip.index]]\nname = 'b'\nurl = 'https://b.example.org'\nexplicit = true", "has no packages"),
        (
            "index = [{ name = 'b', url = 'https://b.e' }, { name = 'b', url = 'https://c.e' }]",
            "stands there twice: b",
        ),
        ("index = [{ name = 'b' }]", "index[0].url is missing"),
        (
            "index = [{ name = 'b', url = 'https://b.e', package = ['a'] }]",
            "unknown key pip.index[0].package",
        ),
        ("index = [{ name = 'b', url = 'https://${NOT_SET_HERE}@b.e' }]", "NOT_SET_HERE, which is not set"),
        ("index = [1]", "must be a list of tables"),
    ],
)
def test_a_wrong_index_is_named(own, words, refused):
    assert words in refused("", f"[pip]\n{own}\n").message


def test_where_pythons_come_from_is_followed_and_no_input(load, refused):
    uv = (
        '[tool.uv]\npython-install-mirror = "https://mirror.example.org/pbs"\n'
        'python-downloads-json-url = "file:///srv/builds.json"\n'
    )
    project = load(uv)
    assert project.image.python_mirror == "https://mirror.example.org/pbs"
    assert project.image.python_index == "file:///srv/builds.json"
    assert project.warnings == ()
    assert project.inputs[CONFIGURATION] == load("").inputs[CONFIGURATION]
    own = load(uv, '[image]\npython-mirror = "https://own.example.org"\n').image
    assert (own.python_mirror, own.python_index) == ("https://own.example.org", "file:///srv/builds.json")
    error = refused('[tool.uv]\npython-install-mirror = "https://ada:sesame@example.org"\n')
    assert "tool.uv.python-install-mirror must be an http://" in error.message
    assert "sesame" not in f"{error.message}{error.hint}"


def test_keys_that_could_change_the_answer_are_warned_of_by_name(load):
    uv = (
        "[tool.uv]\nno-binary-package = ['torch']\nlink-mode = 'copy'\ndev-dependencies = []\n"
        "new-key-of-tomorrow = 1\npip = { torch-backend = 'cu128', annotation-style = 'line' }\n"
        "[[tool.uv.index]]\nname = 'a'\nurl = 'https://a.example.org'\nignore-error-codes = [403]\n"
    )
    assert load(uv).warnings == tuple(
        f"pyproject.toml: tool.uv.{key} is not followed: the lock may differ from uv's own"
        for key in (
            "no-binary-package",
            "new-key-of-tomorrow",
            "pip.torch-backend",
            "index[0].ignore-error-codes",
        )
    )


def test_every_setting_is_an_input_and_no_password_is(load, monkeypatch):
    monkeypatch.setenv("TOKEN", "s3cret")
    configurations = {
        load(uv, own).inputs[CONFIGURATION]
        for uv, own in (
            ("", ""),
            (CUDA, ""),
            (CUDA + "[tool.uv.sources]\ntorch = { index = 'cu128' }\n", ""),
            ("[tool.uv]\noverride-dependencies = ['numpy<2']\n", ""),
            ("[tool.uv]\nindex-strategy = 'unsafe-best-match'\n", ""),
            ("", "[pip]\nexclude-newer = '7 days'\n"),
            ("", "[pip]\nresolver = 'pip-tools'\n"),
            ("", "[pip]\nindex = [{ name = 'a', url = 'https://a:${TOKEN}@a.example.org' }]\n"),
        )
    }
    assert len(configurations) == 8
    assert not any(b"s3cret" in one or b"TOKEN" in one for one in configurations)


def test_a_project_without_these_keys_has_the_input_it_had_before(load):
    described = load("[tool.uv]\nlink-mode = 'copy'\n").inputs[CONFIGURATION]
    assert b'"index"' not in described
    assert b'"uv":' not in described
    assert described == canonical.dump(json.loads(described))


def test_no_index_leaves_find_links_alone_unless_envfreeze_names_one(load, folder):
    folder.write("wheels/README", "")
    uv = "[tool.uv]\nno-index = true\nfind-links = ['wheels']\n" + CUDA
    pip = load(uv).pip
    assert (pip.no_index, pip.indexes, pip.find_links) == (True, (), ("wheels",))
    pip = load(uv, "[pip]\nindex-url = 'https://a.example.org'\n").pip
    assert (pip.no_index, pip.index_url) == (False, "https://a.example.org")
