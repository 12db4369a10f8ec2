"""Breaches only when they last, recoveries too, each told once; of classes, of classes on channels, of accounts' messages."""

from collections.abc import Callable

import pytest

from routing import slawindows
from routing.histogram import place_of
from routing.slacells import NEAR_S, Cells, Key
from routing.slawatch import Turn, Watch, Watches
from routing.slawindows import WindowShare

CODE = Key("verification", "", "")


def test_a_breach_must_last_and_so_must_a_recovery() -> None:
    watch = Watch()
    bad, good = (WindowShare(100, share, None) for share in (0.9, 0.97))
    looks = (bad, bad, good, bad, bad, bad, bad, good, good, good, good)
    told = [watch.look(one, 60.0 * at) for at, one in enumerate(looks)]
    assert told == ["", "", "", "", "", "breach", "", "", "", "recovery", ""]
    assert watch.since == 420.0, "when it was first seen to be well"


def test_too_few_that_arrive_are_a_breach_as_well() -> None:
    watch = Watch()
    assert [watch.look(WindowShare(100, 1.0, 0.98), 0.0) for _ in range(3)] == ["", "", "breach"]


def test_few_messages_are_no_breach() -> None:
    watch = Watch()
    assert [watch.look(WindowShare(5, 0.0, None), 0.0) for _ in range(5)] == [""] * 5


class Traffic:
    """Ten messages every ten seconds of some keys; `late` says whose are not delivered."""

    def __init__(self) -> None:
        self.user, self.channel = Cells(), Cells()
        self.watches = Watches()
        self.turns: list[Turn] = []

    def run(self, first: int, last: int, keys: list[Key], late: Callable[[Key], bool], count: int = 10) -> list[Turn]:
        before = len(self.turns)
        for at in range(first, last, NEAR_S):
            for key in keys:
                cells = self.channel if key.channel else self.user
                cells.begin({(*key, at // NEAR_S): count})
                for _ in range(0 if late(key) else count):
                    cells.delivered(key, at // NEAR_S, place_of(1.0))
            self.turns += self.watches.look(self.user, self.channel, float(at))
        return self.turns[before:]


def test_a_breach_and_its_end_are_told_once_by_class_channel_and_account() -> None:
    traffic = Traffic()
    good, bad = Key("verification", "cmcc", "bank"), Key("verification", "cmcc", "shop")
    keys = [good, bad, good._replace(channel="a"), bad._replace(channel="b")]
    assert traffic.run(1_000, 2_000, keys, lambda key: False) == []
    told = traffic.run(2_000, 4_000, keys, lambda key: key.account == "shop")
    breaches = {CODE, CODE._replace(channel="b"), CODE._replace(account="shop")}
    assert {(one.what, one.key) for one in told} == {("breach", key) for key in breaches}
    assert len(told) == len(breaches)
    assert set(traffic.watches.breached) == breaches
    assert {one.since for one in told} <= {float(at) for at in range(2_000, 2_200)}
    told = traffic.run(4_000, 6_000, keys, lambda key: False)
    assert sorted((one.what, one.key) for one in told) == sorted(("recovery", key) for key in breaches)
    assert traffic.watches.breached == []


def test_an_account_with_few_messages_is_told_nothing() -> None:
    traffic = Traffic()
    told = traffic.run(1_000, 3_000, [Key("verification", "", "shop")], lambda key: True, count=1)
    assert [one.key for one in told] == [CODE], "the class has enough"


def test_looks_are_a_minute_apart() -> None:
    traffic = Traffic()
    (turn,) = traffic.run(1_000, 1_300, [CODE], lambda key: True)
    assert turn.since == pytest.approx(1_060.0), "the first look had nothing old enough"


def test_what_has_had_no_messages_for_a_day_is_in_breach_no_longer() -> None:
    traffic = Traffic()
    assert [one.what for one in traffic.run(1_000, 2_000, [CODE], lambda key: True)] == ["breach"]
    (turn,) = traffic.run(90_000, 90_010, [], lambda key: True)
    assert (turn.what, turn.key, turn.share.due) == ("recovery", CODE, 0)
    assert traffic.watches.breached == []
    assert traffic.user.cells == {}


def test_a_look_at_very_many_takes_several_calls_and_tells_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slawindows, "STEP", 7)
    traffic = Traffic()
    keys = [Key("verification", "", str(number)) for number in range(40)]
    told = traffic.run(1_000, 3_000, keys, lambda key: True)
    assert sorted(one.key for one in told) == sorted([CODE, *keys])
    assert {one.since for one in told} <= {float(at) for at in range(1_000, 1_400)}
