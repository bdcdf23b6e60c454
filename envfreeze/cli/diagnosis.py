"""A diagnosis as the document of `doctor --json`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envfreeze.gpu.containers import Containers
    from envfreeze.gpu.host import Host
    from envfreeze.gpu.model import Gpu, Machine, Remedy, Starts, Verdict
    from envfreeze.verbs.doctor import Diagnosis, Subject


def document(diagnosis: Diagnosis) -> dict[str, Any]:
    """Give the document of `--json`."""
    verdict, subject = diagnosis.verdict, diagnosis.subject
    stack = None if subject is None else subject.stack
    return {
        "verdict": None if verdict is None else verdict.word,
        "cuda": None if stack is None else _text(stack.cuda),
        "toolkit": None if stack is None else _text(stack.toolkit),
        "base": None if subject is None else subject.base,
        "starts": None if verdict is None else _starts_document(verdict.starts),
        "reasons": reasons(diagnosis),
        "remedies": [{"text": one.text, "line": one.line} for one in remedies(diagnosis)],
        "subject": None if subject is None else _subject_document(subject),
        "machines": [_verdict_document(one) for one in diagnosis.verdicts]
        or [_machine_document(one) for one in diagnosis.machines],
        "host": None if diagnosis.host is None else _host_document(diagnosis.host),
        "containers": None if diagnosis.containers is None else _containers_document(diagnosis.containers),
        "checks": [
            {"name": check.name, "good": check.good, "text": check.text, "hint": check.hint}
            for check in diagnosis.checks
        ],
        "tables": {"version": diagnosis.tables[0], "digest": diagnosis.tables[1]},
    }


def _text(value: object | None) -> str | None:
    return None if value is None else str(value)


def _starts_document(starts: Starts) -> dict[str, Any]:
    return {"legacy": starts.legacy, "cdi": starts.cdi}


def _subject_document(subject: Subject) -> dict[str, Any]:
    stack = subject.stack
    return {
        "kind": subject.kind,
        "path": str(subject.path),
        "platform": subject.platform,
        "runtime": _text(stack.runtime),
        "cudnn": _text(stack.cudnn),
        "evidence": [
            {"source": one.source, "cuda": str(one.cuda), "decides": one.decides} for one in stack.evidence
        ],
        "findings": [
            {"kind": one.kind, "text": one.text, "size": one.size, "fatal": one.fatal}
            for one in stack.findings
        ],
    }


def _machine_document(machine: Machine) -> dict[str, Any]:
    return {
        "driver": _text(machine.driver),
        "cuda": _text(machine.cuda),
        "gpu": None if machine.gpu is None else _gpu_document(machine.gpu),
    }


def _gpu_document(gpu: Gpu) -> dict[str, Any]:
    return {"name": gpu.name, "capability": _text(gpu.capability), "kind": gpu.kind, "brand": gpu.brand}


def _verdict_document(verdict: Verdict) -> dict[str, Any]:
    return {
        **_machine_document(verdict.machine),
        "verdict": verdict.word,
        "starts": {**_starts_document(verdict.starts), "unmet": list(verdict.starts.unmet)},
        "answers": [{"source": one.source, "holds": one.holds, "text": one.text} for one in verdict.answers],
        "reasons": list(verdict.reasons),
        "remedies": [{"text": one.text, "line": one.line} for one in verdict.remedies],
    }


def _host_document(host: Host) -> dict[str, Any]:
    return {
        "state": host.state,
        "driver": host.version or None,
        "cuda": _text(host.cuda),
        "gpus": [
            {
                "index": gpu.index,
                "name": gpu.name,
                "capability": _text(gpu.capability),
                "brand": gpu.brand,
                "memory": gpu.memory,
                "multiprocessors": gpu.multiprocessors,
                "mig": gpu.mig,
            }
            for gpu in host.gpus
        ],
        "problems": list(host.problems),
        "hint": host.hint,
    }


def _containers_document(containers: Containers) -> dict[str, Any]:
    toolkit = containers.toolkit
    return {
        "engines": [{"name": engine.name, "version": engine.version} for engine in containers.engines],
        "toolkit": None
        if toolkit is None
        else {"version": toolkit.version, "configured": toolkit.configured, "mode": toolkit.mode},
        "way": containers.way,
        "specs": [
            {"path": str(spec.path), "devices": list(spec.devices), "driver": spec.driver or None}
            for spec in containers.specs
        ],
        "docker_runtime": containers.runtime,
        "problems": list(containers.problems),
    }


def reasons(diagnosis: Diagnosis) -> list[str]:
    """Why the worst verdict is what it is, after what keeps the host from telling."""
    verdict, host = diagnosis.verdict, diagnosis.host
    if verdict is None:
        return []
    unknown = verdict.word == "unknown" and host is not None
    return [*(host.problems if unknown and host is not None else ()), *verdict.reasons]


def remedies(diagnosis: Diagnosis) -> Sequence[Remedy]:
    """What to change about the worst verdict."""
    return () if diagnosis.verdict is None else diagnosis.verdict.remedies
