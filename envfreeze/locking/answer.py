"""A resolver's answer for a project and a target: a PEP 751 document that offers every file of each package.

uv answers; pip-tools where the project asks for it, and uv then only adds the files to its versions. What the
project says beyond versions is held against the answer here: hashes, and which index a package comes from.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from envfreeze.errors import NetworkError, ResolutionError, UsageError
from envfreeze.locking import (
    diagnosis,
    indexes,
    markers,
    origins,
    piptools,
    required_hashes,
    requirements,
    toml,
    uv,
)
from envfreeze.locking.assigned import solve
from envfreeze.locking.question import ASSIGNED, Question, pose

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from envfreeze.locking.model import Wheel
    from envfreeze.locking.origins import Origin
    from envfreeze.locking.pip import PipTarget
    from envfreeze.progress import Progress
    from envfreeze.project.model import Project


def find(
    project: Project,
    target: PipTarget,
    pins: Sequence[Wheel],
    scratch: Path,
    *,
    offline: bool,
    newest: str | None,
    progress: Progress,
) -> Mapping[str, Any]:
    """Resolve.

    Args:
        project: its `pip` settings and requirements.
        target: what the packages have to fit.
        pins: wheels whose versions are kept where the requirements allow it.
        scratch: a temporary folder that nobody else can read.
        offline: take from uv's cache only.
        newest: no file uploaded after this moment.
        progress: told what uv warns of.

    Returns:
        The document. Packages have an `index` where the project has several.

    Raises:
        ResolutionError: there is no answer.
        NetworkError: an index did not answer, or not with what can be read.
        UntrustedError: no file of a package has a hash that the project states.
        UsageError: the project leaves the target out, or asks pip-tools for what it cannot do.
        MachineError: a resolver is missing.
        OSError: the folder cannot be written.

    """
    environment = markers.environment(target.platform, target.python)
    allowed = project.pip.adjustments.environments
    if allowed and not any(markers.holds(marker, environment) for marker in allowed):
        raise UsageError(
            f"pyproject.toml: tool.uv.environments leaves out {target}",
            hint=f"add a marker that holds there, as in \"platform_machine == '{target.platform.machine}'\"",
        )
    asked, further = project, tuple[str, ...]()
    if project.pip.resolver == "pip-tools":
        try:
            found = piptools.resolve(project, target, pins, scratch, offline=offline, newest=newest)
        except ResolutionError as error:
            raise diagnosis.explained(error, project, newest=newest, offline=offline) from error
        asked, further, pins = piptools.pinned_to(project, found), piptools.COMPLETING, ()
    desk = _Desk(asked, target, tuple(pins), scratch, offline, newest, further)
    document, assigned = solve(
        asked.pip.assignments,
        requirements.requested(asked, environment),
        environment,
        desk.ask,
        desk.unneeded,
    )
    for sentence in desk.warned:
        progress.warn(sentence)
    document = required_hashes.hold(document, requirements.hashed(project), environment)
    if not indexes.of_project(asked).are_several:
        return document
    return _with_indexes(document, desk.origins(assigned, document))


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
        warned: what uv warned of, as keys, in order.

    """

    project: Project
    target: PipTarget
    pins: tuple[Wheel, ...]
    scratch: Path
    offline: bool
    newest: str | None
    further: tuple[str, ...]
    warned: dict[str, None] = field(default_factory=dict)

    def ask(self, assigned: Mapping[str, str]) -> Mapping[str, Any]:
        """Ask for an answer where the named packages come from the named indexes."""
        output = self.scratch / "pylock.toml"
        # uv keeps the versions that its output file already holds.
        _write_pins(output, self.pins)
        asked = self._question(assigned)
        try:
            said = uv.compile_pylock(
                [*asked.arguments, *self.further, f"--output-file={output}", "--", *asked.sources],
                folder=self.project.root,
                indexes=asked.where,
                offline=self.offline,
                shown_as=asked.shown_as,
                secrets=asked.secrets,
            )
        except ResolutionError as error:
            raise diagnosis.explained(
                error, self.project, newest=self.newest, offline=self.offline
            ) from error
        self.warned.update(dict.fromkeys(said))
        return tomllib.loads(output.read_text(encoding="utf-8"))

    def origins(self, assigned: Mapping[str, str], document: Mapping[str, Any]) -> Mapping[str, Origin]:
        """Ask for the same again, with where everything came from."""
        kept = self.scratch / "annotated.txt"
        lines = [
            f"{package['name']}=={package['version']}\n"
            for package in document.get("packages", ())
            if "version" in package and "archive" not in package
        ]
        kept.write_text("".join(lines), encoding="utf-8")
        asked = self._question(assigned)
        written = uv.annotate(
            [*asked.arguments, *self.further, f"--output-file={kept}", "--", *asked.sources],
            folder=self.project.root,
            indexes=asked.where,
            offline=self.offline,
            secrets=asked.secrets,
        )
        found = origins.parse(written)
        if document.get("packages") and not found:
            raise NetworkError(
                "the index that each package comes from cannot be found out: the indexes answer no more",
                hint="try again",
            )
        return found

    def unneeded(self, assigned: Mapping[str, str], document: Mapping[str, Any]) -> set[str]:
        """Tell which assigned packages nothing else asks for."""
        found = self.origins(assigned, document)
        return {
            name
            for name in assigned
            if name in found and all(who.startswith(ASSIGNED) for who in found[name].via)
        }

    def _question(self, assigned: Mapping[str, str]) -> Question:
        return pose(
            self.project,
            assigned,
            self.scratch,
            python=self.target.python,
            platform=f"{self.target.platform.machine}-{self.target.manylinux}",
            newest=self.newest,
        )


def _write_pins(output: Path, pins: Sequence[Wheel]) -> None:
    # A URL pins itself.
    packages = [{"name": pin.name, "version": pin.version} for pin in pins if not pin.direct]
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
