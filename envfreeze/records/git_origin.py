"""Projects in a git repository with a commit."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from envfreeze.errors import MachineError
from envfreeze.records import file_shelf, included, kept, patch, trees
from envfreeze.records.checkout import checkout
from envfreeze.records.folder_origin import FolderOrigin
from envfreeze.records.model import KeptFile, Snapshot
from envfreeze.records.restored import emptied, put

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from envfreeze.digest import Digest
    from envfreeze.progress import Progress
    from envfreeze.records.git import Repository
    from envfreeze.records.model import Record

_OUTPUT = (".envfreeze", file_shelf.FILE)
"""What builds write into the project's folder: no change of the user's."""


@dataclass(frozen=True, slots=True)
class GitOrigin:
    """An `Origin` that is a repository.

    Attributes:
        root: the project's folder.
        repository: what it is in.
        progress: is warned of what cannot be recorded.

    """

    root: Path
    repository: Repository
    progress: Progress

    def snapshot(self, lock_files: Mapping[str, bytes], include: Sequence[str]) -> Snapshot:
        """Tell what a build starts from; lock and uncommitted changes are kept where no commit has them."""
        commit = self.repository.resolve("HEAD^{commit}")
        if commit is None:
            return FolderOrigin(self.root).snapshot(lock_files, include)
        output = [name for name in _OUTPUT if not any(path.split("/")[0] == name for path in include)]
        try:
            with tempfile.TemporaryDirectory(prefix="envfreeze-") as scratch:
                dirty, changes = patch.write(
                    self.repository,
                    commit,
                    Path(scratch),
                    leave_out=[*lock_files, *output],
                    include=include,
                    progress=self.progress,
                )
                lock, changes_kept = self._keep(lock_files, changes, Path(scratch))
        except OSError as error:
            raise MachineError(
                f"what the build starts from could not be noted in {tempfile.gettempdir()}: {error.strerror}",
                hint="free some space there, or set TMPDIR to a folder with more",
            ) from error
        if changes_kept is not None or not self._committed(commit, lock):
            kept.hold(self.repository, lock, changes_kept)
        return Snapshot(
            commit=commit,
            project=self.repository.project,
            dirty=dirty,
            patch=changes_kept,
            lock=lock,
            included=included.digest_of(self.root, include),
        )

    def restore(self, record: Record, folder: Path, attached: Mapping[Digest, bytes] | None = None) -> Path:
        """Check the commit out, apply the patch, put the recorded lock in."""
        source = record.source
        if source.commit is None:
            return FolderOrigin(self.root).restore(record, folder)
        at_hand = attached or {}
        changes = None if source.patch is None else self._read(source.patch, "patch", at_hand)
        lock = {name: self._read(file, name, at_hand) for name, file in source.lock.items()}
        with emptied(folder) as place:
            checkout(self.repository, source.commit, changes, place, self.progress)
            return put(lock, place, source.project)

    def _read(self, file: KeptFile, name: str, attached: Mapping[Digest, bytes]) -> bytes:
        content = attached.get(file.digest)
        return kept.read(self.repository, file, name) if content is None else content

    def _keep(
        self, lock_files: Mapping[str, bytes], changes: Path | None, scratch: Path
    ) -> tuple[dict[str, KeptFile], KeptFile | None]:
        paths = {}
        for number, (name, content) in enumerate(sorted(lock_files.items())):
            paths[name] = scratch / f"lock-{number}"
            paths[name].write_bytes(content)
        lock = kept.write(self.repository, paths)
        return lock, None if changes is None else kept.write(self.repository, {"patch": changes})["patch"]

    def _committed(self, commit: str, lock: Mapping[str, KeptFile]) -> bool:
        """Whether the commit itself has each lock file, so that whoever has the commit has the lock."""
        folder = "" if self.repository.project == "." else f"{self.repository.project}/"
        blobs = {f"{folder}{name}": file.blob for name, file in lock.items()}
        there = trees.listing(self.repository.git, commit, *(f":(literal){path}" for path in blobs))
        return blobs.items() <= {entry.name: entry.id for entry in there}.items()
