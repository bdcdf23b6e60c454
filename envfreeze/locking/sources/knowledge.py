"""What has been learnt of packages that uv may not build: their metadata, and the names of unnamed folders.

uv asks, fails, is told, and asks again. Each package is built at most once, so this ends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from envfreeze.errors import MachineError, ResolutionError
from envfreeze.locking import requirements
from envfreeze.locking.indexes import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from envfreeze.locking.sources.builder import Builder
    from envfreeze.locking.sources.metadata import Metadata
    from envfreeze.locking.uv import BuildWantedError
    from envfreeze.project.model import Project

    Ask = Callable[[Sequence[str]], Mapping[str, Any]]
    """Asks uv to resolve requirements files; its answer."""

_UNKNOWN = "0"


class Known:
    """What uv is told beside the requirements.

    Args:
        scratch: the folder of uv's answer.
        builder: makes who builds what may be built; None: nothing may.

    """

    def __init__(self, scratch: Path, builder: Callable[[], Builder] | None) -> None:
        self._scratch = scratch
        self._builder = builder
        self._metadata: dict[tuple[str, str], Metadata] = {}
        self._names: dict[str, str] = {}

    def configuration(self) -> Path | None:
        """Write a uv.toml with what is known; None where nothing is.

        Raises:
            OSError: the disk refuses.

        """
        if not self._metadata:
            return None
        from envfreeze.locking.sources.metadata import configuration  # noqa: PLC0415 - only where uv asks

        path = self._scratch / "uv.toml"
        path.write_text(configuration(self._metadata.values()), encoding="utf-8")
        return path

    def requirements(self, project: Project, files: Sequence[str], shown_as: dict[str, str]) -> Sequence[str]:
        """Give the requirements files, with names put before the folders that had none.

        Args:
            project: has their content.
            files: as the project names them, or absolute.
            shown_as: gets what an error calls the copies.

        Raises:
            OSError: the disk refuses.

        """
        if not self._names:
            return files
        copies = self._scratch / "named"
        # All of them, since one may include another by a relative path.
        for name, content in project.inputs.items():
            if not name.startswith("<"):
                copy = copies / name
                copy.parent.mkdir(parents=True, exist_ok=True)
                copy.write_bytes(requirements.with_names(content, project.root, self._names))
        shown_as[f"{copies}/"] = ""
        named = []
        for file in files:
            copy = copies / file
            named.append(str(copy) if copy.is_relative_to(copies) and copy.exists() else file)
        return named

    def learn(self, wanted: BuildWantedError, project: Project, ask: Ask) -> None:
        """Build what uv wanted to build, and keep what it says of itself.

        Raises:
            ResolutionError: it may not be built, or its build fails.
            NetworkError: its source cannot be had.
            UntrustedError: its source is damaged.
            MachineError: builds cannot be isolated here.

        """
        if not wanted.package:
            self._learn_name(wanted.folder, project)
            return
        try:
            requirement = Requirement(wanted.package)
        except InvalidRequirement as error:
            raise ResolutionError(
                f"{redact(wanted.package)} would have to be built to learn what it depends on",
                hint="give it a name: `name @ URL`",
            ) from error
        name = canonicalize_name(requirement.name)
        if self._builder is None or (requirement.url is None and not self._builder().allows(name)):
            raise ResolutionError(
                f"{wanted.package} has no wheel for the target, and its sdist does not tell what it depends "
                "on without being built",
                hint="take a version that has a wheel, or let the sdist be built, in [pip]: "
                + allow_sdist([name]),
            )
        version = next((part.version for part in requirement.specifier), _UNKNOWN)
        if (name, version) in self._metadata or (version == _UNKNOWN and self._knows(name)):
            raise MachineError(
                f"uv does not take the metadata of {wanted.package}", hint="run it with another uv"
            )
        from envfreeze.locking.sources.metadata import Metadata  # noqa: PLC0415 - only where uv asks

        # Stated to be without dependencies for the moment, so that uv says where it is without building it.
        self._metadata[name, version] = Metadata(name, version)
        try:
            line = requirements.line_of(project, name) if requirement.url else None
            listed = self._scratch / "wanted.txt"
            listed.write_text(f"{line or wanted.package}\n", encoding="utf-8")
            packages = ask([str(listed)])["packages"]
            package = next((one for one in packages if canonicalize_name(one["name"]) == name), None)
            if package is None:
                raise ResolutionError(
                    f"{wanted.package} is wanted, but not by its own requirement {line or ''!r}",
                    hint="write its marker so that it holds for the target, or take it out",
                )
            learnt = self._builder().metadata(package, self._scratch)
        finally:
            del self._metadata[name, version]
        self._metadata[name, learnt.version] = learnt

    def _knows(self, name: str) -> bool:
        return any(known == name for known, _ in self._metadata)

    def _learn_name(self, folder: str, project: Project) -> None:
        root = project.root.resolve()
        path = root.joinpath(folder)
        if self._builder is None or not path.is_relative_to(root) or not path.is_dir():
            raise ResolutionError(
                "a requirement without a name would have to be built to learn it",
                hint="write its name before it: `name @ git+https://…@revision`",
            )
        relative = path.relative_to(root).as_posix()
        if relative in self._names:
            raise MachineError(f"uv does not take the metadata of {relative}", hint="run it with another uv")
        entry = {"name": "", "directory": {"path": str(path)}}
        learnt = self._builder().metadata(entry, self._scratch)
        self._names[relative] = learnt.name
        self._metadata[learnt.name, learnt.version] = learnt


def allow_sdist(names: Sequence[str]) -> str:
    """Write the line of the configuration that allows sdists."""
    return "allow-sdist = [" + ", ".join(f'"{name}"' for name in names) + "]"
