"""What is committed holds for everybody: no registry of one moment, no path of one machine."""

from __future__ import annotations

import re

REGISTRIES = re.compile(
    rb"|".join(
        (
            rb"pypi\.org",
            rb"pythonhosted\.org",
            rb"(?:deb|security)\.debian\.org",
            rb"(?:archive|security|ports)\.ubuntu\.com",
            rb"registry\.npmjs",
            rb"conda\.anaconda\.org",
        )
    )
)


def test_no_package_registry_is_named(committed):
    named = {
        f"{path}: {match[0].decode()}"
        for path in committed
        for match in REGISTRIES.finditer(path.read_bytes())
    }
    assert named == set()


def test_no_path_of_this_machine_is_named(committed, root):
    here = str(root).encode() + b"/"
    assert [path for path in committed if here in path.read_bytes()] == []


def test_no_generated_lock_is_committed_to_the_examples(committed, root):
    locks = {"envfreeze.lock", "requirements.lock.txt", "conda-lock.yml"}
    examples = [path for path in committed if path.is_relative_to(root / "examples")]
    assert examples
    assert [path for path in examples if path.name in locks or path.name.startswith("pylock")] == []
