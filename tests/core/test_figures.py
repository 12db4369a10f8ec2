"""What is counted of messages: deliveries are found where their messages began, on both clocks, told however late."""

from collections.abc import Iterable
from typing import Any

import pytest
import trio
from clock import START_UTC, VirtualClock
from makers import message
from trio.testing import MockClock

from gateway.core.figures import Figures
from gateway.store.base import CarrierReceipt, Final
from protocol.receipt import MessageState as CarrierState
from routing.operators import network_of
from routing.records import Message
from routing.slacells import Key
from routing.slawindows import EMPTY, WindowShare, shares


def rows(figures: Figures, clock: str, by: Iterable[str] = (), **only: str) -> dict[Key, WindowShare]:
    """Of the last five minutes."""
    found = shares(getattr(figures, clock), "5m", trio.current_time(), tuple(by), only)
    return dict(one for one in found if one is not None)


def share(figures: Figures, clock: str = "user", **only: str) -> WindowShare:
    return next(iter(rows(figures, clock, **only).values()), EMPTY)


def come(**fields: Any) -> Message:
    return message(arrival=trio.current_time(), arrival_utc=VirtualClock().utc(), operator="cmcc", **fields)


def delivered(one: Message, channel: str, since_due: float, since_written: float | None = None, in_s: float = 0.0) -> Final:
    """A receipt that comes now, or so many seconds later."""
    at = trio.current_time() + in_s
    receipt = CarrierReceipt(channel, (), CarrierState.DELIVERED, at, START_UTC + at)
    return Final(one, channel, since_due, since_written, receipt=receipt)


async def test_a_message_counts_from_when_it_came_though_it_was_stored_and_told_later(autojump_clock: MockClock) -> None:
    figures = Figures({}, VirtualClock())
    await trio.sleep(9.9)
    one = come()
    await trio.sleep(0.2)
    figures.due([one])
    await trio.sleep(9.9)
    end = delivered(one, "a", trio.current_time() - one.arrival)
    await trio.sleep(0.2)  # until the receipt is stored another slot has begun
    figures.ended([end])
    await trio.sleep(10)
    assert (share(figures).due, share(figures).within) == (1, 0.0), "10.1 seconds"
    assert share(figures).p50 == pytest.approx(10.1, rel=0.15)


@pytest.mark.parametrize("boot", ["virtual", "before"])
async def test_a_scheduled_message_counts_from_when_it_was_due(autojump_clock: MockClock, boot: str) -> None:
    figures = Figures({}, VirtualClock())
    one = come(due_utc=START_UTC + 59.9, boot=boot)
    await trio.sleep(60.05)
    figures.due([one])
    await trio.sleep(2.0)
    figures.ended([delivered(one, "a", VirtualClock().utc() - one.due_utc)])
    await trio.sleep(20)
    assert (share(figures).due, share(figures).within) == (1, 1.0)


async def test_an_attempt_counts_on_its_channel_and_one_that_was_refused_does_not(autojump_clock: MockClock) -> None:
    figures = Figures({}, VirtualClock())
    one, other = come(), come(account="bank")
    alike = {(one.class_, network_of(one), one.account): 1, (one.class_, network_of(one), "bank"): 1}
    await trio.sleep(5)
    figures.written("a", alike, 5.0)
    figures.not_written("a", other, 5.0)
    figures.written("b", {(one.class_, network_of(one), "bank"): 1}, 5.0)
    await trio.sleep(6)
    figures.ended([delivered(other, "b", 11.0, 6.0)])
    await trio.sleep(15)
    found = {name: share(figures, "channel", channel=name) for name in "ab"}
    assert [(found[name].due, found[name].within) for name in "ab"] == [(1, 0.0), (1, 1.0)]
    assert share(figures, "channel", network="cmcc", account="bank").within == 1.0


async def test_latencies_since_the_start_are_by_class(autojump_clock: MockClock) -> None:
    figures = Figures({}, VirtualClock())
    figures.ended([Final(come(class_="marketing"), "a", took) for took in (1.0, 10.0, 20.0)] + [Final(come(), "a")])
    assert figures.seconds == {"marketing": 31.0}
    assert sum(figures.latencies.values()) == 3
