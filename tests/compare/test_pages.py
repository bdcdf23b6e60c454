"""docs/reference/differences.md lists what there is, and docs/how-to/compare-images.md does what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from envfreeze.compare.causes import CATALOGUE
from envfreeze.compare.insides.readers import reader
from envfreeze.compare.model import Kind, Level
from envfreeze.oci import archive

DOCS = Path(__file__).parents[2] / "docs"
REFERENCE = (DOCS / "reference/differences.md").read_text()
HOW_TO = (DOCS / "how-to/compare-images.md").read_text()


def rows(heading):
    section = REFERENCE.split(f"## {heading}\n")[1].split("\n## ")[0]
    return [
        [cell.strip().replace("\\", "") for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
        for line in section.splitlines()
        if line.startswith("| `")
    ]


def test_every_level_and_kind_is_documented_with_its_level():
    assert [row[0] for row in rows("Levels")] == [f"`{level.value}`" for level in Level]
    assert [row[:2] for row in rows("Kinds")] == [
        [f"`{kind.value}`", f"`{kind.level.value}`"] for kind in Kind
    ]
    assert all(len(row[2]) > 5 for row in rows("Kinds"))


def test_every_cause_is_documented_with_its_remedy():
    expected = [
        [f"`{cause.name}`", cause.text.replace("\\", "") or "—", cause.remedy.replace("\\", "") or "—"]
        for cause in CATALOGUE
    ]
    assert rows("Causes") == expected
    assert all(cause.remedy for cause in CATALOGUE if cause.text)


def test_levels_are_ordered():
    ranks = [level.rank for level in Level]
    assert ranks == sorted(ranks)
    assert Level.LAYERS.reaches(Level.TREE)
    assert not Level.PACKAGES.reaches(Level.TREE)


def test_every_file_has_a_reader(tmp_path):
    path = tmp_path / "a"
    path.write_bytes(b"\0")
    assert callable(reader("a", path, path))


@pytest.mark.parametrize("heading", ["Read the answer", "Say how alike", "In a pull request", "As a picture"])
def test_the_commands_of_the_page_do_what_it_says(tmp_path, image, layer, heading):
    site = "opt/venv/lib/python3.13/site-packages"
    files = {f"{site}/numpy-{v}.dist-info/METADATA": b"" for v in ("1",)} | {"app/train.py": b"print(1)\n"}
    old, new = layer(files), layer(files | {"app/train.py": b"print(2)\n"})
    zstd = layer(files, level=1)
    for name, one in (("old", old), ("new", new), ("recompressed", zstd)):
        archive.write(image([("files", one)]), tmp_path / f"{name}.tar")
    section = HOW_TO.split(f"## {heading}")[1].split("\n## ")[0]
    script = "\n".join(re.findall(r"^```sh\n(.*?)^```", section, re.MULTILINE | re.DOTALL))
    assert script
    run = f'envfreeze() {{ {sys.executable} -m envfreeze "$@"; }}\n{script}'
    done = subprocess.run(
        ["bash", "-u"], input=run, cwd=tmp_path, text=True, capture_output=True, check=False
    )
    if heading == "Read the answer":
        assert (done.returncode, done.stdout.splitlines()[0]) == (1, "packages")
    elif heading == "Say how alike":
        assert (done.returncode, done.stdout) == (0, "layers\n")
    else:
        assert done.returncode == 0, done.stderr
        written = {path.name: path.read_text() for path in tmp_path.glob("diff.*")}
        assert written
        assert all("app/train.py" in text for text in written.values())
