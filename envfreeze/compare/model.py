"""`Verdict`: how alike two images are, what differs, and why it is likely to.

The kinds of differences have names that do not change; docs/reference/differences.md lists them.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from envfreeze.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from envfreeze.digest import Digest


class Level(enum.Enum):
    """How alike two images are, from the most to the least.

    `IDENTICAL`: the manifests are equal. `LAYERS`: config and diffIDs are. `TREE`: every path has the same
    content, type, mode, owner, attributes and links. `PACKAGES`: the same packages with the same files.
    """

    IDENTICAL = "identical"
    LAYERS = "layers"
    TREE = "tree"
    PACKAGES = "packages"
    DIFFERENT = "different"

    @property
    def rank(self) -> int:
        """0 for `IDENTICAL`, 4 for `DIFFERENT`."""
        return _RANKS[self]

    def reaches(self, wanted: Level) -> bool:
        """Whether images of this level are at least as alike as those of another."""
        return self.rank <= wanted.rank


_RANKS = {level: rank for rank, level in enumerate(Level)}


def worst(levels: Iterable[Level]) -> Level:
    """The least alike; `IDENTICAL` where there are none."""
    return max(levels, key=lambda level: level.rank, default=Level.IDENTICAL)


class Kind(enum.Enum):
    """What differs. The names are stable; the level is what one such difference leaves of equality."""

    level: Level

    def __new__(cls, value: str, level: Level) -> Self:
        """Make a kind of its name and its level."""
        kind = object.__new__(cls)
        kind._value_ = value
        kind.level = level
        return kind

    # Said and not counted: the images are equal all the same.
    INDEX = "index", Level.IDENTICAL
    ATTESTATION = "attestation", Level.IDENTICAL
    SOURCE = "source", Level.IDENTICAL
    ORIGINAL = "original", Level.IDENTICAL

    MANIFEST = "manifest", Level.LAYERS
    MEDIA_TYPE = "media-type", Level.LAYERS
    COMPRESSION = "compression", Level.LAYERS

    CONFIG_TIME = "config-time", Level.TREE
    CONFIG_HISTORY = "config-history", Level.TREE
    CONFIG_BUILD = "config-build", Level.TREE
    CONFIG_JSON = "config-json", Level.TREE
    LAYER_ADDED = "layer-added", Level.TREE
    LAYER_REMOVED = "layer-removed", Level.TREE
    LAYER_ORDER = "layer-order", Level.TREE
    LAYER_BOUNDARIES = "layer-boundaries", Level.TREE
    TAR_ORDER = "tar-order", Level.TREE
    TAR_FORMAT = "tar-format", Level.TREE
    OWNER_NAME = "owner-name", Level.TREE
    REPEATED = "repeated", Level.TREE
    HIDDEN = "hidden", Level.TREE
    IDLE_WHITEOUT = "idle-whiteout", Level.TREE
    TIME = "time", Level.TREE

    CONFIG_ENV = "config-env", Level.PACKAGES
    CONFIG_COMMAND = "config-command", Level.PACKAGES
    CONFIG_USER = "config-user", Level.PACKAGES
    CONFIG_WORKDIR = "config-workdir", Level.PACKAGES
    CONFIG_LABEL = "config-label", Level.PACKAGES
    CONFIG_OTHER = "config-other", Level.PACKAGES
    CONFIG = "config", Level.PACKAGES
    # Of a file of a package these leave nothing: `Finding.level` is then `DIFFERENT`.
    ADDED = "added", Level.PACKAGES
    REMOVED = "removed", Level.PACKAGES
    TYPE = "type", Level.PACKAGES
    CONTENT = "content", Level.PACKAGES
    LINK = "link", Level.PACKAGES
    HARD_LINK = "hard-link", Level.PACKAGES
    DEVICE = "device", Level.PACKAGES
    XATTR = "xattr", Level.PACKAGES
    MODE = "mode", Level.PACKAGES
    OWNER = "owner", Level.PACKAGES
    UNOWNED = "unowned", Level.PACKAGES
    PLACE = "place", Level.PACKAGES
    WHITEOUT = "whiteout", Level.PACKAGES
    OPAQUE = "opaque", Level.PACKAGES

    PACKAGE_ADDED = "package-added", Level.DIFFERENT
    PACKAGE_REMOVED = "package-removed", Level.DIFFERENT
    PACKAGE_VERSION = "package-version", Level.DIFFERENT
    PLATFORM = "platform", Level.DIFFERENT
    PLATFORM_ADDED = "platform-added", Level.DIFFERENT
    PLATFORM_REMOVED = "platform-removed", Level.DIFFERENT
    LAYER_CONTENT = "layer-content", Level.DIFFERENT
    UNCHECKED = "unchecked", Level.DIFFERENT


@dataclass(frozen=True, slots=True)
class Cause:
    """Why something is likely to differ; `causes` has them all.

    Attributes:
        name: stable, for programs.
        text: in a few words.
        remedy: what to do about it.

    """

    name: str
    text: str
    remedy: str


UNKNOWN = Cause("unknown", "", "")
"""No cause is likelier than another."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that differs.

    Attributes:
        kind: what differs.
        level: what it leaves of equality.
        layer: name of the layer, `config`, `manifest`, `index` or `packages`.
        package: the package that owns what differs, as `numpy` or `libc6`; None: not known, or none.
        path: the path in the image, without a leading slash; None: it is about no single path.
        what: what it was and what it is, `reference -> rebuilt`.
        cause: why, likely.
        details: lines that show what changed inside a file; few.
        platform: of the image; empty where only one is compared.

    """

    kind: Kind
    level: Level
    layer: str
    package: str | None
    path: str | None
    what: str
    cause: Cause = UNKNOWN
    details: tuple[str, ...] = ()
    platform: str = ""


def finding(
    kind: Kind,
    layer: str,
    what: str,
    cause: Cause = UNKNOWN,
    *,
    package: str | None = None,
    path: str | None = None,
) -> Finding:
    """A finding of its kind's own level."""
    return Finding(kind, kind.level, layer, package, path, what, cause)


@dataclass(frozen=True, slots=True)
class Verdict:
    """How an image compares with its reference.

    Attributes:
        level: how alike they are.
        reference: digest of the reference's manifest, or of its index.
        rebuilt: digest of the other's.
        findings: what differs: index, manifest and config first, then packages, then layers from the lowest
            to the highest, by path. At most `MOST_FINDINGS` for each image.
        counts: how many differences of each kind there are, those beyond `MOST_FINDINGS` too.
        layers_read: how many layers had to be read, of both images together.

    """

    level: Level
    reference: Digest
    rebuilt: Digest
    findings: tuple[Finding, ...] = ()
    counts: Mapping[Kind, int] = field(default_factory=dict)
    layers_read: int = 0

    @property
    def omitted(self) -> int:
        """How many differences are counted and not listed."""
        return sum(self.counts.values()) - len(self.findings)

    def having(self, said: Finding) -> Verdict:
        """The same verdict with one more finding before the others; its level is left as it is."""
        counts = {**self.counts, said.kind: self.counts.get(said.kind, 0) + 1}
        return replace(self, findings=(said, *self.findings), counts=counts)


MOST_FINDINGS = 20_000
"""Findings that a verdict lists of one image; memory is bounded, counts are whole."""
