"""What `build` and `verify` do with an engine that builds a Dockerfile: write its folder, drive it, check.

The folder is written before the engine is looked for: who has no engine has the Dockerfile all the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from envfreeze.engines.driven.choice import NAMES, engine
from envfreeze.engines.driven.model import Request
from envfreeze.engines.driven.secrets import parse_secret, parse_ssh
from envfreeze.errors import MachineError, UsageError
from envfreeze.layers.files import included
from envfreeze.progress import SILENT
from envfreeze.replacing import replace

if TYPE_CHECKING:
    from envfreeze.digest import Digest
    from envfreeze.engines.driven.model import Built
    from envfreeze.locking.model import Lock
    from envfreeze.progress import Progress
    from envfreeze.project.model import Project
    from envfreeze.store.cache import Cache

NATIVE = "native"
"""The engine that needs no program: envfreeze's own."""

ENGINES = (NATIVE, *NAMES)
"""All engines."""

OWN = Path(".envfreeze")
"""What envfreeze makes in a project's folder, which git does not see."""

FOLDER = "docker"
"""Where the build folder goes, below `OWN`."""

LOGS = "logs"
"""Where the engines' logs go, likewise."""


@dataclass(frozen=True, slots=True)
class Options:
    """What is said to an engine that builds a Dockerfile.

    Attributes:
        builder: a builder of buildx, by name; None: the one in use.
        network: what `RUN` steps reach that do not say it: `default`, `none` or `host`; None: what
            `[docker] network` says.
        secrets: as in `--secret`.
        ssh: as in `--ssh`.
        cache_from: as in `--cache-from`.
        cache_to: as in `--cache-to`.
        fresh: nothing that was built before is used.

    """

    builder: str | None = None
    network: str | None = None
    secrets: tuple[str, ...] = ()
    ssh: tuple[str, ...] = ()
    cache_from: tuple[str, ...] = ()
    cache_to: tuple[str, ...] = ()
    fresh: bool = False


def check(name: str, options: Options) -> None:
    """Refuse an engine that there is not, and options that the engine has no use for.

    Raises:
        UsageError: the name or an option.

    """
    if name not in ENGINES:
        raise UsageError(f"there is no engine {name!r}", hint=f"known are {', '.join(ENGINES)}")
    given = {
        "--builder": options.builder is not None,
        "--network": options.network is not None,
        "--secret": bool(options.secrets),
        "--ssh": bool(options.ssh),
        "--cache-to": bool(options.cache_to),
    }
    if name == NATIVE:
        for option in (option for option, said in given.items() if said):
            raise UsageError(
                f"{option} is for engines that build a Dockerfile; the native engine runs no steps",
                hint=f"add --engine docker, or leave {option} out",
            )
    if options.network is not None and options.network not in NETWORKS:
        raise UsageError(f"--network {options.network} is none", hint=f"it is {', '.join(NETWORKS)}")
    if name != "docker" and options.builder is not None:
        raise UsageError(f"--builder names a builder of buildx; {name} has none", hint="--engine docker")


def own_folder(root: Path) -> Path:
    """Make the project's folder for what envfreeze makes in it, which git does not see.

    Raises:
        MachineError: it cannot be made.

    """
    folder = root / OWN
    try:
        folder.mkdir(exist_ok=True)
        ignore = folder / ".gitignore"
        if not ignore.exists():
            ignore.write_text("*\n")
    except OSError as error:
        raise MachineError(
            f"{folder} cannot be written: {error.strerror}", hint="choose another place with --output"
        ) from error
    return folder


NETWORKS = ("default", "none", "host")
"""What `--network` may say."""


def chosen(name: str | None, project: Project) -> str:
    """The engine that builds: the one that is named, else the one of `[docker] engine`."""
    return name or project.docker.engine


def unheard(name: str, project: Project) -> list[str]:
    """What the project says to engines that build a Dockerfile and this one does not hear, in sentences."""
    docker = project.docker
    said = {"before": docker.before, "after": docker.after, "template": docker.template}
    keys = ", ".join(key for key, value in said.items() if value)
    if name != NATIVE or not keys:
        return []
    return [f"the native engine runs no steps: [docker] {keys} count with --engine docker alone"]


def files_of(name: str, lock: Lock, project: Project | None, root: Path) -> list[str]:
    """The files of a project that an engine's image depends on beside the lock, as sorted relative paths.

    Args:
        name: of the engine.
        lock: what is built.
        project: its project; None: it cannot be read.
        root: the project's folder.

    Raises:
        UsageError: a file that the project names is not there.

    """
    if name == NATIVE or project is None:
        return included(root, lock.runtime.include)
    template = () if project.docker.template is None else (project.docker.template,)
    return included(root, (*lock.runtime.include, *project.docker.context, *template))


def make(
    name: str,
    lock: Lock,
    project: Project,
    *,
    folder: Path,
    into: Path,
    logs: Path,
    cache: Cache,
    options: Options,
    offline: bool = False,
    progress: Progress = SILENT,
) -> Built:
    """Write the build folder of a lock, have an engine build it, and check what it made.

    Args:
        name: of the engine.
        lock: what is built.
        project: its project.
        folder: where the build folder is written.
        into: an empty folder; the image lies in it afterwards.
        logs: folder for the engine's log.
        cache: where artifacts are.
        options: what is said to the engine.
        offline: fetch nothing for the folder.
        progress: told what happens.

    Raises:
        UsageError: the lock has what a Dockerfile cannot say, an option is wrong, or a step leaves files
            that no second build gives again.
        NetworkError: an artifact cannot be had.
        UntrustedError: an artifact or the image is not what it should be.
        MachineError: there is no such engine here, it would ignore what is asked, or a step fails.

    """
    from envfreeze.engines import dockerfile  # noqa: PLC0415 - heavy
    from envfreeze.engines.driven import readback  # noqa: PLC0415 - heavy

    written = dockerfile.write(lock, project, folder, cache=cache, progress=progress, offline=offline)
    request = Request(
        folder=written.path,
        dockerfile=written.dockerfile.relative_to(written.path).as_posix(),
        platforms=written.platforms,
        network=options.network or project.docker.network,
        secrets=tuple(parse_secret(text) for text in options.secrets),
        ssh=tuple(parse_ssh(text) for text in options.ssh),
        cache_from=options.cache_from,
        cache_to=options.cache_to,
        builder=options.builder,
        fresh=options.fresh,
    )
    try:
        built = engine(name).build(request, into, logs=logs, progress=progress)
    except MachineError as error:
        raise _with_folder(error, folder) from error
    notes = readback.check(built.images, program=name, base=_base(lock), fresh=options.fresh)
    return replace(built, notes=(*written.notes, *built.notes, *notes))


def _base(lock: Lock) -> frozenset[Digest]:
    return frozenset(
        layer.diff_id for target in lock.targets if target.image is not None for layer in target.image.layers
    )


def _with_folder(error: MachineError, folder: Path) -> MachineError:
    """The error, and that the Dockerfile is there."""
    return MachineError(
        error.message,
        hint=error.hint,
        details=(*error.details, f"the Dockerfile is written all the same: docker build {folder}"),
    )
