"""How fast accounts may submit, whichever door they use."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from makers import account

from gateway.core.rates import Rates
from routing.throttle import TokenBucket


def made(**rates: float) -> Rates:
    found = Rates()
    found.configure([account(name, messages_per_second=rate) for name, rate in rates.items()])
    return found


@given(
    st.floats(0.5, 1_000),
    st.lists(st.tuples(st.floats(0, 5), st.integers(1, 3_000)), max_size=60),
)
def test_all_or_nothing_and_never_more_than_the_rate(rate: float, asked: list[tuple[float, int]]) -> None:
    """What was taken is paid before more comes: over any time at most the rate, one burst and one request beyond it."""
    bucket = TokenBucket(rate, rate)
    now, taken, largest = 0.0, 0, 0
    for pause, wanted in asked:
        now += pause
        before = bucket.wait_s(now, wanted)
        if bucket.take_whole(wanted, now):
            assert before <= 2e-6 / rate
            taken += wanted
            largest = max(largest, wanted)
        else:
            assert bucket.wait_s(now, wanted) == before > 0, "what was refused took nothing"
            now += before
            assert bucket.take_whole(wanted, now), "whoever waits as long as told is let in"
            taken += wanted
            largest = max(largest, wanted)
        assert taken <= now * rate + bucket.burst + largest + 1e-3


def test_no_limit_and_nobody() -> None:
    rates = made(free=0)
    assert rates.take_whole("free", 1_000_000, 0.0) == 0
    assert rates.take("free", 5, 0.0) == 5
    assert rates.take_whole("nobody", 5, 0.0) == 0, "refused elsewhere"


def test_both_doors_draw_on_one_bucket() -> None:
    rates = made(shop=10)
    assert rates.take("shop", 6, 0.0) == 6
    assert rates.take_whole("shop", 5, 0.0) == pytest.approx(0.1)
    assert rates.take_whole("shop", 4, 0.0) == 0
    assert rates.take("shop", 1, 0.0) == 0


def test_a_new_configuration_gives_nobody_a_full_bucket_unless_the_rate_is_another() -> None:
    rates = made(shop=10, other=10)
    for name in ("shop", "other"):
        assert rates.take_whole(name, 10, 0.0) == 0
    rates.configure([account("shop", messages_per_second=10), account("other", messages_per_second=20)])
    assert rates.take_whole("shop", 1, 0.0) > 0
    assert rates.take_whole("other", 20, 0.0) == 0
