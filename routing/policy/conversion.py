"""Conversion: of the codes that went to one prefix, how many were used. Codes of made-up traffic are never.

Codes and uses are counted by the moment of the code, in slots, so a share is that of codes that have had their time. Two
prefixes are judged: a number without its last four digits, and without its last eight (country and operator); the longer one
decides as soon as it has codes enough. All of it is in memory, bounded, and empty after a start.
"""

from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import NamedTuple

from config.policy import Conversion
from routing.policy.verdict import Refusal

RULE = "velocity.conversion"
SLOTS = 12
"""A period is so many slots, and moves by one at a time."""
FRESH = 3
FEEDBACK_MIN = 5
"""Uses of codes to other prefixes in a period, one of them in its last FRESH slots, before an account counts as one that tells
of uses. When its feedback breaks, the rule ends before shares have fallen by more than a quarter.
"""
DIGITS = (4, 8)
PREFIXES_MAX = 20_000
"""Of an account; those without codes for longest are forgotten."""
TOLD_MAX = 100_000
"""Codes that are remembered as used, for a use counts once."""


class Turn(NamedTuple):
    """Codes to a prefix are not used (`low`), or not seen as such any longer."""

    prefix: str
    low: bool
    codes: int
    used: int


class _Tally:
    """Codes and uses of one prefix, by slot. `codes` and `used` are sums of those that are judged, `fresh` uses of late."""

    __slots__ = ("changed", "codes", "end", "fresh", "low", "passed", "slots", "used")

    def __init__(self) -> None:
        self.slots: dict[int, list[int]] = {}
        self.codes = self.used = self.fresh = 0
        self.end = 0
        """Slots before this one are judged."""
        self.changed = True
        """Since it was judged last."""
        self.low = False
        self.passed: deque[float] | None = None
        """When codes passed while it was throttled."""

    def add(self, slot: int, kind: int) -> None:
        """A code (0), or the use of one (1)."""
        self.slots.setdefault(slot, [0, 0])[kind] += 1
        if slot < self.end:
            self.codes += 1 - kind
            self.used += kind
            self.changed = True
        if slot >= self.end - FRESH:
            self.fresh += kind

    def turn(self, end: int) -> None:
        """Judge the slots before `end`."""
        if end == self.end:
            return
        self.end, self.changed = end, True
        slots = self.slots
        for slot in [one for one in slots if one < end - SLOTS]:
            del slots[slot]
        judged = [counts for slot, counts in slots.items() if slot < end]
        self.codes = sum(codes for codes, _ in judged)
        self.used = sum(used for _, used in judged)
        self.fresh = sum(used for slot, (_, used) in slots.items() if slot >= end - FRESH)


class Conversions:
    """Of one account. Times are UTC."""

    def __init__(self, rule: Conversion) -> None:
        self.rule = rule
        self._slot_s = rule.period_s / SLOTS
        self._tallies: OrderedDict[str, _Tally] = OrderedDict()
        self._all = _Tally()
        self._told: OrderedDict[int, None] = OrderedDict()
        self._low: set[str] = set()
        self._turns: list[Turn] = []

    def configure(self, rule: Conversion) -> None:
        """Go by a changed rule of the same period."""
        if rule != self.rule:
            self.rule = rule
            for tally in self._tallies.values():
                tally.changed = True

    # -- counting

    def sent(self, number: str, at: float, utc: float) -> None:
        """A code that came to the recipient, or may have; `at` is when it was asked for."""
        self._add(number, at, 0, utc)

    def used(self, message_id: int, number: str, at: float, utc: float) -> None:
        """The recipient used it. Told twice it counts once."""
        if message_id in self._told:
            return
        self._told[message_id] = None
        if len(self._told) > TOLD_MAX:
            self._told.popitem(last=False)
        self._add(number, at, 1, utc)

    def _add(self, number: str, at: float, kind: int, utc: float) -> None:
        slot, end = int(at // self._slot_s), self._end(utc)
        if slot < end - SLOTS:
            return
        self._all.turn(end)
        self._all.add(slot, kind)
        for prefix in _prefixes(number):
            tally = self._tallies.get(prefix)
            if tally is None:
                if len(self._tallies) >= PREFIXES_MAX:
                    self._forget()
                tally = self._tallies[prefix] = _Tally()
            self._tallies.move_to_end(prefix)
            tally.turn(end)
            tally.add(slot, kind)
            if tally.low or not kind:  # a use makes nobody low
                self._judge(prefix, tally, end)

    def _forget(self) -> None:
        prefix = next(iter(self._tallies))
        self._lift(prefix)
        del self._tallies[prefix]

    def _lift(self, prefix: str) -> None:
        tally = self._tallies[prefix]
        if tally.low:
            tally.low = False
            self._low.discard(prefix)
            self._turns.append(Turn(prefix, False, tally.codes, tally.used))

    # -- judging

    def _end(self, utc: float) -> int:
        """The first slot whose codes have not all had their time."""
        return int((utc - self.rule.wait_s) // self._slot_s)

    def _judge(self, prefix: str, tally: _Tally, end: int) -> None:
        tally.turn(end)
        if not tally.changed:
            return
        rule, tally.changed = self.rule, False
        if tally.codes < rule.codes_min or tally.used >= rule.share_min * tally.codes or not self._gives_feedback(tally, end):
            self._lift(prefix)
        elif not tally.low:
            tally.low = True
            self._low.add(prefix)
            self._turns.append(Turn(prefix, True, tally.codes, tally.used))

    def _gives_feedback(self, tally: _Tally, end: int) -> bool:
        """Whether the account tells of uses at all: an account that does not is not one whose codes nobody uses."""
        if self.rule.without_feedback:
            return True
        self._all.turn(end)
        return self._all.used - tally.used >= FEEDBACK_MIN and self._all.fresh > tally.fresh

    def check(self, number: str, utc: float, *, take: bool) -> Refusal | None:
        """Why no code may go there now; `take`: one that may counts."""
        found = self._deciding(number, utc)
        if found is None or not found[1].low or self.rule.action == "alert":
            return None
        prefix, tally = found
        refusal = Refusal("velocity", RULE, f"of {tally.codes} codes to {prefix} {tally.used} were used")
        if self.rule.action == "block":
            return refusal
        passed = tally.passed = tally.passed or deque()
        while passed and passed[0] <= utc - self.rule.period_s:
            passed.popleft()
        if len(passed) >= self.rule.throttle_limit:
            return refusal
        if take:
            passed.append(utc)
        return None

    def _deciding(self, number: str, utc: float) -> tuple[str, _Tally] | None:
        """The longest prefix with codes enough."""
        end = self._end(utc)
        for prefix in _prefixes(number):
            tally = self._tallies.get(prefix)
            if tally is not None:
                self._judge(prefix, tally, end)
                if tally.codes >= self.rule.codes_min:
                    return prefix, tally
        return None

    def told(self, number: str, utc: float) -> str:
        """In words how it stands about a number, for who asks; empty: nothing is known."""
        found = self._deciding(number, utc)
        if found is None:
            return ""
        prefix, tally = found
        return f"passed, of {tally.codes} codes to {prefix} {tally.used} were used" + (" (low)" if tally.low else "")

    def turns(self, utc: float) -> Iterator[Turn]:
        """What has changed since this was asked last. What is over is seen as over, whether codes come or not."""
        for prefix in list(self._low):
            self._judge(prefix, self._tallies[prefix], self._end(utc))
        turns, self._turns = self._turns, []
        return iter(turns)

    @property
    def low(self) -> int:
        """Prefixes whose codes are not used."""
        return len(self._low)


def _prefixes(number: str) -> list[str]:
    """Longest first."""
    return [number[:-digits] for digits in DIGITS if len(number) > digits]
