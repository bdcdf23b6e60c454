"""The folder that a Python was built for, and the compiler that built it, in the files that name them."""

from __future__ import annotations

import ast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envfreeze.layers.standalone.rebased import is_text, rebased

DATA = "lib/python3.12/_sysconfigdata__linux_x86_64-linux-gnu.py"
MAKEFILE = "lib/python3.12/config-3.12-x86_64-linux-gnu/Makefile"


@pytest.mark.parametrize(
    ("path", "begin", "changed"),
    [
        (DATA, b"# ", True),
        ("lib/python3.14/_sysconfig_vars__linux_x86_64-linux-gnu.json", b"{\n", True),
        ("lib/python3.14/build-details.json", b"{\n", True),
        (MAKEFILE, b"# ", True),
        ("lib/python3.12/config-3.12-x86_64-linux-gnu/python-config.py", b"#!", True),
        ("lib/pkgconfig/python-3.12.pc", b"# ", True),
        ("bin/python3.12-config", b"#!", True),
        ("bin/python3.12", b"\x7fE", False),
        ("lib/python3.12/os.py", b'r"', False),
        ("lib/python3.12/test/config-x/Makefile", b"# ", False),
        ("share/man/man1/python3.1", b"#!", False),
        ("lib/python3.12/site-packages/_sysconfigdata_x.py", b"# ", False),
    ],
)
def test_only_files_that_are_known_to_name_it_are_read(path, begin, changed):
    assert is_text(path, begin) is changed


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"/install", b"/opt/python"),
        (b"'/install'", b"'/opt/python'"),
        (b"prefix=/install\n", b"prefix=/opt/python\n"),
        (b"prefix=\t/install\n", b"prefix=\t/opt/python\n"),
        (b"-I/install/include -L/install/lib", b"-I/opt/python/include -L/opt/python/lib"),
        (b"-Wl,-rpath,/install/lib", b"-Wl,-rpath,/opt/python/lib"),
        (b"A=/install/a:/install/b", b"A=/opt/python/a:/opt/python/b"),
        (b"/usr/bin/install -c", b"/usr/bin/install -c"),
        (b"./install/lib/os.py", b"./install/lib/os.py"),
        (b"$(srcdir)/install-sh", b"$(srcdir)/install-sh"),
        (b"/installed", b"/installed"),
        (b"$(DESTDIR)/install", b"$(DESTDIR)/install"),
        (b"https://example.org/a_b/install/x", b"https://example.org/a_b/install/x"),
    ],
)
def test_the_folder_is_replaced_where_it_is_a_whole_path(before, after):
    assert rebased(MAKEFILE, before, "/opt/python") == after


def test_sysconfig_names_whatever_compiler_there_is(standalone_archive):
    text = standalone_archive.SETTINGS.format(version="3.12.13").encode()
    settings = ast.literal_eval(rebased(DATA, text, "/opt/python").decode().partition("= ")[2])
    assert settings == {
        "AR": "ar",
        "BINDIR": "/opt/python/bin",
        "CC": "cc -pthread",
        "CFLAGS": "-O3 -I/opt/python/include -I/tools/deps/include",
        "CONFIG_ARGS": "'--prefix=/opt/python' 'CC=clang'",
        "CXX": "c++ -pthread",
        "INSTALL": "/usr/bin/install -c",
        "LDFLAGS": "-L/opt/python/lib -Wl,-rpath,/opt/python/lib",
        "SRC": "/build/Python-3.12.13/install-sh",
        "prefix": "/opt/python",
    }


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"'/usr/bin/aarch64-linux-gnu-gcc -pthread'", b"'cc -pthread'"),
        (b"'/usr/bin/x86_64-linux-gnu-g++'", b"'c++'"),
        (b"'/tools/clang-linux64/bin/clang++ -shared'", b"'c++ -shared'"),
        (b"'clang-21'", b"'clang-21'"),
        (b"'/opt/clang'", b"'/opt/clang'"),
    ],
)
def test_compilers_are_told_by_their_whole_name(before, after):
    assert rebased(DATA, before, "/opt/python") == after
    assert rebased(MAKEFILE, before, "/opt/python") == before


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_what_names_neither_stays_as_it_is(before, after):
    content = before + b"install" + after
    if b"/install" not in content and b"clang" not in content:
        assert rebased("lib/pkgconfig/x.pc", content, "/opt/python") == content
