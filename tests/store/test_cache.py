"""The cache keeps what was committed, whole or not at all, for any number of users at once."""

from __future__ import annotations

import errno
import gc
import json
import os
import stat
import subprocess
import sys
import threading
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envfreeze.digest import Digest
from envfreeze.errors import MachineError, UsageError
from envfreeze.store.cache import Cache

if TYPE_CHECKING:
    from pathlib import Path


def put(cache: Cache, content: bytes) -> Path:
    with cache.writer() as writer:
        writer.write(content)
        return writer.commit(Digest.of(content))


def age(path: Path, days: float) -> None:
    moment = time.time() - days * 86400
    os.utime(path, (moment, moment))


# Opening


def test_the_folder_is_made_with_its_tag_and_version(tmp_path):
    root = tmp_path / "deep" / "cache"
    Cache.open(root)
    assert (root / "CACHEDIR.TAG").read_text().startswith("Signature: 8a477f597d28d172789f06886806bc55\n")
    assert (root / "version").read_text() == "envfreeze cache 1\n"


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"ENVFREEZE_CACHE": "/named", "XDG_CACHE_HOME": "/xdg", "HOME": "/home/me"}, "/named"),
        ({"XDG_CACHE_HOME": "/xdg", "HOME": "/home/me"}, "/xdg/envfreeze"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "/home/me"}, "/home/me/.cache/envfreeze"),
        ({"HOME": "/home/me"}, "/home/me/.cache/envfreeze"),
    ],
)
def test_the_environment_says_where_it_is(environment, expected):
    found = subprocess.run(
        [sys.executable, "-c", "from envfreeze.store.layout import default_root; print(default_root())"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.strip() == expected


def test_a_later_layout_is_refused_by_name(tmp_path):
    Cache.open(tmp_path).close()
    (tmp_path / "version").write_text("envfreeze cache 2\n")
    with pytest.raises(MachineError, match="has layout 2; this envfreeze knows layout 1") as caught:
        Cache.open(tmp_path)
    assert "ENVFREEZE_CACHE=" in caught.value.hint


def test_a_folder_with_other_things_is_refused_and_left_alone(tmp_path):
    (tmp_path / "thesis.tex").write_text("")
    with pytest.raises(UsageError, match=r"thesis\.tex"):
        Cache.open(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]


def test_a_folder_whose_making_was_killed_is_made_again(tmp_path):
    (tmp_path / "locks").mkdir()
    (tmp_path / "CACHEDIR.TAG").write_text("Sig")
    cache = Cache.open(tmp_path)
    assert put(cache, b"x").exists()
    assert (tmp_path / "CACHEDIR.TAG").read_text().startswith("Signature: ")


def test_a_path_through_a_file_is_a_machine_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineError, match="Not a directory") as caught:
        Cache.open(tmp_path / "file" / "cache")
    assert "ENVFREEZE_CACHE=" in caught.value.hint


def test_a_read_only_cache_is_a_machine_error_that_names_it(small_disk):
    Cache.open(small_disk / "cache").close()
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(MachineError, match="file system is read-only") as caught:
        Cache.open(small_disk / "cache")
    assert str(small_disk / "cache") in caught.value.message
    assert "ENVFREEZE_CACHE=" in caught.value.hint


def test_a_forbidden_folder_is_a_machine_error(tmp_path):
    (tmp_path / "closed").mkdir(mode=0o500)
    script = (
        "import os, sys\nfrom pathlib import Path\nfrom envfreeze.store.cache import Cache\n"
        "from envfreeze.errors import MachineError\n"
        "if os.geteuid() == 0: os.setuid(65534)  # permissions do not stop root\n"
        "try: Cache.open(Path(sys.argv[1]))\nexcept MachineError as error: print(error, error.hint)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "closed" / "cache")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "permission is denied" in told.stdout
    assert "ENVFREEZE_CACHE=" in told.stdout


# Blobs


def test_a_committed_blob_is_found_and_read_only(cache):
    path = put(cache, b"content")
    assert cache.find(Digest.of(b"content")) == path
    assert path.read_bytes() == b"content"
    assert stat.S_IMODE(path.stat().st_mode) == 0o444
    assert path.relative_to(cache.root).parts[:3] == ("blobs", "sha256", Digest.of(b"content").hex[:2])


def test_what_is_not_there_is_none(cache):
    assert cache.find(Digest.of(b"content")) is None


@pytest.mark.parametrize("error", [None, ValueError, KeyboardInterrupt])
def test_what_is_not_committed_is_gone(cache, left_behind, error):
    try:
        with cache.writer() as writer:
            writer.write(b"half")
            if error:
                raise error
    except (ValueError, KeyboardInterrupt):
        pass
    assert left_behind() == []
    assert cache.info().blobs == 0


def test_the_writers_file_takes_writev(cache):
    with cache.writer() as writer:
        assert os.writev(writer.fileno(), [b"a" * 10, memoryview(b"b" * 10)]) == 20
        writer.file.seek(0)
        assert writer.file.read() == b"a" * 10 + b"b" * 10
        path = writer.commit(Digest.of(b"a" * 10 + b"b" * 10))
    assert path.stat().st_size == 20


def test_a_blob_that_is_there_stays_the_same_file(cache):
    first = put(cache, b"content").stat().st_ino
    assert put(cache, b"content").stat().st_ino == first


def test_a_blob_emptied_by_a_power_cut_is_not_found_and_is_replaced(cache):
    path = put(cache, b"content")
    path.chmod(0o644)
    path.write_bytes(b"")
    assert cache.find(Digest.of(b"content")) is None
    assert put(cache, b"content").read_bytes() == b"content"


def test_the_empty_blob_is_a_blob(cache):
    assert put(cache, b"") == cache.find(Digest.of(b""))


def test_a_discarded_blob_is_gone(cache):
    put(cache, b"content")
    cache.discard(Digest.of(b"content"))
    assert cache.find(Digest.of(b"content")) is None


def test_a_full_disk_is_a_machine_error_that_says_how_much_is_free(small_disk):
    with Cache.open(small_disk / "cache") as cache:
        full = pytest.raises(MachineError, match=r"disk is full.*small-disk has .* of 1\.0 MB free")
        with full as caught, cache.writer() as writer:
            writer.write(b"x" * 2_000_000)
        assert "ENVFREEZE_CACHE=" in caught.value.hint
        assert cache.info().temporary_bytes == 0
        assert put(cache, b"y" * 500_000).exists()


def test_an_error_about_a_file_elsewhere_is_not_explained_as_the_caches(cache):
    with pytest.raises(OSError, match="elsewhere"), cache.writer():
        raise OSError(errno.EACCES, "denied", "/elsewhere/file")


def test_the_size_of_a_file_that_may_not_grow_is_a_machine_error(cache):
    """A file size limit stands for every refusal that shows only while writing."""
    script = (
        "import resource, signal, sys\nfrom pathlib import Path\nfrom envfreeze.store.cache import Cache\n"
        "from envfreeze.errors import MachineError\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "cache = Cache.open(Path(sys.argv[1]))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
        "try:\n    with cache.writer() as writer: writer.write(b'x' * 5000)\n"
        "except MachineError as error: print(error)\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", script, str(cache.root)], capture_output=True, text=True, check=True
    )
    assert "the disk is full" in told.stdout


# Scratch


def test_scratch_is_removed_with_folders_that_may_not_be_written(cache):
    with cache.scratch() as folder:
        (folder / "closed").mkdir()
        (folder / "closed" / "file").write_text("")
        (folder / "closed").chmod(0o500)
        assert folder.is_relative_to(cache.root / "tmp")
    assert not folder.exists()


def test_what_a_killed_process_left_is_swept_when_the_cache_is_opened_next(tmp_path):
    script = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom envfreeze.store.cache import Cache\n"
        "cache = Cache.open(Path(sys.argv[1]))\n"
        "with cache.scratch() as folder, cache.writer() as writer:\n"
        "    writer.write(b'x' * 1000)\n    (folder / 'file').write_text('y')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(tmp_path)], check=False)
    assert len(list((tmp_path / "tmp").iterdir())) == 1
    first = Cache.open(tmp_path)
    with first.scratch() as alive:
        second = Cache.open(tmp_path)
        assert len(list((tmp_path / "tmp").iterdir())) == 2, "one each for the two that are open"
        assert alive.exists()
        second.close()
    first.close()
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_cache_that_nobody_refers_to_is_closed(tmp_path):
    cache = Cache.open(tmp_path)
    del cache
    gc.collect()
    assert list((tmp_path / "tmp").iterdir()) == []


def test_a_forked_child_does_not_take_its_parents_files_away(tmp_path):
    script = (
        "import os, sys\nfrom pathlib import Path\nfrom envfreeze.store.cache import Cache\n"
        "cache = Cache.open(Path(sys.argv[1]))\n"
        "child = os.fork()\n"
        "if child == 0: sys.exit(0)\n"
        "os.waitpid(child, 0)\nwith cache.scratch() as folder: print(folder.exists())\n"
    )
    told = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=True
    )
    assert told.stdout.strip() == "True"


# Facts


def test_a_fact_is_recalled_under_its_rule_and_key_only(cache):
    cache.remember("wheel/1", "sha256:aa", {"size": 3, "parts": ["a", None, 1.5]})
    assert cache.recall("wheel/1", "sha256:aa") == {"size": 3, "parts": ["a", None, 1.5]}
    assert cache.recall("wheel/2", "sha256:aa") is None
    assert cache.recall("wheel-1", "sha256:aa") is None
    assert cache.recall("wheel/1", "sha256:ab") is None


def test_a_later_fact_replaces_an_earlier_one(cache):
    cache.remember("rule", "key", {"size": 3})
    cache.remember("rule", "key", {"size": 4})
    assert cache.recall("rule", "key") == {"size": 4}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
@given(
    rule=st.text(max_size=100).filter(lambda text: text.isprintable()),
    key=st.text(alphabet=st.characters(exclude_categories=["Cs"])),
    fact=st.dictionaries(st.text(), st.integers() | st.text() | st.booleans() | st.none()),
)
def test_any_rule_key_and_fact_come_back(cache, rule, key, fact):
    cache.remember(rule, key, fact)
    assert cache.recall(rule, key) == fact
    assert all(path.is_relative_to(cache.root / "facts") for path in (cache.root / "facts").rglob("*"))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(position=st.integers(min_value=0), bit=st.integers(0, 7), cut=st.booleans())
def test_a_damaged_fact_is_none(cache, position, bit, cut):
    cache.remember("rule", "key", {"size": 31})
    (path,) = (cache.root / "facts").rglob("*.json")
    content = bytearray(path.read_bytes())
    position %= len(content)
    if cut:
        del content[position:]
    else:
        content[position] ^= 1 << bit
    path.write_bytes(content)
    assert cache.recall("rule", "key") is None


def test_a_fact_that_json_cannot_hold_is_the_callers_error(cache, left_behind):
    with pytest.raises(TypeError):
        cache.remember("rule", "key", {"size": object()})
    with pytest.raises(ValueError, match="JSON compliant"):
        cache.remember("rule", "key", {"size": float("nan")})
    assert left_behind() == []


# Sections


def test_one_thread_at_a_time_is_in_a_section(cache):
    inside, most = 0, 0

    def work():
        nonlocal inside, most
        for _ in range(20):
            with cache.exclusive("name"):
                inside += 1
                most = max(most, inside)
                time.sleep(0.0005)
                inside -= 1

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_one_process_at_a_time_is_in_a_section(cache, tmp_path):
    counter = tmp_path / "counter"
    counter.write_text("0")
    script = (
        "import sys\nfrom pathlib import Path\nfrom envfreeze.store.cache import Cache\n"
        "cache, counter = Cache.open(Path(sys.argv[1])), Path(sys.argv[2])\n"
        "for _ in range(50):\n"
        "    with cache.exclusive('count'):\n"
        "        counter.write_text(str(int(counter.read_text()) + 1))\n"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", script, str(cache.root), str(counter)]) for _ in range(4)
    ]
    assert [process.wait() for process in running] == [0] * 4
    assert counter.read_text() == "200"


def test_a_section_ends_with_the_process_that_was_killed_in_it(cache):
    script = (
        "import os, signal, sys\nfrom pathlib import Path\nfrom envfreeze.store.cache import Cache\n"
        "with Cache.open(Path(sys.argv[1])).exclusive('name'):\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(cache.root)], check=False)
    with cache.exclusive("name"):
        pass


def test_sections_of_other_names_do_not_wait_and_leave_no_lock_files(cache):
    with cache.exclusive("one"), cache.exclusive("../two/\0"):
        pass
    assert [path.name for path in (cache.root / "locks").iterdir()] == ["in-use"]


# Upkeep


def test_info_counts_what_is_there(cache):
    put(cache, b"four")
    put(cache, b"seven..")
    cache.remember("rule", "key", {})
    (cache.root / "partial" / Digest.of(b"x").hex).write_bytes(b"123")
    (cache.root / "partial" / f"{Digest.of(b'x').hex}.json").write_bytes(b"{}")
    (cache.layout.repodata / "a").mkdir(parents=True)
    (cache.layout.repodata / "a" / "index.json").write_bytes(b"12345")
    info = cache.info()
    assert info.repodata_bytes == 5
    assert (info.root, info.blobs, info.blob_bytes) == (cache.root, 2, 11)
    assert (info.facts, info.partial, info.temporary_bytes) == (1, 1, 0)
    assert info.partial_bytes == 3
    assert info.free_bytes > 0


def test_prune_without_limits_removes_leftovers_only(cache, left_behind):
    put(cache, b"blob")
    cache.remember("rule", "key", {})
    (cache.root / "partial" / Digest.of(b"x").hex).write_bytes(b"123")
    (cache.root / "partial" / f"{Digest.of(b'x').hex}.json").write_bytes(b"{}")
    (cache.root / "partial" / f"{Digest.of(b'y').hex}.json").write_bytes(b"{}")
    (cache.root / "locks" / "stale").touch()
    pruned = cache.prune()
    assert (pruned.removed, pruned.removed_bytes) == (1, 5)
    assert left_behind() == []
    assert not (cache.root / "locks" / "stale").exists()
    assert cache.find(Digest.of(b"blob"))
    assert cache.recall("rule", "key") == {}


def test_prune_by_age_goes_by_the_last_use(cache):
    old, used, new = put(cache, b"old"), put(cache, b"used"), put(cache, b"new")
    age(old, 40)
    age(used, 40)
    cache.find(Digest.of(b"used"))
    pruned = cache.prune(older_than_days=30)
    assert (pruned.removed, pruned.removed_bytes, pruned.kept_bytes) == (1, 3, 7)
    assert (old.exists(), used.exists(), new.exists()) == (False, True, True)


def test_prune_by_size_removes_the_least_recently_used_and_facts_last(cache):
    paths = [put(cache, bytes([number]) * 100) for number in range(5)]
    for number, path in enumerate(paths):
        age(path, 10 - number)
    cache.remember("rule", "key", {})
    pruned = cache.prune(max_bytes=450)
    assert [path.exists() for path in paths] == [False, False, True, True, True]
    assert pruned.kept_bytes <= 450
    assert cache.recall("rule", "key") == {}
    cache.prune(max_bytes=0)
    assert (cache.info().blobs, cache.info().facts) == (0, 0)
    assert put(cache, b"again").exists()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=20, deadline=None)
@given(sizes=st.lists(st.integers(1, 300), max_size=8), limit=st.integers(0, 1200))
def test_prune_by_size_ends_below_the_limit_and_removes_no_more_than_needed(cache, sizes, limit):
    cache.prune(max_bytes=0)
    for number, size in enumerate(sizes):
        age(put(cache, bytes([number]) * size), 20 - number)
    pruned = cache.prune(max_bytes=limit)
    left = cache.info().blob_bytes
    assert left == pruned.kept_bytes <= limit
    if pruned.removed:
        assert left + sizes[pruned.removed - 1] > limit


def test_prune_waits_for_nobody_and_takes_nothing_from_a_running_build(cache):
    put(cache, b"needed")
    with Cache.open(cache.root) as build:
        with pytest.raises(MachineError, match="in use by another envfreeze") as caught:
            cache.prune(max_bytes=0)
        assert "envfreeze cache prune" in caught.value.hint
        assert build.find(Digest.of(b"needed"))
    cache.prune(max_bytes=0)
    assert cache.find(Digest.of(b"needed")) is None


def test_a_build_that_begins_during_a_prune_waits_for_its_end(cache, monkeypatch):
    began = threading.Event()
    opened: list[float] = []

    def open_another():
        began.wait()
        Cache.open(cache.root).close()
        opened.append(time.monotonic())

    thread = threading.Thread(target=open_another)
    thread.start()
    removed: list[float] = []
    real = os.rmdir

    def slow(*arguments, **named):
        began.set()
        time.sleep(0.2)
        removed.append(time.monotonic())
        real(*arguments, **named)

    put(cache, b"blob")
    monkeypatch.setattr("os.rmdir", slow)
    cache.prune(max_bytes=0)
    thread.join()
    assert opened[0] > removed[-1]


def test_verify_of_a_sound_cache_finds_nothing(cache, bars):
    put(cache, b"content")
    cache.remember("rule", "key", {"a": 1})
    assert cache.verify(bars) == ()
    assert bars.done["verifying the cache"] == bars.totals["verifying the cache"]
    assert bars.finished == ["verifying the cache"]


def test_verify_removes_and_reports_what_is_damaged(cache):
    put(cache, b"sound")
    damaged = put(cache, b"content")
    damaged.chmod(0o644)
    damaged.write_bytes(b"c0ntent")
    stray = cache.root / "blobs" / "sha256" / "stray"
    stray.write_text("")
    misplaced = cache.root / "blobs" / "sha256" / Digest.of(b"").hex
    misplaced.write_text("")
    cache.remember("rule", "key", {"a": 1})
    (fact,) = (cache.root / "facts").rglob("*.json")
    document = json.loads(fact.read_bytes())
    fact.write_text(json.dumps(document | {"fact": {"a": 2}}))
    found = {damage.path: damage for damage in cache.verify()}
    assert set(found) == {damaged, stray, misplaced, fact}
    assert found[damaged].digest == Digest.of(b"content")
    assert str(Digest.of(b"c0ntent")) in found[damaged].reason
    assert not any(path.exists() for path in found)
    assert cache.find(Digest.of(b"sound"))
    assert cache.verify() == ()


def test_verify_is_no_use(cache):
    path = put(cache, b"content")
    age(path, 40)
    cache.verify()
    cache.prune(older_than_days=30)
    assert not path.exists()


def test_what_channels_list_is_pruned_by_age_like_the_rest(cache):
    old, new = cache.layout.repodata / "a" / "old.solv", cache.layout.repodata / "b" / "new.solv"
    for path in (old, new):
        path.parent.mkdir(parents=True)
        path.write_bytes(b"12345")
    long_ago = time.time() - 60 * 86_400
    os.utime(old, (long_ago, long_ago))
    assert cache.prune(older_than_days=30).removed_bytes == 5
    assert not old.parent.exists()
    assert new.exists()
    assert Cache.open(cache.root).root == cache.root
