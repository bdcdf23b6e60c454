"""What holds for the system layer as a whole."""

from __future__ import annotations

import pytest

from envfreeze.errors import UntrustedError
from envfreeze.oci.paths import path_problem


def test_a_package_that_turns_a_folder_of_the_system_into_a_link_is_refused(system, kit):
    with pytest.raises(UntrustedError, match="alpha has /etc"):
        system(alpha=[kit.link("./etc", "/usr")], tzdata=[])


def test_no_script_makes_a_whiteout_or_leaves_the_root(system, kit):
    postinst = "#!/bin/sh\n" + "".join(
        f"update-alternatives --install {link} {name} /usr/bin/real 5\n"
        for link, name in (
            ("/usr/bin/.wh.env", "a"),
            ("/usr/../../etc/passwd", "b"),
            ("//etc/passwd", "c"),
            ("etc/passwd", "d"),
            ("/usr/bin/e", "../../etc/passwd"),
            ("/usr/bin/f", ".wh.f"),
            ("/usr/bin/good", "good"),
        )
    )
    tree = system(alpha={"members": [kit.Member("./usr/bin/real", b"x")], "control": {"postinst": postinst}})
    assert [path for path in tree if path.startswith("usr/bin/")] == ["usr/bin/good"]
    assert all(path_problem(path) is None for path in tree)


def test_files_that_are_not_utf_8_stop_nothing(system, kit):
    tree = system(
        debianutils=[kit.Member("./usr/share/debianutils/shells", b"/bin/\xff\n")],
        base_passwd=[
            kit.Member("./usr/share/base-passwd/passwd.master", b"\xff:*:1:1::/:/bin/sh\n"),
            kit.Member("./usr/share/base-passwd/group.master", b"\xff:*:1:\n"),
        ],
        other={
            "control": {"conffiles": b"/etc/\xff\n", "postinst": b"#!/bin/sh\nupdate-alternatives \xff\n"}
        },
    )
    assert tree.bytes("etc/shells") == b"/bin/\xff\n/usr/bin/\xff\n"
    assert tree.bytes("etc/passwd") == b"\xff:x:1:1::/:/bin/sh\n"
