"""The policy file: what it says, and that nothing in it is passed over."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from envfreeze.errors import UsageError
from envfreeze.records.trust import keys, policy
from envfreeze.records.trust.identities import Certified
from envfreeze.records.trust.patterns import allows

ADA = keys.generate()
PUBLIC = keys.pem_of(ADA.public).decode()
KEY = f'[[key]]\nname = "ci"\npublic = """{PUBLIC}"""\n'
IDENTITY = "[[identity]]\nissuer = 'https://login.example.org'\nsubject = '*@example.org'\n"
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
        ("schema = 1\nkey = []", "key names nobody"),
        (f"schema = 1\nkey = ''\n{IDENTITY}", "key names nobody"),
        (f"schema = 1\n{IDENTITY}[key]", "key names nobody"),
        ("schema = 1\n[[key]]\nfile = 'a\\u0000'".replace("'", '"'), "key.file has to be a text"),
        (f'schema = 1\ntrusted-root = "a\\u0000"\n{KEY}', "trusted-root has to be the name of a file"),
        (f"schema = 1\n{KEY}#{' ' * (1 << 20)}\nbogus = 1", "too large for a policy"),
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
        ("schema = 1\nidentity = 1", "identity has to be a table"),
        (f"schema = 1\n{KEY}[[identity]]\nissuer = 'https://x'", "identity 1 needs the subject"),
        (f"schema = 1\n{KEY}[[identity]]\nissuer = '**'\nsubject = 'a'", "identity 1 needs the issuer"),
        (f"schema = 1\n{IDENTITY}{IDENTITY}", "identity 2 stands here twice"),
        (f"schema = 1\n{IDENTITY}name = 3", "identity.name has to be a text"),
        (f"schema = 1\n{IDENTITY}email = 'a'", "identity.email is no key"),
        (f"schema = 1\nsignatures = 2\n{IDENTITY}", "number from 1 to 1, the number of keys and identities"),
        (f"schema = 1\nsbom = true\n{KEY}", "sbom has to be one of cyclonedx, spdx, any"),
        (f"schema = 1\ntrusted-root = 1\n{KEY}", "trusted-root has to be the name of a file"),
    ],
)
def test_what_is_wrong_is_named(text, said, tmp_path):
    with pytest.raises(UsageError, match=re.escape(said)):
        read(tmp_path, text)


def test_identities_are_read_and_fit_by_both_patterns(tmp_path):
    found = read(tmp_path, f"schema = 1\nsignatures = 2\nsbom = 'any'\ntrusted-root = 'r'\n{KEY}{IDENTITY}")
    assert (found.trusted_root, found.sbom) == (tmp_path / "r", "any")
    (identity,) = found.identities
    assert identity.fits(Certified("https://login.example.org", "ada@example.org"))
    assert not identity.fits(Certified("https://login.example.org.evil.net", "ada@example.org"))
    assert not identity.fits(Certified("https://login.example.org", "ada@example.org.evil.net"))
    assert read(tmp_path, f"schema = 1\n{IDENTITY}").keys == ()


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
    assert (len(found.keys), len(found.identities)) == (2, 1)
    assert set(re.findall(r"^\| `([a-z-]+)` \|", page, re.MULTILINE)) == {
        *policy._KEYS,
        *policy._KEY_KEYS,
        *policy._IDENTITY_KEYS,
    }
