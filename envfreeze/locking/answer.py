"""A resolver's answer for a project and a target: a PEP 751 document that offers every file of each package.

uv answers; pip-tools where the project asks for it, and uv then only adds the files to its versions. What the
project says beyond versions is held against the answer here: hashes, and which index a package comes from.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

import tomli
from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from envfreeze.errors import NetworkError, ResolutionError, UsageError
from envfreeze.locking import (
    guard,
    indexes,
    markers,
    origins,
    required_hashes,
    requirements,
    toml,
    uv,
    via,
)
from envfreeze.locking import provided as provided_sides
from envfreeze.locking.assigned import solve
from envfreeze.locking.pylock_sources import place_of
from envfreeze.locking.question import ASSIGNED, Question, pose
from envfreeze.locking.sources.knowledge import Known
from envfreeze.progress import SILENT
from envfreeze.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
    from pathlib import Path

    from envfreeze.locking.model import Wheel
    from envfreeze.locking.origins import Origin
    from envfreeze.locking.pip import PipTarget
    from envfreeze.locking.provided import Provided
    from envfreeze.locking.sources.builder import Builder
    from envfreeze.progress import Progress
    from envfreeze.project.model import Project
    from envfreeze.store.cache import Cache


@dataclass(frozen=True, slots=True)
class Answer:
    """What a resolver answers.

    Attributes:
        document: as PEP 751 has it. Packages have an `index` where the project has several.
        needs: gives normalised name to the normalised names of what it needs, sorted; empty where uv does not
            tell. Where uv has to be asked for it, what is passed is called while it answers, and must not
            raise; it need not be called.

    """

    document: Mapping[str, Any]
    needs: Callable[[Callable[[], object]], Mapping[str, tuple[str, ...]]]


def find(
    project: Project,
    target: PipTarget,
    pins: Sequence[Wheel],
    scratch: Path,
    *,
    offline: bool,
    newest: str | None,
    provided: Sequence[Provided] = (),
    builder: Callable[[], Builder] | None = None,
    cache: Cache | None = None,
    meanwhile: Callable[[], None] | None = None,
    progress: Progress,
) -> Answer:
    """Resolve.

    Args:
        project: its `pip` settings and requirements.
        target: what the packages have to fit.
        pins: wheels whose versions are kept where the requirements allow it.
        scratch: a temporary folder that nobody else can read.
        offline: take from uv's cache only.
        newest: no file uploaded after this moment.
        provided: distributions that are there already, at exactly these versions; they are not in the answer.
        builder: makes who builds what has to be built to learn what it depends on; None: nothing is.
        cache: where the interpreter stays that uv asks; None: one is made for this time.
        meanwhile: called while uv runs, each time; what it raises ends uv.
        progress: told what uv warns of.

    Raises:
        ResolutionError: there is no answer.
        NetworkError: an index did not answer, or not with what can be read.
        UntrustedError: no file of a package has a hash that the project states, or a source is damaged.
        UsageError: the project leaves the target out, or asks pip-tools for what it cannot do.
        MachineError: a resolver is missing, or builds cannot be isolated here.
        OSError: the folder cannot be written.

    """
    environment = markers.environment(target.platform, target.python)
    _check_environment(project, target, environment)
    asked, further, by_piptools = project, tuple[str, ...](), None
    if project.pip.resolver == "pip-tools":
        from envfreeze.locking import piptools  # noqa: PLC0415 - only where it is asked for

        if provided:
            raise UsageError("pip-tools does not know what conda provides", hint='set [pip] resolver = "uv"')
        try:
            by_piptools = piptools.resolve(project, target, pins, scratch, offline=offline, newest=newest)
        except piptools.GaveUpError:
            # Where there is no answer uv names the constraints that chase each other.
            by_uv = replace(project, pip=replace(project.pip, resolver="uv"))
            find(by_uv, target, (), scratch, offline=offline, newest=newest, cache=cache, progress=SILENT)
            raise
        except ResolutionError as error:
            from envfreeze.locking import diagnosis  # noqa: PLC0415 - only where something fails

            raise diagnosis.explained(error, project, newest=newest, offline=offline) from error
        asked, further, pins = piptools.pinned_to(project, by_piptools.pinned), piptools.COMPLETING, ()
    there = frozenset(one.name for one in provided)
    desk = _Desk(
        asked,
        target,
        tuple(pins),
        scratch,
        offline,
        newest,
        further,
        {},
        there,
        guard.make(scratch / "guard") if cache is None else guard.kept(cache),
        Known(scratch, builder),
        meanwhile,
    )
    assignments = tuple(one for one in asked.pip.assignments if one.packages not in there)
    wanted = requirements.requested(asked, environment) - there
    desk, document, assigned = _around(desk, provided, partial(solve, assignments, wanted, environment))
    for sentence in desk.said(provided):
        progress.warn(sentence)
    document = required_hashes.hold(document, requirements.hashed(project), environment)
    several = indexes.of_project(asked).are_several
    if several:
        written = desk.annotated(assigned, document)
        if document.get("packages") and not written:
            raise NetworkError(
                "the index that each package comes from cannot be found out: the indexes answer no more",
                hint="try again",
            )
        document = _with_indexes(document, origins.parse(written))
        needs = via.dependencies(written) if by_piptools is None else by_piptools.needs
        return Answer(document, lambda _: needs)
    if by_piptools is not None:
        return Answer(document, lambda _: by_piptools.needs)
    return Answer(document, partial(_needs, desk, assigned, document, progress))


def _needs(
    desk: _Desk,
    assigned: Mapping[str, str],
    document: Mapping[str, Any],
    progress: Progress,
    meanwhile: Callable[[], object],
) -> Mapping[str, tuple[str, ...]]:
    """Ask uv who needs whom in its answer."""
    written = desk.annotated(assigned, document, meanwhile)
    if document.get("packages") and not written:
        progress.warn("uv does not tell which package needs which: `tree` and `why` will not know it either")
    return via.dependencies(written)


def _around(
    desk: _Desk,
    provided: Sequence[Provided],
    solved: Callable[..., tuple[Mapping[str, Any], Mapping[str, str]]],
) -> tuple[_Desk, Mapping[str, Any], Mapping[str, str]]:
    """Resolve around what is there already, until the extras that are asked for of it are known."""
    while True:
        beside = desk.beside(provided) if provided else desk
        document, assigned = solved(beside.ask, beside.unneeded)
        lacking = provided_sides.lacking(beside.warned, provided).values()
        unknown = {one.name: one for one, _ in lacking if one.name not in desk.extras}
        if not unknown:
            return beside, document, assigned
        # Only now is it known whose extras count; most packages need not be read for theirs.
        found = {name: provided_sides.extras_of(one) for name, one in unknown.items()}
        desk = replace(desk, extras={**desk.extras, **found})


def _without_extra(one: Provided, extra: str, *, known: bool) -> str:
    if known:
        return f"{one.name}[{extra}]: conda's {one.package} has no such extra"
    return (
        f"{one.name}[{extra}]: what it needs beside {one.name} is not known, since conda's {one.package} "
        "does not say it; name it among pip's requirements"
    )


@dataclass(frozen=True, slots=True)
class _Desk:
    """Where uv is asked, as often as it takes.

    Attributes:
        project: what is asked.
        target: for what.
        pins: versions to keep.
        scratch: the temporary folder.
        offline: take from uv's cache only.
        newest: the cutoff.
        further: arguments beside those of the question.
        shown_as: paths in those, and what an error calls them.
        there: names of what is there already.
        python: the interpreter that builds nothing.
        known: what was learnt of packages by building them.
        meanwhile: called while uv runs.
        warned: what uv warned of, as keys, in order.
        extras: by name of what is there already, lines of METADATA that state its extras.

    """

    project: Project
    target: PipTarget
    pins: tuple[Wheel, ...]
    scratch: Path
    offline: bool
    newest: str | None
    further: tuple[str, ...]
    shown_as: Mapping[str, str]
    there: frozenset[str]
    python: Path
    known: Known
    meanwhile: Callable[[], object] | None
    warned: dict[str, None] = field(default_factory=dict)
    extras: Mapping[str, str] = field(default_factory=dict)

    def beside(self, provided: Sequence[Provided]) -> _Desk:
        """Give a desk that knows what is there already."""
        stubs = self.scratch / f"conda-{len(self.extras)}"
        option = f"--constraints={provided_sides.write_constraints(provided, stubs, self.extras)}"
        shown_as = {f"{stubs.as_uri()}/": "conda:", str(stubs): "conda"}
        return replace(self, further=(*self.further, option), shown_as=shown_as, warned={})

    def said(self, provided: Sequence[Provided]) -> Iterator[str]:
        """What uv warned of; what it says of a stub is told of the package that the stub stands for."""
        lacking = provided_sides.lacking(self.warned, provided)
        for sentence in self.warned:
            if sentence in lacking:
                one, extra = lacking[sentence]
                yield _without_extra(one, extra, known=bool(self.extras.get(one.name)))
            else:
                yield sentence

    def ask(self, assigned: Mapping[str, str]) -> Mapping[str, Any]:
        """Ask for an answer where the named packages come from the named indexes."""
        while True:
            try:
                return _without(self._answer(assigned), self.there)
            except uv.BuildWantedError as wanted:
                alone = {name: index for name, index in assigned.items() if name == _name(wanted.package)}
                self.known.learn(wanted, self.project, partial(self._answer, alone))
            except ResolutionError as error:
                from envfreeze.locking import diagnosis  # noqa: PLC0415 - only where something fails

                raise diagnosis.explained(
                    error, self.project, newest=self.newest, offline=self.offline
                ) from error

    def _answer(self, assigned: Mapping[str, str], only: Sequence[str] | None = None) -> Mapping[str, Any]:
        """Ask once; `only`: for these files' requirements instead of the project's."""
        output = self.scratch / "pylock.toml"
        # uv keeps the versions that its output file already holds.
        _write_pins(output, self.pins)
        said = self._compile(assigned, output, offline=self.offline, only=only)
        self.warned.update(dict.fromkeys(said))
        return tomli.loads(output.read_text(encoding="utf-8"))

    def annotated(
        self,
        assigned: Mapping[str, str],
        document: Mapping[str, Any],
        meanwhile: Callable[[], object] | None = None,
    ) -> str:
        """Ask for the same again, with who needs each package and where it came from.

        What is asked again is in uv's cache, unless it was told to keep none (UV_NO_CACHE) or cleared just
        now; it takes some 50 ms. "": there is no answer.
        """
        if meanwhile is not None:
            return replace(self, meanwhile=meanwhile).annotated(assigned, document)
        kept = self.scratch / "annotated.txt"
        lines = [
            f"{package['name']}=={package['version']}\n"
            for package in document.get("packages", ())
            if "version" in package and "archive" not in package
        ]
        for cached in (True,) if self.offline else (True, False):
            kept.write_text("".join(lines), encoding="utf-8")
            try:
                self._compile(assigned, kept, offline=cached, annotated=True)
            except (NetworkError, ResolutionError):
                continue
            return kept.read_text(encoding="utf-8")
        return ""

    def unneeded(self, assigned: Mapping[str, str], document: Mapping[str, Any]) -> set[str]:
        """Tell which assigned packages nothing else asks for."""
        found = origins.parse(self.annotated(assigned, document))
        return {
            name
            for name in assigned
            if name in found and all(who.startswith(ASSIGNED) for who in found[name].via)
        }

    def _compile(
        self,
        assigned: Mapping[str, str],
        output: Path,
        *,
        offline: bool,
        only: Sequence[str] | None = None,
        annotated: bool = False,
    ) -> tuple[str, ...]:
        asked = self._question(assigned)
        shown_as = {**asked.shown_as, **self.shown_as}
        own = self.known.requirements(self.project, asked.sources, shown_as) if only is None else only
        return uv.compile_pylock(
            [*asked.arguments, *self.further, f"--output-file={output}", "--", *own, *asked.assigning],
            folder=self.project.root,
            indexes=asked.where,
            offline=offline,
            shown_as=shown_as,
            python=self.python,
            configuration=self.known.configuration(),
            secrets=asked.secrets,
            annotated=annotated,
            meanwhile=self.meanwhile,
        )

    def _question(self, assigned: Mapping[str, str]) -> Question:
        return pose(
            self.project,
            assigned,
            self.scratch,
            python=self.target.python,
            platform=f"{self.target.platform.machine}-{self.target.manylinux}",
            newest=self.newest,
        )


def _check_environment(project: Project, target: PipTarget, environment: Mapping[str, str]) -> None:
    allowed = project.pip.adjustments.environments
    if allowed and not any(markers.holds(marker, environment) for marker in allowed):
        raise UsageError(
            f"pyproject.toml: tool.uv.environments leaves out {target}",
            hint=f"add a marker that holds there, as in \"platform_machine == '{target.platform.machine}'\"",
        )


def _name(requirement: str) -> str:
    try:
        return canonicalize_name(Requirement(requirement).name)
    except InvalidRequirement:
        return ""


def _without(document: Mapping[str, Any], names: Collection[str]) -> Mapping[str, Any]:
    """The answer without the packages of these names."""
    if not names:
        return document
    packages = [row for row in document.get("packages", ()) if canonicalize_name(row["name"]) not in names]
    return {**document, "packages": packages}


def _write_pins(output: Path, pins: Sequence[Wheel]) -> None:
    # A URL pins itself; of a branch or a tag it is the commit that stays.
    packages: list[dict[str, toml.Value]] = [
        {"name": pin.name, "version": pin.version} for pin in pins if not pin.direct
    ]
    packages += [
        {"name": pin.name, "vcs": place_of(pin.source, None)}
        for pin in pins
        if pin.source is not None and pin.source.kind == "git"
    ]
    document: dict[str, toml.Value] = {
        "lock-version": "1.0",
        "created-by": "envfreeze",
        "packages": packages,
    }
    output.write_text(toml.dumps(document), encoding="utf-8")


def _with_indexes(document: Mapping[str, Any], found: Mapping[str, Origin]) -> Mapping[str, Any]:
    """Write the index of each package into the answer, as PEP 751 has it."""
    packages = []
    for package in document.get("packages", ()):
        origin = found.get(package["name"])
        packages.append(
            package if origin is None or origin.index is None else {**package, "index": origin.index}
        )
    return {**document, "packages": packages}
