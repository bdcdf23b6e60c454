"""A sealed lock is the image's digest: two caches agree with it, and a build that would not is refused."""

from __future__ import annotations

import json
import shutil

import pytest

from envfreeze.digest import Digest
from envfreeze.locking import files
from envfreeze.replacing import replace

pytestmark = pytest.mark.network


@pytest.fixture(scope="module")
def sealed(digits, envfreeze, big):
    """A copy of digits whose lock is sealed."""
    root = digits.copy(big / "sealed")
    assert envfreeze("lock", "--seal", at=root) == "locked"
    return root


@pytest.fixture
def project(sealed, tmp_path):
    """A copy of the sealed project for a test to spoil."""
    return shutil.copytree(sealed, tmp_path / "project")


@pytest.fixture
def own_cache(digits, big):
    """A cache with the artifacts alone."""
    folder = big / "seal-cache"
    digits.copy_artifacts(folder, digits.artifacts())
    yield folder
    shutil.rmtree(folder)


def test_a_seal_names_every_layer(sealed, digits):
    lock = files.read(sealed)
    assert lock.sealed
    (target,) = lock.targets
    environment = [layer.digest for layer in digits.image.layers[:-1]]
    assert [layer.seal.digest for layer in target.layers] == environment


def test_a_seal_changes_no_pin_and_no_image(sealed, digits, envfreeze):
    assert (sealed / "pylock.toml").read_bytes() == (digits.root / "pylock.toml").read_bytes()
    assert envfreeze("build", "--no-record", at=sealed) == digits.digest


def test_a_seal_is_made_once(sealed, envfreeze):
    assert envfreeze("lock", "--seal", at=sealed) == "unchanged"
    assert envfreeze("lock", at=sealed) == "unchanged"
    assert files.read(sealed).sealed


def test_a_second_cache_gives_the_sealed_image_bit_for_bit(project, digits, own_cache, envfreeze):
    assert envfreeze("lock", "--check", "--seal", at=project, cache=own_cache) == "current"
    assert envfreeze("build", "--no-record", at=project, cache=own_cache) == digits.digest
    ours, theirs = (root / ".envfreeze/image/blobs/sha256" for root in (digits.root, project))
    assert {path.name for path in theirs.iterdir()} == {path.name for path in ours.iterdir()}
    for path in theirs.iterdir():
        assert path.read_bytes() == (ours / path.name).read_bytes()


def test_a_seal_does_not_cover_the_project_s_files(project, digits, envfreeze):
    (project / "train.py").write_text("print('another')\n")
    digest = envfreeze("build", "--no-record", at=project)
    assert digest != digits.digest
    assert envfreeze("lock", "--check", "--seal", at=project) == "current"


def tampered_layer(target):
    layers = list(target.layers)
    seal = replace(layers[3].seal, digest=Digest.of(b"another layer"))
    layers[3] = replace(layers[3], seal=seal)
    return replace(target, layers=tuple(layers))


def tampered_diff_id(target):
    layers = list(target.layers)
    seal = replace(layers[-1].seal, diff_id=Digest.of(b"another tar"))
    layers[-1] = replace(layers[-1], seal=seal)
    return replace(target, layers=tuple(layers))


def tampered_manifest(target):
    return replace(target, manifest=Digest.of(b"another image"))


@pytest.mark.parametrize("tamper", [tampered_layer, tampered_diff_id, tampered_manifest])
def test_a_seal_that_is_not_the_image_s_is_refused(project, envfreeze, tamper):
    lock = files.read(project)
    files.write(replace(lock, targets=tuple(tamper(target) for target in lock.targets)), project)
    before = {path.name for path in project.iterdir()}

    built = envfreeze.end("build", at=project)
    assert built.code == 1, built
    assert built.out == ""
    assert "sealed" in built.err
    assert {path.name for path in project.iterdir()} == before, "nothing is left behind"

    checked = envfreeze.end("lock", "--check", "--seal", "--json", at=project)
    assert checked.code == 1, checked
    assert json.loads(checked.out)["result"] == "drift"


def test_a_lock_edited_by_hand_is_refused(project, envfreeze):
    path = project / "envfreeze.lock"
    text = path.read_text()
    (target,) = files.read(project).targets
    path.write_text(text.replace(str(target.manifest), str(Digest.of(b"by hand"))))
    assert envfreeze.end("build", at=project).code == 6


def test_without_a_seal_there_is_nothing_to_hold_it_against(digits, envfreeze):
    assert envfreeze.end("lock", "--check", "--seal", at=digits.root).code == 2
