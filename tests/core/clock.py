"""The virtual time of trio as both clocks of the core: under `autojump_clock` nothing waits."""

import trio

START_UTC = 1_800_000_000.0


class VirtualClock:
    """`now` and `utc` advance with trio's clock."""

    boot = "virtual"

    def now(self) -> float:
        return trio.current_time()

    def utc(self) -> float:
        return START_UTC + trio.current_time()


class HandClock:
    """Time stands still until `at` is set."""

    boot = "still"

    def __init__(self) -> None:
        self.at = START_UTC

    def now(self) -> float:
        return self.at - START_UTC

    def utc(self) -> float:
        return self.at


class StillClock:
    """Always the same moment."""

    boot = "still"

    def now(self) -> float:
        return 5.0

    def utc(self) -> float:
        return START_UTC


class RealClock:
    """Time as it passes, for threads know no other, from the moment the messages of these tests were made."""

    boot = "virtual"

    def __init__(self) -> None:
        self._start = trio.current_time()

    def now(self) -> float:
        return trio.current_time() - self._start

    def utc(self) -> float:
        return START_UTC + self.now()
