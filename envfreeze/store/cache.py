"""The content-addressed cache.

**Safe to kill.** Whatever is written is written beside the store and enters it by one `rename`, which is
done or not done; killed at any moment, a process leaves at most an unnamed file that the next one sweeps.

**No fsync.** A rename orders what other processes see, and that is all a kill can disturb. Only a power
cut can leave a named file with missing content, and syncing gigabytes at every build is a high price for
that: content is checked against its digest where it is used, facts carry a digest of themselves, and
`verify` removes what a crash has damaged. `find` passes over empty files, the usual trace of such a crash.
"""

from __future__ import annotations

import os
import stat
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, Self

from envfreeze.digest import Digest
from envfreeze.progress import SILENT
from envfreeze.store import checked, disk, facts, locks, recency, session
from envfreeze.store.layout import Layout, default_root

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from types import TracebackType

    from envfreeze.progress import Progress
    from envfreeze.store.upkeep import CacheInfo, Damaged, Pruned


_EMPTY: Final = Digest.of(b"")


class Cache:
    """A folder of blobs and facts that any number of processes and threads may use at once.

    Get one with `Cache.open`. While it is open nothing is pruned by others. It closes by `close`, at the
    end of a `with`, when nobody refers to it any more, or with the process.

    Attributes:
        root: the folder, absolute.

    """

    __slots__ = ("__weakref__", "_session", "layout", "root")

    def __init__(self, layout: Layout, opened: session.Session) -> None:
        self.root = layout.root
        self.layout = layout
        self._session = opened

    def __repr__(self) -> str:
        return f"Cache({str(self.root)!r})"

    @classmethod
    def open(cls, root: Path | None = None) -> Cache:
        """Open the cache at `root`, made if need be; None: where the user keeps it (`default_root`).

        Raises:
            MachineError: the folder cannot be written, or has a layout of another version.
            UsageError: the folder holds other things.

        """
        layout = Layout((root or default_root()).absolute())
        with disk.in_words(layout.root):
            layout.establish()
            return cls(layout, session.Session(layout))

    def close(self) -> None:
        """Remove what was not committed and let others prune. The cache cannot be written after that."""
        self._session.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def find(self, digest: Digest) -> Path | None:
        """The blob's file, which is read-only, or None. Costs one `stat`; the content is not read."""
        path = self.layout.blob(digest)
        try:
            status = os.stat(path)  # noqa: PTH116 - called for every artifact
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise disk.explain(error, self.root) from error
        if not stat.S_ISREG(status.st_mode) or (status.st_size == 0 and digest != _EMPTY):
            return None
        recency.mark_used(path, status)
        return path

    @contextmanager
    def writer(self) -> Iterator[BlobWriter]:
        """A new file that becomes a blob by its `commit`, and is gone at the end without it.

        Raises:
            MachineError: the disk is full or refuses, here or in the block.

        """
        with disk.in_words(self.root):
            descriptor, name = tempfile.mkstemp(dir=self._session.folder, prefix="blob-")
        path = Path(name)
        file = open(descriptor, "w+b", buffering=0)  # noqa: PTH123, SIM115 - a descriptor; closed below
        try:
            # Inside, so that a full disk's message is made while it is still full.
            with disk.refusals_in_words(self.root):
                yield BlobWriter(self, path, file)
        finally:
            file.close()
            path.unlink(missing_ok=True)

    @contextmanager
    def scratch(self) -> Iterator[Path]:
        """A temporary folder on the cache's file system, removed at the end with all that is in it.

        Raises:
            MachineError: the disk is full or refuses, here or in the block.

        """
        with disk.in_words(self.root):
            folder = Path(tempfile.mkdtemp(dir=self._session.folder, prefix="scratch-"))
        try:
            with disk.refusals_in_words(self.root):
                yield folder
        finally:
            session.remove(folder)

    def adopt(self, path: Path, digest: Digest) -> Path:
        """Move a finished file of the cache's own `tmp` or `partial` into the store.

        A blob that is there already stays, and the file is removed. The caller computed the digest.

        Raises:
            MachineError: the disk refuses.

        """
        with disk.in_words(self.root):
            if (present := self.find(digest)) is not None:
                path.unlink()
                return present
            path.chmod(0o444)
            target = self.layout.blob(digest)
            target.parent.mkdir(exist_ok=True)
            return path.replace(target)

    def checked(self, digest: Digest) -> bool:
        """Whether the blob is still the file whose digest was computed, since the machine started."""
        noted = self.recall(checked.RULE, str(digest))
        return noted is not None and noted == self._signature(digest)

    def note_checked(self, digest: Digest) -> None:
        """Note that the digest of the blob was computed and is right.

        Raises:
            MachineError: the disk refuses.

        """
        signature = self._signature(digest)
        if signature is not None:
            self.remember(checked.RULE, str(digest), signature)

    def _signature(self, digest: Digest) -> dict[str, Any] | None:
        try:
            return checked.signature(self.layout.blob(digest).stat())
        except OSError:
            return None

    def discard(self, digest: Digest) -> None:
        """Remove a blob that turned out not to be what its digest says.

        Raises:
            MachineError: the disk refuses.

        """
        with disk.in_words(self.root):
            self.layout.blob(digest).unlink(missing_ok=True)

    def recall(self, rule: str, key: str) -> Mapping[str, Any] | None:
        """The fact that was remembered under rule and key, or None; a damaged one is None too."""
        path = facts.place(self.layout.facts, rule, key)
        try:
            content = path.read_bytes()
            status = path.stat()
        except OSError:
            return None
        found = facts.read(content)
        if found is None or found[:2] != (rule, key):
            return None
        recency.mark_used(path, status)
        return found[2]

    def remember(self, rule: str, key: str, fact: Mapping[str, Any]) -> None:
        """Keep a fact, small and of JSON's types, under a rule and a key; it replaces an older one.

        Raises:
            TypeError: JSON cannot hold it.
            ValueError: JSON cannot hold it.
            MachineError: the disk is full or refuses.

        """
        content = facts.write(rule, key, fact)
        path = facts.place(self.layout.facts, rule, key)
        with self.writer() as writer:
            writer.write(content)
            writer.file.close()
            with disk.in_words(self.root):
                path.parent.mkdir(parents=True, exist_ok=True)
                writer.path.chmod(0o644)
                writer.path.replace(path)

    @contextmanager
    def exclusive(self, name: str) -> Iterator[None]:
        """A section that one thread of one process is in at a time; it ends with its process too.

        It cannot be nested in itself: the same name inside would wait for ever.

        Raises:
            MachineError: the cache's folder has no locks.

        """
        with ExitStack() as stack:
            with disk.in_words(self.root):
                stack.enter_context(locks.exclusive(self.layout.lock(name)))
            yield

    def info(self) -> CacheInfo:
        """Count what is in the cache.

        Raises:
            MachineError: the folder cannot be read.

        """
        with disk.in_words(self.root):
            from envfreeze.store import upkeep  # noqa: PLC0415 - hardly ever needed

            return upkeep.info(self.layout)

    def prune(self, *, older_than_days: float | None = None, max_bytes: int | None = None) -> Pruned:
        """Remove leftovers, and then what was not used for some days or is too much.

        With neither limit only leftovers go: what killed processes wrote, and unfinished downloads.

        Args:
            older_than_days: what was not used for so many days goes.
            max_bytes: the least recently used go until no more than so many bytes are left.

        Raises:
            MachineError: somebody else has the cache open, or the disk refuses.

        """
        with disk.in_words(self.root):
            from envfreeze.store import upkeep  # noqa: PLC0415 - hardly ever needed

            return upkeep.prune(
                self.layout, self._session.share, older_than_days=older_than_days, max_bytes=max_bytes
            )

    def verify(self, progress: Progress = SILENT) -> tuple[Damaged, ...]:
        """Read all content again; what is not what its name says is removed and returned, sorted by path.

        Raises:
            MachineError: the disk refuses.

        """
        with disk.in_words(self.root):
            from envfreeze.store import upkeep  # noqa: PLC0415 - hardly ever needed

            return upkeep.verify(self.layout, progress)


class BlobWriter:
    """A blob being written.

    Attributes:
        file: unbuffered, for reading and writing; `os.writev` on its descriptor is fine.
        path: its temporary name.

    """

    __slots__ = ("_cache", "file", "path")

    def __init__(self, cache: Cache, path: Path, file: BinaryIO) -> None:
        self._cache = cache
        self.path = path
        self.file = file

    def fileno(self) -> int:
        """The file's descriptor."""
        return self.file.fileno()

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Write all of `data` (an unbuffered file's own `write` may take a part); its length in bytes.

        Raises:
            OSError: the disk is full or fails; `Cache.writer` puts it into words.

        """
        rest = memoryview(data).cast("B")
        length = len(rest)
        while rest:
            rest = rest[self.file.write(rest) :]
        return length

    def commit(self, digest: Digest) -> Path:
        """Make the file the blob of `digest`, which the caller computed, and close it; the blob's path.

        The blob appears whole or not at all. One that is there already stays as it is.

        Raises:
            MachineError: the disk refuses.

        """
        self.file.close()
        return self._cache.adopt(self.path, digest)
