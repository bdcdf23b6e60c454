from __future__ import annotations

import logging
import warnings

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from envfreeze.errors import UsageError
from envfreeze.project.environment_yml import SELECTORS, parse, select
from envfreeze.project.load import load

WHOLE = """\
# The training environment.
name: train
channels:
  - https://conda.example.org/ml
  - conda-forge
  - nodefaults
platforms: [linux-64, linux-aarch64, osx-arm64]
variables:
  OMP_NUM_THREADS: 8
  MODE: "fast"
dependencies:
  - python=3.12.*=*_cpython
  - numpy >=1.2, <2
  - conda-forge::scipy
  - mkl            # [linux64]
  - openblas       # only here [aarch64]
  - appnope        # [osx]
  - pip
  - pip:
    - requests[socks]>=2
    - triton       # [linux64]
prefix: /home/ada/envs/train
"""


def specs(environment, subdir="linux-64"):
    return [spec.text for spec in environment.dependencies[subdir].specs]


def refused(text):
    with pytest.raises(UsageError) as caught:
        parse(text.encode(), "environment.yml")
    return caught.value


def test_a_whole_file():
    read = parse(WHOLE.encode(), "environment.yml")
    assert read.name == "train"
    assert read.channels == ("https://conda.example.org/ml", "conda-forge")
    assert read.platforms == ("linux-64", "linux-aarch64", "osx-arm64")
    assert read.variables == {"OMP_NUM_THREADS": "8", "MODE": "fast"}
    common = ["python=3.12.*=*_cpython", "numpy >=1.2, <2", "conda-forge::scipy"]
    assert specs(read) == [*common, "mkl", "pip"]
    assert specs(read, "linux-aarch64") == [*common, "openblas", "pip"]
    pip = read.dependencies["linux-64"].pip
    assert [(line.text, line.line) for line in pip] == [("requests[socks]>=2", 20), ("triton", 21)]
    assert read.dependencies["linux-64"].specs[3].line == 15


def test_a_pip_section_asks_for_pip():
    text = "dependencies:\n- python\n- pip:\n  - requests\n"
    assert specs(parse(text.encode(), "environment.yml")) == ["python", "pip"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("dependencies: [a\n", "environment.yml, line 2: not YAML"),
        ("- a\n", "environment.yml, line 1: the file must be a mapping"),
        ("", "the file must be a mapping, not nothing"),
        ("name: x\n", "environment.yml has no dependencies"),
        ("dependancies: []\ndependencies: []\n", "line 1: unknown key dependancies"),
        ("dependencies:\n- numpy\ndependencies:\n- scipy\n", "line 3: dependencies stands there twice"),
        ("dependencies:\n- numpy\n- 3.12\n", "line 3: a dependency must be text, not `3.12`"),
        ("dependencies:\n- numpy\n- python: 3.12\n", "line 3: dependencies: python is not a package manager"),
        ("dependencies:\n- sel(linux): numpy\n", "line 2: dependencies: sel(linux) is micromamba's"),
        ("dependencies:\n- numpy >>2\n", "line 2: dependencies: 'numpy >>2' is not a match spec"),
        (
            "dependencies:\n- __glibc >=2.17\n",
            "line 2: dependencies: __glibc >=2.17 is a property of the system",
        ),
        ("channels: [defaults]\ndependencies: []\n", "line 1: `defaults` is no channel"),
        ("dependencies:\n- defaults::numpy\n", "line 2: `defaults` is no channel"),
        ("channels: conda-forge\ndependencies: []\n", "line 1: channels must be a list, not `conda-forge`"),
        ("dependencies:\n- numpy  # [py>=37]\n", "line 2: [py>=37] is not a selector"),
        ("variables: {PATH: /x}\ndependencies: []\n", "line 1: variables: PATH cannot be set"),
        ("variables: {A: true}\ndependencies: []\n", "line 1: variables: A must be text"),
        ("category: dev\ndependencies: []\n", "line 1: category dev"),
        ("dependencies:\n- https://x.example.org/c/linux-64/a-1-0.conda\n", "line 2: dependencies: https:"),
    ],
)
def test_what_is_wrong_is_told_with_its_line(text, said):
    error = refused(text)
    assert said in error.message
    assert error.message.startswith("environment.yml")


def test_bytes_that_are_no_text():
    with pytest.raises(UsageError, match="not UTF-8 text, at byte 0"):
        parse(b"\xff", "environment.yml")


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from(["  - numpy", "- python=3.12", "dependencies:", "", "# note", "  - a  # b"]),
            st.sampled_from(["", "linux64", "linux", "unix", "aarch64", "osx", "win", "arm64"]),
            st.sampled_from(["", "only ", "on "]),
        )
    ),
    st.sampled_from(sorted(SELECTORS)),
)
def test_selectors_are_conda_locks(lines, subdir):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from conda_lock.src_parser.selectors import filter_platform_selectors
    logging.getLogger("conda_lock").setLevel(logging.ERROR)
    text = "\n".join(f"{line}  # {words}[{chosen}]" if chosen else line for line, chosen, words in lines)
    ours = [line for line in select(text, "environment.yml", subdir).split("\n") if line]
    theirs = [line for line in filter_platform_selectors(text, platform=subdir) if line]
    assert ours == theirs


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_yaml_is_read_or_refused_by_name(value):
    for document in (value, {"dependencies": value}, {"channels": value, "dependencies": []}):
        try:
            parse(yaml.safe_dump(document).encode(), "environment.yml")
        except UsageError as error:
            told = error.message
        else:
            told = "environment.yml"
        assert "environment.yml" in told


class TestProjects:
    @pytest.fixture
    def write(self, tmp_path):
        def write(**files):
            for name, content in files.items():
                place = tmp_path / name.replace("__", "/").replace("_yml", ".yml").replace("_toml", ".toml")
                place.parent.mkdir(exist_ok=True, parents=True)
                place.write_text(content)
            return tmp_path

        return write

    def test_an_environment_file_alone_is_a_project(self, write):
        project = load(write(environment_yml=WHOLE))
        assert project.name == "train"
        assert project.conda.environment == "environment.yml"
        assert [str(platform) for platform in project.image.platforms] == ["linux/amd64", "linux/arm64"]
        assert project.image.env == {"OMP_NUM_THREADS": "8", "MODE": "fast"}
        assert project.pip.dependencies == (
            "requests[socks]>=2",
            'triton; platform_machine == "x86_64"',
        )
        assert project.inputs["environment.yml"] == WHOLE.encode()

    def test_with_a_configuration_it_has_to_be_named(self, write):
        root = write(environment_yml=WHOLE, envfreeze_toml="[image]\n[pip]\nrequirements = []\n")
        assert load(root).conda is None
        write(envfreeze_toml="[conda]\n[pip]\nrequirements = []\n")
        assert load(root).conda.environment == "environment.yml"

    def test_the_pip_section_joins_the_projects_requirements(self, write):
        root = write(
            envs__gpu_yml="channels: [c]\ndependencies:\n- pip:\n  - -r ../more.txt\n  - x>1\n  - -f w\n",
            envfreeze_toml='[conda]\nenvironment = "envs/gpu.yml"\n[pip]\nrequirements = ["own.txt"]\n',
        )
        (root / "own.txt").write_text("a\n")
        (root / "more.txt").write_text("b\n")
        project = load(root)
        assert project.pip.requirements == ("own.txt", "more.txt")
        assert project.pip.dependencies == ("x>1",)
        assert project.pip.find_links == ("envs/w",)
        assert set(project.inputs) == {"own.txt", "more.txt", "envs/gpu.yml", "<configuration>"}

    @pytest.mark.parametrize(
        ("line", "said"),
        [
            ("--no-deps", "environment.yml, line 5: the option --no-deps cannot be locked"),
            ("-r nowhere.txt", "environment.yml, line 5: -r nowhere.txt does not exist"),
            ("-r https://x.example.org/r.txt", "environment.yml, line 5: what a URL holds cannot be locked"),
            ("--index-url ${NOT_SET}/simple", "needs the environment variable NOT_SET"),
        ],
    )
    def test_a_line_of_pips_that_cannot_be_locked(self, write, line, said):
        root = write(environment_yml=f"channels: [c]\ndependencies:\n- python\n- pip:\n  - {line}\n")
        with pytest.raises(UsageError) as caught:
            load(root)
        assert said in caught.value.message

    def test_platforms_that_contradict_each_other(self, write):
        text = "platforms: [linux-64]\nchannels: [c]\ndependencies: [zlib]\n"
        root = write(environment_yml=text, envfreeze_toml='[image]\nplatform = "linux/arm64"\n[conda]\n')
        with pytest.raises(UsageError, match="platforms does not name linux-aarch64"):
            load(root)
        (root / "envfreeze.toml").unlink()
        write(environment_yml=text.replace("linux-64", "osx-arm64"))
        with pytest.raises(UsageError, match="platforms names osx-arm64"):
            load(root)

    @pytest.mark.parametrize("url", ["https://ada:pw@c.example.org/x", "https://c.example.org/t/tk-12/x"])
    def test_a_password_in_the_file_is_refused_and_not_shown(self, write, url):
        with pytest.raises(UsageError, match=r"holds a user, a password or a token") as caught:
            load(write(environment_yml=f"channels: ['{url}']\ndependencies: [zlib]\n"))
        assert "pw" not in str(caught.value).replace("password", "")
        assert "tk-12" not in str(caught.value)

    def test_a_channel_may_name_variables_of_the_environment(self, write, monkeypatch):
        monkeypatch.setenv("TOKEN", "tk-12")
        url = "https://c.example.org/t/$TOKEN/x"
        project = load(write(environment_yml=f"channels: ['{url}']\ndependencies: [zlib]\n"))
        assert project.conda.channels == (url,)
        assert project.conda.locations == ("https://c.example.org/t/tk-12/x",)
        assert "tk-12" not in repr(project)

    def test_no_channel_at_all(self, write):
        with pytest.raises(UsageError, match=r"environment\.yml names no channels"):
            load(write(environment_yml="dependencies: [zlib]\n"))

    def test_conda_without_a_file(self, write):
        with pytest.raises(UsageError, match=r"envfreeze\.toml: conda needs an environment file"):
            load(write(envfreeze_toml="[conda]\n"))

    def test_a_project_without_conda_has_the_inputs_it_had(self, write):
        root = write(envfreeze_toml="[pip]\nrequirements = []\n")
        assert b"conda" not in load(root).inputs["<configuration>"]
