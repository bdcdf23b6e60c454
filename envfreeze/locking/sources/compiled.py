"""Wheels that need a compiler: compiled twice in the devel stage of `[docker] build`, compared, and locked.

Who runs that stage is not known here: `Run` is what does it. What is compiled is what `workshop` builds, with
the target's own Python and with build requirements for the target, so that it fits it.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name, parse_wheel_filename
from packaging.version import Version

from envfreeze.digest import Digest
from envfreeze.errors import MachineError, ResolutionError, UntrustedError
from envfreeze.locking.model import Wheel
from envfreeze.locking.sources.backend import Backend
from envfreeze.locking.sources.repack import metadata_of, repack
from envfreeze.locking.sources.sandbox import Sandbox
from envfreeze.locking.sources.workshop import about, named, unpacked, versions, wheel_of
from envfreeze.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from packaging.tags import Tag

    from envfreeze.locking.model import CondaPackage, Devel, Source, StandalonePython
    from envfreeze.locking.pip import PipTarget
    from envfreeze.locking.sources.workshop import Workshop
    from envfreeze.store.cache import Cache

RULE = 1
"""Counted up when wheels are compiled otherwise: what was compiled before is not used then."""

_COMPILED = "compiled-wheel"


@dataclass(frozen=True, slots=True)
class Job:
    """One wheel to compile.

    Attributes:
        source: what to compile; with the locked build requirements.
        archive: its file.
        devel: the stage to compile in.
        target: what the wheel has to fit.
        conda: the conda packages that bring the target's Python; () where they do not.
        standalone: the build of Python that the target has; None: it has another Python.
        env: variables of the build.

    """

    source: Source
    archive: Path
    devel: Devel
    target: PipTarget
    conda: tuple[CondaPackage, ...]
    standalone: StandalonePython | None
    env: tuple[tuple[str, str], ...]


if TYPE_CHECKING:
    Run = Callable[[Job, Path], tuple[Path, ...]]
    """Compiles a wheel, and once more otherwise, below an empty folder; where they are."""


@dataclass(frozen=True, slots=True)
class Compiler:
    """Compiles the wheels of a target.

    Attributes:
        names: normalised names of the packages that are compiled.
        requires: PEP 508 requirements of all builds beyond what they state.
        target: what the wheels have to fit.
        conda: as in `Job`.
        standalone: as in `Job`.
        stage: gives the devel stage, resolving it when it is first asked for.
        tools: resolves build requirements for the target.
        run: compiles.
        workshop: has the cache, and tells what is done.

    """

    names: frozenset[str]
    requires: tuple[str, ...]
    target: PipTarget
    conda: tuple[CondaPackage, ...]
    standalone: StandalonePython | None
    stage: Callable[[], Devel]
    tools: Callable[[Sequence[str]], tuple[Wheel, ...]]
    run: Run
    workshop: Workshop

    def still_good(self, wheel: Wheel) -> bool:
        """Whether a wheel that was compiled before is what would be compiled now."""
        source = wheel.source
        if source is None or source.devel != self.stage().digest:
            return False
        had = {tool.name: Version(tool.version) for tool in source.requires}
        return all(_satisfied(Requirement(text), had) for text in self.requires)

    def build(self, source: Source, archive: Path, *, forgive: Callable[[str], bool]) -> tuple[Wheel, bytes]:
        """Compile a wheel twice, and lock what it was compiled with.

        Args:
            source: what to compile.
            archive: its file.
            forgive: whether the package of this name may be one whose builds differ.

        Returns:
            The wheel, neither requested nor direct, and its METADATA.

        Raises:
            ResolutionError: it cannot be compiled, does not fit, or two builds differ and may not.
            UntrustedError: the source or what was made of it is damaged.
            MachineError: nothing here can run the stage.

        """
        what = named(source)
        with self.workshop.scratch(what) as scratch, about(what):
            project = unpacked(source, archive, scratch / "look")
            sandbox = Sandbox(scratch / "look", Path(sys.executable).parent, 0o022, {})
            stated = Backend(what, project, Path(sys.executable), sandbox).static_requirements()
        locked = replace(
            source,
            python=".".join(self.target.python.split(".")[:2]),
            requires=_tools(self.tools((*stated, *self.requires))),
            devel=self.stage().digest,
        )
        key = _key(locked, self.conda, self.standalone)
        if (known := self._recall(key, locked)) is not None:
            return known
        self.workshop.progress.note(f"compiling {what} twice in its devel stage")
        with self.workshop.scratch(what) as scratch, about(what):
            one, two = (repack(path) for path in self.run(self.job(locked, archive), scratch))
        wheel = wheel_of(one, locked)
        if differing := one.differs_from(two):
            if not forgive(wheel.name):
                raise ResolutionError(
                    f"{what}: two builds of it are not the same wheel",
                    details=tuple(f"differs: {name}" for name in differing),
                    hint="accept that only machines that have this very wheel can build the image, in [pip]: "
                    f'allow-unreproducible = ["{wheel.name}"]',
                )
            note = f"two builds of it differ in {', '.join(differing[:20])}"
            wheel = replace(wheel, source=replace(locked, notes=(note,)))
        self.workshop.keep(one)
        if not differing:
            fact = {"filename": wheel.filename, "digest": str(wheel.digest)}
            self.workshop.cache.remember(_COMPILED, key, fact)
        return wheel, one.metadata

    def rebuild(self, wheel: Wheel, archive: Path) -> Path:
        """Compile a locked wheel again; its file.

        Raises:
            UntrustedError: it is another wheel than the locked one.
            ResolutionError: it cannot be compiled.
            MachineError: nothing here can run the stage.

        """
        source = wheel.source
        if source is None:
            raise ValueError(wheel.filename)
        if source.devel != self.stage().digest:
            raise UntrustedError(
                f"{wheel.filename}: the lock does not hold the stage that it was compiled in"
            )
        self.workshop.progress.note(f"compiling {wheel.filename} from its locked source")
        with self.workshop.scratch(wheel.filename) as scratch, about(wheel.filename):
            made = repack(self.run(self.job(source, archive), scratch)[0])
        if made.digest != wheel.digest:
            raise UntrustedError(
                f"{wheel.filename}: compiling its locked source here gives another wheel",
                details=(f"locked as {wheel.digest}, compiled here {made.digest}", *source.notes),
                hint="build where the wheel is in the cache or the wheelhouse, or lock again",
            )
        return self.workshop.keep(made)

    def job(self, source: Source, archive: Path) -> Job:
        """What `run` is asked for a locked source."""
        devel = self.stage()
        env = {**versions(source), **devel.env}
        variables = tuple(sorted(env.items()))
        return Job(source, archive, devel, self.target, self.conda, self.standalone, variables)

    def _recall(self, key: str, source: Source) -> tuple[Wheel, bytes] | None:
        return recalled(self.workshop.cache, key, source)


def recalled(cache: Cache, key: str, source: Source) -> tuple[Wheel, bytes] | None:
    """The wheel that was compiled for a key, where the cache still has it."""
    fact = cache.recall(_COMPILED, key)
    if fact is None:
        return None
    digest = Digest.parse(fact["digest"])
    path = cache.find(digest)
    if path is None:
        return None
    name, version, _, _ = parse_wheel_filename(fact["filename"])
    wheel = Wheel(
        name, str(version), fact["filename"], digest, path.stat().st_size, source.url, source=source
    )
    return wheel, metadata_of(path)


def fits(wheel: Wheel, target: PipTarget, accepted: Collection[Tag]) -> bool:
    """Whether a compiled wheel is for a target: `linux_x86_64` is what a compiler there makes."""
    tags = parse_wheel_filename(wheel.filename)[3]
    own = f"linux_{target.platform.machine}"
    known = {(tag.interpreter, tag.abi) for tag in accepted}
    return any(
        tag in accepted or (tag.platform == own and (tag.interpreter, tag.abi) in known) for tag in tags
    )


def check_alike(wheels: Sequence[Wheel]) -> None:
    """Refuse a compiled wheel that was built against another version of what the image has.

    Raises:
        ResolutionError: there is one; both versions are named.

    """
    locked = {wheel.name: wheel.version for wheel in wheels}
    for wheel in wheels:
        if wheel.source is None or wheel.source.devel is None:
            continue
        for tool in wheel.source.requires:
            if locked.get(tool.name, tool.version) != tool.version:
                raise ResolutionError(
                    f"{wheel.name} was compiled with {tool.name} {tool.version}, and the image has "
                    f"{tool.name} {locked[tool.name]}",
                    hint=f'pin it, in [docker]: build-requires = ["{tool.name}=={locked[tool.name]}"]',
                )


def missing(wheel: Wheel) -> MachineError:
    """What to say where a compiled wheel is nowhere, and nothing can compile it."""
    return MachineError(
        f"{wheel.filename} is compiled from its source, and this machine does not have it",
        hint="take it from the wheelhouse of the project, or build where Docker can compile it",
    )


def _satisfied(requirement: Requirement, had: dict[str, Version]) -> bool:
    version = had.get(canonicalize_name(requirement.name))
    return version is not None and requirement.specifier.contains(version, prereleases=True)


def _tools(wheels: Sequence[Wheel]) -> tuple[Wheel, ...]:
    return tuple(replace(wheel, requested=False, dependencies=(), index=None) for wheel in wheels)


def _key(source: Source, conda: Sequence[CondaPackage], standalone: StandalonePython | None) -> str:
    """All that a compiled wheel depends on, as canonical JSON."""
    parts: dict[str, Any] = {
        "rule": RULE,
        "kind": source.kind,
        "digest": source.digest.hex,
        "subdirectory": source.subdirectory,
        "versions": versions(source),
        "python": source.python,
        "devel": None if source.devel is None else source.devel.hex,
        "conda": [package.digest.hex for package in conda],
        "standalone": None if standalone is None else standalone.digest.hex,
        "requires": [wheel.digest.hex for wheel in source.requires],
    }
    return json.dumps(parts, sort_keys=True, separators=(",", ":"))
