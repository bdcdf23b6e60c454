"""The commands of docs/how-to/packages-without-a-wheel.md do what the page says."""

from __future__ import annotations

import re
import shlex
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = (Path(__file__).parents[2] / "docs/how-to/packages-without-a-wheel.md").read_text()
SECTIONS = dict(re.findall(r"^##? (.+?)\n(.*?)(?=^##? |\Z)", PAGE, re.MULTILINE | re.DOTALL))


def command(heading: str) -> list[str]:
    """The one indented command under a heading, without the program's name."""
    (line,) = re.findall(r"^    envfreeze (.*)$", SECTIONS[heading], re.MULTILINE)
    return shlex.split(line)


@pytest.fixture
def work(small_project: Callable[..., Any]) -> Any:
    return small_project(git=False)


def test_an_sdist_is_named_allowed_and_built(work: Any, source_of: Any, sdist_of: Any) -> None:
    name = "antlr4-python3-runtime"
    packed = sdist_of(source_of(name.replace("-", "_")), name)
    work.site.files[f"/wheels/{name}-1.0.tar.gz"] = packed.read_bytes()
    work.write("requirements.txt", f"{name}\n")
    refused = work.run(*command("An sdist"))
    assert refused.code == 3
    (block,) = re.findall(r"```toml\n\[pip\]\n(.+)\n```", SECTIONS["An sdist"])
    assert block in refused.stderr
    assert tomllib.loads(block) == {"allow-sdist": [name]}
    work.write("envfreeze.toml", (work.root / "envfreeze.toml").read_text() + f"{block}\n")
    assert work.run(*command("An sdist")).stdout == "locked\n"
    assert work.run(*command("The same wheel everywhere"), "--no-record").code == 0


def test_a_commit_stays_until_it_is_asked_for(work: Any, source_of: Any, git_repository: Any) -> None:
    git_repository.commit(source_of("example"))
    requirement = re.findall(r"^    (example @ git\S+)$", SECTIONS["A git repository"], re.MULTILINE)[0]
    written = re.sub(r"https://\S+\.git@v1\.0", f"{git_repository.root.as_uri()}@main", requirement)
    work.write("requirements.txt", f"{written}\n")
    assert work.run("lock").stdout == "locked\n"
    git_repository.commit(source_of("example", "2.0"))
    assert work.run("lock").stdout == "unchanged\n"
    assert work.run(*command("A git repository")).stdout == "locked\n"
    assert "example-2.0" in (work.root / "pylock.toml").read_text()


def test_a_folder_that_changes_is_told(work: Any, source_of: Any) -> None:
    (block,) = re.findall(r"```text\n(.+?)\n```", SECTIONS["A folder of the project"], re.DOTALL)
    folder = block.splitlines()[0].removeprefix("./")
    (work.root / folder).mkdir(parents=True)
    for name, text in source_of("common").items():
        work.write(f"{folder}/{name}", text)
    work.write("requirements.txt", f"./{folder}\n")
    assert work.run("lock").stdout == "locked\n"
    assert work.run(*command("A folder of the project")).stdout == "current\n"
    work.write(f"{folder}/more.py", "x = 1\n")
    assert work.run(*command("A folder of the project")).stdout == "drift\n"
