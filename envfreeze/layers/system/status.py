"""dpkg's database: `status`, the format mark, trigger interests, the native architecture; apt's marks.

Fields are in dpkg's order (lib/dpkg/parse.c, `fieldinfos`), then those that dpkg does not know, in the
order of the control file.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envfreeze.layers.deb.infofiles import FOLDER, conffiles, md5
from envfreeze.layers.deb.merged import real
from envfreeze.oci.entry import Kind, directory, file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envfreeze.layers.deb import DebPackage
    from envfreeze.layers.system.tree import Tree
    from envfreeze.oci.entry import Entry

_ADMIN = "var/lib/dpkg"
_ORDER = (
    "Package",
    "Essential",
    "Protected",
    "Status",
    "Priority",
    "Section",
    "Installed-Size",
    "Origin",
    "Maintainer",
    "Bugs",
    "Architecture",
    "Multi-Arch",
    "Source",
    "Version",
    "Replaces",
    "Provides",
    "Depends",
    "Pre-Depends",
    "Recommends",
    "Suggests",
    "Breaks",
    "Conflicts",
    "Enhances",
    "Conffiles",
    "Description",
)
_RELATIONS = frozenset(
    {
        "Replaces",
        "Provides",
        "Depends",
        "Pre-Depends",
        "Recommends",
        "Suggests",
        "Enhances",
        "Breaks",
        "Conflicts",
    }
)
_REMOVED = "newconffile remove-on-upgrade"
"""What dpkg writes in place of a checksum for a file that is not to be there."""

_BLANKS = re.compile(r"\s+")
_NOAWAIT = {"interest": "", "interest-await": "", "interest-noawait": "/noawait"}


def entries(tree: Tree) -> Iterator[Entry]:
    """Write the database."""
    packages = sorted(tree.packages, key=lambda package: (package.deb.name, package.deb.architecture))
    yield file(f"{_ADMIN}/status", "".join(f"{stanza(package)}\n" for package in packages).encode())
    yield file(f"{_ADMIN}/available", b"")
    yield file(f"{FOLDER}/format", b"1\n")
    for folder in ("alternatives", "parts", "updates"):
        if not tree.exists(f"{_ADMIN}/{folder}"):
            yield directory(f"{_ADMIN}/{folder}")
    yield from _triggers(packages)
    if tree.package("dpkg"):
        native = tree.target.platform.debian_architecture
        yield file(f"{_ADMIN}/arch-native", f"{native}\n".encode())
    if tree.package("apt"):
        yield file("var/lib/apt/extended_states", _automatic(tree, packages))


def stanza(package: DebPackage) -> str:
    """Give a package's stanza of `status`, ending in a newline."""
    given = dict(package.stanza)
    names = {name.lower(): name for name in given}
    fields = {known: given.pop(names[known.lower()]) for known in _ORDER if known.lower() in names}
    fields["Status"] = "install ok installed"
    configuration = _conffiles(package)
    fields.pop("Conffiles", None)
    if configuration:
        fields["Conffiles"] = "".join(f"\n {path} {checksum}" for path, checksum in configuration)
    ordered = [(name, fields[name]) for name in _ORDER if name in fields]
    return "".join(_field(name, value) for name, value in [*ordered, *given.items()])


def _field(name: str, value: str) -> str:
    if name in _RELATIONS:
        value = ", ".join(part.strip() for part in _BLANKS.sub(" ", value).split(",") if part.strip())
    separator = "" if value.startswith("\n") else " "
    return f"{name}:{separator}{value}\n" if value else ""


def _conffiles(package: DebPackage) -> list[tuple[str, str]]:
    files = {entry.path: entry for entry in package.entries if entry.kind is Kind.FILE}
    found = []
    for path, shipped in conffiles(package.control):
        entry = files.get(real(path.removeprefix("/")))
        if not shipped:
            found.append((path, _REMOVED))
        elif entry is not None:
            found.append((path, md5(entry)))
    return found


def _triggers(packages: list[DebPackage]) -> Iterator[Entry]:
    """Name who waits for which trigger (deb-triggers(5)), so that a later dpkg wakes them."""
    files: list[str] = []
    named: dict[str, list[str]] = {}
    for package in packages:
        for line in package.control.get("triggers", b"").decode("utf-8", "replace").splitlines():
            words = line.partition("#")[0].split()
            if len(words) != len(("interest", "trigger")) or words[0] not in _NOAWAIT:
                continue
            waiting = package.base + _NOAWAIT[words[0]]
            if words[1].startswith("/"):
                files.append(f"{words[1]} {waiting}\n")
            else:
                named.setdefault(words[1], []).append(f"{waiting}\n")
    yield file(f"{_ADMIN}/triggers/File", "".join(files).encode())
    yield file(f"{_ADMIN}/triggers/Unincorp", b"")
    for name, lines in sorted(named.items()):
        if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9+._-]*", name):
            yield file(f"{_ADMIN}/triggers/{name}", "".join(lines).encode())


def _automatic(tree: Tree, packages: list[DebPackage]) -> bytes:
    native = tree.target.platform.debian_architecture
    return "".join(
        f"Package: {package.deb.name}\nArchitecture: {native}\nAuto-Installed: 1\n\n"
        for package in packages
        if not package.deb.requested
    ).encode()
