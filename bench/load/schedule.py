"""When messages are due. In the open model that hangs on the clock alone, never on what the target answers: a target that
stalls finds the messages of the stall waiting, each with its own intended time (no coordinated omission).
"""

import math

import msgspec


class Schedule(msgspec.Struct, frozen=True):
    """`rate` messages a second, after a straight rise from nothing over `ramp_s`; ends with `duration_s` or `messages`.

    Without a rate (the closed model) nothing is due by the clock: answers make room for what comes next.
    """

    rate: float | None
    ramp_s: float = 0.0
    duration_s: float | None = None
    messages: int | None = None

    @property
    def total(self) -> float:
        """How many messages there will be; infinite without an end."""
        by_time = math.inf if self.duration_s is None or self.rate is None else self._until(self.duration_s)
        return min(by_time, math.inf if self.messages is None else self.messages)

    @property
    def ends_s(self) -> float:
        """When the last one is due; infinite without an end."""
        ends = math.inf if self.duration_s is None else self.duration_s
        return ends if self.messages is None or self.rate is None else min(ends, self.when(self.messages))

    def due(self, elapsed_s: float) -> int:
        """How many were due up to now."""
        return int(min(self._until(elapsed_s), self.total))

    def _until(self, elapsed_s: float) -> float:
        assert self.rate is not None
        if elapsed_s <= 0:
            return 0.0
        if elapsed_s < self.ramp_s:
            return self.rate * elapsed_s * elapsed_s / (2 * self.ramp_s)
        return self.rate * (elapsed_s - self.ramp_s / 2)

    def when(self, number: int) -> float:
        """When message `number` (from 1) is due: seconds from the beginning until so many were due."""
        assert self.rate is not None
        risen = self.rate * self.ramp_s / 2
        if number < risen:
            return math.sqrt(2 * self.ramp_s * number / self.rate)
        return self.ramp_s / 2 + number / self.rate

    def shared(self, processes: int, index: int) -> "Schedule":
        """The part of one of several source processes."""
        messages = None if self.messages is None else len(range(index, self.messages, processes))
        rate = None if self.rate is None else self.rate / processes
        return Schedule(rate, self.ramp_s, self.duration_s, messages)
