"""Any exception as what the command line says of it: a message, what to do next, and an exit code.

Pure: nothing is printed here. The codes are those of docs/reference/exit-codes.md.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import typer

from envfreeze.errors import EnvfreezeError, IncompatibleError, MachineError, UsageError

INTERRUPTED: Final = 130
"""128 and SIGINT's number, as shells have it."""

PIPE_CLOSED: Final = 141
"""128 and SIGPIPE's number: whoever read the result went away before all of it was written."""

BUG: Final = 70
"""sysexits' EX_SOFTWARE. Not Python's own 1, which here means that the answer is no."""


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a command stopped.

    Attributes:
        message: what happened.
        hint: what to do next; may be empty.
        details: further lines, one finding each.
        exit_code: the status that the process ends with.
        bug: the fault is envfreeze's own.
        gpu: of what does not run on a machine: what was compared.

    """

    message: str
    hint: str
    details: tuple[str, ...]
    exit_code: int
    bug: bool = False
    gpu: Mapping[str, Any] = field(default_factory=dict)

    def document(self) -> Mapping[str, Any]:
        """Give the shape that `--json` prints."""
        return {
            "error": {
                "message": self.message,
                "hint": self.hint,
                "details": list(self.details),
                "exit_code": self.exit_code,
                **({"gpu": self.gpu} if self.gpu else {}),
            },
        }


def failure(error: BaseException) -> Failure:
    """Say what an exception means to the user."""
    match error:
        case IncompatibleError():
            return Failure(error.message, error.hint, error.details, error.exit_code, gpu=error.gpu)
        case EnvfreezeError():
            return Failure(error.message, error.hint, error.details, error.exit_code)
        case typer.TyperException():
            return Failure(error.format_message(), _usage_hint(error), (), UsageError.exit_code)
        case KeyboardInterrupt() | typer.Abort():
            return Failure("interrupted", "", (), INTERRUPTED)
        case MemoryError():
            return Failure("this machine has no memory left", "", (), MachineError.exit_code)
        case OSError():
            return failure(machine_error(error))
        case _:
            return Failure(
                f"this is a bug in envfreeze: {type(error).__name__}: {error}",
                "please report it, with the lines above and the command that you ran",
                (),
                BUG,
                bug=True,
            )


def machine_error(error: OSError) -> MachineError:
    """Say what the operating system refused, to which file, and what to do about it."""
    where = ", ".join(str(name) for name in (error.filename, error.filename2) if name is not None)
    match error.errno:
        case errno.ENOSPC | errno.EDQUOT:
            message = "no space left on the disk"
            hint = "`envfreeze cache prune` frees some; ENVFREEZE_CACHE moves the cache to another disk"
        case errno.EACCES | errno.EPERM:
            message = "permission denied"
            hint = "run as a user who may write there, or choose another place"
        case errno.EROFS:
            message = "the file system is read-only"
            hint = "choose another place; ENVFREEZE_CACHE moves the cache"
        case errno.EMFILE | errno.ENFILE:
            message = "too many open files"
            hint = "raise the limit (`ulimit -n 4096`) or lower --workers"
        case _:
            message = error.strerror or str(error) or type(error).__name__
            hint = ""
    return MachineError(f"{message}: {where}" if where else message, hint=hint)


def _usage_hint(error: typer.TyperException) -> str:
    context = getattr(error, "ctx", None)  # usage errors have one, and typer has no public class for them
    command = context.command_path if context is not None else "envfreeze"
    return f"`{command} --help` shows what it takes"
