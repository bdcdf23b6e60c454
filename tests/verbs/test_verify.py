"""From a digest back to its commit, and what is said where the image does not come out of it again."""

from __future__ import annotations

import io
import json
import shutil
import zipfile

import pytest

from envfreeze.digest import Digest
from envfreeze.locking import files as lock_files
from envfreeze.records.lines import render
from envfreeze.replacing import replace


def verified(work, digest, *arguments):
    ended = work.run("verify", *arguments, str(digest))
    assert not work.leftovers()
    return ended


def check_identical(work, digest, *arguments):
    ended = verified(work, digest, *arguments)
    assert (ended.code, ended.stdout) == (0, "identical\n"), ended.stderr
    return ended


@pytest.fixture
def forge():
    """Put a record of our own in place of all that are there."""

    def write(work, record):
        work.git("update-ref", "-d", "refs/notes/envfreeze")
        work.git("notes", "--ref", "envfreeze", "add", "-m", render(record).decode(), "HEAD")

    return write


def test_the_manifest_and_the_config_lead_to_the_build(project):
    digest = project.run("build").digest
    (record,) = project.records()
    ended = check_identical(project, digest)
    assert f"rebuilt from commit {project.git('rev-parse', 'HEAD')}" in ended.stderr
    check_identical(project, record.manifests[0].config)
    document = project.run("verify", "--json", digest.hex).document
    assert document["verdict"] == "identical"
    assert document["findings"] == []


def test_a_digest_that_nobody_recorded_is_said(project):
    project.run("build")
    ended = verified(project, Digest.of(b"never built"))
    assert ended.code == 2
    assert f"no record of {Digest.of(b'never built')}" in ended.stderr
    assert f"registry.example.org/team/train@{Digest.of(b'never built')}" in ended.stderr
    assert project.run("verify", "latest").code == 2


def test_a_verification_is_written_down(project):
    digest = project.run("build").digest
    check_identical(project, digest, "--no-record")
    assert len(project.git("notes", "--ref", "envfreeze", "show").splitlines()) == 1
    check_identical(project, digest)
    lines = [json.loads(line) for line in project.git("notes", "--ref", "envfreeze", "show").splitlines()]
    assert [line["kind"] for line in lines] == ["build", "verification"]
    assert lines[1]["level"] == "identical"


def test_uncommitted_work_is_found_again(project):
    project.write("train.py", "print('not committed')\n")
    project.write("notes.txt", "not of the image\n")
    digest = project.run("build").digest
    project.git("checkout", "train.py")
    assert project.run("build").digest != digest
    check_identical(project, digest)


def test_a_lock_that_nobody_committed_is_found_again(small_project):
    work = small_project()
    work.lock()
    digest = work.run("build").digest
    work.git("clean", "--quiet", "--force", "-d", "-x")
    assert not (work.root / "envfreeze.lock").exists()
    check_identical(work, digest)


def test_later_commits_do_not_matter(project):
    digest = project.run("build").digest
    project.write("train.py", "print('later')\n")
    (project.root / "envfreeze.lock").unlink()
    project.replace("envfreeze.toml", "/app", "/elsewhere")
    project.commit()
    check_identical(project, digest)


def test_nothing_of_the_cache_is_needed(project):
    digest = project.run("build").digest
    shutil.rmtree(project.cache)
    shutil.rmtree(project.root / ".envfreeze")
    check_identical(project, digest)


def test_no_layer_of_the_cache_is_believed(project):
    digest = project.run("build").digest
    asked = project.site.asked.copy()
    blobs = [path for path in (project.cache / "blobs").rglob("*") if path.is_file()]
    for path in blobs:
        if path.read_bytes().startswith(b"\x1f\x8b"):  # a layer
            content = path.read_bytes()
            path.unlink()
            path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    check_identical(project, digest)
    assert project.site.asked == asked


def test_a_damaged_download_in_the_cache_is_not_built_from(project):
    digest = project.run("build").digest
    wheel = Digest.of(project.site.files["/wheels/beta-1.0-py3-none-any.whl"])
    (path,) = (project.cache / "blobs").rglob(wheel.hex)
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content[:-1] + b"!")
    ended = verified(project, digest)
    assert ended.code == 6
    assert "beta-1.0-py3-none-any.whl" in ended.stderr
    assert "envfreeze cache verify" in ended.stderr
    repaired = project.run("cache", "verify")
    assert (repaired.code, repaired.stdout) == (1, "damaged\n")
    check_identical(project, digest)


def test_outside_git_the_folder_is_the_record(small_project):
    work = small_project(git=False)
    work.lock()
    digest = work.run("build").digest
    check_identical(work, digest)
    work.lock(wheels=[])
    ended = verified(work, digest)
    assert ended.code == 2
    assert "the lock in" in ended.stderr
    assert "envfreeze.lock was" in ended.stderr


def test_a_project_in_a_folder_of_the_repository(small_project):
    work = small_project(git=False, where="repository")
    work.git("init", "--quiet")
    inner = replace(work, root=work.root / "models" / "small")
    inner.root.mkdir(parents=True)
    for name in ("envfreeze.toml", "requirements.txt", "train.py"):
        (work.root / name).rename(inner.root / name)
    inner.lock()
    work.commit()
    digest = inner.run("build").digest
    assert inner.built() == digest
    check_identical(inner, digest)
    check_identical(work, digest)


def test_another_file_in_the_commit_is_found_and_named(project, forge):
    project.run("build")
    project.write("train.py", "print('another')\n")
    project.commit()
    digest = project.run("build").digest
    first, second = sorted(project.records(), key=lambda record: record.digest == digest)
    forge(project, replace(second, source=replace(first.source, included=second.source.included)))
    ended = verified(project, digest)
    assert (ended.code, ended.stdout) == (1, "packages\n")
    assert "project" in ended.stderr
    assert "app/train.py" in ended.stderr
    document = project.run("verify", "--json", str(digest)).document
    assert document["reference"] == str(digest)
    assert document["rebuilt"] == str(first.digest)
    assert [one["kind"] for one in document["findings"]] == ["source", "content"]
    # The same packages may be enough; and a verdict can be written as any of the forms that `diff` has.
    assert verified(project, digest, "--level", "packages").code == 0
    shutil.copytree(project.root / ".envfreeze/image", project.root / "kept")
    for form, beginning in (("junit", "<?xml"), ("markdown", "### ❌"), ("html", "<!doctype html>")):
        ended = verified(
            project, digest, "--format", form, "--output", f"verdict.{form}", "--against", "kept"
        )
        assert (ended.code, ended.stdout) == (1, "packages\n")
        written = (project.root / f"verdict.{form}").read_text()
        assert written.startswith(beginning)
        assert "app/train.py" in written
    shutil.rmtree(project.root / "kept")
    # Without the original the layers are known by their digests alone.
    shutil.rmtree(project.root / ".envfreeze")
    ended = verified(project, digest)
    assert (ended.code, ended.stdout) == (1, "different\n")
    assert "project" in ended.stderr


def test_another_package_in_the_lock_is_found_and_named(project, tools, forge):
    project.run("build")
    other = tools.wheel_of("beta", contents={"beta/__init__.py": b"version = 'another'\n"})
    alpha, _, gamma = project.lock().targets[0].wheels
    project.lock(wheels=[alpha, project.site.add_wheel("beta", other), gamma])
    project.commit()
    digest = project.run("build").digest
    first, second = sorted(project.records(), key=lambda record: record.digest == digest)
    # The server keeps but one file of a name.
    project.lock()
    forge(project, replace(second, source=first.source))
    ended = verified(project, digest)
    assert ended.code == 1
    for word in ("wheels-", "beta", "site-packages/beta/__init__.py"):
        assert word in ended.stderr
    assert "gamma" not in ended.stderr


def test_a_forged_lock_in_the_record_is_refused(project, forge):
    digest = project.run("build").digest
    (record,) = project.records()
    locks = dict(record.source.lock)
    locks["pylock.toml"] = replace(locks["pylock.toml"], blob=locks["requirements.lock.txt"].blob)
    forge(project, replace(record, source=replace(record.source, lock=locks)))
    ended = verified(project, digest)
    assert ended.code == 6
    assert "pylock.toml" in ended.stderr


def test_a_damaged_line_is_refused_where_it_is_the_only_one(project):
    digest = project.run("build").digest
    line = project.git("notes", "--ref", "envfreeze", "show")
    project.git("notes", "--ref", "envfreeze", "add", "--force", "-m", line[:-20], "HEAD")
    ended = verified(project, digest)
    assert ended.code == 6
    assert "damaged" in ended.stderr
    project.run("build")
    check_identical(project, digest)


def test_a_record_of_a_newer_writer_is_refused(project, forge):
    digest = project.run("build").digest
    (record,) = project.records()
    forge(project, replace(record, writer=2))
    ended = verified(project, digest)
    assert ended.code == 6
    assert "writer version 2" in ended.stderr


def test_an_original_that_is_damaged_does_not_hide_the_verdict(project):
    digest = project.run("build").digest
    (project.root / ".envfreeze" / "image" / "index.json").write_text("{")
    check_identical(project, digest)


def test_a_commit_that_this_clone_does_not_have_is_said(project, forge):
    digest = project.run("build").digest
    (record,) = project.records()
    forge(project, replace(record, source=replace(record.source, commit="1" * 40)))
    ended = verified(project, digest)
    assert ended.code == 2
    assert "1" * 40 in ended.stderr
    assert "git fetch" in ended.stderr


WRITER_1 = "sha256:d1ac6affc3bf7d0f2eb41d951d4d4b021fddf2be07dd6697c0394c58a8d5cace"
"""The image of the lock below as writer version 1 makes it, whatever envfreeze builds it."""


def test_an_image_of_writer_version_1_is_reproduced_for_good(small_project):
    """Where a newer writer changes bytes, it gets a new number, and a lock of this one still gives this."""
    work = small_project()
    packed = io.BytesIO()
    info = "alpha-1.0.dist-info"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as wheel:  # no compressor has a part in it
        for path, text in {
            "alpha/__init__.py": "version = '1.0'\n",
            "alpha-1.0.data/scripts/alpha": "#!python\nimport alpha\n",
            f"{info}/entry_points.txt": "[console_scripts]\nalpha-run = alpha:run\n",
            f"{info}/METADATA": "Metadata-Version: 2.1\nName: alpha\nVersion: 1.0\n",
            f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
            f"{info}/RECORD": "",
        }.items():
            wheel.writestr(zipfile.ZipInfo(path), text)
    lock = work.lock(wheels=[work.site.add_wheel("alpha", packed.getvalue())])
    lock_files.write(replace(lock, writer=1), work.root)
    digest = work.run("build").digest
    assert str(digest) == WRITER_1
    assert work.records()[0].writer == 1
    check_identical(work, digest)
