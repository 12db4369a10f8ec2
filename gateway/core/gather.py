"""Reading in step: when much comes in, busy sockets are read together, once a tick, not whenever the kernel has something.

A wake-up of the loop costs the same for one PDU as for twenty. At half load every socket brings one PDU at a time, and the loop
is as busy as at full load, with long turns in which everything else waits. Read in step, a turn of many sockets is followed by
short ones, in which what they brought goes on its way. A socket that brings little is read at once, always.
"""

import trio

CLIENTS_S = 0.008
CARRIERS_S = 2 * CLIENTS_S
"""A client waits for its answer; a carrier that answers waits for nothing but its acknowledgements."""
BUSY_OCTETS = 11_000
"""Read by all sockets in CARRIERS_S: some 2,000 short messages a second with answers and receipts. Below, the loop has time."""

ROUNDING = 1e-3
"""Of a tick: who was woken by one waits for the next one, whatever the floats make of it."""


class Gather:
    """What the sockets of one event loop read, and who waits for the next tick."""

    def __init__(self) -> None:
        self._tick = 0
        self._octets = 0
        self._octets_before = 0
        self._waiting: dict[float, trio.lowlevel.ParkingLot] = {}

    @property
    def busy(self) -> bool:
        """Whether much comes in. What is read in step counts as what is not: else it would be busy every other tick."""
        return max(self._octets, self._octets_before) >= BUSY_OCTETS

    def note(self, octets: int, now: float) -> None:
        """So many were read; `now` by the loop's clock."""
        tick = int(now / CARRIERS_S + ROUNDING)
        if tick != self._tick:
            self._octets_before = self._octets if tick == self._tick + 1 else 0
            self._octets = 0
            self._tick = tick
        self._octets += octets

    async def wait(self, tick_s: float) -> None:
        """Until the next tick of this length. The first who waits sleeps for all: timers cost more than the reads they save."""
        others = self._waiting.get(tick_s)
        if others is not None:
            await others.park()
            return
        others = self._waiting[tick_s] = trio.lowlevel.ParkingLot()
        try:
            await trio.sleep_until((int(trio.current_time() / tick_s + ROUNDING) + 1) * tick_s)
        finally:
            del self._waiting[tick_s]
            others.unpark_all()


_OF_LOOP: trio.lowlevel.RunVar[Gather] = trio.lowlevel.RunVar("gather")


def gather() -> Gather:
    """The one of this event loop."""
    try:
        return _OF_LOOP.get()
    except LookupError:
        found = Gather()
        _OF_LOOP.set(found)
        return found
