"""Locations of Python packages: environment variables put in, credentials kept out of what is shown."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from envfreeze.project.keys import VARIABLE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from envfreeze.project.validation import Written

_URL = re.compile(r"(?:https?://[^/\s]+|file:///)\S*")


def expand(written: Written, key: str, values: Sequence[str]) -> tuple[str, ...]:
    """Put the environment variables into URLs.

    Returns:
        The URLs as a resolver takes them: they may hold passwords and must not be shown.

    Raises:
        UsageError: a variable is not set, or what comes out is not a URL. Its value is not told.

    """
    return tuple(_expanded(written, key, value) for value in values)


def _expanded(written: Written, key: str, value: str) -> str:
    def of_environment(match: re.Match[str]) -> str:
        name = match[1]
        found = os.environ.get(name)
        if not found:
            raise written.error(
                key,
                f"needs the environment variable {name}, which is not set",
                f"export {name}=…",
            )
        return found

    if "${" in re.sub(VARIABLE, "", value):
        raise written.error(key, "has a `${` that begins no variable", "a variable is written ${NAME}")
    return re.sub(VARIABLE, of_environment, value)


def is_url(value: str) -> bool:
    """Tell a URL that packages can be fetched from."""
    return _URL.fullmatch(value) is not None


def without_credentials(value: str) -> str:
    """Take user and password out of a URL, or give a path as it is."""
    return re.sub("(?<=://)[^/]*@", "", value)
