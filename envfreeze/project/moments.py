"""`exclude-newer`: a moment in UTC, or a span of time before the lock is made."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta

_SPAN = re.compile(
    r"(?P<words>\d+) (?P<unit>hour|day|week)s?|P(?P<days>\d+)(?P<letter>[DW])|PT(?P<hours>\d+)H"
)
_UNITS = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(weeks=1)}


def moment(value: str | date | datetime) -> datetime:
    """Read a TOML date, a TOML date and time with offset, or either as an RFC 3339 string.

    A date is the end of that day in UTC: midnight at the start of the next one.

    Raises:
        ValueError: the calendar has no such day or moment.

    """
    if isinstance(value, str):
        # RFC 3339, section 5.6: `T` and `Z` may be lower case, a space may stand for `T`.
        is_date = len(value) == len("2026-09-12")
        value = date.fromisoformat(value) if is_date else datetime.fromisoformat(value.upper())
    try:
        if isinstance(value, datetime):
            return value.astimezone(UTC)
        return datetime(value.year, value.month, value.day, tzinfo=UTC) + timedelta(days=1)
    except OverflowError as error:
        raise ValueError("beyond the calendar") from error


def span(value: object) -> timedelta | None:
    """Read `7 days`, `24 hours`, `2 weeks`, or as ISO 8601 writes them, `P7D`, `PT24H`, `P2W`.

    None: it is not a span. Months and years are none either, since they have no fixed length.
    """
    found = _SPAN.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        return None
    if found["words"]:
        return int(found["words"]) * _UNITS[found["unit"]]
    if found["hours"]:
        return timedelta(hours=int(found["hours"]))
    return int(found["days"]) * _UNITS["day" if found["letter"] == "D" else "week"]
