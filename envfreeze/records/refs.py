"""Changing references so that nobody's change is lost, however many change them at once.

Git locks a reference by a file beside it, which a killed git leaves behind for ever. Git holds it for
milliseconds, so one of our references' that has not been touched for `STALE` seconds is removed.
"""

from __future__ import annotations

import fcntl
import os
import random
import re
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from envfreeze.errors import MachineError
from envfreeze.records.git import GitError

if TYPE_CHECKING:
    from collections.abc import Callable

    from envfreeze.records.git import Git, Repository

PATIENCE = 60.0
"""For how many seconds others may win before we give up. One change takes some 50 ms."""

STALE = 5.0
"""Seconds after which a lock file of git's on one of our references is taken for a dead one's."""

_LOCKED = re.compile(r"Unable to create '(.+\.lock)': File exists")
_REPACKED = re.compile(r"object [0-9a-f]+ is unavailable")
"""What git says of an object that another git packed anew between two looks at it."""

_HOPELESS = ("Permission denied", "Read-only file system", "No space left", "Disk quota exceeded")


def change(
    repository: Repository, reference: str, make: Callable[[str | None], str], *, patience: float = PATIENCE
) -> None:
    """Point a reference at what `make` makes of the object it points at, by compare-and-swap.

    Args:
        repository: whose reference it is.
        reference: its full name.
        make: from the id of the present object (None: there is no such reference) to that of the new one.
            Called again, with the newer object, each time somebody else was faster.
        patience: seconds.

    Raises:
        MachineError: others won for too long, or git cannot write.

    """
    deadline = time.monotonic() + patience
    pause = 0.01
    while True:
        old = repository.resolve(reference)
        try:
            new = make(old)
        except GitError as error:
            if not _REPACKED.search(error.stderr):
                raise
            refusal: GitError | None = error
        else:
            refusal = None if new == old else _swap(repository.git, reference, new, old)
        if refusal is None:
            return
        if any(words in refusal.stderr for words in _HOPELESS):
            raise refusal
        _remove_stale_lock(refusal.stderr, reference)
        if time.monotonic() > deadline:
            raise MachineError(
                f"{reference} could not be changed for {patience:.0f} seconds: {refusal.message}",
                hint="if no other git is at work, a killed one has left its .lock file behind: remove it",
            )
        time.sleep(random.uniform(0, pause))  # noqa: S311 - so that those who clashed do not clash again
        pause = min(2 * pause, 0.5)


def _swap(git: Git, reference: str, new: str, old: str | None) -> GitError | None:
    try:
        git.run("update-ref", "-m", "envfreeze", reference, new, old or "")
    except GitError as error:
        return error
    return None


def _remove_stale_lock(stderr: str, reference: str) -> None:
    match = _LOCKED.search(stderr)
    if match is None or not match[1].endswith(f"/{reference}.lock"):
        return
    lock = Path(match[1])
    with suppress(OSError):
        # One of us at a time looks and removes, so that nobody removes the lock that a living git makes
        # after another of us removed the dead one's.
        folder = os.open(lock.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)
            if time.time() - lock.stat().st_mtime > STALE:
                lock.unlink()
        finally:
            os.close(folder)
