"""The user of `[image]` has to be an account of the image."""

import pytest

from envfreeze.engines.native.accounts import accounts_of, check_user
from envfreeze.errors import UsageError
from envfreeze.oci.entry import file, in_order
from envfreeze.oci.layer import write_layer

PASSWD = b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/nonexistent:/usr/sbin/nologin\n"


@pytest.fixture
def system(tmp_path):
    path = tmp_path / "layer"
    with path.open("wb") as blob:
        write_layer(in_order([file("etc/hosts", b""), file("etc/passwd", PASSWD)]), blob.fileno())
    return path


@pytest.mark.parametrize("user", [None, "root", "nobody", "1000", "1000:1000", "0"])
def test_accounts_of_the_image_and_ids_are_users(system, user):
    check_user(user, lambda: accounts_of(system.open("rb")))


def test_a_name_that_the_image_does_not_know_is_refused_with_the_nearest(system):
    with pytest.raises(UsageError, match="'noboddy' is no account of the image") as caught:
        check_user("noboddy", lambda: accounts_of(system.open("rb")))
    assert "'nobody'" in caught.value.hint


def test_a_system_without_accounts_has_no_named_users(tmp_path):
    path = tmp_path / "layer"
    with path.open("wb") as blob:
        write_layer(in_order([file("etc/hosts", b"")]), blob.fileno())
    with pytest.raises(UsageError, match="'somebody' is no account") as caught:
        check_user("somebody", lambda: accounts_of(path.open("rb")))
    assert 'user = "1000:1000"' in caught.value.hint
