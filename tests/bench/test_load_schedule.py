"""What is due hangs on the clock alone, is the same however many processes share it, and each message knows its own time."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_load_traffic import traffic

from bench.load.mix import Mix, parse_mix
from bench.load.orders import ClassOrder
from bench.load.schedule import Schedule
from bench.load.words import deal_out, share

rates = st.floats(0.5, 50_000)
ramps = st.floats(0, 30)


@given(rates, ramps, st.integers(0, 200_000))
def test_a_message_is_due_when_its_time_has_come_and_not_before(rate, ramp, number):
    schedule = Schedule(rate, ramp)
    when = schedule.when(number)
    assert schedule.due(when + 1e-6 + when * 1e-9) >= number
    if number:
        assert schedule.due(schedule.when(number - 1) * (1 - 1e-9) - 1e-6) < number


def test_a_ramp_rises_straight_to_the_rate():
    schedule = Schedule(1000, ramp_s=10)
    assert [schedule.due(at) for at in (0, 5, 10, 11)] == [0, 1250, 5000, 6000]


def test_duration_and_number_both_end_it():
    assert Schedule(100, duration_s=2).total == 200
    assert Schedule(100, duration_s=2, messages=50).due(10) == 50
    assert Schedule(100, duration_s=2, messages=50).ends_s == pytest.approx(0.5)
    assert Schedule(100, duration_s=2).due(100) == 200
    assert Schedule(100).ends_s == float("inf")


def test_without_a_rate_only_the_longest_time_ends_it():
    assert Schedule(None, messages=5).ends_s == float("inf")
    assert Schedule(None, duration_s=2, messages=5).ends_s == 2
    assert Schedule(None, messages=5).shared(2, 0) == Schedule(None, messages=3)


@given(st.integers(1, 7), st.integers(1, 1000))
def test_processes_share_the_messages_to_the_last_one(processes, messages):
    whole = Schedule(100, messages=messages)
    parts = [whole.shared(processes, index) for index in range(processes)]
    assert sum(part.messages for part in parts) == messages
    assert sum(part.rate for part in parts) == pytest.approx(100)


def test_a_mix_keeps_its_shares_over_any_stretch():
    mix = Mix({"verification": 10, "notification": 30, "marketing": 60})
    drawn = [mix.next() for _ in range(100)]
    assert [drawn.count(at) for at in range(3)] == [10, 30, 60]
    assert [drawn[:10].count(at) for at in range(3)] == [1, 3, 6]


@given(st.integers(1, 200), st.lists(st.floats(0.01, 100), min_size=1, max_size=5), st.integers(1, 4))
def test_connections_are_dealt_out_to_the_last_one_and_no_more(connections, shares, processes):
    try:
        dealt = deal_out(connections, {f"class{at}": one for at, one in enumerate(shares)})
    except ValueError:
        assert connections < len(shares)
        return
    assert sum(dealt.values()) == connections
    order = traffic(classes=tuple(ClassOrder(name, 1, ("x",), count) for name, count in dealt.items())).order
    try:
        orders = share(order, processes)
    except ValueError:
        assert min(dealt.values()) < processes
        return
    assert sum(cls.connections for one in orders for cls in one.classes) == connections
    assert all(cls.connections for one in orders for cls in one.classes)


@pytest.mark.parametrize("spec", ["", "a=0", "a=x", "=1", "a=-1"])
def test_a_mix_that_says_nothing_is_refused(spec):
    with pytest.raises(ValueError, match="--mix"):
        parse_mix(spec)
