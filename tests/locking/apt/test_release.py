"""Release files: signatures, names, ages and digests."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envfreeze.digest import Digest
from envfreeze.errors import UntrustedError, UsageError
from envfreeze.locking.apt import keyring as keyrings
from envfreeze.locking.apt import release

if TYPE_CHECKING:
    import pysequoia

WHERE = "example.org/dists/trixie/InRelease"
DIGEST = "ab" * 32
TEXT = f"""\
Origin: Tests
Suite: stable
Codename: trixie
Date: Sat, 12 Sep 2026 07:55:41 UTC
Valid-Until: Sat, 19 Sep 2026 07:55:41 UTC
Acquire-By-Hash: yes
Architectures: all amd64 arm64
No-Support-for-Architecture-all: Packages
MD5Sum:
 d41d8cd98f00b204e9800998ecf8427e 7 main/binary-amd64/Packages
SHA256:
 {DIGEST}  9678380 main/binary-amd64/Packages.xz
"""
DATE = datetime(2026, 9, 12, 7, 55, 41, tzinfo=UTC)
Sign = "Callable[[str, pysequoia.Tsk], bytes]"


def parsed(text: str = TEXT) -> release.Release:
    return release.parse(text.encode(), where=WHERE)


def check(text: str = TEXT, **changes: object) -> None:
    arguments = {"suite": "trixie", "now": DATE, "locked": None, "allow_stale": False, "where": WHERE}
    release.check(parsed(text), **(arguments | changes))


# ------------------------------------------------------------------------------------------- signatures


def test_signed_content_is_returned(sign: Sign, key: pysequoia.Tsk, keyring: bytes) -> None:
    assert release.verify(sign(TEXT, key), keyring, where=WHERE).decode() == TEXT


def test_an_armoured_keyring_will_do(sign: Sign, key: pysequoia.Tsk) -> None:
    armoured = str(key.extract_certificate()).encode()

    assert release.verify(sign(TEXT, key), armoured, where=WHERE)


def test_one_known_signer_among_several_certificates_is_enough(
    sign: Sign, key: pysequoia.Tsk, strange_key: pysequoia.Tsk, keyring: bytes
) -> None:
    both = bytes(strange_key.extract_certificate()) + keyring

    assert release.verify(sign(TEXT, key), both, where=WHERE)


def test_only_what_is_signed_is_returned(sign: Sign, key: pysequoia.Tsk, keyring: bytes) -> None:
    document = b"Codename: evil\n\n" + sign(TEXT, key) + b"\nCodename: evil\n"

    assert release.verify(document, keyring, where=WHERE).decode() == TEXT


def test_a_changed_file_is_refused(sign: Sign, key: pysequoia.Tsk, keyring: bytes) -> None:
    changed = sign(TEXT, key).replace(b"9678380", b"9678381")

    with pytest.raises(UntrustedError, match="no valid signature") as caught:
        release.verify(changed, keyring, where=WHERE)

    assert "Stack backtrace" not in "".join(caught.value.details)


def test_another_key_is_refused_and_named(sign: Sign, strange_key: pysequoia.Tsk, keyring: bytes) -> None:
    with pytest.raises(UntrustedError, match=r"it names [0-9A-F]{16}"):
        release.verify(sign(TEXT, strange_key), keyring, where=WHERE)


@pytest.mark.parametrize("document", [TEXT.encode(), b"", b"<html>Please log in</html>"])
def test_an_unsigned_file_is_refused(document: bytes, keyring: bytes) -> None:
    with pytest.raises(UntrustedError, match="is not signed"):
        release.verify(document, keyring, where=WHERE)


def test_a_signature_that_is_cut_off_is_refused(sign: Sign, key: pysequoia.Tsk, keyring: bytes) -> None:
    document = sign(TEXT, key)

    for length in (len(document) // 2, len(document) - 40):
        with pytest.raises(UntrustedError):
            release.verify(document[:length], keyring, where=WHERE)


@pytest.mark.parametrize("keyring", [b"", b"not a key", b"\x99\x01"])
def test_a_keyring_that_is_none_is_the_users_mistake(keyring: bytes) -> None:
    with pytest.raises(UsageError, match="the key"):
        keyrings.certificates(keyring, where="the key")


# ---------------------------------------------------------------------------------------------- content


def test_fields_are_read() -> None:
    found = parsed()

    assert found.names == {"Suite": "stable", "Codename": "trixie"}
    assert found.date == DATE
    assert found.valid_until == DATE + timedelta(days=7)
    assert found.by_hash
    assert not found.lists_all
    assert found.automatic
    assert found.files == {"main/binary-amd64/Packages.xz": release.IndexFile(Digest(DIGEST), 9678380)}


def test_packages_for_all_architectures_may_have_their_own_index() -> None:
    assert parsed(TEXT.replace("No-Support-for-Architecture-all: Packages\n", "")).lists_all


def test_backports_say_that_they_are_not_automatic() -> None:
    assert not parsed("NotAutomatic: yes\n" + TEXT).automatic


def test_ubuntu_writes_hours_without_a_leading_zero() -> None:
    found = parsed(TEXT.replace("Sat, 12 Sep 2026 07:55:41 UTC", "Sat, 12 Sep 2026  7:55:41 UTC"))

    assert found.date == DATE


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("Date: Sat, 12 Sep 2026 07:55:41 UTC\n", "", "no Date"),
        ("Sat, 12 Sep 2026 07:55:41 UTC", "yesterday", "cannot read Date"),
        ("Sat, 19 Sep 2026 07:55:41 UTC", "soon", "cannot read Valid-Until"),
        ("SHA256:", "SHA512:", "no SHA256"),
        (DIGEST, "xyz", "SHA256"),
        ("9678380", "many", "SHA256"),
    ],
)
def test_what_cannot_be_read_is_refused(old: str, new: str, words: str) -> None:
    with pytest.raises(UntrustedError, match=words):
        parsed(TEXT.replace(old, new))


@given(st.binary(max_size=300))
def test_no_content_breaks_the_parser(content: bytes) -> None:
    for text in (content, TEXT.encode() + content, TEXT.encode().replace(b"Sat, 12 Sep", content)):
        # Whatever else is raised fails the test.
        with suppress(UntrustedError):
            release.parse(text, where=WHERE)


# -------------------------------------------------------------------------------------------------- age


def test_a_fresh_index_of_the_right_suite_is_accepted() -> None:
    check()
    check(suite="stable")
    check(locked=DATE)


def test_another_suite_is_refused_though_it_is_signed() -> None:
    with pytest.raises(UntrustedError, match="names Suite: stable, Codename: trixie, but bookworm was asked"):
        check(suite="bookworm", allow_stale=True)


def test_an_update_suite_does_not_pass_for_the_release_whose_codename_it_has() -> None:
    updates = TEXT.replace("Suite: stable", "Suite: noble-updates").replace("trixie", "noble")

    check(updates, suite="noble-updates", named_in=("Suite",))
    with pytest.raises(UntrustedError, match="names Suite: noble-updates, Codename: noble, but noble was"):
        check(updates, suite="noble", named_in=("Suite",))


def test_an_index_that_names_no_suite_is_refused() -> None:
    with pytest.raises(UntrustedError, match="no suite at all"):
        check(TEXT.replace("Suite: stable\nCodename: trixie\n", ""))


def test_an_expired_index_is_refused_unless_told_otherwise() -> None:
    late = DATE + timedelta(days=8)

    with pytest.raises(UntrustedError, match=r"expired on 2026-09-19T07:55:41Z") as caught:
        check(now=late)
    assert "--allow-stale-index" in caught.value.hint
    check(now=late, allow_stale=True)


def test_an_index_without_an_end_does_not_expire() -> None:
    check(TEXT.replace("Valid-Until", "X-Until"), now=DATE + timedelta(days=900))


def test_an_index_older_than_the_locked_one_is_refused_unless_told_otherwise() -> None:
    newer = DATE + timedelta(seconds=1)

    with pytest.raises(UntrustedError, match="older than the locked one of 2026-09-12T07:55:42Z"):
        check(locked=newer)
    check(locked=newer, allow_stale=True)


def test_an_index_from_the_future_is_refused_always() -> None:
    check(now=DATE - timedelta(hours=23))
    for allow_stale in (False, True):
        with pytest.raises(UntrustedError, match="in the future"):
            check(now=DATE - timedelta(hours=25), allow_stale=allow_stale)
