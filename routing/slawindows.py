"""The ten seconds over the last minutes: of what came due in a window, how much was delivered within them, and how fast.

Counted by when messages came due, so one without a receipt is late as soon as its ten seconds are over (censored, not
dropped). A ring of slots for each class; memory is fixed, a message costs two additions and a look-up. Latencies are counted
between edges, one of which is exactly ten seconds.
"""

from bisect import bisect_left
from typing import NamedTuple

from routing.sla import WITHIN_S

ARRIVAL_S = 300.0
"""A message should have arrived after so long."""
EDGES_S = (0.1, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0, 7.5, WITHIN_S, 15.0, 30.0, 60.0, ARRIVAL_S, 3_600.0)
SLOT_S = 10
SLOTS = 8_640 + 1
"""A day of slots."""
WINDOWS_S = {"1m": 60, "5m": 300, "15m": 900, "day": 86_400}
TARGET_WITHIN, TARGET_ARRIVAL = 0.95, 0.99
SUSTAINED = 3
"""Looks in a row, a minute apart, before it is a breach or a recovery."""
DUE_MIN = 20


class WindowShare(NamedTuple):
    """One window. Shares are None while nothing has been due for long enough; percentiles are upper edges, in seconds."""

    due: int
    within: float | None
    arrival: float | None
    p50: float | None
    p95: float | None
    p99: float | None


class _Slot:
    __slots__ = ("counts", "due", "number")

    def __init__(self) -> None:
        self.number = -1
        self.due = 0
        self.counts: list[int] = []


class DueClock:
    """The messages of one class, by when they came due. `at` is the boot clock."""

    def __init__(self) -> None:
        self._ring: list[_Slot | None] = [None] * SLOTS

    def _slot(self, number: int) -> _Slot:
        slot = self._ring[number % SLOTS]
        if slot is None:
            slot = self._ring[number % SLOTS] = _Slot()
        if slot.number != number:
            slot.number, slot.due, slot.counts = number, 0, [0] * (len(EDGES_S) + 1)
        return slot

    def due(self, count: int, at: float) -> None:
        """So many came due."""
        self._slot(int(at // SLOT_S)).due += count

    def delivered(self, since_due: float, at: float) -> None:
        """One was delivered at `at`, `since_due` seconds after it was due."""
        number = int((at - since_due) // SLOT_S)
        slot = self._ring[number % SLOTS]
        if slot is not None and slot.number == number:
            slot.counts[bisect_left(EDGES_S, since_due)] += 1

    def share(self, window_s: int, at: float) -> WindowShare:
        """Of what came due in the last `window_s` seconds, as far as its ten seconds, or its five minutes, are over."""
        newest = int(at // SLOT_S)
        due = old_due = within = settled_due = arrived = 0
        sums = [0] * (len(EDGES_S) + 1)
        in_time, by_then = bisect_left(EDGES_S, WITHIN_S) + 1, bisect_left(EDGES_S, ARRIVAL_S) + 1
        for number in range(newest - window_s // SLOT_S, newest + 1):
            slot = self._ring[number % SLOTS]
            if slot is None or slot.number != number:
                continue
            due += slot.due
            end = (number + 1) * SLOT_S
            if end + WITHIN_S <= at:
                old_due += slot.due
                within += sum(slot.counts[:in_time])
            if end + ARRIVAL_S <= at:
                settled_due += slot.due
                arrived += sum(slot.counts[:by_then])
            sums = [mine + other for mine, other in zip(sums, slot.counts, strict=True)]
        return WindowShare(
            due,
            min(1.0, within / old_due) if old_due else None,
            min(1.0, arrived / settled_due) if settled_due else None,
            *(_percentile(sums, share) for share in (0.5, 0.95, 0.99)),
        )


def _percentile(sums: list[int], share: float) -> float | None:
    """The edge below which that share of deliveries is."""
    total = sum(sums)
    if not total:
        return None
    seen = 0
    for edge, count in zip(EDGES_S, sums, strict=False):
        seen += count
        if seen >= share * total:
            return edge
    return EDGES_S[-1]


class Watch:
    """Tells when a class falls below its targets for some minutes, and when it is well again. Asked once a minute."""

    def __init__(self) -> None:
        self.breached = False
        self._against = 0

    def look(self, share: WindowShare) -> str:
        """Gives "breach", "recovery" or nothing."""
        if share.due < DUE_MIN or share.within is None:
            return ""
        bad = share.within < TARGET_WITHIN or (share.arrival is not None and share.arrival < TARGET_ARRIVAL)
        if bad is self.breached:
            self._against = 0
            return ""
        self._against += 1
        if self._against < SUSTAINED:
            return ""
        self.breached, self._against = bad, 0
        return "breach" if bad else "recovery"


class SlaWindows:
    """All classes."""

    def __init__(self) -> None:
        self.clocks: dict[str, DueClock] = {}
        self._watches: dict[str, Watch] = {}
        self._looked_at = 0.0

    def of(self, class_: str) -> DueClock:
        """The clock of a class."""
        clock = self.clocks.get(class_)
        if clock is None:
            clock = self.clocks[class_] = DueClock()
        return clock

    def look(self, at: float) -> list[tuple[str, str, WindowShare]]:
        """Once a minute: (class, breach or recovery, its five minutes)."""
        if at - self._looked_at < 60:
            return []
        self._looked_at = at
        found = []
        for class_, clock in self.clocks.items():
            share = clock.share(WINDOWS_S["5m"], at)
            what = self._watches.setdefault(class_, Watch()).look(share)
            if what:
                found.append((class_, what, share))
        return found
