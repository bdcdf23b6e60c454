from __future__ import annotations

import io
import json
import tarfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envfreeze.compare.images import compare, compare_record
from envfreeze.compare.model import Finding, Level
from envfreeze.compare.pairs import Place, pair
from envfreeze.digest import Digest
from envfreeze.errors import UntrustedError
from envfreeze.oci import media
from envfreeze.oci.image import FileLayer, ImageValue
from envfreeze.oci.manifest import manifest_json

ONE = Digest.of(b"one")
SITE = "opt/venv/lib/python3.13/site-packages"


def only(verdict):
    (finding,) = verdict.findings
    assert verdict.level is Level.DIFFERENT
    return finding


def about_paths(verdict):
    assert verdict.level is Level.DIFFERENT
    return {finding.path: finding for finding in verdict.findings if finding.path is not None}


def summary(verdict):
    return next(one.what for one in verdict.findings if one.path is None and one.package is None)


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
        ("changes", "what"),
        [
            ({"env": ["PATH=/bin", "LANG=C.UTF-8"]}, "Env.PATH /usr/bin -> /bin"),
            ({"env": ["PATH=/usr/bin"]}, "Env.LANG C.UTF-8 -> absent"),
            ({"env": ["LANG=C.UTF-8", "PATH=/usr/bin"]}, 'Env order ["PATH", "LANG"] -> ["LANG", "PATH"]'),
            ({"labels": {"a": "1"}}, "Labels.a absent -> 1"),
            ({"cmd": ["python"]}, 'Cmd absent -> ["python"]'),
            ({"workdir": "/work"}, "WorkingDir / -> /work"),
            ({"user": "1000"}, "User absent -> 1000"),
        ],
    )
    def test_a_field_that_differs_is_named(self, image, base, changes, what):
        finding = only(compare(image([("base", base)]), image([("base", base)], **changes)))
        assert (finding.layer, finding.path) == ("config", None)
        assert finding.what == what
        assert finding.cause == f"{what.partition(' ')[0] if 'order' not in what else 'Env order'} differs"

    def test_a_history_that_differs_is_named(self, image, base):
        finding = only(compare(image([("base", base)]), image([("other", base)])))
        assert finding.what == "history differs"


class TestPaths:
    BEFORE = ("bin/run", b"one")

    @pytest.mark.parametrize(
        ("after", "what", "cause"),
        [
            (
                (("bin/run", b"two"), {}),
                f"content {ONE} (3 bytes) -> {Digest.of(b'two')} (3 bytes)",
                "file content differs",
            ),
            ((BEFORE, {"mode": 0o755}), "mode 0644 -> 0755", "permissions differ"),
            ((BEFORE, {"uid": 5}), "owner 0:0 -> 5:0", "owner differs"),
            ((BEFORE, {"mtime": 7}), "mtime 0 -> 7", "time differs"),
            (
                (BEFORE, {"pax_headers": {"SCHILY.xattr.user.a": "1"}}),
                "xattrs none -> user.a='1'",
                "extended attributes differ",
            ),
            (
                (("bin/run",), {"kind": tarfile.SYMTYPE, "linkname": "walk"}),
                f"type file -> symbolic link; content {ONE} (3 bytes) -> none; link none -> walk",
                "file replaced by another kind",
            ),
        ],
    )
    def test_each_kind_of_change_is_named(self, image, layer, entry, after, what, cause):
        old = layer([entry(*self.BEFORE)])
        arguments, options = after
        new = layer([entry(*arguments, **options)])
        found = about_paths(compare(image([("tools", old)]), image([("tools", new)])))
        assert found == {"bin/run": Finding("tools", None, "bin/run", what, cause)}

    def test_a_link_that_points_elsewhere_is_named(self, image, layer, entry):
        old, new = (layer([entry("a", kind=tarfile.SYMTYPE, linkname=to)]) for to in ("b", "c"))
        assert about_paths(compare(image([("x", old)]), image([("x", new)])))["a"].what == "link b -> c"

    def test_added_and_removed_paths_are_named_and_counted(self, image, layer):
        old = layer({"a": b"", "gone": b"", "z": b""})
        new = layer({"a": b"", "fresh": b"", "more": b"", "z": b""})
        verdict = compare(image([("x", old)]), image([("x", new)]))
        assert summary(verdict) == "of 5 paths 0 changed, 2 added, 1 removed"
        assert {path: found.what for path, found in about_paths(verdict).items()} == {
            "gone": "removed",
            "fresh": "added",
            "more": "added",
        }

    def test_tars_in_another_order_are_compared_all_the_same(self, image, layer, entry):
        names = [f"file-{number:03}" for number in range(50)]
        old = layer([entry(name, b"x") for name in names])
        new = layer([entry(f"./{name}", b"y" if name == "file-007" else b"x") for name in reversed(names)])
        verdict = compare(image([("x", old)]), image([("x", new)]))
        assert list(about_paths(verdict)) == ["file-007"]
        assert summary(verdict) == "of 50 paths 1 changed, 0 added, 0 removed"

    def test_only_the_packing_differs(self, image, layer, entry):
        old = layer([entry("a", b"1"), entry("b", b"2")])
        new = layer([entry("b", b"2"), entry("a", b"1")])
        finding = only(compare(image([("x", old)]), image([("x", new)])))
        assert finding == Finding(
            "x", None, None, "same files, packed differently", "tar headers or order differ"
        )

    def test_bytecode_is_named_as_such(self, image, layer):
        old, new = layer({"a/b.pyc": b"1"}), layer({"a/b.pyc": b"2"})
        found = about_paths(compare(image([("x", old)]), image([("x", new)])))
        assert found["a/b.pyc"].cause == "bytecode differs"

    def test_a_damaged_layer_is_named(self, image, layer):
        old, new = layer({"a": b"1"}), layer({"a": b"2"})
        new.path.write_bytes(b"x" * new.size)
        with pytest.raises(UntrustedError, match=r"^layer tools: "):
            compare(image([("tools", old)]), image([("tools", new)]))


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

        def build(one):
            return ImageValue(manifest_json(b"{}", (one,)), b"{}", (one,))

        return make, build

    return in_folder


class TestPackages:
    def test_a_wheels_record_names_the_package(self, image, layer):
        record = f"{SITE}/scikit_learn-1.7.0.dist-info/RECORD"
        listing = b"sklearn/svm.py,sha256=abc,3\n../../../bin/svm,,\n"
        files = {record: listing, f"{SITE}/sklearn/svm.py": b"one", "opt/venv/bin/svm": b"one"}
        changed = files | {f"{SITE}/sklearn/svm.py": b"two", "opt/venv/bin/svm": b"two"}
        found = about_paths(compare(image([("w", layer(files))]), image([("w", layer(changed))])))
        assert {path: one.package for path, one in found.items()} == {
            f"{SITE}/sklearn/svm.py": "scikit-learn",
            "opt/venv/bin/svm": "scikit-learn",
        }

    def test_another_version_of_a_wheel_is_named(self, image, layer):
        old, new = (
            layer({f"{SITE}/numpy-{version}.dist-info/RECORD": b"numpy/a.py,,\n", f"{SITE}/numpy/a.py": data})
            for version, data in (("2.2.0", b"1"), ("2.3.1", b"2"))
        )
        verdict = compare(image([("w", old)]), image([("w", new)]))
        assert (
            Finding("w", "numpy", None, "version 2.2.0 -> 2.3.1", "Python package differs")
            in verdict.findings
        )
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
            for version, build, data in (("2.2.0", "py313_0", b"1"), ("2.2.0", "py313_1", b"2"))
        )
        verdict = compare(image([("c", old)]), image([("c", new)]))
        assert [finding for finding in verdict.findings if finding.path is None][1:] == [
            Finding("c", "numpy", None, "version 2.2.0-py313_0 -> 2.2.0-py313_1", "conda package differs")
        ]
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
        assert {path: one.package for path, one in found.items()} == {
            "usr/bin/git": "git",
            "usr/lib/x/libc.so.6": "libc6",
            "var/lib/dpkg/info/libc6:amd64.md5sums": "libc6",
        }

    def test_base_packages_that_differ_are_named_from_dpkgs_status(self, image, layer):
        old, new = (
            layer({"var/lib/dpkg/status": f"Package: a\nVersion: {one}\n\nPackage: b\nVersion: 1\n".encode()})
            for one in ("1.0-1", "1.0-2")
        )
        verdict = compare(image([("system", old)]), image([("system", new)]))
        assert (
            Finding("system", "a", None, "version 1.0-1 -> 1.0-2", "base package differs") in verdict.findings
        )
        assert not [one for one in verdict.findings if one.package == "b"]

    @pytest.mark.parametrize(
        "record", [b'"' + b"x" * 200_000, b"\xff\0,,\n", b"a\rb,,", b"../../../../../../x,,\n"]
    )
    def test_a_record_that_is_none_is_no_failure(self, image, layer, record):
        name = f"{SITE}/a-1.dist-info/RECORD"
        old, new = layer({name: record, "x": b"1"}), layer({name: record, "x": b"2"})
        assert "x" in about_paths(compare(image([("w", old)]), image([("w", new)])))


class TestLayers:
    def test_missing_and_added_layers_do_not_shift_the_others(self, image, layer):
        one, two, three, four = (layer({"f": data}) for data in (b"1", b"2", b"3", b"4"))
        verdict = compare(
            image([("a", one), ("b", two), ("c", three)]), image([("a", one), ("c", three), ("d", four)][:2])
        )
        assert only(verdict) == Finding("b", None, None, f"{two.digest} -> none", "layer missing")
        verdict = compare(image([("a", one)]), image([("new", two), ("a", one)]))
        assert only(verdict) == Finding("new", None, None, f"none -> {two.digest}", "layer added")

    def test_layers_of_one_name_are_compared_wherever_they_stand(self, image, layer):
        old, new, other = layer({"f": b"old"}), layer({"f": b"new"}), layer({"g": b""})
        verdict = compare(image([("w", old)]), image([("extra", other), ("w", new)]))
        assert about_paths(verdict)["f"].layer == "w"

    def test_another_order_is_named(self, image, layer):
        one, two = layer({"f": b"1"}), layer({"f": b"2"})
        finding = only(compare(image([("a", one), ("b", two)]), image([("b", two), ("a", one)])))
        assert (finding.what, finding.cause) == ("a, b -> b, a", "layers in another order")

    def test_equal_content_compressed_differently_is_named(self, image, layer):
        data = {"f": b"content" * 1000}
        old, new = layer(data, level=1), layer(data, level=9)
        finding = only(compare(image([("a", old)]), image([("a", new)])))
        assert (finding.layer, finding.cause) == ("a", "compression differs")

    def test_given_names_are_used_for_both_sides(self, image, layer):
        old, new, gone = layer({"f": b"1"}), layer({"f": b"2"}), layer({"g": b""})
        verdict = compare(
            image([("RUN 1", old), ("RUN 2", gone)]), image([("RUN 1", new)]), names=["wheel-numpy"]
        )
        assert [finding.layer for finding in verdict.findings] == ["wheel-numpy", "wheel-numpy", "RUN 2"]

    def test_a_manifest_alone_that_differs_is_said(self, image, base):
        reference, rebuilt = image([("a", base)]), image([("a", base)])
        object.__setattr__(rebuilt, "manifest", rebuilt.manifest + b"\n")
        assert only(compare(reference, rebuilt)).cause == "manifest written by another tool"


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
        assert finding.layer == "wheel-torch"
        assert finding.what == f"diffID {old.diff_id} -> {new.diff_id}"

    def test_a_missing_layer_is_named_by_position(self, image, layer, base):
        gone = layer({"f": b"1"})
        reference, rebuilt = image([("base", base), ("w", gone)]), image([("base", base)])
        finding = only(compare_record(*self.record(reference), rebuilt))
        assert (finding.layer, finding.cause) == ("layer 2", "layer missing")

    def test_a_config_alone_that_differs_is_said(self, image, base):
        reference, rebuilt = image([("base", base)]), image([("base", base)], cmd=["sh"])
        assert only(compare_record(*self.record(reference), rebuilt)).layer == "config"

    def test_compression_alone_that_differs_is_said(self, image, layer):
        old, new = layer({"f": b"x" * 999}, level=1), layer({"f": b"x" * 999})
        reference, rebuilt = image([("a", old)]), image([("a", new)])
        assert only(compare_record(*self.record(reference), rebuilt)).cause == "compression differs"


PLACES = st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 4)), max_size=6).map(
    lambda listed: [
        Place(position, name, Digest.of(bytes([number])), Digest.of(bytes([number])))
        for position, (name, number) in enumerate(listed)
    ]
)


@given(PLACES, PLACES)
def test_every_layer_is_paired_once_and_equal_ones_with_each_other(old, new):
    pairs = pair(old, new)
    assert [one.reference for one in pairs if one.reference] == old
    assert sorted((one.rebuilt for one in pairs if one.rebuilt), key=lambda one: one.position) == new
    equal = sum(
        min([one.diff_id for one in side].count(diff_id) for side in (old, new))
        for diff_id in {one.diff_id for one in old}
    )
    found = sum(
        one.reference is not None and one.rebuilt is not None and one.reference.diff_id == one.rebuilt.diff_id
        for one in pairs
    )
    assert found == equal
