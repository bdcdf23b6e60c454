"""The build folder: what is in it, what it replaces, and what is left where it cannot be written."""

from __future__ import annotations

import hashlib
import json
import os

import pytest

from envfreeze.errors import NetworkError, UsageError
from envfreeze.locking.model import Source
from envfreeze.oci.tar import MTIME
from envfreeze.replacing import replace


@pytest.fixture
def lock(kit):
    return kit.lock(kit.target(wheels=(kit.wheel("alpha"), kit.wheel("beta", requested=False))))


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_lock_gives_the_same_folder(kit, lock):
    one = kit.write(lock, into="one")
    two = kit.write(lock, into="two")
    assert contents(one.path) == contents(two.path)
    assert one.digest == two.digest


def test_every_file_is_named_with_its_hash(kit, lock):
    written = kit.write(lock)
    sums = (written.path / "SHA256SUMS").read_text()
    listed = dict(reversed(line.split("  ", 1)) for line in sums.splitlines())
    found = contents(written.path)
    found.pop("SHA256SUMS")
    assert listed == {name: hashlib.sha256(content).hexdigest() for name, content in found.items()}
    assert written.digest.hex == hashlib.sha256(sums.encode()).hexdigest()


def test_nothing_in_it_says_when_or_by_whom_it_was_written(kit, lock):
    before = os.umask(0o077)
    try:
        written = kit.write(lock)
    finally:
        os.umask(before)
    shared = ("base/", "wheels/", "tools/")
    for path in written.path.rglob("*"):
        if path.is_dir() or not any(part in str(path) for part in shared):
            assert path.stat().st_mtime == MTIME, path
            assert path.stat().st_mode & 0o777 == (0o755 if path.is_dir() else 0o644), path


def test_it_says_what_it_is(kit, lock):
    written = kit.write(lock)
    assert written.dockerfile == written.path / "Dockerfile"
    assert written.platforms == (lock.targets[0].platform,)
    assert written.stages == ("base", "python", "image")


def test_nothing_else_enters_the_build(kit, lock):
    written = kit.write(lock)
    lines = (written.path / ".dockerignore").read_text().splitlines()
    assert lines[1:] == ["*", "!linux-amd64", "!scripts", "!tools"]


def test_it_replaces_what_it_wrote_and_nothing_else(kit, lock):
    written = kit.write(lock)
    kit.write(replace(lock, runtime=replace(lock.runtime, cmd=("true",))))
    assert 'CMD ["true"]' in written.dockerfile.read_text()
    (written.path / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"holds notes\.txt"):
        kit.write(lock)
    assert 'CMD ["true"]' in written.dockerfile.read_text()


def test_a_folder_of_somebody_else_s_is_left_alone(kit, lock):
    other = kit.root.parent / "out"
    other.mkdir()
    (other / "Dockerfile").write_text("FROM scratch\n")
    with pytest.raises(UsageError, match="holds Dockerfile"):
        kit.write(lock)
    assert contents(other) == {"Dockerfile": b"FROM scratch\n"}


def test_what_cannot_be_had_leaves_nothing(kit, lock):
    kit.cache.discard(lock.targets[0].wheels[1].digest)
    with pytest.raises(NetworkError):
        kit.write(lock)
    assert not (kit.root.parent / "out").exists()
    assert not list(kit.root.parent.glob(".envfreeze-*"))


def test_requirements_are_the_wheels_by_hash(kit, lock):
    written = kit.write(lock)
    text = (written.path / "linux-amd64/requirements.lock.txt").read_text()
    alpha, beta = lock.targets[0].wheels
    assert text == f"alpha==1.0 \\\n    --hash={alpha.digest}\nbeta==1.0 \\\n    --hash={beta.digest}\n"


def test_a_wheel_that_was_built_is_pinned_by_its_own_hash_and_never_downloaded(kit):
    made = kit.wheel("alpha")
    source = Source("sdist", "https://files.example.org/alpha-1.0.tar.gz", kit.keep(b"sdist"), python="3.13")
    wheel = replace(made, url=source.url, source=source)
    written = kit.write(kit.lock(kit.target(wheels=(wheel,))), '[docker]\nnetwork = "default"\n')
    text = (written.path / "linux-amd64/requirements.lock.txt").read_text()
    assert f"--hash={wheel.digest}" in text
    assert (written.path / f"linux-amd64/wheels/{wheel.filename}").read_bytes()
    assert "ADD --checksum" not in written.dockerfile.read_text()


def test_what_is_asked_for_by_name_or_url_is_said_beside_the_metadata(kit):
    direct = replace(kit.wheel("alpha", requested=False), direct=True)
    lock = kit.lock(kit.target(wheels=(direct, kit.wheel("beta"))))
    document = json.loads((kit.write(lock).path / "linux-amd64/installed.json").read_text())
    beside = {wheel["name"]: wheel["beside"] for wheel in document["wheels"]}
    assert beside["beta"] == {"REQUESTED": ""}
    assert json.loads(beside["alpha"]["direct_url.json"])["url"] == direct.url


def test_an_archive_s_password_is_in_no_file(kit, monkeypatch):
    monkeypatch.setenv("SECRET_WORD", "hunter2")
    lock = kit.lock(kit.target(wheels=(kit.wheel("alpha"),)))
    configuration = '[pip]\nindex-url = "https://ada:${SECRET_WORD}@files.example.org/simple"\n'
    written = kit.write(lock, configuration + '[docker]\nnetwork = "default"\n')
    assert not [name for name, content in contents(written.path).items() if b"hunter2" in content]


def test_many_downloads_are_spread_over_stages(kit):
    wheels = tuple(kit.wheel(f"package-{number:03}") for number in range(101))
    text = kit.text(kit.lock(kit.target(wheels=wheels)), '[docker]\nnetwork = "default"\n')
    assert text.count("ADD --checksum") == 101
    assert "FROM scratch AS wheels-2\n" in text
    assert "--find-links=/envfreeze/wheels-1 --find-links=/envfreeze/wheels-2 " in text


@pytest.mark.parametrize(
    ("runtime", "message"),
    [
        ({"env": {"A": "one\ntwo"}}, "the variable A has a line break"),
        ({"labels": {"a": "one\rtwo"}}, "the label a has a line break"),
    ],
)
def test_what_a_dockerfile_cannot_say_is_refused(kit, runtime, message):
    with pytest.raises(UsageError, match=message):
        kit.write(kit.lock(kit.target(), **runtime))


def test_an_account_needs_ids(kit):
    with pytest.raises(UsageError, match="which ids"):
        kit.write(kit.lock(kit.target()), '[docker]\naccount = "trainer"\n')


def test_a_base_that_runs_steps_of_its_own_is_refused(kit):
    image = kit.image(OnBuild=["RUN true"])
    with pytest.raises(UsageError, match="ONBUILD"):
        kit.write(kit.lock(kit.target(base=kit.suite(), image=image)))


@pytest.mark.parametrize(
    ("runtime", "lines"),
    [
        ({}, []),
        ({"entrypoint": ("python",)}, ['ENTRYPOINT ["python"]']),
        ({"entrypoint": (), "cmd": ()}, ["ENTRYPOINT []"]),
        ({"cmd": ()}, ["CMD []"]),
        ({"cmd": ("bash",)}, []),
        ({"entrypoint": ("tini", "--"), "cmd": ("bash",)}, ['ENTRYPOINT ["tini", "--"]', 'CMD ["bash"]']),
    ],
)
def test_the_base_s_command_stays_where_the_project_says_none(kit, runtime, lines):
    text = kit.text(kit.lock(kit.target(base=kit.suite(), image=kit.image()), **runtime))
    assert [line for line in text.splitlines() if line.startswith(("ENTRYPOINT", "CMD"))] == lines


def test_a_digest_pins_a_base_that_was_named_by_digest(kit):
    image = kit.image()
    named = replace(image, reference=f"registry.example.org/team/base@{image.manifest}")
    text = kit.text(kit.lock(kit.target(base=kit.suite(), image=named)))
    assert f"FROM --platform=linux/amd64 registry.example.org/team/base@{image.manifest} AS base\n" in text
