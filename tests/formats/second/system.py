"""`os-layers.md`, "The system layer": what no single package owns."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from second.certificate import subject_hash
from second.deb import Deb, merged
from second.layer import DIRECTORY, FILE, SYMLINK, Content, Entry, directory, file, symlink
from second.loader import Loader
from second.shell import Choice, alternatives_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


class System:
    """The system layer: a rule a method, in the order of the page."""

    def __init__(self, packages: Iterable[Deb], target: Mapping[str, Any]) -> None:
        order = sorted(packages, key=lambda deb: (deb.name != "base-files", deb.name.encode()))
        self.packages = {deb.name: deb for deb in order}
        self.target = target
        self.owners: dict[str, list[tuple[Deb, Entry]]] = {}
        for deb in order:
            for path, entry in deb.entries.items():
                self.owners.setdefault(path, []).append((deb, entry))
        self.entries: dict[str, Entry] = {}
        self.directories()
        self.merged_usr()
        self.accounts()
        self.defaults()
        self.certificates()
        self.alternatives()
        self.shells()
        self.time_zone()
        self.python()
        self.dpkg()
        self.apt()
        self.collisions()
        self.loader()

    def first(self, path: str) -> Entry | None:
        return self.owners[path][0][1] if path in self.owners else None

    def text(self, path: str) -> str:
        entry = self.first(path)
        return bytes(entry.content.data).decode() if entry else ""

    def add(self, path: str, entry: Entry) -> None:
        self.entries.setdefault(path, entry)

    def unless(self, path: str, entry: Entry) -> None:
        if path not in self.owners:
            self.add(path, entry)

    def directories(self) -> None:
        for path, owners in self.owners.items():
            found = [entry for _, entry in owners if entry.kind == DIRECTORY]
            if any((entry.mode, entry.uid, entry.gid) != (0o755, 0, 0) for entry in found):
                self.add(path, found[0])

    def merged_usr(self) -> None:
        tops = {path.split("/")[1] for path in self.owners if path.startswith("usr/")}
        for name in ("bin", "lib", "sbin", "lib32", "lib64", "libo32", "libx32"):
            if name in {"bin", "lib", "sbin"} or name in tops:
                self.add(name, symlink(f"usr/{name}"))
                if name not in tops:
                    self.add(f"usr/{name}", directory())

    def accounts(self) -> None:
        masters = [f"usr/share/base-passwd/{name}.master" for name in ("passwd", "group")]
        if not all(map(self.first, masters)):
            return
        users, groups = ([line.split(":", 2) for line in self.text(path).splitlines()] for path in masters)
        users, groups = ([line for line in lines if len(line) == 3] for lines in (users, groups))
        for path, lines in (("passwd", users), ("group", groups)):
            self.add(f"etc/{path}", file("".join(f"{name}:x:{rest}\n" for name, _, rest in lines).encode()))
        shadow = "".join(f"{name}:*:3653:0:99999:7:::\n" for name, *_ in users)
        self.add("etc/shadow", file(shadow.encode(), 0o640, 42))
        gshadow = "".join(f"{name}:*::{rest.partition(':')[2]}\n" for name, _, rest in groups)
        self.add("etc/gshadow", file(gshadow.encode(), 0o640, 42))
        self.add("etc/subuid", file())
        self.add("etc/subgid", file())

    def defaults(self) -> None:
        copies = {
            "usr/share/base-files/dot.profile": "root/.profile",
            "usr/share/base-files/dot.bashrc": "root/.bashrc",
            "usr/share/base-files/profile": "etc/profile",
            "usr/share/base-files/motd": "etc/motd",
            "usr/share/base-files/info.dir": "usr/share/info/dir",
            "usr/share/libc-bin/nsswitch.conf": "etc/nsswitch.conf",
            "usr/share/readline/inputrc": "etc/inputrc",
        }
        for source, path in copies.items():
            if entry := self.first(source):
                self.unless(path, replace(entry, content=Content(entry.content.data)))
        if "base-files" in self.packages:
            self.skeleton()
        if "netbase" in self.packages:
            for path in ("etc/hosts", "etc/networks"):
                self.unless(path, file(self.here_document("netbase", path)))
        if "libpam-modules" in self.packages:
            self.unless("etc/security/opasswd", file(mode=0o600))
            self.unless("etc/environment", file())
        if "login" in self.packages and "/var/log/faillog" in self.packages["login"].text("postinst"):
            self.unless("var/log/faillog", file())

    def skeleton(self) -> None:
        if self.first("etc/dpkg/origins/debian"):
            self.unless("etc/dpkg/origins/default", symlink("debian"))
        local = ["share", "share/man", "bin", "games", "lib", "libexec", "include", "sbin", "src", "etc"]
        places = ["mnt", "srv", "opt", "etc/opt", "var/opt", "media", "usr/local"]
        for path in [*places, *(f"usr/local/{name}" for name in local)]:
            self.unless(path, directory())
        self.unless("var/mail", directory(0o2775, gid=8))
        self.unless("run/lock", directory(0o1777))
        self.unless("var/spool/mail", symlink("../mail"))
        self.unless("var/run", symlink("/run"))
        self.unless("var/lock", symlink("/run/lock"))
        self.unless("usr/local/man", symlink("share/man"))
        for name, mode in (("wtmp", 0o664), ("lastlog", 0o664), ("btmp", 0o660)):
            self.unless(f"var/log/{name}", file(mode=mode, gid=43))

    def here_document(self, package: str, path: str) -> bytes:
        text = self.packages[package].text("postinst")
        found = re.search(rf"cat > /{re.escape(path)} <<-EOF\n(.*?)^\t*EOF$", text, re.DOTALL | re.MULTILINE)
        assert found
        return re.sub(r"^\t+", "", found[1], flags=re.MULTILINE).encode()

    def certificates(self) -> None:
        if "ca-certificates" not in self.packages:
            return
        folder = "usr/share/ca-certificates/"
        paths = [path for path in self.owners if path.startswith(folder) and path.endswith(".crt")]
        paths = sorted((path for path in paths if self.first(path).kind == FILE), key=str.encode)  # type: ignore[union-attr]
        names = "".join(path.removeprefix(folder) + "\n" for path in paths)
        self.add("etc/ca-certificates.conf", file((CERTIFICATES_HEAD + names).encode()))
        texts = {path: self.text(path) for path in paths}
        bundle = "".join(text if text.endswith("\n") else text + "\n" for text in texts.values())
        self.add("etc/ssl/certs/ca-certificates.crt", file(bundle.encode()))
        links = {}
        for path, text in texts.items():
            stem = path.rpartition("/")[2].removesuffix(".crt")
            name = stem.translate(str.maketrans(" ,()", "__==")) + ".pem"
            self.add(f"etc/ssl/certs/{name}", symlink(f"/{path}"))
            links[name] = text
        seen: set[bytes] = set()
        counts: dict[str, int] = {}
        for name in sorted(links, key=str.encode):
            found = re.findall(r"-----BEGIN CERTIFICATE-----(.*?)-----END", links[name], re.DOTALL)
            if len(found) != 1 or (der := base64.b64decode(found[0])) in seen:
                continue
            seen.add(der)
            hashed = subject_hash(der)
            number = counts[hashed] = counts.get(hashed, -1) + 1
            self.add(f"etc/ssl/certs/{hashed}.{number}", symlink(name))
        self.add("usr/local/share/ca-certificates", directory())

    def alternatives(self) -> None:
        groups: dict[str, dict[str, Choice]] = {}
        for deb in self.packages.values():
            for choice in alternatives_of(deb.text("postinst")):
                if merged(choice.path.lstrip("/")) in self.owners:
                    groups.setdefault(choice.name, {})[choice.path] = choice
        for name, choices in groups.items():
            winner = max(choices.values(), key=lambda choice: choice.priority)
            self.alternative(name, winner.generic, winner.path)
            for follower, (generic, path) in winner.followers.items():
                if merged(path.lstrip("/")) in self.owners:
                    self.alternative(follower, generic, path)
            self.add(f"var/lib/dpkg/alternatives/{name}", file(state_of(choices).encode()))

    def alternative(self, name: str, generic: str, path: str) -> None:
        place = merged(generic.lstrip("/"))
        entry = self.first(place)
        if entry is None or entry.kind == SYMLINK:
            self.add(f"etc/alternatives/{name}", symlink(path))
            self.add(place, symlink(f"/etc/alternatives/{name}"))

    def shells(self) -> None:
        top = "usr/share/debianutils/shells"
        if not self.first(top):
            return
        below = sorted((path for path in self.owners if path.startswith(f"{top}.d/")), key=str.encode)
        named = names_of_shells(self.text(top))
        each = [shell for path in [top, *below] for shell in names_of_shells(self.text(path))]
        shells = dict.fromkeys(name for shell in each for name in (shell, "/" + merged(shell.lstrip("/"))))
        more = "".join(f"{shell}\n" for shell in shells if shell not in named)
        self.add("etc/shells", file((self.text(top) + more).encode()))
        self.add("var/lib/shells.state", file("".join(f"{shell}\n" for shell in shells).encode()))

    def time_zone(self) -> None:
        if "tzdata" in self.packages:
            self.add("etc/localtime", symlink("/usr/share/zoneinfo/Etc/UTC"))
            if 'test -f "$DPKG_ROOT/etc/timezone"' not in self.packages["tzdata"].text("postinst"):
                self.add("etc/timezone", file(b"Etc/UTC\n"))

    def python(self) -> None:
        for name in self.packages:
            if found := re.fullmatch(r"(python3\.\d+)-minimal", name):
                self.add(f"usr/local/lib/{found[1]}", directory())
                self.add(f"usr/local/lib/{found[1]}/dist-packages", directory())
                self.add(f"var/lib/python/{found[1]}_installed", file())
        if "python3" in self.packages:
            path = "etc/python3/debian_config"
            self.unless(path, file(self.here_document("python3", path)))

    def dpkg(self) -> None:
        database = "var/lib/dpkg"
        by_name = sorted(self.packages.values(), key=lambda deb: deb.name.encode())
        self.add(f"{database}/status", file("".join(f"{status(deb)}\n" for deb in by_name).encode()))
        self.add(f"{database}/available", file())
        self.add(f"{database}/info/format", file(b"1\n"))
        for name in ("alternatives", "parts", "updates"):
            self.unless(f"{database}/{name}", directory())
        triggers: dict[str, list[str]] = {"File": []}
        for deb in by_name:
            for line in deb.text("triggers").splitlines():
                kind, _, trigger = line.partition("#")[0].strip().partition(" ")
                if not kind.startswith("interest"):
                    continue
                waiting = deb.base + ("/noawait" if kind == "interest-noawait" else "")
                if trigger.startswith("/"):
                    triggers["File"].append(f"{trigger} {waiting}\n")
                else:
                    triggers.setdefault(trigger, []).append(f"{waiting}\n")
        for name, lines in triggers.items():
            self.add(f"{database}/triggers/{name}", file("".join(lines).encode()))
        self.add(f"{database}/triggers/Unincorp", file())
        architecture = self.target["platform"].partition("/")[2]
        if "dpkg" in self.packages:
            self.add(f"{database}/arch-native", file(f"{architecture}\n".encode()))
        if "apt" in self.packages:
            states = "".join(
                f"Package: {deb.name}\nArchitecture: {architecture}\nAuto-Installed: 1\n\n"
                for deb in by_name
                if not deb.requested
            )
            self.add("var/lib/apt/extended_states", file(states.encode()))

    def apt(self) -> None:
        if "apt" not in self.packages:
            return
        locations = {archive["name"]: archive["locations"] for archive in self.target["base"]["archives"]}
        keys = {one["name"]: one["key"] for one in self.target["base"]["archives"] if "key" in one}
        suites: dict[str, dict[tuple[str, ...], list[str]]] = {}
        for index in self.target["base"]["indexes"]:
            lists = suites.setdefault(index["archive"], {})
            lists.setdefault(tuple(index["components"]), []).append(index["suite"])
        for archive, lists in suites.items():
            location = locations[archive][-1]
            rings = [f"usr/share/keyrings/{ring}" for ring in KEYRINGS.get(archive.partition("-")[0], ())]
            name = re.sub(r"[^a-z0-9.-]", "-", archive.lower())
            signed = [f"Signed-By: /{ring}\n" for ring in rings if ring in self.owners][:1]
            if archive in keys:
                signed = [f"Signed-By: /etc/apt/keyrings/{name}.gpg\n"]
                self.add(f"etc/apt/keyrings/{name}.gpg", file(base64.b64decode(keys[archive])))
            dated = re.search(r"/\d{8}T\d{6}Z(/|$)", location)
            text = "\n".join(
                f"Types: deb\nURIs: {location}\n"
                f"Suites: {' '.join(names)}\n"
                + (f"Components: {' '.join(components)}\n" if components else "")
                + "".join(signed)
                + ("Check-Valid-Until: no\n" if dated else "")
                for components, names in lists.items()
            )
            self.add(f"etc/apt/sources.list.d/{name}.sources", file(text.encode()))
        passwd = self.entries.get("etc/passwd")
        uid = 42 if passwd and b"\n_apt:" in bytes(passwd.content.data) else 0
        for path in ("var/lib/apt/lists/partial", "var/cache/apt/archives/partial"):
            self.add(path, directory(0o700, uid))

    def collisions(self) -> None:
        for path, owners in self.owners.items():
            if all(entry.kind == DIRECTORY for _, entry in owners):
                continue
            if all(entry.same(owners[0][1]) for _, entry in owners):
                continue
            winners = [entry for deb, entry in owners if all(o is deb or replaces(deb, o) for o, _ in owners)]
            entry = (winners or [owners[0][1]])[0]
            self.add(path, replace(entry, content=Content(entry.content.data)))

    def loader(self) -> None:
        if "libc-bin" in self.packages:
            packages = {path: owners[0][1] for path, owners in self.owners.items()}
            loader = Loader(packages | self.entries, self.target["platform"].partition("/")[2])
            for path, entry in loader.made.items():
                self.add(path, entry)


KEYRINGS = {
    "debian": ("debian-archive-keyring.pgp", "debian-archive-keyring.gpg"),
    "ubuntu": ("ubuntu-archive-keyring.gpg",),
}
CERTIFICATES_HEAD = """\
# The certificates that update-ca-certificates(8) puts into /etc/ssl/certs, by their
# names below /usr/share/ca-certificates. A name behind a ! is not used.
"""


def state_of(choices: Mapping[str, Choice]) -> str:
    followers: dict[str, str] = {}
    for choice in choices.values():
        for follower, (generic, _) in choice.followers.items():
            followers.setdefault(follower, generic)
    lines = ["auto", next(iter(choices.values())).generic]
    for follower in sorted(followers):
        lines += [follower, followers[follower]]
    lines.append("")
    for path, choice in sorted(choices.items()):
        lines += [path, str(choice.priority)]
        lines += [choice.followers.get(follower, ("", ""))[1] for follower in sorted(followers)]
    return "".join(f"{line}\n" for line in [*lines, ""])


def names_of_shells(text: str) -> list[str]:
    named = (line.partition("#")[0] for line in text.splitlines())
    return [shell for shell in named if shell]


FIELDS = [
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
]
RELATIONS = set(FIELDS[FIELDS.index("Replaces") : FIELDS.index("Enhances") + 1])


def status(deb: Deb) -> str:
    fields = deb.fields | {"Status": "install ok installed", "Conffiles": conffiles(deb)}
    out = ""
    for name in [*FIELDS, *(name for name in fields if name not in FIELDS)]:
        value = fields.get(name, "")
        if name in RELATIONS:
            value = ", ".join(" ".join(part.split()) for part in value.split(","))
        if value:
            out += f"{name}:{'' if value.startswith(chr(10)) else ' '}{value}\n"
    return out


def conffiles(deb: Deb) -> str:
    out = ""
    for line in deb.text("conffiles").splitlines():
        *flags, path = line.split()
        entry = deb.entries.get(merged(path.lstrip("/")))
        if flags == ["remove-on-upgrade"]:
            out += f"\n {path} newconffile remove-on-upgrade"
        elif entry and entry.kind == FILE:
            out += f"\n {path} {hashlib.md5(entry.content.data).hexdigest()}"
    return out


def replaces(deb: Deb, other: Deb) -> bool:
    for relation in deb.fields.get("Replaces", "").split(","):
        found = re.fullmatch(r"\s*([^\s(:]+)(?::\w+)?\s*(?:\(\s*([<>=]+)\s*([^)\s]+)\s*\))?\s*", relation)
        if found and found[1] == other.name:
            order = compare_versions(other.fields["Version"], found[3]) if found[3] else 0
            signs = {"<<": (-1,), "<=": (-1, 0), "=": (0,), ">=": (0, 1), ">>": (1,), None: (0,)}
            return order in signs[found[2]]
    return False


def compare_versions(left: str, right: str) -> int:
    """Compare as deb-version(7) says."""

    def parts(version: str) -> tuple[int, str, str]:
        epoch, _, rest = version.rpartition(":") if ":" in version else ("0", "", version)
        upstream, dash, revision = rest.rpartition("-")
        return int(epoch), upstream if dash else rest, revision if dash else "0"

    def weight(character: str) -> int:
        return -1 if character == "~" else ord(character) + (0 if character.isalpha() else 256)

    def key(text: str) -> list[Any]:
        # an end sorts after ~ and before everything else
        pairs = re.findall(r"(\D*)(\d*)", text)
        return [([*map(weight, word), 0], int(number or 0)) for word, number in pairs if word or number]

    ours, theirs = parts(left), parts(right)
    mine, others = ((epoch, key(upstream), key(revision)) for epoch, upstream, revision in (ours, theirs))
    return (mine > others) - (mine < others)
