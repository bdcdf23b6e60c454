"""The image that an engine made, checked: the format, every time in it, and what would not come out again.

An engine's exit status says that it built something. What it was asked for is read in what it made.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from envfreeze.engines.driven import residue
from envfreeze.engines.driven.model import EPOCH
from envfreeze.errors import MachineError, UntrustedError, UsageError
from envfreeze.oci import canonical
from envfreeze.oci.image import ImageIndex
from envfreeze.oci.inflate import inflate
from envfreeze.oci.members import members
from envfreeze.oci.validate import validate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from envfreeze.digest import Digest
    from envfreeze.oci.image import Image, Layer

SHOWN = 12
"""How many findings an error lists."""

_LONGEST_STEP = 100


def check(
    image: Image | ImageIndex, *, program: str, base: frozenset[Digest] = frozenset(), hint: str = ""
) -> None:
    """Check what was built.

    Args:
        image: what the engine made.
        program: what made it, for errors.
        base: diffIDs of layers that were there before: they are as they are.
        hint: what to do about a time that is not as asked.

    Raises:
        UntrustedError: it is no sound image.
        MachineError: a time in it is later than was asked for.
        UsageError: there are files in it that no second build gives again.

    """
    problems = validate(image)
    if problems:
        raise UntrustedError(
            f"the image that {program} made is damaged: {problems[0]}", details=problems[1:SHOWN]
        )
    images = image.images if isinstance(image, ImageIndex) else (image,)
    times = [problem for one in images for problem in late(one, base)]
    if times:
        raise MachineError(
            f"{program} was asked for no time after {_shown(EPOCH)} and did not do it: {times[0]}",
            details=tuple(times[1:SHOWN]),
            hint=hint or "name another builder with --builder, or build with --engine native",
        )
    left = [problem for one in images for problem in leftovers(one, base)]
    if left:
        raise UsageError(
            f"the build leaves what no second build gives again: {left[0]}",
            details=tuple(left[1:SHOWN]),
            hint="have the step that makes it remove it, in the same step",
        )


def late(image: Image, base: frozenset[Digest] = frozenset()) -> Iterator[str]:
    """Each time in an image that is after `EPOCH`: in its config, and of the first such file of a layer.

    Args:
        image: the image.
        base: diffIDs of layers that are not looked at.

    Raises:
        UntrustedError: the config or a layer is damaged.

    """
    config = canonical.parse(image.config, f"config of {image.digest}")
    history = [entry for entry in config.get("history") or () if isinstance(entry, dict)]
    above = history[len(history) - _entries_above(history, image, base) :]
    for what, when in (
        ("the config", config.get("created")),
        *(("the history", e.get("created")) for e in above),
    ):
        if isinstance(when, str) and _seconds(when) > EPOCH:
            yield f"{what} was created {when}"
            break
    for number, found in _each(image, base, _first_late):
        if found:
            yield f"layer {number}: {found[0]}"


def leftovers(image: Image, base: frozenset[Digest] = frozenset()) -> Iterator[str]:
    """Each file of an image that no second build gives again, and the step that made it.

    Args:
        image: the image.
        base: diffIDs of layers that are not looked at.

    Raises:
        UntrustedError: a layer is damaged.

    """
    steps = _steps(image)
    for number, found in _each(image, base, _leftovers):
        for problem in found:
            made = steps[number - 1] if len(steps) == len(image.layers) else ""
            yield problem + (f" (made by: {made})" if made else "")


def _each(
    image: Image, base: frozenset[Digest], look: Callable[[Layer], list[str]]
) -> Iterator[tuple[int, list[str]]]:
    """What is found in each layer that is not the base's, by the layer's number from 1."""
    chosen = [(number, layer) for number, layer in enumerate(image.layers, 1) if layer.diff_id not in base]
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        results = pool.map(lambda pair: look(pair[1]), chosen)
        for (number, _), found in zip(chosen, results, strict=True):
            yield number, found


def _first_late(layer: Layer) -> list[str]:
    with layer.open() as blob, inflate(blob, layer.media_type) as stream:
        for member, _ in members(stream):
            if member.mtime > EPOCH:
                return [f"{member.path or '/'} is of {_shown(member.mtime)}"]
    return []


def _leftovers(layer: Layer) -> list[str]:
    found: list[str] = []
    with layer.open() as blob, inflate(blob, layer.media_type) as stream:
        for member, content in members(stream):
            rule = residue.found(member, content)
            if rule is not None:
                found.append(f"{member.path}: {rule.what}; {rule.remedy}")
    return found


def _steps(image: Image) -> list[str]:
    """What made each layer, as the history says."""
    history = canonical.parse(image.config, f"config of {image.digest}").get("history")
    entries = [entry for entry in history if isinstance(entry, dict)] if isinstance(history, list) else []
    return [_short(str(entry.get("created_by", ""))) for entry in entries if not entry.get("empty_layer")]


def _short(step: str) -> str:
    words = " ".join(step.split())
    return words if len(words) <= _LONGEST_STEP else f"{words[: _LONGEST_STEP - 1]}…"


def _entries_above(history: Sequence[Mapping[str, Any]], image: Image, base: frozenset[Digest]) -> int:
    """How many entries of the history, from its end, tell of what is above the base."""
    below = sum(layer.diff_id in base for layer in image.layers)
    if not below:
        return len(history)
    seen = 0
    for position, entry in enumerate(history):
        seen += not entry.get("empty_layer")
        if seen == below:
            # Entries without a layer that follow may be of the base or of the first step: not told apart.
            rest = history[position + 1 :]
            empty = next((n for n, one in enumerate(rest) if not one.get("empty_layer")), len(rest))
            return len(rest) - empty
    return 0


def _seconds(moment: str) -> float:
    try:
        return datetime.fromisoformat(moment).timestamp()
    except ValueError:
        return float("inf")


def _shown(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
