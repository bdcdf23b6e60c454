"""Accounts come from base-passwd's master files, with locked passwords in shadow files."""

from __future__ import annotations

MASTER = b"root:*:0:0:root:/root:/bin/bash\n_apt:*:42:65534::/nonexistent:/usr/sbin/nologin\n"
GROUPS = b"root:*:0:\nshadow:*:42:\naudio:*:29:pulse\n"


def test_master_files_become_the_four_account_files(system, kit):
    tree = system(
        base_passwd=[
            kit.Member("./usr/share/base-passwd/passwd.master", MASTER),
            kit.Member("./usr/share/base-passwd/group.master", GROUPS),
        ]
    )
    assert tree.text("etc/passwd") == MASTER.decode().replace(":*:", ":x:")
    assert tree.text("etc/group") == "root:x:0:\nshadow:x:42:\naudio:x:29:pulse\n"
    assert tree.text("etc/shadow") == "root:*:3653:0:99999:7:::\n_apt:*:3653:0:99999:7:::\n"
    assert tree.text("etc/gshadow") == "root:*::\nshadow:*::\naudio:*::pulse\n"
    assert (tree["etc/shadow"].mode, tree["etc/shadow"].gid) == (0o640, 42)
    assert (tree["etc/gshadow"].mode, tree["etc/gshadow"].gid) == (0o640, 42)
    assert (tree["etc/passwd"].mode, tree["etc/subuid"].content.data) == (0o644, b"")


def test_the_day_in_shadow_is_the_writer_s_one_date():
    from datetime import UTC, date, datetime, timedelta

    from envfreeze.layers.system.accounts import _DAY

    assert datetime.fromtimestamp(0, UTC).date() + timedelta(days=_DAY) == date(1980, 1, 2)


def test_without_base_passwd_there_are_no_accounts(system):
    assert "etc/passwd" not in system()
