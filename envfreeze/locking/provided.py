"""Python distributions that something other than pip puts into the image, as pip's resolver has to see them.

A plain constraint would not do: the resolver would lock the distribution's own dependencies as well (torch's
wheels of CUDA, where conda's pytorch has its own). Each is therefore offered as a wheel of its name and
version that depends on nothing, and is taken out of the answer again.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from pathlib import Path

_DAY = (1980, 1, 2, 0, 0, 0)
_NO_EXTRA = re.compile(
    r"The package `(?P<name>[A-Za-z0-9._-]+).*` does not have an extra named `(?P<extra>[^`]+)`"
)


@dataclass(frozen=True, slots=True)
class Provided:
    """A distribution that is there already.

    Attributes:
        name: normalised (PEP 503).
        version: normalised (PEP 440).
        package: what provides it, `pytorch 2.6.0`.
        because: why that is there, `asked for by environment.yml`.
        metadata: reads its METADATA, for its extras; gives None, or is None: there is none to be read.

    """

    name: str
    version: str
    package: str
    because: str
    metadata: Callable[[], bytes | None] | None = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        return f"{self.name} {self.version} comes from conda's {self.package} ({self.because})"


def write_constraints(
    provided: Iterable[Provided], folder: Path, extras: Mapping[str, str] | None = None
) -> Path:
    """Write a stub wheel for each, and the constraints file that names them.

    Args:
        provided: the distributions.
        folder: where to; it must not exist.
        extras: by name, lines of METADATA that state the extras (`extras_of`).

    Returns:
        The constraints file.

    """
    stubs = write_stubs(provided, folder, extras)
    constraints = folder / "constraints.txt"
    constraints.write_text("".join(f"{line}\n" for line in stubs.values()), encoding="utf-8")
    return constraints


def write_stubs(
    provided: Iterable[Provided], folder: Path, extras: Mapping[str, str] | None = None
) -> dict[str, str]:
    """Write a stub wheel for each distribution.

    Args:
        provided: the distributions.
        folder: where to; it must not exist.
        extras: as in `write_constraints`.

    Returns:
        By name the requirement that names the wheel, `name @ URL`.

    """
    folder.mkdir()
    stubs = {}
    for one in provided:
        wheel = folder / f"{one.name.replace('-', '_')}-{one.version}-py3-none-any.whl"
        wheel.write_bytes(_stub(one, (extras or {}).get(one.name, "")))
        stubs[one.name] = f"{one.name} @ {wheel.as_uri()}"
    return stubs


def explain(said: Sequence[str], provided: Iterable[Provided]) -> tuple[str, ...]:
    """Say where the distributions that a resolver's message names come from."""
    text = canonical_words("\n".join(said))
    return tuple(str(one) for one in provided if one.name in text)


def canonical_words(text: str) -> frozenset[str]:
    """The words of a text that could be names of distributions, normalised."""
    words = "".join(letter if letter.isalnum() or letter in "-_." else " " for letter in text).split()
    return frozenset(canonicalize_name(word.strip("-_.")) for word in words)


def lacking(said: Iterable[str], provided: Iterable[Provided]) -> dict[str, tuple[Provided, str]]:
    """Find the extras that were asked for of stubs in vain.

    Args:
        said: what uv warned of.
        provided: the distributions.

    Returns:
        By the sentence that tells it, the distribution and the extra.

    """
    known = {one.name: one for one in provided}
    found = {}
    for sentence in said:
        match = _NO_EXTRA.match(sentence)
        if match is not None and (one := known.get(canonicalize_name(match["name"]))) is not None:
            found[sentence] = one, match["extra"]
    return found


def extras_of(one: Provided) -> str:
    """Give the lines of a distribution's METADATA that state its extras and what they need; "": none known.

    What it needs without an extra is left out: that is the business of whoever provides it.

    Raises:
        EnvfreezeError: the package that holds it cannot be read.

    """
    content = None if one.metadata is None else one.metadata()
    if content is None:
        return ""
    from packaging.metadata import parse_email  # noqa: PLC0415 - heavy, and only where conda has a package

    raw, _ = parse_email(content)
    lines = [f"Provides-Extra: {extra}" for extra in raw.get("provides_extra", ())]
    for text in raw.get("requires_dist", ()):
        try:
            marker = Requirement(text).marker
        except InvalidRequirement:
            continue
        if marker is not None and "extra" in str(marker):
            lines.append(f"Requires-Dist: {text}")
    return "".join(f"{line}\n" for line in lines)


def _stub(one: Provided, extras: str) -> bytes:
    info = f"{one.name.replace('-', '_')}-{one.version}.dist-info"
    files = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {one.name}\nVersion: {one.version}\n{extras}",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": f"{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n",
    }
    buffer = io.BytesIO()
    import zipfile  # noqa: PLC0415 - heavy, and only where conda has a package

    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, _DAY), content)
    return buffer.getvalue()
