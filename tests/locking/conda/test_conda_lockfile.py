"""conda-lock.yml: the same value gives the same bytes, conda-lock reads them, nothing else is believed."""

from __future__ import annotations

import sys
import warnings
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envfreeze.digest import Digest
from envfreeze.errors import UntrustedError, UsageError
from envfreeze.locking import files
from envfreeze.locking.conda import judged, lockfile
from envfreeze.locking.model import AptBase, CondaPackage, CondaSources, Lock, Runtime, Target
from envfreeze.oci.platform import Platform
from envfreeze.replacing import replace

sys.path.insert(0, str(Path(__file__).parents[1]))
from lock_strategies import digests, locks, texts

names = st.from_regex(r"[a-z0-9_]([a-z0-9._-]{0,8}[a-z0-9])?", fullmatch=True)
parts = st.from_regex(r"[a-z0-9][a-z0-9_.!+]{0,6}", fullmatch=True)
SUBDIRS = {"linux/amd64": "linux-64", "linux/arm64": "linux-aarch64"}


@st.composite
def packages(draw, platform):
    name, version, build = draw(names), draw(parts), draw(parts)
    noarch = draw(st.sampled_from([None, "python", "generic"]))
    subdir = "noarch" if noarch else SUBDIRS[platform]
    channel = draw(st.sampled_from(["https://conda.example.org/conda-forge", "file:///srv/channel"]))
    filename = f"{name}-{version}-{build}{draw(st.sampled_from(['.conda', '.tar.bz2']))}"
    return CondaPackage(
        name=name,
        version=version,
        build=build,
        build_number=draw(st.integers(0, 9)),
        subdir=subdir,
        channel=channel,
        filename=filename,
        digest=draw(digests),
        md5=draw(st.binary(min_size=16, max_size=16)).hex(),
        size=draw(st.none() | st.integers(0, 2**40)),
        url=f"{channel}/{subdir}/{filename}",
        depends=tuple(
            draw(st.lists(st.sampled_from(["a", "b >=1,<2", "b <3", "c 1.* *_x", "__glibc >=2"]), max_size=4))
        ),
        constrains=tuple(draw(st.lists(texts, max_size=2))),
        noarch=noarch,
        requested=draw(st.booleans()),
    )


@st.composite
def conda_locks(draw):
    lock = draw(locks)
    targets = tuple(
        replace(
            target,
            conda=tuple(
                sorted(
                    draw(
                        st.lists(
                            packages(str(target.platform)), max_size=3, unique_by=lambda package: package.name
                        )
                    ),
                    key=lambda package: package.name,
                )
            ),
        )
        for target in lock.targets
    )
    having = sorted(target.platform.conda_subdir for target in targets if target.conda)
    sources = CondaSources(
        "env/environment.yml", ("conda-forge", "https://${A}@x/y"), dict.fromkeys(having, "0" * 64)
    )
    return replace(lock, targets=targets, conda=sources if having else None)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(conda_locks())
def test_what_is_written_is_read_back(lock):
    rendered = files.render(lock)
    assert files.parse(rendered) == lock
    assert (lockfile.NAME in rendered) == (lock.conda is not None)


@pytest.fixture
def lock(conda_channel):
    base = AptBase("apt:debian/trixie", (), (), ())
    target = Target(Platform.parse("linux/amd64"), "3.13.5", "2.41", "manylinux_2_40", base, ())
    runtime = Runtime({}, {}, (), None, "/app", None, None)
    made = Lock(1, 1, {}, None, runtime, (target,))
    package = conda_channel.package("zlib", "1.3.1", "h1_0", depends=["__glibc >=2.17,<3.0.a0", "on *"])
    conda = (package.locked(requested=True), conda_channel.package("zz", noarch="generic").locked())
    target = replace(made.targets[0], conda=conda)
    sources = CondaSources("environment.yml", ("conda-forge",), {"linux-64": "0" * 64})
    return replace(made, targets=(target,), conda=sources)


def test_the_bytes_are_these(lock):
    target = replace(
        lock.targets[0],
        conda=tuple(
            replace(package, digest=Digest(letter * 64), md5=letter * 32)
            for package, letter in zip(lock.targets[0].conda, "ab", strict=True)
        ),
    )
    assert lockfile.render(replace(lock, targets=(target,)), None).decode().split("\n", 2)[2] == GOLDEN


GOLDEN = """\
version: 1
metadata:
  content_hash:
    linux-64: "0000000000000000000000000000000000000000000000000000000000000000"
  channels:
  - url: "conda-forge"
    used_env_vars: []
  platforms:
  - "linux-64"
  sources:
  - "environment.yml"
package:
- name: "zlib"
  version: "1.3.1"
  manager: "conda"
  platform: "linux-64"
  dependencies:
    "__glibc": ">=2.17,<3.0.a0"
    "on": "*"
  url: "https://conda.example.org/channel/linux-64/zlib-1.3.1-h1_0.conda"
  hash:
    md5: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
    sha256: "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
  category: "main"
  optional: false
- name: "zz"
  version: "1.0"
  manager: "conda"
  platform: "linux-64"
  dependencies: {}
  url: "https://conda.example.org/channel/noarch/zz-1.0-0.conda"
  hash:
    md5: "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
    sha256: "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
  category: "main"
  optional: false
"""


def test_conda_lock_reads_it(lock, tmp_path):
    content = lockfile.render(lock, None)
    judged.check(content)
    (tmp_path / lockfile.NAME).write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from conda_lock.lockfile import parse_conda_lock_file

        read = parse_conda_lock_file(tmp_path / lockfile.NAME)
    assert {(row.name, row.version, row.hash.sha256) for row in read.package} == {
        (package.name, package.version, package.digest.hex) for package in lock.targets[0].conda
    }


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("version",), 2, "version: is not 1"),
        (("extra",), 1, "extra: is not a key that envfreeze writes"),
        (("metadata", "sources"), [], "does not name one environment file"),
        (("metadata", "platforms"), ["osx-64"], "platforms: are not those of content_hash"),
        (("package", 0, "version"), "1.3.0", "is not a package of zlib 1.3.0"),
        (("package", 0, "url"), "https://ada:pw@x/c/linux-64/zlib-1.3.1-h1_0.conda", "without credentials"),
        (("package", 0, "url"), "https://x/c/osx-64/zlib-1.3.1-h1_0.conda", "conda package of linux-64"),
        (("package", 0, "hash", "md5"), "short", "conda package of linux-64"),
        (("package", 0, "hash", "sha256"), "short", "url"),
        (("package", 0, "category"), "dev", "is not main"),
        (("package", 0, "manager"), "brew", "conda package of linux-64"),
        (("package", 0, "build"), "x", "build: is not a key that envfreeze writes"),
        (("package",), "x", "package: is a string, not an array"),
    ],
)
def test_an_edit_is_named_by_its_key(lock, path, value, said):
    document = yaml.safe_load(lockfile.render(lock, None))
    inner = document
    for key in path[:-1]:
        inner = inner[key]
    inner[path[-1]] = value
    with pytest.raises(files.EditedError) as caught:
        lockfile.parse(yaml.safe_dump(document).encode())
    assert said in caught.value.message
    assert caught.value.message.startswith("conda-lock.yml: ")


@given(st.binary() | st.text().map(str.encode))
def test_any_bytes_are_refused_with_an_error_of_ours(content):
    with pytest.raises(UntrustedError):
        lockfile.parse(content)


def test_rows_of_the_lock_and_packages_of_the_file_are_the_same(lock):
    for conda in (lock.targets[0].conda[:1], lock.targets[0].conda[1:]):
        rendered = files.render(lock)
        other = replace(lock, targets=(replace(lock.targets[0], conda=conda),))
        other_files = files.render(other)
        digest = Digest.of(rendered[lockfile.NAME])
        # A lock made for other packages, bound to this file.
        bound = other_files["envfreeze.lock"].replace(
            str(Digest.of(other_files[lockfile.NAME])).encode(), str(digest).encode()
        )
        from envfreeze.locking import lockfile as main

        stated = main._CHECKSUM.search(bound)
        rest = bound[: stated.start()] + bound[stated.end() :]
        signed = bound.replace(stated[1], str(Digest.of(rest)).encode())
        with pytest.raises(files.EditedError, match=r"(zlib|zz) for linux-64"):
            files.parse({**rendered, "envfreeze.lock": signed})


def test_what_conda_lock_cannot_read_is_told(tmp_path):
    from envfreeze.project.load import load

    text = "channels: [c]\ndependencies:\n- zlib\n- pip:\n  - 'requests =='\n"
    (tmp_path / "environment.yml").write_text(text)
    with pytest.raises(UsageError, match=r"environment\.yml: conda-lock cannot read it"):
        judged.sources(load(tmp_path), ["linux-64"])
    (tmp_path / "environment.yml").write_text(text.replace("'requests =='", "-r more.txt"))
    (tmp_path / "more.txt").write_text("six\n")
    assert set(judged.sources(load(tmp_path), ["linux-64"]).content_hash) == {"linux-64"}
