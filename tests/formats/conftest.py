"""A project whose artifacts are made by hand, and odd in every way that the formats have a word on."""

from __future__ import annotations

import csv
import gzip
import io
import json
import lzma
import os
import struct
import subprocess
import sys
import tarfile
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from envfreeze.digest import Digest
from envfreeze.layers.plan import plan
from envfreeze.locking import files as lock_files
from envfreeze.locking.model import (
    SCHEMA,
    WRITER,
    AptBase,
    AptIndex,
    Archive,
    Deb,
    FleetVerdict,
    GpuFacts,
    Lock,
    Runtime,
    Target,
    Wheel,
)
from envfreeze.oci import layout
from envfreeze.oci.platform import Platform
from envfreeze.project.load import load
from envfreeze.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

SECOND = Path(__file__).with_name("second_implementation.py")


def written(root: Path) -> dict[str, Any]:
    """Give the digests of the layout that a build has left, in the form of the second implementation."""
    found = layout.read(root / ".envfreeze" / "image")
    images = []
    for image in getattr(found, "images", (found,)):
        names = [entry["created_by"].partition(":")[0] for entry in json.loads(image.config)["history"]]
        layers = [
            {"name": name, "digest": str(layer.digest), "diff_id": str(layer.diff_id), "size": layer.size}
            for name, layer in zip(names, image.layers, strict=True)
        ]
        images.append(
            {
                "manifest": str(image.digest),
                "size": len(image.manifest),
                "config": str(Digest.of(image.config)),
                "layers": layers,
            }
        )
    return {"digest": str(found.digest), "images": images}


@dataclass
class Twice:
    """A project that both implementations make the image of."""

    root: Path
    cache: Path

    def envfreeze(self, *arguments: str) -> str:
        """Run the command line; what it printed."""
        done = subprocess.run(
            [sys.executable, "-m", "envfreeze", *arguments],
            cwd=self.root,
            env=os.environ | {"ENVFREEZE_CACHE": str(self.cache)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def first(self) -> dict[str, Any]:
        """Build the image; its digests."""
        printed = self.envfreeze("build")
        digests = written(self.root)
        assert digests["digest"] == printed
        return digests

    def second(self) -> dict[str, Any]:
        """Compute the digests from the lock and the artifacts alone, in a process without envfreeze."""
        blobs = self.cache / "blobs" / "sha256"
        done = subprocess.run(
            [sys.executable, str(SECOND), str(self.root), str(blobs)],
            cwd=self.cache,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)


@pytest.fixture
def twice(tmp_path: Path) -> Twice:
    """Give an empty project, outside git."""
    (tmp_path / "project").mkdir()
    return Twice(tmp_path / "project", tmp_path / "cache")


# ------------------------------------------------------------------------------------------------- wheels


def wheel(
    folder: Path,
    name: str,
    members: Mapping[str, bytes],
    *,
    stored: Sequence[str] = (),
    runs: Sequence[str] = (),
    unhashed: Sequence[str] = (),
    **more: bool,
) -> Wheel:
    """Write a wheel of version 1.0 and give it as a lock would name it.

    Args:
        folder: where it is written.
        name: as its file spells it.
        members: contents by name; `.dist-info` and `.data` stand for the folders of these kinds.
        stored: members that are not compressed.
        runs: members that anyone may execute.
        unhashed: members whose row in RECORD is empty.
        more: what else the lock says.

    """
    info = f"{name}-1.0.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode()
    kind = b"Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    whole = {".dist-info/METADATA": metadata, ".dist-info/WHEEL": kind, **members}
    record = io.StringIO()
    rows = csv.writer(record)
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in whole.items():
            at = f"{name}-1.0{member}" if member.startswith(".d") else member
            entry = zipfile.ZipInfo(at)
            entry.external_attr = (0o100755 if member in runs else 0o100644) << 16
            entry.compress_type = zipfile.ZIP_STORED if member in stored else zipfile.ZIP_DEFLATED
            archive.writestr(entry, content)
            hashed = "sha256=" + Digest.of(content).hex  # not base64: what RECORD states is taken as it is
            rows.writerow([at, "", ""] if member in unhashed else [at, hashed, len(content)])
        rows.writerow([f"{info}/RECORD", "", ""])
        archive.writestr(f"{info}/RECORD", record.getvalue())
    content = path.read_bytes()
    normal = name.lower().replace("_", "-").replace(".", "-")
    return Wheel(normal, "1.0", path.name, Digest.of(content), len(content), path.as_uri(), **more)


def wheels(folder: Path) -> list[Wheel]:
    long = "/".join(["deep" * 10] * 4)
    return [
        wheel(
            folder,
            "Odd_Name",
            {
                "odd/__init__.py": b"x = 1\n" * 1000,
                "odd/empty.py": b"",
                "odd/stored.bin": bytes(range(256)) * 1000,
                "odd/empty.stored": b"",
                "odd/tool": b"#!/bin/sh\n",
                "odd/h\u00e9, \u00ab.py": b"quoted = True\n",
                f"odd/{long}/\u00fc{'n' * 120}.py": b"pax = 1\n",
                f"odd/{long[:90]}/{'m' * 40}.py": b"split = 1\n",
                ".data/scripts/run": b"#!python -u\nprint(1)\n",
                ".data/scripts/window": b"#!pythonw\r\nprint(2)\n",
                ".data/scripts/same": b"#!python\nprint(3)\n",
                ".data/scripts/native": b"\x7fELF" * 100,
                ".data/scripts/other": b"#!/bin/sh\necho 1\n",
                ".data/data/share/odd/file.txt": b"data\n",
                ".data/data/bin/from-data": b"#!/bin/sh\n",
                ".data/headers/odd.h": b"#define ODD\n",
                ".data/purelib/odd/pure.py": b"pure = 1\n",
                ".data/platlib/odd/plat.py": b"plat = 1\n",
                ".dist-info/INSTALLER": b"somebody\n",
                ".dist-info/REQUESTED": b"",
                ".dist-info/RECORD.jws": b"{}",
                ".dist-info/licenses/LICENSE": b"free\n",
                ".dist-info/entry_points.txt": (
                    b"[console_scripts]\nsame = odd.cli:main\nUPPER = odd : Class.method\n"
                    b"with-extra = odd:main [fast,slow]\n[gui_scripts]\nwindow2 = odd.gui:show\n"
                    b"[other]\nnot = a.script\n"
                ),
            },
            stored=["odd/stored.bin", "odd/empty.stored"],
            runs=["odd/tool", ".data/data/bin/from-data"],
            unhashed=["odd/tool"],
            requested=True,
        ),
        wheel(folder, "many", {f"many/\u00e9{number}.py": b"" for number in range(2500)}),
        wheel(
            folder,
            "large",
            {"large/blob.bin": os.urandom(9_000_000), "large/zeros": bytes(3_000_000)},
            stored=["large/blob.bin"],
        ),
        wheel(folder, "direct", {"direct.py": b"d = 1\n"}, requested=True, direct=True),
        wheel(folder, "share.one", {"space/one.py": b"1\n", "space/both.txt": b"one\n"}),
        wheel(folder, "share.two", {"space/two.py": b"2\n"}),
    ]


# --------------------------------------------------------------------------------------------------- debs


@dataclass(frozen=True)
class Member:
    """A member of data.tar, a file if it is nothing else; `hard`: to this earlier member."""

    path: str
    data: bytes = b""
    mode: int = 0o644
    owner: tuple[int, int] = (0, 0)
    link: str = ""
    hard: str = ""
    folder: bool = False


def tar(members: Sequence[Member]) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for member in members:
            info = tarfile.TarInfo(member.path)
            info.mode, (info.uid, info.gid) = member.mode, member.owner
            info.mtime, info.size = 1_700_000_000, len(member.data)
            info.linkname = member.link or member.hard
            if member.link:
                info.type = tarfile.SYMTYPE
            elif member.hard:
                info.type = tarfile.LNKTYPE
            elif member.folder:
                info.type = tarfile.DIRTYPE
            archive.addfile(info, io.BytesIO(member.data))
    return out.getvalue()


@dataclass
class Debs:
    """Writes packages and keeps what a lock would say of them."""

    folder: Path
    made: list[Deb] = field(default_factory=list)

    def add(
        self,
        name: str,
        members: Sequence[Member],
        fields: str = "",
        *,
        control: Mapping[str, str] | None = None,
        requested: bool = True,
        all_: bool = False,
    ) -> None:
        architecture = "all" if all_ else "amd64"
        stanza = f"Package: {name}\nVersion: 2:1.0-1\nArchitecture: {architecture}\n{fields}"
        stanza += "Maintainer: A. Person <person@example.org>\nDescription: by hand \n For a test.\n"
        texts = {"control": stanza, **(control or {})}
        packed = tar([Member(f"./{key}", text.encode()) for key, text in texts.items()])
        content = b"!<arch>\n"
        parts = {"debian-binary": b"2.0\n", "control.tar.gz": gzip.compress(packed)}
        for part, body in {**parts, "data.tar.xz": lzma.compress(tar(members))}.items():
            content += f"{part:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(body):<10}`\n".encode()
            content += body + b"\n" * (len(body) % 2)
        path = self.folder / "pool" / f"{name}.deb"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content)
        self.made.append(
            Deb(
                name,
                "2:1.0-1",
                architecture,
                f"pool/{name}.deb",
                Digest.of(content),
                len(content),
                "Odd Archive",
                requested,
            )
        )


PASSWD = b"root:*:0:0:root:/root:/bin/bash\n_apt:*:42:9::/:\n"


def debs(folder: Path, *, replaced_link: bool = False) -> tuple[Deb, ...]:
    made = Debs(folder)
    root = Member("./", folder=True)
    made.add(
        "base-files",
        [
            root,
            Member("./etc", folder=True),
            Member("./etc/dpkg/origins/debian", b"Debian\n"),
            Member("./tmp", folder=True, mode=0o1777),
            Member("./root", folder=True, mode=0o700),
            Member("./usr/share/base-files/profile", b"# profile\n"),
            Member("./usr/share/base-files/dot.bashrc", b"# rc\n"),
            Member("./usr/share/base-files/info.dir", b"info\n"),
            Member("./var/local", folder=True, mode=0o2775, owner=(0, 50)),
        ],
        control={"conffiles": "/etc/dpkg/origins/debian\nremove-on-upgrade /etc/gone\n/etc/not-there\n"},
    )
    made.add(
        "base-passwd",
        [
            Member(
                "./usr/share/base-passwd/passwd.master", b"root:*:0:0:root:/root:/bin/bash\n_apt:*:42:9::/:\n"
            ),
            Member("./usr/share/base-passwd/group.master", b"root:*:0:\nshadow:*:42:me,you\nbad\n"),
        ],
        "Essential: yes\nX-Odd: one\n  two \nX-One: three \nX-Empty-Start:\n four\n"
        "Depends: libc6 (>= 2.0) ,libfoo|bar\n  ,baz\nEmpty:\n",
    )
    made.add(
        "libc6",
        [
            root,
            Member("./lib", folder=True, mode=0o700),
            Member("./usr/lib", folder=True),
            Member("./lib/triplet", folder=True, mode=0o711),
            Member("./lib/triplet/libx.so.1", b"\x7fELF" * 400),
            Member("./lib/triplet/libx.so", link="libx.so.1"),
            Member("./lib/triplet/etc", link="../../etc/x"),
            Member("./lib/triplet/usr", link="../../usr/lib/x"),
            Member("./bin/y", b"y" * 10),
            Member("./sbin/hard", hard="./bin/y", mode=0o600, owner=(1, 2)),
            Member("./bin/a-hard", hard="./bin/y", mode=0o640, owner=(3, 4)),
            Member("./bin/x", link="../sbin/y"),
            Member("./var/run/spot", folder=True),
            Member("./var/lock/here", b""),
            Member("./usr/lib64", folder=True),
            Member("./bin", link="usr/bin"),
            Member("./usr/bin/su", b"su\n", mode=0o4755),
            Member(f"./usr/share/{'long/' * 30}name", b"long\n"),
        ],
        "Multi-Arch: same\n",
        control={
            "triggers": "# a comment\ninterest-noawait /usr/lib32\ninterest ldconfig\nactivate other\n",
            "md5sums": "0 usr/bin/su\n",
            "postinst": "#!/bin/sh\nexit 0\n",
            "shlibs": "libx 1 libc6\n",
        },
        requested=False,
    )
    made.add(
        "python3.13",
        [Member("./usr/bin/python3.13", b"\x7fELF" * 500, mode=0o755), Member("./usr/share/doc/a", b"1")],
    )
    made.add("python3.13-minimal", [Member("./usr/share/doc/a", b"2")], "Replaces: python3.13 (<< 2:1.0-2)\n")
    made.add("tzdata", [Member("./usr/share/zoneinfo/Etc/UTC", b"TZif2")], all_=True)
    lib = "./lib/x86_64-linux-gnu"
    made.add(
        "libc-bin",
        [
            Member(
                "./etc/ld.so.conf.d/b.conf", b"\t/opt/lib/ # odd\n/opt/link=libc6\nrelative\n/usr/lib\n/..\n"
            ),
            Member("./etc/ld.so.conf.d/a.conf", link="../own.conf"),
            Member("./etc/own.conf", b"/opt/none\n/opt/./own\n"),
            Member("./etc/ld.so.conf.d/no.config", b"/opt/no\n"),
            Member("./opt/link", link="/opt/real"),
            Member("./opt/own/libodd.so.2", shared_object(b"libodd.so.2")),
            Member("./opt/no/libno.so.2", shared_object(b"libno.so.2")),
            Member("./opt/real/libplain.so.1", shared_object()),
            Member(f"{lib}/libodd.so.2.9", shared_object(b"libodd.so.2")),
            Member(f"{lib}/libodd.so.2.10", shared_object(b"libodd.so.2")),
            Member(f"{lib}/libodd.so", link="libodd.so.2.9"),
            Member(f"{lib}/libother.so.3", link="libodd.so.2.9"),
            Member(f"{lib}/libodd.so.0002", shared_object()),
            Member(f"{lib}/libodd.so.4294967298", shared_object()),
            Member(f"{lib}/libhard.so.1", hard=f"{lib}/libodd.so.0002"),
            Member(f"{lib}/libbroken.so.1", shared_object(b"libbroken.so.1")[:-20]),
            Member(f"{lib}/libscript.so", b"GROUP ( libodd.so.2 )\n"),
            Member(f"{lib}/libaway.so.1", shared_object(b"../libaway.so.1")),
            Member(f"{lib}/glibc-hwcaps/x86-64-v3/libodd.so.2.10", shared_object(b"libodd.so.2")),
            Member(f"{lib}/glibc-hwcaps/x86-64-v2/libodd.so.2.9", shared_object(b"libodd.so.2")),
            Member(f"{lib}/glibc-hwcaps/.hidden/libodd.so.2.9", shared_object(b"libodd.so.2")),
            Member(f"{lib}/ed-a/libed.so.1", shared_object(b"libed.so.1")),
        ],
        control={
            "postinst": "#!/bin/sh\nupdate-alternatives --install /usr/lib/x86_64-linux-gnu/libed.so.1 libed "
            "/usr/lib/x86_64-linux-gnu/ed-a/libed.so.1 5\n"
        },
    )
    made.add("dpkg", [Member("./var/lib/dpkg", folder=True), Member("./var/lib/dpkg/parts", folder=True)])
    made.add("apt", [Member("./usr/share/keyrings/debian-archive-keyring.gpg", b"key")])
    linked = [Member("./opt/two", hard="./opt/clash")] if replaced_link else []
    made.add("clash-a", [Member("./opt/clash", b"a"), *linked])
    made.add("clash-b", [Member("./opt/clash", b"b", mode=0o755)])
    made.add(
        "debianutils",
        [
            Member("./usr/share/debianutils/shells", b"# shells\n/bin/sh # the first\n"),
            Member("./usr/share/debianutils/shells.d/bash", b"/bin/bash\n/bin/sh\n"),
        ],
    )
    made.add(
        "editor-a", [Member("./bin/ed-a", b"a"), Member("./usr/share/man/ed-a.1", b"a")], control=EDITOR_A
    )
    made.add("editor-b", [Member("./usr/bin/ed-b", b"b")], control=EDITOR_B)
    return tuple(sorted(made.made, key=lambda deb: deb.name))


def shared_object(soname: bytes = b"") -> bytes:
    """An ELF file that has a soname and nothing else, its one segment loaded away from its place."""
    strings = b"\0" + soname + b"\0"
    tags = [5, 0x5000 + 176, *([14, 1] if soname else []), 0, 0]
    size = 176 + len(strings)
    header = struct.pack("<16sHHIQQQIHHH", b"\x7fELF\2\1\1", 3, 62, 1, 0, 64, 0, 0, 64, 56, 2)
    loaded = struct.pack("<IIQQQQQQ", 1, 4, 0, 0x5000, 0, size, size, 4096)
    dynamic = struct.pack("<IIQQQQQQ", 2, 4, size, 0x5000 + size, 0, 8 * len(tags), 8 * len(tags), 8)
    return header.ljust(64, b"\0") + loaded + dynamic + strings + struct.pack(f"<{len(tags)}Q", *tags)


EDITOR_A = {
    "postinst": """#!/bin/sh
set -e
install() {
    for name in "$@"; do
        update-alternatives --install /bin/$name "$name" /bin/ed-a 30 \\
            --slave /usr/share/man/$name.1 $name.1 /usr/share/man/ed-a.1 --slave /etc/none none.1 /etc/none
    done
}
if [ "$1" = configure ] && [ -z "$2" ] || [ "$1" = abort-remove ]; then
    install editor vi
fi
case "$1" in
    (configure|reconfigure) priority=20 ;;
    (*) exit 1 ;;
esac
# not known: a substitution
update-alternatives --install /usr/bin/unknown unknown /bin/ed-a $(date +%s)
update-alternatives --install /usr/bin/pager pager /bin/ed-a "$priority" || true
if [ -d /run/systemd/system ]; then
    update-alternatives --install /usr/bin/never never /bin/ed-a 1
fi
if dpkg --compare-versions "$2" lt-nl 1.0; then
    update-alternatives --install /usr/bin/upgrade upgrade /bin/ed-a 1
fi
if which something >/dev/null; then priority=99; fi
update-alternatives --install /usr/bin/maybe maybe /bin/ed-a $priority
if [ -e /etc/some-file ]; then
    update-alternatives --install /usr/bin/branch branch /bin/ed-a 7
fi
if [ -e /etc/other-file ]; then level=1; exit 0; else level=2; fi
update-alternatives --install /usr/bin/level level /bin/ed-a $level
early() {
    if [ -e /etc/third-file ]; then return 0; fi
    update-alternatives --install /usr/bin/early early /bin/ed-a 3
    return 0
    update-alternatives --install /usr/bin/late late /bin/ed-a 3
}
early
update-alternatives --install /usr/bin/missing missing /bin/not-there 7
cat <<EOF
update-alternatives --install /usr/bin/text text /bin/ed-a 1
EOF
"""
}
EDITOR_B = {
    "postinst": "#!/bin/sh\nupdate-alternatives --install /bin/editor editor /usr/bin/ed-b 40\n"
    "update-alternatives --install /bin/vi vi /usr/bin/ed-b 30\nexit 0\n"
    "update-alternatives --install /bin/after after /usr/bin/ed-b 30\n"
}


# ------------------------------------------------------------------------------------------------ project


@pytest.fixture
def odd(twice: Twice, tmp_path: Path, request: pytest.FixtureRequest) -> Twice:
    """Give a project of odd wheels, packages and files, locked.

    Its parameter: whether a package has a hard link to a file that another package replaces.
    """
    root = twice.root
    for path, content in {
        "requirements.txt": "",
        "src/a.py": "a = 1\n",
        "src/sub/b.py": "b = 1\n" * 300_000,
        "src/empty": "",
        "src/__pycache__/a.pyc": "left out",
        "run.sh": "#!/bin/sh\n",
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(content)
    (root / "run.sh").chmod(0o700)
    (root / "src" / "nothing").mkdir()
    (root / "src" / "link").symlink_to("sub/b.py")
    (root / "envfreeze.toml").write_text('[image]\ninclude = ["src/", "run.sh"]\nworkdir = "/srv/work"\n')
    project = load(root)
    index = AptIndex("Odd Archive", "trixie", ("main",), "2026-09-12T07:55:41Z", Digest.of(b"index"))
    base = AptBase(
        reference="apt:debian/trixie",
        archives=(
            Archive("Odd Archive", (tmp_path.as_uri(), "https://example.org/a/20260912T000000Z")),
            Archive("vendor.example.org/CUDA", ("https://vendor.example.org/CUDA",), b"\x99key"),
        ),
        indexes=(
            index,
            replace(index, suite="trixie-updates"),
            replace(index, suite="trixie-more", components=("main", "contrib")),
            replace(index, archive="vendor.example.org/CUDA", suite="/", components=()),
        ),
        packages=debs(tmp_path, replaced_link=getattr(request, "param", False)),
    )
    target = Target(
        platform=Platform.parse("linux/amd64"),
        python="3.13.5",
        glibc="2.41",
        manylinux="manylinux_2_40",
        base=base,
        wheels=tuple(sorted(wheels(tmp_path), key=lambda one: one.name)),
        gpu=GpuFacts(
            cuda="12.8",
            runtime="12.8.90",
            toolkit="12.8.1",
            cudnn=None,
            sources=("nvidia-cuda-runtime-cu12 12.8.90 (pip)",),
            tables=Digest.of(b"tables"),
            fleet=(FleetVerdict("550.54", None, "minor-compat"), FleetVerdict(None, "8.0", "unknown")),
            env={"NVIDIA_VISIBLE_DEVICES": "all", "B": "the project's comes later", "A_GPU": "1"},
            labels={"org.envfreeze.cuda": "12.8", "org.example.a": "the project's comes later"},
        ),
    )
    runtime = Runtime(
        env={"B": "2", "A": "1 é", "LANG": "C", "PATH": "/bin"},
        labels={"org.example.b": '<"&>\u2028', "org.example.a": "ü"},
        include=project.image.include,
        user="1000:1000",
        workdir="/srv/work",
        entrypoint=("python", "-u"),
        cmd=(),
    )
    inputs = {name: Digest.of(content) for name, content in project.inputs.items()}
    targets = (replace(target, layers=plan(target)),)
    lock_files.write(Lock(SCHEMA, WRITER, inputs, None, runtime, targets), root)
    return twice
