"""Patterns of policies: `*` stands for any characters."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def allows(patterns: Iterable[str], text: str) -> bool:
    """Whether one of the patterns is the whole text; `*` stands for any characters, and nothing else does."""
    return any(
        re.fullmatch(".*".join(map(re.escape, pattern.split("*"))), text, re.DOTALL) for pattern in patterns
    )
