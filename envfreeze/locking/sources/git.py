"""The files of one commit of a git repository, fetched by `git` and archived without it.

`git archive` is not used: attributes in the commit may change its content (export-subst, export-ignore, line
ends), and its format is not promised. What is read are the blobs themselves.
"""

from __future__ import annotations

import os
import re
import subprocess
from typing import TYPE_CHECKING

from envfreeze.errors import MachineError, NetworkError, ResolutionError, UntrustedError
from envfreeze.locking.indexes import redact
from envfreeze.locking.sources import tree
from envfreeze.oci.entry import Entry, Kind, Plain, symlink
from envfreeze.oci.paths import path_problem

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from envfreeze.digest import Digest
    from envfreeze.store.cache import Cache

_SHA1 = 40
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_UNREACHABLE = re.compile(
    r"Could not resolve host|unable to access|Connection refused|timed out|Could not read from remote",
    re.IGNORECASE,
)


def archive_commit(url: str, commit: str, cache: Cache) -> Digest:
    """Fetch a commit and put the canonical archive of its files into the cache; the archive's sha256.

    Args:
        url: of the repository; it may carry credentials, which are not shown.
        commit: the full id.
        cache: where the archive goes.

    Raises:
        NetworkError: the repository cannot be reached, or has no such commit any more.
        ResolutionError: the commit holds a submodule, which is not part of it.
        UntrustedError: the commit holds a path that leads out of it.
        MachineError: git is missing, or the disk is full.

    """
    if not _COMMIT.fullmatch(commit):
        raise UntrustedError(f"{redact(url)}: {commit!r} is not the full id of a commit")
    with cache.scratch() as folder:
        kind = "sha1" if len(commit) == _SHA1 else "sha256"
        _git(folder, "init", "--quiet", "--bare", f"--object-format={kind}")
        _fetch(folder, url, commit)
        return tree.archive(_entries(folder, commit, redact(url)), cache)


def _fetch(folder: Path, url: str, commit: str) -> None:
    fetch = ("fetch", "--quiet", "--no-tags", "--no-write-fetch-head", "--no-recurse-submodules")
    # Alone where the server gives single commits, as most do; else with all that the branches and tags hold.
    tried = _run(folder, *fetch, "--depth=1", url, commit)
    if tried.returncode != 0:
        tried = _run(folder, *fetch, url, "+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*")
    if tried.returncode == 0 and _run(folder, "cat-file", "-e", f"{commit}^{{commit}}").returncode == 0:
        return
    said = redact(tried.stderr.decode("utf-8", "replace")).strip()
    if tried.returncode == 0 or not _UNREACHABLE.search(said):
        raise NetworkError(
            f"{redact(url)} does not have the commit {commit} any more",
            details=tuple(said.splitlines()[-1:]),
            hint="it was removed or rewritten: name another revision and run `envfreeze lock`",
        )
    raise NetworkError(
        f"{redact(url)} could not be fetched",
        details=tuple(said.splitlines()[-3:]),
        hint="check the address, and that `git ls-remote` with it works without asking for a password",
    )


def _entries(folder: Path, commit: str, shown: str) -> Iterator[Entry]:
    listed = _git(folder, "ls-tree", "-r", "-z", "--full-tree", commit)
    rows = [row for row in listed.split(b"\0") if row]
    names = []
    for row in rows:
        about, _, name = row.partition(b"\t")
        mode, kind, blob = about.decode("ascii").split()
        path = name.decode("utf-8", "surrogateescape")
        if kind == "commit":
            raise ResolutionError(
                f"{shown}: the commit {commit} has a submodule at {path}, whose files are not part of it",
                hint="name a release of the package that has an sdist or a wheel",
            )
        if problem := path_problem(path):
            raise UntrustedError(f"{shown}: the commit {commit} holds a path that {problem}: {path!r}")
        names.append((path, mode, blob))
    contents = _contents(folder, [blob for _, _, blob in names])
    for (path, mode, _), content in zip(names, contents, strict=True):
        if mode == "120000":
            yield symlink(path, content.decode("utf-8", "surrogateescape"))
        else:
            yield Entry(path, Kind.FILE, 0o755 if mode == "100755" else 0o644, content=Plain(content))


def _contents(folder: Path, blobs: list[str]) -> Iterator[bytes]:
    """Read blobs by one git process (git-cat-file(1), "BATCH OUTPUT")."""
    asked = "".join(f"{blob}\n" for blob in blobs).encode()
    answered = _git(folder, "cat-file", "--batch", stdin=asked)
    position = 0
    for _ in blobs:
        end = answered.index(b"\n", position)
        size = int(answered[position:end].split()[2])
        yield answered[end + 1 : end + 1 + size]
        position = end + 1 + size + 1


def _git(folder: Path, *arguments: str, stdin: bytes = b"") -> bytes:
    done = _run(folder, *arguments, stdin=stdin)
    if done.returncode != 0:
        said = redact(done.stderr.decode("utf-8", "replace")).strip()
        raise MachineError(f"git {arguments[0]} failed: {said.partition(chr(10))[0]}")
    return done.stdout


def _run(folder: Path, *arguments: str, stdin: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    # Credentials come from where git keeps them: netrc, helpers, keys. Its prompts would wait for nobody.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    environment |= {
        name: value for name, value in os.environ.items() if name.startswith(("GIT_SSH", "GIT_CONFIG"))
    }
    environment |= {"GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    try:
        return subprocess.run(
            ["git", "-c", "core.hooksPath=/dev/null", *arguments],
            cwd=folder,
            input=stdin,
            capture_output=True,
            check=False,
            env=environment,
        )
    except OSError as error:
        raise MachineError(
            f"git, which fetches requirements from repositories, cannot be run: {error.strerror}",
            hint="install git",
        ) from error
