"""One word on every folder that is not ordinary or that packages disagree about."""

from __future__ import annotations

from envfreeze.layers.system import system_entries


def test_base_files_word_comes_first_and_then_the_first_name_s(system, kit):
    tree = system(
        alpha=[kit.folder("./srv/x/", mode=0o700), kit.folder("./tmp/"), kit.folder("./opt/")],
        base_files=[kit.folder("./tmp/", mode=0o1777), kit.folder("./root/", mode=0o700)],
        beta=[kit.folder("./srv/x/", mode=0o755), kit.folder("./opt/"), kit.folder("./var/b/", uid=7)],
    )
    assert {path: tree[path].mode for path in ("tmp", "root", "srv/x")} == {
        "tmp": 0o1777,
        "root": 0o700,
        "srv/x": 0o700,
    }
    assert tree["var/b"].uid == 7
    assert "opt" not in tree or tree["opt"].mode == 0o755


def test_the_order_of_the_packages_does_not_matter(packages, target, kit):
    found = packages(
        b=[kit.folder("./x/", mode=0o700), kit.Member("./y", b"b")],
        a=[kit.folder("./x/", mode=0o750), kit.Member("./y", b"a")],
        base_files=[kit.folder("./"), kit.folder("./z/", mode=0o711)],
    )
    forwards, backwards = system_entries(found, target(found)), system_entries(found[::-1], target(found))
    assert forwards == backwards
    assert [entry.path for entry in forwards] == sorted(entry.path for entry in forwards)
