"""Two images to a verdict: documents, paths, packages, layers, and images that are only on record."""

from __future__ import annotations

import io
import json
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envfreeze.compare.images import compare, compare_record
from envfreeze.compare.model import Kind, Level
from envfreeze.digest import Digest
from envfreeze.errors import UntrustedError
from envfreeze.oci import media
from envfreeze.oci.image import FileLayer, ImageValue
from envfreeze.oci.manifest import manifest_json

SITE = "opt/venv/lib/python3.13/site-packages"


def kinds(verdict):
    return [one.kind for one in verdict.findings]


def only(verdict):
    (finding,) = verdict.findings
    assert verdict.level is finding.level
    return finding


def about_paths(verdict):
    return {finding.path: finding for finding in verdict.findings if finding.path is not None}


@pytest.fixture
def base(layer):
    return layer({"etc/hostname": b"base\n"})


def test_equal_manifests_are_identical_and_no_layer_is_read(image, base):
    base.path.unlink()
    verdict = compare(image([("base", base)]), image([("base", base)]))
    assert verdict.level is Level.IDENTICAL
    assert verdict.findings == ()
    assert verdict.reference == verdict.rebuilt


class TestConfig:
    @pytest.mark.parametrize(
        ("changes", "kind", "what"),
        [
            ({"env": ["PATH=/bin", "LANG=C.UTF-8"]}, Kind.CONFIG_ENV, "Env.PATH /usr/bin -> /bin"),
            ({"env": ["PATH=/usr/bin"]}, Kind.CONFIG_ENV, "Env.LANG C.UTF-8 -> absent"),
            (
                {"env": ["LANG=C.UTF-8", "PATH=/usr/bin"]},
                Kind.CONFIG_JSON,
                'Env order ["PATH", "LANG"] -> ["LANG", "PATH"]',
            ),
            ({"labels": {"a": "1"}}, Kind.CONFIG_LABEL, "Labels.a absent -> 1"),
            ({"cmd": ["python"]}, Kind.CONFIG_COMMAND, 'Cmd absent -> ["python"]'),
            ({"entrypoint": ["sh"]}, Kind.CONFIG_COMMAND, 'Entrypoint absent -> ["sh"]'),
            ({"workdir": "/work"}, Kind.CONFIG_WORKDIR, "WorkingDir / -> /work"),
            ({"user": "1000"}, Kind.CONFIG_USER, "User absent -> 1000"),
        ],
    )
    def test_a_field_that_differs_is_named(self, image, base, changes, kind, what):
        finding = only(compare(image([("base", base)]), image([("base", base)], **changes)))
        assert (finding.layer, finding.path, finding.kind) == ("config", None, kind)
        assert finding.what == what

    @pytest.mark.parametrize(
        ("change", "kind", "level"),
        [
            ({"created": "2026-01-01T00:00:00Z"}, Kind.CONFIG_TIME, Level.TREE),
            ({"author": "somebody"}, Kind.CONFIG_BUILD, Level.TREE),
            ({"docker_version": "28.2.2"}, Kind.CONFIG_BUILD, Level.TREE),
            ({"architecture": "riscv64"}, Kind.PLATFORM, Level.DIFFERENT),
            ({"variant": "v9"}, Kind.PLATFORM, Level.DIFFERENT),
            ({"config": {"ExposedPorts": {"80/tcp": {}}}}, Kind.CONFIG_OTHER, Level.PACKAGES),
            ({"config": {"StopSignal": "SIGINT"}}, Kind.CONFIG_OTHER, Level.PACKAGES),
            ({"config": {"Image": "sha256:1", "Volumes": None}}, Kind.CONFIG_OTHER, None),
        ],
    )
    def test_fields_of_the_config_have_their_level(self, image, base, change, kind, level):
        reference = image([("base", base)])
        document = json.loads(reference.config)
        execution = document["config"] | change.get("config", {})
        config = json.dumps(document | change | {"config": execution}, separators=(",", ":")).encode()
        verdict = compare(reference, ImageValue(manifest_json(config, [base]), config, (base,)))
        if level is None:  # What Docker wrote about its own container is nothing that runs.
            assert kinds(verdict) == [Kind.CONFIG_BUILD]
        else:
            assert (only(verdict).kind, verdict.level) == (kind, level)

    def test_a_history_that_differs_is_named(self, image, base):
        finding = only(compare(image([("base", base)]), image([("other", base)])))
        assert finding.what == "1 steps -> 1 steps; step 1: base -> other"
        assert finding.level is Level.TREE

    def test_the_same_values_in_other_json_are_the_same_tree(self, image, base):
        reference = image([("base", base)])
        config = json.dumps(json.loads(reference.config), indent=1).encode()
        verdict = compare(reference, ImageValue(manifest_json(config, [base]), config, (base,)))
        assert only(verdict).kind is Kind.CONFIG_JSON


class TestPaths:
    BEFORE = ("bin/run", b"one")

    @pytest.mark.parametrize(
        ("after", "kind", "what"),
        [
            (
                (("bin/run", b"two"), {}),
                Kind.CONTENT,
                "content 7692c3ad3540 (3 bytes) -> 3fc4ccfe7458 (3 bytes)",
            ),
            ((BEFORE, {"mode": 0o755}), Kind.MODE, "mode 0644 -> 0755"),
            ((BEFORE, {"uid": 5}), Kind.OWNER, "owner 0:0 -> 5:0"),
            ((BEFORE, {"mtime": 7}), Kind.TIME, "time 1970-01-01T00:00:00Z -> 1970-01-01T00:00:07Z"),
            (
                (BEFORE, {"pax_headers": {"SCHILY.xattr.user.a": "1"}}),
                Kind.XATTR,
                "xattr none -> user.a='1'",
            ),
            (
                (("bin/run",), {"kind": tarfile.SYMTYPE, "linkname": "walk"}),
                Kind.TYPE,
                "type file -> symbolic link to walk",
            ),
        ],
    )
    def test_each_kind_of_change_is_named(self, image, layer, entry, after, kind, what):
        old = layer([entry(*self.BEFORE)])
        arguments, options = after
        new = layer([entry(*arguments, **options)])
        finding = only(compare(image([("tools", old)]), image([("tools", new)])))
        assert (finding.kind, finding.layer, finding.path, finding.what) == (kind, "tools", "bin/run", what)

    def test_a_path_has_a_finding_for_each_kind(self, image, layer, entry):
        old = layer([entry(*self.BEFORE)])
        new = layer([entry("bin/run", b"two", mode=0o755, uid=7, mtime=9)])
        # That a changed file has another time goes without saying.
        assert kinds(compare(image([("t", old)]), image([("t", new)]))) == [
            Kind.CONTENT,
            Kind.MODE,
            Kind.OWNER,
        ]

    def test_links_and_devices_that_lead_elsewhere_are_named(self, image, layer, entry):
        old, new = (layer([entry("a", kind=tarfile.SYMTYPE, linkname=to)]) for to in ("b", "c"))
        assert about_paths(compare(image([("x", old)]), image([("x", new)])))["a"].what == "link b -> c"
        old, new = (layer([entry("a", kind=tarfile.CHRTYPE, devmajor=1, devminor=to)]) for to in (3, 5))
        assert about_paths(compare(image([("x", old)]), image([("x", new)])))["a"].what == "device 1:3 -> 1:5"

    def test_which_name_of_a_file_is_the_link_does_not_matter(self, image, layer, entry):
        old = layer([entry("a", b"1"), entry("b", kind=tarfile.LNKTYPE, linkname="a")])
        new = layer([entry("b", b"1"), entry("a", kind=tarfile.LNKTYPE, linkname="./b")])
        assert only(compare(image([("x", old)]), image([("x", new)]))).kind is Kind.TAR_ORDER
        apart = layer([entry("a", b"1"), entry("b", b"1")])
        found = compare(image([("x", old)]), image([("x", apart)]))
        assert {one.kind for one in found.findings} == {Kind.HARD_LINK}
        assert about_paths(found)["b"].what == "hard-link one file with a -> a file of its own"

    def test_added_and_removed_paths_are_named(self, image, layer):
        old = layer({"a": b"", "gone": b"", "z": b""})
        new = layer({"a": b"", "fresh": b"", "more": b"12", "z": b""})
        verdict = compare(image([("x", old)]), image([("x", new)]))
        assert {path: found.what for path, found in about_paths(verdict).items()} == {
            "gone": "only in the reference: file, 0 bytes",
            "fresh": "only in the rebuilt image: file, 0 bytes",
            "more": "only in the rebuilt image: file, 2 bytes",
        }
        assert verdict.counts == {Kind.ADDED: 2, Kind.REMOVED: 1}

    def test_tars_in_another_order_are_compared_all_the_same(self, image, layer, entry):
        names = [f"file-{number:03}" for number in range(50)]
        old = layer([entry(name, b"x") for name in names])
        new = layer([entry(f"./{name}", b"y" if name == "file-007" else b"x") for name in reversed(names)])
        verdict = compare(image([("x", old)]), image([("x", new)]))
        assert list(about_paths(verdict)) == ["file-007"]
        assert kinds(verdict) == [Kind.CONTENT, Kind.TAR_ORDER]

    def test_only_the_packing_differs(self, image, layer, entry):
        old = layer([entry("a", b"1"), entry("b", b"2")])
        again = layer([entry("b", b"2"), entry("a", b"1")])
        finding = only(compare(image([("x", old)]), image([("x", again)])))
        assert (finding.kind, finding.what) == (Kind.TAR_ORDER, "member 1: a -> b")
        other = layer([entry("a", b"1"), entry("b", b"2")], form=tarfile.GNU_FORMAT)
        assert only(compare(image([("x", old)]), image([("x", other)]))).kind is Kind.TAR_FORMAT
        named = layer([entry("a", b"1", uname="root"), entry("b", b"2")])
        assert only(compare(image([("x", old)]), image([("x", named)]))).what == ": -> root: (1 paths)"

    def test_bytecode_is_named_as_such(self, image, layer):
        old, new = layer({"a/b.pyc": b"1"}), layer({"a/b.pyc": b"2"})
        found = about_paths(compare(image([("x", old)]), image([("x", new)])))
        assert found["a/b.pyc"].cause.name == "bytecode"

    def test_a_damaged_layer_is_named(self, image, layer):
        old, new = layer({"a": b"1"}), layer({"a": b"2"})
        new.path.write_bytes(b"x" * new.size)
        with pytest.raises(UntrustedError, match=r"^layer tools: "):
            compare(image([("tools", old)]), image([("tools", new)]))

    @pytest.mark.parametrize("further", [{"uid": 1 << 70}, {"pax_headers": {"mtime": "nan"}}])
    def test_numbers_that_no_file_system_has_are_refused(self, image, layer, entry, further):
        old, new = layer({"a": b"1"}), layer([entry("a", b"1", **further)], form=tarfile.PAX_FORMAT)
        with pytest.raises(
            UntrustedError, match="layer x: 'a' has an owner or a time that no file system has"
        ):
            compare(image([("x", old)]), image([("x", new)]))

    def test_names_that_are_no_text_are_compared(self, image, layer, entry):
        old, new = (layer([entry("caf\udce9", data)]) for data in (b"1", b"2"))
        assert (
            about_paths(compare(image([("x", old)]), image([("x", new)])))["caf\udce9"].kind is Kind.CONTENT
        )

    def test_of_two_members_of_one_name_the_last_counts(self, image, layer, entry):
        old = layer([entry("a", b"1"), entry("a", b"2")])
        assert only(compare(image([("x", old)]), image([("x", layer({"a": b"2"}))]))).kind is Kind.TAR_FORMAT


@given(
    st.dictionaries(st.text("abc", min_size=1, max_size=3), st.binary(max_size=2), max_size=8),
    st.dictionaries(st.text("abc", min_size=1, max_size=3), st.binary(max_size=2), max_size=8),
    st.randoms(),
)
def test_exactly_the_paths_that_differ_are_named(tmp_path_factory, entry_of, before, after, random):
    make, build = entry_of(tmp_path_factory.mktemp("layers"))
    shuffled = list(after.items())
    random.shuffle(shuffled)
    verdict = compare(build(make(before.items())), build(make(shuffled)))
    named = {finding.path for finding in verdict.findings if finding.path is not None}
    assert named == {path for path in before | after if before.get(path) != after.get(path)}


@pytest.fixture(scope="module")
def entry_of():
    """Layers and images in a folder of the test's own, for tests that run many times."""

    def in_folder(folder):
        def make(items):
            buffer = io.BytesIO()
            with tarfile.open(fileobj=buffer, mode="w") as tar:
                for path, data in items:
                    info = tarfile.TarInfo(path)
                    info.size = len(data)
                    tar.addfile(info, io.BytesIO(data))
            digest = Digest.of(buffer.getvalue())
            (folder / digest.hex).write_bytes(buffer.getvalue())
            return FileLayer(digest, digest, len(buffer.getvalue()), media.LAYER, folder / digest.hex)

        def build(*layers):
            return ImageValue(manifest_json(b"{}", layers), b"{}", layers)

        return make, build

    return in_folder


FILES = st.dictionaries(st.sampled_from(["a", "b", "c", "d/e", "d/f"]), st.binary(max_size=1), max_size=5)


@given(st.lists(FILES, min_size=1, max_size=4), st.integers(0, 3), st.integers(0, 3))
def test_a_tree_is_the_same_in_any_layers_that_give_it(tmp_path_factory, entry_of, layers, cut, end):
    make, build = entry_of(tmp_path_factory.mktemp("layers"))
    first, last = min(cut, end), max(cut, end)
    together: dict[str, bytes] = {}
    for files in layers[first:last]:
        together |= files
    squashed = [*layers[:first], together, *layers[last:]]
    one, other = (build(*(make(sorted(files.items())) for files in stack)) for stack in (layers, squashed))
    assert compare(one, other).level.reaches(Level.TREE)


class TestPackages:
    def test_a_wheels_record_names_the_package(self, image, layer):
        record = f"{SITE}/scikit_learn-1.7.0.dist-info/RECORD"
        listing = b"sklearn/svm.py,sha256=abc,3\n../../../bin/svm,,\n"
        files = {record: listing, f"{SITE}/sklearn/svm.py": b"one", "opt/venv/bin/svm": b"one"}
        changed = files | {f"{SITE}/sklearn/svm.py": b"two", "opt/venv/bin/svm": b"two"}
        verdict = compare(image([("w", layer(files))]), image([("w", layer(changed))]))
        assert verdict.level is Level.DIFFERENT
        assert {path: one.package for path, one in about_paths(verdict).items()} == {
            f"{SITE}/sklearn/svm.py": "scikit-learn",
            "opt/venv/bin/svm": "scikit-learn",
        }

    def test_another_version_of_a_wheel_is_named(self, image, layer):
        old, new = (
            layer({f"{SITE}/numpy-{version}.dist-info/RECORD": b"numpy/a.py,,\n", f"{SITE}/numpy/a.py": data})
            for version, data in (("2.2.0", b"1"), ("2.3.1", b"2"))
        )
        verdict = compare(image([("w", old)]), image([("w", new)]))
        first = verdict.findings[0]
        assert (first.kind, first.package) == (Kind.PACKAGE_VERSION, "numpy")
        assert first.what == f"Python package in {SITE}: 2.2.0 -> 2.3.1"
        assert first.cause.name == "floating-package"
        assert about_paths(verdict)[f"{SITE}/numpy-2.2.0.dist-info/RECORD"].package == "numpy"

    def test_condas_records_name_the_package_and_its_python_metadata_is_not_counted_twice(self, image, layer):
        site = "lib/python3.13/site-packages"
        old, new = (
            layer(
                {
                    f"opt/conda/conda-meta/numpy-{version}-{build}.json": json.dumps(
                        {
                            "name": "numpy",
                            "version": version,
                            "build": build,
                            "files": [f"{site}/numpy/a.py", f"{site}/numpy-{version}.dist-info/RECORD"],
                        }
                    ).encode(),
                    f"opt/conda/{site}/numpy-{version}.dist-info/RECORD": b"numpy/a.py,,\n",
                    f"opt/conda/{site}/numpy/a.py": data,
                }
            )
            for version, build, data in (("2.2.0", "py313_0", b"1"), ("2.2.1", "py313_1", b"2"))
        )
        verdict = compare(image([("c", old)]), image([("c", new)]))
        (finding,) = [finding for finding in verdict.findings if finding.path is None]
        assert finding.what == "conda package in opt/conda: 2.2.0-py313_0 -> 2.2.1-py313_1"
        found = about_paths(verdict)
        assert {one.package for one in found.values()} == {"numpy"}
        assert f"opt/conda/{site}/numpy/a.py" in found

    def test_dpkgs_lists_name_the_package_also_under_merged_usr(self, image, layer):
        files = {
            "usr/bin/git": b"one",
            "usr/lib/x/libc.so.6": b"one",
            "var/lib/dpkg/info/git.list": b"/.\n/usr\n/usr/bin\n/usr/bin/git\n",
            "var/lib/dpkg/info/libc6:amd64.list": b"/lib/x/libc.so.6\n",
            "var/lib/dpkg/info/libc6:amd64.md5sums": b"one",
        }
        changed = files | dict.fromkeys(
            ("usr/bin/git", "usr/lib/x/libc.so.6", "var/lib/dpkg/info/libc6:amd64.md5sums"), b"two"
        )
        found = about_paths(compare(image([("d", layer(files))]), image([("d", layer(changed))])))
        assert {path: (one.package, one.level.value) for path, one in found.items()} == {
            "usr/bin/git": ("git", "different"),
            "usr/lib/x/libc.so.6": ("libc6", "different"),
            "var/lib/dpkg/info/libc6:amd64.md5sums": ("libc6", "packages"),
        }

    def test_os_packages_that_differ_are_named_from_dpkgs_status(self, image, layer):
        gone = "\n\nPackage: left\nStatus: deinstall ok config-files\nVersion: 9\n"
        gone += "\nPackage: half\nStatus: install reinstreq half-installed\nVersion: 9\n"
        old, new = (
            layer(
                {
                    "var/lib/dpkg/status": (
                        f"Package: a\nStatus: install ok installed\nVersion: {one}\n\n"
                        f"Package: b\nVersion: 1\n{more}"
                    ).encode()
                }
            )
            for one, more in (("1.0-1", ""), ("1.0-2", gone))
        )
        verdict = compare(image([("system", old)]), image([("system", new)]))
        assert [(one.package, one.what) for one in verdict.findings if one.package] == [
            ("a", "OS package: 1.0-1 -> 1.0-2")
        ]

    @pytest.mark.parametrize(
        "record", [b'"' + b"x" * 200_000, b"\xff\0,,\n", b"a\rb,,", b"../../../../../../x,,\n"]
    )
    def test_a_record_that_is_none_is_no_failure(self, image, layer, record):
        name = f"{SITE}/a-1.dist-info/RECORD"
        old, new = layer({name: record, "x": b"1"}), layer({name: record, "x": b"2"})
        assert "x" in about_paths(compare(image([("w", old)]), image([("w", new)])))


class TestLayers:
    def test_a_layer_more_or_less_does_not_shift_the_others(self, image, layer):
        one, two, three = (layer({name: b"1"}) for name in ("f", "g", "h"))
        verdict = compare(image([("a", one), ("b", two), ("c", three)]), image([("a", one), ("c", three)]))
        assert kinds(verdict) == [Kind.CONFIG_HISTORY, Kind.LAYER_REMOVED, Kind.REMOVED]
        assert {one.layer for one in verdict.findings[1:]} == {"b"}
        verdict = compare(image([("a", one)]), image([("new", two), ("a", one)]))
        assert kinds(verdict) == [Kind.CONFIG_HISTORY, Kind.LAYER_ADDED, Kind.ADDED]
        assert {one.layer for one in verdict.findings[1:]} == {"new"}

    def test_another_order_of_layers_that_do_not_touch_is_the_same_tree(self, image, layer):
        one, two, three = (layer({name: b"1"}) for name in ("f", "g", "h"))
        verdict = compare(
            image([("a", one), ("b", two), ("c", three)]), image([("c", three), ("b", two), ("a", one)])
        )
        assert kinds(verdict) == [Kind.CONFIG_HISTORY, Kind.LAYER_ORDER]
        assert verdict.findings[1].what == "a, b, c -> c, b, a"
        assert verdict.level is Level.TREE

    def test_another_order_of_layers_that_hide_each_other_is_another_tree(self, image, layer):
        one, two, between = layer({"f": b"1"}), layer({"f": b"2"}), layer({"g": b""})
        verdict = compare(
            image([("a", one), ("x", between), ("b", two)]), image([("b", two), ("x", between), ("a", one)])
        )
        assert about_paths(verdict)["f"].kind is Kind.CONTENT

    def test_a_layer_between_is_seen_where_a_path_moves_across_it(self, image, layer):
        low, high = layer({"f": b"1"}), layer({"f": b"1", "z": b""})
        between, empty = layer({"f": b"2"}), layer({"z": b""})
        # Below, `f` is hidden by the layer that both have; above, it is what counts.
        old, new = image([("a", low), ("x", between), ("c", empty)]), image([("x", between), ("b", high)])
        assert about_paths(compare(old, new))["f"].kind is Kind.CONTENT

    def test_equal_content_compressed_differently_is_named(self, image, layer):
        data = {"f": b"content" * 1000}
        old, new = layer(data, level=1), layer(data, level=9)
        finding = only(compare(image([("a", old)]), image([("a", new)])))
        assert (finding.layer, finding.kind, finding.level) == ("a", Kind.COMPRESSION, Level.LAYERS)

    def test_a_config_that_lies_about_a_layer_is_not_believed(self, image, layer):
        old, other = layer({"f": b"1"}), layer({"f": b"2"})
        lying = FileLayer(other.digest, old.diff_id, other.size, other.media_type, other.path)
        with pytest.raises(UntrustedError, match=r"layer a: its tar is .*, the config says"):
            compare(image([("a", old)]), image([("a", lying)]))

    def test_given_names_are_used_for_both_sides(self, image, layer):
        old, new, gone = layer({"f": b"1"}), layer({"f": b"2"}), layer({"g": b""})
        verdict = compare(
            image([("RUN 1", old), ("RUN 2", gone)]), image([("RUN 1", new)]), names=["wheel-numpy"]
        )
        assert [finding.layer for finding in verdict.findings] == [
            "config",
            "manifest",
            "wheel-numpy",
            "RUN 2",
        ]

    def test_a_manifest_alone_that_differs_is_said(self, image, base):
        reference, rebuilt = image([("a", base)]), image([("a", base)])
        object.__setattr__(rebuilt, "manifest", rebuilt.manifest + b"\n")
        assert only(compare(reference, rebuilt)).kind is Kind.MANIFEST
        noted = json.loads(reference.manifest) | {"annotations": {"org.example.a": "1"}}
        object.__setattr__(rebuilt, "manifest", json.dumps(noted).encode())
        finding = only(compare(reference, rebuilt))
        assert (finding.what, finding.level) == ("annotation org.example.a absent -> 1", Level.LAYERS)


class TestWhatLiesBelow:
    """Layers that both images have are read where the verdict depends on them, and else are not."""

    def test_a_directory_that_is_there_anyway_is_no_difference(self, image, layer, entry):
        folder = entry("etc", kind=tarfile.DIRTYPE, mode=0o755)
        shared = layer([folder, entry("etc/a", b"1")])
        old, new = layer([entry("x", b"1")]), layer([folder, entry("x", b"1")])
        verdict = compare(image([("s", shared), ("r", old)]), image([("s", shared), ("r", new)]))
        assert (only(verdict).kind, verdict.level, verdict.layers_read) == (Kind.REPEATED, Level.TREE, 6)
        other = layer([entry("etc", kind=tarfile.DIRTYPE, mode=0o700), entry("x", b"1")])
        finding = only(compare(image([("s", shared), ("r", old)]), image([("s", shared), ("r", other)])))
        assert (finding.kind, finding.what) == (Kind.MODE, "mode 0755 -> 0700")

    def test_a_directory_that_one_side_leaves_out_is_there_all_the_same(self, image, layer, entry):
        shared = layer({"a": b""})
        old = layer([entry("d", kind=tarfile.DIRTYPE, mode=0o755), entry("d/x", b"1")])
        new = layer([entry("d/x", b"1")])
        finding = only(compare(image([("s", shared), ("r", old)]), image([("s", shared), ("r", new)])))
        assert (finding.kind, finding.path) == (Kind.TAR_FORMAT, "d")

    def test_a_file_of_a_package_below_that_a_layer_replaces_is_found(self, image, layer):
        record = b"torch/a.py,sha256=a4ayc_80_OGda4BO_1o_V0etpOqiLx1JwB5S3beHW0s,1\n"
        shared = layer({f"{SITE}/torch-2.9.0.dist-info/RECORD": record, f"{SITE}/torch/a.py": b"1"})
        extra = layer({f"{SITE}/torch/a.py": b"2"})
        verdict = compare(image([("s", shared)]), image([("s", shared), ("extra", extra)]))
        found = about_paths(verdict)[f"{SITE}/torch/a.py"]
        assert (found.kind, found.package, found.layer) == (Kind.CONTENT, "torch", "extra")
        assert (found.cause.name, found.level) == ("tampering", Level.DIFFERENT)

    def test_a_project_file_is_judged_without_what_lies_below(self, image, layer):
        shared = layer({"usr/bin/python3": b"1"})
        old, new = (layer({"app/train.py": data}) for data in (b"1", b"2"))
        shared.path.unlink()
        verdict = compare(image([("s", shared), ("f", old)]), image([("s", shared), ("f", new)]))
        assert (only(verdict).cause.name, verdict.level) == ("project-files", Level.PACKAGES)

    def test_dpkgs_list_in_a_layer_more_is_held_against_that_below(self, image, layer):
        def status(*packages):
            return "\n".join(f"Package: {name}\nVersion: 1\n" for name in packages).encode()

        shared = layer({"var/lib/dpkg/status": status("libc6")})
        extra = layer({"var/lib/dpkg/status": status("git", "libc6")})
        verdict = compare(image([("s", shared)]), image([("s", shared), ("apt", extra)]))
        packages = [one for one in verdict.findings if one.path is None and one.package]
        assert [(one.package, one.kind) for one in packages] == [("git", Kind.PACKAGE_ADDED)]

    def test_deletions_count_where_something_is_there_to_delete(self, image, layer, entry):
        shared = layer({"etc/motd": b"hello", "etc/x": b""})
        deleting = layer([entry("etc/.wh.motd")])
        verdict = compare(image([("s", shared)]), image([("s", shared), ("rm", deleting)]))
        found = about_paths(verdict)["etc/motd"]
        assert (found.kind, verdict.level) == (Kind.WHITEOUT, Level.PACKAGES)
        idle = layer([entry("etc/.wh.gone")])
        verdict = compare(image([("s", shared)]), image([("s", shared), ("rm", idle)]))
        assert (about_paths(verdict)["etc/gone"].kind, verdict.level) == (Kind.IDLE_WHITEOUT, Level.TREE)

    def test_an_opaque_directory_hides_what_is_below(self, image, layer, entry):
        folder = entry("data", kind=tarfile.DIRTYPE, mode=0o755)
        shared = layer([folder, entry("data/a", b"1")])
        plain = layer([folder, entry("data/b", b"1")])
        opaque = layer([folder, entry("data/.wh..wh..opq"), entry("data/b", b"1")])
        verdict = compare(image([("s", shared), ("r", plain)]), image([("s", shared), ("r", opaque)]))
        assert (only(verdict).kind, only(verdict).path) == (Kind.OPAQUE, "data")
        again = layer([entry(".wh.data"), folder, entry("data/b", b"1")])
        verdict = compare(image([("s", shared), ("r", opaque)]), image([("s", shared), ("r", again)]))
        assert verdict.level is Level.TREE  # deleted and made anew is what opaque means

    def test_an_upgrade_in_a_layer_more_is_one_package_with_another_version(self, image, layer, entry):
        old = {f"{SITE}/numpy-2.0.dist-info/METADATA": b"", f"{SITE}/numpy-2.0.dist-info/RECORD": b""}
        new = {f"{SITE}/numpy-2.1.dist-info/METADATA": b"", f"{SITE}/numpy-2.1.dist-info/RECORD": b""}
        shared = layer(old)
        upgrade = layer([entry(f"{SITE}/.wh.numpy-2.0.dist-info"), *(entry(path) for path in sorted(new))])
        verdict = compare(image([("s", shared)]), image([("s", shared), ("pip", upgrade)]))
        packages = [one for one in verdict.findings if one.path is None and one.package]
        assert [one.what for one in packages] == [f"Python package in {SITE}: 2.0 -> 2.1"]


class TestRecords:
    """Comparison with an image of which only digests are known."""

    def record(self, image):
        layers = [(one.digest, one.diff_id) for one in image.layers]
        return image.digest, Digest.of(image.config), layers

    def test_the_same_image_is_identical(self, image, base):
        rebuilt = image([("base", base)])
        assert compare_record(*self.record(rebuilt), rebuilt).level is Level.IDENTICAL

    def test_layers_that_differ_are_named(self, image, layer, base):
        old, new = layer({"f": b"1"}), layer({"f": b"2"})
        reference = image([("base", base), ("wheel-torch", old)])
        rebuilt = image([("base", base), ("wheel-torch", new)])
        finding = only(compare_record(*self.record(reference), rebuilt))
        assert (finding.layer, finding.kind) == ("wheel-torch", Kind.LAYER_CONTENT)
        assert finding.what == f"diffID {old.diff_id} -> {new.diff_id}"
        assert finding.level is Level.DIFFERENT

    def test_a_missing_layer_is_named_by_position(self, image, layer, base):
        gone = layer({"f": b"1"})
        reference, rebuilt = image([("base", base), ("w", gone)]), image([("base", base)])
        assert only(compare_record(*self.record(reference), rebuilt)).layer == "layer 2"

    def test_a_config_alone_that_differs_is_said(self, image, base):
        reference, rebuilt = image([("base", base)]), image([("base", base)], cmd=["sh"])
        finding = only(compare_record(*self.record(reference), rebuilt))
        assert (finding.layer, finding.level) == ("config", Level.PACKAGES)

    def test_compression_alone_that_differs_is_said(self, image, layer):
        old, new = layer({"f": b"x" * 999}, level=1), layer({"f": b"x" * 999})
        reference, rebuilt = image([("a", old)]), image([("a", new)])
        assert only(compare_record(*self.record(reference), rebuilt)).kind is Kind.COMPRESSION
