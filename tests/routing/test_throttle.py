"""Never faster than agreed, whatever the schedule; and never slower than asked."""

from hypothesis import given
from hypothesis import strategies as st

from routing.throttle import TokenBucket

rates = st.floats(0.01, 10_000)
waits = st.floats(0, 100)


@given(rates, st.none() | st.floats(1, 1_000), st.lists(st.tuples(waits, st.integers(0, 5_000), st.floats(0, 1)), max_size=50))
def test_any_stretch_of_any_schedule_gets_at_most_rate_times_time_and_the_burst(
    rate: float, burst: float | None, schedule: list[tuple[float, int, float]]
) -> None:
    bucket = TokenBucket(rate, burst)
    now = 0.0
    used: list[tuple[float, int]] = []
    for wait, wanted, share_unused in schedule:
        now += wait
        granted = bucket.take(wanted, now)
        assert 0 <= granted <= wanted
        unused = int(granted * share_unused)
        bucket.give_back(unused)
        used.append((now, granted - unused))
    for at, (start, _) in enumerate(used):
        total = 0
        for end, count in used[at:]:
            total += count
            assert total <= rate * (end - start) + bucket.burst + 1e-5 * (1 + total)


@given(rates, st.integers(1, 50))
def test_whoever_waits_as_told_gets_one(rate: float, rounds: int) -> None:
    bucket = TokenBucket(rate, 1)
    now = 0.0
    for _ in range(rounds):
        now += bucket.wait_s(now)
        assert bucket.take(1, now) == 1


@given(st.lists(st.tuples(waits, st.integers(0, 10**6)), max_size=10))
def test_rate_0_is_no_limit(schedule: list[tuple[float, int]]) -> None:
    bucket = TokenBucket(0)
    for now, wanted in schedule:
        assert bucket.take(wanted, now) == wanted
        assert bucket.wait_s(now) == 0


def test_the_first_burst_is_a_tenth_of_a_second_but_at_least_one() -> None:
    assert TokenBucket(100).take(1_000, 0.0) == 10
    assert TokenBucket(0.5).take(1_000, 0.0) == 1


def test_what_was_not_used_may_go_later_but_does_not_pile_up() -> None:
    bucket = TokenBucket(10, 5)
    assert bucket.take(5, 0.0) == 5
    bucket.give_back(3)
    assert bucket.take(5, 0.0) == 3
    bucket.give_back(1_000)
    assert bucket.take(1_000, 0.0) == 5


def test_a_clock_that_steps_back_gives_nothing_away() -> None:
    bucket = TokenBucket(10, 5)
    assert bucket.take(5, 100.0) == 5
    assert bucket.take(5, 50.0) == 0
    assert bucket.take(5, 50.1) == 1
