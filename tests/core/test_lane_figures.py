"""What a lane counts of its attempts: the channel's ten seconds run for those that left, not for what it refused; and for
monitoring how fast answers come, what the pace makes wait, what is unknown, what had to go another way.
"""

import pytest
import trio
from makers import message
from test_figures import rows
from test_lane import long, messages, silent, stage
from trio.testing import MockClock, wait_all_tasks_blocked

from gateway.core.lanecounts import ANSWER_EDGES_S
from protocol.status import Status
from routing.slacells import Key


async def test_the_channel_s_ten_seconds_run_for_what_was_written_once_for_all_parts(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async with stage(monkeypatch) as at:
        at.smsc.reply = silent
        at.send(*messages(1, 4, country="CN"), long(5, 3, account="bank", class_="marketing"))
        await trio.sleep(1)
        found = rows(at.owner.figures, "channel", ("class", "network", "account", "channel"))
        assert {key: share.due for key, share in found.items()} == {
            Key("notification", "CN", "shop", "a"): 4,
            Key("marketing", "", "bank", "a"): 1,
        }


@pytest.mark.parametrize("begin_takes_s", [0.0, 12.0])
async def test_for_what_the_carrier_refused_they_do_not(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock, begin_takes_s: float
) -> None:
    async with stage(monkeypatch) as at:
        at.owner.begin_takes_s = begin_takes_s
        at.smsc.reply = lambda pdu: Status.RINVDSTADR if at.smsc.count > 3 else "ok"
        at.send(*messages(1, 5))
        await trio.sleep(begin_takes_s + 1)
        (share,) = rows(at.owner.figures, "channel").values()
        assert share.due == 3


async def test_where_no_receipts_come_nothing_is_late(monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock) -> None:
    async with stage(monkeypatch, receipts=False) as at:
        at.send(message(1))
        await trio.sleep(1)
        assert at.smsc.count == 1
        assert at.owner.figures.channel.cells == {}


# -- for monitoring


async def test_how_long_answers_take_is_counted_whatever_they_say(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async with stage(monkeypatch) as at:
        at.smsc.reply = silent
        at.send(*messages(1, 3))
        await trio.sleep(0.3)
        for held, reply in zip(list(at.smsc.line.held), ("x", Status.RINVDSTADR, "y"), strict=True):
            await at.smsc.line.respond(held.sequence, reply)
        await wait_all_tasks_blocked()
        counted = {edge: count for edge, count in zip(ANSWER_EDGES_S, at.lane.counts.answers, strict=False) if count}
        assert counted == {0.5: 3}
        assert at.lane.counts.answers_s == pytest.approx(0.9)


async def test_what_the_pace_makes_wait_and_what_is_too_fast(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async with stage(monkeypatch, messages_per_second=10) as at:
        at.smsc.reply = lambda pdu: Status.RTHROTTLED if at.smsc.count == 1 else f"id-{at.smsc.count}"
        at.send(*messages(1, 21))
        await trio.sleep(30)
        assert at.lane.counts.throttled == 1
        assert 1.5 < at.lane.counts.paced_s < 5.0


async def test_an_attempt_is_unknown_once(monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock) -> None:
    async with stage(monkeypatch, response_timeout_s=4) as at:
        at.owner.settling = False
        at.smsc.reply = silent
        at.send(message(1, class_="verification"), message(2))
        await trio.sleep(3)
        assert at.lane.counts.unknown == 1, "a code is given up after two seconds"
        await trio.sleep(10)
        assert at.lane.counts.unknown == 2


async def test_a_message_that_another_channel_had_is_a_failover(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async with stage(monkeypatch) as at:
        at.smsc.reply = lambda pdu: Status.RSYSERR if at.smsc.count == 1 else f"id-{at.smsc.count}"
        at.send(message(1), long(2, 3))
        await trio.sleep(1)
        at.resend()
        await trio.sleep(1)
        assert at.smsc.count == 5
        assert at.lane.counts.failovers == 0, "tried again here"
        at.send(*messages(3, 4, channel="b", tries=1))
        await trio.sleep(1)
        assert at.lane.counts.failovers == 2
