"""Notes of two sides become one: all lines of both, in whatever order and however often it is done."""

from __future__ import annotations

import itertools
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envfreeze.errors import NetworkError, UsageError
from envfreeze.records import kept, merging, share
from envfreeze.records.git import Repository
from envfreeze.records.notes import NOTES

TEXTS = st.lists(st.sampled_from([b"a", b"b", b"c", b"", b" "]), max_size=4).map(
    lambda found: b"".join(line + b"\n" for line in found)
)
COMMITS = [f"{number:040x}" for number in (1, 2, 1 << 152)]
SIDES = st.dictionaries(st.sampled_from(COMMITS), TEXTS, max_size=3)


def lines(text):
    return {line for line in text.split(b"\n") if line.strip()}


@given(st.lists(TEXTS, min_size=1, max_size=4))
def test_a_union_has_every_line_once_whatever_the_order(texts):
    merged = merging.union(texts)
    assert lines(merged) == set().union(*map(lines, texts))
    for order in itertools.permutations(texts):
        assert merging.union(order) == merged
    assert merging.union([merged, merged]) == merged
    assert lines(merging.union([merged, *texts])) == lines(merged)
    if len(texts) > 1:
        left = merging.union([merging.union(texts[:-1]), texts[-1]])
        right = merging.union([texts[0], merging.union(texts[1:])])
        assert lines(left) == lines(right) == lines(merged)


@pytest.fixture
def notes_of():
    """`notes_of(repository, {commit: text}, folders=...)`: write notes, in folders or without."""

    def write(repository, side, *, folders):
        stream = [b"commit refs/heads/scratch\ncommitter A <a@example.org> 1 +0000\ndata 1\nm\n"]
        for commit, text in side.items():
            path = f"{commit[:2]}/{commit[2:]}" if folders else commit
            stream.append(b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(text), text))
        repository.git.run("update-ref", "-d", "refs/heads/scratch")
        repository.git.run("fast-import", "--quiet", "--force", stdin=b"".join(stream))
        return repository.resolve("refs/heads/scratch")

    return write


def held(repository, commit):
    """What notes say: each commit's lines."""
    tree = repository.git.run("ls-tree", "-r", "-z", commit)
    found = {}
    for row in tree.split(b"\0")[:-1]:
        facts, _, path = row.partition(b"\t")
        text = repository.git.run("cat-file", "blob", facts.split()[2].decode())
        found.setdefault(path.replace(b"/", b"").decode(), set()).update(lines(text))
    return {commit: found for commit, found in found.items() if found}


@pytest.fixture
def repository(make):
    return Repository.find(make("merging").root)


@settings(
    max_examples=5,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(SIDES, SIDES, SIDES, st.booleans())
def test_merging_in_git_is_commutative_associative_and_idempotent(
    repository, notes_of, one, two, three, folders
):
    sides = [notes_of(repository, side, folders=folders) for side in (one, two, three)]
    everything = {}
    for side in (one, two, three):
        for commit, text in side.items():
            everything.setdefault(commit, set()).update(lines(text))
    everything = {commit: found for commit, found in everything.items() if found}

    def merged(*order):
        repository.git.run("update-ref", "-d", NOTES)
        for commit in order:
            merging.merge(repository, commit)
        return repository.resolve(NOTES)

    results = [merged(*order) for order in ((0, 1, 2), (2, 1, 0)) for order in [[sides[at] for at in order]]]
    inner = merged(sides[1], sides[2])
    results.append(merged(sides[0], inner))
    for result in results:
        assert held(repository, result) == everything
    assert not merging.merge(repository, results[-1])
    assert not merging.merge(repository, sides[0])
    again = merged(results[0], results[1])
    assert held(repository, again) == everything
    repository.git.run("fsck", "--strict", "--no-dangling")


def record(work, a_record, lock, name, at="2026-09-12T07:55:41Z"):
    store = work.store()
    made = a_record(store.snapshot(lock, []), name, at)
    store.add(made)
    return made


@pytest.fixture
def origin(make, work):
    origin = make("origin.git")
    origin.git("config", "receive.denyCurrentBranch", "ignore")
    work.git("remote", "add", "origin", str(origin.root))
    work.git("push", "-q", "origin", "main")
    return origin


@pytest.fixture
def clone(work, origin, tmp_path):
    def call(name):
        subprocess.run(["git", "clone", "-q", str(origin.root), str(tmp_path / name)], check=True)
        return work.at(tmp_path / name)

    return call


def repository_of(work):
    return Repository.find(work.root)


def names(work):
    return {made.digest for made in work.store().records()}


def test_two_clones_that_both_recorded_have_all_of_both_after_push_and_fetch(
    work, clone, a_record, lock, tmp_path
):
    there = clone("there")
    here_made = record(work, a_record, lock, "here")
    there_made = record(there, a_record, {"envfreeze.lock": b"of there"}, "there")
    assert share.push(repository_of(work)) == share.Shared(("origin",), notes=True, kept=1)
    assert share.push(repository_of(there)).notes
    fetched = share.fetch(repository_of(work))
    assert fetched == share.Shared(("origin",), notes=True, kept=1)
    assert names(work) == names(there) == {here_made.digest, there_made.digest}
    work.git("gc", "-q", "--prune=now")
    restored = work.store().restore(there_made, tmp_path / "restored")
    assert (restored / "envfreeze.lock").read_bytes() == b"of there"
    assert share.fetch(repository_of(work)) == share.Shared(("origin",), notes=False, kept=0)
    assert share.push(repository_of(work)) == share.Shared(("origin",), notes=False, kept=0)


def test_a_configured_clone_merges_what_a_plain_fetch_has_brought(work, clone, a_record, lock):
    there = clone("there")
    added = share.configure(repository_of(there))
    assert len(added) == 2
    assert share.configure(repository_of(there)) == ()
    there.git("fetch", "-q")  # while the remote has no records at all
    record(work, a_record, lock, "here")
    record(there, a_record, lock, "there")
    share.push(repository_of(work))
    there.git("fetch", "-q", "--prune")
    assert len(names(there)) == 1
    assert share.merge(repository_of(there)).notes
    assert len(names(there)) == 2
    assert not share.merge(repository_of(there)).notes
    assert share.merge(repository_of(there), ["origin"]) == share.Shared(("origin",), notes=False, kept=0)


def test_a_patch_is_pushed_only_when_asked_for(work, origin, a_record, lock):
    work.write("train.py", "password = 'hush'\n")
    record(work, a_record, lock, "dirty")
    assert share.push(repository_of(work)).kept == 0
    assert not origin.git("for-each-ref", "refs/envfreeze/kept")
    assert share.push(repository_of(work), patches=True).kept == 1
    assert origin.git("for-each-ref", "refs/envfreeze/kept")


def test_a_reference_that_lies_about_what_it_holds_is_not_taken_over(work, a_record, lock):
    record(work, a_record, lock, "image")
    (held_name,) = [one.name for one in kept.references(repository_of(work))]
    tree = work.git("rev-parse", held_name)
    work.git("update-ref", f"refs/envfreeze/evil/{'1' * 40}", tree)
    work.git("update-ref", "refs/envfreeze/evil/not-a-tree", "HEAD")
    work.git("update-ref", "-d", held_name)
    work.git("update-ref", f"refs/envfreeze/good/{tree}", tree)
    assert kept.adopt(repository_of(work), ["evil"]) == 0
    assert kept.adopt(repository_of(work)) == 1
    assert [one.name for one in kept.references(repository_of(work))] == [held_name]


def test_eight_that_build_push_and_fetch_at_once_lose_nothing(work, clone, a_record):
    clones = [clone(f"clone-{number}") for number in range(4)]
    made = []

    def build(number):
        place = clones[number % 4]
        made.append(record(place, a_record, {"envfreeze.lock": b"%d" % number}, f"image {number}").digest)
        (share.push if number < 6 else share.fetch)(repository_of(place))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(build, range(8)))
    for place in clones:
        share.push(repository_of(place))
    for place in (*clones, work):
        share.fetch(repository_of(place))
        assert names(place) == set(made)
        assert len(kept.references(repository_of(place))) == 8
        assert not place.git("for-each-ref", "refs/notes").count("merge")


def test_what_is_no_remote_and_what_does_not_answer_is_said(work, make):
    lonely = repository_of(make("lonely"))
    with pytest.raises(UsageError, match="no git remote"):
        share.push(lonely)
    repository = repository_of(work)
    work.git("remote", "add", "origin", "http://me:hush@127.0.0.1:9/team.git")
    with pytest.raises(UsageError, match="'elsewhere' is no git remote") as caught:
        share.fetch(repository, "elsewhere")
    assert "origin" in caught.value.hint
    with pytest.raises(NetworkError, match="origin") as failed:
        share.fetch(repository)
    assert "hush" not in failed.value.message
    with pytest.raises(UsageError, match="'nobody'"):
        share.merge(repository, ["nobody"])
    work.git("remote", "add", "kept", "nowhere")
    with pytest.raises(UsageError, match="called kept"):
        share.fetch(repository, "kept")
