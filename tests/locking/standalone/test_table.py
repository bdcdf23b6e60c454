"""A build in `envfreeze.lock`: read back as it was written, and nothing else believed."""

from __future__ import annotations

import pytest

from envfreeze.locking.standalone import table as tables
from envfreeze.locking.strict import EditedError, Table


@pytest.fixture
def written(standalone_archive):
    python = standalone_archive.locked(b"x", url="https://example.org/20260807/a%2Bb.tar.gz")
    return python, dict(tables.render(python))


def parse(values):
    return tables.parse(
        Table("envfreeze.lock: target[0].standalone", {**values, "urls": list(values["urls"])})
    )


def test_it_is_read_back_as_it_was(written):
    python, values = written
    assert list(values) == ["version", "build", "filename", "prefix", "size", "digest", "urls"]
    assert values["prefix"] == "/opt/python"
    assert parse(values) == python


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("version", "3.12", "is not of the form"),
        ("version", "4.0.1", "is not of the form"),
        ("version", "3.12.13\n", "is not of the form"),
        ("build", "2026-08-07", "is not of the form"),
        ("filename", "../x.tar.gz", "is not the name of a file"),
        ("filename", "", "is not the name of a file"),
        ("filename", ".wh.x", "is not the name of a file"),
        ("prefix", "opt/python", "is not an absolute path"),
        ("prefix", "/opt/../etc", "is not an absolute path"),
        ("prefix", "/", "is not an absolute path"),
        ("size", -1, "is negative"),
        ("digest", "md5:0", "not a sha256 digest"),
        ("urls", ["ftp://example.org/x"], "is not an http, https or file URL"),
        ("urls", [], "is not an http, https or file URL"),
        ("urls", ["/srv/x"], "is not an http, https or file URL"),
        ("more", 1, "is not a key that envfreeze writes"),
    ],
)
def test_anything_else_is_refused_by_its_key(written, key, value, words):
    with pytest.raises(EditedError, match=rf"standalone\.{key}.*{words}"):
        parse({**written[1], key: value})
