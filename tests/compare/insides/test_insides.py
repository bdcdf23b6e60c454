"""What is said of two files: lines, values, members or sections that differ, and the cause they give away."""

from __future__ import annotations

import gzip
import importlib.metadata
import io
import json
import py_compile
import shutil
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from envfreeze.compare.insides import look
from envfreeze.compare.insides.insight import LONGEST_LINE, MOST_LINES


@pytest.fixture
def looked(tmp_path):
    """Look into two contents at a path."""

    def at(path, old, new):
        files = tmp_path / "old", tmp_path / "new"
        for file, content in zip(files, (old, new), strict=True):
            file.write_bytes(content)
        found = look(path, *files)
        return found.details, "" if found.cause is None else found.cause.name

    return at


def zipped(members, *, moment=(1980, 1, 1, 0, 0, 0), method=zipfile.ZIP_STORED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, content in members:
            info = zipfile.ZipInfo(name, moment)
            info.compress_type = method
            archive.writestr(info, content)
    return out.getvalue()


class TestText:
    def test_the_lines_that_differ_are_shown(self, looked):
        old = b"".join(b"line %d\n" % number for number in range(100))
        details, cause = looked("a.py", old, old.replace(b"line 50\n", b"line fifty\n"))
        assert details == ("@@ -1,3 +1,3 @@", " line 49", "-line 50", "+line fifty", " line 51")
        assert cause == ""

    @pytest.mark.parametrize(
        ("old", "new", "cause"),
        [
            (b"a\nb\n", b"a\r\nb\r\n", "line-endings"),
            (b"a\nb\nc\n", b"c\na\nb\n", "unsorted"),
            (b"built 2026-01-02T03:04:05Z\n", b"built 2026-02-03T04:05:06Z\n", "timestamps"),
            (b"Date: Mon, 12 Jan 2026 10:11:12\n", b"Date: Tue, 3 Feb 2026 00:01:02\n", "timestamps"),
            (b"at 1700000000\n", b"at 1700009999\n", "timestamps"),
            (b"at 17\n", b"at 18\n", ""),
            (b"2026-01-01 a\n", b"2026-01-02 b\n", ""),
        ],
    )
    def test_the_difference_may_give_its_cause_away(self, looked, old, new, cause):
        assert looked("a.txt", old, new)[1] == cause

    def test_the_end_of_the_last_line_counts(self, looked):
        assert looked("a.txt", b"a\n", b"a")[0] == ("the last line ends differently",)

    def test_what_is_long_is_cut(self, looked):
        old = b"".join(b"%d\n" % number for number in range(3000))
        new = b"".join(b"x%d\n" % number for number in range(3000))
        assert len(looked("a.txt", old, new)[0]) <= MOST_LINES + 1
        wide = looked("a.txt", b"a" * 5000, b"b" * 5000)[0]
        assert max(map(len, wide)) <= LONGEST_LINE
        shown = looked("a.txt", b"\x1b[31ma\n", b"\x1b[31mb\n")[0]
        assert all(line.isprintable() for line in shown)


class TestBytes:
    def test_where_files_begin_to_differ_is_said(self, looked):
        details, _ = looked("a.bin", b"\0" * 100_000 + b"\1\2", b"\0" * 100_000 + b"\1\3")
        assert details == ("1 bytes differ, the first at 0x186a1: 02 -> 03",)
        assert looked("a.bin", b"\0\1", b"\0\1\2")[0] == ("1 bytes differ, the first at 0x2: end -> 02",)


class TestBytecode:
    @pytest.fixture
    def compiled(self, tmp_path):
        def make(text, moment, mode=py_compile.PycInvalidationMode.TIMESTAMP):
            import os

            source = tmp_path / "module.py"
            source.write_text(text)
            os.utime(source, (moment, moment))
            made = py_compile.compile(str(source), str(tmp_path / "out.pyc"), invalidation_mode=mode)
            return Path(made).read_bytes()

        return make

    def test_a_header_of_another_time_is_told_from_other_code(self, looked, compiled):
        first, again = compiled("x = 1\n", 1_600_000_000), compiled("x = 1\n", 1_700_000_000)
        details, cause = looked("m.pyc", first, again)
        assert "source of 2020-09-13T12:26:40Z, 6 bytes" in details[0]
        assert (details[1], cause) == ("code: the same", "bytecode")
        details, _ = looked("m.pyc", first, compiled("x = 2\n", 1_600_000_000))
        assert details[-1].startswith("code: differs from byte 0x")
        by_hash = compiled("x = 1\n", 1, py_compile.PycInvalidationMode.UNCHECKED_HASH)
        assert "unchecked hash of the source" in looked("m.pyc", first, by_hash)[0][0]


class TestRecord:
    PATH = "site-packages/a-1.dist-info/RECORD"

    def test_the_rows_that_differ_are_named(self, looked):
        old, new = b"a.py,sha256=AAAA,1\nb.py,,\n", b"a.py,sha256=BBBB,2\nc.py,,\n"
        details, cause = looked(self.PATH, old, new)
        assert details == (
            "-a.py: sha256=AAAA, 1 bytes",
            "+a.py: sha256=BBBB, 2 bytes",
            "-b.py: no hash",
            "+c.py: no hash",
        )
        assert cause == "installer-metadata"

    def test_order_and_ends_of_lines_are_no_other_rows(self, looked):
        assert looked(self.PATH, b"a,,\nb,,\n", b"b,,\na,,\n") == (
            ("the same rows in another order",),
            "unsorted",
        )
        assert looked(self.PATH, b"a,,\n", b"a,,\r\n")[0] == ("the same rows, written otherwise",)


class TestJson:
    def test_values_are_named_by_where_they_stand(self, looked):
        old = json.dumps({"a": {"b": [1, 2]}, "gone": True, "same": 0}).encode()
        new = json.dumps({"a": {"b": [1, 3]}, "same": 0, "z": "x" * 200}).encode()
        details, _ = looked("a.json", old, new)
        assert details[:3] == ("-a.b[1]: 2", "+a.b[1]: 3", "-gone: true")
        assert details[3].endswith("…")

    def test_order_and_space_are_no_other_values(self, looked):
        assert looked("a.json", b'{"a":1,"b":2}', b'{"b": 2, "a": 1}')[0] == (
            "the same values, written otherwise",
        )

    def test_what_is_no_json_is_text(self, looked):
        assert "-{" in looked("a.json", b"{\n", b"[\n")[0]


class TestZip:
    def test_members_that_differ_are_named_with_their_lines(self, looked):
        old, new = zipped([("a.txt", "one\n"), ("b", "1")]), zipped([("a.txt", "two\n"), ("c", "1")])
        details, _ = looked("a.whl", old, new)
        assert details[:3] == ("-b", "+c", "a.txt: 4 -> 4 bytes")
        assert "  -one" in details

    @pytest.mark.parametrize(
        ("change", "cause"),
        [
            ({"moment": (2026, 1, 1, 0, 0, 0)}, "timestamps"),
            ({"method": zipfile.ZIP_DEFLATED}, "other-compressor"),
            ({"members": [("b", "2" * 99), ("a", "1" * 99)]}, "unsorted"),
        ],
    )
    def test_packing_alone_is_told(self, looked, change, cause):
        members = [("a", "1" * 99), ("b", "2" * 99)]
        assert looked("a.jar", zipped(members), zipped(**({"members": members} | change)))[1] == cause

    def test_what_is_no_zip_is_bytes(self, looked):
        assert "bytes differ" in looked("a.zip", b"PK\3\4 one", b"PK\3\4 two")[0][0]


class TestGzip:
    def test_a_time_in_the_header_is_told_from_other_content(self, looked):
        first = gzip.compress(b"one\n", mtime=0)
        details, cause = looked("a.gz", first, gzip.compress(b"one\n", mtime=1_700_000_000))
        assert details == ("header: time 1970-01-01T00:00:00Z -> 2023-11-14T22:13:20Z", "content: the same")
        assert cause == "timestamps"
        assert "-one" in looked("a.gz", first, gzip.compress(b"two\n", mtime=0))[0]
        assert looked("a.gz", first, gzip.compress(b"one\n", 1, mtime=0))[1] in {"other-compressor", ""}
        assert looked("a.gz", gzip.compress(b"\0", mtime=0), gzip.compress(b"\0\1", mtime=0))[0] == (
            "content: 1 -> 2 bytes, differs",
        )


class TestElf:
    @pytest.fixture
    def library(self):
        files = importlib.metadata.distribution("deflate").files
        return Path(next(path for path in files if path.suffix == ".so").locate()).read_bytes()

    def test_the_sections_that_differ_are_named(self, looked, library):
        from elftools.elf.elffile import ELFFile

        section = ELFFile(io.BytesIO(library)).get_section_by_name(".rodata")
        at = section["sh_offset"] + 4
        other = library[:at] + bytes([library[at] ^ 1]) + library[at + 1 :]
        details, cause = looked("lib.so", library, other)
        assert details == ("sections that differ: .rodata",)
        assert cause == "compiled-again"

    def test_build_ids_compilers_and_names_are_compared(self, looked, tmp_path, need):
        import subprocess

        need("cc", shutil.which("cc") is not None, "no C compiler on this machine")
        made = []
        for number, (text, name) in enumerate(
            (("int f(void){return 1;}", "liba.so.1"), ("int f(void){return 2;}", "liba.so.2"))
        ):
            path = tmp_path / f"{number}.so"
            options = ("-shared", "-fPIC", "-Wl,--build-id", f"-Wl,-soname,{name}")
            subprocess.run(["cc", *options, "-x", "c", "-", "-o", str(path)], input=text.encode(), check=True)
            made.append(path.read_bytes())
        details, _ = looked("lib.so", *made)
        assert details[0].startswith("build id: ")
        assert "name: liba.so.1 -> liba.so.2" in details

    def test_a_damaged_binary_is_bytes(self, looked, library):
        assert "bytes differ" in looked("lib.so", library[:200], library[:300])[0][0]


MAGIC = st.sampled_from([b"", b"\x7fELF\2\1\1", b"PK\3\4", b"\x1f\x8b\x08\0", b"{", b"\xcb\r\r\n"])
NAMES = st.sampled_from(["a", "a.pyc", "a.json", "a-1.dist-info/RECORD", "a.zip"])


@settings(max_examples=60)
@given(
    NAMES,
    st.builds(bytes.__add__, MAGIC, st.binary(max_size=90)),
    st.builds(bytes.__add__, MAGIC, st.binary(max_size=90)),
)
def test_any_two_files_are_looked_into_without_harm(tmp_path_factory, path, old, new):
    folder = tmp_path_factory.mktemp("files")
    (folder / "old").write_bytes(old)
    (folder / "new").write_bytes(new)
    found = look(path, folder / "old", folder / "new")
    assert len(found.details) <= MOST_LINES + 1
    assert all(line.isprintable() for line in found.details)
    if old != new:
        assert found.details
