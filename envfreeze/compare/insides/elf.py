"""Programs and libraries: build id, name and versions, compiler, and which sections differ."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from envfreeze.compare import causes
from envfreeze.compare.insides.insight import NOTHING, Insight, bounded

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from typing import BinaryIO

_MOST_SECTIONS: Final = 500
_CHUNK: Final = 1 << 20
_LARGEST_NOTE: Final = 1 << 16
_NOBITS: Final = "SHT_NOBITS"


@dataclass(slots=True)
class _Binary:
    """What is compared of one."""

    facts: dict[str, str] = field(default_factory=dict)
    sections: dict[str, str] = field(default_factory=dict)


def look(old: Path, new: Path) -> Insight:
    """Compare what two binaries say of themselves, and their sections."""
    try:
        before, after = (_read(path) for path in (old, new))
    except Exception:  # noqa: BLE001 - the parser raises whatever a damaged binary makes it
        return NOTHING
    return Insight(bounded(_changes(before, after)), causes.COMPILED_AGAIN)


def _changes(before: _Binary, after: _Binary) -> Iterator[str]:
    for name in sorted(before.facts.keys() | after.facts.keys()):
        was, now = before.facts.get(name, "none"), after.facts.get(name, "none")
        if was != now:
            yield f"{name}: {was} -> {now}"
    names = [*before.sections, *(name for name in after.sections if name not in before.sections)]
    differing = [name for name in names if before.sections.get(name) != after.sections.get(name)]
    if differing:
        yield f"sections that differ: {', '.join(differing)}"


def _read(path: Path) -> _Binary:
    from elftools.elf.elffile import ELFFile  # noqa: PLC0415 - heavy

    with path.open("rb") as file:
        elf = ELFFile(file)
        found = _Binary({"machine": str(elf["e_machine"]), "type": str(elf["e_type"])})
        if elf.num_sections() > _MOST_SECTIONS:
            raise ValueError("no compiler makes so many sections")
        for section in elf.iter_sections():
            _section(section, file, found)
    return found


def _section(section: Any, file: BinaryIO, found: _Binary) -> None:  # noqa: ANN401 - pyelftools has no types
    name = str(section.name)
    if section["sh_type"] == _NOBITS:
        found.sections[name] = f"{section['sh_size']} bytes"
        return
    found.sections[name] = _digest(file, section["sh_offset"], section["sh_size"])
    if name == ".note.gnu.build-id" and section["sh_size"] <= _LARGEST_NOTE:
        found.facts["build id"] = next((str(note["n_desc"]) for note in section.iter_notes()), "none")
    elif name == ".comment" and section["sh_size"] <= _LARGEST_NOTE:
        words = section.data().split(b"\0")
        found.facts["compiler"] = ", ".join(
            sorted({word.decode("utf-8", "replace") for word in words if word})
        )
    elif name == ".dynamic":
        tags = [(tag.entry.d_tag, tag) for tag in section.iter_tags()]
        for kind, shown, attribute in (
            ("DT_SONAME", "name", "soname"),
            ("DT_NEEDED", "needs", "needed"),
            ("DT_RUNPATH", "run path", "runpath"),
            ("DT_RPATH", "run path", "rpath"),
        ):
            values = sorted(str(getattr(tag, attribute)) for known, tag in tags if known == kind)
            if values:
                found.facts[shown] = ", ".join(values)
    elif name == ".gnu.version_d":
        versions = {str(aux.name) for _, auxiliaries in section.iter_versions() for aux in auxiliaries}
        found.facts["versions"] = ", ".join(sorted(versions))


def _digest(file: BinaryIO, offset: int, size: int) -> str:
    back = file.tell()
    file.seek(offset)
    hashed = hashlib.sha256()
    while size > 0 and (chunk := file.read(min(size, _CHUNK))):
        hashed.update(chunk)
        size -= len(chunk)
    file.seek(back)
    return hashed.hexdigest()
