"""A wheel becomes what an installer would have written."""

from __future__ import annotations

import csv
import io
import zipfile
import zlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from envfreeze.digest import Digest
from envfreeze.errors import UntrustedError
from envfreeze.layers.wheel import dist_info_name, open_wheel
from envfreeze.layers.wheel.record import read_record, row_of, write_record
from envfreeze.layers.wheel.scheme import Scheme
from envfreeze.layers.wheel.scripts import read_entry_points, rewrite_shebang
from envfreeze.oci.entry import Deflated, Plain

SCHEME = Scheme("opt/venv", "3.13")
SITE = "opt/venv/lib/python3.13/site-packages"


def content(entry):
    if entry.content is None:
        return b""
    if isinstance(entry.content, Deflated):
        return zlib.decompress(entry.content.data, -15)
    return bytes(entry.content.data)


def opened(path, wheel):
    with open_wheel(path, wheel, SCHEME) as package:
        return {entry.path: entry for entry in package.entries}


def test_modules_go_to_site_packages_and_are_spliced(make_wheel):
    entries = opened(*make_wheel({"demo/__init__.py": b"value = 1\n" * 100}))
    module = entries[f"{SITE}/demo/__init__.py"]
    assert isinstance(module.content, Deflated)
    assert content(module) == b"value = 1\n" * 100
    assert module.mode == 0o644


def test_every_data_key_goes_to_its_place(make_wheel):
    keys = {
        "purelib": f"{SITE}/x",
        "platlib": f"{SITE}/y",
        "scripts": "opt/venv/bin/z",
        "headers": "opt/venv/include/site/python3.13/demo/h",
        "data": "opt/venv/share/d",
    }
    last = {"purelib": "x", "platlib": "y", "scripts": "z", "headers": "h", "data": "share/d"}
    entries = opened(*make_wheel({f"demo-1.0.data/{key}/{last[key]}": b"content" for key in keys}))
    for place in keys.values():
        assert content(entries[place]) == b"content"
    assert entries["opt/venv/bin/z"].mode == 0o755


def test_an_unknown_data_key_is_refused(make_wheel):
    with pytest.raises(UntrustedError, match="belongs to no folder"):
        opened(*make_wheel({"demo-1.0.data/elsewhere/x": b""}))


def test_executable_members_stay_executable(make_wheel):
    entries = opened(*make_wheel({"demo/tool": b"#!/bin/sh\n"}, modes={"demo/tool": 0o100775}))
    assert entries[f"{SITE}/demo/tool"].mode == 0o755


def test_entry_points_become_scripts_that_call_their_function(make_wheel):
    text = b"[console_scripts]\ndemo = demo.cli:main.run\n[gui_scripts]\ndemo-gui = demo:gui [extra]\n"
    entries = opened(*make_wheel({"demo/cli.py": b"", "demo-1.0.dist-info/entry_points.txt": text}))
    script = entries["opt/venv/bin/demo"]
    assert script.mode == 0o755
    assert content(script) == (
        b"#!/opt/venv/bin/python\nimport sys\nfrom demo.cli import main\n"
        b'if __name__ == "__main__":\n    sys.exit(main.run())\n'
    )
    compile(content(entries["opt/venv/bin/demo-gui"]), "demo-gui", "exec")


def test_an_entry_point_takes_the_place_of_a_wrapper_of_its_name(make_wheel):
    text = b"[console_scripts]\ndemo = demo:main\n"
    files = {"demo-1.0.dist-info/entry_points.txt": text, "demo-1.0.data/scripts/demo": b"#!python\nold\n"}
    assert b"old" not in content(opened(*make_wheel(files))["opt/venv/bin/demo"])


def test_the_placeholder_shebang_becomes_the_interpreter(make_wheel):
    entries = opened(*make_wheel({"demo-1.0.data/scripts/run": b"#!python -u\nprint(1)\n"}))
    assert content(entries["opt/venv/bin/run"]) == b"#!/opt/venv/bin/python\nprint(1)\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"#!python\nx", b"#!/p\nx"),
        (b"#!pythonw\nx", b"#!/p\nx"),
        (b"#!python -E -s\r\nx", b"#!/p\nx"),
        (b"#!python", b"#!/p\n"),
    ],
)
def test_only_the_first_line_changes(before, after):
    assert rewrite_shebang(before, "/p") == after


def test_record_lists_every_file_with_hash_and_size(make_wheel):
    text = b"[console_scripts]\ndemo = demo:main\n"
    path, wheel = make_wheel({"demo/a,b.py": b"x = 1\n", "demo-1.0.dist-info/entry_points.txt": text})
    entries = opened(path, wheel)
    rows = list(csv.reader(io.StringIO(content(entries[f"{SITE}/demo-1.0.dist-info/RECORD"]).decode())))
    names = [row[0] for row in rows]
    assert names == sorted(names, key=str.encode)
    assert "../../../bin/demo" in names
    assert ["demo-1.0.dist-info/RECORD", "", ""] in rows
    listed = {SITE + "/" + name if not name.startswith("..") else "opt/venv/bin/demo" for name in names}
    assert listed == set(entries)
    assert content(entries[f"{SITE}/demo-1.0.dist-info/INSTALLER"]) == b"envfreeze\n"


def test_importlib_metadata_reads_what_is_written(make_wheel, tmp_path):
    import importlib.metadata

    text = b"[console_scripts]\ndemo = demo:main\n"
    entries = opened(*make_wheel({"demo/__init__.py": b"", "demo-1.0.dist-info/entry_points.txt": text}))
    root = tmp_path / "root"
    for path, entry in entries.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_bytes(content(entry))
    (found,) = importlib.metadata.distributions(path=[str(root / SITE)])
    assert found.metadata["Name"] == "demo"
    assert all(file.locate().exists() for file in found.files)


def test_what_the_installer_owns_is_not_taken_from_the_wheel(make_wheel):
    hostile = {
        f"demo-1.0.dist-info/{name}": b"mine" for name in ("INSTALLER", "REQUESTED", "direct_url.json")
    }
    entries = opened(*make_wheel({"demo.py": b"", **hostile}))
    assert content(entries[f"{SITE}/demo-1.0.dist-info/INSTALLER"]) == b"envfreeze\n"
    assert f"{SITE}/demo-1.0.dist-info/REQUESTED" not in entries


def test_the_dist_info_folder_keeps_the_spelling_of_the_wheel(make_wheel):
    path, wheel = make_wheel(name="Demo-Kit")
    assert dist_info_name(path, wheel) == "Demo_Kit-1.0.dist-info"


def test_a_stored_member_is_carried_as_it_is(make_wheel):
    info = zipfile.ZipInfo("demo/raw.bin")
    info.compress_type = zipfile.ZIP_STORED
    entries = opened(*make_wheel(members=[(info, b"raw" * 1000)]))
    assert content(entries[f"{SITE}/demo/raw.bin"]) == b"raw" * 1000


# Hostile wheels.


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("../x", "leaves its root"),
        ("/x", "is absolute"),
        ("demo/../../x", "leaves its root"),
        ("demo/.wh.numpy", "would delete files"),
        (".wh.numpy", "would delete files"),
        ("demo\\x", "backslash"),
        ("demo//x", "not normal"),
        ("demo-1.0.data/scripts/python", "belongs to the environment"),
        ("demo-1.0.data/scripts/python3.13", "belongs to the environment"),
        ("demo-1.0.data/data/bin/python3", "belongs to the environment"),
        ("demo-1.0.data/data/pyvenv.cfg", "belongs to the environment"),
        ("demo-1.0.data/data/lib64/x", "belongs to the environment"),
    ],
)
def test_names_that_would_leave_or_replace_are_refused(make_wheel, name, words):
    info = zipfile.ZipInfo("placeholder")
    info.filename = name
    with pytest.raises(UntrustedError, match=words) as caught:
        opened(*make_wheel(members=[(info, b"hostile")]))
    assert "demo-1.0-py3-none-any.whl" in caught.value.message


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_member_that_stands_twice_is_refused(make_wheel):
    with pytest.raises(UntrustedError, match="twice"):
        opened(*make_wheel(members=[(zipfile.ZipInfo("demo/__init__.py"), b"other")]))


def test_two_members_that_become_one_file_are_refused(make_wheel):
    with pytest.raises(UntrustedError, match="two of its members"):
        opened(*make_wheel({"x.py": b"1", "demo-1.0.data/purelib/x.py": b"2"}))


def test_a_file_that_is_also_a_folder_is_refused(make_wheel):
    with pytest.raises(UntrustedError, match="both a file and a folder"):
        opened(*make_wheel({"x": b"1", "x/y": b"2"}))


def test_a_symbolic_link_is_refused(make_wheel):
    info = zipfile.ZipInfo("demo/link")
    info.external_attr = 0o120777 << 16
    with pytest.raises(UntrustedError, match="symbolic link"):
        opened(*make_wheel(members=[(info, b"../../../../etc/passwd")]))


@pytest.mark.parametrize("name", ["../../bin/sh", "a/b", ".wh.x", "..", "python", "python3", "x\\y"])
def test_an_entry_point_cannot_leave_its_folder_or_replace_the_interpreter(make_wheel, name):
    text = f"[console_scripts]\n{name} = demo:main\n".encode()
    with pytest.raises(UntrustedError):
        opened(*make_wheel({"demo-1.0.dist-info/entry_points.txt": text}))


@pytest.mark.parametrize("value", ["demo", "demo:", "demo:main()", "os;import x:main", "demo:a b", "1x:main"])
def test_an_entry_point_that_names_no_function_is_refused(value):
    with pytest.raises(UntrustedError, match="names no function"):
        read_entry_points(f"[console_scripts]\nx = {value}\n".encode())


def test_another_hash_than_the_locked_one_is_refused(make_wheel):
    with pytest.raises(UntrustedError, match="its sha256 is"):
        opened(*make_wheel(digest=Digest.of(b"another")))


def test_a_truncated_wheel_is_refused(make_wheel):
    with pytest.raises(UntrustedError, match="no zip archive"):
        opened(*make_wheel(change=lambda data: data[: len(data) // 2]))


def test_an_empty_wheel_is_refused(make_wheel):
    with pytest.raises(UntrustedError, match="empty"):
        opened(*make_wheel(change=lambda _: b""))


def central_headers(data):
    position = data.index(b"PK\x01\x02")
    while data[position : position + 4] == b"PK\x01\x02":
        lengths = [int.from_bytes(data[position + at : position + at + 2], "little") for at in (28, 30, 32)]
        yield position, data[position + 46 : position + 46 + lengths[0]]
        position += 46 + sum(lengths)


def patched(member, offset, value):
    """Change bytes in the central header of a member."""

    def change(data):
        position = next(at for at, name in central_headers(data) if name == member.encode())
        data = bytearray(data)
        data[position + offset : position + offset + len(value)] = value
        return bytes(data)

    return change


MODULE = "demo/__init__.py"


@pytest.mark.parametrize(
    ("offset", "value"),
    [(16, b"\1\2\3\4"), (20, b"\1\0\0\0"), (24, b"\1\0\0\0"), (10, b"\0\0")],
    ids=["crc", "compressed size", "size", "method"],
)
def test_local_and_central_headers_that_disagree_are_refused(make_wheel, offset, value):
    with pytest.raises(UntrustedError, match="disagrees"):
        opened(*make_wheel(change=patched(MODULE, offset, value)))


def test_a_local_name_that_is_another_is_refused(make_wheel):
    def change(data):
        return data.replace(MODULE.encode(), b"demo/__evil__.py", 1)

    with pytest.raises(UntrustedError, match="disagrees"):
        opened(*make_wheel(change=change))


def test_overlapping_members_are_refused(make_wheel):
    def change(data):
        # The second member's central header points to the first one's data: the names are made equal in
        # length so that only the offset and the name differ.
        found = {name: at for at, name in central_headers(data)}
        data = bytearray(data)
        first, second = found[b"demo/aa.py"], found[b"demo/bb.py"]
        data[second + 16 : second + 28] = data[first + 16 : first + 28]
        data[second + 42 : second + 46] = data[first + 42 : first + 46]
        local = int.from_bytes(data[first + 42 : first + 46], "little")
        assert bytes(data[local + 30 : local + 40]) == b"demo/aa.py"
        return bytes(data)

    with pytest.raises(UntrustedError, match=r"overlaps|disagrees"):
        opened(*make_wheel({"demo/aa.py": b"x" * 50, "demo/bb.py": b"x" * 50}, change=change))


def test_overlapping_data_is_refused(make_wheel):
    def change(data):
        # A member whose data runs into the next one: both sizes grow in both headers.
        position = next(at for at, name in central_headers(data) if name == MODULE.encode())
        data = bytearray(data)
        local = int.from_bytes(data[position + 42 : position + 46], "little")
        data[position + 20 : position + 24] = (200).to_bytes(4, "little")
        data[local + 18 : local + 22] = (200).to_bytes(4, "little")
        return bytes(data)

    with pytest.raises(UntrustedError, match="overlaps"):
        opened(*make_wheel(change=change))


def test_a_size_bomb_is_refused_before_it_is_inflated(make_wheel):
    def change(data):
        data = bytearray(data)
        position = next(at for at, name in central_headers(data) if name == MODULE.encode())
        local = int.from_bytes(data[position + 42 : position + 46], "little")
        for at in (position + 24, local + 22):
            data[at : at + 4] = (0xFFFFFFF0).to_bytes(4, "little")
        return bytes(data)

    with pytest.raises(UntrustedError, match="times its size"):
        opened(*make_wheel(change=change))


def test_an_unknown_compression_is_refused(make_wheel):
    info = zipfile.ZipInfo("demo/bz2")
    info.compress_type = zipfile.ZIP_BZIP2
    with pytest.raises(UntrustedError, match="method 12"):
        opened(*make_wheel(members=[(info, b"x")]))


def test_an_encrypted_member_is_refused(make_wheel):
    with pytest.raises(UntrustedError, match="encrypted"):
        opened(*make_wheel(change=patched(MODULE, 8, b"\1\0")))


def test_a_newer_wheel_format_is_refused(make_wheel):
    with pytest.raises(UntrustedError, match="format 2"):
        opened(*make_wheel({"demo-1.0.dist-info/WHEEL": b"Wheel-Version: 2.0\n"}))


def test_missing_metadata_is_refused(make_wheel):
    with pytest.raises(UntrustedError, match="dist-info"):
        opened(*make_wheel({"demo.py": b""}, metadata=False))


def test_the_metadata_of_another_version_is_refused(make_wheel):
    path, wheel = make_wheel()
    other = type(wheel)("demo", "2.0", wheel.filename, wheel.digest, wheel.size, wheel.url)
    with pytest.raises(UntrustedError, match=r"metadata is that of demo 1.0, not of demo 2.0"):
        opened(path, other)


@pytest.mark.parametrize("name", ["pip-99.dist-info/METADATA", "demo-1.0.dist-info/REQUESTED"])
def test_metadata_cannot_be_brought_in_by_the_data_folder(make_wheel, name):
    with pytest.raises(UntrustedError, match="not its own"):
        opened(*make_wheel({"demo.py": b"", f"demo-1.0.data/purelib/{name}": b""}))


def test_a_record_that_lies_about_a_size_or_leaves_a_file_out_is_made_true(make_wheel):
    record = b"demo/__init__.py,sha256=xxx,999\n"
    entries = opened(*make_wheel({"demo/__init__.py": b"value = 1\n", "demo-1.0.dist-info/RECORD": record}))
    rows = read_record(content(entries[f"{SITE}/demo-1.0.dist-info/RECORD"]))
    assert rows["demo/__init__.py"] == row_of([b"value = 1\n"])
    assert rows["demo-1.0.dist-info/METADATA"][1] != ""


def test_a_script_that_is_a_large_program_is_spliced_unread(make_wheel):
    program = b"\x7fELF" + bytes(3_000_000)
    entries = opened(*make_wheel({"demo-1.0.data/scripts/tool": program}))
    assert isinstance(entries["opt/venv/bin/tool"].content, Deflated)


def test_a_name_with_a_control_character_is_refused(make_wheel):
    with pytest.raises(UntrustedError, match="control character"):
        opened(*make_wheel({"demo/a\rb.py": b""}))


def test_a_default_section_gives_no_entry_points():
    text = b"[DEFAULT]\nx = demo:main\n[console_scripts]\ny = demo:main\n"
    assert [entry.name for entry in read_entry_points(text)] == ["y"]


def test_the_metadata_of_another_package_is_refused(make_wheel):
    path, wheel = make_wheel()
    other = type(wheel)("other", wheel.version, wheel.filename, wheel.digest, wheel.size, wheel.url)
    with pytest.raises(UntrustedError, match="metadata is that of demo"):
        opened(path, other)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(data=st.data())
def test_no_change_of_bytes_gives_anything_but_a_clear_error(make_wheel, data):
    positions = data.draw(
        st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=6)
    )

    def change(raw):
        raw = bytearray(raw)
        for position, value in positions:
            raw[position % len(raw)] = value
        return bytes(raw)

    path, wheel = make_wheel(change=change)
    try:
        for entry in opened(path, wheel).values():
            assert entry.path.startswith("opt/venv/")
            assert isinstance(entry.content, Plain) or entry.content is None or entry.content.size >= 0
    except UntrustedError:
        pass


@given(
    st.dictionaries(
        st.text(st.characters(codec="utf-8", exclude_characters="\0\r\n/"), min_size=1).map(
            lambda name: SITE + "/" + name
        ),
        st.tuples(st.just("sha256=x"), st.integers(0, 10**12).map(str)),
    )
)
def test_record_reads_back_what_it_writes(rows):
    back = read_record(write_record(rows, SITE))
    assert back == {path.removeprefix(SITE + "/"): row for path, row in rows.items()}
