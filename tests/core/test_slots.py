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
        at.send(message(20, b"code", class_="verification"))
        await trio.sleep(0.1)
        assert (at.smsc.count, at.lane.in_flight) == (8, 10)
        await answer(at, 2)
        assert [one.short_message for one in at.smsc.submits[8:]] == [b"code", message(9).content.data]


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


async def test_parts_of_a_long_message_do_not_wait_in_store(monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock) -> None:
    async with stage(monkeypatch, binds=2, window=4, response_timeout_s=100, long_messages="udh8") as at:
        at.smsc.reply = silent
        at.send(long(1, 12, class_="marketing"))
        await trio.sleep(0.1)
        assert (at.smsc.count, at.lane.in_flight, at.lane.queued) == (8, 8, 4)


async def test_parts_that_come_back_leave_again_though_what_was_reported_is_decided_later(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async with stage(monkeypatch, binds=2, window=8, response_timeout_s=100, long_messages="udh8") as at:
        at.owner.begin_takes_s, at.owner.settle_takes_s = 0.2, 0.005
        at.send(long(1, 12))
        await trio.sleep(0.1)
        at.smsc.refusing = True
        at.smsc.lines[0].drop()
        await trio.sleep(5)
        assert sorted(one.short_message[5] for one in at.smsc.submits) == list(range(1, 13)), "each part once"


async def test_one_silent_bind_of_several_keeps_nothing(monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock) -> None:
    async with stage(monkeypatch, binds=2, window=8, response_timeout_s=100) as at:
        await fill(at, 20)
        silent_one, other = at.smsc.lines
        assert at.lane.in_flight == 20
        for _ in range(15):
            await trio.sleep(0.1)
            if other.held:
                await other.respond(other.held[0].sequence, f"id-{other.held[0].sequence}")
        assert len(at.owner.of(NotSent)) == 2
        at.send(*messages(21, 40))
        await trio.sleep(0.1)
        assert len(silent_one.submits) == 8
        assert at.lane.in_flight <= 18, "nothing more is stored for it"


async def test_a_bind_on_its_way_out_keeps_nothing(monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock) -> None:
    async with stage(monkeypatch, binds=2, window=8, response_timeout_s=100) as at:
        await fill(at, 20)
        at.smsc.lines[0].session.unbind(trio.current_time())
        await at.smsc.lines[0].flush()
        await trio.sleep(0.01)
        assert len(at.owner.of(NotSent)) == 2


async def test_free_slots_are_filled_before_anything_waits(monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock) -> None:
    async with stage(monkeypatch, binds=2, window=8, response_timeout_s=100) as at:
        at.smsc.reply = silent
        for first, last in ((1, 7), (8, 12), (13, 16)):
            at.send(*messages(first, last))
            await trio.sleep(0.1)
        assert at.smsc.count == 16


async def test_a_pause_for_throttling_is_no_silence(monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock) -> None:
    async with stage(monkeypatch, window=8, response_timeout_s=100) as at:
        await fill(at, 40)
        await answer(at, 1, Status.RTHROTTLED)
        await answer(at, 7)
        await trio.sleep(1.6)
        assert at.smsc.count > 8
        assert at.lane.open


async def test_nothing_leaves_in_a_pause_that_began_while_the_store_wrote(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async with stage(monkeypatch, window=8, response_timeout_s=100) as at:
        await fill(at, 9)
        at.owner.begin_takes_s = 0.3
        at.send(*messages(10, 12))
        await trio.sleep(0.1)
        await answer(at, 4, Status.RTHROTTLED)
        await trio.sleep(0.5)
        assert at.smsc.count == 8


async def test_a_code_finds_room_in_store_beside_others(monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock) -> None:
    async with stage(monkeypatch, window=8, response_timeout_s=100) as at:
        await fill(at, 20, class_="marketing")
        at.send(message(30, b"code", class_="verification"))
        await trio.sleep(0.1)
        at.owner.begin_takes_s = 30.0
        await answer(at, 1)
        assert [one.short_message for one in at.smsc.submits[8:]] == [b"code"]


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
