from __future__ import annotations

import pytest

from envfreeze.oci import reference


@pytest.mark.parametrize(
    ("text", "tagged", "full"),
    [
        ("digits", "digits:latest", "docker.io/library/digits:latest"),
        ("team/digits:1.0", "team/digits:1.0", "docker.io/team/digits:1.0"),
        ("example.org/a/b_c:V-1", "example.org/a/b_c:V-1", "example.org/a/b_c:V-1"),
        ("localhost:5000/a", "localhost:5000/a:latest", "localhost:5000/a:latest"),
        ("127.0.0.1:5000/a:b", "127.0.0.1:5000/a:b", "127.0.0.1:5000/a:b"),
    ],
)
def test_names_get_what_docker_leaves_out(text, tagged, full):
    assert reference.with_tag(text) == tagged
    assert reference.full(tagged) == full
    assert reference.is_tagged(tagged)
    assert reference.is_tagged(text) == (text == tagged)


@pytest.mark.parametrize(
    "text", ["", "Digits", "a b:1", "-a", "a:", ":a", "a:-b", "a//b", "a@sha256:00", "a\nb"]
)
def test_what_is_no_name_is_none(text):
    assert reference.with_tag(text) is None
    assert not reference.is_tagged(text)
