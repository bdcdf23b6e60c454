"""A verdict goes into logs and pull requests: what an image holds like a secret is not shown."""

from __future__ import annotations

import pytest

from envfreeze.compare.images import compare
from envfreeze.compare.insides.insight import bounded
from envfreeze.compare.secrecy import in_line, in_urls, of_variable

SECRET = "hf_abcdefghijk1mn0p"


def test_variables_named_like_secrets_are_hidden_and_still_told_apart(image, layer):
    base = layer({"a": b""})
    old, new = (image([("base", base)], env=[f"HF_TOKEN={SECRET}{end}", "A=1"]) for end in (1, 2))
    (finding,) = compare(old, new).findings
    assert SECRET not in finding.what
    before, after = finding.what.removeprefix("Env.HF_TOKEN ").split(" -> ")
    assert before != after
    assert before.startswith("<hidden, sha256 ")


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("PATH", "/usr/bin", "/usr/bin"),
        ("MONKEY", "see", "see"),
        ("PIP_INDEX_URL", "https://ada:pw@pypi.example.org/simple", "https://***@pypi.example.org/simple"),
    ],
)
def test_other_variables_are_shown(name, value, shown):
    assert of_variable(name, value) == shown


@pytest.mark.parametrize(
    "line",
    [
        f"index-url = https://ada:{SECRET}@pypi.example.org/simple",
        f"api_key = {SECRET}",
        f'"password": "{SECRET}"',
        f"export AWS_SECRET_ACCESS_KEY={SECRET}",
    ],
)
def test_lines_of_files_hide_what_is_set_like_a_secret(line):
    assert SECRET not in in_line(line)
    assert SECRET not in "".join(bounded([line]))


def test_ordinary_lines_stay_as_they_are():
    for line in (
        "x = 1",
        "tokenizer = AutoTokenizer1234567",
        'eos_token: "<|endoftext|>"',
        "see https://example.org/a@b",
        "mail ada@example.org",
    ):
        assert in_line(line) == line
        assert in_urls(line) == line
