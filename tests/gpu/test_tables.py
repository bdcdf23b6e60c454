"""Each table is whole and its rows make sense; what is malformed is refused with its file and line."""

from __future__ import annotations

import contextlib
import json
import shutil
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envfreeze.errors import UntrustedError
from envfreeze.gpu import tables as module
from envfreeze.gpu.model import Version
from envfreeze.gpu.requirement import PROPERTIES, parse

DATA = Path(module.__file__).parent / "data"


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(DATA, tmp_path / "tables")


def change(path, old, new):
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return text[: text.index(old)].count("\n") + 1


def test_every_file_of_the_folder_is_one_that_is_known():
    assert {path.name for path in DATA.iterdir()} == {*module.FILES, module.MANIFEST, "README.md"}


def test_the_readme_tells_of_every_file_and_column():
    readme = (DATA / "README.md").read_text()
    for name in module.FILES:
        assert f"`{name}`" in readme
        if name.endswith(".csv"):
            for column in (DATA / name).read_text().splitlines()[0].split(","):
                assert f"`{column}`" in readme, (name, column)


def test_the_shipped_tables_are_loaded_once():
    assert module.load() is module.load()


def test_the_version_is_a_day(tables):
    assert date.fromisoformat(tables.version) >= date(2026, 1, 1)


def test_the_digest_is_of_what_is_said_and_not_of_how_it_is_laid_out(folder, tables):
    assert module.load(folder).digest == tables.digest
    assert tables.digest.startswith("sha256:")
    for name in ("forward_compat.json", "nvidia_require_cuda.json"):
        (folder / name).write_text(json.dumps(json.loads((folder / name).read_text()), indent=3))
    csv = folder / "cuda_toolkit_driver.csv"
    csv.write_bytes(csv.read_bytes().replace(b"\n", b"\r\n"))
    assert module.load(folder).digest == tables.digest
    change(csv, "550.54.15", "550.54.16")
    assert module.load(folder).digest != tables.digest


def test_toolkits_ascend_with_their_drivers(tables):
    rows = sorted(tables.toolkits, key=lambda row: row.cuda)
    assert len(rows) >= 58
    assert [row.cuda for row in rows] == sorted({row.cuda for row in rows})
    # 11.4.4 and others share a driver; none needs an older one than its predecessor.
    assert [row.driver for row in rows] == sorted(row.driver for row in rows)
    assert next(row.driver for row in rows if str(row.cuda) == "12.4.1") == Version.parse("550.54.15")


def test_runtimes_ascend_with_their_releases(tables):
    rows = sorted(tables.cudarts, key=lambda row: row.cuda)
    assert [row.cudart for row in rows] == sorted(row.cudart for row in rows)
    assert {str(row.cuda) for row in rows if str(row.cudart) == "12.6.77"} == {"12.6.2", "12.6.3"}


def test_architectures_are_those_of_rule_r4(tables):
    rows = {str(row.capability): row for row in tables.architectures if not row.suffix}
    assert {name for name, row in rows.items() if str(row.first) == "12.8"} == {"10.0", "10.1", "12.0"}
    assert {name for name, row in rows.items() if str(row.first) == "12.9"} == {"10.3", "12.1"}
    assert {name for name, row in rows.items() if str(row.first) == "11.8"} == {"8.9", "9.0"}
    for name in ("5.0", "5.2", "6.0", "6.1", "7.0"):
        assert str(rows[name].last) == "12.9"
    assert all(row.last is None for row in tables.architectures if row.capability >= Version((11,)))


def test_products_are_of_an_architecture_that_is_known(tables):
    known = {row.capability for row in tables.architectures}
    assert {row.name for row in tables.products if row.capability not in known} == set()
    assert len({row.name for row in tables.products}) == len(tables.products)
    assert all(row.brand for row in tables.products if row.kind != "jetson")


def test_the_floors_of_minor_version_compatibility_are_those_of_rule_r5(tables):
    found = {major: str(row.driver) for major, row in tables.minor_compat.items()}
    assert found == {11: "450.80.02", 12: "525.60.13", 13: "580.65.06"}


def test_forward_compatibility_has_one_paired_branch_for_a_cuda(tables):
    for cuda, cells in tables.forward_compat.items():
        assert list(cells) == [535, 570, 580, 590, 595, 610, 615]
        assert list(cells.values()).count("N/A") <= 1, cuda
        # Compatible comes before paired, paired before none: newer drivers need the package less.
        order = ["C", "N/A", "X"]
        assert list(cells.values()) == sorted(cells.values(), key=order.index)


def test_image_demands_are_requirements_with_a_floor_of_their_cuda(tables):
    assert len(tables.demands) == 65
    for row in tables.demands:
        assert row.floor == f"cuda>={row.cuda.minor}"
        assert len(parse(row.text)) == 1 + sum(map(len, row.branches.values()))


def test_the_grammar_is_the_parser_s(tables):
    assert tuple(tables.semantics["grammar"]["property"]) == PROPERTIES
    for operator in tables.semantics["grammar"]["operator"]:
        assert parse(f"driver{operator}535")
    assert tables.semantics["source"]


def test_tags_are_of_the_releases_whose_runtime_is_known(tables):
    known = {row.cuda: row.cudart for row in tables.cudarts}
    assert len(tables.tags) == 1719
    assert len({row.tag for row in tables.tags}) == 1719
    for row in tables.tags:
        assert row.cudart is None or row.cudart == known[row.cuda]
    tokens = {(str(row.cuda), row.token) for row in tables.tags if row.token.startswith("cudnn")}
    # gpu-rules R7
    assert {cuda for cuda, token in tokens if token == "cudnn9"} == {"12.3.2"}
    assert all(Version.parse(cuda) <= Version((12, 2, 2)) for cuda, token in tokens if token == "cudnn8")
    assert all(Version.parse(cuda) >= Version((12, 4, 1)) for cuda, token in tokens if token == "cudnn")
    for cuda in ("12.2.0", "12.3.0", "12.3.1", "12.4.0", "12.5.0", "13.1.0"):
        assert cuda not in {release for release, _ in tokens}


def test_torch_is_built_for_the_cuda_that_it_locks(tables):
    releases = {row.torch: row for row in tables.torch_releases}
    for lock in tables.framework_locks:
        if lock.framework == "torch" and lock.cuda is not None and lock.version.minor in releases:
            assert lock.cuda in releases[lock.version.minor].builds, lock.case


def test_torch_s_kernels_are_in_the_range_of_its_toolkit(tables):
    support = {row.capability: row for row in tables.architectures if not row.suffix}
    for row in tables.torch_kernels:
        assert row.first <= row.last
        for capability in (*row.cubins, *row.ptx):
            has = support[capability]
            assert has.first <= row.cuda
            assert has.last is None or row.cuda <= has.last


def test_the_locks_have_their_runtime_s_toolkits(tables):
    known = {(row.cudart, row.cuda) for row in tables.cudarts}
    assert len(tables.framework_locks) == 51
    for lock in tables.framework_locks:
        for toolkit in lock.toolkits:
            # 13.2.2 is newer than the images.
            assert (lock.runtime, toolkit) in known or str(toolkit) == "13.2.2"


def test_determinism_names_the_hash_seed_and_cublas(tables):
    assert {"PYTHONHASHSEED", "CUBLAS_WORKSPACE_CONFIG"} <= {row.name for row in tables.determinism}


@pytest.mark.parametrize(
    ("name", "old", "new", "said"),
    [
        ("cuda_toolkit_driver.csv", "550.54.15", "550.54.x", "not a version"),
        ("cuda_toolkit_driver.csv", "550.54.15,550", "550.54.15,555", "is not of branch 555"),
        ("cuda_toolkit_driver.csv", "12.4.1,12.4 Update 1,", "12.4.1,", "the row has 5 cells"),
        ("cuda_version_to_cudart.csv", "12.4.1,12.4.127", "12.4.1,12.5.127", "not of CUDA 12.4.1"),
        ("cuda_version_to_cudart.csv", "cudnn8,True", "cudnn8,yes", "neither True nor False"),
        ("cuda_arch_support.csv", "9.0a", "nine", "not a compute capability"),
        ("cuda_arch_support.csv", "7.2,Volta Jetson,10.0,12.2", "7.2,Volta Jetson,12.9,12.2", "is before"),
        ("gpu_compute_capability.csv", "A100,8.0,datacenter", "A100,8.0,server", "is none of"),
        ("minor_version_compat.csv", "525.60.13", "", "not a version"),
        ("nvidia_cuda_tags.csv", "12.4.1-base-ubuntu22.04", "12.4.1-base-ubuntu22.4", "is not of the row"),
        ("torch_release_cuda.csv", "2.12,12.6|13.0", "2.12,", "empty"),
        ("torch_wheel_archs.csv", "2.12-2.14,12.6", "2.12 to 2.14,12.6", "not a version nor two"),
        ("torch_wheel_archs.csv", "5.0 ... 9.0", "5.0 ... 8.0 9.0", "two with ... between"),
        ("framework_lock_cuda.csv", "12.9.79,12.9,", "12.9.79,12.8,", "is not that of the runtime"),
        ("determinism_env.csv", "PYTHONHASHSEED", "", "empty"),
        (
            "nvidia_require_cuda.json",
            '{"cuda": "11.5.2"',
            '{"kuda": "11.5.2"',
            "the column or key 'cuda' is missing",
        ),
        ("nvidia_require_cuda.json", '"470": ["tesla"', '"R470": ["tesla"', "invalid literal"),
        ("nvidia_require_cuda.json", '"11.5.2", "os"', '"11.5.2" "os"', "delimiter"),
        ("forward_compat.json", '"13.1": [\n   "C"', '"13.1": [\n   "yes"', "not C, N/A or X"),
    ],
)
def test_a_malformed_row_is_refused_with_its_file_and_line(folder, name, old, new, said):
    line = change(folder / name, old, new)
    with pytest.raises(UntrustedError) as error:
        module.load(folder)
    assert f"{folder / name}:{line}: " in error.value.message
    assert said in error.value.message
    assert error.value.hint


@pytest.mark.parametrize("name", [*module.FILES, module.MANIFEST])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(UntrustedError, match="cannot be read") as error:
        module.load(folder)
    assert str(folder / name) in error.value.message


@pytest.mark.parametrize("name", [name for name in module.FILES if name.endswith(".csv")])
def test_a_table_without_rows_is_refused(folder, name):
    (folder / name).write_text((folder / name).read_text().splitlines()[0] + "\n")
    with pytest.raises(UntrustedError, match="no rows"):
        module.load(folder)


@pytest.mark.parametrize("name", module.FILES)
@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"{}", b"[1, 2"])
def test_other_content_is_refused_and_never_a_traceback(folder, name, content):
    (folder / name).write_bytes(content)
    with pytest.raises(UntrustedError) as error:
        module.load(folder)
    assert name in error.value.message


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["rows", "columns_driver_branch", "cuda", "os", "cuda_floor", "extra_branches", "1.0"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    return shutil.copytree(DATA, tmp_path_factory.mktemp("shared") / "tables")


@settings(deadline=None)
@given(JSON)
def test_any_json_is_read_or_refused(shared, content):
    for name in ("forward_compat.json", "nvidia_require_cuda.json", "nvidia_require_semantics.json"):
        (shared / name).write_text(json.dumps(content))
    found = module.Tables(shared)
    for table in ("forward_compat", "demands", "semantics"):
        with contextlib.suppress(UntrustedError):
            getattr(found, table)


def test_json_that_is_nested_too_deeply_is_refused(folder):
    (folder / "forward_compat.json").write_text("[" * 100_000)
    with pytest.raises(UntrustedError, match=r"forward_compat\.json"):
        module.load(folder)


@pytest.mark.parametrize(
    "content", ["", "version = 1", 'format = 1\nversion = "new"', 'format = 2\nversion = "2027-01-01"', "="]
)
def test_a_manifest_of_another_form_is_refused(folder, content):
    (folder / module.MANIFEST).write_text(content)
    with pytest.raises(UntrustedError) as error:
        module.load(folder)
    assert module.MANIFEST in error.value.message
    if "2027" in content:
        assert error.value.hint == "update envfreeze"
