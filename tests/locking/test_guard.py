"""The interpreter that uv asks, where it stays."""

from __future__ import annotations

import subprocess

from envfreeze.locking import guard
from envfreeze.store.cache import Cache


def test_the_kept_interpreter_is_the_same_every_time(tmp_path):
    with Cache.open(tmp_path) as cache:
        first = guard.kept(cache)
        made = first.lstat().st_ctime_ns
        assert guard.kept(cache) == first
        assert first.lstat().st_ctime_ns == made


def test_it_answers_and_builds_nothing(tmp_path):
    with Cache.open(tmp_path) as cache:
        python = guard.kept(cache)
    assert subprocess.run([python, "-I", "-c", "print(1)"], check=True, capture_output=True).stdout == b"1\n"
    refused = subprocess.run([python, "-c", "print(1)"], check=False, capture_output=True, text=True)
    assert refused.returncode == 86
    assert refused.stderr.startswith(guard.MARK)


def test_what_was_changed_in_it_is_made_anew(tmp_path):
    with Cache.open(tmp_path) as cache:
        python = guard.kept(cache)
        folder = python.parents[1]
        for path in (*folder.rglob("*.pth"), *folder.rglob("*.py"), folder / "pyvenv.cfg"):
            whole = path.read_bytes()
            path.write_bytes(b"")
            assert guard.kept(cache) == python
            assert path.read_bytes() == whole
        python.unlink()
        python.symlink_to("/bin/false")
        assert guard.kept(cache) == python
        assert str(python.readlink()) != "/bin/false"
        assert [path.name for path in folder.parent.iterdir()] == [folder.name]
