"""Runs a build's processes: a clean environment, no network, nothing to write but its own folder.

What a build sees is the same on every machine: a fixed time, locale, user and host name, and of programs
only those of its build environment, so that it neither finds a compiler here and none there nor asks the
host's git.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from envfreeze.errors import MachineError
from envfreeze.locking.indexes import redact
from envfreeze.locking.sources import jail
from envfreeze.oci.tar import MTIME

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

OPT_OUT = "ENVFREEZE_BUILD_ISOLATION"
"""Set to `none` it lets builds run without isolation, on a machine whose kernel has none to give."""

NOT_ISOLATED = "it was built without isolation from the network and the machine's files"
"""The note on a wheel that was built so."""

PATIENCE_SECONDS = 3600
_LAST_LINES = 20
_NETWORK = re.compile(
    r"Network is unreachable|name resolution|Name or service not known|nodename nor servname|"
    r"Could not resolve host|getaddrinfo failed|gaierror",
    re.IGNORECASE,
)
_SECRET = re.compile(r"(?i)((?:password|passwd|token|secret|api[_-]?key)\S*\s*[=:]\s*)\S+")


class BuildError(Exception):
    """A process of a build failed.

    Attributes:
        lines: the last lines of its output, without secrets.
        reason: why, where the output tells; else empty.

    """

    def __init__(self, output: str) -> None:
        super().__init__(output)
        lines = [line.rstrip() for line in output.splitlines() if line.strip()]
        self.lines = tuple(_SECRET.sub(r"\1…", redact(line)) for line in lines[-_LAST_LINES:])
        self.reason = ""
        if _NETWORK.search(output):
            self.reason = "its build wants the network, which no build gets"
        elif "Read-only file system" in output:
            self.reason = "its build writes outside its own folder"


@dataclass(frozen=True, slots=True)
class Sandbox:
    """Where the processes of one build run.

    Attributes:
        folder: the build's own, all that it may write to; it has `home` and `tmp`.
        programs: the folder of the build environment's programs, the whole search path.
        umask: of its processes.
        further: environment variables that the build needs beside the fixed ones.

    """

    folder: Path
    programs: Path
    umask: int
    further: Mapping[str, str]

    def run(
        self, command: Sequence[str], folder: Path, environment: Mapping[str, str], *, also: Path
    ) -> None:
        """Run a program to its end.

        Args:
            command: the program, absolute, and its arguments.
            folder: where it starts.
            environment: further variables.
            also: a second folder that it may write to.

        Raises:
            BuildError: it failed.
            MachineError: this machine cannot isolate it.

        """
        output = self.folder / "output"
        if isolated():
            wish = {
                "command": list(command),
                "folder": str(folder),
                "writable": [str(self.folder), str(also.resolve())],
            }
            command = [sys.executable, "-I", "-S", str(Path(jail.__file__)), json.dumps(wish)]
        with output.open("wb") as file:
            status = self._wait(command, folder, self._environment() | dict(environment), file.fileno())
        said = output.read_bytes()[-200_000:].decode("utf-8", "replace")
        if status == jail.REFUSED and jail.MARK in said:
            raise _refused(said.partition(jail.MARK)[2].partition("\n")[0])
        if status != 0:
            raise BuildError(said)

    def _wait(self, command: Sequence[str], folder: Path, environment: Mapping[str, str], output: int) -> int:
        try:
            child = subprocess.Popen(
                command,
                cwd=folder,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                umask=self.umask,
            )
        except OSError as error:
            raise MachineError(f"{command[0]} cannot be run: {error.strerror}") from error
        with child:
            try:
                return child.wait(PATIENCE_SECONDS)
            except BaseException as error:
                with suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)
                if not isinstance(error, subprocess.TimeoutExpired):
                    raise
                os.write(output, b"\nnot done after %d seconds" % PATIENCE_SECONDS)
                return 1

    def _environment(self) -> dict[str, str]:
        return {
            "HOME": str(self.folder / "home"),
            "LANG": "C.UTF-8",
            "LC_ALL": "C.UTF-8",
            "PATH": str(self.programs),
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONHASHSEED": "0",
            "PYTHONNOUSERSITE": "1",
            "SOURCE_DATE_EPOCH": str(MTIME),
            "TMPDIR": str(self.folder / "tmp"),
            "TZ": "UTC",
            **self.further,
        }


def isolated() -> bool:
    """Whether builds are isolated on this machine.

    Raises:
        MachineError: they would have to be and it cannot be.

    """
    if os.environ.get(OPT_OUT) == "none":
        return False
    if sys.platform != "linux":
        raise _refused(f"{sys.platform} has no namespaces")
    return True


def _refused(why: str) -> MachineError:
    return MachineError(
        f"this machine does not let a build be isolated from the network: {why}",
        hint="go where the kernel allows user namespaces (Linux 5.12 or later, outside a container that "
        f"forbids them), or accept builds without isolation: {OPT_OUT}=none; the lock will say so",
    )
