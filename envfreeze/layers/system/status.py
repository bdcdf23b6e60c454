"""dpkg's database: `status`, the format mark, trigger interests, the native architecture; apt's marks.

Fields are in dpkg's order (lib/dpkg/parse.c, `fieldinfos`), then those that dpkg does not know, in the
order of the control file.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envfreeze.layers.deb.infofiles import FOLDER, conffiles, md5
from envfreeze.layers.deb.merged import real
from envfreeze.locking.image import dpkg
from envfreeze.oci.entry import Kind, directory, file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envfreeze.layers.deb import DebPackage
    from envfreeze.layers.system.tree import Tree
    from envfreeze.oci.entry import Entry

_ADMIN = "var/lib/dpkg"
_TRIGGERS = f"{_ADMIN}/triggers"
_MARKS = "var/lib/apt/extended_states"
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
    yield file(f"{_ADMIN}/status", _status(tree, packages).encode("utf-8", "surrogateescape"))
    for path, content in ((f"{_ADMIN}/available", b""), (f"{FOLDER}/format", b"1\n")):
        if not tree.is_beneath(path):
            yield file(path, content)
    for folder in ("alternatives", "parts", "updates"):
        if not tree.exists(f"{_ADMIN}/{folder}") and not tree.is_beneath(f"{_ADMIN}/{folder}"):
            yield directory(f"{_ADMIN}/{folder}")
    yield from _triggers(tree, packages)
    if tree.package("dpkg") and not tree.is_beneath(f"{_ADMIN}/arch-native"):
        native = tree.target.platform.debian_architecture
        yield file(f"{_ADMIN}/arch-native", f"{native}\n".encode())
    if tree.package("apt") or tree.is_beneath("usr/bin/apt-get"):
        yield file(_MARKS, _automatic(tree, packages))


def _status(tree: Tree, packages: list[DebPackage]) -> str:
    """The stanzas: the base's own as they stand, a replaced one's successor in its place, new ones last."""
    if tree.beneath is None:
        return "".join(f"{stanza(package)}\n" for package in packages)
    fresh = {package.deb.name: stanza(package) for package in packages}
    architectures = {tree.target.platform.debian_architecture, "all", ""}
    found: list[str] = []
    for text in dpkg.stanzas(tree.beneath):
        name, architecture = dpkg.name_of(text)
        if name in fresh and architecture in architectures:
            found.append(fresh.pop(name))
        else:
            found.append(f"{text}\n")
    return "".join(f"{text}\n" for text in [*found, *fresh.values()])


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


def _triggers(tree: Tree, packages: list[DebPackage]) -> Iterator[Entry]:
    """Name who waits for which trigger (deb-triggers(5)), so that a later dpkg wakes them."""
    fresh = {package.deb.name for package in packages}
    files: list[str] = _waiting(tree, "File", fresh)
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
    yield file(f"{_TRIGGERS}/File", "".join(files).encode())
    if not tree.is_beneath(f"{_TRIGGERS}/Unincorp"):
        yield file(f"{_TRIGGERS}/Unincorp", b"")
    for name, lines in sorted(named.items()):
        if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9+._-]*", name):
            yield file(f"{_TRIGGERS}/{name}", "".join([*_waiting(tree, name, fresh), *lines]).encode())


def _waiting(tree: Tree, name: str, fresh: set[str]) -> list[str]:
    """The lines of a base's trigger file, without those of packages that are installed anew."""
    text = (tree.text_beneath(f"{_TRIGGERS}/{name}") or b"").decode("utf-8", "replace")
    lines = (line for line in text.split("\n") if line.strip())
    return [
        f"{line}\n" for line in lines if line.split()[-1].partition("/")[0].partition(":")[0] not in fresh
    ]


def _automatic(tree: Tree, packages: list[DebPackage]) -> bytes:
    native = tree.target.platform.debian_architecture
    before = (tree.text_beneath(_MARKS) or b"").decode("utf-8", "replace")
    kept = [text.strip("\n") for text in before.split("\n\n") if text.strip()]
    there = {package.name for package in dpkg.installed(tree.beneath)} if tree.beneath is not None else set()
    kept += [
        f"Package: {package.deb.name}\nArchitecture: {native}\nAuto-Installed: 1"
        for package in packages
        if not package.deb.requested and package.deb.name not in there
    ]
    return "".join(f"{text}\n\n" for text in kept).encode()
