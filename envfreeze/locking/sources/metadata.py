"""What a built wheel's METADATA tells uv, which then need not build it: `dependency-metadata` in uv.toml.

https://docs.astral.sh/uv/reference/settings/#dependency-metadata: metadata stated there is taken without
asking the package.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from envfreeze.errors import UntrustedError
from envfreeze.locking import toml

if TYPE_CHECKING:
    from collections.abc import Iterable


@dataclass(frozen=True, slots=True)
class Metadata:
    """What a resolver needs to know of a version.

    Attributes:
        name: normalised.
        version: normalised.
        requires: PEP 508 requirements.
        requires_python: a PEP 440 specifier, None: any.
        extras: names of its extras.

    """

    name: str
    version: str
    requires: tuple[str, ...] = ()
    requires_python: str | None = None
    extras: tuple[str, ...] = ()


def read(content: bytes, what: str) -> Metadata:
    """Read a METADATA file.

    Raises:
        UntrustedError: it has no name or no version that can be read; `what` names whose it is.

    """
    from packaging.metadata import InvalidMetadata, parse_email  # noqa: PLC0415 - heavy

    try:
        raw, _ = parse_email(content)
        name, version = raw["name"], str(Version(raw["version"]))
    except (KeyError, InvalidVersion, InvalidMetadata) as error:
        raise UntrustedError(f"{what}: its built wheel has no name or version that can be read") from error
    return Metadata(
        canonicalize_name(name),
        version,
        tuple(raw.get("requires_dist", ())),
        raw.get("requires_python"),
        tuple(raw.get("provides_extra", ())),
    )


def configuration(known: Iterable[Metadata]) -> str:
    """Write the uv.toml that states them."""
    rows: list[dict[str, toml.Value]] = []
    for one in known:
        row: dict[str, toml.Value] = {
            "name": one.name,
            "version": one.version,
            "requires-dist": one.requires,
            "provides-extra": one.extras,
        }
        if one.requires_python is not None:
            row["requires-python"] = one.requires_python
        rows.append(row)
    return toml.dumps({"dependency-metadata": rows}) if rows else ""
