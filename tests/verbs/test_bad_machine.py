"""No network, no room, no permission, no patience: what the user's machine does to a build."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from contextlib import contextmanager, suppress

import pytest

from envfreeze.replacing import replace


@pytest.fixture
def tmpfs(tmp_path, need):
    """`with tmpfs(name, options) as folder`: a file system of its own."""

    @contextmanager
    def mount(name, options):
        folder = tmp_path / name
        folder.mkdir(exist_ok=True)
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder)], check=False, capture_output=True
        )
        need("root", mounted.returncode == 0, "mounting a tmpfs needs root")
        try:
            yield folder
        finally:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)

    return mount


@pytest.fixture
def dead_end():
    """Give an address where nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{listener.getsockname()[1]}"


# -------------------------------------------------------------------------------------------- network


def test_without_a_network_it_is_said_what_could_not_be_had_from_where(small_project, dead_end):
    no_archive, no_index, no_files = works = [small_project(where=name) for name in ("one", "two", "three")]
    no_archive.replace("envfreeze.toml", no_archive.site.address, dead_end)
    no_index.replace("envfreeze.toml", f"{no_index.site.address}/simple", f"{dead_end}/simple")
    no_files.site = replace(no_files.site, address=dead_end)
    no_files.lock()
    before = [work.listing() for work in works]
    # All at once, since each asks several times with pauses between.
    running = [no_archive.start("lock"), no_index.start("lock"), no_files.start("build")]
    ended = [work.end(process) for work, process in zip(works, running, strict=True)]
    assert [one.code for one in ended] == [4, 4, 4]
    assert all(dead_end in one.stderr for one in ended)
    assert "InRelease" in ended[0].stderr
    assert "alpha" in ended[1].stderr or "gamma" in ended[1].stderr
    assert ".whl could not be fetched from" in ended[2].stderr or ".deb could" in ended[2].stderr
    assert [work.listing() for work in works] == before
    assert not no_files.records()
    assert not no_files.leftovers()


def test_offline_with_an_empty_cache_names_everything_that_is_missing(project, refused):
    said = refused(project, 4, "build", "--offline")
    for name in ("alpha-1.0-py3-none-any.whl", "libc6_2.41-12_amd64.deb", "without --offline"):
        assert name in said
    assert not project.site.asked


def test_offline_with_a_full_cache_builds_and_verifies(project):
    digest = project.run("build").digest
    asked = sum(project.site.asked.values())
    assert project.run("build", "--offline").digest == digest
    assert project.run("verify", "--offline", str(digest)).stdout == "identical\n"
    assert sum(project.site.asked.values()) == asked


def test_lock_offline_uses_what_was_had_before(small_project):
    work = small_project()
    assert work.run("lock").code == 0
    work.write("requirements.txt", "alpha\ngamma\nbeta\n")
    asked = work.site.asked.copy()
    ended = work.run("lock", "--offline")
    assert ended.code == 0, ended.stderr
    assert work.site.asked == asked


# ----------------------------------------------------------------------------------------------- disk


def test_a_full_disk_under_the_cache_stops_the_build_and_room_lets_it_go_on(
    small_project, tools, tmpfs, refused
):
    work = small_project()
    large = tools.wheel_of("large", contents={"large/noise": os.urandom(1_500_000)})
    work.lock(wheels=[work.site.add_wheel("large", large)])
    work.commit()
    with tmpfs("cache", "size=2m") as cache:
        # The download fits, the layer does not.
        said = refused(work, 7, "build")
        assert "full" in said
        assert "ENVFREEZE_CACHE" in said
        subprocess.run(["mount", "-o", "remount,size=16m", str(cache)], check=True)
        digest = work.run("build").digest
        assert work.run("cache", "verify").stdout == "clean\n"
    assert work.built() == digest


def test_a_disk_too_small_for_the_downloads_stops_the_build(small_project, tools, tmpfs):
    work = small_project()
    large = work.site.add_wheel(
        "large", tools.wheel_of("large", contents={"large/noise": os.urandom(1_500_000)})
    )
    work.lock(wheels=[large])
    work.commit()
    before = work.listing()
    with tmpfs("cache", "size=1m") as cache:
        ended = work.run("build")
        assert ended.code == 7
        assert "full" in ended.stderr
        assert ended.stderr.count("error:") == 1
        assert work.listing() == before
        # What came of the others meanwhile is of use to the next build.
        assert not list((cache / "partial").glob(f"{large.digest.hex}*"))


def test_a_full_disk_under_the_output_leaves_the_last_image(project, tools, tmpfs):
    with tmpfs("output", "size=1m") as output:
        first = project.run("build", "--output", str(output / "image")).digest
        large = tools.wheel_of("large", contents={"large/noise": os.urandom(1_500_000)})
        project.lock(wheels=[project.site.add_wheel("large", large)])
        before = sorted(path.name for path in output.rglob("*"))
        ended = project.run("build", "--output", str(output / "image"))
        assert ended.code == 7
        assert str(output / "image") in ended.stderr
        assert "No space left" in ended.stderr
        assert sorted(path.name for path in output.rglob("*")) == before
        assert [record.digest for record in project.records()] == [first]
        ended = project.run("build", "--archive", str(output / "image.tar"))
        assert ended.code == 7
        assert sorted(path.name for path in output.rglob("*")) == before
        subprocess.run(["mount", "-o", "remount,size=16m", str(output)], check=True)
        assert project.run("build", "--output", str(output / "image")).code == 0


def test_a_full_disk_under_temporary_files_stops_the_build(project, tmpfs):
    project.write("train.py", "x" * 300_000)
    with tmpfs("temporary", "size=64k"):
        ended = project.run("build")
        assert ended.code == 7
        assert str(project.temporary) in ended.stderr
        assert not list(project.temporary.iterdir())
    assert project.run("build").code == 0


def test_a_full_disk_under_the_project_leaves_the_last_lock(small_project, tmpfs):
    with tmpfs("disk", "size=1m"):
        work = small_project(where="disk/work")
        assert work.run("lock").code == 0
        before = {path: path.read_bytes() for path in work.root.glob("*lock*")}
        work.write("requirements.txt", "alpha\n")
        with pytest.raises(OSError, match="No space left"):
            (work.root / "ballast").write_bytes(bytes(1 << 20))
        ended = work.run("lock")
        assert ended.code == 7
        assert "No space left" in ended.stderr
        assert {path: path.read_bytes() for path in work.root.glob("*lock*")} == before
        assert not list(work.root.glob(".*lock*"))
        (work.root / "ballast").unlink()
        assert work.run("lock").code == 0


def test_a_read_only_cache_is_said_with_the_way_out(project, tmpfs, refused):
    with tmpfs("cache", "ro,size=1m") as cache:
        said = refused(project, 7, "build")
        assert str(cache) in said
        assert "read-only" in said
        assert "ENVFREEZE_CACHE" in said
    with tmpfs("cache", "size=16m") as cache:
        assert project.run("build").code == 0
        subprocess.run(["mount", "-o", "remount,ro", str(cache)], check=True)
        assert "read-only" in project.run("build").stderr
        assert "read-only" in project.run("cache", "verify").stderr


def test_a_read_only_project_is_said(project, tmpfs, tmp_path):
    with tmpfs("read-only", "size=4m") as folder:
        shutil.copytree(project.root, folder / "work", symlinks=True)
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)
        elsewhere = replace(project, root=folder / "work")
        ended = elsewhere.run("build")
        assert ended.code == 7
        assert str(folder) in ended.stderr
        assert "hint:" in ended.stderr
        ended = elsewhere.run("build", "--output", str(tmp_path / "image"), "--no-record")
        assert ended.code == 0, ended.stderr
        ended = elsewhere.run("lock", "--upgrade")
        assert ended.code == 7
        assert str(folder) in ended.stderr


def test_a_cache_that_is_a_file_is_said(project, refused):
    project.cache.write_text("mine")
    assert str(project.cache) in refused(project, 7, "build")
    assert project.cache.read_text() == "mine"


# ------------------------------------------------------------------------------------------ interrupt


def interrupted(work, ready, *arguments):
    """Press Ctrl-C once `ready()`; how it ended, and after how many seconds."""
    process = work.start(*arguments)
    deadline = time.monotonic() + 30
    while not ready():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.005)
    os.killpg(process.pid, signal.SIGINT)  # a terminal tells the whole group
    pressed = time.monotonic()
    return work.end(process), time.monotonic() - pressed


def check_interrupted(work, ended, seconds):
    assert ended.code == 130
    assert seconds < 2
    assert ended.stdout == ""
    assert ended.stderr.splitlines()[-1] == "error: interrupted"
    assert ended.stderr.count("error") == 1
    assert not (work.root / ".envfreeze").exists()
    assert not work.records()


def test_an_interrupted_download_ends_at_once_and_is_gone_on_with(small_project, tools):
    work = small_project()
    work.lock(
        wheels=[work.site.add_wheel("slow", tools.wheel_of("slow", contents={"x": os.urandom(50_000)}))]
    )
    work.commit()
    path = "/wheels/slow-1.0-py3-none-any.whl"
    work.site.pace[path] = 0.05
    ended, seconds = interrupted(work, lambda: work.site.asked[path], "build")
    check_interrupted(work, ended, seconds)
    assert not [place for place in work.leftovers() if "partial" not in place]
    work.site.pace.clear()
    digest = work.run("build").digest
    assert work.built() == digest
    assert not work.leftovers()


def test_an_interrupted_assembly_ends_at_once(small_project, tools):
    work = small_project()
    # Compressing 30 MB takes long enough.
    large = tools.deb_of(
        "large", "1", {f"./usr/share/large/{number}": os.urandom(1 << 16) * 160 for number in range(3)}
    )
    work.lock(debs=[work.site.add_deb("large", large)])
    work.commit()
    tmp = work.cache / "tmp"

    def assembling():
        with suppress(FileNotFoundError):  # what is found may have been named meanwhile
            return any(path.stat().st_size > 1 << 20 for path in tmp.rglob("blob-*"))
        return False

    ended, seconds = interrupted(work, assembling, "build", "--workers", "1")
    check_interrupted(work, ended, seconds)
    assert not work.leftovers()
    digest = work.run("build").digest
    assert work.built() == digest


def test_an_interrupted_lock_leaves_the_project_as_it_was(small_project):
    work = small_project()
    work.site.pace["/simple/alpha/"] = 1.0
    before = work.listing()
    ended, seconds = interrupted(work, lambda: work.site.asked["/simple/alpha/"], "lock")
    check_interrupted(work, ended, seconds)
    assert work.listing() == before
    assert not work.leftovers()
