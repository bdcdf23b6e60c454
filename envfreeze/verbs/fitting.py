"""Whether what was resolved runs on the machines that the project names; and, on request, what would.

The host is never asked: a lock made on a laptop and one made on the cluster are the same lock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from envfreeze.digest import Digest
from envfreeze.errors import IncompatibleError, ResolutionError
from envfreeze.locking.model import FleetVerdict, GpuFacts
from envfreeze.replacing import replace
from envfreeze.verbs import older

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from envfreeze.gpu.model import Remedy, Stack, Verdict
    from envfreeze.gpu.tables import Tables
    from envfreeze.locking.model import Target, Wheel
    from envfreeze.project.model import Project
    from envfreeze.verbs.wish import Wish


_TOLD: Final = 3
"""Reasons told of a machine: the deciding ones come first, and `doctor` tells all."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A stack and what every machine says to it."""

    stack: Stack
    verdicts: tuple[Verdict, ...]

    @property
    def rejected(self) -> tuple[Verdict, ...]:
        """The machines that cannot run it, as it is: forward compatibility needs its package in the image."""
        from envfreeze.gpu.assessment import carries  # noqa: PLC0415 - not needed where nothing moves

        cuda = self.stack.cuda
        return tuple(
            verdict
            for verdict in self.verdicts
            if verdict.word.startswith("reject-")
            or (verdict.word == "forward-compat" and cuda is not None and not carries(self.stack, cuda))
        )


def fitted(
    project: Project,
    target: Target,
    wish: Wish,
    packages: Callable[[Project], tuple[Wheel, ...]] | None = None,
) -> Target:
    """The target with what it brings of CUDA, held against the project's machines.

    Args:
        project: what asks; its `gpu` names the machines.
        target: what was resolved.
        wish: whether older frameworks may be looked for, and who is told.
        packages: resolves the Python packages of a project again; None: they are as they are.

    Raises:
        UsageError: a GPU is not known.
        IncompatibleError: a machine cannot run it.
        ResolutionError: a package among them cannot be had at all.

    """
    if not wish.review:
        return target
    from envfreeze.gpu import update  # noqa: PLC0415 - not needed where nothing moves

    known = update.current()
    judged = _judge(project, target, known)
    _check_findings(judged.stack, target)
    if judged.rejected:
        if not wish.solve_gpu or packages is None:
            raise _incompatible(judged, target, known, can_solve=packages is not None)

        def again(other: Target) -> Judged:
            return _judge(project, other, known)

        first = _incompatible(judged, target, known, can_solve=False)
        target, judged = older.solved(project, target, judged, wish, older.Means(packages, again, first))
    for note in _notes(judged):
        wish.progress.warn(f"{target.platform}: {note}")
    return replace(target, gpu=_facts(judged, known))


def facts(project: Project, target: Target) -> GpuFacts | None:
    """What a locked target brings of CUDA, held against the machines that the project names now.

    Raises:
        UsageError: a GPU is not known.
        IncompatibleError: a machine cannot run it.

    """
    from envfreeze.gpu import update  # noqa: PLC0415 - not needed where nothing moves

    known = update.current()
    judged = _judge(project, target, known)
    if judged.rejected:
        raise _incompatible(judged, target, known, can_solve=project.pip.lock is None)
    return _facts(judged, known)


def prepare() -> None:
    """Import and read what `fitted` takes: called while uv runs, it costs nothing."""
    from envfreeze.gpu import fleet, judgement, needs, update, variables  # noqa: F401, PLC0415 - not needed where nothing moves
    from envfreeze.locking import gpu  # noqa: F401, PLC0415 - with it

    known = update.current()
    _ = (known.digest, known.toolkits, known.cudarts, known.architectures, known.products, known.demands)
    _ = (known.minor_compat, known.forward_compat, known.torch_kernels, known.framework_locks)


def newest_cuda(project: Project) -> str | None:
    """The newest CUDA that the fleet's oldest driver supports: what conda's `__cuda` is."""
    if project.gpu is None or project.gpu.driver is None:
        return None
    from envfreeze.gpu import update  # noqa: PLC0415 - only where a driver is named
    from envfreeze.gpu.driver import supported  # noqa: PLC0415 - with it
    from envfreeze.gpu.model import Machine, Version  # noqa: PLC0415 - with it

    newest = supported(Machine(driver=Version.parse(project.gpu.driver)), update.current()).cuda
    return None if newest is None else str(newest)


def _judge(project: Project, target: Target, known: Tables) -> Judged:
    from envfreeze.gpu.fleet import fleet  # noqa: PLC0415 - not needed where nothing moves
    from envfreeze.gpu.judgement import judge  # noqa: PLC0415 - with it
    from envfreeze.locking.gpu import stack_of  # noqa: PLC0415 - with it

    stack = stack_of(target, tables=known)
    asked = project.gpu
    machines = () if asked is None else fleet(asked.driver, asked.gpus, known)
    return Judged(stack, tuple(judge(stack, machine, known) for machine in machines))


def _facts(judged: Judged, known: Tables) -> GpuFacts | None:
    from envfreeze.gpu import variables  # noqa: PLC0415 - not needed where nothing moves

    stack = judged.stack
    if stack.cuda is None and not judged.verdicts:
        return None
    of_base = _is_of_base(judged)
    return GpuFacts(
        cuda=_text(stack.cuda),
        runtime=_text(stack.runtime),
        toolkit=_text(stack.toolkit),
        cudnn=_text(stack.cudnn),
        sources=tuple(one.source for one in stack.evidence),
        tables=Digest.parse(known.digest),
        fleet=tuple(
            FleetVerdict(
                _text(verdict.machine.driver),
                None if verdict.machine.gpu is None else verdict.machine.gpu.name,
                verdict.word,
            )
            for verdict in judged.verdicts
        ),
        env={} if of_base else variables.environment(stack, known),
        labels={} if of_base else variables.labels(stack, known),
    )


def _is_of_base(judged: Judged) -> bool:
    """Whether nothing but the base says anything of CUDA: then its own variables stay as they are."""
    stack = judged.stack
    of_base = (
        stack.base is not None
        and stack.evidence[:1]
        and stack.evidence[0].source.startswith(stack.base.reference)
    )
    return bool(of_base) and not judged.verdicts and not stack.frameworks


def _text(version: object) -> str | None:
    return None if version is None else str(version)


def _check_findings(stack: Stack, target: Target) -> None:
    fatal = [finding.text for finding in stack.findings if finding.fatal]
    if fatal:
        raise ResolutionError(f"{target.platform}: {fatal[0]}", details=tuple(fatal[1:]))


def _incompatible(judged: Judged, target: Target, known: Tables, *, can_solve: bool) -> IncompatibleError:
    """Name every machine that cannot run it, why, and what to change, the nearest first."""
    from envfreeze.gpu import document  # noqa: PLC0415 - only where a machine refuses

    rejected = judged.rejected
    stack = judged.stack
    details = [f"{_machine(verdict)}: {verdict.word}: {_why(verdict)}" for verdict in rejected]
    details += [line for remedy in _remedies(rejected) for line in _told(remedy)]
    solve = can_solve and any(package.side == "pip" for package in stack.frameworks)
    solve = solve and not any(_is_newer(verdict, known) for verdict in rejected)
    hint = "older versions that fit: `envfreeze lock --solve-gpu`" if solve else ""
    facts = {"cuda": stack.cuda, "runtime": stack.runtime, "toolkit": stack.toolkit, "cudnn": stack.cudnn}
    return IncompatibleError(
        f"{target.platform}: CUDA {stack.cuda} ({stack.evidence[0].source}) does not run on "
        f"{len(rejected)} of the {len(judged.verdicts)} machines that [gpu] names",
        details=tuple(details),
        hint=hint,
        gpu={
            "platform": str(target.platform),
            **{name: document.text(version) for name, version in facts.items()},
            "sources": [one.source for one in stack.evidence],
            "machines": [document.of_verdict(verdict) for verdict in judged.verdicts],
        },
    )


def _why(verdict: Verdict) -> str:
    """The reasons that decide; that the image lacks a package for forward compatibility is one of them."""
    if verdict.word == "forward-compat":
        return "; ".join((verdict.reasons[0], *verdict.reasons[-1:]))
    return "; ".join(verdict.reasons[:_TOLD])


def _is_newer(verdict: Verdict, known: Tables) -> bool:
    """Whether a GPU is newer than the stack: no older version has kernels for it."""
    from envfreeze.gpu.kernels import first_cuda  # noqa: PLC0415 - only where a machine refuses

    gpu = verdict.machine.gpu
    first = None if gpu is None or gpu.capability is None else first_cuda(gpu.capability, known)
    return first is not None and verdict.cuda is not None and verdict.cuda < first


def _remedies(rejected: tuple[Verdict, ...]) -> list[Remedy]:
    """What would help, without repetition: what helps all machines first, then the nearest."""
    found = dict.fromkeys(remedy for verdict in rejected for remedy in verdict.remedies)
    return sorted(found, key=lambda remedy: any(remedy not in verdict.remedies for verdict in rejected))


def _told(remedy: Remedy) -> Iterator[str]:
    lines = remedy.line.splitlines()
    yield f"- {remedy.text}{':' if lines else ''}"
    yield from (f"      {line}" for line in lines)


def _first(verdict: Verdict) -> str:
    """The first remedy of a machine that was named for its GPU, where nothing that is locked uses one."""
    if verdict.word != "cpu-only" or not verdict.remedies:
        return ""
    remedy = verdict.remedies[0]
    lines = remedy.line.splitlines()
    return f"; {remedy.text}" + (f": {' '.join(lines)}" if len(lines) in {1, 2} else "")


def _machine(verdict: Verdict) -> str:
    machine = verdict.machine
    parts = [machine.gpu.name if machine.gpu is not None else "any GPU"]
    if machine.driver is not None:
        parts.append(f"driver {machine.driver}")
    return " with ".join(parts)


def _notes(judged: Judged) -> list[str]:
    # That nothing uses a GPU is worth a word only where one was asked for.
    told = (one for one in judged.stack.findings if judged.verdicts or one.kind != "cpu-lock")
    notes = [
        one.text if one.size is None else f"{one.text}: {one.size / 1e6:,.1f} MB to download" for one in told
    ]
    for verdict in judged.verdicts:
        if verdict.word in {"minor-compat", "forward-compat", "unknown", "cpu-only"}:
            notes.append(f"{_machine(verdict)}: {verdict.word}: {_why(verdict)}{_first(verdict)}")
        if verdict.starts.legacy is False:
            unmet = ", ".join(verdict.starts.unmet)
            notes.append(f"{_machine(verdict)}: the legacy container runtime refuses it: {unmet}")
    return list(dict.fromkeys(notes))
