"""Addresses show no credentials, and credentials go nowhere else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from envfreeze.store.address import Address, shown

WORD = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=8)


def test_credentials_query_and_fragment_are_not_shown():
    address = Address.parse("https://me:p%40ss@Example.ORG:8443/a/b.whl?X-Signature=abc#sha256=00")
    assert str(address) == "https://Example.ORG:8443/a/b.whl"
    assert address.url == "https://Example.ORG:8443/a/b.whl?X-Signature=abc"
    assert address.credentials == ("me", "p@ss")
    assert (address.host, address.port) == ("example.org", 8443)
    assert "p@ss" not in repr(address)


@given(user=WORD, password=WORD, path=WORD)
def test_no_password_is_ever_shown(user, password, path):
    url = f"https://{user}:SECRET{password}@example.org/{path}"
    assert "SECRET" not in shown(url)
    assert "SECRET" not in Address.parse(url).url


@given(st.text())
def test_any_text_has_something_to_show(text):
    assert isinstance(shown(text), str)


@pytest.mark.parametrize("url", ["https://", "http://[::1", "https://me:secret@host:port/x"])
def test_what_is_no_url_is_not_repeated(url):
    with pytest.raises(ValueError, match="not a valid URL") as caught:
        Address.parse(url)
    assert "secret" not in str(caught.value)
    assert shown(url) == "an address that cannot be read"


@pytest.mark.parametrize(
    ("start", "other", "trusted"),
    [
        ("https://example.org/a", "https://example.org/b", True),
        ("https://example.org/a", "https://example.org:443/b", True),
        ("http://example.org/a", "https://example.org/b", True),
        ("https://example.org/a", "https://example.org:8443/b", False),
        ("https://example.org/a", "https://files.example.org/b", False),
        ("http://example.org:8080/a", "https://example.org/b", False),
        ("https://example.org/a", "http://example.org/b", False),
    ],
)
def test_credentials_are_for_one_origin(start, other, trusted):
    assert Address.parse(start).trusts(Address.parse(other)) is trusted


def test_a_redirect_brings_no_credentials():
    moved = Address.parse("https://example.org/a/b").moved("//me:secret@other.example.org/c")
    assert (moved.url, moved.credentials) == ("https://other.example.org/c", None)
    assert Address.parse("https://example.org/a/b").moved("../c?d").url == "https://example.org/c?d"


@pytest.mark.parametrize("location", ["http://example.org/b", "file:///etc/passwd", "ftp://example.org/b"])
def test_a_redirect_that_leaves_https_is_refused(location):
    with pytest.raises(ValueError, match="refused"):
        Address.parse("https://example.org/a").moved(location)


def test_a_file_url_names_a_path_of_this_machine():
    assert str(Address.parse("file:///a%20b/c.whl").path) == "/a b/c.whl"
    assert str(Address.parse("file://localhost/a").path) == "/a"
    with pytest.raises(ValueError, match="another host"):
        _ = Address.parse("file://example.org/a").path
