"""A diagnosis as tables for people."""

from __future__ import annotations

import io
import os
import shutil
import sys
import textwrap
from typing import TYPE_CHECKING, Final

from rich import box
from rich.console import Console
from rich.filesize import decimal
from rich.table import Table
from rich.text import Text

from envfreeze.cli.diagnosis import reasons

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from envfreeze.gpu.model import Machine, Remedy, Stack, Verdict
    from envfreeze.verbs.doctor import Diagnosis, Subject

_STYLES: Final = {
    "native": "green",
    "minor-compat": "green",
    "forward-compat": "green",
    "cpu-only": "green",
    "unknown": "yellow",
    "reject-driver": "bold red",
    "reject-arch": "bold red",
}
_UNWRAPPED: Final = 10_000
"""Columns where nobody looks at a terminal: whoever reads the lines breaks them himself."""


def report(diagnosis: Diagnosis, *, drawn: bool) -> list[str]:
    """Draw the diagnosis.

    Args:
        diagnosis: what to draw.
        drawn: the output shows more than ASCII.

    """
    terminal = sys.stdout.isatty() and os.environ.get("TERM") != "dumb"
    console = Console(
        file=io.StringIO(),
        width=shutil.get_terminal_size().columns if terminal else _UNWRAPPED,
        force_terminal=terminal,
        no_color=not terminal or bool(os.environ.get("NO_COLOR")),
        color_system="standard" if terminal else None,
        highlight=False,
        markup=False,
        emoji=False,
    )
    facts = _grid(2)
    for name, text in (*_host_rows(diagnosis), *_container_rows(diagnosis), *_check_rows(diagnosis)):
        facts.add_row(name, text)
    console.print(facts)
    if diagnosis.subject is not None:
        console.print()
        _print_subject(console, diagnosis.subject)
        console.print()
        _print_verdicts(console, diagnosis, drawn=drawn)
    written = console.file
    assert isinstance(written, io.StringIO)  # noqa: S101 - given above; rich types it as any file
    return [line.rstrip() for line in written.getvalue().rstrip().splitlines()]


def _host_rows(diagnosis: Diagnosis) -> Iterator[tuple[str, Text]]:
    host = diagnosis.host
    if host is None:
        for machine in diagnosis.machines:
            yield "asked for", Text(_machine(machine))
        return
    if host.version:
        cuda = "" if host.cuda is None else f", CUDA {host.cuda}"
        yield "driver", Text(f"{host.version}{cuda}")
    for gpu in host.gpus:
        told = (
            gpu.name,
            None if gpu.capability is None else f"compute capability {gpu.capability}",
            None if gpu.memory is None else decimal(gpu.memory),
            None if gpu.multiprocessors is None else f"{gpu.multiprocessors} SMs",
            "MIG" if gpu.mig else None,
        )
        yield f"GPU {gpu.index}", Text(", ".join(part for part in told if part))
    for problem in host.problems:
        yield ("driver" if not host.version else ""), Text(problem, style="yellow")
    if host.hint:
        yield "", Text(host.hint, style="cyan")


def _container_rows(diagnosis: Diagnosis) -> Iterator[tuple[str, Text]]:
    containers, host = diagnosis.containers, diagnosis.host
    if containers is None:
        return
    toolkit = containers.toolkit
    if toolkit is not None:
        mode = toolkit.mode or "its mode cannot be told"
        auto = " (auto)" if toolkit.configured == "auto" else ""
        yield "toolkit", Text(f"NVIDIA Container Toolkit {toolkit.version}, {mode}{auto}")
    elif containers.engines and host is not None and host.version:
        yield "toolkit", Text("no NVIDIA Container Toolkit: containers get no GPU")
    for spec in containers.specs:
        devices = ", ".join(device.rpartition("=")[2] for device in spec.devices)
        yield "CDI", Text(f"{spec.path}: {devices}" + (f", driver {spec.driver}" if spec.driver else ""))
    for problem in containers.problems:
        yield "", Text(problem, style="yellow")


def _check_rows(diagnosis: Diagnosis) -> Iterator[tuple[str, Text]]:
    for check in diagnosis.checks:
        text = Text(check.text, style="" if check.good else "yellow")
        if check.hint:
            text.append(f"; {check.hint}" if check.text else check.hint)
        yield check.name, text


def _print_subject(console: Console, subject: Subject) -> None:
    stack = subject.stack
    grid = _grid(2)
    grid.add_row(subject.kind, f"{subject.path} ({subject.platform})")
    if subject.base:
        grid.add_row("base", subject.base)
    grid.add_row("CUDA", _cuda(stack))
    for evidence in stack.evidence:
        decides = ", which decides" if evidence.decides else ""
        grid.add_row("", f"{evidence.source} says {evidence.cuda}{decides}")
    for finding in stack.findings:
        size = "" if finding.size is None else f" ({decimal(finding.size)})"
        grid.add_row("", Text(f"{finding.text}{size}", style="bold red" if finding.fatal else "yellow"))
    console.print(grid)


def _cuda(stack: Stack) -> str:
    if stack.cuda is None:
        return "none: it runs on the CPU"
    toolkit = "" if stack.toolkit is None else f", toolkit {stack.toolkit}"
    cudnn = "" if stack.cudnn is None else f", cuDNN {stack.cudnn}"
    return f"{stack.cuda}{toolkit}{cudnn}"


def _print_verdicts(console: Console, diagnosis: Diagnosis, *, drawn: bool) -> None:
    table = Table(box=box.SIMPLE_HEAD if drawn else box.ASCII2, pad_edge=False)
    for heading in ("machine", "verdict", "starts (legacy)", "starts (CDI)"):
        table.add_column(heading)
    for verdict in diagnosis.verdicts:
        table.add_row(
            _machine(verdict.machine),
            Text(verdict.word, style=_STYLES[verdict.word]),
            _starts(holds=verdict.starts.legacy),
            _starts(holds=verdict.starts.cdi),
        )
    console.print(table)
    told: set[tuple[str, ...]] = set()
    for verdict in sorted(diagnosis.verdicts, key=lambda one: one is not diagnosis.verdict):
        first = reasons(diagnosis) if verdict is diagnosis.verdict else verdict.reasons
        lines = tuple(dict.fromkeys((*first, *_details(verdict))))
        if len(diagnosis.verdicts) > 1:
            console.print(Text(f"{_machine(verdict.machine)}: {verdict.word}", style="bold"))
        _print_list(console, lines)
        changes = tuple(change.text for change in verdict.remedies)
        if changes and changes not in told:
            console.print(Text("what to change, the nearest first:", style="bold"))
            _print_remedies(console, verdict.remedies)
        told.add(changes)
        console.print()


def _details(verdict: Verdict) -> Iterator[str]:
    """NVIDIA's answers where they differ, and what the image demands in vain."""
    if len({answer.holds for answer in verdict.answers}) > 1:
        yield from (f"{answer.source}: {answer.text}" for answer in verdict.answers)
    said = " ".join(answer.text for answer in verdict.answers)
    yield from (f"not met: {unmet}" for unmet in verdict.starts.unmet if unmet not in said)


def _print_list(console: Console, lines: Sequence[str]) -> None:
    grid = _grid(1)
    for line in lines:
        grid.add_row("-", Text(line))
    console.print(grid)


def _print_remedies(console: Console, remedies: Sequence[Remedy]) -> None:
    grid = _grid(1)
    for remedy in remedies:
        grid.add_row("-", Text(remedy.text))
        if remedy.line:
            grid.add_row("", Text(textwrap.indent(remedy.line, "  "), style="cyan"))
    console.print(grid)


def _grid(gap: int) -> Table:
    grid = Table.grid(padding=(0, gap))
    grid.add_column(no_wrap=True, style="bold")
    grid.add_column(overflow="fold")
    return grid


def _starts(*, holds: bool | None) -> str:
    return "cannot be told" if holds is None else "yes" if holds else "no"


def _machine(machine: Machine) -> str:
    gpu = "any GPU" if machine.gpu is None else machine.gpu.name
    driver = "an unknown driver" if machine.driver is None else f"driver {machine.driver}"
    return f"{gpu}, {driver}"
