"""A build with Podman or Buildah: in a storage of its own, exported, and the storage gone with the build."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.engines.driven import context, failing, process
from envfreeze.engines.driven.log import opened
from envfreeze.engines.driven.model import Built
from envfreeze.engines.driven.secrets import hidden
from envfreeze.engines.podman import command, program, words
from envfreeze.errors import UsageError
from envfreeze.oci import layout
from envfreeze.oci.image import ImageIndex

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from envfreeze.engines.driven.log import Log
    from envfreeze.engines.driven.model import Request
    from envfreeze.engines.podman.program import Program
    from envfreeze.oci.image import Image
    from envfreeze.progress import Progress


@dataclass(frozen=True, slots=True)
class Containers:
    """The engine of one of the programs.

    Attributes:
        name: `podman` or `buildah`.

    """

    name: str

    def ready(self, request: Request) -> Program:
        """Find the program, and refuse what it would not do.

        Raises:
            UsageError: a platform does not run here, or an option is another engine's.
            MachineError: the program is missing, too old, or does not work.

        """
        if request.builder is not None:
            raise UsageError(f"{self.name} has no builders to choose from", hint="leave --builder out")
        for option, specs in (("--cache-from", request.cache_from), ("--cache-to", request.cache_to)):
            for spec in specs:
                if "=" in spec:
                    raise UsageError(
                        f"{option} {spec}: {self.name} takes a repository",
                        hint=f"{option} registry.example.org/team/train-cache",
                    )
        found = program.find(self.name)
        program.check_platforms(request.platforms)
        return found

    def build(self, request: Request, into: Path, *, logs: Path, progress: Progress) -> Built:
        """Build an image, or one for each platform; as `engines.docker.build.build`.

        Raises:
            UsageError: as `ready` says.
            MachineError: as `ready` says, or a step fails.
            UntrustedError: what it wrote is no OCI layout.

        """
        found = self.ready(request)
        images: list[Image] = []
        with self._driven(request, into, logs, progress) as (staged, log):
            for platform in request.platforms:
                own = command.storage(found, into / f"storage-{platform.slug}")
                identity, made = into / f"id-{platform.slug}", into / f"image-{platform.slug}"
                limits = program.limits()
                built = command.image(found, request, platform, staged, identity, limits)
                with self._alone(into / f"storage-{platform.slug}"):
                    self._run([*own, *built], into, log, progress)
                    export = command.export(identity.read_text().strip(), made)
                    self._run([*own, *export], into, log, progress)
                image = layout.read(made)
                images += image.images if isinstance(image, ImageIndex) else [image]
        return Built(images=tuple(images), tools=found.tools, log=log.path)

    def extract(self, request: Request, into: Path, *, logs: Path, progress: Progress) -> Path:
        """Build a stage and give the folder with its files; as `engines.docker.build.extract`.

        Raises:
            UsageError: as `ready` says.
            MachineError: as `ready` says, or a step fails.

        """
        found = self.ready(request)
        made = into / "files"
        made.mkdir()
        with self._driven(request, into, logs, progress) as (staged, log):
            own = command.storage(found, into / "storage")
            (platform,) = request.platforms
            built = command.files(request, platform, staged, made, program.limits())
            with self._alone(into / "storage"):
                self._run([*own, *built], into, log, progress)
        return made

    @contextmanager
    def _driven(
        self, request: Request, into: Path, logs: Path, progress: Progress
    ) -> Iterator[tuple[Path, Log]]:
        with (
            opened(logs, self.name, hidden(request.secrets), progress) as log,
            context.staged(request.folder, into) as staged,
        ):
            yield staged, log

    def _run(self, command: Sequence[str], into: Path, log: Log, progress: Progress) -> None:
        watched = words.Build(log, progress)
        # Cache mounts are kept below the folder for temporary files, whatever the storage.
        temporary = into / "tmp"
        temporary.mkdir(exist_ok=True)
        environment = program.environment() | {"TMPDIR": str(temporary)}
        try:
            status = process.run(command, watched.line, environment, apart=program.apart())
        finally:
            watched.close()
        if status != 0:
            step, why, said = watched.failure
            raise failing.failure(self.name, step, why, said, log.path)

    @contextmanager
    def _alone(self, storage: Path) -> Iterator[None]:
        """A storage for as long as the block lasts.

        Without root its files belong to ids that only the program can act as.
        """
        try:
            yield
        finally:
            if storage.exists() and not program.apart():
                process.ask([self.name, "unshare", "rm", "-rf", str(storage)], program.environment())
            else:
                shutil.rmtree(storage, ignore_errors=True)
