"""Seal a lock: write the digests that its images have into it, or hold a build against them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from envfreeze.errors import AnswerIsNoError
from envfreeze.replacing import replace

if TYPE_CHECKING:
    from envfreeze.engines.native.assemble import Assembly
    from envfreeze.locking.model import LayerSeal, Lock, Target


def seal(lock: Lock, assembly: Assembly) -> Lock:
    """The lock with the digests of its environment images in it."""
    # Without project files nobody asks, and looking costs the paths of all layers.
    asked = bool(lock.runtime.include)
    return replace(
        lock,
        targets=tuple(
            replace(made.target, workdir_free=asked and made.workdir_free()) for made in assembly.images
        ),
    )


def differences(lock: Lock, assembly: Assembly) -> tuple[str, ...]:
    """What an assembly gives that the lock's seal says otherwise; () where the lock is not sealed."""
    found = _of_digests(lock, assembly)
    for sealed, made in zip(lock.targets, assembly.images, strict=True):
        if sealed.manifest is not None and sealed.workdir_free and not made.workdir_free():
            where = lock.runtime.workdir
            found.append(f"{sealed.platform}: the seal says that nothing is at {where}, and something is")
    return tuple(found)


def _of_digests(lock: Lock, assembly: Assembly) -> list[str]:
    return [
        text
        for sealed, made in zip(lock.targets, assembly.images, strict=True)
        for text in _differences(sealed, made.target)
    ]


def _differences(sealed: Target, made: Target) -> list[str]:
    if sealed.manifest is None:
        return []
    # Layers are held on their own, too: a seal may be wrong about one and right about the manifest.
    found = [
        f"{sealed.platform}: layer {ours.name} is {_shown(ours.seal)}, the seal says {_shown(theirs.seal)}"
        for theirs, ours in zip(sealed.layers, made.layers, strict=True)
        if theirs.seal is not None and ours.seal is not None and theirs.seal != ours.seal
    ]
    if sealed.manifest != made.manifest:
        found.append(f"{sealed.platform}: the manifest is {made.manifest}, the seal says {sealed.manifest}")
    return found


def _shown(seal: LayerSeal) -> str:
    return f"{seal.digest} (diffID {seal.diff_id}, {seal.size} bytes)"


def hold(lock: Lock, assembly: Assembly) -> None:
    """Hold the digests of an assembly against the lock's seal.

    Raises:
        AnswerIsNoError: it gave other digests.

    """
    found = _of_digests(lock, assembly)
    if found:
        raise AnswerIsNoError(
            "the image is not the one that the lock is sealed to",
            hint="if the seal is out of date, make it again: envfreeze lock --seal",
            details=tuple(found),
        )
