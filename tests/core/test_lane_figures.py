"""What a lane counts of its attempts: the channel's ten seconds run for those that left, and not for what it refused."""

import pytest
import trio
from makers import message
from test_lane import long, messages, silent, stage
from trio.testing import MockClock

from protocol.status import Status
from routing.slacells import Key
from routing.slawindows import shares


async def test_the_channel_s_ten_seconds_run_for_what_was_written_once_for_all_parts(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async with stage(monkeypatch) as at:
        at.smsc.reply = silent
        at.send(*messages(1, 4, country="CN"), long(5, 3, account="bank", class_="marketing"))
        await trio.sleep(1)
        found = shares(at.owner.figures.channel, "1m", trio.current_time(), ("class", "network", "account", "channel"))
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
        (share,) = shares(at.owner.figures.channel, "5m", trio.current_time(), ()).values()
        assert share.due == 3


async def test_where_no_receipts_come_nothing_is_late(monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock) -> None:
    async with stage(monkeypatch, receipts=False) as at:
        at.send(message(1))
        await trio.sleep(1)
        assert at.smsc.count == 1
        assert at.owner.figures.channel.cells == {}
