"""A Dockerfile's instructions: its stages, and that every image in it is pinned.

What a user's template or steps add is held to the same rule as ours: an image without a digest may be another
one tomorrow.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from envfreeze.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_HEREDOC = re.compile(r"<<-?\s*([\"']?)(?P<word>[A-Za-z_][A-Za-z0-9_]*)\1")
_TAKES_HEREDOC = {"RUN", "COPY", "ADD"}
_COMMENT = re.compile(r"\s*#")
_FROM = re.compile(r"(?:--\S+\s+)*(?P<image>\S+)(?:\s+AS\s+(?P<name>\S+))?", re.IGNORECASE)
_OPTION = re.compile(r"--from=(\S+)")
_MOUNT = re.compile(r"--mount=(\S+)")
_DIGEST = re.compile(r"@sha256:[0-9a-f]{64}$")
_SYNTAX = re.compile(r"#\s*syntax\s*=\s*(\S+)", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Instruction:
    """An instruction.

    Attributes:
        name: in upper case: `FROM`, `RUN`.
        value: what follows it, continued lines joined.
        line: where it begins, counted from 1.

    """

    name: str
    value: str
    line: int


def read(text: str) -> tuple[Instruction, ...]:
    """Read the instructions of a Dockerfile; comments and what a here-document holds are none.

    https://docs.docker.com/reference/dockerfile/ ("Format", "escape", "Here-documents").
    """
    found: list[Instruction] = []
    lines = iter(enumerate(text.splitlines(), 1))
    for number, line in lines:
        if not line.strip() or _COMMENT.match(line):
            continue
        parts = [line]
        while parts[-1].rstrip().endswith("\\"):
            parts[-1] = parts[-1].rstrip()[:-1]
            parts.append(next((more for _, more in lines if not _COMMENT.match(more)), ""))
        name, _, value = "".join(parts).strip().partition(" ")
        found.append(Instruction(name.upper(), value.strip(), number))
        if name.upper() in _TAKES_HEREDOC:
            for match in _HEREDOC.finditer(value):
                while (below := next(lines, None)) is not None and below[1].strip("\t") != match["word"]:
                    pass
    return tuple(found)


def stages(found: Sequence[Instruction]) -> tuple[str, ...]:
    """The names of a Dockerfile's stages, in their order."""
    names = (_FROM.match(one.value) for one in found if one.name == "FROM")
    return tuple(match["name"] for match in names if match is not None and match["name"])


def check(found: Sequence[Instruction], text: str, architectures: Sequence[str]) -> None:
    """Refuse an image, or a frontend, that is not named by its digest.

    Args:
        found: the instructions.
        text: the Dockerfile.
        architectures: what `${TARGETARCH}` may stand for.

    Raises:
        UsageError: there is one; the line is named.

    """
    known: set[str] = {"scratch"}
    loose = [
        (number, match[1])
        for number, line in enumerate(text.splitlines(), 1)
        if (match := _SYNTAX.fullmatch(line.strip())) and not _DIGEST.search(match[1])
    ]
    for one in found:
        for image in _images(one):
            names = {image.replace("${TARGETARCH}", architecture) for architecture in architectures}
            if not names <= known and not image.isdigit() and not _DIGEST.search(image):
                loose.append((one.line, image))
        if one.name == "FROM" and (match := _FROM.match(one.value)) and match["name"]:
            known.add(match["name"])
    if loose:
        line, image = min(loose)
        raise UsageError(
            f"[docker]: line {line} of the Dockerfile takes the image {image} without a digest",
            hint=f"an image is pinned as {image.partition('@')[0]}@sha256:…; "
            "`docker buildx imagetools inspect IMAGE` prints its digest",
        )


def _images(one: Instruction) -> Iterator[str]:
    """The images and stages that an instruction takes files from."""
    if one.name == "FROM" and (match := _FROM.match(one.value)):
        yield match["image"]
    if one.name in {"COPY", "ADD"}:
        yield from (match[1] for match in _OPTION.finditer(one.value))
    if one.name == "RUN":
        for mount in _MOUNT.findall(one.value):
            pairs = (part.partition("=") for part in mount.split(","))
            yield from (value for key, _, value in pairs if key == "from")
