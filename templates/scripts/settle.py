"""Give installed wheels the form in which envfreeze lays them down, whichever installer put them there.

    settle.py installed.json WHEELS...

What an installer adds of its own is made a function of the lock: INSTALLER, REQUESTED, direct_url.json, the
text of commands, the order and line ends of RECORD, the right to execute, and every file's time. Nothing
that a wheel brings is touched. Only Python's own library is needed, from 3.8 on.
"""

import base64
import configparser
import csv
import hashlib
import io
import json
import os
import re
import sys
import zipfile

OBJECT = re.compile(r"(?P<module>[\w.]+)\s*:\s*(?P<attribute>[\w.]+)\s*(?:\[.*\]\s*)?")
SCRIPT = """\
#!{interpreter}
import sys
from {module} import {imported}
if __name__ == "__main__":
    sys.exit({attribute}())
"""
EXECUTABLE = 0o755
OWN_SCRIPT = re.compile(r"(pip|easy_install-)\d*(\.\d+)*")


def main(arguments):
    """Settle all wheels that the first argument, a file of JSON, lists; the others are folders of wheels."""
    with open(arguments[0], encoding="utf-8") as file:
        about = json.load(file)
    for wheel in about["wheels"]:
        paths = [os.path.join(folder, wheel["file"]) for folder in arguments[1:]]
        Settling(about, wheel, next(path for path in paths if os.path.exists(path))).run()
    set_times(about["prefix"], int(about["time"]))


class Settling:
    """The work on one wheel."""

    def __init__(self, about, wheel, path):
        """Read from the wheel what an installation does not tell."""
        self.about = about
        self.wheel = wheel
        self.site = about["site_packages"]
        self.scripts = os.path.join(about["prefix"], "bin")
        with zipfile.ZipFile(path) as archive:
            infos = [info for info in archive.infolist() if not info.filename.endswith("/")]
        tops = {info.filename.split("/")[0] for info in infos}
        (self.name,) = [name for name in tops if name.endswith(".dist-info")]
        self.folder = os.path.join(self.site, self.name)
        self.executable = [
            self.place(info.filename)
            for info in infos
            if info.external_attr >> 16 & 0o111 or self.part(info.filename)[0] == "scripts"
        ]

    def part(self, name):
        """Split a member of NAME-VERSION.data/ into its key and the rest."""
        data = self.name[: -len(".dist-info")] + ".data/"
        return name[len(data) :].split("/", 1) if name.startswith(data) else ["", name]

    def place(self, name):
        """Say where a member of the wheel was installed."""
        key, rest = self.part(name)
        prefix = self.about["prefix"]
        headers = os.path.join(
            prefix, "include", "site", "python" + self.about["python"], self.name.rsplit("-", 1)[0]
        )
        roots = {"scripts": self.scripts, "data": prefix, "headers": headers}
        return os.path.join(roots.get(key, self.site), rest)

    def run(self):
        """Settle it."""
        rows = self.recorded()
        commands = self.commands()
        for path in self.invented(rows, commands):
            os.unlink(path)
            del rows[path]
        for name, text in commands.items():
            path = os.path.join(self.scripts, name)
            write(path, text)
            rows[path] = row_of(path)
        for path in [*self.executable, *(os.path.join(self.scripts, name) for name in commands)]:
            if os.path.isfile(path) and os.stat(path).st_mode & 0o777 != EXECUTABLE:
                os.chmod(path, EXECUTABLE)
        for name, text in self.wheel["beside"].items():
            write(os.path.join(self.folder, name), text.encode())
        write(os.path.join(self.folder, "INSTALLER"), b"envfreeze\n")
        rows[os.path.join(self.folder, "INSTALLER")] = row_of(os.path.join(self.folder, "INSTALLER"))
        rows[os.path.join(self.folder, "RECORD")] = ("", "")
        write(os.path.join(self.folder, "RECORD"), self.record(rows))

    def invented(self, rows, commands):
        """Find the commands that pip makes of itself and of setuptools and nobody asks for: `pip3.13`."""
        if self.wheel["name"] not in {"pip", "setuptools"}:
            return []
        names = {path: os.path.basename(path) for path in rows if os.path.dirname(path) == self.scripts}
        return [path for path, name in names.items() if OWN_SCRIPT.fullmatch(name) and name not in commands]

    def recorded(self):
        """Read RECORD; a row that does not fit its file is made anew."""
        rows = {}
        with open(os.path.join(self.folder, "RECORD"), encoding="utf-8", newline="") as file:
            listed = list(csv.reader(file))
        ours = ("INSTALLER", "RECORD", "REQUESTED", "direct_url.json", "RECORD.jws", "RECORD.p7s")
        for name in ours:
            path = os.path.join(self.folder, name)
            if name != "RECORD" and os.path.exists(path):
                os.unlink(path)
        for path, digest, size in listed:
            full = os.path.normpath(os.path.join(self.site, path))
            if os.path.isfile(full) and not (
                os.path.dirname(full) == self.folder and os.path.basename(full) in ours
            ):
                good = digest and size == str(os.path.getsize(full))
                rows[full] = (digest, size) if good else row_of(full)
        return rows

    def record(self, rows):
        """Write rows as envfreeze does: by path, each line ending in a line feed."""
        relative = {os.path.relpath(path, self.site): row for path, row in rows.items()}
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerows((path, *relative[path]) for path in sorted(relative, key=str.encode))
        return out.getvalue().encode()

    def commands(self):
        """Make the text of each command that the wheel's entry points ask for."""
        path = os.path.join(self.folder, "entry_points.txt")
        if not os.path.exists(path):
            return {}
        parser = configparser.ConfigParser(
            delimiters=("=",), strict=False, interpolation=None, default_section="]"
        )
        parser.optionxform = str
        parser.read(path, encoding="utf-8")
        found = {}
        for section in ("console_scripts", "gui_scripts"):
            for name, value in parser[section].items() if parser.has_section(section) else ():
                match = OBJECT.fullmatch(value.strip())
                attribute = match["attribute"]
                text = SCRIPT.format(
                    interpreter=self.about["interpreter"],
                    module=match["module"],
                    imported=attribute.split(".")[0],
                    attribute=attribute,
                )
                found[name] = text.encode()
        return found


def write(path, content):
    """Write a file anew, so that no other name of it changes."""
    if os.path.lexists(path):
        os.unlink(path)
    with open(path, "wb") as file:
        file.write(content)
    os.chmod(path, 0o644)


def row_of(path):
    """Give the hash and size that RECORD states of a file."""
    digest = hashlib.sha256()
    with open(path, "rb") as file:
        for piece in iter(lambda: file.read(1 << 20), b""):
            digest.update(piece)
    text = base64.urlsafe_b64encode(digest.digest()).rstrip(b"=").decode()
    return "sha256=" + text, str(os.path.getsize(path))


def set_times(folder, moment):
    """Give everything below a folder one time; what has it is not touched, so that no layer copies it."""
    for parent, folders, files in os.walk(folder, topdown=False):
        for path in [*(os.path.join(parent, name) for name in [*files, *folders]), parent]:
            if os.lstat(path).st_mtime != moment:
                os.utime(path, (moment, moment), follow_symlinks=False)


if __name__ == "__main__":
    main(sys.argv[1:])
