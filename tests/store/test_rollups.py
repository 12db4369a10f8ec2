"""Counts by day and by minute: they add up with the ends, through crashes and restarts, and corrections are told apart."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from story import BOOT, START_UTC, VALIDITY_S, Story

from gateway.store.base import Finish
from gateway.store.blocking import BlockingStore
from gateway.store.embedded.store import open_store
from gateway.store.rollups import COUNTS, DAY_S, MINUTE_S, Key, Rollups, spell, unspell
from gateway.store.vault import LAST
from routing.records import MessageState

LIMITS: dict[str, dict[str, Any]] = {
    "roomy": {},
    "forgetful": {"fold_after_s": 0, "stay_s": 0, "clean_max": 0, "finals_max": 0, "guards_max": 0, "notices_max": 0},
}
DAY: Key = ("d", int(START_UTC // DAY_S), "notification", "a", "", "shop", "")
MINUTE: Key = ("m", int(START_UTC // MINUTE_S), "notification", "a", "", "", "")


class Counted:
    """A store that starts again, and what it counts."""

    def __init__(self, folder: Path, limits: dict[str, Any]) -> None:
        self.folder, self.limits = folder, limits
        self.store: BlockingStore = open_store(folder, BOOT, START_UTC, **limits)
        self.story = Story(self.store)

    def restart(self) -> None:
        self.store.close()
        self.store = self.story.store = open_store(self.folder, BOOT, self.story.utc, **self.limits)
        self.store.commit(self.story.utc)

    def rows(self) -> dict[Key, dict[str, int]]:
        """All rows, those of periods that are over as the vault has them; counts that are 0 left out."""
        stored = {unspell(key): msgspec.json.decode(value) for key, value in self.store.vault.scan("rollup", "", LAST, 1 << 62)}
        return {key: named(row) for key, row in {**stored, **self.store.book.rollups.held}.items()}

    def total(self, kind: str) -> dict[str, int]:
        """Final states over all rows of a kind."""
        total: dict[str, int] = {}
        for key, row in self.rows().items():
            if key[0] == kind:
                for name in COUNTS[: COUNTS.index("corrected")]:
                    total[name] = total.get(name, 0) + row.get(name, 0)
        return total


def named(row: list[int]) -> dict[str, int]:
    return {name: count for name, count in zip(COUNTS, row, strict=True) if count}


@pytest.fixture(params=list(LIMITS))
def one(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Counted]:
    counted = Counted(tmp_path, LIMITS[request.param])
    yield counted
    counted.store.close()


def delivered(story: Story, after_s: float = 0.0, **fields: Any) -> None:
    message = story.accepted(**fields)
    story.sent(message, f"x{message.id}")
    story.now, story.utc = story.now + after_s, story.utc + after_s
    story.settle(story.receipt(f"x{message.id}"))


def test_an_end_counts_in_its_day_and_its_minute(one: Counted) -> None:
    delivered(one.story, price=30, cost=10, campaign_id="spring")
    counts = {"delivered": 1, "within_10s": 1, "channel_within_10s": 1, "price": 30, "cost": 10}
    assert one.rows() == {(*DAY[:6], "spring"): counts, MINUTE: counts}


def test_ten_seconds_are_counted_as_they_are(one: Counted) -> None:
    delivered(one.story, after_s=10.0)
    delivered(one.story, after_s=10.5)
    assert one.rows()[DAY] == {"delivered": 2, "within_10s": 1, "channel_within_10s": 1}


def test_rows_are_by_class_channel_operator_account_and_campaign(one: Counted) -> None:
    kinds = [{"class_": "marketing"}, {"operator": "cmcc"}, {"account": "bank"}, {"campaign_id": "spring"}]
    for fields in [*kinds, *kinds]:
        delivered(one.story, **fields)
    days = {key: row for key, row in one.rows().items() if key[0] == "d"}
    assert [row["delivered"] for row in days.values()] == [2] * 4
    assert {key[2:] for key in days} == {
        ("marketing", "a", "", "shop", ""),
        ("notification", "a", "cmcc", "shop", ""),
        ("notification", "a", "", "bank", ""),
        ("notification", "a", "", "shop", "spring"),
    }
    minutes = {key[2:]: row["delivered"] for key, row in one.rows().items() if key[0] == "m"}
    assert minutes == {
        ("marketing", "a", "", "", ""): 2,
        ("notification", "a", "cmcc", "", ""): 2,
        ("notification", "a", "", "", ""): 4,
    }


def ended_in_all_ways(story: Story) -> None:
    delivered(story)
    rejected = story.accepted()
    story.settle(Finish(rejected.id, MessageState.REJECTED, "x"))
    story.settle(story.refusal(story.begun(story.accepted()), again=False))
    story.store.change([(cancelled := story.accepted()) and change(cancelled.id)], story.utc)
    story.sent(story.accepted(), "never")
    story.accepted()


def change(number: int) -> Any:
    from gateway.store.base import Change

    return Change(number, None)


def test_days_and_minutes_add_up_with_the_ledger_through_restarts(one: Counted) -> None:
    for at in range(6):
        ended_in_all_ways(one.story)
        if at % 2:
            one.restart()
        one.story.wait(50 if at < 3 else DAY_S)
        one.restart()
    one.story.wait(VALIDITY_S + 100)
    final = one.store.ledger().final
    assert sum(final.values()) == 36
    assert final["unknown"] == 6
    assert one.total("d") == one.total("m") == final


def test_the_same_after_a_restart(one: Counted) -> None:
    for _ in range(5):
        ended_in_all_ways(one.story)
    before = one.rows()
    for _ in range(3):
        one.restart()
        assert one.rows() == before
    delivered(one.story)
    assert one.rows()[DAY]["delivered"] == before[DAY]["delivered"] + 1


def test_a_repeated_receipt_counts_once(one: Counted) -> None:
    message = one.story.accepted()
    one.story.sent(message, "x")
    for _ in range(3):
        one.story.settle(one.story.receipt("x"))
        one.restart()
    assert one.rows()[DAY]["delivered"] == 1


def test_a_correction_counts_when_it_comes_and_no_money_twice(one: Counted) -> None:
    """Its day may be another one than that of the end it corrects, which stays as it was reported."""
    message = one.story.accepted(price=30, cost=10)
    one.story.sent(message, "x")
    one.story.wait(VALIDITY_S + 60)
    first = one.rows()[DAY]
    assert first == {"unknown": 1, "price": 30, "cost": 10}
    one.restart()
    one.story.wait(DAY_S)
    one.story.settle(one.story.receipt("x"))
    one.restart()
    rows = one.rows()
    assert rows[DAY] == first
    assert rows["d", DAY[1] + 1, *DAY[2:]] == {"delivered": 1, "corrected": 1}
    assert (one.total("d")["unknown"], one.total("d")["delivered"]) == (1, 1)
    assert one.store.ledger().final["delivered"] == 1


def test_an_end_that_was_not_stored_is_not_counted_after_a_crash(one: Counted) -> None:
    message = one.story.accepted()
    one.store.book.settle([Finish(message.id, MessageState.REJECTED, "x")], one.story.utc)
    one.restart()
    assert one.rows() == {}


def test_a_row_of_an_older_version_is_filled_up() -> None:
    rollups = Rollups()
    rollups.restore(DAY, [5])
    assert rollups.held[DAY] == [5, *[0] * (len(COUNTS) - 1)]


def test_periods_that_are_over_are_not_kept() -> None:
    rollups = Rollups()
    for key in (DAY, MINUTE):
        rollups.restore(key, [1])
    rollups.forget_over(START_UTC, lambda _: False)
    assert list(rollups.held) == [DAY, MINUTE]
    rollups.forget_over(START_UTC + MINUTE_S, lambda key: key == MINUTE)
    assert list(rollups.held) == [DAY, MINUTE], "one that is not written yet stays"
    rollups.forget_over(START_UTC + 2 * MINUTE_S, lambda _: False)
    assert list(rollups.held) == [DAY]
    rollups.forget_over(START_UTC + DAY_S, lambda _: False)
    assert rollups.held == {}


def test_keys_are_spelled_so_that_they_sort_by_time() -> None:
    keys: list[Key] = [("d", number, "marketing", "a", "", "shop", "") for number in (9, 10, 20_833, 100_000)]
    assert sorted(map(spell, keys)) == list(map(spell, keys))
    assert [unspell(spell(key)) for key in keys] == keys
