"""How long to wait before asking again."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Retry:
    """Exponential back-off with jitter. Times are in seconds.

    Attributes:
        attempts: failures in a row, without a byte of progress between them, after which an address is
            given up.
        first: the first pause, before jitter; each further one is twice as long,
        longest: but no longer than this.
        patience: a server that asks to wait longer than this (`Retry-After`) is given up.

    """

    attempts: int = 5
    first: float = 0.5
    longest: float = 20.0
    patience: float = 120.0

    def delay(
        self,
        failures: int,
        asked: float | None = None,
        *,
        chance: Callable[[], float] = random.random,
    ) -> float | None:
        """How long to wait after so many failures in a row; None: give up.

        Args:
            failures: at least 1.
            asked: what the server asked for.
            chance: a number from 0 to 1: the pause is between half and all of its length, so that many
                who failed together do not come back together.

        """
        if failures >= self.attempts or (asked is not None and asked > self.patience):
            return None
        # The exponent is bounded for those who set very many attempts.
        pause = min(self.longest, self.first * 2.0 ** min(failures - 1, 60)) * (0.5 + 0.5 * chance())
        return pause if asked is None else max(pause, asked)


def retry_after(header: str | None, now: datetime | None = None) -> float | None:
    """Read a `Retry-After` header (RFC 9110, section 10.2.3): seconds, or None where it says nothing."""
    if header is None:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return float(text[:9]) if len(text) < 10 else float("inf")  # noqa: PLR2004 - beyond thirty years
    try:
        moment = parsedate_to_datetime(text)
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())
    except (ValueError, OverflowError):
        return None
