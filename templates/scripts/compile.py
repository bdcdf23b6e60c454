"""Compile one wheel from its locked source, in a place and with variables that are the same everywhere.

    compile.py compile.json ARCHIVE PIP OUT [again]

`compile.json` says which folder of the archive is the project, and the variables of the build. With `again`
the files are unpacked in another order and with another umask: what depends on either shows in the wheel.
Only Python's own library is needed, from 3.8 on.
"""

import json
import os
import subprocess
import sys
import tarfile
import zipfile

BUILD = "/build"
SOURCE = BUILD + "/source"


def main(arguments):
    """Unpack, and have pip build the wheel with the tools of this environment and no others."""
    with open(arguments[0], encoding="utf-8") as file:
        about = json.load(file)
    archive, pip, out = arguments[1:4]
    again = arguments[4:] == ["again"]
    os.umask(0o077 if again else 0o022)
    for folder in (SOURCE, BUILD + "/home", BUILD + "/temporary", out):
        os.makedirs(folder)
    unpack(archive, SOURCE, reverse=again)
    command = [sys.executable, "-B", pip + "/pip", "--isolated", "--no-cache-dir", "wheel", "--no-index"]
    command += ["--no-deps", "--no-build-isolation", "--check-build-dependencies", "--progress-bar=off"]
    command += ["--wheel-dir=" + out, project(SOURCE, about)]
    return subprocess.run(command, env=variables(about["env"]), cwd=BUILD, check=False).returncode


def variables(further):
    """Give the variables of the build: those of the stage, with nothing of a home or a locale."""
    return {
        **os.environ,
        "HOME": BUILD + "/home",
        "LC_ALL": "C.UTF-8",
        "PATH": os.path.dirname(sys.executable) + os.pathsep + os.environ["PATH"],
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONHASHSEED": "0",
        "TMPDIR": BUILD + "/temporary",
        "TZ": "UTC",
        **further,
    }


def unpack(archive, into, *, reverse):
    """Unpack a zip or a tar; nothing leaves the folder."""
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as opened:
            for member in sorted(opened.infolist(), key=lambda one: one.filename, reverse=reverse):
                opened.extract(member, into)
        return
    with tarfile.open(archive) as opened:
        folders = sorted((one for one in opened.getmembers() if one.isdir()), key=lambda one: one.name)
        others = [one for one in opened.getmembers() if not one.isdir()]
        links = [one for one in others if one.islnk()]
        files = sorted((one for one in others if not one.islnk()), key=lambda one: one.name, reverse=reverse)
        for member in [*folders, *files, *links]:
            # Where the filter is known it keeps members inside; these archives were looked into before.
            if hasattr(tarfile, "data_filter"):
                opened.extract(member, into, filter="data")
            else:
                opened.extract(member, into)


def project(source, about):
    """Give the folder of the project: an sdist has one folder at its top, a tree has none."""
    folder = source
    if about["sdist"]:
        found = sorted(os.listdir(source))
        if len(found) == 1 and os.path.isdir(os.path.join(source, found[0])):
            folder = os.path.join(source, found[0])
    return os.path.join(folder, about["subdirectory"]) if about["subdirectory"] else folder


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
