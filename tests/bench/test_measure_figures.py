"""Assertions ask about figures by name; what was not measured holds nothing. Histograms keep three digits."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.measure.asserting import judge, parse_assertion
from bench.measure.figures import Figure, figures
from bench.measure.histogram import Histogram
from bench.measure.result import ClassResult, Counts, Machine, Plan, Result, Second


def result(**changes):
    plan = Plan("smpp", "127.0.0.1:1", 1, 1, "open")
    fields = {"plan": plan, "started_utc": "", "took_s": 1.0, "drained_s": 0.0, "total": ClassResult("all", Counts())}
    return Result(**(fields | {"machine": Machine()} | changes))


@pytest.mark.parametrize(
    ("text", "held"),
    [("x>=2", True), ("x > 2", False), ("x==2", True), ("x!=2", False), ("x<=1.9", False), ("x<3", True), ("x>=200%", True)],
)
def test_assertions_compare(text, held):
    (found,) = judge([text], [Figure("x", 2.0)])
    assert (found.held, found.value, found.text) == (held, 2.0, text)


def test_a_figure_that_was_not_measured_breaks_the_assertion():
    (found,) = judge(["carrier_p99_ms<=50"], figures(result()))
    assert (found.held, found.value) == (False, None)


@pytest.mark.parametrize("text", ["x", "x=1", ">=1", "x>=", "x>=a", "x=>1", ""])
def test_what_is_no_assertion_is_refused_with_an_example(text):
    with pytest.raises(ValueError, match="such as"):
        parse_assertion(text)


def test_a_run_that_failed_or_broke_an_assertion_has_not_held():
    assert result().held
    assert not result(failure="the target died").held
    assert not result(assertions=judge(["lost==1"], figures(result()))).held


@given(st.lists(st.floats(1e-5, 3000), min_size=1, max_size=200))
def test_histograms_keep_three_digits(latencies):
    found = Histogram()
    found.record_all(latencies)
    points = found.percentiles()
    assert points.count == len(latencies)
    assert points.max_ms == pytest.approx(max(latencies) * 1e3, rel=0.002, abs=0.002)
    middle = sorted(latencies)[-(-len(latencies) // 2) - 1]
    assert points.p50_ms == pytest.approx(middle * 1e3, rel=0.002, abs=0.002)


def test_nothing_recorded_is_no_number():
    assert Histogram().percentiles().p50_ms is None
    assert Histogram().at_ms(99) is None


def test_the_ten_seconds_and_what_went_wrong_can_be_asserted_of_all_that_was_due_and_by_class():
    counts = Counts(due=200, sent=180, accepted=100, refused=70, unanswered=10, delivered=95, failed=1, within_10s=90)
    counts.receipts_repeated, counts.receipts_strange = 2, 3
    one = ClassResult("code", counts, sla_10s=0.9)
    found = {figure.name: figure for figure in figures(result(total=one, classes=[one]))}
    values = {"sla_10s": 0.9, "sla_10s_due": 0.45, "unsent": 20, "receipts_repeated": 2, "receipts_strange": 3}
    values |= {"code.sla_10s": 0.9, "code.sla_10s_due": 0.45}
    assert {name: found[name].value for name in values} == values
    assert found["unsent"].better == found["refused"].better == "lower"
    assert (counts.unsent, counts.no_receipt) == (20, 4)
    nothing = ClassResult("all", Counts(due=5))
    assert {one.name: one.value for one in figures(result(total=nothing))}["sla_10s_due"] == 0.0, "due, and nothing came"


def test_the_figures_of_one_run_have_no_runs():
    assert not [figure.name for figure in figures(result(seconds=[Second(at, 5, 5, 5) for at in range(9)])) if figure.runs]
