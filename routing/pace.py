"""How fast a channel may be given messages: the configured ceiling, and less while the carrier says that this is too much.

When it throttles, the rate falls to a little below what the carrier has just accepted; then it rises again, slowly. One burst
of refusals is one fall: what was on its way at that moment is refused for the same reason.
"""

from collections import deque

from routing.throttle import TokenBucket

FALL = 0.97
"""Of what was accepted a second."""
FALL_MAX = 0.7
"""Of the rate before: what is measured within a burst is no measure."""
ONE_BURST_S = 1.0
CALM_S = 3.0
"""Without a refusal for so long, the rate rises."""
RISE = 0.01
"""Of itself, each second; five times as much when it has been calm for long."""
LONG_CALM_S = 20.0
FREE_AT = 4.0
"""A channel without ceiling is free again when its rate is so many times what it is given."""
GUESS = 10.0
MEASURED_S = 2.0
NEARLY_CONGESTED, CONGESTED = 80, 90
PAUSE_S = 1.0
"""For a channel of which nothing is known yet."""


class Pace:
    """See the module. `ceiling` in submit_sm per second; 0: none. Times are of any monotonic clock."""

    def __init__(self, ceiling: float) -> None:
        self.ceiling = ceiling
        self.bucket = TokenBucket(ceiling)
        self._accepted: deque[tuple[float, int]] = deque()
        self._fell_at = -1e9
        self._risen_at = 0.0

    @property
    def rate(self) -> float:
        """Now, in submit_sm per second; 0: no limit."""
        return self.bucket.rate

    @property
    def slowed(self) -> bool:
        """Whether it is below its ceiling."""
        return self.bucket.rate != self.ceiling

    def limit(self, ceiling: float) -> None:
        """Another ceiling from now on. What throttling has found stays, unless it is more than that."""
        slowed = self.slowed
        self.ceiling = ceiling
        if not slowed or (ceiling and not 0 < self.rate <= ceiling):
            self._set(ceiling)

    def accepted(self, count: int, now: float) -> None:
        """The carrier took so many."""
        self._accepted.append((now, count))
        self._forget(now)

    def _forget(self, now: float) -> None:
        while self._accepted and self._accepted[0][0] <= now - MEASURED_S:
            self._accepted.popleft()

    def measured(self, now: float) -> float:
        """What the carrier accepts a second, lately; 0 when nothing is known."""
        self._forget(now)
        if not self._accepted:
            return 0.0
        span = max(now - self._accepted[0][0], MEASURED_S / 4)
        return sum(count for _, count in self._accepted) / span

    def throttled(self, now: float) -> float:
        """The carrier says that it is too much; gives for how long nothing should be sent."""
        if now - self._fell_at < ONE_BURST_S:
            return 0.0
        self._fell_at = self._risen_at = now
        measured = self.measured(now)
        current = self.bucket.rate
        if not measured:
            return PAUSE_S
        if not current:  # a first guess; within a burst it is a high one, and will fall
            current = measured * (GUESS if now - self._accepted[0][0] < MEASURED_S / 2 else 1.0)
        self._set(max(1.0, min(current, max(measured, current * FALL_MAX)) * FALL))
        return 0.0

    def congested(self, state: int, now: float) -> None:
        """The carrier's congestion_state, 0 to 99 (SMPP 5.0, 4.8.4.18): from 90 on it is too much, from 80 on nearly."""
        if state >= CONGESTED:
            self.throttled(now)
        elif state >= NEARLY_CONGESTED:
            self._fell_at = max(self._fell_at, now - ONE_BURST_S)

    def tick(self, now: float) -> bool:
        """Let time pass. Gives whether the rate rose."""
        if not self.slowed or now - self._fell_at < CALM_S or now - self._risen_at < 1.0:
            return False
        self._risen_at = now
        calm = min(5.0, max(1.0, (now - self._fell_at) * 5 / LONG_CALM_S))
        rate = self.bucket.rate * (1 + RISE * calm) + 0.1
        if self.ceiling:
            rate = min(rate, self.ceiling)
        elif rate > FREE_AT * max(1.0, self.measured(now)):
            rate = 0.0
        self._set(rate)
        return True

    def _set(self, rate: float) -> None:
        self.bucket.rate = rate
        self.bucket.burst = max(1.0, rate / 10)
