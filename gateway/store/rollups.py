"""Counts of ended messages, kept longer than the messages: by day for reports, by minute for the ten seconds.

A row is a list of integers in the order of COUNTS; its key says the period and what it is about. Periods are those in which the
end became known, so a period that is over never changes again.
"""

from collections.abc import Callable
from functools import lru_cache
from typing import TypeAlias

from config.schema import MessageClass
from gateway.store.base import Final
from routing.records import MessageState
from routing.sla import WITHIN_S

COUNTS = (
    *(state.name.lower() for state in MessageState if state.final),
    "corrected",
    "within_10s",
    "channel_within_10s",
    "price",
    "cost",
)
"""Only ever add at the end. `corrected` counts ends that were counted as unknown before."""
FIRST_FINAL = MessageState.DELIVERED
_CORRECTED = COUNTS.index("corrected")
_WITHIN = COUNTS.index("within_10s")
_CHANNEL_WITHIN = COUNTS.index("channel_within_10s")
_PRICE = COUNTS.index("price")
_COST = COUNTS.index("cost")
DAY_S, MINUTE_S = 86_400, 60
MINUTES_KEPT = 2 * DAY_S // MINUTE_S
SEPARATOR = "\x1f"
SPELLED_MAX = 4_096

Key: TypeAlias = tuple[str, int, str, str, str, str, str]
"""Kind `d` or `m`, number of the period, class, channel, operator, account, campaign (the last two empty for minutes)."""


class Rollups:
    """The rows of the running periods."""

    def __init__(self) -> None:
        self.held: dict[Key, list[int]] = {}
        self._new: dict[tuple[int, MessageClass, str, str, str, str], list[int]] = {}
        """Counts since `gather`, by all that both rows of an end are about: one list to add to for each end, not two."""
        self._minute = 0

    def add(self, final: Final, utc: float) -> None:
        """Count one more."""
        message = final.message
        alike = (
            int(utc // MINUTE_S),
            message.class_,
            final.channel,
            message.operator,
            message.account,
            message.campaign_id,
        )
        row = self._new.get(alike)
        if row is None:
            row = self._new[alike] = [0] * len(COUNTS)
        row[message.state - FIRST_FINAL] += 1
        if final.since_due is not None and final.since_due <= WITHIN_S:
            row[_WITHIN] += 1
        if final.since_written is not None and final.since_written <= WITHIN_S:
            row[_CHANNEL_WITHIN] += 1
        if final.correction:
            row[_CORRECTED] += 1
        else:
            row[_PRICE] += message.price
            row[_COST] += message.cost

    def gather(self) -> set[Key]:
        """Bring the rows up to date; gives the keys of those that changed since the last time."""
        changed: set[Key] = set()
        for (number, class_, channel, operator, account, campaign), counts in self._new.items():
            day: Key = ("d", number * MINUTE_S // DAY_S, class_, channel, operator, account, campaign)
            minute: Key = ("m", number, class_, channel, operator, "", "")
            for key in (day, minute):
                row = self.held.get(key)
                self.held[key] = list(counts) if row is None else [one + more for one, more in zip(row, counts, strict=True)]
                changed.add(key)
        self._new = {}
        return changed

    def restore(self, key: Key, row: list[int]) -> None:
        """What the row was before a restart; an older version may have written fewer counts."""
        self.held[key] = [*row, *[0] * (len(COUNTS) - len(row))]

    def has_passed(self, utc: float) -> bool:
        """Whether another minute has begun since `forget_over` last did something."""
        return int(utc // MINUTE_S) != self._minute

    def forget_over(self, utc: float, needed: Callable[[Key], bool]) -> None:
        """Once a minute, after `gather`: hold rows of periods that are over no longer, unless they are still to be written."""
        if not self.has_passed(utc):
            return
        now = {"d": int(utc // DAY_S), "m": int(utc // MINUTE_S)}
        self._minute = now["m"]
        for key in [key for key in self.held if key[1] < now[key[0]] and not needed(key)]:
            del self.held[key]


def minutes_over(utc: float) -> tuple[str, str]:
    """Between which spelled keys the minutes are that nobody needs any more: older than two days. Days are kept for good."""
    return f"m{SEPARATOR}", f"m{SEPARATOR}{int(utc // MINUTE_S) - MINUTES_KEPT:09d}"


@lru_cache(SPELLED_MAX)
def spell(key: Key) -> str:
    """A key as one string that sorts by time. The same few are asked for with every page."""
    return SEPARATOR.join((key[0], f"{key[1]:09d}", *key[2:]))


def unspell(text: str) -> Key:
    """What `spell` gave."""
    kind, number, class_, channel, operator, account, campaign = text.split(SEPARATOR)
    return kind, int(number), class_, channel, operator, account, campaign
