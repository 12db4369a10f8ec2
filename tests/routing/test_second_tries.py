"""A code without its receipt goes once more, by another channel, when that says something and within a share of all."""

from collections.abc import Callable
from typing import Any

import pytest

from routing.records import Message, MessageState
from routing.second_tries import FREE, SecondTries


def code(number: int = 1, **fields: Any) -> Message:
    defaults = {"state": MessageState.IN_FLIGHT, "tries": 1, "class_": "verification"}
    return Message(**{"id": number, "account": "a", **defaults, **fields})


def due(tries: SecondTries, now: float, share: float = 1.0, *, elsewhere: bool = True) -> list[tuple[int, int]]:
    return list(tries.due(now, lambda _channel, _seconds: share, lambda _message, _channel: elsewhere))


def test_it_is_missed_when_its_time_is_over_and_only_once() -> None:
    tries = SecondTries(6.0, 0.02)
    tries.written(code(), 1, "a", 100.0)
    assert due(tries, 105.9) == []
    assert due(tries, 106.0) == [(1, 1)]
    assert due(tries, 200.0) == []


CHANGES: list[Callable[[Message], Any]] = [
    lambda one: setattr(one, "state", MessageState.DELIVERED),
    lambda one: setattr(one, "state", MessageState.QUEUED),
    lambda one: setattr(one, "tries", 2),
    lambda one: setattr(one, "possible_duplicate", True),
]


@pytest.mark.parametrize("change", CHANGES)
def test_what_has_ended_or_gone_another_way_meanwhile_is_not_missed(change: Callable[[Message], Any]) -> None:
    tries = SecondTries(6.0, 1.0)
    message = code()
    tries.written(message, 1, "a", 100.0)
    change(message)
    assert due(tries, 110.0) == []


def test_a_channel_that_is_usually_slower_says_nothing_by_being_slow() -> None:
    tries = SecondTries(6.0, 1.0)
    tries.written(code(), 1, "a", 100.0)
    assert due(tries, 110.0, share=0.5) == []


def test_without_another_channel_there_is_no_second_try() -> None:
    tries = SecondTries(6.0, 1.0)
    tries.written(code(), 1, "a", 100.0)
    assert due(tries, 110.0, elsewhere=False) == []


def test_second_tries_are_a_share_of_all_codes() -> None:
    tries = SecondTries(6.0, 0.02)
    for number in range(1, 1_001):
        tries.written(code(number), 1, "a", 100.0)
    assert len(due(tries, 110.0)) == FREE + 20


def test_switched_off_nobody_waits_for_receipts() -> None:
    tries = SecondTries(0.0, 1.0)
    tries.written(code(), 1, "a", 100.0)
    assert (tries.sent, due(tries, 1e9)) == (1, [])
