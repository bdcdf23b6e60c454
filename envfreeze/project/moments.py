"""`exclude-newer` as a moment in UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta


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
