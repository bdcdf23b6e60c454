"""Asks a project's build backend (PEP 517), through `build`, with every hook in the sandbox."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from envfreeze.errors import EnvfreezeError, MachineError, ResolutionError
from envfreeze.locking.indexes import redact
from envfreeze.locking.sources.repack import repack
from envfreeze.locking.sources.sandbox import BuildError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from build import ProjectBuilder

    from envfreeze.locking.sources.repack import Built
    from envfreeze.locking.sources.sandbox import Sandbox

_NO_COMPILER = (
    "a build has no network and no compiler: if the package has compiled code, take a version that has a "
    "wheel, or the package from conda"
)


class Backend:
    """The build backend of an unpacked project.

    Args:
        what: names the package in errors.
        project: the folder with `pyproject.toml` or `setup.py`.
        python: the build environment's interpreter.
        sandbox: where hooks run.

    """

    def __init__(self, what: str, project: Path, python: Path, sandbox: Sandbox) -> None:
        self._what = what
        self._project = project
        self._python = python
        self._sandbox = sandbox

    def static_requirements(self) -> tuple[str, ...]:
        """Give `[build-system] requires`, or setuptools where the project has none (PEP 518).

        Raises:
            ResolutionError: this is no project, or its pyproject.toml is wrong.

        """
        with self._errors():
            return tuple(sorted(self._builder().build_system_requires))

    def further_requirements(self) -> tuple[str, ...]:
        """Ask the backend what else it needs (`get_requires_for_build_wheel`).

        Raises:
            ResolutionError: the backend fails or is missing.
            MachineError: this machine cannot isolate it.

        """
        with self._errors():
            return tuple(sorted(self._builder().get_requires_for_build("wheel")))

    def wheel(self, folder: Path) -> Built:
        """Build the wheel; its canonical form.

        Args:
            folder: where the backend may put it, inside the sandbox's own.

        Raises:
            ResolutionError: the backend fails.
            UntrustedError: what it made is no wheel.
            MachineError: this machine cannot isolate it.

        """
        with self._errors():
            path = Path(self._builder().build("wheel", folder))
        if path.parent != folder or not path.is_file():
            raise ResolutionError(
                f"{self._what}: its build says that it made {path.name!r}, which is not there"
            )
        return repack(path)

    def _builder(self) -> ProjectBuilder:
        from build import ProjectBuilder  # noqa: PLC0415 - heavy

        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # on the spelling of somebody else's pyproject.toml
            return ProjectBuilder(self._project, str(self._python), self._run)

    def _run(
        self, cmd: Sequence[str], cwd: str | None = None, extra_environ: Mapping[str, str] | None = None
    ) -> None:
        # pyproject-hooks exchanges arguments and results through files in a folder, the last argument.
        self._sandbox.run(cmd, Path(cwd or self._project), extra_environ or {}, also=Path(cmd[-1]))

    @contextmanager
    def _errors(self) -> Iterator[None]:
        from build import BuildBackendException, BuildException  # noqa: PLC0415 - heavy

        try:
            yield
        except BuildBackendException as error:
            raise self._explained(error.exception, str(error)) from error
        except (BuildException, ValueError) as error:
            # ValueError: pyproject-hooks refuses a backend-path that leads out of the project.
            said = redact(str(error)).replace(str(self._project), "its folder")
            raise ResolutionError(f"{self._what} cannot be built: {said}") from error

    def _explained(self, cause: Exception, said: str) -> EnvfreezeError:
        if isinstance(cause, EnvfreezeError):
            return cause
        if isinstance(cause, OSError):
            return MachineError(f"{self._what} cannot be built here: {cause.strerror or cause}")
        if isinstance(cause, BuildError):
            why = f": {cause.reason}" if cause.reason else ""
            return ResolutionError(
                f"{self._what} cannot be built{why}", details=cause.lines, hint=_NO_COMPILER
            )
        return ResolutionError(
            f"{self._what} cannot be built: {said.partition(chr(10))[0]}",
            hint="its build backend has to be among [build-system] requires",
        )
