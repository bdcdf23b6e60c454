"""Installing tables: what counts afterwards, and that nothing wrong or half done ever does."""

from __future__ import annotations

import io
import json
import os
import shutil
import tarfile
import zipfile

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envfreeze.errors import EnvfreezeError, MachineError, UntrustedError, UsageError
from envfreeze.gpu import published, tables, update
from envfreeze.gpu.tables import FILES, MANIFEST

PRODUCTS = "gpu_compute_capability.csv"


@pytest.fixture
def root(tmp_path):
    return tmp_path / "data"


@pytest.fixture
def own():
    """Envfreeze's own set: name to bytes."""
    folder = tables.load().folder
    return {name: (folder / name).read_bytes() for name in (MANIFEST, *FILES)}


@pytest.fixture
def newer(own):
    """A set of a later day that knows one more GPU."""
    return with_day(own, "2027-03-01") | {PRODUCTS: own[PRODUCTS] + row(own, "Z900")}


def with_day(files, day):
    text = files[MANIFEST].decode()
    return files | {MANIFEST: text.replace(tables.load().version, day).encode()}


def row(files, name):
    """A row for one more GPU, in the shape of the first."""
    first = files[PRODUCTS].decode().splitlines()[1]
    return (name + first[first.index(",") :] + "\n").encode()


def names(chosen):
    return {product.name for product in chosen.tables.products}


def tar_of(files, prefix="", mode="w:gz", links=()):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(prefix + name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
        for name, target in links:
            info = tarfile.TarInfo(prefix + name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
    return buffer.getvalue()


def zip_of(files, prefix=""):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(prefix + name, content)
    return buffer.getvalue()


def test_without_an_installed_set_envfreeze_s_own_count(root):
    assert update.current(root) is tables.load()
    assert not root.exists()
    assert not update.reset(root)


def test_an_installed_set_counts_until_it_is_reset(root, newer):
    made = update.install(newer, "https://tables.example.org/t.tar.gz", root)
    found = update.chosen(root)
    assert found.tables.digest == made.tables.digest != tables.load().digest
    assert (found.tables.version, found.source) == ("2027-03-01", "https://tables.example.org/t.tar.gz")
    assert "Z900" in names(found)
    assert update.reset(root)
    assert update.current(root) is tables.load()
    assert not any(path.is_dir() for path in (root / "gpu-tables").iterdir())


def test_a_single_table_takes_the_place_of_its_like(root, own, newer):
    update.install({PRODUCTS: own[PRODUCTS] + row(own, "Z100")}, "one", root)
    assert {"Z100", "A100"} <= names(update.chosen(root))
    update.install(newer, "all", root)
    update.install({PRODUCTS: newer[PRODUCTS] + row(own, "Z300")}, "one", root)
    found = update.chosen(root)
    assert {"Z900", "Z300"} <= names(found)
    assert "Z100" not in names(found)
    assert found.tables.version == "2027-03-01"


def test_the_same_set_twice_is_one_and_the_last_one_stays_for_who_still_reads_it(root, own, newer):
    update.install(newer, "a", root)
    update.install(newer, "b", root)
    folder = root / "gpu-tables"
    assert len([path for path in folder.iterdir() if path.is_dir()]) == 1
    assert update.chosen(root).source == "b"
    for day in ("2027-04-01", "2027-05-01", "2027-06-01"):
        update.install(with_day(own, day), day, root)
    versions = {tables.Tables(path).version for path in folder.iterdir() if path.is_dir()}
    assert versions == {"2027-05-01", "2027-06-01"}
    assert update.current(root).version == "2027-06-01"


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        (PRODUCTS, b"gpu,compute_capability,class,source\nA100,eight,datacenter,x\n", PRODUCTS),
        ("forward_compat.json", b"{", "forward_compat.json"),
        (MANIFEST, b"format = 99\nversion = '2027-01-01'\n", "format 99"),
        (MANIFEST, b"format = [", MANIFEST),
        ("nvidia_cuda_tags.csv", b"\xff\xfe", "nvidia_cuda_tags.csv"),
    ],
)
def test_a_wrong_table_is_named_and_what_was_in_use_stays(root, newer, own, name, content, says):
    update.install(newer, "good", root)
    before = listing(root)
    with pytest.raises(UntrustedError) as refused:
        update.install({**own, name: content}, "bad.tar.gz", root)
    assert says in refused.value.message
    assert "bad.tar.gz" in refused.value.message
    assert str(root) not in refused.value.message
    assert listing(root) == before


def test_a_set_that_lacks_a_table_is_refused(root, own):
    del own["torch_wheel_archs.csv"]
    with pytest.raises(UntrustedError, match=r"torch_wheel_archs\.csv"):
        update.install(own, "part", root)
    assert update.current(root) is tables.load()


def test_a_check_that_refuses_leaves_what_was_in_use(root, newer):
    def refuse(digest):
        raise UntrustedError(digest)

    with pytest.raises(UntrustedError, match="sha256:"):
        update.install(newer, "x", root, check=refuse)
    assert update.current(root) is tables.load()


def test_an_update_that_is_killed_leaves_what_was_in_use_and_the_next_cleans_up(root, newer, monkeypatch):
    def die(*_):
        os._exit(9)

    child = os.fork()
    if child == 0:
        monkeypatch.setattr(update, "_point", die)
        update.install(newer, "killed", root)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9
    (root / "gpu-tables" / ".new-left").mkdir()
    (root / "gpu-tables" / ".new-file").write_text("{")
    assert update.current(root) is tables.load()
    update.install(newer, "again", root)
    assert not [path for path in (root / "gpu-tables").iterdir() if path.name.startswith(".new-")]
    assert update.chosen(root).source == "again"


def test_a_set_that_was_changed_afterwards_is_not_believed(root, own, newer):
    folder = update.install(newer, "x", root).tables.folder
    (folder / PRODUCTS).write_bytes(own[PRODUCTS] + row(own, "Z901"))
    with pytest.raises(UntrustedError, match="not those that were installed") as refused:
        update.current(root)
    assert "envfreeze gpu reset" in refused.value.hint
    update.install(newer, "mended", root)
    assert "Z900" in names(update.chosen(root))


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"digest": "../..", "version": "", "source": "", "over": ""}']
)
def test_a_damaged_pointer_is_named_with_the_way_out(root, newer, text):
    update.install(newer, "x", root)
    (root / "gpu-tables" / "current.json").write_text(text)
    with pytest.raises(UntrustedError, match=r"current\.json is damaged") as refused:
        update.current(root)
    assert "envfreeze gpu reset" in refused.value.hint
    assert update.reset(root)
    assert update.current(root) is tables.load()


def test_an_envfreeze_with_newer_tables_uses_its_own(root, own):
    update.install(with_day(own, "2020-01-01"), "old on purpose", root)
    assert update.current(root).version == "2020-01-01"
    pointer = root / "gpu-tables" / "current.json"
    told = json.loads(pointer.read_text())
    pointer.write_text(json.dumps(told | {"over": "2020-02-02"}))  # as an older envfreeze would have had it
    found = update.chosen(root)
    assert (found.tables, found.passed_over) == (tables.load(), "2020-01-01")


def test_a_folder_that_cannot_be_made_is_named(tmp_path, own):
    (tmp_path / "file").write_text("")
    with pytest.raises(MachineError, match="cannot be written"):
        update.install(own, "x", tmp_path / "file")


def test_the_data_folder_is_the_user_s(monkeypatch, isolated):
    assert update.data_root() == isolated / ".local/share/envfreeze"
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    assert update.data_root() == isolated / ".local/share/envfreeze"
    monkeypatch.setenv("XDG_DATA_HOME", "/srv/data")
    assert str(update.data_root()) == "/srv/data/envfreeze"


# --------------------------------------------------------------------------------------------- archives


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
@pytest.mark.parametrize("prefix", ["", "./", "tables-main/gpu/data/"])
def test_a_tar_may_be_compressed_and_have_a_folder(own, mode, prefix):
    assert published.of_bytes(tar_of(own | {"README.md": b"x"}, prefix, mode), "t.tar") == own


def test_a_zip_is_read_as_well(own):
    assert published.of_bytes(zip_of(own, "tables/"), "tables.zip") == own


def test_other_files_elsewhere_in_an_archive_are_passed_over(own):
    files = {f"a/{name}": content for name, content in own.items()} | {f"b/{PRODUCTS}": b"", "a/../x": b""}
    assert published.of_bytes(tar_of(files), "t.tar.gz") == own


def test_links_are_no_tables(own):
    rest = {name: content for name, content in own.items() if name != PRODUCTS}
    found = published.of_bytes(tar_of(rest, links=[(PRODUCTS, "/etc/passwd")]), "t.tar.gz")
    assert PRODUCTS not in found


def test_several_sets_or_none_in_an_archive_are_refused(own):
    both = {f"{folder}/{name}": content for folder in "ab" for name, content in own.items()}
    with pytest.raises(UntrustedError, match="several sets"):
        published.of_bytes(tar_of(both), "t.tar.gz")
    with pytest.raises(UntrustedError, match="no set"):
        published.of_bytes(zip_of({"x": b""}), "t.zip")
    buffer = io.BytesIO(tar_of(own, mode="w"))
    with tarfile.open(fileobj=buffer, mode="a") as archive:
        archive.addfile(tarfile.TarInfo(PRODUCTS))
    with pytest.raises(UntrustedError, match="twice"):
        published.of_bytes(buffer.getvalue(), "t.tar")


def test_what_grows_beyond_any_table_is_refused(own, monkeypatch):
    monkeypatch.setattr(published, "LARGEST", 1 << 20)
    big = own | {"nvidia_cuda_tags.csv": bytes(1 << 20)}
    for packed in (tar_of(big), zip_of(big)):
        with pytest.raises(UntrustedError, match="MiB of tables are refused"):
            published.of_bytes(packed, "bomb")


def test_an_archive_cut_short_is_damaged(own):
    whole = tar_of(own)
    for content in (whole[:-400], whole[:5000], zip_of(own)[:-300] + zip_of(own)[-100:]):
        with pytest.raises((UntrustedError, UsageError)):
            published.of_bytes(content, "t.tar.gz")


def test_a_file_of_another_name_is_neither(own):
    with pytest.raises(UsageError, match="neither an archive"):
        published.of_bytes(own[PRODUCTS], "gpus.csv")
    assert published.of_bytes(own[PRODUCTS], PRODUCTS) == {PRODUCTS: own[PRODUCTS]}


def test_a_folder_needs_a_manifest(tmp_path, own):
    shutil.copytree(tables.load().folder, tmp_path / "set")
    assert published.of_folder(tmp_path / "set") == own
    (tmp_path / "set" / MANIFEST).unlink()
    with pytest.raises(UsageError, match=MANIFEST):
        published.of_folder(tmp_path / "set")


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_a_damaged_archive_is_refused_in_words_or_gives_known_names(data):
    folder = tables.load().folder
    small = {name: (folder / name).read_bytes()[:300] for name in (MANIFEST, PRODUCTS)}
    packed = bytearray(data.draw(st.sampled_from([tar_of(small), tar_of(small, mode="w"), zip_of(small)])))
    for _ in range(data.draw(st.integers(1, 4))):
        packed[data.draw(st.integers(0, len(packed) - 1))] = data.draw(st.integers(0, 255))
    try:
        found = published.of_bytes(bytes(packed[: data.draw(st.integers(1, len(packed)))]), "x")
    except EnvfreezeError:
        return
    assert set(found) <= {MANIFEST, *FILES}


def listing(root):
    return {
        str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()
    }
