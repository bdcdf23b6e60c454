"""`Verdict`: how alike two images are, and what differs."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from envfreeze.digest import Digest


class Level(enum.Enum):
    """How alike two images are, from the most to the least."""

    IDENTICAL = "identical"
    LAYERS = "layers"
    TREE = "tree"
    PACKAGES = "packages"
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that differs.

    Attributes:
        layer: name of the layer, `config` or `manifest`.
        package: the package that owns what differs, as `numpy` or `libc6`; None: not known, or none.
        path: the path in the image, without a leading slash; None: it is about the whole layer or package.
        what: what it was and what it is, `reference -> rebuilt`.
        cause: the likely cause in a few words.

    """

    layer: str
    package: str | None
    path: str | None
    what: str
    cause: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a rebuilt image compares with its reference.

    Attributes:
        level: how alike they are.
        reference: digest of the reference's manifest.
        rebuilt: digest of the rebuilt manifest.
        findings: config first, then layer by layer; empty where the images are identical. The first finding
            about a layer whose content was read counts its paths, the others name them.

    """

    level: Level
    reference: Digest
    rebuilt: Digest
    findings: tuple[Finding, ...] = ()
