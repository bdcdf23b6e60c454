"""A blob is hashed once, until its file changes or the machine starts anew."""

from __future__ import annotations

import os

import pytest

from envfreeze.digest import Digest
from envfreeze.store import checked
from envfreeze.store.cache import Cache

CONTENT = b"content"
DIGEST = Digest.of(CONTENT)


@pytest.fixture
def cache(tmp_path):
    with Cache.open(tmp_path / "cache") as cache:
        with cache.writer() as writer:
            writer.write(CONTENT)
            writer.commit(DIGEST)
        yield cache


def test_nothing_is_taken_for_checked_that_was_not(cache):
    assert not cache.checked(DIGEST)
    assert not cache.checked(Digest.of(b"another"))


def test_what_was_checked_stays_so_while_it_is_used(cache):
    cache.note_checked(DIGEST)
    os.utime(cache.find(DIGEST), ns=(1, cache.find(DIGEST).stat().st_mtime_ns))
    assert cache.checked(DIGEST)


def test_a_file_that_was_written_to_is_not(cache):
    cache.note_checked(DIGEST)
    path = cache.find(DIGEST)
    path.chmod(0o644)
    path.write_bytes(b"CONTENT")
    assert not cache.checked(DIGEST)


def test_a_file_that_took_its_place_is_not(cache, tmp_path):
    cache.note_checked(DIGEST)
    path = cache.find(DIGEST)
    other = tmp_path / "other"
    other.write_bytes(CONTENT)
    os.utime(other, ns=(0, path.stat().st_mtime_ns))
    other.replace(path)
    assert not cache.checked(DIGEST)


def test_what_was_checked_before_the_machine_started_is_not(cache, monkeypatch):
    cache.note_checked(DIGEST)
    monkeypatch.setattr(checked, "_started", lambda: "another start")
    assert not cache.checked(DIGEST)


def test_a_blob_that_is_gone_is_not(cache):
    cache.note_checked(DIGEST)
    cache.discard(DIGEST)
    assert not cache.checked(DIGEST)
