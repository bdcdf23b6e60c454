"""What `open_conda` makes of a package, and what it refuses."""

from __future__ import annotations

import bz2
import io
import json
import tarfile

import pytest
import zstandard
from conda_package_streaming.create import conda_builder
from conda_package_streaming.extract import extract

from envfreeze.digest import Digest
from envfreeze.layers.conda import link_scripts
from envfreeze.oci.entry import Kind


@pytest.fixture
def kit(conda_channel):
    return conda_channel


def meta(found, name="demo-1.0-0"):
    return json.loads(found[f"conda-meta/{name}.json"][1])


# ------------------------------------------------------------------------------------------ what it makes


@pytest.mark.parametrize("legacy", [False, True])
def test_both_formats_give_the_same_entries_but_for_the_record(kit, opened, legacy):
    paths = {
        "bin/tool": kit.Item(b"#!/bin/sh\n", 0o755),
        "lib/a": kit.Item(b"a" * 100_000),
        "lib/b": kit.Item(hardlink="lib/a"),
        "lib/c": kit.Item(symlink="a"),
        "share/empty": kit.Item(directory=True),
        "share/nothing": kit.Item(b""),
    }
    found = opened(kit.package("demo", paths=paths, legacy=legacy))
    kinds = {path: entry.kind for path, (entry, _) in found.items()}
    assert kinds == {
        "bin/tool": Kind.FILE,
        "lib/a": Kind.FILE,
        "lib/b": Kind.HARDLINK,
        "lib/c": Kind.SYMLINK,
        "share/empty": Kind.DIRECTORY,
        "share/nothing": Kind.FILE,
        "conda-meta/demo-1.0-0.json": Kind.FILE,
    }
    assert found["lib/b"][0].link == "opt/conda/lib/a"
    assert found["lib/c"][0].link == "a"
    assert found["lib/a"][1] == b"a" * 100_000


@pytest.mark.parametrize(
    ("mode", "expected"), [(0o600, 0o644), (0o664, 0o644), (0o611, 0o755), (0o4775, 0o755)]
)
def test_of_the_permission_bits_only_the_right_to_execute_is_kept(kit, opened, mode, expected):
    found = opened(kit.package("demo", paths={"bin/x": kit.Item(b"x", mode)}))
    assert (found["bin/x"][0].mode, found["bin/x"][0].uid, found["bin/x"][0].gid) == (expected, 0, 0)


def test_a_hard_link_whose_prefix_is_replaced_has_content_of_its_own(kit, opened):
    text = f"{kit.PLACEHOLDER}/lib\n".encode()
    paths = {
        "a": kit.Item(text, prefix="text"),
        "b": kit.Item(hardlink="a", prefix="text"),
        "c": kit.Item(hardlink="a"),
    }
    found = opened(kit.package("demo", paths=paths))
    assert [found[path][0].kind for path in "abc"] == [Kind.FILE] * 3
    assert [found[path][1] for path in "abc"] == [b"/opt/conda/lib\n", b"/opt/conda/lib\n", text]


def test_a_noarch_package_lies_where_the_environments_python_looks(kit, opened):
    paths = {
        "site-packages/pure/__init__.py": kit.Item(b"x = 1\n"),
        "python-scripts/tool": kit.Item(b"#!/bin/sh\n", 0o755),
        "share/pure/site-packages/x": kit.Item(b"x"),
    }
    commands = ["pure = pure.cli:main [extra]", "a-b=pure:Class.method"]
    built = kit.package("demo", noarch="python", paths=paths, entry_points=commands)
    found = opened(built, python="3.12")
    assert found.keys() - {"conda-meta/demo-1.0-0.json"} == {
        "lib/python3.12/site-packages/pure/__init__.py",
        "bin/tool",
        "share/pure/site-packages/x",
        "bin/pure",
        "bin/a-b",
    }
    entry, text = found["bin/a-b"]
    assert entry.mode == 0o755
    assert text == (
        b"#!/opt/conda/bin/python3.12\nimport sys\nfrom pure import Class\n"
        b'if __name__ == "__main__":\n    sys.exit(Class.method())\n'
    )
    assert meta(found)["noarch"] == "python"
    assert "bin/pure" in meta(found)["files"]


def test_a_generic_package_stays_as_it_is(kit, opened):
    found = opened(
        kit.package("demo", noarch="generic", paths={"site-packages/x.py": kit.Item(b"x")}), python=None
    )
    assert "site-packages/x.py" in found


def test_packages_from_before_paths_json_say_what_to_replace(kit, opened):
    placeholder = "/opt/anaconda1anaconda2" + "anaconda3"
    paths = {
        "a": kit.Item(f"x={kit.PLACEHOLDER}\n".encode(), prefix="text"),
        "b": kit.Item(f"x={placeholder}\n".encode()),
        "c d": kit.Item(f"{kit.PLACEHOLDER}/bin\0".encode(), prefix="binary"),
    }
    has_prefix = f"# a comment\n\n{kit.PLACEHOLDER} text a\nb\n\"{kit.PLACEHOLDER}\" binary 'c d'\n"
    built = kit.package(
        "demo", paths=paths, old_info=True, legacy=True, info={"has_prefix": has_prefix.encode()}
    )
    found = opened(built)
    assert found["a"][1] == b"x=/opt/conda\n"
    assert found["b"][1] == b"x=/opt/conda\n"
    assert found["c d"][1].rstrip(b"\0") == b"/opt/conda/bin"


def test_the_record_is_a_function_of_the_locked_package(kit, opened):
    built = kit.package(
        "demo",
        depends=["zlib >=1"],
        paths={
            "a": kit.Item(kit.PLACEHOLDER.encode(), prefix="text", no_link=True),
            "b": kit.Item(symlink="a"),
        },
        index={"license_family": "BSD", "track_features": "", "preferred_env": "x"},
    )
    locked = {"depends": ("zlib >=1.2",), "requested": True}
    record = meta(opened(built, **locked))
    assert record["depends"] == ["zlib >=1.2"]
    assert record["sha256"] == Digest.of(built.content).hex
    assert record["size"] == len(built.content)
    assert record["license_family"] == "BSD"
    assert not record.keys() & {
        "track_features",
        "preferred_env",
        "requested_spec",
        "link",
        "extracted_package_dir",
    }
    assert record["paths_data"] == {
        "paths_version": 1,
        "paths": [
            {
                "_path": "a",
                "path_type": "hardlink",
                "no_link": True,
                "file_mode": "text",
                "prefix_placeholder": kit.PLACEHOLDER,
                "sha256": Digest.of(kit.PLACEHOLDER.encode()).hex,
                "sha256_in_prefix": Digest.of(b"/opt/conda").hex,
                "size_in_bytes": len(kit.PLACEHOLDER),
            },
            {"_path": "b", "path_type": "softlink"},
        ],
    }
    assert meta(opened(built, **locked | {"requested": False})) == record


def test_the_record_does_not_say_where_a_folder_of_packages_lies(kit, opened):
    built = kit.package("demo", paths={"a": kit.Item(b"a")})
    found = opened(
        built, channel="file:///home/someone/packages", url="file:///home/someone/packages/linux-64/x"
    )
    assert meta(found)["channel"] == "file:///packages"
    assert meta(found)["url"] == "file:///packages/linux-64/demo-1.0-0.conda"
    assert b"someone" not in found["conda-meta/demo-1.0-0.json"][1]


def test_a_member_of_several_streams_is_one(kit, opened):
    tar = kit.tar_of({"a": kit.Item(b"a" * 3000)})
    compressor = zstandard.ZstdCompressor()
    split = compressor.compress(tar[:700]) + compressor.compress(tar[700:])

    index = kit.package("demo").index
    info = kit.tar_of(
        {
            "info/index.json": kit.Item(json.dumps(dict(index)).encode()),
            "info/files": kit.Item(b"a\n"),
        }
    )
    content = kit.conda_of("demo-1.0-0", info, tar, members={"pkg-demo-1.0-0.tar.zst": split})
    assert opened(kit.Built("demo-1.0-0.conda", content, index))["a"][1] == b"a" * 3000


@pytest.mark.parametrize("legacy", [False, True])
def test_what_the_tests_make_is_a_package_to_the_reference_implementation(kit, place, tmp_path, legacy):
    paths = {
        "lib/a": kit.Item(b"a" * 5000),
        "lib/b": kit.Item(symlink="a"),
        "lib/c": kit.Item(hardlink="lib/a"),
    }
    extract(place(kit.package("demo", paths=paths, legacy=legacy)), tmp_path / "theirs")
    assert (tmp_path / "theirs" / "lib" / "c").read_bytes() == b"a" * 5000
    assert (tmp_path / "theirs" / "lib" / "b").readlink().name == "a"


def test_what_the_reference_implementation_makes_is_opened(kit, opened, tmp_path):
    paths = {"lib/a": kit.Item(b"a" * 5000)}
    index = kit.package("demo").index
    files = {
        "lib/a": paths["lib/a"].content,
        "info/index.json": json.dumps(dict(index)).encode(),
        "info/paths.json": json.dumps({"paths": [kit.row("lib/a", paths["lib/a"], paths)]}).encode(),
    }
    with conda_builder("demo-1.0-0", tmp_path) as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    content = (tmp_path / "demo-1.0-0.conda").read_bytes()
    assert opened(kit.Built("demo-1.0-0.conda", content, index))["lib/a"][1] == b"a" * 5000


# ---------------------------------------------------------------------------------------- what it refuses


@pytest.mark.parametrize("legacy", [False, True])
def test_another_file_than_the_locked_one_is_refused(kit, refusal, legacy):
    built = kit.package("demo", paths={"a": kit.Item(b"a")}, legacy=legacy)
    other = kit.package("demo", paths={"a": kit.Item(b"b")}, legacy=legacy)
    assert "its sha256 is" in refusal(built, digest=Digest.of(other.content))


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("kept", [0, 1, 100, 0.5, 0.9, -1])
def test_a_package_that_was_cut_off_is_refused(kit, refusal, legacy, kept):
    def cut(content):
        return content[: int(len(content) * kept) if isinstance(kept, float) else kept]

    refusal(kit.package("demo", paths={"a": kit.Item(b"a" * 5000)}, legacy=legacy, change=cut))


def test_a_tar_that_was_cut_off_before_it_was_compressed_is_refused(kit, refusal):
    built = kit.package("demo", paths={"a": kit.Item(b"a" * 5000)}, change_tar=lambda tar: tar[:3000])
    assert "longer than the archive" in refusal(built)


def test_damaged_content_is_refused(kit, refusal):
    def damage(content):
        middle = content.index(b"pkg-demo") + 60
        return content[:middle] + b"\0\0\0\0" + content[middle + 4 :]

    built = kit.package("demo", paths={"a": kit.Item(bytes(range(256)) * 20)}, change=damage)
    refusal(built)


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("../../../usr/bin/python3", "leaves its root"),
        ("/usr/bin/python3", "is absolute"),
        ("a/../../b", "leaves its root"),
        ("a//b", "is not normal"),
        ("a\\b", "holds a backslash"),
        ("lib/.wh.libz.so", "would delete files of a lower layer"),
        (".wh..wh..opq", "would delete files of a lower layer"),
        ("a\nb", "holds a control character"),
        ("a\udcff", "is not UTF-8"),
    ],
)
@pytest.mark.parametrize("legacy", [False, True])
def test_paths_outside_the_prefix_are_refused(kit, refusal, legacy, path, words):
    item = kit.Item(b"evil")
    if path.isprintable() or path.isascii():
        assert words in refusal(kit.package("demo", paths={path: item}, legacy=legacy))
    if path.isascii():
        listing = {"paths": [kit.row("good", item, {})], "paths_version": 1}
        built = kit.package(
            "demo", paths={path: item}, legacy=legacy, info={"paths.json": json.dumps(listing).encode()}
        )
        refusal(built)


def test_a_name_in_the_tar_that_is_not_utf_8_is_refused(kit, refusal):
    built = kit.package(
        "demo",
        paths={"xx-bad": kit.Item(b"x")},
        change_tar=lambda tar: rename(tar, b"xx-bad", b"xx\xffbad"),
    )
    assert "is not UTF-8" in refusal(built)


def rename(tar, old, new):
    """Another name of the same length in a tar's first header."""
    header = tar[:512].replace(old, new)
    blank = header[:148] + b"        " + header[156:]
    return blank[:148] + b"%06o\0 " % sum(blank) + blank[156:] + tar[512:]


BAD = {
    "a size that is not the stated one": (
        lambda kit: {"a": kit.Item(b"abc", stated={"size_in_bytes": 4})},
        "'a' has 3 bytes, its list of paths says 4",
    ),
    "a hash that is not the stated one": (
        lambda kit: {"a": kit.Item(b"abc", stated={"sha256": "0" * 64})},
        "'a' has the sha256",
    ),
    "a hash that is none": (lambda kit: {"a": kit.Item(b"abc", stated={"sha256": "x"})}, "states no sha256"),
    "a size that is none": (
        lambda kit: {"a": kit.Item(b"", stated={"size_in_bytes": -1})},
        "or no size of 'a'",
    ),
    "a file that is listed and not there": (
        lambda kit: {"a": kit.Item(b"a", packed=False)},
        "it lacks 'a', which its list of paths names",
    ),
    "a file that is there and not listed": (
        lambda kit: {"a": kit.Item(b"a", listed=False)},
        "it holds 'a', which its list of paths does not name",
    ),
    "a link that is listed as a file": (
        lambda kit: {"a": kit.Item(symlink="b", stated={"path_type": "hardlink"})},
        "'a' is a symlink, its list of paths says hardlink",
    ),
    "a kind of path that is not known": (
        lambda kit: {"a": kit.Item(b"a", stated={"path_type": "device"})},
        "what is not known: 'device'",
    ),
    "a way of replacing that is not known": (
        lambda kit: {"a": kit.Item(b"a", prefix="regex")},
        "what is not known: 'regex'",
    ),
    "a placeholder that is too short": (
        lambda kit: {"a": kit.Item(b"/opt/x/lib\0", prefix="binary", placeholder="/opt/x")},
        "'a': its placeholder '/opt/x' has 6 bytes, too few for the prefix /opt/conda",
    ),
    "an empty placeholder": (
        lambda kit: {"a": kit.Item(b"a", prefix="text", placeholder="")},
        "the placeholder of 'a' is no path",
    ),
    "a placeholder that is no text": (
        lambda kit: {"a": kit.Item(b"a", prefix="text", stated={"prefix_placeholder": 3})},
        "the placeholder of 'a' is no path",
    ),
    "a link to an absolute path": (
        lambda kit: {"a": kit.Item(symlink="/etc/passwd")},
        "'a' is a symbolic link to '/etc/passwd', out of the prefix",
    ),
    "a link that climbs out": (
        lambda kit: {"lib/a": kit.Item(symlink="../../etc/passwd")},
        "'lib/a' is a symbolic link to '../../etc/passwd', out of the prefix",
    ),
    "a link that climbs out and comes back": (
        lambda kit: {"a": kit.Item(symlink="../conda/bin/x")},
        "out of the prefix",
    ),
    "a path through a link": (
        lambda kit: {"a": kit.Item(symlink="b"), "a/x": kit.Item(b"x")},
        "'a/x' lies below 'a', which is no folder in it",
    ),
    "a path below a file": (
        lambda kit: {"a": kit.Item(b"a"), "a/x": kit.Item(b"x")},
        "'a/x' lies below 'a', which is no folder in it",
    ),
    "conda's own history": (
        lambda kit: {"conda-meta/history": kit.Item(b"")},
        "'conda-meta/history', which is conda's own record",
    ),
    "the record of another package": (
        lambda kit: {"conda-meta/python-3.13-0.json": kit.Item(b"{}")},
        "'conda-meta/python-3.13-0.json', which is conda's own record",
    ),
}


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("bad", BAD)
def test_a_package_that_contradicts_itself_or_leaves_its_place_is_refused(kit, refusal, bad, legacy):
    paths, words = BAD[bad]
    assert words in refusal(kit.package("demo", paths=paths(kit), legacy=legacy))


def test_a_hard_link_to_what_is_no_earlier_file_is_refused(kit, refusal):
    def to(target):
        paths = {"a": kit.Item(b"a"), "b": kit.Item(hardlink="a")}
        return kit.package(
            "demo", paths=paths, change_tar=lambda _: kit.tar_of(paths | {"b": kit.Item(hardlink=target)})
        )

    for target in ("../../etc/passwd", "/etc/passwd", "c", "b"):
        assert "no earlier file of it" in refusal(to(target))


def test_a_hard_link_to_metadata_is_refused(kit, refusal):
    paths = {"a": kit.Item(b"a")}
    linked = {"a": kit.Item(hardlink="info/about.json")}
    built = kit.package("demo", paths=paths, legacy=True)
    rebuilt = kit.tar_of(
        {
            "info/about.json": kit.Item(b"{}"),
            "info/index.json": kit.Item(json.dumps(dict(built.index)).encode()),
            "info/files": kit.Item(b"a\n"),
            **linked,
        }
    )
    assert "which is not installed" in refusal(kit.Built(built.filename, bz2.compress(rebuilt), built.index))


def test_devices_are_refused(kit, refusal):
    def device(tar):
        header = bytearray(tar[:512])
        header[156:157] = tarfile.CHRTYPE
        header[148:156] = b"        "
        header[148:156] = b"%06o\0 " % sum(header)
        return bytes(header) + tar[512:]

    built = kit.package("demo", paths={"a": kit.Item(b"")}, change_tar=device)
    assert "'a' is neither a file, a folder nor a link" in refusal(built)


def test_a_path_that_stands_twice_is_refused(kit, refusal):
    paths = {"a": kit.Item(b"a")}
    twice = kit.tar_of(paths)[:1024] + kit.tar_of(paths)
    assert "'a' stands in the archive twice" in refusal(
        kit.package("demo", paths=paths, change_tar=lambda _: twice)
    )
    rows = [kit.row("a", paths["a"], paths)] * 2
    listed = {"paths.json": json.dumps({"paths": rows}).encode()}
    assert "names 'a' twice" in refusal(kit.package("demo", paths=paths, info=listed))


def test_two_paths_that_become_one_are_refused(kit, refusal):
    paths = {
        "site-packages/x.py": kit.Item(b"1"),
        "lib/python3.13/site-packages/x.py": kit.Item(b"2"),
    }
    message = refusal(kit.package("demo", noarch="python", paths=paths))
    assert "two of its files would become /opt/conda/lib/python3.13/site-packages/x.py" in message
    command = {"python-scripts/x": kit.Item(b"1")}
    built = kit.package("demo", noarch="python", paths=command, entry_points=["x = x:main"])
    assert "two of its files would become /opt/conda/bin/x" in refusal(built)


@pytest.mark.parametrize(
    "command",
    ["../../bin/sh = x:main", "/bin/sh = x:main", ".. = x:main", "x", "x = x", "x = x:a;b", "= x:y"],
)
def test_commands_that_leave_their_folder_or_call_nothing_are_refused(kit, refusal, command):
    refusal(kit.package("demo", noarch="python", entry_points=[command]))


def test_a_bomb_is_refused_before_it_fills_the_disk(kit, refusal):
    # 700 MB of zeros in a few kilobytes, where paths.json states a hundred bytes.
    frame = zstandard.ZstdCompressor().compress(bytes(7_000_000)) * 100
    bomb = {"pkg-demo-1.0-0.tar.zst": frame}
    info = kit.tar_of(
        {
            "info/index.json": kit.Item(json.dumps(dict(kit.package("demo").index)).encode()),
            "info/paths.json": kit.Item(
                json.dumps({"paths": [kit.row("a", kit.Item(b"a" * 100), {})]}).encode()
            ),
        }
    )
    content = kit.conda_of("demo-1.0-0", info, b"", members=bomb)
    built = kit.Built("demo-1.0-0.conda", content, kit.package("demo").index)
    message = refusal(built)
    assert "pkg-demo-1.0-0.tar.zst grows beyond 67109064 bytes" in message


@pytest.mark.parametrize(
    ("info", "words"),
    [
        ({"index.json": None}, "has no info/index.json"),
        ({"index.json": b"{"}, "info/index.json is not valid JSON"),
        ({"index.json": b'{"name": "a", "name": "b"}'}, "a key stands twice"),
        ({"paths.json": None, "files": None}, "neither info/paths.json nor info/files"),
        ({"paths.json": b"{"}, "info/paths.json cannot be read"),
        ({"paths.json": b"[" * 100_000}, "info/paths.json cannot be read"),
        ({"paths.json": b"[]"}, "lists no paths"),
        ({"paths.json": b'{"paths": [{}]}'}, "a row without a path"),
        ({"paths.json": b'{"paths": [], "paths_version": 7}'}, "version 7"),
        ({"paths.json": None, "files": b"\xff"}, "info/files is not UTF-8"),
        ({"paths.json": None, "has_prefix": b"a b c d\n"}, "info/has_prefix has a line"),
        ({"paths.json": None, "has_prefix": b'"a b\n'}, "info/has_prefix has a line"),
    ],
)
def test_metadata_that_cannot_be_read_is_refused(kit, refusal, info, words):
    assert words in refusal(kit.package("demo", paths={"a": kit.Item(b"a")}, info=info))


@pytest.mark.parametrize("key", ["name", "version", "build"])
def test_another_package_than_the_locked_one_is_refused(kit, refusal, key):
    built = kit.package("demo", paths={"a": kit.Item(b"a")})
    assert f"it says of itself {key}" in refusal(built, **{key: "9"})


def test_what_kind_of_package_it_is_has_to_agree_with_the_lock(kit, refusal):
    pure = kit.package("demo", noarch="python")
    assert "says of itself noarch 'python', the lock has 'generic'" in refusal(pure, noarch="generic")
    assert "the lock has it from linux-64" in refusal(pure, subdir="linux-64")
    assert "no conda package provides python" in refusal(pure, python=None)


def test_a_python_whose_modules_lie_elsewhere_is_refused(kit, refusal, opened):
    index = {"python_site_packages_path": "lib/python3.13t/site-packages"}
    assert "lib/python3.13t/site-packages" in refusal(kit.package("python", "3.13.5", index=index))
    index = {"python_site_packages_path": "lib/python3.13/site-packages"}
    found = opened(kit.package("python", "3.13.5", index=index))
    assert meta(found, "python-3.13.5-0")["python_site_packages_path"] == "lib/python3.13/site-packages"


@pytest.mark.parametrize(
    ("members", "words"),
    [
        ({"metadata.json": b'{"conda_pkg_format_version": 3}'}, "a .conda of format 3"),
        ({"metadata.json": b"[]"}, "does not say which format"),
        ({"other": b""}, "member 'other' is none of a .conda"),
        ({"pkg-other.tar.zst": b""}, "it holds 'pkg-demo-1.0-0.tar.zst' and 'pkg-other.tar.zst'"),
    ],
)
def test_a_zip_that_is_no_conda_package_is_refused(kit, refusal, members, words):
    built = kit.package("demo")
    content = kit.conda_of("demo-1.0-0", b"", b"", members=members)
    assert words in refusal(kit.Built(built.filename, content, built.index))


def test_a_file_of_another_kind_is_refused(kit, refusal):
    built = kit.package("demo")
    other = kit.Built("demo-1.0-0.whl", built.content, built.index)
    assert "ends in neither .conda nor .tar.bz2" in refusal(other)


def test_metadata_in_the_wrong_tar_is_refused(kit, refusal):
    paths = {"a": kit.Item(b"a")}
    built = kit.package(
        "demo", paths=paths, change_tar=lambda _: kit.tar_of(paths | {"info/evil": kit.Item(b"x")})
    )
    assert "its pkg-* holds files of info/" in refusal(built)
    built = kit.package("demo", paths=paths, info={"../evil": b"x"})
    assert "leaves its root" in refusal(built)


# ------------------------------------------------------------------------------------------- link scripts

SCRIPTS = ("bin/.scripted-post-link.sh", "bin/.scripted-pre-unlink.sh")


def test_link_scripts_are_refused_by_name_unless_they_are_allowed(kit, refusal, opened):
    built = kit.with_scripts()
    assert f"link scripts, which are never run: {', '.join(SCRIPTS)}" in refusal(built)
    found = opened(built, allowed_scripts=True)
    assert found["bin/.scripted-post-link.sh"][0].mode == 0o755


@pytest.mark.parametrize("legacy", [False, True])
@pytest.mark.parametrize("old_info", [False, True])
def test_link_scripts_are_found_without_unpacking(kit, place, legacy, old_info):
    paths = {
        **{path: kit.Item(b"") for path in reversed(SCRIPTS)},
        "bin/post-link.sh": kit.Item(b""),
        "share/.x-post-link.sh": kit.Item(b""),
    }
    built = kit.package("scripted", paths=paths, legacy=legacy, old_info=old_info)
    assert link_scripts(place(built)) == SCRIPTS
    assert link_scripts(place(kit.package("plain", legacy=legacy, old_info=old_info))) == ()
