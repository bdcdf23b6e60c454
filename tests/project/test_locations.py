"""URLs of indexes: variables are put in, and passwords are shown nowhere."""

from __future__ import annotations

import traceback

import pytest

from envfreeze.errors import UsageError
from envfreeze.project.load import CONFIGURATION
from envfreeze.project.urls import without_credentials


def test_variables_are_put_in(configured, monkeypatch):
    monkeypatch.setenv("INDEX_USER", "me")
    monkeypatch.setenv("INDEX_PASSWORD", "s3cret")
    monkeypatch.setenv("EXTRA", "https://example.org/extra")
    monkeypatch.setenv("WHEELS", "wheels")
    folder = configured(
        """
        [pip]
        index-url = "https://${INDEX_USER}:${INDEX_PASSWORD}@example.org/simple"
        extra-index-url = ["${EXTRA}"]
        find-links = "${WHEELS}"
        """
    )
    folder.write("wheels/readme")
    project = folder.load()
    assert project.pip.index_url == "https://me:s3cret@example.org/simple"
    assert project.pip.extra_index_urls == ("https://example.org/extra",)
    assert project.pip.find_links == ("wheels",)
    assert "s3cret" not in repr(project)
    assert b"s3cret" not in project.inputs[CONFIGURATION]
    assert b'"https://example.org/simple"' in project.inputs[CONFIGURATION]


@pytest.mark.parametrize("key", ["index-url", "extra-index-url", "find-links"])
def test_a_variable_that_is_not_set_is_named(configured, monkeypatch, key):
    monkeypatch.setenv("EMPTY", "")
    for name in ("NOT_SET", "EMPTY"):
        error = configured(f'[pip]\n{key} = "https://${{{name}}}@example.org/"\n').refused()
        assert (
            error.message
            == f"envfreeze.toml: pip.{key} needs the environment variable {name}, which is not set"
        )
        assert error.hint == f"export {name}=…"


def test_a_dollar_alone_is_a_dollar(configured):
    pip = configured('[pip]\nindex-url = "https://example.org/$HOME/$"\n').load().pip
    assert pip.index_url == "https://example.org/$HOME/$"


def test_an_open_variable_is_refused(configured):
    error = configured('[pip]\nindex-url = "https://example.org/${"\n').refused()
    assert "begins no variable" in error.message


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("index-url", "s3cret"),
        ("index-url", "ftp://s3cret@example.org/"),
        ("index-url", "https://example.org/s3cret with space"),
        ("find-links", "/s3cret"),
        ("find-links", "ftp://s3cret@example.org"),
        ("find-links", "../s3cret"),
        ("find-links", "s3cret"),
        ("find-links", "s3cret\0"),
    ],
)
def test_a_variables_value_is_not_told(configured, monkeypatch, key, value):
    folder = configured(f'[pip]\n{key} = "${{PLACE}}"\n')
    if "\0" in value:  # the environment cannot hold it
        folder.write("envfreeze.toml", f'[pip]\n{key} = "s3cret\\u0000"\n')
    else:
        monkeypatch.setenv("PLACE", value)
    with pytest.raises(UsageError) as caught:
        folder.load()
    error = caught.value
    assert f"pip.{key}" in error.message
    assert "s3cret" not in f"{error.message}{error.hint}{error.details}"


@pytest.mark.parametrize(
    "text",
    [
        '[pip]\nindex-url = "htps://me:s3cret@example.org/"\n',
        '[image]\nmirror = "http://me:s3cret@example.org/"\n',
        '[[apt]]\nurl = "http://me:s3cret@example.org/"\nsuite = "x"\nkey = "requirements.txt"\n',
    ],
)
def test_a_wrong_url_is_not_told(configured, text):
    error = configured(text).refused()
    assert "s3cret" not in f"{error.message}{error.hint}{error.details}"


def test_no_password_in_the_traceback_of_a_missing_variable(configured):
    folder = configured('[pip]\nindex-url = "https://me:s3cret@${HOST_NOT_SET}/"\n')
    with pytest.raises(UsageError) as caught:
        folder.load()
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(
    ("url", "stripped"),
    [
        ("https://me:pw@example.org/simple", "https://example.org/simple"),
        ("https://token@example.org", "https://example.org"),
        ("https://${A}:${B}@example.org/x", "https://example.org/x"),
        ("https://me:p@ss#w?rd@example.org/x@y", "https://example.org/x@y"),
        ("https://[me:pw@example.org", "https://example.org"),
        ("https://example.org/x@y", "https://example.org/x@y"),
        ("file:///wheels", "file:///wheels"),
        ("wheels/a@b", "wheels/a@b"),
        ("${ALL}", "${ALL}"),
    ],
)
def test_credentials_are_taken_out(url, stripped):
    assert without_credentials(url) == stripped
