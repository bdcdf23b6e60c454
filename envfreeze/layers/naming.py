"""Whose content is wrong: the name of the artifact in every message about it."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from envfreeze.errors import UntrustedError

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextlib.contextmanager
def named(filename: str) -> Iterator[None]:
    """Begin the message of whatever is not to be trusted with the artifact's name, and say what to do.

    Raises:
        UntrustedError: what was raised inside, named.

    """
    try:
        yield
    except UntrustedError as error:
        message = error.message if error.message.startswith(filename) else f"{filename}: {error.message}"
        raise UntrustedError(
            message,
            hint=error.hint or "the file is not fit to be installed; lock another build or report it",
        ) from error
