"""Wheels and debs that are not what they should be: named, refused with 6, and nothing is left behind.

The lock names the hostile file's true sha256: it was made by somebody who meant harm, or by a broken tool.
"""

from __future__ import annotations

import shutil
import struct
import zlib

import pytest

from envfreeze.layers.plan import DEB_BUCKETS, _bucket

BEGINS = "evil-1.0-py3-none-any.whl"


def crc(content):
    return zlib.crc32(content)


@pytest.fixture
def with_evil(small_project):
    """Make the small project with one wheel more in its lock."""

    def make(content):
        work = small_project()
        work.lock(wheels=[work.site.add_wheel("evil", content)])
        work.commit()
        return work

    return make


def hostile(member, **further):
    return lambda tools: tools.wheel_of("evil", further=[tools.Member(*member, **further)])


def stream_that_ends(*, early):
    def make(tools):
        content = bytes(range(256)) * 40
        stream = tools.deflated(content)
        raw = stream[:-20] if early else stream + b"more"
        return tools.wheel_of("evil", further=[tools.Member("evil/x", content, raw)])

    return make


def damaged(tools):
    wheel = tools.wheel_of("evil", contents={"evil/x": b"x = 1\n" * 50})
    stream = tools.deflated(b"x = 1\n" * 50)
    assert stream in wheel
    return wheel.replace(stream, stream[:-2] + bytes(2))


def overlapping(tools):
    members = [tools.Member("evil/x", b"x" * 50), tools.Member("evil/y", b"x" * 50, at="evil/x")]
    return tools.wheel_of("evil", further=members)


def lying_about_its_name(tools):
    members = [tools.Member("evil/x", b"x", local={"name": "evil/y"})]
    return tools.wheel_of("evil", further=members)


def growing_beyond_its_size(tools):
    bomb = tools.Member("evil/x", b"x" * 10, tools.deflated(bytes(20_000_000)))
    return tools.wheel_of("evil", further=[bomb])


HOSTILE = {
    "a member above the root": (hostile(("../x", b"x")), ["'../x'", "leaves its root"]),
    "an absolute member": (hostile(("/x", b"x")), ["'/x'", "absolute"]),
    "a whiteout": (hostile((".wh.numpy", b"")), ["'.wh.numpy'", "lower layer"]),
    "a member that stands twice": (hostile(("evil/__init__.py", b"x")), ["evil/__init__.py", "twice"]),
    "overlapping members": (overlapping, ["evil/y", "disagrees"]),
    "headers with two names": (lying_about_its_name, ["evil/x", "disagrees"]),
    "headers with two sizes": (hostile(("evil/x", b"x"), local={"size": 9}), ["evil/x", "disagrees"]),
    "headers with two CRCs": (hostile(("evil/x", b"x"), local={"crc": 9}), ["evil/x", "disagrees"]),
    "DEFLATE that ends early": (stream_that_ends(early=True), ["evil/x", "ends early"]),
    "DEFLATE that ends late": (stream_that_ends(early=False), ["evil/x", "follows after the end"]),
    "DEFLATE that is damaged": (damaged, ["evil/x"]),
    "a size bomb that says so": (hostile(("evil/x", b"x"), size=0xFFFFFFF0), ["times its size"]),
    "a size bomb that hides it": (growing_beyond_its_size, ["evil/x"]),
    "a symbolic link": (hostile(("evil/x", b"../../../../../etc"), mode=0o120777), ["'evil/x'", "link"]),
    "another interpreter": (hostile(("evil-1.0.data/scripts/python", b"x")), ["scripts/python", "replace"]),
    "another interpreter as data": (
        hostile(("evil-1.0.data/data/bin/python3", b"x")),
        ["opt/venv/bin/python3"],
    ),
    "an entry point that climbs": (
        lambda tools: tools.wheel_of("evil", entry_points="[console_scripts]\n../../bin/sh = evil:x\n"),
        ["'../../bin/sh'"],
    ),
    "an entry point that is the interpreter": (
        lambda tools: tools.wheel_of("evil", entry_points="[console_scripts]\npython = evil:x\n"),
        ["'python'"],
    ),
    "half a file": (lambda tools: tools.wheel_of("evil")[:300], ["no zip archive"]),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_wheel_is_refused(with_evil, tools, refused, case):
    make, words = HOSTILE[case]
    said = refused(with_evil(make(tools)), 6, "build")
    for word in (BEGINS, *words):
        assert word in said


def test_overlapping_data_is_refused(with_evil, tools, refused):
    # Both headers agree that the member is longer than it is: it runs into the one behind it.
    members = [tools.Member("evil/x", b"x" * 9), tools.Member("evil/y", b"y" * 99)]
    content = tools.wheel_of("evil", further=members)
    raw = tools.deflated(b"x" * 9)
    before = struct.pack("<III", crc(b"x" * 9), len(raw), 9)
    assert content.count(before) == 2
    longer = content.replace(before, struct.pack("<III", crc(b"x" * 9), len(raw) + 40, 9))
    assert "overlaps" in refused(with_evil(longer), 6, "build")


def test_a_wheel_with_another_hash_is_refused(project, refused):
    path = "/wheels/alpha-1.0-py3-none-any.whl"
    content = project.site.files[path]
    project.site.instead[path] = content[:-1] + b"!"
    said = refused(project, 6, "build")
    assert "alpha-1.0-py3-none-any.whl" in said
    assert "is not the file that is wanted" in said
    del project.site.instead[path]
    assert project.run("build").code == 0


def test_a_wheel_of_another_size_is_refused(project, refused):
    path = "/wheels/alpha-1.0-py3-none-any.whl"
    project.site.instead[path] = project.site.files[path][:100]
    said = refused(project, 6, "build")
    assert "100 bytes" in said
    assert "alpha-1.0-py3-none-any.whl" in said


def test_a_transfer_that_is_cut_short_is_the_networks_fault_and_is_gone_on_with(project):
    path = "/wheels/gamma-1.0-py3-none-any.whl"
    project.site.cut[path] = 100
    ended = project.run("build")
    assert ended.code == 4
    assert "gamma-1.0-py3-none-any.whl" in ended.stderr
    assert not (project.root / ".envfreeze").exists()
    assert not project.records()
    del project.site.cut[path]
    digest = project.run("build").digest
    assert project.built() == digest
    assert not project.leftovers()


def test_a_damaged_layer_of_the_cache_goes_into_no_image(project):
    digest = project.run("build").digest
    layers = [path for path in (project.cache / "blobs").rglob("*") if path.is_file()]
    for path in layers:
        content = path.read_bytes()
        if content.startswith(b"\x1f\x8b"):
            path.unlink()
            path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    ended = project.run("build")
    assert ended.code == 6
    assert "is damaged" in ended.stderr
    assert "envfreeze cache verify" in ended.stderr
    assert project.built() == digest
    assert project.run("cache", "verify").stdout == "damaged\n"
    assert project.run("build").digest == digest
    assert project.built() == digest


@pytest.mark.parametrize(
    ("contents", "words"),
    [
        ({"../../etc/cron.d/x": b"x"}, "../../etc/cron.d/x"),
        ({"./usr/../../x": b"x"}, "./usr/../../x"),
        ({"./usr/lib/.wh.python3": b""}, ".wh.python3"),
        ({"./usr/lib/x": "../../../../etc/shadow"}, "usr/lib/x"),
    ],
)
def test_a_hostile_deb_is_refused(small_project, tools, refused, contents, words):
    work = small_project()
    work.lock(debs=[work.site.add_deb("evil", tools.deb_of("evil", "1", contents))])
    work.commit()
    said = refused(work, 6, "build")
    assert words in said
    assert "evil" in said


def test_a_deb_with_another_hash_is_refused(project, refused):
    path = "/debian/pool/tzdata_2026a-1_all.deb"
    content = project.site.files[path]
    project.site.instead[path] = content[:-1] + b"!"
    assert "tzdata_2026a-1_all.deb" in refused(project, 6, "build")


def test_two_wheels_that_want_one_path_are_reported_and_always_decided_alike(small_project, tools):
    work = small_project()
    wheels = [
        work.site.add_wheel(name, tools.wheel_of(name, contents={"shared/data.txt": name.encode()}))
        for name in ("first", "second")
    ]
    work.lock(wheels=wheels)
    work.commit()
    built = work.run("build")
    assert built.code == 0
    (said,) = [line for line in built.stderr.splitlines() if line.startswith("warning:")]
    for word in ("first", "second", "shared/data.txt"):
        assert word in said
    again = work.run("build", "--workers", "1")
    assert again.digest == built.digest
    assert said in again.stderr
    assert work.run("verify", str(built.digest)).stdout == "identical\n"


def test_a_wheel_that_is_not_for_this_python_is_told_of_at_every_build(small_project, tools):
    work = small_project()
    said = {"capped": ">=3.9,<3.13", "fitting": ">=3.9,<3.14", "garbled": ">=3.6.*", "silent": ""}
    for name, requires in said.items():
        work.site.add_wheel(name, tools.wheel_of(name, requires_python=requires))
    work.write("requirements.txt", "\n".join(said))
    assert work.run("lock").code == 0  # uv looks at lower bounds only
    for _ in range(2):
        built = work.run("build")
        assert built.code == 0
        (warning,) = [line for line in built.stderr.splitlines() if line.startswith("warning:")]
        assert "capped 1.0 is for Python >=3.9,<3.13, and the image has 3.13.5" in warning
        assert "capped<1.0" in warning


def test_two_wheels_with_the_same_file_are_fine(small_project, tools):
    work = small_project()
    work.lock(
        wheels=[
            work.site.add_wheel(name, tools.wheel_of(name, contents={"shared/__init__.py": b"\n"}))
            for name in ("first", "second")
        ]
    )
    built = work.run("build")
    assert built.code == 0
    assert "overwrites" not in built.stderr


def test_a_wheel_through_the_link_of_another_package_is_refused(small_project, tools, refused):
    work = small_project()
    link = "opt/venv/lib/python3.13/site-packages/alpha"
    work.lock(debs=[work.site.add_deb("linker", tools.deb_of("linker", "1", {f"./{link}": "/etc"}))])
    work.commit()
    said = refused(work, 6, "build")
    for word in ("alpha", "linker", link):
        assert word in said
    # Neither from what the cache knows, nor from the half of it.
    assert refused(work, 6, "build") == said
    shutil.rmtree(work.cache / "facts" / "paths")
    assert refused(work, 6, "build") == said


def test_a_package_through_the_link_of_another_in_its_layer_is_refused(small_project, tools, refused):
    work = small_project()
    # Two names that the plan puts into one bucket.
    one = work.site.add_deb("linker", tools.deb_of("linker", "1", {"./usr/share/doc/linker": "/etc"}))
    names = (f"through{number}" for number in range(100))
    other = next(name for name in names if _bucket(name, DEB_BUCKETS) == _bucket("linker", DEB_BUCKETS))
    through = tools.deb_of(other, "1", {"./usr/share/doc/linker/readme": b"x"})
    work.lock(debs=[one, work.site.add_deb(other, through)])
    work.commit()
    said = refused(work, 6, "build")
    assert other in said
    assert "link /usr/share/doc/linker of linker" in said
