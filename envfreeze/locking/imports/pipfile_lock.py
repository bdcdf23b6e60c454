"""`Pipfile.lock` (pipfile-spec 6): JSON with a section for each category, hashes and no URLs.

https://pipenv.pypa.io/en/latest/pipfile.html. `default` is always taken; `develop` and other categories are
groups.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from envfreeze.errors import UsageError
from envfreeze.locking.imports import trees
from envfreeze.locking.imports.foreign import (
    Foreign,
    filename_of,
    load_json,
    normal_version,
    plain_url,
    relative_path,
    sha256_of,
)
from envfreeze.locking.imports.model import ImportedFile, ImportedLock, ImportedPackage

if TYPE_CHECKING:
    from collections.abc import Mapping

KIND = "Pipfile.lock"
_SPEC = 6
_VARIABLE = re.compile(r"\$\{?\w+\}?(:\$\{?\w+\}?)?@")
_VCS = ("git", "hg", "svn", "bzr")


def parse(content: bytes, file: str) -> ImportedLock:
    """Read a `Pipfile.lock`.

    Args:
        content: the file.
        file: its name, for errors.

    Raises:
        UsageError: it is not one, or of a version that is not known.

    """
    document = load_json(content, file)
    meta = document.inner("_meta")
    spec = meta.size("pipfile-spec")
    if spec != _SPEC:
        raise UsageError(
            f"{file} is of pipfile-spec {spec}; this envfreeze reads {_SPEC}",
            hint="write it anew: `pipenv lock`",
        )
    indexes = _indexes(meta)
    sections = [key for key in document.keys() if key != "_meta"]  # noqa: SIM118 - not a mapping
    packages: list[ImportedPackage] = []
    for section in sections:
        table = document.inner(section)
        groups = () if section == "default" else (section,)
        packages += [
            _package(
                Foreign(f"{table.where}.{key}", table.inner(key).values()), table.normal(key), groups, indexes
            )
            for key in table.keys()  # noqa: SIM118 - not a mapping
        ]
    requires = meta.inner("requires")
    return ImportedLock(
        file=file,
        kind=KIND,
        packages=tuple(packages),
        groups=frozenset(section for section in sections if section != "default"),
        requires_python=_requires_python(requires),
    )


def _requires_python(requires: Foreign) -> str | None:
    full = requires.optional_string("python_full_version")
    short = requires.optional_string("python_version")
    if full is not None:
        return f"=={full}"
    return None if short is None else f"=={short}.*"


def _indexes(meta: Foreign) -> Mapping[str, str]:
    found = {}
    for source in meta.optional_tables("sources"):
        # Variables may stand where user and password do; those are of no use here.
        url = _VARIABLE.sub("", source.string("url"))
        found[source.string("name")] = Foreign(source.where, {"url": url}).url("url")
    return found


def _package(
    entry: Foreign, name: str, groups: tuple[str, ...], indexes: Mapping[str, str]
) -> ImportedPackage:
    hashes = tuple(
        sha256_of(text, lambda what: entry.wrong("hashes", what))
        for text in entry.optional_strings("hashes") or ()
    )
    files = tuple(ImportedFile(None, sha256=value) for value in hashes if value is not None)
    version = entry.optional_string("version")
    tree, direct = None, False
    vcs = next((key for key in _VCS if entry.has(key)), None)
    if vcs == "git":
        tree = trees.of_repository(
            entry.string("git").removeprefix("git+"),
            entry.optional_string("ref"),
            subdirectory=entry.optional_string("subdirectory"),
        )
    elif vcs is not None:
        tree = trees.of_requirement(f"{vcs}+{entry.get(vcs)}")
    elif entry.has("file"):
        direct = True
        url = plain_url(entry.string("file"), lambda what: entry.wrong("file", what))
        known = files[0].sha256 if len(files) == 1 else None
        files = (ImportedFile(filename_of(url), url=url, sha256=known),)
    elif entry.has("path"):
        path = entry.string("path")
        if path.endswith((".whl", ".tar.gz", ".zip")):
            direct = True
            path = relative_path(path, lambda what: entry.wrong("path", what))
            files = (ImportedFile(filename_of(path), path=path, sha256=files[0].sha256 if files else None),)
        else:
            tree = trees.of_folder(trees.file_of(path, lambda what: entry.wrong("path", what)))
    elif version is None:
        raise entry.wrong("version", "is missing")
    marker = entry.optional_string("markers")
    return ImportedPackage(
        name=name,
        version=None if version is None else _version(entry, version),
        files=files,
        marker=marker,
        groups=groups,
        index=indexes.get(entry.optional_string("index") or ""),
        direct=direct,
        tree=tree,
        asked_extras=entry.names("extras"),
    )


def _version(entry: Foreign, text: str) -> str:
    if not text.startswith("=="):
        raise entry.wrong("version", f"{text!r} is not one version")
    return normal_version(text.lstrip("="), lambda what: entry.wrong("version", what))
