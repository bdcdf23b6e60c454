"""The documentation and the program say the same."""

from __future__ import annotations

import json
import re

import pytest
import typer

from envfreeze.cli.commands import application

OPTION = re.compile(r"(?<![\w-])--?[a-z][a-z0-9-]*", re.IGNORECASE)
SHARED = {"--project", "-C", "--json", "--quiet", "-q", "--help", "-h"}


def commands(command, name):
    """Every command below this one, with its full name."""
    yield name, command
    for word, child in getattr(command, "commands", {}).items():
        yield from commands(child, f"{name} {word}")


COMMANDS = dict(commands(typer.main.get_command(application()), "envfreeze"))
LEAVES = {name: command for name, command in COMMANDS.items() if not hasattr(command, "commands")}


def options(command):
    context = command.make_context(command.name, [], resilient_parsing=True)
    with context:
        return {
            name
            for parameter in command.get_params(context)
            if parameter.param_type_name == "option"
            for name in (*parameter.opts, *parameter.secondary_opts)
        }


@pytest.fixture(scope="module")
def sections(root):
    page = (root / "docs/reference/cli.md").read_text()
    heads = re.split(r"^## ", page, flags=re.MULTILINE)[1:]
    return {head.splitlines()[0].strip("`"): head for head in heads}


def tabled(section):
    """The options in the first column of a section's tables."""
    return {
        option
        for row in re.findall(r"^\| (`-.*?) \|", section, re.MULTILINE)
        for option in OPTION.findall(row)
    }


def test_every_command_has_a_section(sections):
    assert {name for name in sections if name.startswith("envfreeze")} == set(LEAVES)


@pytest.mark.parametrize("name", LEAVES)
def test_a_command_s_section_has_its_options_and_no_others(sections, name):
    assert tabled(sections[name]) == options(LEAVES[name]) - SHARED


def test_the_shared_options_are_those_of_every_command(sections):
    shared = sections["Options of every command"]
    assert tabled(shared) == options(COMMANDS["envfreeze"])
    assert all(options(command) >= SHARED - {"-h"} for command in LEAVES.values())


def test_the_documents_in_the_reference_are_json(sections):
    # Ellipses stand for what would be long.
    found = 0
    for section in sections.values():
        for block in re.findall(r"(?:^    .*\n)+", section, re.MULTILINE):
            if block.lstrip().startswith("{"):
                json.loads(block.replace("{…}", "{}"))
                found += 1
    assert found >= 8


def test_every_link_leads_somewhere(root):
    pages = [root / "README.md", *(root / "docs").rglob("*.md"), *(root / "examples").rglob("*.md")]
    broken = [
        f"{page.relative_to(root)}: {target}"
        for page in pages
        for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text())
        if "://" not in target and not (page.parent / target).exists()
    ]
    assert broken == []


def test_every_page_is_on_the_map(root):
    index = root / "docs/index.md"
    linked = {
        (index.parent / target).resolve() for target in re.findall(r"\]\(([^)#\s]+)", index.read_text())
    }
    pages = {page.resolve() for page in (root / "docs").rglob("*.md")} - {index.resolve()}
    assert pages - linked == set()


def test_every_command_that_a_page_shows_exists(root):
    pages = [root / "README.md", *(root / "docs").rglob("*.md"), *(root / "examples").rglob("*.md")]
    seen = 0
    for page in pages:
        for line in re.findall(r"(?:^ {4}|`)(envfreeze [^`\n#]+)", page.read_text(), re.MULTILINE):
            first = re.split(r" && | \\?\| ", line)[0]
            words = [word for word in first.split() if not word.startswith("-")]
            name = next((name for name in LEAVES if first.startswith(name)), None)
            assert name is not None or words[1:2] in ([], ["COMMAND"]), f"{page}: {line}"
            known = options(LEAVES.get(name, COMMANDS["envfreeze"])) | {"-h"}
            unknown = set(OPTION.findall(first.removeprefix("envfreeze"))) - known
            assert not unknown, f"{page}: {line}: {unknown}"
            seen += 1
    assert seen > 20
