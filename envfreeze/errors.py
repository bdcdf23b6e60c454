"""The errors of envfreeze: one class for each exit code.

Every error is a sentence that says what happened and to which file or package; `hint` says what to do
next and, where it can, is a command that can be typed. Nothing in this module knows how it is shown.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping


class EnvfreezeError(Exception):
    """What the user, the network or the machine did that stops a command.

    Attributes:
        message: what happened, naming the file or package.
        hint: what to do next; empty where the message already says it.
        details: further lines, one finding each (every package without a wheel, say).
        exit_code: the status that the command line returns.

    """

    exit_code: ClassVar[int] = 7

    def __init__(self, message: str, *, hint: str = "", details: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = details


class AnswerIsNoError(EnvfreezeError):
    """The question was answered, and the answer is no: drift, not reproduced, differs."""

    exit_code = 1


class UsageError(EnvfreezeError):
    """Wrong use or configuration."""

    exit_code = 2


class ResolutionError(EnvfreezeError):
    """What was asked for cannot be resolved."""

    exit_code = 3


class NetworkError(EnvfreezeError):
    """A network, an index or a registry did not give what was asked of it."""

    exit_code = 4


class IncompatibleError(EnvfreezeError):
    """What was locked cannot run on a GPU or a driver that it shall run on.

    Attributes:
        gpu: what was compared, as `--json` shows it; {} where there is no more than the message.

    """

    exit_code = 5

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        details: tuple[str, ...] = (),
        gpu: Mapping[str, object] | None = None,
    ) -> None:
        super().__init__(message, hint=hint, details=details)
        self.gpu = gpu or {}


class UntrustedError(EnvfreezeError):
    """Untrusted or corrupt input: a hash, a signature, an archive, a lock or a record that is wrong."""

    exit_code = 6


class MachineError(EnvfreezeError):
    """This machine: disk, permission, a missing program."""

    exit_code = 7
