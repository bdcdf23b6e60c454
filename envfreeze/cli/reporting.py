"""The options of commands that compare images, and where what they found goes."""

from __future__ import annotations

import enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from envfreeze.cli.console import Console
    from envfreeze.compare.reports import Report


class Form(enum.StrEnum):
    """What a verdict can be written as."""

    TEXT = "text"
    JSON = "json"
    MARKDOWN = "markdown"
    JUNIT = "junit"
    HTML = "html"


class Wanted(enum.StrEnum):
    """The level that counts as success."""

    IDENTICAL = "identical"
    LAYERS = "layers"
    TREE = "tree"
    PACKAGES = "packages"
    DIFFERENT = "different"


Format = Annotated[
    Form,
    typer.Option("--format", metavar="FORM", help="text, json, markdown, junit or html."),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        dir_okay=False,
        help="Write it to this file, and print only the verdict.",
        show_default=False,
    ),
]
LevelOption = Annotated[
    Wanted,
    typer.Option(
        "--level",
        metavar="LEVEL",
        help="What counts as success: identical, layers, tree, packages or different.",
    ),
]


def publish(
    report: Report,
    form: Form,
    output: Path | None,
    console: Console,
    *,
    further: Mapping[str, Any] | None = None,
    verbose: bool = True,
) -> None:
    """Write a report where it was asked for, and print the verdict.

    Args:
        report: the report.
        form: what it is written as.
        output: a file; None: stdout.
        console: the command's.
        further: what a JSON document has besides.
        verbose: text goes to stdout whole; else its first line does, and the rest to stderr.

    Raises:
        MachineError: the file cannot be written.

    """
    from envfreeze.compare.reports import write  # noqa: PLC0415 - heavy
    from envfreeze.compare.reports.document import document  # noqa: PLC0415 - with it
    from envfreeze.compare.reports.text import explanation  # noqa: PLC0415 - with it

    word = report.verdict.level.value
    if form is Form.JSON or console.as_json:
        console.as_json = True
        form = Form.JSON
    whole = {**document(report), **(further or {})}
    if output is not None:
        import json  # noqa: PLC0415 - here only

        _write(output, json.dumps(whole) if form is Form.JSON else write(report, form.value))
        console.result([word], whole)
    elif form in {Form.TEXT, Form.JSON}:
        told = [] if console.quiet or form is Form.JSON else explanation(report)
        if not verbose:
            for line in told:
                console.note(line)
            told = []
        console.result([word, *told], whole)
    else:
        console.result([write(report, form.value)], whole)


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    from envfreeze.oci import staging  # noqa: PLC0415 - here only

    with staging.file(path.absolute()) as file:
        file.write(f"{text}\n".encode("utf-8", "backslashreplace"))
