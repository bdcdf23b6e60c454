"""What `envfreeze lock` tells of the lock that it made."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from envfreeze.cli.changes import told

if TYPE_CHECKING:
    from envfreeze.cli.console import Console
    from envfreeze.locking.model import Target
    from envfreeze.verbs.lock import LockOutcome


def report(outcome: LockOutcome, console: Console, *, limit: int | None) -> None:
    """Tell what moved, what was written and what is locked now; `limit` is of the moved packages."""
    for line in told(outcome.changes, limit=limit):
        console.note(line)
    if outcome.written:
        for target in outcome.lock.targets:
            console.note(_summary(target))
            for index, names in _by_index(target).items():
                console.note(f"  {len(names)} from {index}")
    removed = [path for path in outcome.written if not path.exists()]
    written = [path for path in outcome.written if path not in removed]
    for path in written:
        console.note(f"written: {path}")
    for path in removed:
        console.note(f"removed: {path}")
    answer = "locked" if outcome.written else "unchanged"
    console.result(
        [answer],
        {
            "result": answer,
            "folder": str(outcome.folder),
            "written": [str(path) for path in written],
            "removed": [str(path) for path in removed],
            "sealed": outcome.lock.sealed,
            "targets": [
                {
                    "platform": str(target.platform),
                    "python": target.python,
                    "os_packages": len(target.base.packages),
                    **({} if target.image is None else {"base": str(target.image.manifest)}),
                    **({} if target.standalone is None else {"standalone": target.standalone.build}),
                    "wheels": len(target.wheels),
                    "indexes": _by_index(target),
                    **_gpu(target),
                    "manifest": None if target.manifest is None else str(target.manifest),
                }
                for target in outcome.lock.targets
            ],
            "changes": [
                {
                    "kind": change.kind,
                    "side": change.side,
                    "platform": change.platform,
                    "name": change.name,
                    "before": change.before,
                    "after": change.after,
                    "direction": change.direction,
                    "direct": change.direct,
                }
                for change in outcome.changes
            ],
            "notes": list(outcome.notes),
        },
    )


def _summary(target: Target) -> str:
    sides = [(len(target.base.packages), "OS package"), (len(target.conda), "conda package")]
    sides.append((len(target.wheels), "wheel"))
    counts = [f"{count} {what}{'' if count == 1 else 's'}" for count, what in sides if count]
    system = [f"{target.platform}: Python {target.python}", f"glibc {target.glibc}"]
    if target.standalone is not None:
        system[0] += " (python-build-standalone)"
    if target.gpu is not None and target.gpu.cuda is not None:
        words = ", ".join(dict.fromkeys(one.word for one in target.gpu.fleet))
        system.append(f"CUDA {target.gpu.cuda}" + (f" ({words})" if words else ""))
    told = ", ".join([*system, *counts])
    return told if target.image is None else f"{told} on {target.image.reference}"


def _gpu(target: Target) -> dict[str, Any]:
    """What a target brings of CUDA; {} where it has none and no machines were named."""
    facts = target.gpu
    if facts is None:
        return {}
    return {
        "gpu": {
            "cuda": facts.cuda,
            "runtime": facts.runtime,
            "toolkit": facts.toolkit,
            "cudnn": facts.cudnn,
            "sources": list(facts.sources),
            "fleet": [{"driver": one.driver, "gpu": one.gpu, "verdict": one.word} for one in facts.fleet],
        }
    }


def _by_index(target: Target) -> dict[str, list[str]]:
    """Which packages came from which index; empty where the project has one."""
    found: dict[str, list[str]] = {}
    for wheel in target.wheels:
        if wheel.index is not None:
            found.setdefault(wheel.index, []).append(wheel.name)
    return found
