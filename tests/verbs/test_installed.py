"""What is installed in an image against a lock: each kind of difference found and named, and nothing else."""

from __future__ import annotations

import pytest

from envfreeze.project.load import load
from envfreeze.store.cache import Cache
from envfreeze.verbs.build import build
from envfreeze.verbs.installed import verify_installed


@pytest.fixture
def native(project):
    """The small project, and its image as the native engine makes it, built in this process."""
    cache = Cache.open(project.cache)
    build(load(project.root), cache=cache)
    return project


def check(work, image=None, **arguments):
    where = image or str(work.root / ".envfreeze/image")
    return verify_installed(where, root=work.root, cache=Cache.open(work.cache), **arguments)


def test_a_native_image_is_exactly_what_the_lock_says(native):
    outcome = check(native)
    assert outcome.verdict.findings == ()
    assert outcome.verdict.level.value == "tree"
