"""SMPP time strings (SMPP 3.4 section 7.1.1): absolute `YYMMDDhhmmsstnnp`, relative with `R` at the end."""

from datetime import UTC, datetime, timedelta, timezone
from functools import lru_cache
from typing import NamedTuple

from protocol.errors import ContentError

_MONTH_DAYS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


class Relative(NamedTuple):
    """A span from now; years and months are calendar ones."""

    years: int
    months: int
    days: int
    hours: int
    minutes: int
    seconds: int


def parse_time(text: str, pivot: int = 38) -> datetime | Relative | None:
    """An aware datetime, a span, or None for the empty string ("the SMSC's default").

    Years below `pivot` are 20xx, the others 19xx (Appendix C). Raises ContentError.
    """
    if not text:
        return None
    if len(text) != 16 or not (text[:15].isascii() and text[:15].isdigit()):
        raise ContentError(f"{text!r} is no SMPP time: 15 digits and +, - or R")
    year, month, day, hour, minute, second, tenth, quarters = (
        *(int(text[at : at + 2]) for at in range(0, 12, 2)),
        int(text[12]),
        int(text[13:15]),
    )
    if text[15] == "R":
        return Relative(year, month, day, hour, minute, second)
    if text[15] not in "+-" or quarters > 48:
        raise ContentError(f"{text!r}: the offset is 00 to 48 quarter hours and + or -")
    offset = timedelta(minutes=15 * quarters * (1 if text[15] == "+" else -1))
    try:
        full = year + (2000 if year < pivot else 1900)
        return datetime(full, month, day, hour, minute, second, tenth * 100_000, timezone(offset))
    except ValueError as error:
        raise ContentError(f"{text!r}: {error}") from None


def resolve(text: str, now: datetime) -> datetime | None:
    """The moment `text` means at `now` (aware), in UTC; None for the empty string. Raises ContentError."""
    parsed = parse_time(text)
    if parsed is None:
        return None
    if isinstance(parsed, datetime):
        return parsed.astimezone(UTC)
    months = now.year * 12 + now.month - 1 + parsed.years * 12 + parsed.months
    year, month = divmod(months, 12)
    leap = month == 1 and ((year % 4 == 0 and year % 100 != 0) or year % 400 == 0)
    day = min(now.day, _MONTH_DAYS[month] + leap)
    moved = now.replace(year=year, month=month + 1, day=day)
    span = timedelta(days=parsed.days, hours=parsed.hours, minutes=parsed.minutes, seconds=parsed.seconds)
    return (moved + span).astimezone(UTC)


def absolute(moment: datetime) -> str:
    """`moment` (aware) as an absolute SMPP time at offset 00."""
    utc = moment.astimezone(UTC)
    return utc.strftime("%y%m%d%H%M%S") + f"{utc.microsecond // 100_000}00+"


def relative(seconds: float) -> str:
    """A span from now, as relative time; days and smaller only, at most 99 days."""
    return _relative(int(seconds))


@lru_cache(maxsize=4096)
def _relative(seconds: int) -> str:
    """Messages of one class have about as long left as each other, to the second."""
    left = max(0, min(seconds, 99 * 86400))
    days, left = divmod(left, 86400)
    hours, left = divmod(left, 3600)
    minutes, left = divmod(left, 60)
    return f"0000{days:02d}{hours:02d}{minutes:02d}{left:02d}000R"
