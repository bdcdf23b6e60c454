"""The image that an engine made, checked: the format, every time in it, and what would not come out again.

An engine's exit status says that it built something. What it was asked for is read in what it made.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from envfreeze.engines.driven import residue
from envfreeze.engines.driven.model import EPOCH
from envfreeze.errors import MachineError, UntrustedError, UsageError
from envfreeze.oci import canonical
from envfreeze.oci.inflate import inflate
from envfreeze.oci.members import members
from envfreeze.oci.validate import validate

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from envfreeze.digest import Digest
    from envfreeze.oci.image import Image, Layer

SHOWN = 12
"""How many findings an error lists."""

_LONGEST_STEP = 100


@dataclass(frozen=True, slots=True)
class Reading:
    """What stands in an image that should not.

    Attributes:
        late: times after `EPOCH`: in the config, and of the first such file of each layer.
        early: the first file of each layer that is of a time before `EPOCH`.
        left: files that no second build gives again, and the steps that made them.

    """

    late: tuple[str, ...]
    early: tuple[str, ...]
    left: tuple[str, ...]


def check(
    images: Sequence[Image], *, program: str, base: frozenset[Digest] = frozenset(), fresh: bool = True
) -> tuple[str, ...]:
    """Check what was built.

    Args:
        images: what the engine made, one per platform.
        program: what made it, for errors.
        base: diffIDs of layers that were there before: they are as they are.
        fresh: nothing that was built before was used.

    Returns:
        What the user should know, one sentence each.

    Raises:
        UntrustedError: it is no sound image.
        MachineError: a time in it is later than was asked for.
        UsageError: there are files in it that no second build gives again.

    """
    problems = [problem for one in images for problem in validate(one)]
    if problems:
        raise UntrustedError(
            f"the image that {program} made is damaged: {problems[0]}", details=tuple(problems[1:SHOWN])
        )
    readings = [read(one, base) for one in images]
    late = [problem for reading in readings for problem in reading.late]
    if late:
        raise MachineError(
            f"{program} was asked for no time after {_shown(EPOCH)} and did not do it: {late[0]}",
            details=tuple(late[1:SHOWN]),
            hint="build with another engine or builder: --engine native needs none",
        )
    left = [problem for reading in readings for problem in reading.left]
    if left:
        raise UsageError(
            f"the build leaves what no second build gives again: {left[0]}",
            details=tuple(left[1:SHOWN]),
            hint="have the step that makes it remove it, in the same step",
        )
    early = [problem for reading in readings for problem in reading.early]
    if early and not fresh:
        note = (
            f"{early[0]}; unless a step gave it that time, {program} took the layer from its cache, where a "
            "build of another folder put it, and --no-cache builds it anew"
        )
        return (note,)
    return ()


def read(image: Image, base: frozenset[Digest] = frozenset()) -> Reading:
    """Read an image for what should not be in it.

    Args:
        image: the image.
        base: diffIDs of layers that are not looked at.

    Raises:
        UntrustedError: the config or a layer is damaged.

    """
    history = _history(image)
    late = [*_created(image, history, base)]
    early: list[str] = []
    left: list[str] = []
    steps = [_short(str(entry.get("created_by", ""))) for entry in history if not entry.get("empty_layer")]
    if len(steps) != len(image.layers):
        steps = ["" for _ in image.layers]
    chosen = [(number, layer) for number, layer in enumerate(image.layers) if layer.diff_id not in base]
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        seen = pool.map(lambda pair: _look(pair[1]), chosen)
        for (number, _), layer in zip(chosen, seen, strict=True):
            late += [f"layer {number + 1}: {layer.late}"] if layer.late else []
            early += [f"layer {number + 1}: {layer.early}"] if layer.early else []
            made = f" (made by: {steps[number]})" if steps[number] else ""
            left += [f"{problem}{made}" for problem in layer.left]
    return Reading(tuple(late), tuple(early), tuple(left))


@dataclass(slots=True)
class _Seen:
    late: str = ""
    early: str = ""
    left: list[str] = field(default_factory=list)


def _look(layer: Layer) -> _Seen:
    seen = _Seen()
    with layer.open() as blob, inflate(blob, layer.media_type) as stream:
        for member, content in members(stream):
            if member.mtime > EPOCH and not seen.late:
                seen.late = f"{member.path or '/'} is of {_shown(member.mtime)}"
            if member.mtime < EPOCH and not seen.early:
                seen.early = f"{member.path or '/'} is of {_shown(member.mtime)}"
            rule = residue.found(member, content)
            if rule is not None:
                seen.left.append(f"{member.path}: {rule.what}; {rule.remedy}")
    return seen


def _history(image: Image) -> list[Mapping[str, Any]]:
    history = canonical.parse(image.config, f"config of {image.digest}").get("history")
    return [entry for entry in history if isinstance(entry, dict)] if isinstance(history, list) else []


def _created(image: Image, history: Sequence[Mapping[str, Any]], base: frozenset[Digest]) -> list[str]:
    """The first moment in the config that is after `EPOCH`; what the base brought is not looked at."""
    config = canonical.parse(image.config, f"config of {image.digest}")
    moments = [("the config", config.get("created"))]
    moments += [("the history", entry.get("created")) for entry in history[_of_base(history, image, base) :]]
    for what, when in moments:
        if isinstance(when, str) and _seconds(when) > EPOCH:
            return [f"{what} was created {when}"]
    return []


def _of_base(history: Sequence[Mapping[str, Any]], image: Image, base: frozenset[Digest]) -> int:
    """How many entries of the history are of the base, or may be.

    Entries without a layer that follow its last one may be its own or of the first step: nothing tells.
    """
    below = sum(layer.diff_id in base for layer in image.layers)
    filled = [position for position, entry in enumerate(history) if not entry.get("empty_layer")]
    if not below:
        return 0
    return filled[below] if below < len(filled) else len(history)


def _short(step: str) -> str:
    words = " ".join(step.split())
    return words if len(words) <= _LONGEST_STEP else f"{words[: _LONGEST_STEP - 1]}…"


def _seconds(moment: str) -> float:
    try:
        return datetime.fromisoformat(moment).timestamp()
    except ValueError:
        return float("inf")


def _shown(seconds: float) -> str:
    try:
        return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (OverflowError, OSError, ValueError):  # a time that no calendar has
        return f"{seconds:.0f} seconds after 1970"
