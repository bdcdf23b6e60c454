"""`envfreeze lock`, and its two questions `--check` and `--outdated`."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from envfreeze.cli.changes import SHOWN
from envfreeze.cli.session import Directory, Json, Offline, Quiet, Workers, begin
from envfreeze.errors import UsageError

if TYPE_CHECKING:
    from envfreeze.cli.console import Console
    from envfreeze.locking.imports.model import ImportedLock
    from envfreeze.oci.image import Image
    from envfreeze.oci.platform import Platform
    from envfreeze.project.model import Project


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
            metavar="PLACE",
            help="Take the packages of this virtual or conda environment, or of an image: an OCI layout or "
            "archive, or what `docker save` writes.",
            show_default=False,
        ),
    ] = None,
    from_env_prefix: Annotated[
        str | None,
        typer.Option(
            "--from-env-prefix",
            metavar="PATH",
            help="Where the environment is in the image; without it the first on the image's PATH.",
            show_default=False,
        ),
    ] = None,
    resolve: Annotated[
        bool,
        typer.Option("--resolve", help="Resolve the requirements again, after --from or --from-env."),
    ] = False,
    solve_gpu: Annotated[
        bool,
        typer.Option(
            "--solve-gpu", help="Go back to the newest versions that every machine of [gpu] can run."
        ),
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
    if (check or outdated) and (moves or allow_stale_index or solve_gpu):
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
    if check or outdated:
        from envfreeze.cli import lock_questions as questions  # noqa: PLC0415 - only where asked

    if check:
        questions.check(project, session.console, seal=seal, offline=offline, workers=workers)
        return
    if outdated:
        questions.outdated(project, session.console)
        return

    from envfreeze.cli.locked import report  # noqa: PLC0415 - only where there is one
    from envfreeze.verbs.lock import lock as write  # noqa: PLC0415 - heavy

    environment = (
        _environment(from_env_at, from_env_prefix, project, session.console) if is_from_env else None
    )
    outcome = write(
        project,
        environment=environment,
        solve_gpu=solve_gpu,
        upgrade=upgrade,
        upgrade_packages=tuple(upgrade_package or ()),
        offline=offline,
        seal=seal,
        allow_stale=allow_stale_index,
        exclude_newer=None if exclude_newer is None else _moment(exclude_newer),
        workers=workers,
        progress=session.console,
    )
    report(outcome, session.console, limit=None if verbose else SHOWN)


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


def _environment(place: Path | None, prefix: str | None, project: Project, console: Console) -> ImportedLock:
    """Read an environment of this machine, or that of an image, which lies on it or in a registry."""
    from envfreeze.locking.imports import environment, os_packages  # noqa: PLC0415 - heavy
    from envfreeze.oci import saved  # noqa: PLC0415 - heavy
    from envfreeze.oci.reference import names_image  # noqa: PLC0415 - with it

    lies_here = place is not None and saved.is_image(place)
    is_named = place is not None and not place.exists() and names_image(str(place))
    if place is None or not (lies_here or is_named):
        if prefix is not None:
            raise UsageError(
                "--from-env-prefix goes with an image", hint="name the image: --from-env-at PLACE"
            )
        return environment.read((place or environment.active()).absolute())
    if len(project.image.platforms) > 1:
        raise UsageError(
            "an image's packages are those of one platform, and the project is for several",
            hint="set [image] platform to one of them",
        )
    platform = project.image.platforms[0]
    image = _pulled(str(place), platform, project, console) if is_named else saved.read(place, platform)
    found = environment.read_image(image, shown=f"the image {place}", prefix=prefix)
    console.note(os_packages.summary(found))
    return found


def _pulled(reference: str, platform: Platform, project: Project, console: Console) -> Image:
    """An image of a registry; its layers are fetched when they are read."""
    from envfreeze.oci.registry import Registries, resolve  # noqa: PLC0415 - only where one is asked

    registries = Registries(mirrors=project.mirrors, progress=console)
    return resolve(reference, platform, registries=registries).image


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
