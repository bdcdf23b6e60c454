"""Running an engine's program: its lines as they come, and no process of it left behind."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from envfreeze.engines.driven import tether
from envfreeze.errors import MachineError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ANSWER_SECONDS = 60
"""How long a program may take to answer a question about itself."""

_END_SECONDS = 20


def found(program: str) -> bool:
    """Whether there is such a program."""
    return shutil.which(program) is not None


def ask(
    command: Sequence[str],
    environment: Mapping[str, str] | None = None,
    *,
    seconds: float = ANSWER_SECONDS,
) -> subprocess.CompletedProcess[str]:
    """Run a program that answers soon; its status, and what it says.

    Args:
        command: the program and its arguments.
        environment: all variables; None: this process's own.
        seconds: how long it may take.

    Raises:
        MachineError: it is not there, or does not answer.

    """
    try:
        return subprocess.run(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=seconds,
            check=False,
        )
    except FileNotFoundError:
        raise MachineError(f"there is no program {command[0]} on this machine") from None
    except subprocess.TimeoutExpired:
        raise MachineError(f"`{' '.join(command[:3])}` gave no answer in {seconds:.0f} seconds") from None
    except OSError as error:
        raise MachineError(f"{command[0]} cannot be run: {error.strerror}") from error


def run(
    command: Sequence[str],
    tell: Callable[[str], None],
    environment: Mapping[str, str] | None = None,
    *,
    apart: bool = False,
) -> int:
    """Run a program to its end; its status.

    It is told to end, and killed where it does not, when this function is left before; and it is told where
    this process is killed.

    Args:
        command: the program and its arguments.
        tell: is given every line that it writes, of both of its streams in their order.
        environment: all variables; None: this process's own.
        apart: what it starts and mounts ends with it, at once. Only root can ask for that.

    Raises:
        MachineError: it cannot be run.

    """
    told = (os.getpid(), int(signal.SIGTERM), int(apart))
    watched = [sys.executable, "-I", "-S", str(Path(tether.__file__)), *map(str, told)]
    try:
        child = subprocess.Popen(
            [*watched, *command],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            process_group=0,
        )
    except OSError as error:
        raise MachineError(f"{command[0]} cannot be run: {error.strerror}") from error
    with child:
        try:
            if child.stdout is not None:
                for line in child.stdout:
                    tell(line)
            return child.wait()
        except BaseException:
            _end(child, apart=apart)
            raise


def _end(child: subprocess.Popen[str], *, apart: bool) -> None:
    """End a program and what it started: asked first, so that it can tell its daemon."""
    for number in (signal.SIGKILL,) if apart else (signal.SIGTERM, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(child.pid, number)
        with suppress(subprocess.TimeoutExpired):
            child.wait(_END_SECONDS)
            return
