"""What is stored ahead of the window leaves with the answer that frees a slot, and goes elsewhere whole when none comes."""

import pytest
import trio
from lane_stage import Stage, long, messages, silent, stage
from makers import config, message
from trio.testing import MockClock, wait_all_tasks_blocked

from gateway.core.pipeline import Pipeline
from gateway.core.storage import Storage
from gateway.core.views import channels
from gateway.store.base import NotSent, Unclear
from gateway.store.opening import Opened
from protocol.status import Status
from routing.records import MessageState


async def fill(at: Stage, last: int, **fields: str) -> None:
    """Messages up to `last`; nothing is answered."""
    at.smsc.reply = silent
    at.send(*messages(1, last, **fields))
    await trio.sleep(0.1)


async def answer(at: Stage, count: int, reply: int | str = "") -> None:
    """The oldest submits of the latest connection, in one write."""
    line = at.smsc.line
    for held in line.held[:count]:
        if isinstance(reply, str):
            line.session.respond_submit(held.sequence, 0, f"id-{held.sequence}")
        else:
            line.session.respond_submit(held.sequence, reply, "")
    del line.held[:count]
    await line.flush()
    await wait_all_tasks_blocked()


async def test_an_answer_lets_the_next_leave_without_waiting_for_the_store(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async with stage(monkeypatch, window=8, response_timeout_s=100) as at:
        await fill(at, 20)
        assert (at.smsc.count, at.lane.in_flight, at.lane.queued) == (8, 10, 10)
        at.owner.begin_takes_s = 30.0
        await answer(at, 1)
        assert at.smsc.count == 9
        await answer(at, 5)
        assert at.smsc.count == 10, "no more than were stored"


async def test_operators_see_it_among_what_waits_and_the_window_as_it_is(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async with stage(monkeypatch, window=8, response_timeout_s=100) as at:
        await fill(at, 20)
        pipeline = Pipeline(config(), Storage(Opened(at.owner.store), at.owner.clock), at.owner.clock, lambda _: None)
        pipeline.lanes["a"] = at.lane
        (view,) = channels(pipeline).channels
        assert (view.window_used, view.window_size, view.queued) == (8, 8, 12)


async def test_nothing_waits_in_store_for_a_channel_with_a_rate(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    for rate in ("messages_per_second", "bind_messages_per_second"):
        async with stage(monkeypatch, window=8, response_timeout_s=100, **{rate: 1000}) as at:
            await fill(at, 20)
            assert (at.smsc.count, at.lane.in_flight) == (8, 8)


async def test_a_code_leaves_before_what_waits_in_store(monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock) -> None:
    async with stage(monkeypatch, window=8, response_timeout_s=100) as at:
        await fill(at, 9, class_="marketing")
        assert at.lane.in_flight == 9
        at.send(message(20, class_="verification"))
        await trio.sleep(0.1)
        assert (at.smsc.count, at.lane.in_flight) == (8, 10)
        await answer(at, 2)
        assert [one.destination_addr for one in at.smsc.submits[8:]] == [message(20).destination, message(9).destination]


async def test_a_lost_link_gives_back_what_never_left(monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock) -> None:
    async with stage(monkeypatch, window=8, response_timeout_s=100) as at:
        await fill(at, 10, class_="marketing")
        at.smsc.line.drop()
        await wait_all_tasks_blocked()
        assert sorted(one.key.message_id for one in at.owner.of(NotSent)) == [9, 10]
        assert sorted(one.key.message_id for one in at.owner.of(Unclear)) == list(range(1, 9))
        assert [at.state(number) for number in (9, 10)] == [MessageState.QUEUED] * 2
        assert at.lane.in_flight == 0


async def test_what_never_left_goes_elsewhere_when_the_carrier_falls_silent(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async with stage(monkeypatch, window=8, response_timeout_s=100) as at:
        await fill(at, 10)
        assert at.lane.queued == 0, "nothing else waits"
        await trio.sleep(2)
        assert not at.lane.open
        assert sorted(one.key.message_id for one in at.owner.of(NotSent)) == [9, 10]


@pytest.mark.parametrize("how", ["pause", "drain"])
async def test_an_operator_s_hold_gives_it_back(monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock, how: str) -> None:
    async with stage(monkeypatch, window=8, response_timeout_s=100) as at:
        await fill(at, 10)
        at.lane.hold(how)
        await answer(at, 8)
        assert at.smsc.count == 8
        assert sorted(one.key.message_id for one in at.owner.of(NotSent)) == [9, 10]
        assert at.lane.in_flight == 0


async def test_a_hold_while_the_store_writes_lets_nobody_wait_here(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async with stage(monkeypatch, window=8, response_timeout_s=100) as at:
        at.owner.begin_takes_s = 5.1
        at.smsc.reply = silent
        at.send(*messages(1, 10))
        await trio.sleep(1)
        at.lane.hold("pause")
        await trio.sleep(4.15)
        assert at.smsc.count == 8
        assert sorted(one.key.message_id for one in at.owner.of(NotSent)) == [9, 10]


async def test_it_waits_while_the_carrier_throttles(monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock) -> None:
    async with stage(monkeypatch, window=8, response_timeout_s=100) as at:
        await fill(at, 10)
        await answer(at, 1, Status.RTHROTTLED)
        await trio.sleep(0.5)
        assert at.smsc.count == 8
        await trio.sleep(1)
        assert at.smsc.count == 9, "the pause is over"


async def test_parts_that_never_left_follow_on_the_same_channel_in_order(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async with stage(monkeypatch, binds=2, window=4, response_timeout_s=100, long_messages="udh8") as at:
        at.smsc.reply = silent
        at.send(long(1, 12, class_="marketing"))
        await trio.sleep(0.1)
        first, second = at.smsc.lines
        left = len(first.submits) + len(second.submits)
        assert (left, at.lane.in_flight, at.lane.queued) == (8, 10, 2)
        first.drop()
        await wait_all_tasks_blocked()
        while second.held:
            held = second.held[0]
            await second.respond(held.sequence, f"id-{held.sequence}")
            await trio.sleep(0.1)
        numbers = [one.short_message[5] for one in at.smsc.submits]
        assert sorted(numbers) == list(range(1, 13)), "each part once"
        assert len(at.owner.of(NotSent)) == 1


async def test_a_link_that_dies_while_the_store_writes_keeps_nobody_waiting(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async with stage(monkeypatch, binds=2, window=8, response_timeout_s=100) as at:
        at.owner.begin_takes_s = 5.1
        at.smsc.reply = silent
        at.send(*messages(1, 16))
        await trio.sleep(1)
        at.smsc.refusing = True
        at.smsc.lines[0].drop()
        await trio.sleep(4.15)
        assert at.smsc.count == len(at.owner.of(NotSent)) == 8
