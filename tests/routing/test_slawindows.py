"""The ten seconds over the last minutes: censored at once, ten seconds an exact edge, by any of the dimensions."""

from itertools import pairwise
from typing import Any

import pytest

from routing import slawindows
from routing.histogram import place_of
from routing.slacells import NEAR_S, Cells, Key
from routing.slawindows import WindowShare

KEY = Key("verification", "cmcc", "shop")


def shares(cells: Cells, window: str, at: float, *more: Any) -> dict[Key, WindowShare]:
    """All at once."""
    return dict(one for one in slawindows.shares(cells, window, at, *more) if one is not None)


class Counted(Cells):
    """Cells that are told moments."""

    def due(self, count: int, at: float, key: Key = KEY) -> None:
        self.begin({(*key, int(at // NEAR_S)): count})

    def came(self, count: int, at: float, took: float, key: Key = KEY) -> None:
        for _ in range(count):
            self.delivered(key, int(at // NEAR_S), place_of(took))

    def share(self, window: str, at: float) -> WindowShare:
        (found,) = shares(self, window, at, ()).values()
        return found


def test_what_has_no_receipt_after_ten_seconds_is_late_at_once() -> None:
    clock = Counted()
    clock.due(10, 1_000.0)
    clock.came(6, 1_000.0, 1.0)
    assert clock.share("1m", 1_005.0).within is None, "its ten seconds are not over"
    assert clock.share("1m", 1_025.0).within == 0.6
    clock.came(1, 1_000.0, 20.0)
    assert clock.share("1m", 1_025.0).within == 0.6, "it came, and late"


@pytest.mark.parametrize(("took", "within"), [(10.0, 1.0), (10.001, 0.0)])
def test_ten_seconds_exactly_are_within(took: float, within: float) -> None:
    clock = Counted()
    clock.due(1, 1_000.0)
    clock.came(1, 1_000.0, took)
    assert clock.share("1m", 1_040.0).within == within


@pytest.mark.parametrize("window", ["1m", "5m", "15m", "day"])
def test_arrival_is_of_those_whose_five_minutes_ended_in_the_window(window: str) -> None:
    clock = Counted()
    clock.due(100, 1_000.0)
    clock.came(90, 1_000.0, 200.0)
    assert clock.share(window, 1_305.0).arrival is None
    clock.came(5, 1_000.0, 310.0)
    share = clock.share(window, 1_320.0)
    assert (share.arrival, share.closed) == (0.9, 0.95)
    assert (share.due == 0) is (window in ("1m", "5m")), "it came due before these windows"


def test_a_window_holds_what_came_due_in_it_and_a_day_is_forgotten() -> None:
    clock = Counted()
    clock.due(5, 1_000.0)
    clock.due(7, 2_000.0)
    assert clock.share("1m", 2_010.0).due == 7
    assert clock.share("15m", 1_510.0).due == 5
    clock.due(1, 1_300.0 + 86_400)
    assert clock.share("day", 1_300.0 + 86_400).due == 8


def test_a_window_of_minutes_moves_on_every_ten_seconds() -> None:
    clock = Counted()
    for at in range(0, 1_000, 10):
        clock.due(1, float(at))
    assert [clock.share("1m", at).due for at in (995.0, 1_009.0, 1_010.0, 1_050.0, 1_070.0)] == [7, 6, 5, 1, 0]


def test_percentiles_are_near_what_was_measured() -> None:
    clock = Counted()
    clock.due(100, 1_000.0)
    clock.came(90, 1_000.0, 0.4)
    clock.came(10, 1_000.0, 6.0)
    share = clock.share("1m", 1_030.0)
    assert (share.p50, share.p95, share.p99) == (pytest.approx(0.4, rel=0.05), *[pytest.approx(6.0, rel=0.05)] * 2)


def test_shares_are_by_any_of_the_dimensions_and_of_some_only() -> None:
    clock = Counted()
    other = Key("marketing", "cucc", "bank")
    for key, came in ((KEY, 10), (KEY._replace(network="cucc"), 0), (other, 5)):
        clock.due(10, 1_000.0, key)
        clock.came(came, 1_000.0, 1.0, key)
    by_class = shares(clock, "1m", 1_030.0)
    assert {key.class_: one.within for key, one in by_class.items()} == {"verification": 0.5, "marketing": 0.5}
    by_network = shares(clock, "1m", 1_030.0, ("network",))
    assert {key: (one.due, one.within) for key, one in by_network.items()} == {
        Key("", "cmcc", ""): (10, 1.0),
        Key("", "cucc", ""): (20, 0.25),
    }
    only = shares(clock, "1m", 1_030.0, ("network",), {"class": "verification"})
    assert {key.network: one.within for key, one in only.items()} == {"cmcc": 1.0, "cucc": 0.0}
    assert shares(clock, "1m", 1_030.0, (), {"account": "nobody"}) == {}


def test_others_have_their_turn_while_very_much_is_added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slawindows, "STEP", 10)
    clock = Counted()
    for account in range(100):
        clock.due(1, 1_000.0, KEY._replace(account=str(account)))
    given = list(slawindows.shares(clock, "1m", 1_030.0, ("account",)))
    turns = [at for at, one in enumerate(given) if one is None]
    assert len(turns) == 20
    assert max(later - earlier for earlier, later in pairwise(turns)) <= 11
