"""A channel finds the rate its carrier takes: few refusals, nearly all of the throughput, and back when there is more."""

import pytest

from routing.pace import PAUSE_S, Pace
from routing.throttle import TokenBucket


class Carrier:
    """Takes `limit` a second, bursts of a tenth; `pace` gives what it may. Latency is nothing, the window is 100."""

    def __init__(self, pace: Pace, limit: float) -> None:
        self.pace = pace
        self.bucket = TokenBucket(limit, 50)
        self.now = 0.0
        self.paused_until = 0.0

    def run(self, seconds: float) -> tuple[int, int]:
        """(accepted, throttled) of that time."""
        accepted = throttled = 0
        end = self.now + seconds
        while self.now < end:
            self.now += 0.01
            self.pace.tick(self.now)
            if self.now < self.paused_until:
                continue
            sent = self.pace.bucket.take(100, self.now)
            took = self.bucket.take(sent, self.now)
            if took:
                self.pace.accepted(took, self.now)
            if took < sent:
                self.paused_until = self.now + self.pace.throttled(self.now)
            accepted += took
            throttled += sent - took
        return accepted, throttled


@pytest.mark.parametrize("ceiling", [1_000.0, 600.0, 0.0])
def test_a_carrier_that_takes_less_than_agreed_is_given_what_it_takes(ceiling: float) -> None:
    carrier = Carrier(Pace(ceiling), 500)
    carrier.run(30)
    accepted, throttled = carrier.run(60)
    assert accepted >= 0.95 * 500 * 60
    assert throttled <= 0.02 * (accepted + throttled)


def test_the_ceiling_is_reached_again_when_the_carrier_takes_it() -> None:
    carrier = Carrier(Pace(1_000), 500)
    carrier.run(30)
    carrier.bucket = TokenBucket(2_000, 200)
    carrier.run(90)
    assert carrier.pace.rate == 1_000
    assert not carrier.pace.slowed


def test_a_channel_without_ceiling_is_free_again_when_its_rate_is_no_limit_any_more() -> None:
    carrier = Carrier(Pace(0), 500)
    carrier.run(10)
    assert carrier.pace.slowed
    pace = carrier.pace
    now = carrier.now
    for _ in range(600):
        now += 1
        pace.accepted(10, now)
        pace.tick(now)
    assert pace.rate == 0
    assert not pace.slowed


def test_one_burst_of_refusals_is_one_fall() -> None:
    pace = Pace(1_000)
    for at in range(20):
        pace.accepted(50, at / 10)
    pace.throttled(2.0)
    rate = pace.rate
    assert 0 < rate < 1_000
    for at in range(9):
        pace.throttled(2.0 + at / 10)
    assert pace.rate == rate


def test_a_carrier_that_has_taken_nothing_yet_gets_a_pause() -> None:
    pace = Pace(100)
    assert pace.throttled(5.0) == PAUSE_S
    assert pace.rate == 100


def test_another_ceiling_counts_at_once_and_what_throttling_has_found_stays() -> None:
    pace = Pace(100.0)
    pace.limit(40.0)
    assert (pace.rate, pace.ceiling, pace.slowed) == (40.0, 40.0, False)
    pace.limit(0.0)
    assert pace.rate == 0.0
    pace = Pace(100.0)
    pace.accepted(40, 0.5)
    pace.throttled(1.0)
    found = pace.rate
    assert 0 < found < 100
    pace.limit(200.0)
    assert (pace.rate, pace.ceiling) == (found, 200.0), "the carrier takes no more because we would give more"
    pace.limit(found / 2)
    assert pace.rate == found / 2


def test_congestion_slows_down_before_the_carrier_refuses() -> None:
    pace = Pace(100.0)
    pace.accepted(50, 0.5)
    pace.congested(79, 1.0)
    assert pace.rate == 100.0
    pace.congested(95, 1.0)
    slowed = pace.rate
    assert slowed < 100.0
    for second in range(2, 9):
        pace.congested(85, float(second))
        assert not pace.tick(second + 0.9), "it does not rise while the carrier is nearly congested"
    assert pace.tick(20.0)
    assert pace.rate > slowed
