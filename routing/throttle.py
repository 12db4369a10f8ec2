"""Token bucket: how many may go now. Time is an argument (seconds of any monotonic clock)."""

_ROUNDING = 1e-6
"""Of a token: whoever waits as long as `wait_s` says must find one, whatever the floats make of it."""

UNLIMITED = 1 << 30


class TokenBucket:
    """`rate` per second on average, at most `burst` at once; rate 0 means no limit."""

    __slots__ = ("_at", "_tokens", "burst", "rate")

    def __init__(self, rate: float, burst: float | None = None) -> None:
        self.rate = rate
        self.burst = max(1.0, rate / 10 if burst is None else burst)
        self._tokens = self.burst
        self._at: float | None = None

    def _refill(self, now: float) -> None:
        if self._at is not None and now > self._at:
            self._tokens = min(self.burst, self._tokens + (now - self._at) * self.rate)
        self._at = now

    def peek(self, now: float) -> int:
        """How many may go now, without a limit very many."""
        if not self.rate:
            return UNLIMITED
        self._refill(now)
        return int(self._tokens + _ROUNDING)

    def take(self, wanted: int, now: float) -> int:
        """As many of `wanted` as may go now."""
        if not self.rate:
            return wanted
        self._refill(now)
        granted = min(wanted, int(self._tokens + _ROUNDING))
        self._tokens -= granted
        return granted

    def take_whole(self, wanted: int, now: float) -> bool:
        """All of `wanted` or none. More than a burst may go when the bucket is full; the next ones wait until that is paid."""
        if not self.rate:
            return True
        self._refill(now)
        if self._tokens + _ROUNDING < min(wanted, self.burst):
            return False
        self._tokens -= wanted
        return True

    def give_back(self, unused: int) -> None:
        """Tokens that were taken and not used."""
        if self.rate:
            self._tokens = min(self.burst, self._tokens + unused)

    def wait_s(self, now: float, wanted: int = 1) -> float:
        """Seconds until `wanted` tokens are there, a full bucket at most; 0 when they are."""
        if not self.rate:
            return 0.0
        self._refill(now)
        return max(0.0, (min(wanted, self.burst) - self._tokens) / self.rate)
