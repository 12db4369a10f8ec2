"""When messages may be sent: intervals of the day, in the recipient's time zone, by weekday, holiday and day of the month.

Whether a window is open is asked for every message and changes by the minute: answers are kept for the minute.
"""

from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

import holidays
import phonenumbers

from config.policy import Window
from config.presets import window_of
from routing.policy.numbers import country_code_of, zone_of

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
LOOK_AHEAD_DAYS = 40
MEMORY_MAX = 4_096
DAY_MINUTES = 24 * 60
RECIPIENT = "recipient"


class Opening(NamedTuple):
    """When a window is open next: from `start_utc` (in the past when it is open now) until `end_utc`."""

    start_utc: float
    end_utc: float


class Intervals:
    """Minutes of a day."""

    def __init__(self, texts: list[str]) -> None:
        self.spans = sorted(_span(text) for text in texts)


def _span(text: str) -> tuple[int, int]:
    start, end = (int(one[:2]) * 60 + int(one[3:]) for one in text.split("-"))
    return start, min(end, DAY_MINUTES)


class WindowRule:
    """One window, compiled. `default_zone` is for recipients whose country has several zones."""

    def __init__(self, window: Window, default_zone: str = "UTC") -> None:
        self.window = rule = window_of(window)
        self.classes = frozenset(rule.classes)
        self.purposes = frozenset(rule.purposes)
        self.industries = frozenset(rule.industries)
        self._plain = Intervals(rule.intervals or ["00:00-24:00"])
        self._weekend = self._plain if rule.weekend is None else Intervals(rule.weekend)
        self._weekdays = frozenset(DAYS.index(day) for day in rule.weekdays or ()) or frozenset(range(7))
        self._closed_days = frozenset(rule.month_days_closed or ())
        self._holidays = rule.holidays or "ignored"
        self._extra = frozenset(date.fromisoformat(day) for day in rule.holidays_extra)
        self._zone = ZoneInfo(default_zone if rule.timezone == RECIPIENT else rule.timezone)
        self._openings: dict[tuple[str, int], Opening | None] = {}

    def about(self, class_: str) -> bool:
        """Whether messages of this class may go by this window."""
        return not self.classes or class_ in self.classes

    def matches(self, purpose: str, industry: str) -> bool:
        """Whether a message of such a class does."""
        return (not self.purposes or purpose in self.purposes) and (not self.industries or industry in self.industries)

    @property
    def holds(self) -> bool:
        """Whether messages wait for it to open; else they are refused."""
        return self.window.closed == "hold"

    def opening(self, number: str, utc: float) -> Opening | None:
        """When a message to `number` may go next, at `utc` or later; None: not within forty days."""
        country = country_code_of(number)
        minute = int(utc // 60)
        known = self._openings.get((country, minute), False)
        if known is not False:
            return known  # type: ignore[return-value]  # False is no opening
        if len(self._openings) >= MEMORY_MAX:
            self._openings.clear()
        found = self._openings[country, minute] = self._look(country, minute * 60.0)
        return found

    def _look(self, country: str, utc: float) -> Opening | None:
        zone = self._zone
        if self.window.timezone == RECIPIENT:
            zone = zone_of(country) or zone
        here = datetime.fromtimestamp(utc, UTC).astimezone(zone)
        found: Opening | None = None
        for ahead in range(LOOK_AHEAD_DAYS):
            day = here.date() + timedelta(days=ahead)
            for start, end in self._spans(day, country):
                opens, closes = _moment(day, start, zone), _moment(day, end, zone)
                if closes <= opens:
                    continue  # a clock change has skipped it
                if found is None:
                    found = Opening(opens, closes) if closes > utc else None
                elif opens <= found.end_utc:  # the next one begins where this one ends, at midnight as a rule
                    found = Opening(found.start_utc, max(found.end_utc, closes))
                else:
                    return found
            if found is not None and found.end_utc < _moment(day, DAY_MINUTES, zone):
                return found
        return found

    def _spans(self, day: date, country: str) -> list[tuple[int, int]]:
        last = (day.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
        if day.day in self._closed_days or day.day - last.day - 1 in self._closed_days:
            return []
        weekday = day.weekday()
        is_weekend = weekday >= 5
        how = self._holidays
        if day in self._extra or (how != "ignored" and _is_holiday(country, day)):
            if how != "as_weekend":
                return []
            return self._weekend.spans
        if how != "ignored" and is_weekend and _is_make_up(country, day):
            is_weekend, weekday = False, 0  # a weekend's day that is worked instead of another
        if weekday not in self._weekdays:
            return []
        return (self._weekend if is_weekend else self._plain).spans


def _moment(day: date, minutes: int, zone: ZoneInfo) -> float:
    """A wall clock time; one that a clock change skips is moved on, of one that comes twice the first counts."""
    midnight = datetime(day.year, day.month, day.day, tzinfo=zone)
    wall = midnight.replace(tzinfo=None) + timedelta(minutes=minutes)
    return wall.replace(tzinfo=zone).timestamp()


@lru_cache(maxsize=256)
def _calendar(country: str, year: int) -> "holidays.HolidayBase | None":
    region = phonenumbers.region_code_for_country_code(int(country or "0"))
    try:
        return holidays.country_holidays(region, years=year)
    except NotImplementedError:
        return None  # the library does not know this country


def _is_holiday(country: str, day: date) -> bool:
    calendar = _calendar(country, day.year)
    return calendar is not None and day in calendar


def _is_make_up(country: str, day: date) -> bool:
    """A Saturday or Sunday that is worked, as China moves its days off."""
    calendar = _calendar(country, day.year)
    return calendar is not None and calendar.is_working_day(day)
