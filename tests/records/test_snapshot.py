"""What a build started from: kept, and brought back."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envfreeze.digest import Digest
from envfreeze.errors import MachineError, UntrustedError, UsageError
from envfreeze.records import patch
from envfreeze.records.included import digest_of
from envfreeze.records.model import KeptFile, Record
from envfreeze.records.store import open_store
from envfreeze.replacing import replace


def tree(folder):
    """Every path below a folder with what it is and holds; without git's own and the lock."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if ".git" in name.split("/") or path.name in {"envfreeze.lock", "pylock.toml"}:
            continue
        if path.is_symlink():
            found[name] = ("link", path.readlink().as_posix())
        elif path.is_file():
            found[name] = (stat.S_IMODE(path.stat().st_mode) & 0o100, path.read_bytes())
    return found


def untouched(work):
    """What the user would notice: the index, the references other than ours, the state of the files."""
    return (
        (work.root / ".git/index").read_bytes(),
        work.git("for-each-ref", "refs/heads", "refs/tags"),
        work.git("stash", "list"),
        sorted(path.name for path in (work.root / ".git").iterdir()),
    )


def round_trip(work, lock, a_record, tmp_path, include=(), project="."):
    """Snapshot, throw the working tree away, restore; gives the record's source and the restored folder."""
    before = untouched(work)
    source = work.store(project).snapshot(lock, list(include))
    assert untouched(work) == before
    restored = work.store(project).restore(a_record(source), tmp_path / "restored")
    assert untouched(work) == before
    for name, content in lock.items():
        assert (restored / name).read_bytes() == content
    return source, tmp_path / "restored"


def test_a_clean_tree_is_its_commit(work, lock, a_record, tmp_path):
    source, folder = round_trip(work, lock, a_record, tmp_path, ["train.py"])
    assert source.commit == work.git("rev-parse", "HEAD")
    assert (source.dirty, source.patch, source.project) == (False, None, ".")
    assert source.included == digest_of(work.root, ["train.py"]) == digest_of(folder, ["train.py"])
    assert tree(folder) == tree(work.root)


def test_locks_outputs_and_files_of_no_concern_do_not_make_a_tree_dirty(work, lock, a_record, tmp_path):
    for name in ("envfreeze.lock", ".envfreeze/image/index.json", "envfreeze.records.jsonl"):
        work.write(name, "old\n")
    work.commit()
    for name in ("envfreeze.lock", ".envfreeze/image/index.json", "envfreeze.records.jsonl", "notes.txt"):
        work.write(name, "new\n")
    os.utime(work.root / "train.py", (1, 1))
    source, folder = round_trip(work, lock, a_record, tmp_path)
    assert (source.dirty, source.patch) == (False, None)
    assert not (folder / "notes.txt").exists()


def test_changes_of_every_sort_come_back(work, lock, a_record, tmp_path):
    work.write("changed.py", "one\ntwo\nthree\n")
    work.write("deleted.txt", "gone\n")
    work.write("renamed.txt", "a\nb\nc\nd\ne\nf\n")
    work.write("run.sh", "#!/bin/sh\n")
    work.write("model.bin", bytes(range(256)) * 40)
    work.write("becomes-folder", "file\n")
    work.write("becomes-file/inside", "file\n")
    work.write("no-end", "no line feed")
    work.write("crlf.txt", "one\r\ntwo\r\n")
    work.write("größe.txt", "ü\n")
    (work.root / "link").symlink_to("train.py")
    work.commit()
    work.write("changed.py", "one\n2\nthree")
    (work.root / "deleted.txt").unlink()
    work.git("mv", "renamed.txt", "new name.txt")
    (work.root / "run.sh").chmod(0o755)
    work.write("model.bin", bytes(range(256)) * 39 + b"x")
    (work.root / "becomes-folder").unlink()
    work.write("becomes-folder/inside", "new\n")
    (work.root / "becomes-file/inside").unlink()
    (work.root / "becomes-file").rmdir()
    work.write("becomes-file", "new\n")
    work.write("no-end", "no line feed here either")
    work.write("crlf.txt", "one\r\n2\r\nthree\n")
    work.write("größe.txt", "ö\n")
    (work.root / "link").unlink()
    (work.root / "link").symlink_to("changed.py")
    work.write("staged.py", "staged\n")
    work.git("add", "staged.py")
    work.write("staged.py", "staged, then edited\n")
    work.write("intended.py", "intended\n")
    work.git("add", "-N", "intended.py")
    include = ["becomes-folder/inside", "becomes-file", "new\nline.txt", "empty.txt", "-dash", ":(glob)**"]
    for name in include[2:]:
        work.write(name, name if "empty" not in name else "")
    source, folder = round_trip(work, lock, a_record, tmp_path, include)
    assert source.dirty
    assert source.patch is not None
    assert tree(folder) == tree(work.root)


def test_only_included_untracked_files_come_along_ignored_or_not(work, lock, a_record, tmp_path):
    work.write(".gitignore", "data/\n*.bin\n")
    work.commit()
    include = ["data/train.csv", "weights.bin", "src/new.py", "src/run"]
    for name in (*include, "secret.env", "data/other.csv"):
        work.write(name, f"{name}\n")
    (work.root / "src/run").chmod(0o755)
    source, folder = round_trip(work, lock, a_record, tmp_path, include)
    assert set(tree(folder)) == {".gitignore", "train.py", *include}
    assert (folder / "src/run").stat().st_mode & 0o100
    assert digest_of(folder, include) == source.included


def test_a_users_configuration_changes_neither_patch_nor_checkout(make, lock, a_record, tmp_path):
    driver = tmp_path / "driver"
    driver.write_text("#!/bin/sh\necho converted\n")
    driver.chmod(0o755)
    patches = []
    for name, hostile in (("plain", False), ("hostile", True)):
        work = make(name)
        work.write(".gitattributes", "*.py diff=odd\n*.csv -diff\n*.dat binary\n")
        work.write("a.py", "\tone  \n\n\ntwo\n\nthree\n")
        work.write("b.csv", "1,2\n")
        work.git("-c", "user.name=A", "add", "-A")
        work.git("commit", "-q", "-m", "same", "--date=2026-01-01T00:00:00Z")
        if hostile:
            (tmp_path / "order").write_text("b.csv\na.py\n")
            for key, value in (
                ("diff.noprefix", "true"),
                ("diff.mnemonicPrefix", "true"),
                ("diff.external", str(driver)),
                ("diff.odd.command", str(driver)),
                ("diff.odd.textconv", str(driver)),
                ("diff.algorithm", "patience"),
                ("diff.context", "0"),
                ("diff.interHunkContext", "9"),
                ("diff.renames", "copies"),
                ("diff.relative", "true"),
                ("diff.orderFile", str(tmp_path / "order")),
                ("diff.ignoreSubmodules", "all"),
                ("diff.submodule", "log"),
                ("diff.suppressBlankEmpty", "true"),
                ("diff.wordRegex", "."),
                ("color.ui", "always"),
                ("color.diff", "always"),
                ("core.quotePath", "false"),
                ("core.hooksPath", str(tmp_path)),
                ("core.fsmonitor", str(driver)),
                ("core.splitIndex", "true"),
                ("core.whitespace", "trailing-space,cr-at-eol"),
                ("apply.whitespace", "error"),
                ("apply.ignoreWhitespace", "change"),
                ("core.sparseCheckout", "true"),
                ("status.showUntrackedFiles", "no"),
            ):
                work.git("config", key, value)
        work.write("a.py", "\tone  \n\n \nTWO  \n\nthree\n")
        work.write("b.csv", "1,2\n3,4\n")
        work.write("c.py", "new \t\n")
        source, folder = round_trip(work, lock, a_record, tmp_path / f"from-{name}", ["c.py"])
        assert tree(folder) == tree(work.root)
        patches.append(source.patch)
    assert patches[0] == patches[1]


@pytest.mark.parametrize("setting", ["true", "input"])
def test_line_endings_are_converted_as_for_any_checkout(setting, work, lock, a_record, tmp_path):
    work.git("config", "core.autocrlf", setting)
    work.git("config", "core.safecrlf", "true")
    end = "\r\n" if setting == "true" else "\n"
    work.write("text.py", f"one{end}two{end}")
    work.git("-c", "core.safecrlf=false", "add", "-A")
    work.git("commit", "-q", "-m", "text")
    work.write("text.py", f"one{end}2{end}")
    work.write("new.py", f"new{end}")
    (work.root / "train.py").write_bytes(f"print('train'){end}".encode())
    _, folder = round_trip(work, lock, a_record, tmp_path, ["new.py"])
    assert tree(folder) == tree(work.root)


def test_filters_run_as_for_any_checkout(work, lock, a_record, tmp_path):
    work.git("config", "filter.rot.clean", "tr a-m n-z")
    work.git("config", "filter.rot.smudge", "tr n-z a-m")
    work.write(".gitattributes", "*.rot filter=rot\n")
    work.write("old.rot", "abc\n")
    work.commit()
    work.write("old.rot", "bcd\n")
    work.write("new.rot", "def\n")
    _, folder = round_trip(work, lock, a_record, tmp_path, ["new.rot"])
    assert tree(folder) == tree(work.root)


PATHS = ["a", "a/b", "a/b/c", "a/d", "e f", "é", "g\th", "-i", "j\nk", '"l"']
CONTENTS = st.sampled_from([b"", b"1\n", b"1\n2\n3\n", b"1\n2\n3", b"1\r\n", b"\0\xff" * 50, b"- \n+ \n"])
TREES = st.dictionaries(st.sampled_from(PATHS), st.tuples(st.sampled_from(["file", "run", "link"]), CONTENTS))


def write_tree(root, files):
    """Make a working tree hold these files and no others, where a folder and a file do not clash."""
    for path in sorted(root.iterdir()):
        if path.name != ".git":
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    for path, (kind, content) in files.items():
        file = root / path
        if any(parent in files for parent in map(str, Path(path).parents)):
            continue
        file.parent.mkdir(parents=True, exist_ok=True)
        if kind == "link":
            file.symlink_to(f"to {len(content)}")
        else:
            file.write_bytes(content)
            file.chmod(0o755 if kind == "run" else 0o644)


@settings(max_examples=10, deadline=None)
@given(committed=TREES, staged=TREES, now=TREES)
def test_any_change_from_any_tree_to_any_other_comes_back(committed, staged, now):
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        root = place / "work"
        git = ["git", "-C", str(root), "-c", "user.name=A", "-c", "user.email=a@example.org"]
        subprocess.run(["git", "init", "-q", str(root)], check=True)
        write_tree(root, committed)
        subprocess.run([*git, "add", "-A"], check=True)
        subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "first"], check=True)
        write_tree(root, staged)
        subprocess.run([*git, "add", "-A"], check=True)
        write_tree(root, now)
        store = open_store(root)
        source = store.snapshot({}, list(tree(root)))
        assert source.dirty == (source.patch is not None)
        record = Record("2026-09-12T07:55:41Z", "native", "0.1.0", 1, Digest.of(b"image"), (), source)
        restored = store.restore(record, place / "restored")
        assert tree(restored) == tree(root)


def test_a_path_with_a_colon_is_no_list_of_paths(make, lock, a_record, tmp_path):
    work = make('co:lon "quoted"')
    work.write("a.py", "a\n")
    work.commit()
    work.write("a.py", "b\n")
    _, folder = round_trip(work, lock, a_record, tmp_path)
    assert (folder / "a.py").read_text() == "b\n"


def test_a_full_disk_is_a_matter_of_this_machine(work, lock, monkeypatch, tmp_path):
    (tmp_path / "temporary").touch()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))
    with pytest.raises(MachineError, match="temporary") as caught:
        work.store().snapshot(lock, [])
    assert "TMPDIR" in caught.value.hint


def test_a_project_in_a_subfolder_is_recorded_with_the_whole_repository(work, lock, a_record, tmp_path):
    work.write("models/a [1]/main.py", "a\n")
    work.write("shared/lib.py", "lib\n")
    work.write("models/a [1]/envfreeze.lock", "old\n")
    work.write("envfreeze.lock", "of another project\n")
    work.commit()
    work.write("shared/lib.py", "changed\n")
    work.write("models/a [1]/envfreeze.lock", "new\n")
    work.write("models/a [1]/new.py", "new\n")
    source, folder = round_trip(work, lock, a_record, tmp_path, ["new.py"], "models/a [1]")
    assert source.project == "models/a [1]"
    assert tree(folder) == tree(work.root)
    assert (folder / "envfreeze.lock").read_text() == "of another project\n"
    kept = work.git("cat-file", "blob", source.patch.blob)
    assert "envfreeze.lock" not in kept


def test_a_project_that_git_does_not_track_is_restored_too(work, lock, a_record, tmp_path):
    work.write(".gitignore", "scratch/\n")
    work.commit()
    work.write("scratch/model/a.py", "a\n")
    source, folder = round_trip(work, lock, a_record, tmp_path, ["a.py"], "scratch/model")
    assert source.dirty
    assert (folder / "scratch/model/a.py").read_text() == "a\n"


def test_changes_hidden_from_git_are_not_hidden_from_the_image(work, lock, a_record, tmp_path):
    work.write("config.yml", "shared\n")
    work.write("local.yml", "shared\n")
    work.write("absent.yml", "shared\n")
    work.commit()
    work.git("update-index", "--assume-unchanged", "config.yml")
    work.git("update-index", "--skip-worktree", "local.yml", "absent.yml")
    work.write("config.yml", "mine\n")
    work.write("local.yml", "mine\n")
    (work.root / "absent.yml").unlink()
    source, folder = round_trip(work, lock, a_record, tmp_path)
    assert source.dirty
    assert (folder / "config.yml").read_text() == "mine\n"
    assert (folder / "local.yml").read_text() == "mine\n"
    assert (folder / "absent.yml").read_text() == "shared\n"


def test_a_sparse_checkout_is_clean_and_restored_whole(work, lock, a_record, tmp_path):
    work.write("in/a.py", "a\n")
    work.write("out/b.py", "b\n")
    work.commit()
    for options in ((), ("--sparse-index",)):
        work.git("sparse-checkout", "init", "--cone", *options)
        work.git("sparse-checkout", "set", "in")
        assert not (work.root / "out").exists()
        place = tmp_path / f"options-{len(options)}"
        source, folder = round_trip(work, lock, a_record, place)
        assert not source.dirty
        assert (folder / "out/b.py").read_text() == "b\n"


def test_a_merge_in_conflict_is_recorded_as_the_files_are(work, lock, a_record, tmp_path):
    work.write("a.py", "base\n")
    work.write("b.py", "base\n")
    work.commit()
    work.git("checkout", "-q", "-b", "side")
    work.write("a.py", "side\n")
    (work.root / "b.py").unlink()
    work.commit()
    work.git("checkout", "-q", "main")
    work.write("a.py", "main\n")
    work.write("b.py", "main\n")
    work.commit()
    work.git("merge", "side", check=False)
    assert "UU a.py" in work.git("status", "--porcelain")
    source, folder = round_trip(work, lock, a_record, tmp_path)
    assert source.dirty
    assert tree(folder) == tree(work.root)


def test_an_include_through_a_link_brings_the_link_and_the_file(work, lock, a_record, tmp_path):
    work.write("real/a.py", "a\n")
    (work.root / "link").symlink_to("real")
    _, folder = round_trip(work, lock, a_record, tmp_path, ["link/a.py"])
    assert (folder / "link").readlink().as_posix() == "real"
    assert (folder / "link/a.py").read_text() == "a\n"
    assert work.warnings.told == []


def test_what_no_patch_can_carry_is_warned_of(work, lock):
    inner = work.at(work.root / "vendor")
    inner.root.mkdir()
    inner.git("init", "-q")
    inner.write("a.py", "a\n")
    source = work.store().snapshot(lock, ["vendor/a.py", "train.py"])
    assert (source.dirty, source.patch) == (True, None)
    assert len(work.warnings.told) == 1
    assert work.warnings.told[0].startswith("vendor holds included files")


def test_a_submodule_is_restored_at_its_commit(make, work, lock, a_record, tmp_path):
    library = make("library")
    library.write("lib.py", "one\n")
    first = library.commit()
    library.write("lib.py", "two\n")
    library.commit()
    work.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(library.root), "vendor/lib")
    work.commit()
    inner = work.at(work.root / "vendor/lib")
    inner.git("checkout", "-q", first)
    source, folder = round_trip(work, lock, a_record, tmp_path, ["vendor/lib/lib.py"])
    assert source.dirty
    assert work.warnings.told == []
    assert (folder / "vendor/lib/lib.py").read_text() == "one\n"
    assert digest_of(folder, ["vendor/lib/lib.py"]) == source.included
    inner.write("lib.py", "edited\n")
    work.store().snapshot(lock, ["vendor/lib/lib.py"])
    assert "committed" in work.warnings.told[0]


def test_kept_files_outlive_gits_garbage_collection(work, lock, a_record, tmp_path):
    work.write("train.py", "edited\n")
    work.write("new.py", "new\n")
    record = a_record(work.store().snapshot(lock, ["new.py"]))
    work.store().add(record)
    expected = tree(work.root)
    work.git("checkout", "-q", "train.py")
    (work.root / "new.py").unlink()
    work.git("reflog", "expire", "--expire=now", "--all")
    work.git("gc", "-q", "--prune=now")
    folder = work.store().restore(record, tmp_path / "restored")
    assert tree(folder) == expected
    assert (folder / "envfreeze.lock").read_bytes() == lock["envfreeze.lock"]


def test_a_lock_that_the_commit_has_needs_no_further_reference(work, lock):
    store = work.store()
    store.snapshot(lock, [])
    store.snapshot(lock, [])
    assert len(work.git("for-each-ref", "refs/envfreeze").splitlines()) == 1
    for name, content in lock.items():
        work.write(name, content)
    work.commit()
    work.git("update-ref", "-d", work.git("for-each-ref", "--format=%(refname)", "refs/envfreeze"))
    store.snapshot(lock, [])
    assert work.git("for-each-ref", "refs/envfreeze") == ""


def test_eight_snapshots_at_once_are_all_kept(work):
    work.write("train.py", "edited\n")
    script = (
        "import sys\nfrom pathlib import Path\nfrom envfreeze.records.store import open_store\n"
        "own = {'envfreeze.lock': sys.argv[2].encode()}\n"
        "open_store(Path(sys.argv[1])).snapshot({**own}, [])\n"
        "open_store(Path(sys.argv[1])).snapshot({'envfreeze.lock': b'the same'}, [])\n"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", script, str(work.root), str(number)]) for number in range(8)
    ]
    assert [process.wait() for process in processes] == [0] * 8
    assert len(work.git("for-each-ref", "refs/envfreeze/kept").splitlines()) == 9


def test_a_snapshot_leaves_no_objects_that_nothing_refers_to(work, lock):
    for name, content in lock.items():
        work.write(name, content)
    work.commit()
    before = work.git("count-objects")
    work.store().snapshot(lock, [])
    assert work.git("count-objects") == before
    work.write("large.bin", os.urandom(100_000))
    work.store().snapshot(lock, ["large.bin"])
    assert work.git("fsck", "--unreachable", "--no-reflogs") == ""


def test_a_commit_that_a_shallow_clone_lacks_is_to_be_fetched(work, lock, a_record, tmp_path):
    record = a_record(work.store().snapshot(lock, []))
    work.commit("later")
    subprocess.run(
        ["git", "clone", "-q", "--depth=1", f"file://{work.root}", str(tmp_path / "shallow")], check=True
    )
    clone = work.at(tmp_path / "shallow")
    with pytest.raises(UsageError, match=r"envfreeze\.lock") as caught:
        clone.store().restore(record, tmp_path / "restored")
    assert caught.value.hint.startswith("git fetch origin '+refs/envfreeze/kept/*:")
    subprocess.run(caught.value.hint, shell=True, cwd=clone.root, check=True, capture_output=True)  # noqa: S602 - a hint is to be typed
    with pytest.raises(UsageError, match=f"commit {record.source.commit} is not in") as caught:
        clone.store().restore(record, tmp_path / "restored")
    assert caught.value.hint == "git fetch --unshallow"
    assert list((tmp_path / "restored").iterdir()) == []
    clone.git("fetch", "-q", "--unshallow")
    assert tree(clone.store().restore(record, tmp_path / "restored")) == tree(work.root)


def test_a_commit_that_is_nowhere_is_a_wrong_use(work, lock, a_record, tmp_path):
    source = replace(work.store().snapshot(lock, []), commit="1" * 40)
    with pytest.raises(UsageError, match="is not in") as caught:
        work.store().restore(a_record(source), tmp_path / "restored")
    assert "git fetch --all" in caught.value.hint


def test_a_kept_file_that_is_another_is_untrusted(work, lock, a_record, tmp_path):
    source = work.store().snapshot(lock, [])
    other = KeptFile(Digest.of(b"other"), source.lock["envfreeze.lock"].blob)
    source = replace(source, lock={"envfreeze.lock": other})
    with pytest.raises(UntrustedError, match=r"envfreeze\.lock should be"):
        work.store().restore(a_record(source), tmp_path / "restored")
    assert not (tmp_path / "restored").exists()


def test_a_patch_that_does_not_fit_is_untrusted_and_leaves_nothing(work, lock, a_record, tmp_path):
    work.write("train.py", "edited\n")
    source = work.store().snapshot(lock, [])
    work.write("train.py", "quite another file\n")
    other = replace(source, commit=work.commit())
    with pytest.raises(UntrustedError, match="does not fit"):
        work.store().restore(a_record(other), tmp_path / "restored")
    assert list((tmp_path / "restored").iterdir()) == []


def test_a_patch_cannot_write_outside_of_the_checkout(work, lock, a_record, tmp_path):
    """A record may come from anyone who can push notes."""
    evil = (
        b"diff --git a/../../evil b/../../evil\nnew file mode 100644\nindex 0000000..9daeafb\n"
        b"--- /dev/null\n+++ b/../../evil\n@@ -0,0 +1 @@\n+test\n"
    )
    blob = subprocess.run(
        ["git", "hash-object", "-w", "--stdin"], cwd=work.root, input=evil, capture_output=True, check=True
    )
    source = work.store().snapshot(lock, [])
    kept = KeptFile(Digest.of(evil), blob.stdout.decode().strip())
    with pytest.raises(UntrustedError, match="does not fit"):
        work.store().restore(a_record(replace(source, dirty=True, patch=kept)), tmp_path / "in/restored")
    assert not list(tmp_path.rglob("evil"))


def test_the_lock_is_never_written_through_a_link(work, lock, a_record, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "victim").write_text("precious\n")
    (work.root / "envfreeze.lock").symlink_to(outside / "victim")
    (work.root / "away").symlink_to(outside)
    work.commit()
    source = work.store().snapshot(lock, [])
    folder = work.store().restore(a_record(source), tmp_path / "restored")
    assert (folder / "envfreeze.lock").read_bytes() == lock["envfreeze.lock"]
    assert (outside / "victim").read_text() == "precious\n"
    for project in ("away", "away/further"):
        with pytest.raises(UntrustedError, match="leads out"):
            work.store().restore(a_record(replace(source, project=project)), tmp_path / "again")
    assert [path.name for path in outside.iterdir()] == ["victim"]


def test_a_folder_that_is_not_empty_is_left_alone(work, lock, a_record, tmp_path):
    (tmp_path / "restored").mkdir()
    (tmp_path / "restored/mine").touch()
    with pytest.raises(UsageError, match="not empty"):
        work.store().restore(a_record(work.store().snapshot(lock, [])), tmp_path / "restored")
    assert (tmp_path / "restored/mine").exists()


def test_a_folder_that_cannot_be_made_is_a_matter_of_this_machine(work, lock, a_record, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(MachineError, match="file"):
        work.store().restore(a_record(work.store().snapshot(lock, [])), tmp_path / "file/restored")


def test_a_large_patch_is_warned_of(work, lock, monkeypatch):
    monkeypatch.setattr(patch, "LARGE", 1 << 20)
    work.write("large.bin", os.urandom(2 << 20))
    work.store().snapshot(lock, ["large.bin"])
    assert "2 MiB" in work.warnings.told[0]


def test_an_included_file_that_is_missing_is_named(work, lock):
    with pytest.raises(UsageError, match=r"nowhere\.py"):
        work.store().snapshot(lock, ["nowhere.py"])


def test_included_files_are_told_apart_by_path_content_mode_and_kind(tmp_path):
    def digest():
        return digest_of(tmp_path, ["b", "a"])

    (tmp_path / "a").write_text("1")
    (tmp_path / "b").write_text("2")
    seen = [digest()]
    assert seen[0] == digest_of(tmp_path, ["a", "b", "a"])
    items = "".join(f"100644 {Digest.of(text).hex} {name}\0" for name, text in (("a", b"1"), ("b", b"2")))
    assert seen[0] == Digest.of(items.encode())
    (tmp_path / "a").write_text("2")
    seen.append(digest())
    (tmp_path / "a").chmod(0o755)
    seen.append(digest())
    (tmp_path / "a").unlink()
    (tmp_path / "a").symlink_to("b")
    seen.append(digest())
    seen.append(digest_of(tmp_path, ["a"]))
    assert len(set(seen)) == len(seen)
    assert digest_of(tmp_path, []) is None
