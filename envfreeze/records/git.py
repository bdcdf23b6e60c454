"""Running `git`, and the repository that a folder belongs to.

Git is driven as a program, so that whatever the user's git can open (worktrees, submodules, partial
clones, reftables) works here too. What a user may have configured for their own comfort must not change
what is recorded, and nothing of theirs is run or touched: no hooks, no prompts, not their index.
"""

from __future__ import annotations

import errno
import os
import re
import subprocess
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from envfreeze.errors import MachineError
from envfreeze.replacing import replace

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import BinaryIO

NAME, EMAIL = "envfreeze", "envfreeze@localhost"
"""Who writes where git does not know the user. The default that git would make up has the host's name."""

_SETTINGS = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",  # the name of a hook in older versions
    "core.splitIndex=false",  # would leave shared parts of our temporary indexes in the repository
    "core.safecrlf=false",  # a warning for people, an error in a snapshot
    "core.quotePath=false",
    "diff.suppressBlankEmpty=false",
    "apply.whitespace=nowarn",
    "apply.ignoreWhitespace=no",
)

# Where git runs is decided by the folder alone: inside a hook, say, these point to the outer command's index.
_DROPPED = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_COMMON_DIR",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_NAMESPACE",
    "GIT_PREFIX",
    "GIT_GRAFT_FILE",
    "GIT_SHALLOW_FILE",
    "GIT_REPLACE_REF_BASE",
    "GIT_IMPLICIT_WORK_TREE",
    "GIT_QUARANTINE_PATH",
    "GIT_EXTERNAL_DIFF",
    "GIT_DIFF_OPTS",
    "GIT_ATTR_SOURCE",
    "GIT_LITERAL_PATHSPECS",
    "GIT_GLOB_PATHSPECS",
    "GIT_NOGLOB_PATHSPECS",
    "GIT_ICASE_PATHSPECS",
)

_FIXED = {
    "LC_ALL": "C",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",  # leaves the user's index alone
    "GIT_NO_REPLACE_OBJECTS": "1",  # a commit is what its hash says
}


class GitError(MachineError):
    """Git said no.

    Attributes:
        status: git's exit status.
        stderr: what it said.

    """

    def __init__(
        self, folder: Path, arguments: tuple[str, ...], status: int, stderr: str, hint: str = ""
    ) -> None:
        said = "; ".join(line.strip() for line in stderr.splitlines() if line.strip())
        super().__init__(
            f"git {arguments[0]} failed in {folder}: {said or f'exit status {status}'}", hint=hint
        )
        self.status = status
        self.stderr = stderr


@dataclass(frozen=True, slots=True)
class Git:
    """The `git` program in a folder.

    Attributes:
        folder: where it runs.
        variables: environment variables beside the usual ones.

    """

    folder: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    def at(self, folder: Path, **variables: str) -> Git:
        """Give the same git in another folder, with further environment variables."""
        return replace(self, folder=folder, variables={**self.variables, **variables})

    def run(self, *arguments: str, stdin: bytes = b"", into: BinaryIO | None = None) -> bytes:
        """Run a command and give what it printed, or write that `into` a file.

        Raises:
            GitError: it failed.
            MachineError: there is no git.
            OSError: there is no room for what it prints `into` the file.

        """
        status, output, stderr = self._call(arguments, stdin, into)
        if status != 0:
            if into is not None and b"write failure on standard output" in stderr:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), into.name)
            raise self._error(arguments, status, stderr + _refused(output if into is None else b""))
        return output

    def ask(self, *arguments: str, stdin: bytes = b"") -> bytes | None:
        """Run a command that answers no with exit status 1; None is that no."""
        status, output, stderr = self._call(arguments, stdin, None)
        if status == 1:
            return None
        if status != 0:
            raise self._error(arguments, status, stderr)
        return output

    def _call(
        self, arguments: tuple[str, ...], stdin: bytes, into: BinaryIO | None
    ) -> tuple[int, bytes, bytes]:
        environment = {name: value for name, value in os.environ.items() if name not in _DROPPED}
        environment |= {**_FIXED, **self.variables}
        command = ["git"]
        for setting in _SETTINGS:
            command += ["-c", setting]
        try:
            # A session of its own: Ctrl-C and a killed process group reach us and not git, which would
            # otherwise leave the lock of a reference behind.
            process = subprocess.Popen(
                [*command, *arguments],
                cwd=self.folder,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=into or subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except FileNotFoundError as error:
            if error.filename != "git":
                raise MachineError(f"{self.folder} is not there") from None
            raise MachineError(
                f"{self.folder} is in a git repository, and there is no git to record the build with",
                hint="install git",
            ) from None
        with process:
            try:
                output, stderr = process.communicate(stdin)
            except BaseException:
                process.terminate()  # which lets git remove its lock files, as a kill would not
                raise
        return process.returncode, output or b"", stderr

    def _error(self, arguments: tuple[str, ...], status: int, stderr: bytes) -> GitError:
        said = stderr.decode(errors="replace")
        hint = ""
        refused = re.search(r"(?:dubious ownership in repository at|unsafe repository \() ?'([^']+)'", said)
        if refused:
            hint = f"git config --global --add safe.directory {refused[1]}"
        elif "No space left on device" in said:
            hint = "free some space on the disk of the repository"
        elif "Permission denied" in said or "Read-only file system" in said:
            hint = "the repository has to be writable by you"
        return GitError(self.folder, arguments, status, said, hint)


def _refused(output: bytes) -> bytes:
    """What `git push --porcelain` says of references that were not taken (git-push(1), "OUTPUT")."""
    return b"".join(b"\n" + line for line in output.splitlines() if line.startswith(b"!\t"))


def _check_none(folder: Path) -> None:
    """Refuse a `.git` that git does not know: a damaged repository must not pass for a folder without one."""
    device = folder.stat().st_dev
    for parent in (folder, *folder.parents):
        if parent.stat().st_dev != device:  # git does not look further either
            return
        found = parent / ".git"
        if found.is_file() or (found.is_dir() and any(found.iterdir())):
            raise MachineError(
                f"{found} is there, but git takes it for no repository: it is damaged, or not finished",
                hint=f"repair it, or move it away; `git -C {parent} status` says what git sees",
            )


@dataclass(frozen=True, slots=True)
class Repository:
    """The repository and the working tree that a project is in.

    Attributes:
        git: runs in the working tree's root.
        toplevel: the working tree's root, absolute.
        git_dir: the working tree's own git folder, absolute.
        project: the project's folder relative to `toplevel`, POSIX, `.` for the root itself.

    """

    git: Git
    toplevel: Path
    git_dir: Path
    project: str

    @classmethod
    def find(cls, folder: Path) -> Repository | None:
        """Find the repository whose working tree a folder is in.

        Returns:
            None where there is none: outside git, in a bare repository, inside of `.git`.

        Raises:
            MachineError: there is one that git will not open, or there is no git.

        """
        git = Git(folder)
        try:
            answer = git.run("rev-parse", "--show-toplevel", "--absolute-git-dir", "--show-prefix")
        except GitError as error:
            if "must be run in a work tree" in error.stderr:
                return None
            if "(or any" in error.stderr:
                _check_none(folder)
                return None
            raise
        except MachineError:
            if any((parent / ".git").exists() for parent in (folder, *folder.parents)):
                raise
            return None
        toplevel, git_dir, prefix = (Path(os.fsdecode(line)) for line in answer.split(b"\n")[:3])
        return cls(git.at(toplevel), toplevel, git_dir, prefix.as_posix())

    def path(self, name: str) -> Path:
        """Give the path of something in the git folder (`index`, `objects`), wherever it really is."""
        answer = self.git.run("rev-parse", "--git-path", name).removesuffix(b"\n")
        return self.toplevel / os.fsdecode(answer)

    def common_dir(self) -> Path:
        """Give the git folder that all working trees of the repository share."""
        answer = self.git.run("rev-parse", "--git-common-dir").removesuffix(b"\n")
        return self.toplevel / os.fsdecode(answer)

    def resolve(self, revision: str) -> str | None:
        """Give the id of an object, None where there is none of that name."""
        answer = self.git.ask("rev-parse", "--quiet", "--verify", revision)
        return None if answer is None else answer.decode().strip()

    def committer(self) -> Git:
        """Give a git that can commit: as the user, or as envfreeze where git does not know them."""
        answer = self.git.ask("config", "-z", "--get-regexp", r"^(user|committer)\.(name|email)$") or b""
        configured = dict(
            item.partition("\n")[::2] for item in answer.decode(errors="surrogateescape").split("\0") if item
        )
        variables: dict[str, str] = {}
        for part, fallback in (("name", NAME), ("email", EMAIL)):
            who = (
                os.environ.get(f"GIT_COMMITTER_{part.upper()}")
                or configured.get(f"committer.{part}")
                or configured.get(f"user.{part}")
                or fallback
            )
            variables |= {f"GIT_AUTHOR_{part.upper()}": who, f"GIT_COMMITTER_{part.upper()}": who}
        return self.git.at(self.toplevel, **variables)
