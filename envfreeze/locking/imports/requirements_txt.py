"""A requirements file whose every package is pinned, as `pip-compile`, `uv pip compile` and others write it.

https://pip.pypa.io/en/stable/reference/requirements-file-format/. Hashes without names or URLs; a file
without hashes is taken too where every version is given, with the hashes of the index.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import (
    InvalidWheelFilename,
    canonicalize_name,
    parse_wheel_filename,
)

from envfreeze.errors import UsageError
from envfreeze.locking.imports import trees
from envfreeze.locking.imports.foreign import filename_of, plain_url, relative_path, sha256_of, text_of
from envfreeze.locking.imports.model import ImportedFile, ImportedLock, ImportedPackage, ImportedTree
from envfreeze.locking.indexes import redact
from envfreeze.project.requirements import local, logical_lines
from envfreeze.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Callable

KIND = "requirements.txt"
_HASH = re.compile(r"\s--hash[=\s]\s*(\S+)")
_OPTION_AFTER = re.compile(r"\s--?[A-Za-z].*$", re.DOTALL)
_INDEX = re.compile(r"(?:-i|--index-url)[=\s]\s*(\S+)")
_FOLLOWED = re.compile(r"-[rc]|--(?:requirement|constraint)(?:[=\s]|$)")
_EDITABLE = re.compile(r"(?:-e|--editable)[=\s]*(.*)")
_VCS = re.compile(r"(?:git|hg|svn|bzr)\+")
_FOLDER = re.compile(r"\.{0,2}/|\.$|file:|[A-Za-z0-9._-]+/(?!/)")


def parse(content: bytes, file: str) -> ImportedLock:
    """Read a requirements file as a lock.

    Args:
        content: the file.
        file: its name, for errors.

    Raises:
        UsageError: it includes other files, or a package in it is not pinned.

    """
    packages: list[ImportedPackage] = []
    index: str | None = None
    for number, line in logical_lines(text_of(content, file)):

        def blame(what: str, number: int = number) -> UsageError:
            return UsageError(
                f"{file}, line {number}: {what}", hint="write the file anew with the tool that pins it"
            )

        if _FOLLOWED.match(line):
            raise blame("includes another file: a lock is one file")
        if _EDITABLE.match(line):
            packages.append(_unpacked(line, number, blame))
        elif found := _INDEX.match(line):
            index = plain_url(found[1], blame) if "$" not in found[1] else None
        elif not line.startswith("-"):
            packages.append(_package(line, number, blame))
    return ImportedLock(
        file=file,
        kind=KIND,
        packages=tuple(replace(package, index=index) for package in packages),
    )


def _unpacked(line: str, number: int, blame: Callable[[str], UsageError]) -> ImportedPackage:
    """Read a repository or a folder: `-e ./lib`, `./lib`, `git+https://host/repo@<commit>#egg=name`."""
    place = _EDITABLE.sub(r"\1", line)
    if _VCS.match(place):
        url, _, marker = place.partition(" ;")
        named = re.search(r"#(?:.*&)?egg=([A-Za-z0-9._-]+)", url)
        name = canonicalize_name(named[1]) if named else ""
        tree = trees.of_requirement(url.strip())
        return _of_tree(name, tree, number, marker=marker.strip() or None)
    found = local(line)
    if found is None:
        raise blame(f"{redact(place)!r} is neither a repository nor a folder")
    tree = trees.of_folder(trees.file_of(found.path, blame))
    condition = found.marker.removeprefix(";").strip() or None
    return _of_tree(canonicalize_name(found.name or ""), tree, number, marker=condition)


def _of_tree(name: str, tree: ImportedTree, number: int, *, marker: str | None) -> ImportedPackage:
    if not name and tree.problem is None and tree.kind != "directory":
        problem = f"line {number} does not name it: write `name @ ` before it"
        tree = replace(tree, problem=problem)
    return ImportedPackage(name or tree.place, None, marker=marker, tree=tree, line=number)


def _package(line: str, number: int, blame: Callable[[str], UsageError]) -> ImportedPackage:
    hashes = tuple(sha256_of(text, blame) for text in _HASH.findall(line))
    files = tuple(ImportedFile(None, sha256=value) for value in hashes if value is not None)
    if hashes and not files:
        raise blame("has no sha256 among its hashes")
    bare = _OPTION_AFTER.sub("", line).strip()
    place = bare.partition(" ;")[0].strip()
    if _VCS.match(bare) or (_FOLDER.match(bare) and not _is_archive(place)):
        return _unpacked(bare, number, blame)
    if _FOLDER.match(bare) and "://" not in place:
        return _bare_file(bare, files, number, blame)
    if "://" in bare.partition(";")[0] and " @ " not in bare and "@" not in bare.partition("://")[0]:
        return _bare_url(bare, files, number, blame)
    try:
        requirement = Requirement(bare)
    except InvalidRequirement as error:
        reason = str(error).partition("\n")[0]
        raise blame(f"{redact(bare)!r} is not a requirement: {reason}") from error
    name = canonicalize_name(requirement.name)
    extras = tuple(sorted(map(canonicalize_name, requirement.extras)))
    marker = None if requirement.marker is None else str(requirement.marker)
    if requirement.url is not None:
        if _VCS.match(requirement.url):
            tree = trees.of_requirement(requirement.url)
            return _of_tree(name, tree, number, marker=marker)
        if requirement.url.startswith("file:") and not _is_archive(filename_of(requirement.url)):
            return _of_tree(name, trees.of_folder(requirement.url), number, marker=marker)
        return ImportedPackage(
            name=name,
            version=None,
            files=(_located(requirement.url, files, blame),),
            marker=marker,
            direct=True,
            asked_extras=extras,
            line=number,
        )
    (limit,) = tuple(requirement.specifier) if len(requirement.specifier) == 1 else (None,)
    if limit is None or limit.operator not in {"==", "==="} or limit.version.endswith(".*"):
        raise blame(f"{name} is not pinned to one version")
    return ImportedPackage(name, limit.version, files, marker, asked_extras=extras, line=number)


def _bare_url(
    text: str, files: tuple[ImportedFile, ...], number: int, blame: Callable[[str], UsageError]
) -> ImportedPackage:
    url, _, marker = text.partition(" ;")
    file = _located(url.strip(), files, blame)
    try:
        name, version, _, _ = parse_wheel_filename(file.filename or "")
    except InvalidWheelFilename:
        return _without_name(redact(url.strip()), number)
    return ImportedPackage(name, str(version), (file,), marker.strip() or None, direct=True, line=number)


def _bare_file(
    text: str, files: tuple[ImportedFile, ...], number: int, blame: Callable[[str], UsageError]
) -> ImportedPackage:
    """Read `./wheels/name-1.0-py3-none-any.whl`."""
    place, _, marker = text.partition(" ;")
    path = relative_path(place.strip(), blame)
    filename = filename_of(path)
    try:
        name, version, _, _ = parse_wheel_filename(filename)
    except InvalidWheelFilename:
        return _without_name(path, number)
    file = ImportedFile(filename, path=path, sha256=files[0].sha256 if len(files) == 1 else None)
    return ImportedPackage(name, str(version), (file,), marker.strip() or None, direct=True, line=number)


def _without_name(place: str, number: int) -> ImportedPackage:
    words = f"is a source without its name (line {number}): write `name @ ` before it"
    return ImportedPackage(place, None, refused=words, line=number)


def _is_archive(filename: str) -> bool:
    return filename.endswith((".whl", ".tar.gz", ".zip"))


def _located(text: str, files: tuple[ImportedFile, ...], blame: Callable[[str], UsageError]) -> ImportedFile:
    url = plain_url(text, blame)
    fragment = re.search(r"#(?:.*&)?sha256=([0-9a-f]{64})", text)
    known = files[0].sha256 if len(files) == 1 else fragment[1] if fragment else None
    return ImportedFile(filename_of(url), url=url, sha256=known)
