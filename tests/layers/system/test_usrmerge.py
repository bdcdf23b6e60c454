"""The links of merged-usr."""

from __future__ import annotations

from envfreeze.oci.entry import Kind


def test_bin_lib_and_sbin_are_links_always_and_the_others_where_there_is_something(system, kit):
    tree = system(base_files=[kit.folder("./usr/"), kit.folder("./usr/bin/"), kit.folder("./usr/lib64/")])
    assert {name: tree.link(name) for name in ("bin", "lib", "sbin", "lib64", "lib32")} == {
        "bin": "usr/bin",
        "lib": "usr/lib",
        "sbin": "usr/sbin",
        "lib64": "usr/lib64",
        "lib32": None,
    }
    assert tree["usr/lib"].kind is Kind.DIRECTORY  # a link never dangles


def test_a_folder_under_its_old_name_counts(system, kit):
    assert system(libc6=[kit.Member("./lib64/ld.so", b"x")])["lib64"].link == "usr/lib64"
