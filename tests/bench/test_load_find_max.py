"""The search for the highest rate ends, whatever the target does, and says what was found."""

import pytest
from report_samples import whole_result
from test_load_traffic import traffic

from bench.load import find_max
from bench.load.find_max import FindMax, Limits
from bench.load.run import Setup, all_refused
from bench.load.schedule import Schedule
from bench.load.sources import SourceError
from bench.load.words import plan_of


class Quiet:
    def __init__(self):
        self.said = []

    def say(self, text):
        self.said.append(text)


class Target:
    """Every run of the search: what a run at that rate gives."""

    def __init__(self, monkeypatch, limit, *, by_hand_at=0, gone_at=0):
        self.limit, self.by_hand_at, self.gone_at = limit, by_hand_at, gone_at
        self.setups = []
        outer = self

        class Run:
            log = ""
            interrupted = False

            def __init__(self, setup, view):
                self.setup = setup

            def run(self):
                return outer.run(self)

        monkeypatch.setattr(find_max, "Run", Run)

    def run(self, run):
        schedule = run.setup.schedule
        self.setups.append(run.setup)
        run.log = f"{schedule.rate}"
        if len(self.setups) == self.gone_at:
            raise SourceError("the target is gone")
        run.interrupted = len(self.setups) == self.by_hand_at
        result = whole_result()
        result.plan, result.failure, result.warnings = run.setup.plan, "", []
        result.rate_asked = result.rate_sent = schedule.rate
        counts = result.total.counts
        counts.due = counts.sent = counts.accepted = round(schedule.total)
        counts.refused = counts.unanswered = 0
        if schedule.rate > self.limit:
            counts.accepted, counts.refused = (counts.sent // 2, counts.sent // 2) if self.limit else (0, counts.sent)
            result.errors = {"ESME_RSYSERR": counts.refused}
            result.failure = all_refused(counts, result.errors)
        return result

    @property
    def rates(self):
        return [one.schedule.rate for one in self.setups]


def search(rate=1000.0, **limits):
    order = traffic().order
    setup = Setup(plan_of(order, "x", 1, Schedule(rate), ""), [order], Schedule(rate), 1.0)
    return FindMax(setup, Quiet(), Limits(p99_s=1e9, **limits))


@pytest.mark.parametrize("limit", [5000, 300, 90_000])
def test_it_closes_in_from_below_and_above(monkeypatch, limit):
    target, work = Target(monkeypatch, limit), search()
    result = work.run()
    assert limit / 1.1 < result.plan.rate <= limit
    assert not result.failure
    assert work.log == f"{result.plan.rate}"
    assert len(target.rates) < 20


def test_nothing_accepted_is_no_rate_that_holds(monkeypatch):
    target = Target(monkeypatch, 0)
    result = search().run()
    assert target.rates == [1000]
    assert "the target accepted nothing (ESME_RSYSERR)" in result.failure


def test_no_rate_below_one_and_none_above_the_highest_is_tried(monkeypatch):
    target = Target(monkeypatch, 0.5)
    result = search().run()
    assert min(target.rates) == 1
    assert "no rate holds" in result.failure
    target = Target(monkeypatch, 1e9)
    result = search(rate_max=3000.0).run()
    assert max(target.rates) == result.plan.rate == 3000


def test_ended_by_hand_it_gives_what_was_found(monkeypatch):
    target, work = Target(monkeypatch, 5000, by_hand_at=3), search()
    result = work.run()
    assert target.rates == [1000, 2000, 4000]
    assert (result.plan.rate, work.log) == (2000, "2000.0")
    assert "ended by hand: 2000/s held" in result.warnings[0]
    Target(monkeypatch, 5000, by_hand_at=1)
    assert "no rate has held" in search().run().warnings[0]


def test_a_target_that_dies_fails_it_with_what_was_found(monkeypatch):
    Target(monkeypatch, 5000, gone_at=2)
    result = search().run()
    assert (result.plan.rate, result.failure) == (1000, "the target is gone")


def test_no_step_writes_to_recipients_of_another(monkeypatch):
    target = Target(monkeypatch, 5000)
    search().run()
    ends = 0
    for one in target.setups:
        assert one.orders[0].first >= ends
        ends = one.orders[0].first + round(one.schedule.total)
        assert sum(map(len, one.ignore_recipients)) == one.orders[0].first - target.setups[0].orders[0].first
