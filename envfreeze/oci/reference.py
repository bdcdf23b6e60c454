"""Names of images: `name:tag` as engines call them, and whole references with a registry and a digest.

The grammar is that of https://github.com/distribution/reference ("Grammar"), and so are the names that
Docker fills in: `debian` is `docker.io/library/debian:latest`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Self

from envfreeze.digest import Digest
from envfreeze.replacing import replace

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]+)?"
_REFERENCE = re.compile(
    rf"(?P<path>(?:{_HOST}/)?{_COMPONENT}(?:/{_COMPONENT})*)"
    r"(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?"
)

_DIGEST = r"sha256:[0-9a-f]{64}"
_LONGEST_NAME = 255
"""Characters of a repository's name (`RepositoryNameTotalLengthMax`)."""

GRAMMAR = (
    rf"(?:{_HOST}/)?{_COMPONENT}(?:/{_COMPONENT})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?(?:@{_DIGEST})?"
)
"""A regular expression for what `Reference.parse` reads; it does not know of lengths."""

HUB = "docker.io"
"""The registry that is meant where none is named."""

LATEST = "latest"


@dataclass(frozen=True, slots=True)
class Reference:
    """An image in a registry. `str()` gives it whole: `docker.io/library/debian:latest`.

    Attributes:
        registry: host, and port where one is named: `docker.io`, `127.0.0.1:5000`.
        repository: the name in it, `nvidia/cuda`.
        tag: None only where there is a digest.
        digest: of a manifest or an index. Where there is a tag, too, that is for people.

    """

    registry: str
    repository: str
    tag: str | None
    digest: Digest | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a reference as people write it.

        Raises:
            ValueError: it is none.

        """
        name, at, digest = text.partition("@")
        match = _REFERENCE.fullmatch(name)
        if match is None or len(match["path"]) > _LONGEST_NAME or (at and not re.fullmatch(_DIGEST, digest)):
            msg = f"{text!r} is not an image reference"
            raise ValueError(msg)
        registry, repository = _split(match["path"])
        if not re.fullmatch(rf"{_COMPONENT}(?:/{_COMPONENT})*", repository):
            msg = f"{text!r} is not an image reference: no registry is named, and a repository is lower case"
            raise ValueError(msg)
        tag = match["tag"] or (None if at else LATEST)
        return cls(registry, repository, tag, Digest.parse(digest) if at else None)

    def __str__(self) -> str:
        tag = "" if self.tag is None else f":{self.tag}"
        return self.name + tag + ("" if self.digest is None else f"@{self.digest}")

    @property
    def name(self) -> str:
        """Registry and repository: `docker.io/nvidia/cuda`."""
        return f"{self.registry}/{self.repository}"

    def at(self, digest: Digest) -> Self:
        """The same repository's document of a digest."""
        return replace(self, digest=digest)


def _split(path: str) -> tuple[str, str]:
    """Registry and repository of a path, by Docker's rule: a host has a dot or a port, or is localhost."""
    first, slash, rest = path.partition("/")
    if not slash or not (first == "localhost" or "." in first or ":" in first):
        return HUB, path if slash else f"library/{path}"
    if first in {HUB, f"index.{HUB}"}:
        return HUB, rest if "/" in rest else f"library/{rest}"
    return first.lower(), rest


def with_tag(text: str) -> str | None:
    """The name with its tag, `latest` where it has none; None where it is not a name."""
    match = _REFERENCE.fullmatch(text)
    return None if match is None else f"{match['path']}:{match['tag'] or 'latest'}"


def is_tagged(text: str) -> bool:
    """Whether the text is a name that states its tag."""
    match = _REFERENCE.fullmatch(text)
    return match is not None and match["tag"] is not None


def names_image(text: str) -> bool:
    """Whether a text means an image of a registry and no file: a reference that states a tag or a digest."""
    name, at, digest = text.partition("@")
    if at:
        return with_tag(name) is not None and re.fullmatch(_DIGEST, digest) is not None
    return is_tagged(name)


def full(reference: str) -> str:
    """The name with the host and folder that Docker leaves out: `docker.io/library/debian:trixie`."""
    first, slash, _ = reference.partition("/")
    if slash and (first == "localhost" or "." in first or ":" in first):
        return reference
    return f"docker.io/{reference}" if slash else f"docker.io/library/{reference}"
