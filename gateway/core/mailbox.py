"""Batches between tasks. Putting never waits; one taker takes everything that has come meanwhile.

A memory channel moves items one by one at 7 us each; this moves a list of any length for one wake-up. Load itself makes the
batch. Nothing is lost to cancellation: the list is taken after the last checkpoint. A `Line` keeps batches in order that are on
their way at the same time.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Generic, TypeVar

import trio

ItemT = TypeVar("ItemT")


class Signal:
    """A flag that is waited for and anybody sets; setting it ten times wakes once, and one task."""

    def __init__(self) -> None:
        self._set = False
        self._lot = trio.lowlevel.ParkingLot()

    def set(self) -> None:
        """Wake the waiter, now or when it comes to wait."""
        if not self._set:
            self._set = True
            self._lot.unpark()

    async def wait(self) -> None:
        """Until set; clears it."""
        if self._set:
            await trio.lowlevel.checkpoint()
        else:
            await self._lot.park()
        self._set = False


class Mailbox(Generic[ItemT]):
    """See the module. Unbounded: whoever fills it answers for the bound (window, queue size)."""

    def __init__(self) -> None:
        self._items: list[ItemT] = []
        self._signal = Signal()

    def __len__(self) -> int:
        return len(self._items)

    def put(self, items: Iterable[ItemT]) -> None:
        """Add items; wakes the taker once, however many there are."""
        self._items += items
        if self._items:
            self._signal.set()

    async def take(self) -> list[ItemT]:
        """Everything that is there, at least one item."""
        while True:
            await self._signal.wait()
            if self._items:
                items, self._items = self._items, []
                return items


class Line:
    """Those who join one after the other go on one after the other, whoever was ready first."""

    def __init__(self) -> None:
        self._last = trio.Event()
        self._last.set()

    @contextmanager
    def place(self) -> Iterator[trio.Event]:
        """Join at the end, until the block is left. Gives what is set once whoever came before has left."""
        before, self._last = self._last, trio.Event()
        mine = self._last
        try:
            yield before
        finally:
            mine.set()
