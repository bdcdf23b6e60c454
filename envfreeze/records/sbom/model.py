"""`Bill`: packages and where they come from, in values that both formats are written from.

No clock and nothing of this machine: a bill is a function of the lock, or of the image.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from envfreeze.digest import Digest
    from envfreeze.oci.platform import Platform


@dataclass(frozen=True, slots=True)
class Licence:
    """What a package says of its licence.

    Attributes:
        expression: an SPDX licence expression; None: what it says is none.
        names: otherwise, what it says in its own words, each name once.

    """

    expression: str | None = None
    names: tuple[str, ...] = ()


UNKNOWN = Licence()
"""Of a package that says nothing, or whose words were not read."""


@dataclass(frozen=True, slots=True, order=True)
class Key:
    """What tells packages of a bill apart: `pip`, `conda`, `os`, `python` or `base`, a name, a version."""

    side: str
    name: str
    version: str


@dataclass(frozen=True, slots=True)
class Package:
    """A package.

    Attributes:
        key: its side, name and version.
        purl: its package URL (https://github.com/package-url/purl-spec).
        digest: of the archive that it came in; None: not known.
        url: where that archive is, without credentials; None: not known.
        licence: what it says of its licence.
        supplier: who made or maintains it, without a mail address; None: it does not say.
        homepage: its page; None: it does not say.
        requested: the project asks for it by name; None: not known.
        needs: the packages of the bill that it needs, sorted.

    """

    key: Key
    purl: str
    digest: Digest | None = None
    url: str | None = None
    licence: Licence = UNKNOWN
    supplier: str | None = None
    homepage: str | None = None
    requested: bool | None = None
    needs: tuple[Key, ...] = ()


@dataclass(frozen=True, slots=True)
class Bill:
    """What something is made of.

    Attributes:
        name: of the project or the image, for people.
        subject: digest of the image's manifest, or of `envfreeze.lock`.
        is_image: the subject is an image.
        platform: that it is for.
        at: a moment that belongs to the subject, `2026-09-12T07:55:41Z`: not when the bill was written.
        packages: sorted by key, each once.
        facts: what else is to be said of the subject, by name.

    """

    name: str
    subject: Digest
    is_image: bool
    platform: Platform
    at: str
    packages: tuple[Package, ...]
    facts: Mapping[str, str] = field(default_factory=dict)
