"""What time will bring, by the second it comes.

Most of what is noted is crossed out within seconds, days before its time: a heap cannot do that, and would be full of what
does not matter any more.
"""

import heapq
from collections import deque
from enum import IntEnum

FRESH_MAX = 1_024
"""Slots of which most may still be crossed out; after that what is left of one moves to a smaller table."""


class Due(IntEnum):
    """What time brings to a record; for NOTICE the id is a notice's."""

    RESEND = 0
    RELEASE = 1
    EXPIRE = 2
    CLOSE = 3
    NOTICE = 4


_KINDS = 8
"""A slot is a second times this, plus the kind: slots in order are seconds in order, and need no tuple for each entry."""


class Agenda:
    """See the module."""

    def __init__(self) -> None:
        self._slots: dict[int, dict[int, float]] = {}
        self._order: list[int] = []
        """A heap of slots; one that was emptied and noted again stands in it twice."""
        self._fresh: deque[int] = deque()
        self._found: deque[tuple[float, int, int]] = deque()

    def __len__(self) -> int:
        return sum(map(len, self._slots.values())) + len(self._found)

    def add(self, utc: float, kind: Due, number: int) -> None:
        """Look at it then."""
        slot = int(utc) * _KINDS + kind
        entries = self._slots.get(slot)
        if entries is None:
            entries = self._begin(slot)
        entries[number] = utc

    def drop(self, utc: float, kind: Due, number: int) -> None:
        """It does not matter any more. Nothing when it is not here."""
        slot = int(utc) * _KINDS + kind
        entries = self._slots.get(slot)
        if entries is not None and entries.pop(number, None) is not None and not entries:
            del self._slots[slot]

    def _begin(self, slot: int) -> dict[int, float]:
        entries = self._slots[slot] = {}
        heapq.heappush(self._order, slot)
        self._fresh.append(slot)
        if len(self._fresh) > FRESH_MAX:
            old = self._fresh.popleft()
            if (left := self._slots.get(old)) is not None:
                self._slots[old] = dict(left)  # a table never shrinks, however much was taken out of it
        return entries

    def first(self) -> float | None:
        """When the next of it comes; None when there is nothing."""
        if self._found:
            return self._found[0][0]
        return min((min(self._slots[slot].values()) for slot in self._next_slots()), default=None)

    def _next_slots(self) -> list[int]:
        """Those of the first second there is something in."""
        order = self._order
        while order and order[0] not in self._slots:
            heapq.heappop(order)
        if not order:
            return []
        second = order[0] - order[0] % _KINDS
        return [slot for slot in range(second, second + _KINDS) if slot in self._slots]

    def has_come(self, utc: float) -> bool:
        """Whether something has come at `utc`."""
        slots = self._next_slots()
        if slots and slots[0] // _KINDS > utc:  # far away, as a rule: nothing to go through
            return bool(self._found)
        first = self.first()
        return first is not None and first <= utc

    def take(self, utc: float) -> tuple[Due, int] | None:
        """The oldest of what has come, removed; None when nothing has."""
        if not self._found:
            if not self.has_come(utc):
                return None
            for slot in self._next_slots():
                entries = self._slots[slot]
                come = [(at, slot % _KINDS, number) for number, at in entries.items() if at <= utc]
                for _, _, number in come:
                    del entries[number]
                if not entries:
                    del self._slots[slot]
                self._found += come
            self._found = deque(sorted(self._found))
        _, kind, number = self._found.popleft()
        return Due(kind), number
