"""`envfreeze lock`, and its two questions `--check` and `--outdated`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from envfreeze.cli.changes import SHOWN, told
from envfreeze.cli.console import Console
from envfreeze.cli.session import Directory, Json, Offline, Quiet, Workers, begin
from envfreeze.errors import UsageError

if TYPE_CHECKING:
    from envfreeze.locking.imports.model import ImportedLock
    from envfreeze.locking.model import Target
    from envfreeze.project.model import Project
    from envfreeze.verbs.lock import LockOutcome


def lock(
    context: typer.Context,
    *,
    check: Annotated[
        bool,
        typer.Option("--check", help="Write nothing; exit 1 where the lock no longer fits its inputs."),
    ] = False,
    outdated: Annotated[
        bool,
        typer.Option("--outdated", help="Write nothing; list what has a newer version."),
    ] = False,
    upgrade: Annotated[bool, typer.Option("--upgrade", "-U", help="Let every pin move.")] = False,
    upgrade_package: Annotated[
        list[str] | None,
        typer.Option(
            "--upgrade-package",
            "-P",
            metavar="NAME",
            help="Let this package's pin move; may be repeated.",
            show_default=False,
        ),
    ] = None,
    seal: Annotated[
        bool,
        typer.Option("--seal", help="Also compute the image and write its digests into the lock."),
    ] = False,
    allow_stale_index: Annotated[
        bool,
        typer.Option(
            "--allow-stale-index",
            help="Accept an apt index that has expired or is older than the one locked before.",
        ),
    ] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="List every package that came, went or moved.")
    ] = False,
    source: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="FILE",
            help="Take the packages of another tool's lock file as they are.",
            show_default=False,
        ),
    ] = None,
    from_env: Annotated[
        bool, typer.Option("--from-env", help="Take the packages of the environment that is active.")
    ] = False,
    from_env_at: Annotated[
        Path | None,
        typer.Option(
            "--from-env-at",
            metavar="FOLDER",
            help="Take the packages of this virtual or conda environment.",
            show_default=False,
        ),
    ] = None,
    resolve: Annotated[
        bool,
        typer.Option("--resolve", help="Resolve the requirements again, after --from or --from-env."),
    ] = False,
    exclude_newer: Annotated[
        str | None,
        typer.Option(
            "--exclude-newer",
            metavar="DATE",
            help="Take no file uploaded after this moment (RFC 3339, or `7 days`), in this lock.",
            show_default=False,
        ),
    ] = None,
    offline: Offline = False,
    workers: Workers = None,
    directory: Directory = None,
    as_json: Json = False,
    quiet: Quiet = False,
) -> None:
    """Resolve what the project asks for, and write the lock.

    Pins that still satisfy the project stay where they are.
    """
    session = begin(context, directory, as_json=as_json, quiet=quiet)
    moves = upgrade or bool(upgrade_package) or exclude_newer is not None
    if (check or outdated) and (moves or allow_stale_index):
        raise UsageError("--check and --outdated write nothing, so no pin can move")
    if check and outdated:
        raise UsageError("--check and --outdated are two questions", hint="ask one at a time")
    if outdated and seal:
        raise UsageError("--seal goes with writing the lock or with --check, not with --outdated")
    if outdated and offline:
        raise UsageError("--outdated asks the indexes, so it cannot be --offline")

    from envfreeze.project import taken  # noqa: PLC0415 - heavy
    from envfreeze.project.load import load  # noqa: PLC0415 - heavy

    is_from_env = from_env or from_env_at is not None
    if (source is not None) + is_from_env + resolve > 1:
        raise UsageError("--from, --from-env and --resolve are three sources", hint="name one")
    if is_from_env and (check or outdated):
        raise UsageError("--from-env goes with writing the lock: the lock remembers what it was taken from")
    named = taken.ENVIRONMENT if is_from_env else _source(session.root, source)
    project = load(session.root, source=named, resolve=resolve)
    if check:
        _check(project, session.console, seal=seal, offline=offline, workers=workers)
        return
    if outdated:
        _outdated(project, session.console)
        return

    from envfreeze.verbs.lock import lock as write  # noqa: PLC0415 - heavy

    environment = _environment(from_env_at) if is_from_env else None
    outcome = write(
        project,
        environment=environment,
        upgrade=upgrade,
        upgrade_packages=tuple(upgrade_package or ()),
        offline=offline,
        seal=seal,
        allow_stale=allow_stale_index,
        exclude_newer=None if exclude_newer is None else _moment(exclude_newer),
        workers=workers,
        progress=session.console,
    )
    _report(outcome, session.console, limit=None if verbose else SHOWN)


def _moment(text: str) -> datetime:
    """Read a moment, or a span of time before now."""
    from envfreeze.project.moments import moment, span  # noqa: PLC0415 - only where asked

    length = span(text)
    try:
        return moment(text) if length is None else datetime.now(UTC).replace(microsecond=0) - length
    except ValueError as error:
        raise UsageError(
            f"--exclude-newer is neither a date nor a span of time: {text!r}",
            hint="for example 2026-09-12, 2026-09-12T08:00:00Z or `7 days`",
        ) from error


def _environment(prefix: Path | None) -> ImportedLock:
    from envfreeze.locking.imports import environment  # noqa: PLC0415 - heavy

    return environment.read((prefix or environment.active()).absolute())


def _source(root: Path, given: str | None) -> str | None:
    """Name a lock file by its path in the project: a path from the command line starts where the user is."""
    if given is None:
        return None
    path = Path(os.path.normpath(Path.cwd() / given))
    for base in (root.absolute(), root.resolve()):
        if path.is_relative_to(base):
            return path.relative_to(base).as_posix()
    raise UsageError(
        f"{given} is not in the project",
        hint=f"a lock is made of the project's own files: `cp {given} {root}/`, and name the copy",
    )


def _report(outcome: LockOutcome, console: Console, *, limit: int | None) -> None:
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
                    "wheels": len(target.wheels),
                    "indexes": _by_index(target),
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
    told = ", ".join([f"{target.platform}: Python {target.python}", f"glibc {target.glibc}", *counts])
    return told if target.image is None else f"{told} on {target.image.reference}"


def _by_index(target: Target) -> dict[str, list[str]]:
    """Which packages came from which index; empty where the project has one."""
    found: dict[str, list[str]] = {}
    for wheel in target.wheels:
        if wheel.index is not None:
            found.setdefault(wheel.index, []).append(wheel.name)
    return found


def _check(project: Project, console: Console, *, seal: bool, offline: bool, workers: int | None) -> None:
    from envfreeze.verbs.lock import check  # noqa: PLC0415 - heavy

    causes = check(project, seal=seal, offline=offline, workers=workers, progress=console)
    for cause in causes:
        console.warn(cause)
    if causes:
        console.hint("run `envfreeze lock`")
    answer = "drift" if causes else "current"
    console.result([answer], {"result": answer, "causes": list(causes)})
    if causes:
        raise typer.Exit(1)


def _outdated(project: Project, console: Console) -> None:
    from envfreeze.verbs.lock import outdated  # noqa: PLC0415 - heavy

    found = outdated(project, progress=console)
    if not found:
        console.note("nothing newer that the requirements allow")
    document: list[Mapping[str, Any]] = [
        {
            "side": one.side,
            "platform": one.platform,
            "name": one.name,
            "locked": one.locked,
            "newest": one.newest,
        }
        for one in found
    ]
    console.result(
        [f"{one.name} {one.locked} -> {one.newest} ({one.side}, {one.platform})" for one in found],
        {"outdated": document},
    )
