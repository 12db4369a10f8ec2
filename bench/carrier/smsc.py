"""The carrier: what all its connections share. The life of a submit, the timers, one flush per batch.

A batch is one socket read or one turn of the wheel. Whatever it brings about lands in the sessions' buffers, and `flush`
writes every touched connection once. `become` changes the options while it runs; `actions` does what happens once.
"""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bench.alarm import Alarm, LoopAlarm
from bench.carrier.arrivals import ACCEPTED, REFUSED, SWALLOWED, Arrivals
from bench.carrier.behaviour import Behaviour, Plan
from bench.carrier.connection import Connection
from bench.carrier.counters import Counters
from bench.carrier.deliveries import Deliveries
from bench.carrier.ledger import Entry, Ledger
from bench.carrier.options import STAT_NAMES, Options
from bench.carrier.parts import UDHI, WHOLE, part_of
from bench.carrier.wheel import Every, Wheel
from protocol.pdu import DataSm, ShortMessagePdu, SubmitMulti
from protocol.receipt import MessageState
from protocol.status import Status, status_name
from protocol.tlv import Tag, get, get_int

if TYPE_CHECKING:
    from bench.carrier.port import Port

SWEEP_S = 0.25


class Smsc:
    """A carrier. `factory` makes the protocol of one accepted connection."""

    def __init__(
        self,
        options: Options,
        loop: asyncio.AbstractEventLoop,
        ledger: Ledger,
        arrivals: Arrivals | None = None,
        alarm: Callable[[asyncio.AbstractEventLoop, Callable[[], None]], Alarm] = LoopAlarm,
    ) -> None:
        self.options = options
        self.loop = loop
        self.ledger = ledger
        self.arrivals = arrivals
        self.behaviour = Behaviour(options)
        self.counters = Counters()
        self.connections: set[Connection] = set()
        self.port: Port | None = None
        self.bound = 0
        self.silent = False
        """Every connection is silent, and whoever connects falls silent at once."""
        self.refuses_binds = False
        self.on_first_submit: Callable[[float], None] | None = None
        self.wheel = Wheel()
        self.deliveries = Deliveries(options, self.counters, ledger, self.wheel)
        self._drops = Every(self.wheel, self.drop_all)
        self._mo = Every(self.wheel, self.deliveries.send_mo)
        self._dirty: list[Connection] = []
        self._alarm = alarm(loop, self._turn)
        self._armed_at = float("inf")
        self.time = self._alarm.time
        """Monotonic seconds, the clock of all timers."""
        self._entries = 0
        now = self.time()
        self.wheel.add(now + SWEEP_S, self._sweep)
        self.become(options, now)
        self.flush()

    def become(self, options: Options, now: float) -> None:
        """Behave as `options` say from now on: what was decided before stays as it was decided."""
        self.options = options
        self.behaviour.become(options)
        self.deliveries.become(options)
        self._resolve_at_response = options.dlr_timing in ("before-resp", "same-segment")
        self._drops.set(options.drop_every_s, now)
        self._mo.set(options.mo_every_s, now)
        for connection in self.connections:
            connection.become(options)

    def factory(self) -> Connection:
        """The protocol of one connection."""
        self.counters.connections += 1
        return Connection(self, self.counters.connections)

    # -- batches

    def touch(self, connection: Connection) -> None:
        """Something was put into the session of `connection`: write it at the end of the batch."""
        if not connection.dirty:
            connection.dirty = True
            self._dirty.append(connection)

    def flush(self) -> None:
        """The end of a batch: write, and sleep until the next timer."""
        for connection in self._dirty:
            connection.dirty = False
            connection.write()
        self._dirty.clear()
        next_at = self.wheel.next_at
        if next_at is not None and next_at < self._armed_at:
            self._armed_at = next_at
            self._alarm.set(next_at)

    def _turn(self) -> None:
        self._armed_at = float("inf")
        now = self.time()
        for action, a, b in self.wheel.due(now):
            action(a, b, now)
        self.flush()

    def _sweep(self, _a: None, _b: None, now: float) -> None:
        for connection in list(self.connections):
            connection.tick(now)
        self.ledger.flush()
        if self.arrivals is not None:
            self.arrivals.flush()
        self.wheel.add(now + SWEEP_S, self._sweep)

    def drop_all(self, _now: float) -> None:
        """Reset every connection."""
        for connection in list(self.connections):
            connection.drop()

    # -- submits

    def submit(self, connection: Connection, pdu: ShortMessagePdu | DataSm, now: float) -> None:
        """One submit_sm or data_sm: decide, enter, answer now or later."""
        plan = self.behaviour.decide(pdu.destination_addr, pdu.registered_delivery, now)
        dest = (pdu.dest_addr_ton, pdu.dest_addr_npi, pdu.destination_addr)
        entry = self.enter(connection, pdu, dest, plan)
        if plan.resp_delay:
            self.wheel.add(now + plan.resp_delay, self.answer, (connection, entry), plan)
        elif plan.resp_delay is not None:
            self.answer((connection, entry), plan, now)

    def enter(
        self, connection: Connection, pdu: ShortMessagePdu | DataSm | SubmitMulti, dest: tuple[int, int, str], plan: Plan
    ) -> Entry:
        """The ledger entry of one destination, counted; its message id is known to query_sm from now on."""
        counters = self.counters
        self._entries += 1
        if self.on_first_submit is not None:
            begin, self.on_first_submit = self.on_first_submit, None
            begin(self.time())
        text = b"" if isinstance(pdu, DataSm) else pdu.short_message
        entry = Entry(
            self._entries,
            connection.number,
            connection.system_id,
            pdu.command_id,
            pdu.sequence,
            pdu.source_addr_ton,
            pdu.source_addr_npi,
            pdu.source_addr,
            *dest,
            pdu.esm_class,
            pdu.data_coding,
            pdu.registered_delivery,
            (text or get(pdu.tlvs, Tag.MESSAGE_PAYLOAD) or b"").hex(),
            get_int(pdu.tlvs, Tag.USER_MESSAGE_REFERENCE) if pdu.tlvs else None,
            connection.read_at,
            connection.session.takes_tlvs,
        )
        counters.submits += 1
        if plan.status:
            entry.fate, entry.status = "refused", plan.status
            counters.refused[status_name(plan.status)] += 1
            counters.throttled += plan.status == Status.RTHROTTLED
        elif plan.resp_delay is None:
            entry.fate, entry.answered = "swallowed", True
            counters.swallowed += 1
            connection.unanswered.discard(pdu.sequence)
        else:
            counters.accepted += 1
            entry.id, entry.receipt_id, entry.stat = plan.message_id, plan.receipt_id, STAT_NAMES[plan.state]
            if plan.wants_receipt:
                entry.receipt = "lost" if plan.loses_receipt else "due"
                counters.receipts_lost += plan.loses_receipt
        if self.arrivals is not None:
            fate = REFUSED if plan.status else SWALLOWED if plan.resp_delay is None else ACCEPTED
            part = part_of(pdu) if pdu.tlvs or pdu.esm_class & UDHI else WHOLE
            self.arrivals.add(dest[2], connection.read_clock, fate, *part)
        self.ledger.add(entry)
        if entry.answered:
            self.ledger.settle(entry)
        return entry

    def answer(self, who: tuple[Connection, Entry], plan: Plan, now: float) -> None:
        """The moment of the response, and of the receipt as far as its timing hangs on it."""
        connection, entry = who
        if entry.fate == "refused":
            connection.respond(entry)
        elif not self._resolve_at_response:
            connection.respond(entry)
            self.resolve_later(entry, plan, now)
        else:
            self.resolve(entry, plan.state, now, connection)
            if self.options.dlr_timing == "same-segment" or not plan.dlr_delay:
                connection.respond(entry)
            else:
                self.wheel.add(now + plan.dlr_delay, self._respond_later, connection, entry)

    def resolve_later(self, entry: Entry, plan: Plan, now: float) -> None:
        """Let the message come to its end after the receipt's delay."""
        if plan.dlr_delay:
            self.wheel.add(now + plan.dlr_delay, self.resolve, entry, plan.state)
        else:
            self.resolve(entry, plan.state, now)

    @staticmethod
    def _respond_later(connection: Connection, entry: Entry, _now: float) -> None:
        connection.respond(entry)

    def resolve(self, entry: Entry, state: MessageState, now: float, prefer: Connection | None = None) -> None:
        """The message has come to its end: send the receipt, on `prefer` if that can take it."""
        if entry.state is not MessageState.ENROUTE:
            return  # cancelled before
        entry.state = state
        if entry.receipt != "due":
            return
        for _ in range(2 if self.options.dlr_timing == "twice" else 1):
            entry.receipt_open += 1
            if prefer is not None and prefer.receives and prefer.has_room:
                self.deliveries.send(prefer, entry, now)
            else:
                self.deliveries.deliver(entry, now)

    # -- sums

    def progress(self) -> dict[str, Any]:
        """The counters so far, and what is open now: binds, submits without their answer, receipts on and before the line."""
        counters = self.counters
        counters.receipts_waiting = self.deliveries.queued
        counters.receipts_unacknowledged = sum(one.unacknowledged for one in self.connections)
        return {
            **counters.as_dict(),
            "bound": self.bound,
            "unanswered": sum(len(one.unanswered) for one in self.connections),
            "violations_total": counters.violations.total(),
        }

    def finish(self) -> None:
        """Close every connection, sum up what is open, write the ledger."""
        self.counters.receipts_unacknowledged = sum(one.unacknowledged for one in self.connections)
        for connection in list(self.connections):
            connection.finish()
        self.counters.receipts_waiting = self.deliveries.waiting
        self._alarm.close()
        self.ledger.close()
        if self.arrivals is not None:
            self.arrivals.close()
