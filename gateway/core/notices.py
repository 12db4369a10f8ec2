"""Receipts and subscribers' messages to SMPP clients: stored before, forgotten only when acknowledged.

A notice goes to any receiving bind of its account with a free window. What a dying session had in flight goes out again on
the next one, with the same id and state; a client that refuses is tried again with a growing delay. A long text of a subscriber
goes in pieces to a client without TLVs (`pieces.py`).
"""

import heapq
from collections import deque
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from itertools import count
from typing import Protocol

import trio

from gateway.clock import Clock
from gateway.core.mailbox import Signal
from gateway.core.pieces import SHORT_MAX, Piece, Told, is_too_long, pieces_of
from gateway.core.report import Report
from gateway.core.storage import Storage
from gateway.store.base import NoticeDone, Outcome
from protocol import receipt
from protocol.errors import ContentError
from protocol.pdu import DeliverSm
from protocol.receipt import MessageState as CarrierState
from protocol.tlv import Tag, Tlvs
from routing.records import MessageState, Notice

IN_MEMORY_MAX = 20_000
RETRY_FIRST_S = 5.0
RETRY_MAX_S = 3600.0
TICK_S = 0.5

_SPOKEN = {
    MessageState.SCHEDULED: CarrierState.SCHEDULED,
    MessageState.QUEUED: CarrierState.ENROUTE,
    MessageState.IN_FLIGHT: CarrierState.ENROUTE,
    MessageState.DELIVERED: CarrierState.DELIVERED,
    MessageState.UNDELIVERED: CarrierState.UNDELIVERABLE,
    MessageState.EXPIRED: CarrierState.EXPIRED,
    MessageState.REJECTED: CarrierState.REJECTED,
    MessageState.CANCELLED: CarrierState.DELETED,
    MessageState.UNKNOWN: CarrierState.UNKNOWN,
    MessageState.BLOCKED: CarrierState.REJECTED,
}


class Receiver(Protocol):
    """A bind of a client that takes deliver_sm."""

    @property
    def can_deliver(self) -> int:
        """Free window slots."""

    def deliver(self, notices: Sequence[Told], pdus: Sequence[DeliverSm]) -> list[Told]:
        """Send them in one write. Gives those that cannot be encoded: they are given up."""

    @property
    def takes_tlvs(self) -> bool:
        """Whether the client speaks SMPP 3.4."""


def spoken_state(state: MessageState) -> CarrierState:
    """Our state in SMPP's words."""
    return _SPOKEN[state]


@lru_cache(maxsize=1024)
def _minute(number: float) -> datetime:
    """Receipts tell minutes; those of one minute share the object."""
    return datetime.fromtimestamp(number * 60, UTC)


def pdu_of(notice: Notice, *, tlvs: bool) -> DeliverSm:
    """The deliver_sm of a notice: a receipt as Appendix B has it, or the subscriber's message as it came."""
    extra: Tlvs = ()
    text, esm_class = notice.data, notice.esm_class
    if not notice.is_mo:
        esm_class = receipt.RECEIPT
        submitted, done = _minute(notice.submitted_utc // 60), _minute(notice.done_utc // 60)
        text, extra = receipt.write(notice.public_id, _SPOKEN[notice.state], submitted, done, notice.err)
    elif len(text) > SHORT_MAX:
        text, extra = b"", ((int(Tag.MESSAGE_PAYLOAD), notice.data),)
    return DeliverSm(
        0,
        0,
        extra if tlvs else (),
        b"",
        "",
        notice.source_ton,
        notice.source_npi,
        notice.source,
        notice.dest_ton,
        notice.dest_npi,
        notice.destination,
        esm_class,
        data_coding=notice.data_coding,
        short_message=text,
    )


class Notices:
    """Queues per account. `report` takes what was acknowledged."""

    def __init__(self, store: Storage, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._waiting: dict[str, deque[Told]] = {}
        self._overflow: set[str] = set()
        self._acknowledged: dict[str, set[int]] = {}  # of accounts that overflowed; the store may list them a while longer
        self._held: set[int] = set()
        self._retries: list[tuple[float, int, Told]] = []
        self._retry_numbers = count()
        self._receivers: dict[str, list[Receiver]] = {}
        self._done: list[Outcome] = []
        self._signal = Signal()

    def deliver(self, notices: Sequence[Notice]) -> None:
        """New notices, stored already."""
        held = self._held
        for notice in notices:
            if notice.id not in held:  # the store may have listed it a moment ago
                self._queue(notice)
        self._signal.set()

    def _queue(self, notice: Notice) -> None:
        queue = self._waiting.get(notice.account)
        if queue is None:
            queue = self._waiting[notice.account] = deque()
        if len(queue) >= IN_MEMORY_MAX:
            self._overflow.add(notice.account)  # it stays in the store; `_refill` fetches it
        else:
            queue.append(notice)
            self._held.add(notice.id)

    async def _refill(self, account: str) -> None:
        """Notices that found no room in memory come from the store once the queue here is empty."""
        acknowledged = self._acknowledged.pop(account, set())
        limit = IN_MEMORY_MAX + len(self._held) + len(acknowledged)
        listed = await self._store.notices(account, limit)
        acknowledged |= self._acknowledged.pop(account, set())  # meanwhile
        self._overflow.discard(account)
        if len(listed) == limit:
            self._overflow.add(account)
        self._acknowledged[account] = acknowledged.intersection(notice.id for notice in listed)
        for notice in listed:
            if notice.id not in self._held and notice.id not in acknowledged:
                self._queue(notice)

    def joined(self, account: str, receiver: Receiver) -> None:
        """A client can receive now: what it refused or left unanswered before is tried at once."""
        if self._store.durable and account not in self._receivers:
            self._overflow.add(account)  # the store may hold notices of before the start
        self._receivers.setdefault(account, []).append(receiver)
        for entry in sorted(one for one in self._retries if one[2].account == account):
            self._wait_again(entry[2])
        self._retries = [one for one in self._retries if one[2].account != account]
        heapq.heapify(self._retries)
        self._signal.set()

    def _wait_again(self, notice: Told) -> None:
        if notice.id in self._held and not (isinstance(notice, Piece) and notice.done):  # else it was acknowledged, only late
            self._waiting.setdefault(notice.account, deque()).append(notice)

    def left(self, account: str, receiver: Receiver, in_flight: Iterable[Told]) -> None:
        """It cannot any more; what it had not acknowledged goes to the next one."""
        receivers = self._receivers.get(account, [])
        if receiver in receivers:
            receivers.remove(receiver)
        self._waiting.setdefault(account, deque()).extendleft(reversed(list(in_flight)))
        self._signal.set()

    def answered(self, notice: Told, status: int) -> None:
        """The client acknowledged (status 0), or wants it later."""
        self._signal.set()
        if status == 0 and isinstance(notice, Piece) and not notice.acknowledged():
            return  # the others will tell
        if status == 0:
            number, account = notice.id, notice.account
            self._held.discard(number)
            if account in self._overflow:
                self._acknowledged.setdefault(account, set()).add(number)
            self._done.append(NoticeDone(number, account))
        else:
            delay = min(RETRY_MAX_S, RETRY_FIRST_S * 2 ** min(notice.failures, 10))
            notice.failures += 1
            heapq.heappush(self._retries, (self._clock.now() + delay, next(self._retry_numbers), notice))

    def take_done(self) -> Report | None:
        """What was acknowledged since the last call, for the store."""
        if not self._done:
            return None
        done, self._done = self._done, []
        return Report(done)

    async def run(self, report: "Reporter") -> None:
        """Move notices to receivers and acknowledgements to the store, until cancelled."""
        while True:
            with trio.move_on_after(TICK_S):
                await self._signal.wait()
            done = self.take_done()
            if done is not None:
                report.report(done)
            now = self._clock.now()
            while self._retries and self._retries[0][0] <= now:
                self._wait_again(heapq.heappop(self._retries)[2])
            for account, receivers in list(self._receivers.items()):
                if receivers:
                    await self._send(account, receivers)

    async def _send(self, account: str, receivers: list[Receiver]) -> None:
        queue = self._waiting.get(account)
        if not queue:
            if account not in self._overflow:
                return
            await self._refill(account)
            queue = self._waiting.setdefault(account, deque())
        for receiver in sorted(receivers, key=lambda one: -one.can_deliver):
            tlvs = receiver.takes_tlvs
            batch = [queue.popleft() for _ in range(min(receiver.can_deliver, len(queue)))]
            if not batch:
                break
            if not tlvs and any(type(one) is Notice and is_too_long(one) for one in batch):
                queue.extendleft(reversed(_cut(batch)))
                batch = [queue.popleft() for _ in range(min(receiver.can_deliver, len(queue)))]
            pdus = [one.pdu if isinstance(one, Piece) else pdu_of(one, tlvs=tlvs) for one in batch]
            for impossible in receiver.deliver(batch, pdus):
                self.answered(impossible, 0)

    def waiting(self, account: str) -> int:
        """Notices in memory that wait for a receiver of `account`."""
        return len(self._waiting.get(account, ()))


def _cut(batch: Sequence[Told]) -> list[Told]:
    """The same, with what is too long in pieces."""
    cut: list[Told] = []
    for one in batch:
        if isinstance(one, Piece) or not is_too_long(one):
            cut.append(one)
            continue
        try:
            cut += pieces_of(one, pdu_of(one, tlvs=False))
        except ContentError:
            cut.append(one)  # no header can number so many: it goes without its text, as it could not otherwise
    return cut


class Reporter(Protocol):
    """The pipeline, as notices see it."""

    def report(self, report: Report) -> None:
        """Outcomes to settle."""
