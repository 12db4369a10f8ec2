"""What API workers and operators ask about messages, and wish: find, search, cancel, reschedule, hold a channel, documents."""

import heapq
from collections import Counter
from collections.abc import Callable
from itertools import islice
from typing import Protocol

import msgspec
import trio

from gateway.calls import messages as calls
from gateway.calls.making import stored
from gateway.calls.things import KEY, TEMPLATE, WEBHOOK, ApiKey, Template, Webhook
from gateway.clock import Clock
from gateway.core import slaviews, views
from gateway.core.audit import Audit
from gateway.core.outbox import Outbox
from gateway.core.pipeline import Pipeline
from gateway.core.rules import Rules
from gateway.core.steering import Steering
from gateway.store.base import Change
from gateway.store.documents import document_key
from gateway.store.record import Record
from gateway.store.states import NOT_LEFT, event_of
from routing.ids import EPOCH_MS
from routing.policy.verdict import Refusal
from routing.records import Message, Notice

CHUNK = 2_000
"""Records looked at before the others have their turn."""
DEAD_MAX = 20_000
STORING = (calls.Cancel, calls.Reschedule, calls.PutDocument, calls.Replay, calls.Steer, calls.Tune, calls.Port)
THINGS: dict[str, type[ApiKey] | type[Webhook] | type[Template]] = {KEY: ApiKey, WEBHOOK: Webhook, TEMPLATE: Template}
_TAKEN = msgspec.msgpack.Decoder(calls.Taken)
_WEBHOOK = msgspec.json.Decoder(Webhook)


class DocumentReaders(Protocol):
    """Who is told when documents change: the workers."""

    def tell_documents(self, put: list[tuple[str, str, bytes]]) -> None:
        """Documents have changed."""


class Questions:
    """See the module. `batch_key` says where a batch is remembered."""

    def __init__(
        self, pipeline: Pipeline, outbox: Outbox, rules: Rules, audit: Audit, clock: Clock, batch_key: Callable[[str, str], str]
    ) -> None:
        self.rules = rules
        self.steering = Steering(pipeline, self.put_document, audit)
        self._pipeline = pipeline
        self._store = pipeline.store
        self._outbox = outbox
        self._clock = clock
        self._batch_key = batch_key
        self.readers: DocumentReaders | None = None

    async def answer(self, ask: calls.Ask) -> calls.Answer:
        """One question or wish. What would have to be stored is refused while nothing can be: nobody waits for a disk."""
        if self._store.trouble and isinstance(ask, STORING):
            return calls.Unable(self._store.trouble)
        match ask:
            case calls.Find():
                return calls.Records(await self._own(ask.account, ask.message_id))
            case calls.Search():
                return calls.Records(await self._search(ask))
            case calls.Cancel():
                return await self._change(ask.account, ask.message_id, None)
            case calls.Reschedule():
                return await self._change(ask.account, ask.message_id, ask)
            case calls.AskBatch():
                return await self._batch(ask.account, ask.batch_id)
            case calls.PutDocument():
                return await self._put(ask)
            case calls.AskDocuments():
                return calls.DocumentsOf(dict(self._store.book.documents.of(ask.kind)))
            case calls.Replay():
                return await self._replay(ask)
            case calls.AskDeliveries():
                return calls.Deliveries(*self._outbox.past(ask.webhook, ask.limit))
        return await self._about_the_gateway(ask)

    async def _about_the_gateway(self, ask: calls.Ask) -> calls.Answer:
        pipeline = self._pipeline
        match ask:
            case calls.AskHealth():
                lanes = pipeline.lanes.values()
                up = sum(lane.up for lane in lanes)
                refused = [(class_, reason, count) for (class_, reason), count in pipeline.figures.refused.items()]
                trouble, backlog = self._store.trouble, self._outbox.backlog
                low = pipeline.endings.watches.low()
                return calls.Health(pipeline.accepting, trouble, up, len(lanes), backlog, refused, low)
            case calls.AskLedger():
                await self._store.settled()
                return calls.LedgerSums(views.sums(pipeline))
            case calls.AskChannels():
                return calls.ChannelList(views.channels(pipeline))
            case calls.AskTallies():
                return calls.TallyList(await slaviews.tallies(pipeline, ask))
        found = await self.steering.answer(ask) or await self.rules.answer(ask)
        return found or calls.Done(f"{type(ask).__name__} is not a question")

    # -- messages

    async def _own(self, account: str, message_id: int) -> list[Record]:
        found = (await self._store.records([message_id])).get(message_id)
        return [found] if found is not None and account in ("", found.message.account) else []

    async def _search(self, ask: calls.Search) -> list[Record]:
        """What is in memory. Thousands are looked at in pieces, so that nobody waits for it."""
        await self._store.settled()
        book = self._store.book
        states = frozenset(ask.states)
        best: dict[int, Record] = {}
        # In this order: what is sealed meanwhile is found twice, not never.
        for held in (book.records, book.seals.held):
            numbers = iter([one for one in held if ask.since_id <= one < ask.before_id])
            while chunk := list(islice(numbers, CHUNK)):
                found = book.held(chunk).items()
                best.update((number, record) for number, record in found if _fits(record.message, ask, states))
                best = {number: best[number] for number in heapq.nlargest(ask.limit, best)}
                await trio.lowlevel.checkpoint()
        return [best[number] for number in sorted(best, reverse=True)]

    async def _change(self, account: str, message_id: int, wish: calls.Reschedule | None) -> calls.Changed:
        found = await self._own(account, message_id)
        if not found:
            return calls.Changed(False)
        fields: dict[str, object] | None = None
        if wish is not None and found[0].message.state in NOT_LEFT:
            message, utc = found[0].message, self._clock.utc()
            rules = self._pipeline.screens.get(message.account)
            moved = _moved(message, wish, utc)
            judged = moved if rules is None else rules.changed(message, moved, utc)
            if isinstance(judged, Refusal):
                return calls.Changed(False, found[0], str(judged))
            fields = judged
        elif wish is not None:
            return calls.Changed(False, found[0])
        done, settled = await self._store.change([Change(message_id, fields)])
        self._pipeline.spread(settled)
        found = await self._own(account, message_id)
        return calls.Changed(done[0], found[0] if found else None)

    async def _batch(self, account: str, batch_id: str) -> calls.Batch:
        key = self._batch_key(account, batch_id)
        record = (await self._store.answers([key])).get(key)
        if record is None:
            return calls.Batch(batch_id, 0, 0, {})
        taken = _TAKEN.decode(record.answer)
        ids = [item.message_id for item in taken.items if not item.status]
        found = await self._store.records(ids)
        states = Counter(int(one.message.state) for one in found.values())
        created_utc = ((int(batch_id[1:]) >> 22) + EPOCH_MS) / 1000
        size = len(taken.items) + taken.unready
        return calls.Batch(batch_id, size, size - len(ids), dict(states), created_utc)

    # -- webhooks

    async def _replay(self, ask: calls.Replay) -> calls.Done:
        notices: list[Notice] = []
        if ask.dead:
            box = Notice(0, ask.account, door="http").box
            dead = await self._store.dead_letters(DEAD_MAX, box)
            told = (one for one in dead if one.deliveries)
            taken = {one.id for one in told if ask.webhook not in {each.webhook for each in one.deliveries}}
            notices += [one for one in dead if one.id not in taken]
        utc = self._clock.utc()
        for record in (await self._store.records(ask.message_ids)).values():
            message = record.message
            if message.account == ask.account and message.state.final:
                notices.append(event_of(msgspec.structs.replace(message, door="http"), None, utc))
        return calls.Done(count=self._outbox.replay(ask.webhook, notices))

    # -- documents

    def documents(self) -> list[tuple[str, str, bytes]]:
        """Everything a worker needs to know."""
        held = self._store.book.documents
        return [(kind, name, value) for kind in THINGS for name, value in held.of(kind)]

    async def _put(self, ask: calls.PutDocument) -> calls.Done:
        """Only what can be read again: the core and all workers go by it, after a restart too."""
        kind = THINGS.get(ask.kind)
        if kind is None:
            return calls.Done(f"{ask.kind} is no kind of document")
        try:
            if ask.value and msgspec.json.decode(ask.value, type=kind).id != ask.name:
                return calls.Done(f"{ask.kind} {ask.name}: another one's document")
            kept = self._store.book.documents.get(document_key(ask.kind, ask.name))
            if ask.instead_of and not _same(kept, ask.instead_of, kind):
                return calls.Done(calls.CHANGED)
        except msgspec.MsgspecError as error:
            return calls.Done(f"{ask.kind} {ask.name}: {error}")
        await self.put_document(ask.kind, ask.name, ask.value)
        return calls.Done()

    async def disable_webhook(self, name: str, why: str) -> None:
        """A receiver said that it is gone. As the webhook is now: it may have been changed, or taken away, meanwhile."""
        value = self._store.book.documents.get(document_key(WEBHOOK, name))
        if value:
            webhook = msgspec.structs.replace(_WEBHOOK.decode(value), enabled=False, why=why)
            await self.put_document(WEBHOOK, name, stored(webhook))

    async def put_document(self, kind: str, name: str, value: bytes) -> None:
        """Keep it, then tell those who go by it."""
        await self._store.put_document(kind, name, value)
        # Of several that were put at once any may come here last: all go by what is kept.
        value = self._store.book.documents.get(document_key(kind, name))
        self.take_over(kind, name, value)
        if self.readers is not None and kind in THINGS:
            self.readers.tell_documents([(kind, name, value)])

    def take_over(self, kind: str, name: str, value: bytes) -> None:
        """What the core itself goes by."""
        if kind == WEBHOOK:
            self._outbox.put_webhook(name, _WEBHOOK.decode(value) if value else None)
        else:
            self.steering.take_over(kind, name, value)


def _same(kept: bytes, other: bytes, kind: type[ApiKey] | type[Webhook] | type[Template]) -> bool:
    """By what they say: another version may have written it otherwise."""
    return bool(kept) and msgspec.json.decode(kept, type=kind) == msgspec.json.decode(other, type=kind)


def _fits(message: Message, ask: calls.Search, states: frozenset[int]) -> bool:
    return (
        (not ask.account or message.account == ask.account)
        and (not ask.to or message.destination == ask.to)
        and (not ask.client_ref or message.client_ref == ask.client_ref)
        and (not states or message.state in states)
    )


def _moved(message: Message, wish: calls.Reschedule, utc: float) -> dict[str, object]:
    """The fields of a message that is to go at another time; its validity is as long as before, unless it was given."""
    due = max(wish.due_utc, utc)
    before = message.due_utc or message.arrival_utc
    return {
        "not_before_utc": due,
        "due_utc": due,
        "expires_utc": wish.expires_utc or due + (message.expires_utc - before),
    }
