"""Breaches of the ten seconds as events: once each, to the webhooks of whose own messages are late, and to who watches."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import trio
from clock import START_UTC, VirtualClock
from door import Client, Core, core
from test_figures import come, delivered
from trio.testing import MockClock

from gateway.calls import messages as calls
from gateway.calls.making import make_webhook, stored
from gateway.calls.outbound import Events, Work
from gateway.calls.things import WEBHOOK, event_name
from gateway.core.report import Report
from gateway.core.slaevents import SlaEvents
from gateway.store.base import Announce
from routing.ids import IdMaker
from routing.records import Notice
from routing.slacells import Key
from routing.slawatch import Turn
from routing.slawindows import WindowShare

SHOP_BOX = "shop\x1ehttp"


class Gateway:
    """Six messages a second, sixty at a time, of each account; those of `late` never arrive."""

    def __init__(self, one: Core) -> None:
        self.core = one
        one.pipeline._deliver = one.outbox.deliver
        ids = IdMaker(0, VirtualClock().utc)
        events = SlaEvents(VirtualClock(), ids, one.outbox.wants, one.pipeline.report, one.workers.tell)
        one.pipeline.on_turns = events.take

    async def send(self, minutes: int, *accounts: str, late: tuple[str, ...] = ()) -> None:
        figures = self.core.pipeline.figures
        for _ in range(minutes * 6):
            for account in accounts:
                sent = [come(class_="verification", account=account) for _ in range(60)]
                figures.due(sent)
                if account not in late:
                    figures.ended([delivered(one, "a", 2.0, in_s=2) for one in sent])
            await trio.sleep(10)

    def stored(self, box: str = SHOP_BOX) -> list[Notice]:
        return self.core.store.notices(box, 100)


@asynccontextmanager
async def gateway(*events: str, account: str = "shop") -> AsyncIterator[tuple[Gateway, Client]]:
    """With a webhook of an account that wants these events."""
    hook = make_webhook(account, "https://a.test/", START_UTC, events=tuple(events))
    async with core() as one:
        worker = one.connect()
        worker.say(calls.Watch("", True))
        await worker.ask(calls.PutDocument(WEBHOOK, hook.id, stored(hook)))
        yield Gateway(one), worker


async def told(client: Client, kind: type[Work] | type[Events]) -> list[tuple[str, str, str]]:
    """What it was told since the last call; what it was to hand to a webhook is taken there."""
    answers = [reply.answer for reply in await client.heard() if isinstance(reply.answer, kind)]
    for work in answers:
        if isinstance(work, Work):
            client.say(calls.Tried([calls.Try(one.id, work.webhook, 200) for one in work.notices]))
    notices = [notice for one in answers for notice in one.notices]
    return [(one.account, event_name(one), one.sla.channel) for one in notices if one.sla is not None]


async def test_a_webhook_hears_of_a_breach_and_of_its_end_once_each(autojump_clock: MockClock) -> None:
    async with gateway() as (one, worker):
        await one.send(10, "shop", "bank")
        assert await told(worker, Work) == []
        await one.send(10, "shop", "bank", late=("shop",))
        (notice,) = one.stored()
        assert await told(worker, Work) == [("shop", "sla.breach", "")]
        assert notice.sla is not None
        assert notice.sla.class_ == "verification"
        assert notice.sla.within is not None
        assert notice.sla.within < 0.95
        assert notice.sla.due >= 30 * 60
        assert notice.created_utc - notice.sla.since_utc == pytest.approx(120, abs=1), "three looks, a minute apart"
        await one.send(20, "shop", "bank")
        assert await told(worker, Work) == [("shop", "sla.recovery", "")]
        await one.send(1, "shop")
        assert one.stored() == []


async def test_nobody_hears_of_what_only_others_do(autojump_clock: MockClock) -> None:
    async with gateway(account="bank") as (one, worker):
        await one.send(20, "shop", "bank", late=("shop",))
        assert await told(worker, Work) == []
        assert one.stored() == one.stored("bank\x1ehttp") == []
        assert {key.account for key in one.core.pipeline.figures.watches.breached} == {"", "shop"}, "the class is in breach"


async def test_a_webhook_hears_only_what_it_wants(autojump_clock: MockClock) -> None:
    async with gateway("message.delivered", "sla.recovery") as (one, worker):
        await one.send(10, "shop", late=("shop",))
        assert one.stored() == []
        await one.send(20, "shop")
        assert await told(worker, Work) == [("shop", "sla.recovery", "")]


async def test_what_no_webhook_wants_is_told_and_never_written(autojump_clock: MockClock) -> None:
    reports: list[Report] = []
    streamed: list[Notice] = []
    ids = IdMaker(0, VirtualClock().utc)
    events = SlaEvents(VirtualClock(), ids, lambda account, event: account == "bank", reports.append, streamed.append)
    keys = [Key("verification", "", account) for account in ("", "shop", "bank")]
    events.take([Turn("breach", key, WindowShare(100, 0.5, None), 0.0) for key in keys])
    assert [one.account for one in streamed] == ["", "shop", "bank"]
    assert len({one.id for one in streamed}) == 3
    (report,) = reports
    assert report.outcomes == [Announce(streamed[2])]


async def test_streams_tell_an_account_its_own_and_operators_all(autojump_clock: MockClock) -> None:
    async with gateway("message.delivered") as (one, _):
        mine, theirs, operator = (one.core.connect() for _ in range(3))
        for client, account in ((mine, "shop"), (theirs, "bank"), (operator, "*")):
            client.say(calls.Watch(account, True))
            await client.heard()
        one.core.pipeline.figures.written("a", {("verification", "cmcc", "shop"): 100}, trio.current_time())
        await one.send(10, "shop", "bank", late=("shop",))
        assert await told(mine, Events) == [("shop", "sla.breach", "")]
        assert await told(theirs, Events) == []
        assert set(await told(operator, Events)) == {
            ("", "sla.breach", ""),
            ("", "sla.breach", "a"),
            ("shop", "sla.breach", ""),
        }
