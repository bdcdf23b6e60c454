"""The commands of docs/how-to/check-what-is-installed.md do what the page says."""

from __future__ import annotations

import re
from pathlib import Path

from envfreeze.compare import causes
from envfreeze.project.load import load
from envfreeze.store.cache import Cache
from envfreeze.verbs.build import build

PAGE = (Path(__file__).parents[2] / "docs/how-to/check-what-is-installed.md").read_text()


def test_the_commands_of_the_page(project):
    with Cache.open(project.cache) as cache:
        build(load(project.root), cache=cache, record=False)
    script = "\n".join(re.findall(r"^```sh\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL))
    done = project.shell(script)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["tree"] * 3
    assert "<testsuites" in (project.root / "installed.xml").read_text()


def test_the_causes_of_the_page_are_those_of_the_catalogue():
    table = PAGE.split("## What is tolerated")[1].split("\n## ")[0]
    named = re.findall(r"`([a-z-]+)`(?:, `([a-z-]+)`)? \|$", table, re.MULTILINE)
    known = {cause.name for cause in causes.CATALOGUE}
    assert {name for row in named for name in row if name} <= known
    assert len(named) == 10
