"""All timers of the process: slots of half a millisecond, so that what is due together costs one wake-up.

No clock inside: the owner hands in the time and sleeps until `next_at`. Nothing is ever cancelled; what is due looks itself
whether it still matters.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, TypeAlias

Job: TypeAlias = tuple[Callable[[Any, Any, float], None], Any, Any]

SLOTS_PER_S = 2000
HALF_A_SLOT_S = 0.5 / SLOTS_PER_S


class Wheel:
    """Jobs by due time. A job comes with the nearest slot: a quarter of a millisecond early or late, on average neither."""

    def __init__(self) -> None:
        self._slots: dict[int, list[Job]] = {}
        self._order: list[int] = []

    def add(self, when: float, action: Callable[[Any, Any, float], None], a: Any = None, b: Any = None) -> None:
        """Run `action(a, b, now)` at `when`."""
        slot = int((when + HALF_A_SLOT_S) * SLOTS_PER_S)
        jobs = self._slots.get(slot)
        if jobs is None:
            self._slots[slot] = [(action, a, b)]
            heappush(self._order, slot)
        else:
            jobs.append((action, a, b))

    def due(self, now: float) -> list[Job]:
        """Take everything that is due at `now`, oldest slot first, in the order of adding within a slot."""
        found: list[Job] = []
        order = self._order
        last = now * SLOTS_PER_S
        while order and order[0] <= last:
            found += self._slots.pop(heappop(order))
        return found

    @property
    def next_at(self) -> float | None:
        """When the next slot is due; None when nothing waits."""
        return self._order[0] / SLOTS_PER_S if self._order else None


class Every:
    """A job that comes again and again. What was added to a wheel stays there, so each setting has a number of its own."""

    def __init__(self, wheel: Wheel, action: Callable[[float], None]) -> None:
        self._wheel = wheel
        self._action = action
        self._setting = 0
        self.seconds = 0.0

    def set(self, seconds: float, now: float) -> None:
        """Call `action(now)` that often from now on; 0 = never. The same interval as before changes nothing."""
        if seconds == self.seconds:
            return
        self.seconds = seconds
        self._setting += 1
        if seconds:
            self._wheel.add(now + seconds, self._due, self._setting)

    def _due(self, setting: int, _b: None, now: float) -> None:
        if setting == self._setting:
            self._action(now)
            self._wheel.add(now + self.seconds, self._due, setting)
