"""The loader's cache, held against what this machine's own ldconfig makes of the same files."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
from functools import cmp_to_key

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envfreeze.layers.system import system_entries
from envfreeze.layers.system.elf import MACHINES, SharedObject, shared_object
from envfreeze.layers.system.ldformat import Library, in_order, natural, render
from envfreeze.oci.entry import Kind
from envfreeze.oci.platform import Platform
from envfreeze.replacing import replace

LIB = "./usr/lib/x86_64-linux-gnu"
PROGRAM = shutil.which("ldconfig", path=os.environ.get("PATH", "") + os.pathsep + "/usr/sbin:/sbin")


def elf(soname=b"", *, kind=3, machine=MACHINES["amd64"], strings_at=0x1000, dynamic=True):
    """A shared object with one loaded segment, at an address that is not its place in the file."""
    strings = b"\0" + soname + b"\0" + bytes(32)
    tags = [(5, strings_at + 176)] + ([(14, 1)] if soname else []) + [(0, 0)]
    table = b"".join(struct.pack("<qQ", *tag) for tag in tags)
    header = struct.pack(
        "<16sHHIQQQIHHHHHH", b"\x7fELF\x02\x01\x01", kind, machine, 1, 0, 64, 0, 0, 64, 56, 2, 0, 0, 0
    )
    size = 176 + len(strings) + len(table)
    load = struct.pack("<IIQQQQQQ", 1, 4, 0, 0x1000, 0x1000, size, size, 0x1000)
    at = 176 + len(strings)
    segment = struct.pack(
        "<IIQQQQQQ", 2 if dynamic else 0, 4, at, 0x1000 + at, 0x1000 + at, len(table), len(table), 8
    )
    return header + load + segment + strings + table


def keys(tree):
    return [key for key, _, _ in listed(tree.bytes("etc/ld.so.cache"))]


def listed(cache):
    """Key, path and hwcap of each entry, read by their offsets."""
    magic, count, _, flags, extensions = struct.unpack_from("<20sIIB3xI", cache)
    assert (magic, flags) == (b"glibc-ld.so.cache1.1", 2)
    assert extensions % 4 == 0

    def text(at):
        return cache[at : cache.index(b"\0", at)].decode()

    found = []
    for number in range(count):
        kind, key, path, osversion, hwcap = struct.unpack_from("<iIIIQ", cache, 48 + 24 * number)
        assert (kind, osversion) == (0x0303, 0)
        found.append((text(key), text(path), hwcap))
    return found


@pytest.fixture
def real(tmp_path, need):
    """`real(entries...)`: what ldconfig lists of its own cache of a root, and of ours; its links there."""
    need("root", os.geteuid() == 0, "only root can have ldconfig change its root")
    need("linux/amd64", Platform.host() == Platform("linux", "amd64"), "another ldconfig")
    assert PROGRAM is not None
    root = tmp_path / "root"

    def unpack(entries):
        for entry in sorted(entries.values(), key=lambda entry: entry.kind is Kind.HARDLINK):
            place = root / entry.path
            place.parent.mkdir(parents=True, exist_ok=True)
            match entry.kind:
                case Kind.DIRECTORY:
                    place.mkdir(exist_ok=True)
                case Kind.SYMLINK:
                    place.symlink_to(entry.link)
                case Kind.HARDLINK:
                    place.hardlink_to(root / entry.link)
                case Kind.FILE:
                    place.write_bytes(b"" if entry.content is None else entry.content.data)

    def ask(*arguments):
        said = subprocess.run(
            [PROGRAM, "-r", root, *arguments], check=True, capture_output=True, text=True, env={"LC_ALL": "C"}
        ).stdout
        return [line for line in said.splitlines() if line.startswith("\t")]

    def links():
        return {
            str(path.relative_to(root)): str(path.readlink()) for path in root.rglob("*") if path.is_symlink()
        }

    def check(tree):
        below = {entry.path: entry for package in tree.packages for entry in package.entries}
        unpack(below | tree)
        ours = ask("-p")
        before = links()
        (root / "etc/ld.so.cache").unlink()
        (root / "etc/ld.so.conf").write_text("include /etc/ld.so.conf.d/*.conf\n")
        (root / "var/cache/ldconfig").mkdir(parents=True)
        subprocess.run([PROGRAM, "-r", root], check=True, capture_output=True)
        assert ours == ask("-p")
        assert links() == before
        return [line.split()[0] for line in ours]

    return check


def libc_bin(kit, *lines, name="zz"):
    return [
        kit.Member("./etc/ld.so.conf.d/libc.conf", b"# libc default configuration\n/usr/local/lib\n"),
        kit.Member(f"./etc/ld.so.conf.d/{name}.conf", b"".join(line + b"\n" for line in lines)),
        kit.Member(
            "./etc/ld.so.conf.d/x86_64-linux-gnu.conf", b"/lib/x86_64-linux-gnu\n/usr/lib/x86_64-linux-gnu\n"
        ),
    ]


def test_the_cache_lists_what_ldconfig_lists(system, kit, real):
    tree = system(
        libc_bin=libc_bin(kit, b" /opt/own/lib/ # mine", b"/opt/link", b"", b"/opt/none", name="aa"),
        libs=[
            kit.Member(f"{LIB}/libc.so.6", elf(b"libc.so.6")),
            kit.Member("./lib/x86_64-linux-gnu/ld-linux-x86-64.so.2", elf(b"ld-linux-x86-64.so.2")),
            kit.Member(f"{LIB}/libone.so.1.2", elf(b"libone.so.1")),
            kit.Member(f"{LIB}/libone.so.1.10", elf(b"libone.so.1")),
            kit.link(f"{LIB}/libone.so.1", "libone.so.1.10"),
            kit.link(f"{LIB}/libone.so", "libone.so.1"),
            kit.link(f"{LIB}/libcompat.so.7", "libone.so.1.10"),
            kit.Member(f"{LIB}/libnolink.so.3.9", elf(b"libnolink.so.3")),
            kit.Member(f"{LIB}/libnolink.so.3.10", elf(b"libnolink.so.3")),
            kit.Member(f"{LIB}/libplain.so", elf()),
            kit.hard(f"{LIB}/libhard.so.1", f"{LIB}/libplain.so"),
            kit.Member(f"{LIB}/libscript.so", b"/* GNU ld script */ GROUP ( libc.so.6 ) " + bytes(100)),
            kit.Member(f"{LIB}/libforeign.so.1", elf(b"libforeign.so.1", machine=0xF3)),
            kit.Member(f"{LIB}/libprogram.so.1", elf(b"libprogram.so.1", kind=2)),
            kit.Member(f"{LIB}/libstatic.so.1", elf(b"libstatic.so.1", dynamic=False)),
            kit.Member(f"{LIB}/plugin.so", elf(b"plugin.so")),
            kit.Member(f"{LIB}/sub/libsub.so.1", elf(b"libsub.so.1")),
            kit.link(f"{LIB}/libdir.so.1", "sub"),
            kit.Member(f"{LIB}/glibc-hwcaps/x86-64-v3/libone.so.1.10", elf(b"libone.so.1")),
            kit.link(f"{LIB}/glibc-hwcaps/x86-64-v3/libone.so.1", "libone.so.1.10"),
            kit.Member(f"{LIB}/glibc-hwcaps/x86-64-v2/libone.so.1", elf(b"libone.so.1")),
            kit.Member(f"{LIB}/glibc-hwcaps/x86-64-v3/libonly.so.1", elf(b"libonly.so.1")),
            kit.Member("./usr/lib/libflat.so.1", elf(b"libflat.so.1")),
            kit.Member("./opt/own/lib/libone.so.1", elf(b"libone.so.1")),
            kit.Member("./opt/real/liblinked.so.1", elf(b"liblinked.so.1")),
            kit.link("./opt/link", "/opt/real"),
        ],
        blas={
            "members": [kit.Member(f"{LIB}/blas/libblas.so.3", elf(b"libblas.so.3"))],
            "control": {
                "postinst": (
                    "#!/bin/sh\nupdate-alternatives --install /usr/lib/x86_64-linux-gnu/libblas.so.3"
                    " libblas.so.3 /usr/lib/x86_64-linux-gnu/blas/libblas.so.3 10\n"
                )
            },
        },
    )
    found = real(tree)
    assert {"libc.so.6", "libone.so", "libplain.so", "libonly.so.1", "liblinked.so.1", "libblas.so.3"} <= set(
        found
    )
    assert found.count("libone.so.1") == 4
    assert tree.link("usr/lib/x86_64-linux-gnu/libnolink.so.3") == "libnolink.so.3.10"


def test_libraries_that_a_compiler_made_are_listed_as_by_ldconfig(system, kit, real, tmp_path, need):
    need("cc", shutil.which("cc") is not None, "no compiler on this machine")
    members = []
    for soname in (
        "libx.so.9",
        "libx.so.10",
        "libX.so.1",
        "libx_1.so.1",
        "libx-2.0.so.0",
        "libx2.so.1",
        "libx.so.1a",
    ):
        out = tmp_path / soname
        (tmp_path / "x.c").write_text("int x(void) { return 1; }\n")
        command = [
            "cc",
            "-shared",
            "-fPIC",
            "-nostdlib",
            f"-Wl,-soname,{soname}",
            "-o",
            out,
            tmp_path / "x.c",
        ]
        subprocess.run(command, check=True, capture_output=True)
        members.append(kit.Member(f"{LIB}/{soname}", out.read_bytes()))
    assert len(real(system(libc_bin=libc_bin(kit), libs=members))) == len(members)


def test_without_libc_bin_there_is_no_cache(system, kit):
    assert "etc/ld.so.cache" not in system(libs=[kit.Member(f"{LIB}/liba.so.1", elf(b"liba.so.1"))])


def test_an_arm64_image_lists_arm64_libraries(packages, kit, target):
    found = packages(
        libc_bin=[],
        libs=[
            kit.Member("./usr/lib/aarch64-linux-gnu/liba.so.1", elf(b"liba.so.1", machine=MACHINES["arm64"])),
            kit.Member("./usr/lib/aarch64-linux-gnu/libb.so.1", elf(b"libb.so.1")),
        ],
    )
    arm = replace(target(found), platform=Platform("linux", "arm64"))
    cache = next(entry for entry in system_entries(found, arm) if entry.path == "etc/ld.so.cache")
    assert (cache.mode, cache.uid) == (0o644, 0)
    assert cache.content.data == (
        b"glibc-ld.so.cache1.1"
        + struct.pack("<IIIIIII", 1, 43, 2, 0, 0, 0, 0)
        + struct.pack("<iIIIQ", 0x0A03, 72, 82, 0, 0)
        + b"liba.so.1\0/lib/aarch64-linux-gnu/liba.so.1\0"
    )


def test_a_soname_that_leaves_its_folder_or_would_be_a_whiteout_is_passed_over(system, kit):
    sonames = [
        b"../../../etc/passwd",
        b"/etc/passwd",
        b".wh.libc.so.6",
        b"..",
        b".",
        b"a\\b",
        b"lib\xff.so.1",
    ]
    members = [kit.Member(f"{LIB}/libevil{number}.so", elf(soname)) for number, soname in enumerate(sonames)]
    tree = system(libc_bin=libc_bin(kit), evil=[*members, kit.link(f"{LIB}/libloop.so.1", "libloop.so.1")])
    assert keys(tree) == []
    assert not any("lib" in path.rpartition("/")[2] for path in tree if path.startswith("usr/lib/x86_64"))


def test_a_configured_folder_cannot_lead_out_of_the_image(system, kit):
    tree = system(
        libc_bin=libc_bin(kit, b"/../../../opt/lib", b"relative", b"/opt/\xff", b"/opt/\0x"),
        libs=[kit.Member("./opt/lib/liba.so.1", elf(b"liba.so.1"))],
    )
    assert listed(tree.bytes("etc/ld.so.cache")) == [("liba.so.1", "/../../../opt/lib/liba.so.1", 0)]


def test_the_cache_does_not_depend_on_the_order_of_packages(packages, kit, target):
    found = packages(
        libc_bin=libc_bin(kit),
        one=[kit.Member(f"{LIB}/liba.so.01", elf(b"liba.so.01"))],
        two=[kit.Member(f"{LIB}/liba.so.1", elf(b"liba.so.1"))],
    )
    assert system_entries(found, target(found)) == system_entries(found[::-1], target(found))


def test_the_soname_is_found_through_the_segment_it_is_loaded_with():
    assert shared_object(elf(b"libx.so.1"), MACHINES["amd64"]) == SharedObject(b"libx.so.1")
    assert shared_object(elf(), MACHINES["amd64"]) == SharedObject(None)
    assert shared_object(elf(b"libx.so.1"), MACHINES["arm64"]) is None
    assert shared_object(elf(b"libx.so.1", strings_at=0x900000), MACHINES["amd64"]) is None


@given(st.data())
def test_a_broken_library_is_no_library(data):
    whole = elf(b"libx.so.1")
    broken = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for at in data.draw(st.lists(st.integers(4, len(whole) - 1), max_size=4)):
        if at < len(broken):
            broken[at] = data.draw(st.integers(0, 255))
    found = shared_object(bytes(broken), MACHINES["amd64"])
    assert found is None or found.soname is None or len(found.soname) <= 255


def libcmp(one, other):
    """`_dl_cache_libcmp` as its words say: character for character, runs of digits as numbers."""
    while one or other:
        if one[:1].isdigit() and other[:1].isdigit():
            first, second = (len(text) - len(text.lstrip(b"0123456789")) for text in (one, other))
            if int(one[:first]) != int(other[:second]):
                return int(one[:first]) - int(other[:second])
            one, other = one[first:], other[second:]
        elif one[:1].isdigit() or other[:1].isdigit():
            return 1 if one[:1].isdigit() else -1
        elif one[:1] != other[:1]:
            return (one or b"\0")[0] - (other or b"\0")[0]
        else:
            one, other = one[1:], other[1:]
    return 0


NAMES = st.lists(st.sampled_from([b"lib", b"so", b".", b"-", b"_", b"0", b"1", b"9", b"10", b"a"])).map(
    b"".join
)


@given(st.lists(NAMES.filter(lambda name: len(name) < 9)))
def test_names_are_in_the_order_in_which_the_loader_searches(names):
    libraries = in_order(Library(name, b"/" + name) for name in names)
    assert [library.key for library in libraries] == sorted(names, key=cmp_to_key(libcmp), reverse=True)


def test_numbers_are_c_s():
    assert natural(b"%d" % 2**31) < natural(b"1") < natural(b"%d" % (2**32 + 2))
    assert natural(b"1" + b"0" * 5000) == natural(b"0")


@given(st.lists(st.tuples(NAMES, NAMES, st.sampled_from([b"", b"x86-64-v2", b"x86-64-v3"])), max_size=6))
def test_what_is_written_is_read_back(rows):
    libraries = [Library(*row) for row in rows]
    cache = render(libraries, 0x0303)
    start = struct.unpack_from("<I", cache, 32)[0]
    folders = sorted({row[2] for row in rows} - {b""})
    if folders:
        magic, count, tag, _, at, size = struct.unpack_from("<IIIIII", cache, start)
        assert (magic, count, tag, size) == (0xEAA42174, 1, 1, 4 * len(folders))
        names = [
            cache[offset : cache.index(b"\0", offset)] for (offset,) in struct.iter_unpack("<I", cache[at:])
        ]
        assert names == folders
    else:
        assert start == 0
    hwcaps = [1 << 62 | folders.index(row[2]) if row[2] else 0 for row in rows]
    expected = [
        (key.decode(), path.decode(), hwcap) for (key, path, _), hwcap in zip(rows, hwcaps, strict=True)
    ]
    assert listed(cache) == expected
