"""Replacing the prefix, against a plain model of what conda's documentation says."""

from __future__ import annotations

import mmap
import re
import tempfile
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envfreeze.layers.conda.paths import FileMode
from envfreeze.layers.conda.prefix import replaced, shebang

OLD, NEW = "/build/placehold", "/opt/conda"
PIECES = [OLD, OLD[:-1], NEW, "\0", "\0\0", "x", "/lib", "\n", "#!", " ", "\xff", OLD + "/bin\0"]
contents = st.lists(st.sampled_from(PIECES), max_size=25).map(lambda parts: "".join(parts).encode("latin-1"))


def run(data, mode, *, old=OLD, around=b""):
    """Replace within a file that holds `around` on both sides, which is not to be looked at."""
    with tempfile.TemporaryFile() as file:
        file.write(around + data + around + b"?")
        file.flush()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
            return b"".join(replaced(view, len(around), len(around) + len(data), old, NEW, mode))


def model_of_binary(data):
    def replace(match):
        string = match[0]
        return string.replace(OLD.encode(), NEW.encode()).ljust(len(string), b"\0")

    return re.sub(re.escape(OLD.encode()) + rb"[^\0]*", replace, data)


@given(contents)
def test_a_binary_keeps_its_length_and_every_string_its_place(data):
    changed = run(data, FileMode.BINARY)
    assert len(changed) == len(data)
    assert changed == model_of_binary(data)
    assert OLD.encode() not in changed


@given(contents)
def test_in_a_text_every_occurrence_is_replaced(data):
    if not data.startswith(b"#!"):
        assert run(data, FileMode.TEXT) == data.replace(OLD.encode(), NEW.encode())


@given(contents, st.sampled_from(list(FileMode)))
def test_what_stands_around_a_file_is_not_touched(data, mode):
    assert run(data, mode, around=OLD.encode() + b"\0") == run(data, mode)


@given(contents, st.sampled_from(list(FileMode)))
def test_replacing_twice_changes_nothing_more(data, mode):
    once = run(data, mode)
    if OLD.encode() not in once:
        assert run(once, mode) == once


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (b"#!/opt/conda/bin/python3.13 -s", b"#!/opt/conda/bin/python3.13 -s"),
        (b"#!/" + b"x" * 124, b"#!/" + b"x" * 124),
        (b"#!/" + b"x/" * 80 + b"python", b"#!/usr/bin/env python"),
        (b"#!  /" + b"x/" * 80 + b"python3.13 -s -E", b"#!/usr/bin/env python3.13 -s -E"),
        (b"#!/" + b"x/" * 80 + b"my\\ perl -w", b"#!/usr/bin/env my\\ perl -w"),
        (b"#!/usr/bin/env " + b"x" * 200, b"#!/usr/bin/env env " + b"x" * 200),
        (b"#!python " + b"x" * 200, b"#!python " + b"x" * 200),
    ],
)
def test_a_first_line_that_the_kernel_would_cut_off_names_its_program(line, expected):
    assert shebang(line) == expected


def test_a_placeholder_of_one_letter_ends_as_any_other():
    assert run(b"a/b/c", FileMode.TEXT, old="/") == b"a/opt/condab/opt/condac"


@pytest.mark.parametrize("mode", FileMode)
def test_memory_does_not_depend_on_the_size_of_the_file(mode):
    with tempfile.TemporaryFile() as file:
        block = bytes(1 << 20)
        for _ in range(24):
            file.write(block)
            file.write(OLD.encode() + b"/lib" + (b"\0" if mode is FileMode.TEXT else b"x" * 1000))
        size = file.tell()
        file.flush()
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as view:
            tracemalloc.start()
            try:
                total = sum(map(len, replaced(view, 0, size, OLD, NEW, mode)))
                _, peak = tracemalloc.get_traced_memory()
            finally:
                tracemalloc.stop()
    assert (total == size) == (mode is FileMode.BINARY)
    assert peak < 8 << 20
