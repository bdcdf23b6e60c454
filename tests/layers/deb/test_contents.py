"""Which members of a data.tar become entries, at which paths, and which are refused."""

from __future__ import annotations

import tarfile

import pytest

from envfreeze.errors import UntrustedError
from envfreeze.layers.deb import open_deb
from envfreeze.oci.entry import Kind


def paths(package):
    return {entry.path: entry for entry in package.entries if not entry.path.startswith("var/lib/dpkg/")}


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("../etc/passwd", "leaves its root"),
        ("./usr/../../etc/passwd", "leaves its root"),
        ("/etc/passwd", "is absolute"),
        ("./usr//x", "is not normal"),
        ("./usr/./x", "is not normal"),
        ("./usr/a\\b", "backslash"),
        ("./usr/.wh.x", "lower layer"),
        ("./.wh..wh..opq", "lower layer"),
        ("./usr/.wh.x/y", "lower layer"),
        ("./usr/\udcff", "UTF-8"),
    ],
)
def test_a_name_that_leaves_the_root_or_cannot_stand_in_a_layer_is_refused(make_deb, kit, scratch, name, why):
    path, deb = make_deb([kit.Member(name, b"x")])
    with pytest.raises(UntrustedError, match=why) as caught, open_deb(path, deb, scratch):
        pass
    assert "demo" in caught.value.message


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_devices_and_fifos_are_refused(make_deb, kit, scratch, kind):
    path, deb = make_deb([kit.Member("./dev/x", type=kind)])
    with pytest.raises(UntrustedError, match=r"'\./dev/x'"), open_deb(path, deb, scratch):
        pass


@pytest.mark.parametrize("target", ["../x", "../../etc", "a/../../../x", "/../x", ""])
def test_a_link_that_climbs_above_the_root_is_refused(make_deb, kit, scratch, target):
    path, deb = make_deb([kit.link("./x", target)])
    with pytest.raises(UntrustedError), open_deb(path, deb, scratch):
        pass


@pytest.mark.parametrize("target", ["/etc/alternatives/x", "y", "../lib/x", "/usr/../etc/x", "./a/../b"])
def test_a_link_within_the_root_keeps_its_target_as_written(opened, kit, target):
    assert paths(opened([kit.link("./usr/x", target)]))["usr/x"].link == target


def test_a_hard_link_is_kept_and_needs_an_earlier_file_of_the_package(opened, make_deb, kit, scratch):
    package = opened(
        [kit.Member("./usr/bin/perl", b"x", mode=0o755), kit.hard("./bin/perl5", "./usr/bin/perl")]
    )
    assert paths(package)["usr/bin/perl5"].link == "usr/bin/perl"
    assert paths(package)["usr/bin/perl5"].kind is Kind.HARDLINK
    for target in ("./etc/shadow", "../../etc/shadow", "/etc/shadow"):
        path, deb = make_deb([kit.hard("./x", target)])
        with pytest.raises(UntrustedError), open_deb(path, deb, scratch):
            pass


def test_a_path_that_stands_twice_is_refused_but_a_directory_may(opened, make_deb, kit, scratch):
    assert "usr" in paths(opened([kit.folder("./usr/"), kit.folder("./usr/")]))
    for second in (kit.Member("./x", b"2"), kit.link("./x", "y"), kit.folder("./x")):
        path, deb = make_deb([kit.Member("./x", b"1"), second])
        with pytest.raises(UntrustedError, match="twice"), open_deb(path, deb, scratch):
            pass


def test_a_path_below_a_link_or_a_file_of_the_package_is_refused(make_deb, kit, scratch):
    for above in (kit.link("./a", "/etc"), kit.Member("./a", b"x")):
        path, deb = make_deb([above, kit.Member("./a/passwd", b"x")])
        with pytest.raises(UntrustedError, match="no directory"), open_deb(path, deb, scratch):
            pass


def test_the_old_top_level_folders_become_their_places_in_usr(opened, kit):
    package = opened(
        [
            kit.folder("./bin/"),
            kit.Member("./bin/sh", b"x", mode=0o755),
            kit.Member("./lib/x86_64-linux-gnu/libc.so", b"y"),
            kit.hard("./lib64/ld.so", "./lib/x86_64-linux-gnu/libc.so"),
            kit.Member("./var/run/x", b""),
            kit.Member("./var/lock/y", b""),
            kit.Member("./libexec/z", b""),
        ]
    )
    found = paths(package)
    assert set(found) == {
        "usr/bin",
        "usr/bin/sh",
        "usr/lib/x86_64-linux-gnu/libc.so",
        "usr/lib64/ld.so",
        "run/x",
        "run/lock/y",
        "libexec/z",
    }
    assert found["usr/lib64/ld.so"].link == "usr/lib/x86_64-linux-gnu/libc.so"
    assert "/bin/sh" in package.names  # dpkg lists what the package says


def test_two_names_that_become_one_are_refused(make_deb, kit, scratch):
    path, deb = make_deb([kit.Member("./bin/x", b"1"), kit.Member("./usr/bin/x", b"2")])
    with pytest.raises(UntrustedError, match="twice"), open_deb(path, deb, scratch):
        pass


def test_the_mode_of_a_folder_in_usr_comes_before_that_of_its_old_name(opened, kit):
    package = opened([kit.folder("./bin/", mode=0o700), kit.folder("./usr/bin/", mode=0o755)])
    assert paths(package)["usr/bin"].mode == 0o755
    package = opened([kit.folder("./usr/bin/", mode=0o755), kit.folder("./bin/", mode=0o700)], name="other")
    assert paths(package)["usr/bin"].mode == 0o755


def test_a_package_s_own_merged_usr_links_are_left_to_the_system_layer(opened, make_deb, kit, scratch):
    assert "usr/bin" not in paths(opened([kit.link("./bin", "usr/bin"), kit.link("./lib64", "/usr/lib64/")]))
    path, deb = make_deb([kit.link("./bin", "etc")])
    with pytest.raises(UntrustedError, match="merged-usr"), open_deb(path, deb, scratch):
        pass


def test_an_empty_file_has_no_content_and_others_are_slices(opened, kit):
    found = paths(opened([kit.Member("./a"), kit.Member("./b", b"text")]))
    assert found["a"].content is None
    assert isinstance(found["b"].content.data, memoryview)


def test_names_longer_than_a_header_holds_are_read_whole(opened, kit):
    name = "usr/" + "/".join(["d" * 60] * 5)
    assert name in paths(opened([kit.Member(f"./{name}", b"x")]))
