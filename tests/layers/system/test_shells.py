"""`/etc/shells` as update-shells writes it."""

from __future__ import annotations


def test_shells_of_packages_are_listed_under_their_given_and_their_real_names(system, kit):
    tree = system(
        debianutils=[kit.Member("./usr/share/debianutils/shells", b"# shells\n/bin/sh\n")],
        bash=[kit.Member("./usr/share/debianutils/shells.d/bash", b"/bin/bash # a shell\n/bin/rbash\n")],
        dash=[kit.Member("./usr/share/debianutils/shells.d/dash", b"/usr/bin/dash\n")],
    )
    shells = ["/bin/bash ", "/usr/bin/bash ", "/bin/rbash", "/usr/bin/rbash", "/usr/bin/dash"]
    # `read -r line _` with IFS=# keeps the blank before the mark.
    assert tree.text("etc/shells").splitlines() == ["# shells", "/bin/sh", "/usr/bin/sh", *shells]
    assert tree.text("var/lib/shells.state").splitlines() == ["/bin/sh", "/usr/bin/sh", *shells]


def test_without_debianutils_there_is_no_list(system):
    assert "etc/shells" not in system()
