"""The library `sigstore`: an extra, which may not be installed, and whose warnings are told like others."""

from __future__ import annotations

import importlib.util
import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from envfreeze.errors import MachineError
from envfreeze.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from envfreeze.progress import Progress


def needed_for(what: str) -> None:
    """Hold that the library is installed, before anything is done that will need it.

    Raises:
        MachineError: it is not.

    """
    if importlib.util.find_spec("sigstore") is None:
        raise MachineError(
            f"{what} needs the library sigstore, which is not installed",
            hint='pip install "envfreeze[sigstore]"',
        )


class _Teller(logging.Handler):
    """Hands what the library warns of to a `Progress`."""

    def __init__(self, progress: Progress) -> None:
        super().__init__(logging.WARNING)
        self._progress = progress

    def emit(self, record: logging.LogRecord) -> None:
        self._progress.warn(f"sigstore: {record.getMessage()}")


@contextmanager
def told(progress: Progress = SILENT) -> Iterator[None]:
    """Tell what the library warns of, and let none of its log lines out otherwise."""
    logger = logging.getLogger("sigstore")
    teller, passed_on = _Teller(progress), logger.propagate
    logger.addHandler(teller)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(teller)
        logger.propagate = passed_on
