"""What the scanner finds in a requirements file, beside what uv reads from the same file."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from uv import find_uv_bin

from envfreeze.errors import UsageError
from envfreeze.project.requirements import includes, local

if TYPE_CHECKING:
    from pathlib import Path


def found(text):
    return [(one.line, one.option, one.path) for one in includes(text.encode(), "r.txt")]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("numpy\ntorch>=2\n", []),
        ("-r a.txt\n", [(1, "-r", "a.txt")]),
        ("-ra.txt", [(1, "-r", "a.txt")]),
        ("-r=a.txt", [(1, "-r", "a.txt")]),
        ("-r\ta.txt", [(1, "-r", "a.txt")]),
        ("--requirement a.txt", [(1, "--requirement", "a.txt")]),
        ("--requirement=sub/a.txt", [(1, "--requirement", "sub/a.txt")]),
        ("-c a.txt", [(1, "-c", "a.txt")]),
        ("-ca.txt", [(1, "-c", "a.txt")]),
        ("--constraint=a.txt", [(1, "--constraint", "a.txt")]),
        ("numpy\n\n  -r a.txt  \n-c b.txt", [(3, "-r", "a.txt"), (4, "-c", "b.txt")]),
        ("-r 'a b.txt'", [(1, "-r", "a b.txt")]),
        ('-r "a b.txt" # why', [(1, "-r", "a b.txt")]),
        ("-r a b.txt", [(1, "-r", "a b.txt")]),
        ("-r a\\ b.txt", [(1, "-r", "a b.txt")]),
        ("-r a.txt # why", [(1, "-r", "a.txt")]),
        ("-r a.txt#why", [(1, "-r", "a.txt")]),
        ("# -r a.txt", []),
        ("  # -r a.txt", []),
        ("numpy # -r a.txt", []),
        ("# continued? \\\n-r a.txt", [(2, "-r", "a.txt")]),
        ("numpy # continued? \\\n-r a.txt", [(2, "-r", "a.txt")]),
        ("numpy==2.0 \\\n  --hash=sha256:00 \\\n  --hash=sha256:11\n-r a.txt", [(4, "-r", "a.txt")]),
        ("-r a.txt\r\n-r b.txt\r-r c.txt", [(1, "-r", "a.txt"), (2, "-r", "b.txt"), (3, "-r", "c.txt")]),
        ("\ufeff-r a.txt", [(1, "-r", "a.txt")]),
        ("--requirements a.txt\n--constraint-file x", []),
        ("--extra-index-url https://example.org/-r\n--index-url=https://example.org/#-r", []),
        ("numpy @ https://example.org/numpy.whl#sha256=00", []),
        ("", []),
        ("\\", []),
    ],
)
def test_includes(text, expected):
    assert found(text) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("\n-r\n", "line 2: the option names no file"),
        ("-r # a.txt", "line 1: the option names no file"),
        ("--requirement= a.txt", "line 1: there is a space beside `=`"),
        ("-r =a.txt", "line 1: there is a space beside `=`"),
        ("-r=", "line 1: the option names no file"),
        ("-r 'a.txt", "line 1: a quotation mark is left open"),
        ("-r 'a b' c", "line 1: only part of the file's name is quoted"),
        ("numpy\n-r https://example.org/a.txt", "line 2: what a URL holds cannot be locked"),
        ("-c HTTP:a.txt", "line 1: what a URL holds cannot be locked"),
        ("-r file:///a.txt", "line 1: what a URL holds cannot be locked"),
        ("\n-r \\\n  a.txt\n-c b.txt", "line 2: -r is continued on another line"),
        ("-c sub/\\\na.txt", "line 1: -c is continued on another line"),
        ("\\\n-r a.txt", "line 1: -r is continued on another line"),
        ("-r ${DIR}/a.txt", "an environment variable in the name"),
        ("-r sub/", "line 1: sub/ is a folder"),
        ("-r /a.txt", "line 1: /a.txt is absolute"),
        ("-r a.txt -r b.txt", "line 1: -r is not at the start"),
        ("-i https://example.org/ -r b.txt", "line 1: -r is not at the start"),
        ("numpy --hash=sha256:00 -c b.txt", "line 1: -c is not at the start"),
        ("--pre \\\n --requirement=b.txt", "line 1: --requirement is not at the start"),
        ("numpy -e .", "line 1: -e is not at the start"),
    ],
)
def test_what_cannot_be_locked_is_named_with_its_line(text, words):
    with pytest.raises(UsageError) as caught:
        found(text)
    assert caught.value.message.startswith("r.txt, line ")
    assert words in caught.value.message
    assert caught.value.hint or "names no file" in words or "left open" in words


@pytest.mark.parametrize(
    "line",
    [
        "./wheels/numpy-2.0-py3-none-any.whl",
        "wheels/numpy-2.0-py3-none-any.whl ; sys_platform == 'linux'",
        "numpy @ file:///srv/numpy-2.0-py3-none-any.whl",
        "numpy @ file:///srv/numpy-2.0-py3-none-any.whl#sha256=00",
        "numpy[x] @ https://example.org/numpy.tar.gz",
        "git+https://example.org/x.git@main",
        "https://example.org/numpy-2.0-py3-none-any.whl",
        "$PLACE/x",
    ],
)
def test_wheels_and_urls_are_left_to_the_resolver(line):
    assert found(line) == []


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("-e .", (None, ".", "", "", True)),
        ("-e.", (None, ".", "", "", True)),
        ("--editable=sub/pkg", (None, "sub/pkg", "", "", True)),
        ("-e pkg", (None, "pkg", "", "", True)),
        ("./pkg", (None, "./pkg", "", "", False)),
        ("./pkg[extra] ; python_version > '3'", (None, "./pkg", "[extra]", "; python_version > '3'", False)),
        ("../pkg --config-settings=a=b", (None, "../pkg", "", "", False)),
        ("sub/pkg", (None, "sub/pkg", "", "", False)),
        ("/srv/pkg-1.0.tar.gz", (None, "/srv/pkg-1.0.tar.gz", "", "", False)),
        ("file:///srv/a%20b", (None, "/srv/a b", "", "", False)),
        ("FILE://localhost/srv/pkg#egg=x", (None, "/srv/pkg", "", "", False)),
        ("FILE:pkg", (None, "pkg", "", "", False)),
        ("pkg @ ./pkg", ("pkg", "./pkg", "", "", False)),
        ("pkg[a]@file:///srv/pkg", ("pkg", "/srv/pkg", "[a]", "", False)),
        ("./wheels/numpy-2.0-py3-none-any.whl", (None, "./wheels/numpy-2.0-py3-none-any.whl", "", "", False)),
    ],
)
def test_a_file_or_folder_of_this_machine_is_told_apart(line, expected):
    got = local(line)
    assert got is not None
    assert (got.name, got.path, got.extras, got.marker, got.editable) == expected


@pytest.mark.parametrize(
    "line",
    [
        "numpy",
        "numpy>=2; sys_platform == 'linux'",
        "numpy[x] @ https://example.org/numpy.tar.gz",
        "git+https://example.org/x.git@main",
        "-e git+https://example.org/x.git@main",
        "https://example.org/numpy-2.0-py3-none-any.whl",
        "$PLACE/x",
    ],
)
def test_names_and_urls_are_not_of_this_machine(line):
    assert local(line) is None


def test_passwords_are_not_told():
    with pytest.raises(UsageError) as caught:
        found("-i https://me:s3cret@example.org/ -r a.txt")
    assert "s3cret" not in f"{caught.value.message}{caught.value.hint}"


def test_other_encodings_are_refused():
    with pytest.raises(UsageError, match=r"r\.txt is not UTF-8 text, at byte 2"):
        includes(b"-r\xff", "r.txt")


_WORDS = st.sampled_from(
    [
        "-r",
        "-c",
        "-e",
        "--requirement",
        "--constraint",
        "--requirement=",
        "-r=",
        "-i",
        "--pre",
        "--hash=sha256:00",
        "a.txt",
        "b.txt",
        "'a.txt'",
        '"b.txt"',
        "sub/a.txt",
        "a\\ b",
        "'",
        '"',
        "#",
        " # ",
        "\\",
        "six",
        "==1",
        ".",
        "/",
        "https://example.org/",
        ";",
        "${X}",
        "=",
        ",",
        "[",
        "]",
        "@",
        "-",
        "\xa0",
        "\x0b",
        "\x0c",
        "\u2028",
        "\x85",
        "--config-settings=a=b",
        "-C",
        "--no-index",
        "--trusted-host",
        "--find-links",
        "--no-binary",
        " ",
        "  ",
        "\t",
        "\n",
        "\r",
        "\r\n",
        "\\\n",
        "\\\r\n",
        " \\\n  ",
    ]
)
_FILES = st.one_of(
    st.text(max_size=60),
    st.lists(_WORDS, max_size=12).map("".join),
    st.lists(_WORDS, max_size=12).map(" ".join),
)


@given(_FILES.map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary(max_size=40))
def test_any_content_is_read_or_refused(content):
    try:
        listed = includes(content, "r.txt")
    except UsageError:
        return
    assert all(one.path and not one.path.startswith("/") for one in listed)
    assert [one.line for one in listed] == sorted(one.line for one in listed)


def _uv_misses(folder: Path) -> str | None:
    """The file that uv wants to read for r.txt and does not find."""
    (folder / "home").mkdir(exist_ok=True)
    result = subprocess.run(
        [find_uv_bin(), "pip", "compile", "--offline", "--no-config", "--quiet", "--no-index", "r.txt"],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "HOME": str(folder / "home"), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    _, unread, name = result.stderr.partition("failed to read from file `")
    return name.partition("`")[0].removeprefix(f"{folder}/") if unread else None


@pytest.mark.parametrize("line", ["-r gone.txt", "numpy\n-c gone.txt"])
def test_uv_tells_what_it_misses(tmp_path, line):
    # What the next test builds on.
    (tmp_path / "r.txt").write_text(line)
    assert _uv_misses(tmp_path) == "gone.txt"


@settings(max_examples=80, deadline=None)
@given(text=_FILES)
@example("# c \\\n-r a.txt")
@example("six # \\\n-r a.txt")
@example("six --hash=sha256:00 -r a.txt")
@example("--pre \\\n-r a.txt")
@example("-r a.txt#b")
@example("\r-r a.txt\x0c-c b.txt")
def test_uv_reads_no_file_that_the_scanner_does_not_list(tmp_path_factory, text):
    folder = tmp_path_factory.mktemp("uv", numbered=True)
    try:
        listed = includes(text.encode("utf-8", "surrogatepass"), "r.txt")
    except UsageError:
        return
    (folder / "r.txt").write_bytes(text.encode("utf-8", "surrogatepass"))
    for one in listed:
        path = folder / one.path
        if "\0" in one.path or ".." in path.parts or path == folder / "r.txt" or path.is_dir():
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
        except OSError:
            return
    if "-r" in text or "-c" in text:
        assert _uv_misses(folder) is None
