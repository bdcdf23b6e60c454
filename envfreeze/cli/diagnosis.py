"""A diagnosis as the document of `doctor --json`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from envfreeze.gpu import document as shown

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envfreeze.gpu.containers import Containers
    from envfreeze.gpu.host import Host
    from envfreeze.gpu.model import Remedy
    from envfreeze.verbs.doctor import Diagnosis, Subject


def document(diagnosis: Diagnosis) -> dict[str, Any]:
    """Give the document of `--json`."""
    verdict, subject = diagnosis.verdict, diagnosis.subject
    stack = None if subject is None else subject.stack
    return {
        "verdict": None if verdict is None else verdict.word,
        "cuda": None if stack is None else shown.text(stack.cuda),
        "toolkit": None if stack is None else shown.text(stack.toolkit),
        "base": None if subject is None else subject.base,
        "starts": None if verdict is None else shown.of_starts(verdict.starts),
        "reasons": reasons(diagnosis),
        "remedies": [shown.of_remedy(one) for one in remedies(diagnosis)],
        "subject": None if subject is None else _subject_document(subject),
        "machines": [shown.of_verdict(one) for one in diagnosis.verdicts]
        or [shown.of_machine(one) for one in diagnosis.machines],
        "host": None if diagnosis.host is None else _host_document(diagnosis.host),
        "containers": None if diagnosis.containers is None else _containers_document(diagnosis.containers),
        "checks": [
            {"name": check.name, "good": check.good, "text": check.text, "hint": check.hint}
            for check in diagnosis.checks
        ],
        "tables": {"version": diagnosis.tables[0], "digest": diagnosis.tables[1]},
    }


def _subject_document(subject: Subject) -> dict[str, Any]:
    stack = subject.stack
    return {
        "kind": subject.kind,
        "path": subject.path,
        "platform": subject.platform,
        "runtime": shown.text(stack.runtime),
        "cudnn": shown.text(stack.cudnn),
        "evidence": [
            {"source": one.source, "cuda": str(one.cuda), "decides": one.decides} for one in stack.evidence
        ],
        "findings": [
            {"kind": one.kind, "text": one.text, "size": one.size, "fatal": one.fatal}
            for one in stack.findings
        ],
    }


def _host_document(host: Host) -> dict[str, Any]:
    return {
        "state": host.state,
        "driver": host.version or None,
        "cuda": shown.text(host.cuda),
        "gpus": [
            {
                "index": gpu.index,
                "name": gpu.name,
                "capability": shown.text(gpu.capability),
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
