"""Verdicts as `--json` shows them: in the answer of `doctor`, and in the error of a lock that is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from envfreeze.gpu.model import Gpu, Machine, Remedy, Starts, Verdict


def of_verdict(verdict: Verdict) -> dict[str, Any]:
    """A machine with what is said of it: `verdict`, `starts`, `answers`, `reasons`, `remedies`."""
    return {
        **of_machine(verdict.machine),
        "verdict": verdict.word,
        "starts": {**of_starts(verdict.starts), "unmet": list(verdict.starts.unmet)},
        "answers": [{"source": one.source, "holds": one.holds, "text": one.text} for one in verdict.answers],
        "reasons": list(verdict.reasons),
        "remedies": [of_remedy(one) for one in verdict.remedies],
    }


def of_machine(machine: Machine) -> dict[str, Any]:
    """A machine: `driver`, `cuda` (that its driver says it supports), `gpu`; null: not known."""
    return {
        "driver": text(machine.driver),
        "cuda": text(machine.cuda),
        "gpu": None if machine.gpu is None else _of_gpu(machine.gpu),
    }


def of_starts(starts: Starts) -> dict[str, Any]:
    """Whether a container starts: `legacy` and `cdi`."""
    return {"legacy": starts.legacy, "cdi": starts.cdi}


def of_remedy(remedy: Remedy) -> dict[str, Any]:
    """A change: `text` and `line`."""
    return {"text": remedy.text, "line": remedy.line}


def text(value: object | None) -> str | None:
    """A version, or what else is written as text; null: not known."""
    return None if value is None else str(value)


def _of_gpu(gpu: Gpu) -> dict[str, Any]:
    return {"name": gpu.name, "capability": text(gpu.capability), "kind": gpu.kind, "brand": gpu.brand}
