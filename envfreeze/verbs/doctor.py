"""`doctor`: this machine, or one that is described, against a lock or an image.

Locking never looks at the host; this does, and changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, TypeVar

from envfreeze.errors import UsageError
from envfreeze.gpu.assessment import carries
from envfreeze.gpu.containers import find
from envfreeze.gpu.fleet import fleet, gpu_of
from envfreeze.gpu.host import PATIENCE, Host, machines, probe
from envfreeze.gpu.model import RUNS, Remedy
from envfreeze.gpu.remedies import NO_DRIVER, NO_GPUS
from envfreeze.locking.lockfile import NAME as LOCK
from envfreeze.oci.platform import Platform
from envfreeze.progress import SILENT
from envfreeze.replacing import replace
from envfreeze.verbs.built import OUTPUT
from envfreeze.verbs.checkup import Check, checks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from envfreeze.gpu.containers import Containers
    from envfreeze.gpu.model import Machine, Stack, Verdict, Word
    from envfreeze.gpu.tables import Tables
    from envfreeze.locking.model import Runtime, Target
    from envfreeze.progress import Progress

_T = TypeVar("_T")

_ASKING: Final = {
    NO_DRIVER: Remedy("name the driver of the machine that is meant", "envfreeze doctor --driver 580.65.06"),
    NO_GPUS: Remedy("name its GPU", "envfreeze doctor --driver 580.65.06 --gpu A100"),
}
"""What helps where too little is known of a machine: a configuration says it to `lock`, an option to this."""

_ORDER: Final[tuple[Word, ...]] = (
    "reject-driver",
    "reject-arch",
    "unknown",
    "forward-compat",
    "minor-compat",
    "native",
    "cpu-only",
)
"""The worst first."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is held against the machines.

    Attributes:
        kind: `lock` or `image`.
        path: of the lock's file, or what the image was named by.
        platform: the one that was looked at, `linux/amd64`.
        base: the base's reference; None: not known.
        stack: what it brings.
        env: the environment of the image's config; of a lock that which it will have, where the project says
            some of it, else None.

    """

    kind: str
    path: str
    platform: str
    base: str | None
    stack: Stack
    env: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What was found.

    Attributes:
        host: this machine's driver and GPUs; None: another machine was asked for.
        containers: how this machine gives GPUs to containers; None likewise.
        checks: what else of this machine matters; () likewise.
        machines: those that were judged: one for each kind of GPU.
        subject: None: only the machine was looked at.
        verdicts: one for each of `machines`; () without a subject.
        tables: version and digest of the tables that were used.

    """

    host: Host | None
    containers: Containers | None
    checks: tuple[Check, ...]
    machines: tuple[Machine, ...]
    subject: Subject | None
    verdicts: tuple[Verdict, ...]
    tables: tuple[str, str]

    @property
    def verdict(self) -> Verdict | None:
        """The worst."""
        return min(self.verdicts, key=lambda verdict: _ORDER.index(verdict.word), default=None)

    @property
    def rejected(self) -> bool:
        """Whether it is known not to run, as it is, on one of the machines."""
        if (
            self.verdicts
            and self.subject is not None
            and any(one.fatal for one in self.subject.stack.findings)
        ):
            return True
        return any(not self._runs(verdict) for verdict in self.verdicts)

    def _runs(self, verdict: Verdict) -> bool:
        if verdict.word == "forward-compat" and self.subject is not None and verdict.cuda is not None:
            return carries(self.subject.stack, verdict.cuda)
        return verdict.word in RUNS or verdict.word == "unknown"


def doctor(
    root: Path,
    *,
    driver: str | None = None,
    gpus: Sequence[str] = (),
    lock: Path | None = None,
    image: str | Path | None = None,
    platform: Platform | None = None,
    patience: float = PATIENCE,
    progress: Progress = SILENT,
) -> Diagnosis:
    """Look at a machine, and hold the project's lock or an image against it.

    Args:
        root: the project's folder. Its lock is taken where there is one, else the image that `build` wrote
            there, else nothing.
        driver: ask for a machine with this driver instead of looking at this one.
        gpus: likewise, with these GPUs: names or compute capabilities.
        lock: a lock's file, or the folder that it is in.
        image: named as `verbs.images` reads it: a layout, an archive, one of a registry or an engine.
        platform: of several in a lock or an image; None: this machine's, else the first.
        patience: seconds for the driver to answer.
        progress: is told of the reading of an image.

    Raises:
        UsageError: a GPU or driver is not one, or there is no lock or image where one is named.
        EditedError: the lock was edited.
        NetworkError: the registry does not give the image.
        UntrustedError: the image or the tables are damaged.

    """
    from envfreeze.gpu.judgement import judge  # noqa: PLC0415 - not needed by `--help`
    from envfreeze.gpu.update import current  # noqa: PLC0415 - likewise

    tables = current()
    asked = _asked(driver, gpus, tables)
    subject = _subject(root, lock, image, platform, tables, progress)
    host = None if asked else probe(patience=patience)
    judged = asked if host is None else _of_host(host, tables)
    containers = None if host is None else find(driver=host.version)
    verdicts: tuple[Verdict, ...] = ()
    if subject is not None:
        verdicts = tuple(_asking(judge(subject.stack, one, tables, env=subject.env)) for one in judged)
    return Diagnosis(
        host=host,
        containers=containers,
        checks=() if containers is None else checks(containers),
        machines=judged,
        subject=subject,
        verdicts=verdicts,
        tables=(tables.version, tables.digest),
    )


def _asking(verdict: Verdict) -> Verdict:
    return replace(verdict, remedies=tuple(_ASKING.get(one, one) for one in verdict.remedies))


def _asked(driver: str | None, gpus: Sequence[str], tables: Tables) -> tuple[Machine, ...]:
    """The machines that the command line describes; () where it describes none."""
    try:
        return fleet(driver, gpus, tables)
    except UsageError as error:
        message = error.message.replace("[gpu] driver:", "--driver").replace("[gpu] gpus:", "--gpu")
        raise UsageError(message, hint=error.hint, details=error.details) from None


def _of_host(host: Host, tables: Tables) -> tuple[Machine, ...]:
    """The host's machines, with what the tables add to what its GPUs say of themselves."""
    return tuple(
        replace(one, gpu=gpu_of(one.gpu.name, one.gpu.capability, tables=tables, brand=one.gpu.brand))
        if one.gpu is not None
        else one
        for one in machines(host)
    )


def _subject(
    root: Path,
    lock: Path | None,
    image: str | Path | None,
    platform: Platform | None,
    tables: Tables,
    progress: Progress,
) -> Subject | None:
    if lock is not None and image is not None:
        raise UsageError("--lock and --image are both named", hint="name one of them")
    if image is not None:
        return _of_image(str(image), root, platform, tables, progress)
    if lock is not None:
        if not lock.is_dir() and lock.name != LOCK:
            raise UsageError(f"{lock} is not a lock", hint=f"name the {LOCK}, or the folder that it is in")
        return _of_lock(lock if lock.is_dir() else lock.parent, platform, tables)
    if (root / LOCK).exists():
        return _of_lock(root, platform, tables)
    if (root / OUTPUT).exists():
        return _of_image(str(root / OUTPUT), root, platform, tables, progress)
    return None


def _of_lock(folder: Path, platform: Platform | None, tables: Tables) -> Subject:
    from envfreeze.locking import files  # noqa: PLC0415 - not needed by `--help`
    from envfreeze.locking.gpu import stack_of  # noqa: PLC0415 - likewise

    locked = files.read(folder)
    target = _one([(target.platform, target) for target in locked.targets], platform, str(folder / LOCK))
    return Subject(
        kind="lock",
        path=str(folder / LOCK),
        platform=str(target.platform),
        base=target.base.reference if target.image is None else target.image.reference,
        stack=stack_of(target, tables=tables),
        env=_environment(locked.runtime, target),
    )


def _environment(runtime: Runtime, target: Target) -> Mapping[str, str] | None:
    """The variables of the lock's image, where the project says some of those that a runtime reads."""
    if target.gpu is None or not any(name.startswith("NVIDIA_") for name in runtime.env):
        return None
    below = {} if target.image is None else target.image.env
    return {**below, **target.gpu.env, **runtime.env}


def _of_image(
    text: str, root: Path, platform: Platform | None, tables: Tables, progress: Progress
) -> Subject:
    from envfreeze.gpu.derivation import derive  # noqa: PLC0415 - not needed by `--help`
    from envfreeze.locking.image_packages import BASE_NAME, read  # noqa: PLC0415 - likewise
    from envfreeze.verbs.images import images_of, opened  # noqa: PLC0415 - likewise

    with opened(text, root=root, progress=progress) as found:
        image = _one([(one.platform, one) for one in images_of(found)], platform, text)
        content = read(image, progress)
    stack = derive(
        content.packages,
        content.base(text),
        platform=str(image.platform),
        tables=tables,
        os_packages=(content.compat,) if content.compat else (),
    )
    return Subject(
        kind="image",
        path=text,
        platform=str(image.platform),
        base=content.labels.get(BASE_NAME),
        stack=stack,
        env=content.env,
    )


def _one(found: Sequence[tuple[Platform, _T]], platform: Platform | None, where: str) -> _T:
    """The one for the platform that is asked for, else for this machine's, else the first."""
    by_platform = {str(each): one for each, one in reversed(found)}
    if platform is not None:
        if str(platform) not in by_platform:
            raise UsageError(f"{where} has nothing for {platform}", hint=f"it has {', '.join(by_platform)}")
        return by_platform[str(platform)]
    return by_platform.get(str(Platform.host()), found[0][1])
