"""Cells of the ten seconds: sums of cells are the whole, memory is bounded, slots that are used again lose nothing."""

import sys
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from routing import slacells
from routing.histogram import Histogram, place_of
from routing.slacells import DAY_S, NEAR_S, OTHER, Cells, Key, Span, Sums
from routing.slawindows import spans_of

KEYS = st.builds(Key, st.sampled_from("vn"), st.sampled_from(["cmcc", ""]), st.sampled_from(["shop", "bank"]), st.just("a"))
EVENTS = st.lists(st.tuples(KEYS, st.integers(0, 90_000), st.none() | st.floats(0.0, 2_000.0)), max_size=80)


def sums(cells: Cells, spans: tuple[Span, ...], by: tuple[str, ...], only: dict[str, str]) -> Sums:
    """All at once."""
    *steps, found = cells.sums(spans, by, only, 3)
    assert steps == [None] * (len(cells.cells) // 3)
    assert found is not None
    return found


def fill(cells: Cells, events: list[tuple[Key, int, float | None]]) -> float:
    """Each began at a second, and was delivered (or never) after so many; told in the order of time. Gives the last moment."""
    moments = [(float(at), 0, key, at, 0.0) for key, at, _ in events]
    moments += [(at + took, 1, key, at, took) for key, at, took in events if took is not None]
    for _, what, key, at, took in sorted(moments):
        number = at // NEAR_S
        if what:
            cells.delivered(key, number, place_of(took))
        else:
            cells.begin({(*key, number): 1})
    return max([one[0] for one in moments], default=0.0)


@given(EVENTS, st.sampled_from([60, 300, 900, DAY_S]), st.floats(0, 400))
def test_the_sum_of_cells_is_what_one_cell_would_have_counted(
    events: list[tuple[Key, int, float | None]], window_s: int, later: float
) -> None:
    apart, together = Cells(), Cells()
    one = Key("v", "", "all", "a")
    at = fill(apart, events) + later
    fill(together, [(one, began, took) for _, began, took in events])
    expected = list(sums(together, spans_of(window_s, at), (), {}).values())
    assert list(sums(apart, spans_of(window_s, at), (), {}).values()) == expected
    by_account = sums(apart, spans_of(window_s, at), ("account",), {})
    assert [list(map(sum, zip(*by_account.values(), strict=True)))] == (expected or [[]])
    for account in ("shop", "bank"):
        only = sums(apart, spans_of(window_s, at), (), {"account": account})
        assert list(only.values()) == [one for key, one in by_account.items() if key.account == account]


@given(EVENTS, st.floats(0, 400))
def test_a_day_holds_what_began_in_it_to_ten_minutes(events: list[tuple[Key, int, float | None]], later: float) -> None:
    cells = Cells()
    at = fill(cells, events) + later
    found = sums(cells, spans_of(DAY_S, at), (), {})
    seen = Histogram(next(iter(found.values()))[0]) if found else Histogram(0)
    surely = [took for _, began, took in events if began > at - DAY_S]
    perhaps = [took for _, began, took in events if began > at - DAY_S - 600]
    assert len(surely) <= seen.began <= len(perhaps)
    came = [sum(took is not None for took in some) for some in (surely, perhaps)]
    assert came[0] <= seen.delivered <= came[1]


def test_memory_is_bounded_and_classes_and_channels_stay_exact(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slacells, "CELLS_MAX", 10)
    monkeypatch.setattr(slacells, "SPARE_MAX", 5)
    cells = Cells()
    for account in range(1_000):
        for network in ("cmcc", "cucc"):
            key = Key("nm"[account % 2], network, str(account), "a")
            cells.begin({(*key, 100): 2})
            cells.delivered(key, 100, place_of(1.0))
    assert len(cells.cells) <= 10 + 5 + 2
    spans = spans_of(60, 1_010.0)
    by_class = {key: Histogram(one[0]) for key, one in sums(cells, spans, ("class_", "channel"), {}).items()}
    assert {key: (one.began, one.delivered) for key, one in by_class.items()} == {
        Key("n", "", "", "a"): (2_000, 1_000),
        Key("m", "", "", "a"): (2_000, 1_000),
    }
    accounts = Counter(key.account for key in cells.cells)
    assert accounts[OTHER] == 2
    assert max(count for name, count in accounts.items() if name != OTHER) <= 2


def test_a_full_cell_is_as_large_as_is_said() -> None:
    cells = Cells()
    key = Key("v", "cmcc", "shop", "a")
    for number in range(DAY_S // NEAR_S):
        cells.begin({(*key, number): 100})
        cells.delivered(key, number, len(slacells.DELIVERED) - 1)
    (cell,) = cells.cells.values()
    size = sum(sys.getsizeof(one) for one in (*cell.near, *cell.far)) + 4 * sys.getsizeof(cell.near)
    assert 90_000 < size < 80_000_000 * 2 / (slacells.CELLS_MAX + slacells.SPARE_MAX)


def test_what_has_begun_in_a_shared_cell_is_delivered_there_though_there_is_room_now(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slacells, "CELLS_MAX", 1)
    monkeypatch.setattr(slacells, "SPARE_MAX", 0)
    cells = Cells()
    cells.begin({("v", "cmcc", "old", "", 0): 1})
    mine = Key("v", "cmcc", "new")
    cells.begin({(*mine, 9_000): 1})
    cells.forget(90_000.0)
    assert [key.account for key in cells.cells] == [OTHER]
    monkeypatch.setattr(slacells, "CELLS_MAX", 10)
    cells.begin({(*mine, 9_001): 1})
    cells.delivered(mine, 9_000, place_of(3.0))
    assert [Histogram(one[0]).delivered for one in sums(cells, spans_of(60, 90_020.0), (), {}).values()] == [1]


def test_what_did_not_begin_is_taken_back_and_never_below_nothing() -> None:
    cells = Cells()
    key = Key("v", "", "shop", "a")
    cells.begin({(*key, 5): 2})
    for number in (5, 5, 5, 6):
        cells.take_back(key, number)
    cells.take_back(key._replace(channel="b"), 5)
    ((seen, _, _),) = sums(cells, spans_of(60, 60.0), (), {}).values()
    assert seen == 0


def test_what_began_before_a_restart_is_not_counted_as_more_than_all() -> None:
    cells = Cells()
    key = Key("v", "", "shop")
    cells.delivered(key, 5, place_of(1.0))
    cells.begin({(*key, 7): 1})
    cells.delivered(key, 6, place_of(1.0))
    ((seen, _, _),) = sums(cells, spans_of(60, 80.0), (), {}).values()
    assert (Histogram(seen).began, Histogram(seen).delivered) == (1, 0)
