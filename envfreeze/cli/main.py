"""`envfreeze`: the entry point.

It imports next to nothing itself, so that an interrupt while the rest is imported already finds its handler.
"""

from __future__ import annotations

import atexit
import gc
import os
import sys
from collections.abc import Sequence

_INTERRUPTED = 130  # envfreeze.cli.errors.INTERRUPTED, which may not have been imported yet


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: of the command line, without the program's name; None: this process's own.

    Returns:
        The exit code: docs/reference/exit-codes.md.

    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    # All memory goes back at the end, so nobody needs the interpreter's last search for cycles in it.
    atexit.register(gc.freeze)
    try:
        for name in ("stdout", "stderr"):
            if getattr(sys, name) is None:  # closed by whoever started this: `2>&-`
                setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: PTH123, SIM115 - light; stays open
        from envfreeze.cli.commands import run  # noqa: PLC0415 - heavy

        return run(words)
    except KeyboardInterrupt:
        return _interrupted(as_json="--json" in words)


def _interrupted(*, as_json: bool) -> int:
    """Say what `envfreeze.cli.errors` says of an interrupt, without what may be half imported."""
    try:
        sys.stderr.write("error: interrupted\n")
        sys.stderr.flush()
        if as_json:
            sys.stdout.write(
                '{"error": {"message": "interrupted", "hint": "", "details": [], "exit_code": 130}}\n',
            )
            sys.stdout.flush()
    except OSError:
        pass  # nobody listens; the exit code says it as well
    return _INTERRUPTED
