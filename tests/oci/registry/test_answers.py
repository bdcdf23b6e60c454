"""What a registry answers is told from what something before it answers."""

from __future__ import annotations

import pytest

from envfreeze.digest import Digest
from envfreeze.oci.registry.wire import Answer


@pytest.mark.parametrize(
    ("headers", "page"),
    [
        ({"content-type": "text/html"}, True),
        ({"content-type": "Text/HTML; charset=utf-8", "content-length": "812"}, True),
        ({"content-type": "text/html", "content-length": "0"}, False),
        ({"content-type": "text/html", "content-length": "812", "docker-content-digest": "sha256:"}, False),
        ({"content-type": "application/octet-stream"}, False),
        ({}, False),
    ],
)
def test_a_web_page_is_told_from_an_answer_that_is_only_called_one(headers, page):
    assert Answer(200, headers, b"", "http://127.0.0.1/v2/").is_page is page


def test_places_to_go_on_are_taken_from_the_answer_s_own_address():
    answer = Answer(
        202, {"location": "/v2/x/blobs/uploads/1?_state=a"}, b"", "https://registry.example.org/v2/"
    )
    assert answer.location == "https://registry.example.org/v2/x/blobs/uploads/1?_state=a"
    assert Answer(202, {}, b"", "http://127.0.0.1/").location is None


def test_an_answer_s_digest_is_no_word_of_honour():
    """`docker-content-digest` says that a registry speaks; what it says is compared elsewhere."""
    assert not Answer(200, {"docker-content-digest": str(Digest.of(b""))}, b"", "http://127.0.0.1/").is_page
