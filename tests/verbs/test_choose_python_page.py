"""The commands of docs/how-to/choose-python.md do what the page says."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import jsonschema

from envfreeze.locking import files
from envfreeze.project.schema import schema

PAGE = (Path(__file__).parents[2] / "docs/how-to/choose-python.md").read_text()


def blocks(kind):
    found = re.findall(rf"^```{kind}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert found
    return found


def test_a_python_is_chosen_shown_and_moved(small_project, site, standalone_archive):
    urls, contents = {}, {}
    for version in ("3.12.12", "3.12.13"):
        name = standalone_archive.filename(version)
        contents[name] = standalone_archive.archive(standalone_archive.small(version))
        site.files[f"/{name}"] = contents[name]
        urls[name] = f"{site.url}/{name.replace('+', '%2B')}"
    older = next(iter(contents))
    work = small_project()
    work.replace("envfreeze.toml", "[image]\n", blocks("toml")[0])
    site.files["/old.json"] = standalone_archive.index({older: contents[older]}, urls)
    site.files["/new.json"] = standalone_archive.index(contents, urls)
    lock, *then = blocks("sh")[0].splitlines()
    script = [f"export UV_PYTHON_DOWNLOADS_JSON_URL={site.url}/old.json", lock]
    script += [f"export UV_PYTHON_DOWNLOADS_JSON_URL={site.url}/new.json", *then]
    done = work.shell("\n".join(script))
    assert done.returncode == 0, done.stderr
    assert "python 3.12.12+20260807" in done.stdout
    assert "python 3.12.12+20260807 -> 3.12.13+20260807 (python, linux/amd64)" in done.stdout
    assert files.read(work.root).targets[0].python == "3.12.13"


def test_what_it_shows_is_a_configuration():
    for block in blocks("toml"):
        jsonschema.validate(tomllib.loads(block), schema())
