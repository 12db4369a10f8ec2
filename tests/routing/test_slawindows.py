"""The ten seconds over the last minutes: censored at once, ten seconds an exact edge, breaches only when they last."""

import pytest

from routing.slawindows import DueClock, SlaWindows, Watch, WindowShare


def test_what_has_no_receipt_after_ten_seconds_is_late_at_once() -> None:
    clock = DueClock()
    clock.due(10, 1_000.0)
    for _ in range(6):
        clock.delivered(1.0, 1_001.0)
    assert clock.share(60, 1_005.0).within is None, "its ten seconds are not over"
    assert clock.share(60, 1_025.0).within == 0.6
    clock.delivered(20.0, 1_020.0)
    assert clock.share(60, 1_025.0).within == 0.6, "it came, and late"


@pytest.mark.parametrize(("took", "within"), [(10.0, 1.0), (10.001, 0.0)])
def test_ten_seconds_exactly_are_within(took: float, within: float) -> None:
    clock = DueClock()
    clock.due(1, 1_000.0)
    clock.delivered(took, 1_000.0 + took)
    assert clock.share(60, 1_040.0).within == within


def test_arrival_is_judged_after_five_minutes() -> None:
    clock = DueClock()
    clock.due(100, 1_000.0)
    for _ in range(99):
        clock.delivered(200.0, 1_200.0)
    assert clock.share(900, 1_250.0).arrival is None
    assert clock.share(900, 1_320.0).arrival == 0.99


def test_a_window_holds_what_came_due_in_it_and_a_day_is_forgotten() -> None:
    clock = DueClock()
    clock.due(5, 1_000.0)
    clock.due(7, 1_500.0)
    assert clock.share(60, 1_510.0).due == 7
    assert clock.share(900, 1_510.0).due == 12
    clock.due(1, 1_000.0 + 86_400 + 20)
    assert clock.share(86_400, 1_000.0 + 86_400 + 20).due == 8


def test_percentiles_are_edges() -> None:
    clock = DueClock()
    clock.due(100, 1_000.0)
    for at in range(100):
        clock.delivered(0.4 if at < 90 else 6.0, 1_006.0)
    share = clock.share(60, 1_030.0)
    assert (share.p50, share.p95, share.p99) == (0.5, 7.5, 7.5)
    assert DueClock().share(60, 1_030.0) == WindowShare(0, None, None, None, None, None)


def test_a_breach_must_last_and_so_must_a_recovery() -> None:
    watch = Watch()
    bad, good = (WindowShare(100, share, None, None, None, None) for share in (0.9, 0.97))
    told = [watch.look(one) for one in (bad, bad, good, bad, bad, bad, bad, good, good, good, good)]
    assert told == ["", "", "", "", "", "breach", "", "", "", "recovery", ""]


def test_few_messages_are_no_breach() -> None:
    watch = Watch()
    assert [watch.look(WindowShare(5, 0.0, None, None, None, None)) for _ in range(5)] == [""] * 5


def test_classes_are_looked_at_once_a_minute() -> None:
    windows = SlaWindows()
    windows.of("verification").due(100, 1_000.0)
    told = [what for at in range(1_020, 1_320, 10) for _, what, _ in windows.look(float(at))]
    assert told == ["breach"]
