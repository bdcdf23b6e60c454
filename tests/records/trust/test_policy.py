"""The policy file: what it says, and that nothing in it is passed over."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from envfreeze.errors import UsageError
from envfreeze.records.trust import keys, policy
from envfreeze.records.trust.judgement import allows

ADA = keys.generate()
PUBLIC = keys.pem_of(ADA.public).decode()
KEY = f'[[key]]\nname = "ci"\npublic = """{PUBLIC}"""\n'
PAGE = Path(__file__).parents[3] / "docs/formats/policy-1.md"


def read(tmp_path, text):
    (tmp_path / "policy.toml").write_text(text)
    return policy.read(tmp_path / "policy.toml")


def test_the_least_policy_asks_for_the_most(tmp_path):
    found = read(tmp_path, f"schema = 1\n{KEY}")
    assert found == policy.Policy((keys.PublicKey(ADA.public.key, "ci"),))
    assert (found.level, found.signatures, found.dirty) == ("identical", 1, False)


def test_everything_that_can_be_said(tmp_path):
    keys.write(keys.generate("ecdsa-p256"), tmp_path / "release", {})
    found = read(
        tmp_path,
        "schema = 1\nlevel = 'tree'\nsignatures = 2\nengines = ['native']\nbases = ['apt:debian/*']\n"
        "sources = []\nbuilders = ['https://ci.example.org/*']\ndirty = true\nready-made = false\n"
        f"{KEY}[[key]]\nfile = 'release.pub'\n",
    )
    assert [key.name for key in found.keys] == ["ci", "release.pub"]
    assert (found.level, found.signatures, found.dirty, found.ready_made) == ("tree", 2, True, False)
    assert (found.engines, found.bases, found.sources) == (("native",), ("apt:debian/*",), ())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "schema has to be 1"),
        (f"schema = 2\n{KEY}", "schema has to be 1"),
        (f"schema = true\n{KEY}", "schema has to be 1"),
        ("schema = 1\n", "key names nobody"),
        ("schema = 1\nkey = 1", "key names nobody"),
        (f"schema = 1\nbase = []\n{KEY}", "base is no key of a policy"),
        (f"schema = 1\nlevel = 'same'\n{KEY}", "level has to be one of identical"),
        (f"schema = 1\nlevel = ['tree']\n{KEY}", "level has to be one of identical"),
        (f"schema = 1\nsignatures = 0\n{KEY}", "number from 1 to 1"),
        (f"schema = 1\nsignatures = 2\n{KEY}", "number from 1 to 1"),
        (f"schema = 1\nsignatures = true\n{KEY}", "number from 1 to 1"),
        (f"schema = 1\nengines = 'native'\n{KEY}", "engines has to be a list"),
        (f"schema = 1\nengines = ['']\n{KEY}", "engines has to be a list"),
        (f"schema = 1\ndirty = 'no'\n{KEY}", "dirty has to be true or false"),
        (f"schema = 1\n{KEY}{KEY}", "is the same as key ci"),
        (f"schema = 1\n{KEY}file = 'x'", "either file or public"),
        ("schema = 1\n[[key]]\nname = 'ci'", "either file or public"),
        (f"schema = 1\n{KEY}filo = 'x'", "key.filo is no key"),
        ("schema = 1\n[[key]]\nfile = 'absent.pub'", "which is not there"),
        ("schema = 1\n[[key]]\nfile = 3", "key.file has to be a text"),
        ("schema = 1\n[[key]]\npublic = 'x'", "no public key"),
        ("schema = ", "not valid TOML"),
    ],
)
def test_what_is_wrong_is_named(text, said, tmp_path):
    with pytest.raises(UsageError, match=re.escape(said)):
        read(tmp_path, text)


def test_a_missing_policy_is_named(tmp_path):
    with pytest.raises(UsageError, match="there is no policy"):
        policy.read(tmp_path / "absent")


@pytest.mark.parametrize(
    ("pattern", "text", "answer"),
    [
        ("apt:debian/trixie", "apt:debian/trixie", True),
        ("apt:debian/*", "apt:debian/trixie", True),
        ("nvidia/cuda:12.*", "nvidia/cuda:12.8.1", True),
        ("nvidia/cuda:12.*", "nvidia/cuda:1218", False),
        ("nvidia/cuda", "evil/nvidia/cuda", False),
        ("nvidia/*", "nvidia/cuda\nx", True),
        ("[a-z]", "b", False),
        ("*", "", True),
    ],
)
def test_only_a_star_stands_for_others(pattern, text, answer):
    assert allows([pattern], text) is answer


def test_the_page_names_every_key_and_its_example_is_a_policy(tmp_path):
    page = PAGE.read_text()
    example = re.search(r"```toml\n(.*?)```", page, re.DOTALL)[1]
    keys.write(keys.generate(), tmp_path / "ci", {})
    found = read(
        tmp_path, re.sub(r'public = """.*?"""', f'public = """{PUBLIC}"""', example, flags=re.DOTALL)
    )
    assert len(found.keys) == 2
    assert set(re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE)) == {*policy._KEYS, *policy._KEY_KEYS}
