"""Packed histograms: ten seconds an exact edge, percentiles within the error that is stated, merging is adding."""

from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing.histogram import BEGAN, DELIVERED, EDGES_S, Histogram, place_of, up_to
from routing.sla import WITHIN_S

LATENCIES = st.lists(st.floats(0.0, 10.0), min_size=1, max_size=300)


def packed(latencies: list[float]) -> int:
    return sum(BEGAN + DELIVERED[place_of(one)] for one in latencies)


def test_edges_rise_and_what_is_judged_is_an_edge() -> None:
    assert list(EDGES_S) == sorted(set(EDGES_S))
    assert {WITHIN_S, 300.0} <= set(EDGES_S)


@pytest.mark.parametrize(
    ("took", "within", "arrived"), [(10.0, 1, 1), (10.0001, 0, 1), (300.0, 0, 1), (300.1, 0, 0), (1e9, 0, 0)]
)
def test_ten_seconds_and_five_minutes_are_exact(took: float, within: int, arrived: int) -> None:
    found = Histogram(packed([took]))
    assert (found.began, found.delivered, found.within, found.arrived) == (1, 1, within, arrived)


@given(LATENCIES, st.sampled_from([0.5, 0.95, 0.99]))
def test_a_percentile_is_within_five_per_cent_or_five_milliseconds(latencies: list[float], share: float) -> None:
    true = sorted(latencies)[ceil(round(share * len(latencies), 9)) - 1]
    (found,) = Histogram(packed(latencies)).percentiles(share)
    assert found is not None
    assert abs(found - true) <= max(0.05 * true, 0.005)


@given(LATENCIES, LATENCIES)
def test_merging_is_adding(one: list[float], other: list[float]) -> None:
    assert packed(one) + packed(other) == packed(one + other)


def test_a_day_of_a_busy_gateway_does_not_run_over_into_the_next_field() -> None:
    count = 5_000 * 86_400
    found = Histogram(count * BEGAN + count * DELIVERED[place_of(3.0)])
    assert (found.began, found.delivered, found.within) == (count, count, count)
    assert found.percentiles(0.5)[0] == found.percentiles(0.99)[0] == pytest.approx(3.0, rel=0.05)


def test_without_deliveries_there_is_no_percentile() -> None:
    assert Histogram(5 * BEGAN).percentiles(0.5, 0.99) == [None, None]


def test_counts_up_to_edges_are_exact() -> None:
    found = Histogram(packed([0.1, 2.5, 2.6, 10.0, 10.1, 5_000.0]))
    assert up_to(found.counts, (2.5, 10.0, 3_600.0)) == [2, 4, 5]
