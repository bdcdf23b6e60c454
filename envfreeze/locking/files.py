"""The lock's files in a folder: writing them so that nothing changes needlessly, reading them back in doubt.

    envfreeze.lock           binds everything (`lockfile`)
    pylock.toml              the wheels of the only target (`pylock`)
    requirements.lock.txt    the same for older tools (`requirements_lock`)
    conda-lock.yml           the conda packages of all targets, where there are some (`conda.lockfile`)

With several targets the two of wheels are one each: `pylock.linux-amd64.toml`,
`requirements.linux-amd64.lock.txt`. `render` and `parse` are pure.
"""

from __future__ import annotations

import os
import re
import secrets
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from envfreeze.digest import Digest
from envfreeze.errors import MachineError, UsageError
from envfreeze.locking import lockfile, pylock, requirements_lock
from envfreeze.locking.conda import LOCK_NAME as CONDA_NAME
from envfreeze.locking.generated import is_ours
from envfreeze.locking.strict import RELOCK, EditedError
from envfreeze.oci.platform import Platform

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from pathlib import Path

    from envfreeze.locking.conda.lockfile import Parsed
    from envfreeze.locking.lockfile import Bound, BoundFiles
    from envfreeze.locking.model import Lock, Target, Wheel

__all__ = ["EditedError", "parse", "read", "read_bytes", "render", "write"]

_PERHAPS = re.compile(r"pylock(\.linux-\w+)?\.toml|requirements(\.linux-\w+)?\.lock\.txt|conda-lock\.yml")
"""The files that a lock may have or not."""


def render(lock: Lock, folder: Path | None = None) -> dict[str, bytes]:
    """Give the content of each of the lock's files by its name.

    Args:
        lock: what they hold.
        folder: the project's, absolute; wheels in it are named by their relative path.

    """
    files: dict[str, bytes] = {}
    bound = []
    for target in lock.targets:
        names = _names(target.platform, alone=len(lock.targets) == 1)
        files[names[0]] = pylock.render(target, exclude_newer=lock.exclude_newer, folder=folder)
        files[names[1]] = requirements_lock.render(target, folder=folder)
        bound.append(lockfile.BoundFiles(*(lockfile.Bound(name, Digest.of(files[name])) for name in names)))
    conda = None
    if lock.conda is not None:
        from envfreeze.locking.conda import lockfile as conda_lockfile  # noqa: PLC0415 - only with conda packages

        files[CONDA_NAME] = conda_lockfile.render(lock, folder)
        conda = lockfile.Bound(CONDA_NAME, Digest.of(files[CONDA_NAME]))
    return {lockfile.NAME: lockfile.render(lock, tuple(bound), conda), **files}


def parse(files: Mapping[str, bytes], folder: Path | None = None) -> Lock:
    """Read what `render` gave; further files are not looked at.

    Args:
        files: contents by name.
        folder: the project's, absolute, which relative paths of wheels become file URLs in; None: their
            URLs stay relative, `file:wheels/x.whl`.

    Raises:
        UsageError: there is no `envfreeze.lock` among them.
        EditedError: a file was edited by hand, is damaged or missing.
        UntrustedError: a newer envfreeze wrote the lock.

    """
    if lockfile.NAME not in files:
        raise UsageError(f"there is no {lockfile.NAME}", hint="run `envfreeze lock`")

    def read_wheels(target: Target, exclude_newer: str | None, bound: BoundFiles) -> tuple[Wheel, ...]:
        allowed = {name for alone in (True, False) for name in _names(target.platform, alone=alone)}
        for file in (bound.pylock, bound.requirements):
            _check(files, file, allowed, str(target.platform))
        content = files[bound.pylock.name]
        return pylock.parse(content, bound.pylock.name, target, exclude_newer=exclude_newer, folder=folder)

    def read_conda(bound: Bound) -> Parsed:
        from envfreeze.locking.conda import lockfile as conda_lockfile  # noqa: PLC0415 - only with conda packages

        _check(files, bound, {CONDA_NAME}, "the conda packages")
        return conda_lockfile.parse(files[bound.name])

    return lockfile.parse(files[lockfile.NAME], read_wheels, read_conda)


def write(lock: Lock, folder: Path, root: Path | None = None) -> tuple[Path, ...]:
    """Write the lock's files into the project's folder, each atomically, `envfreeze.lock` last.

    Files that hold the right bytes already are not touched. Files of targets that are no longer there are
    removed if envfreeze wrote them.

    Args:
        lock: what they hold.
        folder: where they go.
        root: the project's folder, which wheels in it are named relative to; None: `folder` is it.

    Returns:
        The paths that were written or removed.

    Raises:
        UsageError: a file of somebody else's stands in the way.
        MachineError: the folder cannot be written.

    """
    folder = folder.absolute()
    rendered = render(lock, folder if root is None else root.absolute())
    # The file that binds the others comes last: killed before it, the old lock stands and names what changed.
    order = sorted(rendered, key=lambda name: name == lockfile.NAME)
    with _machine_errors(folder):
        changed = [name for name in order if _differs(folder / name, rendered[name])]
        with _staged(folder, {name: rendered[name] for name in changed}) as staged:
            for name in changed:
                staged[name].replace((folder / name).resolve())
        stale = _stale(folder, frozenset(rendered))
        for path in stale:
            path.unlink()
    return (*(folder / name for name in changed), *stale)


def read(folder: Path, root: Path | None = None) -> Lock:
    """Read the lock in a project's folder.

    Args:
        folder: where the lock files are.
        root: as in `write`.

    Raises:
        UsageError: there is none.
        EditedError: as in `parse`.
        UntrustedError: as in `parse`.
        MachineError: a file cannot be read.

    """
    folder = folder.absolute()
    return parse(read_bytes(folder), folder if root is None else root.absolute())


def read_bytes(folder: Path) -> dict[str, bytes]:
    """Read the content of `envfreeze.lock` and of the files that it names, without judging any.

    Raises:
        UsageError: there is no lock.
        MachineError: a file cannot be read.

    """
    candidates = {
        name
        for text in Platform.SUPPORTED
        for alone in (True, False)
        for name in _names(Platform.parse(text), alone=alone)
    } | {CONDA_NAME}
    with _machine_errors(folder):
        try:
            contents = {lockfile.NAME: (folder / lockfile.NAME).read_bytes()}
        except FileNotFoundError as error:
            raise UsageError(
                f"there is no {lockfile.NAME} in {folder}", hint="run `envfreeze lock`"
            ) from error
        for name in sorted(candidates):
            if f'"{name}"'.encode() in contents[lockfile.NAME]:
                with suppress(FileNotFoundError):
                    contents[name] = (folder / name).read_bytes()
    return contents


def _names(platform: Platform, *, alone: bool) -> tuple[str, str]:
    part = "" if alone else f".{platform.slug}"
    return f"pylock{part}.toml", f"requirements{part}.lock.txt"


def _check(files: Mapping[str, bytes], bound: Bound, allowed: Collection[str], what: str) -> None:
    if bound.name not in allowed:
        raise EditedError(
            f"{lockfile.NAME}: {bound.name!r} is not a name that envfreeze gives a file of {what}",
            hint=RELOCK,
        )
    content = files.get(bound.name)
    if content is None:
        raise EditedError(
            f"{bound.name} is missing, and {lockfile.NAME} binds it",
            hint=f"bring it back (`git checkout {bound.name}`), or {RELOCK}",
        )
    lockfile.check_for_conflict(content, bound.name)
    if Digest.of(content) != bound.digest:
        raise EditedError(
            f"{bound.name} is not the file that {lockfile.NAME} was written with: edited by hand, or from "
            "another commit",
            hint=f"bring it back (`git checkout {bound.name}`), or {RELOCK}",
        )


def _differs(path: Path, content: bytes) -> bool:
    try:
        present = path.read_bytes()
    except FileNotFoundError:
        return True
    if not is_ours(present):
        raise UsageError(
            f"{path} would be written over, and envfreeze did not write it",
            hint=f"move it away: `mv {path.name} {path.name}.old`",
        )
    return present != content


def _stale(folder: Path, current: frozenset[str]) -> list[Path]:
    candidates = sorted(path for path in folder.iterdir() if _PERHAPS.fullmatch(path.name))
    return [
        path
        for path in candidates
        if path.name not in current and path.is_file() and is_ours(path.read_bytes())
    ]


@contextmanager
def _staged(folder: Path, contents: Mapping[str, bytes]) -> Iterator[dict[str, Path]]:
    """Write each content to a file beside the one it will replace; what was not moved is removed."""
    staged: dict[str, Path] = {}
    try:
        for name, content in contents.items():
            final = (folder / name).resolve()
            staged[name] = final.with_name(f".{final.name}.{secrets.token_hex(4)}")
            with staged[name].open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
        yield staged
    finally:
        for path in staged.values():
            path.unlink(missing_ok=True)


@contextmanager
def _machine_errors(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise MachineError(
            f"the lock in {folder}: {error.filename or folder}: {error.strerror}",
            hint="check the folder's permissions and the disk's free space",
        ) from error
