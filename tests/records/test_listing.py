"""All builds in short, from an index that may be lost, damaged or somebody else's."""

from __future__ import annotations

import pytest

from envfreeze.digest import Digest
from envfreeze.records import remembered
from envfreeze.records.model import Verification
from envfreeze.replacing import replace


@pytest.fixture
def index(work):
    return work.root / ".git/envfreeze/records.json"


@pytest.fixture
def store(work, lock, a_record):
    """Of two builds, the newer verified twice."""
    store = work.store()
    source = store.snapshot(lock, [])
    store.add(a_record(source, "old", "2026-01-01T00:00:00Z"))
    new = a_record(source, "new", "2026-01-02T00:00:00Z")
    store.add(new)
    for at, level in (("2026-01-03", "identical"), ("2026-01-04", "tree")):
        store.add_verification(Verification(f"{at}T00:00:00Z", "0.1.0", new.digest, level, source.commit))
    return store


def told(listing):
    return [(entry.digest, entry.at, listing.levels.get(entry.digest)) for entry in listing.entries]


EXPECTED = [
    (Digest.of(b"new"), "2026-01-02T00:00:00Z", "tree"),
    (Digest.of(b"old"), "2026-01-01T00:00:00Z", None),
]


def test_builds_are_listed_newest_first_with_what_the_newest_verification_found(store, index):
    assert told(store.listing()) == EXPECTED
    assert index.is_file()
    assert told(store.listing()) == EXPECTED
    entries = store.listing().entries
    assert [record.digest for record in store.read(entries)] == [entry.digest for entry in entries]
    assert [record.digest for record in store.read(entries[::-1])] == [
        entry.digest for entry in entries[::-1]
    ]


def test_a_listed_build_says_what_its_record_says(store):
    for _ in range(2):  # learnt, then remembered
        for entry, record in zip(store.listing().entries, store.records(), strict=True):
            assert (entry.commit, entry.dirty, entry.engine) == (record.commit, False, record.engine)
            assert entry.lock == record.source.lock
            for digest in (record.digest, record.manifests[0].manifest, record.manifests[0].config):
                assert entry.names(digest)
            assert not entry.names(Digest.of(b"another"))
            assert [image.platform for image in entry.images] == ["linux/amd64"]


def test_a_new_line_is_learnt_and_what_is_gone_is_forgotten(store, work, lock, a_record, index):
    store.listing()
    before = remembered.read(index)
    store.add(a_record(store.snapshot(lock, []), "newest", "2026-01-05T00:00:00Z"))
    assert store.listing().entries[0].digest == Digest.of(b"newest")
    assert not remembered.read(index).keys() & before.keys()
    work.git("update-ref", "-d", "refs/notes/envfreeze")
    assert store.listing().entries == ()
    assert remembered.read(index) == {}


@pytest.mark.parametrize(
    "damage",
    [
        lambda _: b"",
        lambda content: content[:-1],
        lambda content: content.replace(b"2026-01-02", b"2027-01-02"),
        lambda _: b"0" * 64 + b"\n{}",
        lambda _: b"\xff" * 100,
    ],
)
def test_a_damaged_index_is_not_believed(store, index, damage):
    store.listing()
    index.write_bytes(damage(index.read_bytes()))
    assert told(store.listing()) == EXPECTED
    assert remembered.read(index)


def test_an_index_that_cannot_be_written_is_done_without(store, index):
    index.parent.write_text("in the way")
    assert told(store.listing()) == EXPECTED


def test_a_damaged_line_is_warned_of_each_time(store, work):
    work.git("notes", "--ref=envfreeze", "append", "-m", '{"schema":1,"kind":"build"', "HEAD")
    for count in (1, 2):
        assert told(store.listing()) == EXPECTED
        assert len(work.warnings.told) == count
        assert "passed over" in work.warnings.told[-1]


def test_one_line_on_two_commits_is_one_build(store, work):
    old = work.git("rev-parse", "HEAD")
    work.commit("another")
    work.git("notes", "--ref=envfreeze", "copy", old, "HEAD")
    assert told(store.listing()) == EXPECTED


def test_builds_whose_line_is_gone_meanwhile_are_left_out(store, work):
    entries = store.listing().entries
    work.git("update-ref", "-d", "refs/notes/envfreeze")
    assert len(store.read(entries)) == 2  # git still has the object
    assert store.read([replace(entry, line="0" * 32) for entry in entries]) == ()
