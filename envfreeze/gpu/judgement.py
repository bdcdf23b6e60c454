"""A stack on a machine: the verdict of rules R4 to R6, with all three of NVIDIA's answers and remedies."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.gpu.assessment import assess, brought, carries
from envfreeze.gpu.driver import Reach, compat_package, forward_reach, minor_reach, toolkit_row
from envfreeze.gpu.model import Answer, Starts, Verdict
from envfreeze.gpu.remedies import remedies
from envfreeze.gpu.requirement import VARIABLE, demands, evaluate
from envfreeze.gpu.variables import environment

if TYPE_CHECKING:
    from collections.abc import Mapping

    from envfreeze.gpu.image_rows import ImageDemand
    from envfreeze.gpu.model import Machine, Stack, Version
    from envfreeze.gpu.requirement import Outcome
    from envfreeze.gpu.tables import Tables

_FINDINGS = ("stub", "cpu-lock")
_HOLDS: dict[str, bool | None] = {
    "native": True,
    "minor-compat": True,
    "forward-compat": True,
    "reject-driver": False,
}


def judge(stack: Stack, machine: Machine, tables: Tables, *, env: Mapping[str, str] | None = None) -> Verdict:
    """The verdict on a stack and a machine.

    Args:
        stack: what a lock and its base bring.
        machine: the oldest driver and one GPU model of the fleet, or a host's.
        tables: the facts.
        env: the whole environment of the image, where there is one already; None: the base's with the
            variables that envfreeze gives an image.

    """
    final = {**_base_env(stack), **environment(stack, tables)} if env is None else env
    outcome = evaluate(final, machine, tables)
    starts = Starts(legacy=outcome.holds, cdi=True, unmet=outcome.unmet)
    if stack.cuda is None:
        reasons = tuple(finding.text for finding in stack.findings if finding.kind in _FINDINGS)
        found = Reach("cpu-only", reasons)
    else:
        found = assess(brought(stack, stack.cuda), machine, tables)
        if found.word == "forward-compat" and not carries(stack, stack.cuda):
            found = Reach(
                found.word, (*found.reasons, f"the image does not have {compat_package(stack.cuda)}")
            )
    return Verdict(
        word=found.word,
        machine=machine,
        cuda=stack.cuda,
        starts=starts,
        answers=() if stack.cuda is None else _answers(stack, stack.cuda, machine, tables, env),
        reasons=found.reasons,
        remedies=remedies(stack, machine, found.word, starts, tables),
    )


def _base_env(stack: Stack) -> Mapping[str, str]:
    return {} if stack.base is None else stack.base.env


def _answers(
    stack: Stack, cuda: Version, machine: Machine, tables: Tables, env: Mapping[str, str] | None
) -> tuple[Answer, ...]:
    return (
        _toolkit(stack, cuda, machine, tables),
        _compatibility(cuda, machine, tables),
        _image(stack, cuda, machine, tables, env),
    )


def _toolkit(stack: Stack, cuda: Version, machine: Machine, tables: Tables) -> Answer:
    source = "toolkit table"
    row = toolkit_row(cuda, stack.toolkit, tables)
    if row is None:
        return Answer(source, None, f"CUDA {cuda} is not in the table")
    if machine.driver is None:
        return Answer(source, None, f"CUDA {row.label} is made for driver {row.driver} and later")
    holds = machine.driver >= row.driver
    sign = ">=" if holds else "<"
    return Answer(source, holds, f"CUDA {row.label}: driver {machine.driver} {sign} {row.driver}")


def _compatibility(cuda: Version, machine: Machine, tables: Tables) -> Answer:
    source = "compatibility table"
    if machine.driver is None:
        return Answer(source, None, "the driver is not known")
    minor = minor_reach(cuda, machine.driver, machine.cuda, tables)
    if minor is not None and minor.word == "minor-compat":
        return Answer(source, True, minor.reasons[0])
    forward = forward_reach(cuda, machine.driver, machine, tables)
    if minor is None:
        return Answer(source, None, f"CUDA {cuda.major}.x is not in the table")
    return Answer(source, _HOLDS.get(forward.word), "; ".join((minor.reasons[0], forward.reasons[0])))


def _image(
    stack: Stack, cuda: Version, machine: Machine, tables: Tables, env: Mapping[str, str] | None
) -> Answer:
    """What an image's own allow-list says: the image's, else the base's, else that of NVIDIA's image."""
    source = "image requirement"
    own = demands(_base_env(stack) if env is None else env)
    if own:
        name = "the image" if stack.base is None or env is not None else f"the base {stack.base.reference}"
        outcome = evaluate(own, machine, tables)
        return Answer(source, outcome.holds, f"{name}: {_said(outcome)}")
    demand = _demand(stack, cuda, tables)
    if demand is None:
        return Answer(source, None, f"no image of NVIDIA's with CUDA {cuda} is in the table")
    outcome = evaluate({VARIABLE: demand.text}, machine, tables)
    return Answer(source, outcome.holds, f"NVIDIA's image of CUDA {demand.cuda}: {_said(outcome)}")


def _said(outcome: Outcome) -> str:
    """What decides of an outcome."""
    return "; ".join(outcome.unmet or outcome.open or outcome.met)


def _demand(stack: Stack, cuda: Version, tables: Tables) -> ImageDemand | None:
    """The row of nvidia_require_cuda.json for a toolkit release, the images that most systems share first."""
    rows = [row for row in tables.demands if row.cuda.minor == cuda.minor]
    exact = [row for row in rows if row.cuda == stack.toolkit]
    return max(exact or rows, key=lambda row: (row.cuda, len(row.os)), default=None)
