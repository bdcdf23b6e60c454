"""Whatever a file holds, reading it ends in a value or in an error that names the file."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envfreeze.errors import EnvfreezeError, ResolutionError, UntrustedError, UsageError
from envfreeze.locking.imports import (
    conda_lock,
    explicit_conda,
    found,
    pep751,
    pipfile_lock,
    pixi_lock,
    poetry_lock,
    requirements_txt,
    uv_lock,
)
from envfreeze.locking.imports.selection import Choice, select, select_conda
from envfreeze.locking.pip import PipTarget
from envfreeze.oci.platform import Platform

pytestmark = [
    pytest.mark.filterwarnings("ignore::PendingDeprecationWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

FILES = Path(__file__).with_name("files")
SHA = "a" * 64
UV = f"""\
version = 1
requires-python = ">=3.11"
[manifest]
members = ["app"]
[[package]]
name = "app"
version = "0"
source = {{ virtual = "." }}
dependencies = [{{ name = "b", extra = ["x"], marker = "os_name == 'posix' or extra == 'extra-3-app-y'" }}]
[package.optional-dependencies]
y = [{{ name = "b", version = "1.0", source = {{ registry = "https://i.example.org/simple" }} }}]
[package.dev-dependencies]
dev = [{{ name = "b" }}]
[[package]]
name = "b"
version = "1.0"
source = {{ registry = "https://i.example.org/simple" }}
sdist = {{ url = "https://i.example.org/b-1.0.tar.gz", hash = "sha256:{SHA}", size = 3 }}
wheels = [{{ url = "https://i.example.org/b-1.0-py3-none-any.whl", hash = "sha256:{SHA}", size = 3 }}]
[package.optional-dependencies]
x = []
"""
PYLOCK = f"""\
lock-version = "1.0"
created-by = "tests"
requires-python = ">=3.11"
environments = ["sys_platform == 'linux'"]
extras = ["x"]
dependency-groups = ["dev"]
default-groups = ["dev"]
[[packages]]
name = "b"
version = "1.0"
marker = "'x' in extras or 'dev' in dependency_groups"
index = "https://u:p@i.example.org/simple"
[[packages.wheels]]
url = "https://u:p@i.example.org/b-1.0-py3-none-any.whl"
size = 3
hashes = {{ sha256 = "{SHA}" }}
[[packages]]
name = "c"
[packages.archive]
url = "https://i.example.org/c-1.0-py3-none-any.whl"
hashes = {{ sha256 = "{SHA}" }}
"""
REQUIREMENTS = f"""\
--index-url https://u:p@i.example.org/simple
b[x]==1.0 ; python_version >= "3.11" \\
    --hash=sha256:{SHA} \\
    --hash=sha256:{SHA}
    # via app
c @ https://i.example.org/c-1.0-py3-none-any.whl#sha256={SHA}
"""
EXPLICIT = f"""\
# platform: linux-64
@EXPLICIT
https://c.example.org/main/linux-64/b-1.0-0.conda#{"a" * 32}
https://c.example.org/main/noarch/c-1.0-0.tar.bz2#sha256:{SHA}
"""
CONDA = f"""\
version: 1
metadata:
  content_hash: {{linux-64: {SHA}}}
  channels: [{{url: main, used_env_vars: []}}]
  platforms: [linux-64]
  sources: [environment.yml]
package:
- {{name: b, version: '1.0', manager: conda, platform: linux-64, dependencies: {{}}, category: main,
   url: 'https://c.example.org/main/linux-64/b-1.0-0.conda', hash: {{md5: {"b" * 32}, sha256: {SHA}}},
   optional: false}}
- {{name: c, version: '1.0', manager: pip, platform: linux-64, dependencies: {{}}, category: dev,
   url: 'https://i.example.org/c-1.0-py3-none-any.whl', hash: {{sha256: {SHA}}}, optional: true}}
"""
PIXI = f"""\
version: 6
environments:
  default:
    channels: [{{url: 'https://c.example.org/main/'}}]
    indexes: ['https://i.example.org/simple']
    packages:
      linux-64:
      - conda: https://c.example.org/main/linux-64/b-1.0-0.conda
      - pypi: https://i.example.org/c-1.0-py3-none-any.whl
packages:
- conda: https://c.example.org/main/linux-64/b-1.0-0.conda
  sha256: {SHA}
  md5: {"b" * 32}
  depends: [c >=1]
  size: 3
- pypi: https://i.example.org/c-1.0-py3-none-any.whl
  name: c
  version: '1.0'
  sha256: {SHA}
"""
GOOD = {
    "uv.lock": (uv_lock, UV),
    "pylock.x.toml": (pep751, PYLOCK),
    "poetry.lock": (poetry_lock, (FILES / "poetry-2.lock").read_text()),
    "old-poetry.lock": (poetry_lock, (FILES / "poetry-1.lock").read_text()),
    "Pipfile.lock": (pipfile_lock, (FILES / "Pipfile.lock").read_text()),
    "requirements.txt": (requirements_txt, REQUIREMENTS),
    "conda-lock.yml": (conda_lock, CONDA),
    "pixi.lock": (pixi_lock, PIXI),
    "explicit.txt": (explicit_conda, EXPLICIT),
}
TARGET = PipTarget(Platform("linux", "amd64"), "3.13.5", "2.41")
QUICK = settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))


def read(name: str, content: bytes) -> None:
    refusal: EnvfreezeError | None = None
    try:
        lock = GOOD[name][0].parse(content, name)
        select(lock, TARGET, Choice())
        select_conda(lock, "amd64", Choice())
    except (UsageError, UntrustedError, ResolutionError) as error:
        refusal = error
    assert refusal is None or name in refusal.message


@pytest.mark.parametrize("name", GOOD)
def test_a_good_file_is_told_by_its_content_and_read(name):
    module, text = GOOD[name]
    assert found.kind_of(text.encode(), "somefile") == module.KIND
    lock = found.parse(text.encode(), name)
    assert lock.packages or lock.conda
    assert "u:p" not in repr(lock)


@pytest.mark.parametrize("name", GOOD)
@QUICK
@given(data=st.data())
def test_a_file_with_a_part_cut_out_or_put_in(name, data):
    content = GOOD[name][1].encode()
    start = data.draw(st.integers(0, len(content)))
    end = data.draw(st.integers(start, min(len(content), start + 60)))
    read(name, content[:start] + data.draw(st.binary(max_size=12)) + content[end:])


@pytest.mark.parametrize("name", GOOD)
@settings(QUICK, max_examples=25)
@given(st.binary(max_size=200))
def test_any_bytes(name, content):
    read(name, content)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just("https://[x"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


@QUICK
@given(data=st.data())
def test_a_pipfile_lock_with_another_value_somewhere(data):
    document = json.loads(GOOD["Pipfile.lock"][1])
    place = document
    while isinstance(place, dict) and place:
        key = data.draw(st.sampled_from(sorted(place)))
        if not isinstance(place[key], dict) or data.draw(st.booleans()):
            place[key] = data.draw(VALUES)
            break
        place = place[key]
    read("Pipfile.lock", json.dumps(document).encode())


@settings(QUICK, max_examples=100)
@given(st.binary(max_size=200))
def test_what_is_no_lock_file_is_refused_by_name(content):
    refusal: EnvfreezeError | None = None
    try:
        found.parse(content, "somefile")
    except (UsageError, UntrustedError) as error:
        refusal = error
    assert refusal is None or "somefile" in refusal.message


def test_a_marker_that_does_not_exist_is_an_error_of_ours():
    with pytest.raises(UsageError, match="cannot be evaluated"):
        select(uv_lock.parse(UV.replace("os_name", "os_nmae").encode(), "uv.lock"), TARGET, Choice())


def test_version_5_of_pixi_lock_says_the_same_as_version_6():
    head, _, packages = PIXI.replace("version: 6", "version: 5").partition("\npackages:\n")
    fields = {
        "conda: https": "kind: conda\n  name: b\n  version: '1.0'\n  build: '0'\n  subdir: linux-64\n  "
        "url: https",
        "pypi: https": "kind: pypi\n  url: https",
    }
    for short, long in fields.items():
        packages = packages.replace(short, long)
    older = f"{head}\npackages:\n{packages}".encode()
    assert pixi_lock.parse(older, "pixi.lock") == pixi_lock.parse(PIXI.encode(), "pixi.lock")
