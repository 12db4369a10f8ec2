"""What time will bring, by the second it comes.

Most of what is noted is crossed out within seconds, days before its time: a heap cannot do that, and would be full of what
does not matter any more.
"""

import heapq
from collections import deque
from enum import IntEnum

FRESH_MAX = 256
"""Seconds in which most may still be crossed out; after that what is left of one moves to a smaller table."""


class Due(IntEnum):
    """What time brings to a record; for NOTICE the id is a notice's."""

    RESEND = 0
    RELEASE = 1
    EXPIRE = 2
    CLOSE = 3
    NOTICE = 4


class Agenda:
    """See the module."""

    def __init__(self) -> None:
        self._entries: dict[int, dict[tuple[Due, int], float]] = {}
        self._seconds: list[int] = []
        """A heap; a second that was emptied and noted again stands in it twice."""
        self._fresh: deque[int] = deque()
        self._found: deque[tuple[float, Due, int]] = deque()

    def __len__(self) -> int:
        return sum(map(len, self._entries.values())) + len(self._found)

    def add(self, utc: float, kind: Due, number: int) -> None:
        """Look at it then."""
        second = int(utc)
        entries = self._entries.get(second)
        if entries is None:
            entries = self._begin(second)
        entries[kind, number] = utc

    def drop(self, utc: float, kind: Due, number: int) -> None:
        """It does not matter any more. Nothing when it is not here."""
        second = int(utc)
        entries = self._entries.get(second)
        if entries is not None and entries.pop((kind, number), None) is not None and not entries:
            del self._entries[second]

    def _begin(self, second: int) -> dict[tuple[Due, int], float]:
        entries = self._entries[second] = {}
        heapq.heappush(self._seconds, second)
        self._fresh.append(second)
        if len(self._fresh) > FRESH_MAX:
            old = self._fresh.popleft()
            if (left := self._entries.get(old)) is not None:
                self._entries[old] = dict(left)  # a table never shrinks, however much was taken out of it
        return entries

    def first(self) -> float | None:
        """When the next of it comes; None when there is nothing."""
        if self._found:
            return self._found[0][0]
        second = self._first_second()
        return None if second is None else min(self._entries[second].values())

    def _first_second(self) -> int | None:
        while self._seconds:
            if self._seconds[0] in self._entries:
                return self._seconds[0]
            heapq.heappop(self._seconds)
        return None

    def has_come(self, utc: float) -> bool:
        """Whether something has come at `utc`."""
        second = self._first_second()
        return bool(self._found) or (second is not None and second <= utc and min(self._entries[second].values()) <= utc)

    def take(self, utc: float) -> tuple[Due, int] | None:
        """The oldest of what has come, removed; None when nothing has."""
        if not self._found:
            if not self.has_come(utc):
                return None
            second = self._seconds[0]
            entries = self._entries[second]
            self._found.extend(sorted((at, kind, number) for (kind, number), at in entries.items() if at <= utc))
            for _, kind, number in self._found:
                del entries[kind, number]
            if not entries:
                del self._entries[second]
        return self._found.popleft()[1:]
