"""What is asked about messages, and wished: one's own alone, in order, and the store decides who came first."""

from typing import Any

import msgspec
import pytest
import trio
from clock import START_UTC, VirtualClock
from door import Client, core, draft, statuses, submit
from makers import TO
from smsc import Smsc
from test_lane import messages, stage
from trio.testing import MockClock, wait_all_tasks_blocked

from gateway.calls import messages as calls
from gateway.calls.making import make_webhook, stored
from gateway.calls.outbound import Work
from gateway.calls.things import HELD, WEBHOOK
from gateway.core import questions
from gateway.core.lane import Lane
from gateway.store.base import Finish
from protocol.pdu import SubmitSm
from routing.plan import Health
from routing.records import Attempt, AttemptKey, MessageState

EVER = (1 << 63) - 1


class HeldLane(Lane):
    """A channel with room for everything, as far as plan, questions and views see it."""

    in_flight = queued = 0  # type: ignore[assignment]
    up = True  # type: ignore[assignment]

    def __init__(self) -> None:  # none of the real one's parts
        self.name = "a"
        self.submitted = self.refused = 0
        self.held = ""
        self.holds: list[str] = []
        self.got: list[int] = []

    def health(self, class_: str) -> Health:
        return Health("a", not self.held, 1_000)

    def enqueue(self, one: Any) -> None:
        self.got.append(one.id)

    def wake(self) -> None: ...

    def hold(self, how: str) -> None:
        self.held = how
        self.holds.append(how)


async def sent(client: Client, *drafts: calls.Draft, who: str = "shop") -> list[int]:
    (taken,) = await client.ask(submit(*drafts, who=who))
    assert not any(statuses(taken))
    return [one.message_id for one in taken.items]


def search(**fields: Any) -> calls.Search:
    asked: dict[str, Any] = {"account": "shop", "to": "", "client_ref": "", "states": (), "since_id": 0, "before_id": EVER}
    return calls.Search(**{"limit": 100, **asked, **fields})


async def ids(client: Client, **fields: Any) -> list[int]:
    (found,) = await client.ask(search(**fields))
    return [one.message.id for one in found.records]


async def test_a_search_is_newest_first_and_pages_neither_skip_nor_repeat(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    monkeypatch.setattr(questions, "CHUNK", 100)
    async with core() as one:
        client = one.connect()
        made = [number for _ in range(5) for number in await sent(client, *[draft()] * 90)]
        newest = sorted(made, reverse=True)
        assert await ids(client, limit=10) == newest[:10]
        found: list[int] = []
        before = EVER
        while page := await ids(client, before_id=before, limit=70):
            found += page
            before = page[-1]
        assert found == newest
        assert await ids(client, since_id=newest[5]) == newest[:6]
        assert await ids(client, limit=0) == []


async def test_a_search_finds_what_fits_all_that_was_asked(autojump_clock: MockClock) -> None:
    async with core() as one:
        client = one.connect()
        a, b, c = await sent(client, draft(client_ref="x"), draft("8613900139000", client_ref="x"), draft())
        (theirs,) = await sent(client, draft(client_ref="x"), who="other")
        one.report(Finish(b, MessageState.REJECTED, "x"))
        await wait_all_tasks_blocked()
        assert set(await ids(client)) == {a, b, c}
        assert set(await ids(client, client_ref="x")) == {a, b}
        assert await ids(client, client_ref="x", to=TO) == [a]
        assert await ids(client, states=(int(MessageState.REJECTED),)) == [b]
        assert await ids(client, account="other") == [theirs]
        assert len(await ids(client, account="")) == 4


async def test_other_accounts_messages_are_not_there(autojump_clock: MockClock) -> None:
    async with core() as one:
        client = one.connect()
        (number,) = await sent(client, draft())
        for asked in (calls.Cancel("other", number), calls.Reschedule("other", number, START_UTC + 60)):
            assert await client.ask(asked) == [calls.Changed(False)]
        assert await client.ask(calls.Find("other", number)) == [calls.Records([])]
        (found,) = await client.ask(calls.Find("", number))
        assert found.records[0].message.state is MessageState.QUEUED
        for absent in (0, -5, 12345, EVER):
            assert await client.ask(calls.Find("shop", absent), calls.Cancel("shop", absent)) == [
                calls.Records([]),
                calls.Changed(False),
            ]


async def test_of_two_that_cancel_one_does_and_what_has_left_is_not_called_back(autojump_clock: MockClock) -> None:
    async with core() as one:
        client = one.connect()
        first, second = await sent(client, draft(), draft())
        done = await client.ask(calls.Cancel("shop", first), calls.Cancel("shop", first))
        assert sorted(each.possible for each in done) == [False, True]
        assert {each.record.message.state for each in done} == {MessageState.CANCELLED}
        begun = await one.pipeline.begin([Attempt(AttemptKey(second, 1, 1), 1, "a", 0, 0)])
        assert begun.may_leave == [True]
        (late,) = await client.ask(calls.Cancel("shop", second))
        assert not late.possible
        (late,) = await client.ask(calls.Reschedule("shop", second, START_UTC + 60))
        assert not late.possible
        begun = await one.pipeline.begin([Attempt(AttemptKey(first, 1, 1), 1, "a", 0, 0)])
        assert begun.may_leave == [False], "it was cancelled before"


async def test_a_message_that_is_put_off_goes_at_its_time_and_its_validity_moves_along(autojump_clock: MockClock) -> None:
    async with core() as one:
        client, lane = one.connect(), HeldLane()
        lane.held = "pause"
        one.pipeline.lanes["a"] = lane  # type: ignore[assignment]
        (number,) = await sent(client, draft(expires_utc=VirtualClock().utc() + 300))
        due = VirtualClock().utc() + 1_000
        (done,) = await client.ask(calls.Reschedule("shop", number, due))
        message = done.record.message
        assert (done.possible, message.state, message.due_utc) == (True, MessageState.SCHEDULED, due)
        assert message.expires_utc == pytest.approx(due + 300)
        lane.held = ""
        one.pipeline.lane_changed()
        await trio.sleep(2)
        begun = await one.pipeline.begin([Attempt(AttemptKey(number, 1, 1), 1, "a", 0, 0)])
        assert begun.may_leave == [False], "a lane that has it from before may not send it now"
        await trio.sleep(1_000)
        begun = await one.pipeline.begin([Attempt(AttemptKey(number, 1, 1), 1, "a", 0, 0)])
        assert begun.may_leave == [True]


async def test_a_message_that_waits_can_go_at_once(autojump_clock: MockClock) -> None:
    async with core() as one:
        client = one.connect()
        (number,) = await sent(client, draft(due_utc=START_UTC + 5_000))
        (done,) = await client.ask(calls.Reschedule("shop", number, 0.0, START_UTC + 60))
        assert (done.possible, done.record.message.expires_utc) == (True, START_UTC + 60)
        await trio.sleep(1)
        (found,) = await client.ask(calls.Find("shop", number))
        assert found.records[0].message.state is MessageState.QUEUED


# -- channels held back


async def test_a_channel_is_held_and_used_again_and_both_survive(autojump_clock: MockClock) -> None:
    async with core() as one:
        client, lane = one.connect(), HeldLane()
        one.pipeline.lanes["a"] = lane  # type: ignore[assignment]
        for action in ("pause", "drain", "pause", "resume"):
            assert await client.ask(calls.Steer("a", action)) == [calls.Done()]
            assert dict(one.store.documents.of(HELD)) == ({} if action == "resume" else {"a": f'"{action}"'.encode()})
        assert lane.holds == ["pause", "drain", "pause", ""]
        (unknown, senseless) = await client.ask(calls.Steer("b", "pause"), calls.Steer("a", "explode"))
        assert "no channel b" in unknown.error
        assert "explode" in senseless.error
        assert len(lane.holds) == 4


async def test_nothing_is_planned_onto_a_held_channel_until_it_is_used_again(autojump_clock: MockClock) -> None:
    async with core() as one:
        client, lane = one.connect(), HeldLane()
        one.pipeline.lanes["a"] = lane  # type: ignore[assignment]
        await client.ask(calls.Steer("a", "pause"))
        made = await sent(client, *[draft()] * 3)
        await trio.sleep(10)
        assert lane.got == []
        await client.ask(calls.Steer("a", "resume"))
        await trio.sleep(2)
        assert sorted(lane.got) == sorted(made)


async def test_a_paused_lane_gives_back_what_waits_and_stays_bound(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async with stage(monkeypatch, window=1) as one:
        one.smsc.reply = lambda pdu: None
        one.send(*messages(1, 5))
        await wait_all_tasks_blocked(0.001)
        one.lane.hold("pause")
        assert [message.id for message in one.owner.back] == [2, 3, 4, 5]
        assert not one.lane.health("verification").up
        await trio.sleep(20)
        assert one.lane.up
        assert len(one.smsc.lines) == 1
        one.lane.hold("")
        assert one.lane.health("marketing").up
        await end(one)


async def end(one: Any) -> None:
    one.lane.leave()
    one.lane.unbind()
    for line in one.smsc.lines:
        line.drop()


async def test_a_drained_lane_unbinds_once_all_is_answered_and_binds_when_it_is_used_again(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async with stage(monkeypatch, window=2, response_timeout_s=1_000) as one:
        held: list[SubmitSm] = []
        one.smsc.reply = held.append  # type: ignore[func-returns-value]
        one.send(*messages(1, 2))
        await wait_all_tasks_blocked(0.001)
        one.lane.hold("drain")
        await trio.sleep(30)
        assert one.lane.up, "an answer is still to come"
        for pdu in held:
            await one.smsc.line.respond(pdu.sequence, f"x{pdu.sequence}")
        await trio.sleep(5)
        assert one.lane.gone
        assert one.lane.in_flight == 0
        await trio.sleep(1_000)
        assert len(one.smsc.lines) == 1, "it does not come back by itself"
        one.lane.hold("")
        await trio.sleep(10)
        assert one.lane.up
        assert len(one.smsc.lines) == 2
        one.lane.hold("drain")
        await trio.sleep(5)
        one.lane.hold("pause")
        await trio.sleep(10)
        assert one.lane.up, "a pause stays bound"
        await end(one)


async def test_a_drain_while_the_carrier_is_away_is_no_failure_and_stops_knocking(
    monkeypatch: pytest.MonkeyPatch, autojump_clock: MockClock
) -> None:
    async def never(self: Smsc, host: str, port: int) -> None:
        self.connects.append(trio.current_time())
        await trio.sleep_forever()

    async with stage(monkeypatch, connect_timeout_s=500) as one:
        monkeypatch.setattr(Smsc, "connect", never)
        monkeypatch.setattr("gateway.core.bind.trio.open_tcp_stream", lambda host, port: never(one.smsc, host, port))
        one.smsc.line.drop()
        await trio.sleep(60)
        knocked, error = len(one.smsc.connects), one.lane.binds[0].last_error
        assert knocked == 2
        one.lane.hold("drain")
        await trio.sleep(2_000)
        assert len(one.smsc.connects) == knocked
        assert one.lane.binds[0].last_error == error
        one.lane.hold("")
        await trio.sleep(10)
        assert len(one.smsc.connects) == knocked + 1
        one.lane.leave()
        one.lane.unbind()


# -- webhooks


async def test_a_webhook_is_disabled_as_it_is_now_and_never_brought_back(autojump_clock: MockClock) -> None:
    hook = make_webhook("shop", "https://a.test/", START_UTC)
    async with core() as one:
        client = one.connect()
        await client.ask(calls.PutDocument(WEBHOOK, hook.id, stored(hook)))
        await one.questions.disable_webhook(hook.id, "gone")
        assert b'"enabled":false' in one.store.list_documents(WEBHOOK)[hook.id]
        assert not one.outbox.wanted("shop")
        await client.ask(calls.PutDocument(WEBHOOK, hook.id, b""))
        await one.questions.disable_webhook(hook.id, "gone")
        assert one.store.list_documents(WEBHOOK) == {}


async def test_of_documents_put_at_once_everybody_goes_by_the_one_that_is_kept(
    autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    hook = make_webhook("shop", "https://a.test/", START_UTC)
    async with core() as one:
        gates = [trio.Event(), trio.Event()]
        real = one.storage.put_document
        waits = iter(gates)

        async def put(kind: str, name: str, value: bytes) -> None:
            await real(kind, name, value)
            await next(waits).wait()

        monkeypatch.setattr(one.storage, "put_document", put)
        client = one.connect()
        for enabled in (True, False):
            client.say(calls.PutDocument(WEBHOOK, hook.id, stored(msgspec.structs.replace(hook, enabled=enabled))))
            await wait_all_tasks_blocked()
        gates[1].set()
        await wait_all_tasks_blocked()
        gates[0].set()
        await wait_all_tasks_blocked()
        assert not one.outbox.wanted("shop")


async def test_events_of_messages_are_told_again_to_their_own_account_s_webhook(autojump_clock: MockClock) -> None:
    hook = make_webhook("shop", "https://a.test/", START_UTC)
    async with core() as one:
        client, worker = one.connect(), one.connect()
        ended, living = await sent(client, draft(), draft())
        (theirs,) = await sent(client, draft(), who="other")
        one.report(Finish(ended, MessageState.REJECTED, "x"), Finish(theirs, MessageState.REJECTED, "x"))
        await client.ask(calls.PutDocument(WEBHOOK, hook.id, stored(hook)))
        worker.say(calls.Watch("", True))
        await worker.heard()
        (done,) = await client.ask(calls.Replay("shop", hook.id, (ended, living, theirs, ended, 5)))
        assert done.count == 1
        work = [reply.answer for reply in await worker.heard() if isinstance(reply.answer, Work)]
        assert [[notice.id for notice in each.notices] for each in work] == [[ended]]
        (past,) = await client.ask(calls.AskDeliveries(hook.id, 9))
        assert past.waiting == 1


# -- the gateway


async def test_what_operators_ask(autojump_clock: MockClock) -> None:
    async with core() as one:
        client = one.connect()
        await sent(client, draft())
        ledger, health, tallies = await client.ask(calls.AskLedger(), calls.AskHealth(), calls.AskTallies())
        assert ledger.sums.ledger.queued == 1
        assert (health.accepting, health.trouble, health.channels) == (True, "", 0)
        assert tallies.tallies.tallies == []
        one.pipeline.accepting = False
        assert not (await client.ask(calls.AskHealth()))[0].accepting
