"""One connection of a client: the session's events, and what is said to it.

Nothing is written here but in `write`, once per batch. A submit counts as answered when its response was written, so a client
that keeps its window is never accused.
"""

import asyncio
import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from bench.carrier.binds import on_bind
from bench.carrier.ledger import Entry
from bench.carrier.line import Line
from bench.carrier.options import Options
from bench.carrier.requests import cancel_sm, query_sm, replace_sm, submit_multi
from bench.carrier.rules import content_faults, header_faults
from protocol.commands import Command
from protocol.events import Answered, Ended, UnbindWaits, Violation
from protocol.pdu import (
    BindReceiver,
    BindTransceiver,
    BindTransmitter,
    CancelSm,
    DataSm,
    DataSmResp,
    DeliverSm,
    Pdu,
    QuerySm,
    ReplaceSm,
    SubmitMulti,
    SubmitSm,
)
from protocol.session import Session, Timers
from protocol.states import Role, State

if TYPE_CHECKING:
    from bench.carrier.deliveries import Account
    from bench.carrier.smsc import Smsc

_RECEIVING = frozenset({State.BOUND_RX, State.BOUND_TRX})
_NUMBER = re.compile(r"\b\d+\b")
NEVER = float("inf")


class Connection(Line):
    """One client."""

    def __init__(self, smsc: "Smsc", number: int) -> None:
        super().__init__()
        self.smsc = smsc
        self.number = number
        self.system_id = ""
        self.dirty = False
        self.receives = False
        self.read_at = 0.0
        """UTC of the last read."""
        self.read_clock = 0.0
        """The same moment by `time.monotonic()`: the loop's own clock may be a millisecond old."""
        self.unanswered: set[int] = set()
        """Sequence numbers of submits whose response was not written yet."""
        self.unacknowledged = 0
        self._account: Account | None = None
        self._submits = 0
        self._breaks = (0, 0, 0)
        self._answers: list[Entry] = []
        self._held: list[Any] = []
        self.session = Session(Role.SMSC, smsc.time())
        self.become(smsc.options)

    def become(self, options: Options) -> None:
        """Take over what of `options` concerns a single connection; submits are counted anew for the switches that count."""
        self.session.timers = Timers(
            session_init_s=10.0,
            partial_pdu_s=None,
            enquire_link_s=options.enquire_link_s or None,
            response_timeout_s=NEVER,  # an unacknowledged receipt is repeated on the next bind, not forgotten
        )
        self.session.window.size = options.dlr_window
        self._window = options.window
        breaks = (options.drop_after, options.unbind_after, options.silent_after)
        if breaks != self._breaks:
            self._breaks = breaks
            self._submits = 0
        self._counts = any(breaks)
        self._drain(self.smsc.time())

    # -- asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self.smsc.connections.add(self)
        if self.smsc.silent:
            self.fall_silent()

    def data_received(self, data: bytes) -> None:
        now = self.smsc.time()
        self.read_at = time.time()
        self.read_clock = time.monotonic()
        self._handle(self.session.receive_data(data, now), now)
        self.smsc.touch(self)
        self.smsc.flush()

    def connection_lost(self, _exc: Exception | None) -> None:
        if not self.gone:
            self._leave(blame=True)
            self.smsc.flush()

    def room_again(self) -> None:
        self._drain(self.smsc.time())
        self.smsc.flush()

    # -- what the client says

    def _handle(self, events: list[Any], now: float) -> None:
        for at, event in enumerate(events):
            if self.silent:
                self._held += events[at:]
                break
            if self.gone:
                break
            _HANDLERS[event.__class__](self, event, now)
        self.smsc.counters.max_outstanding = max(self.smsc.counters.max_outstanding, len(self.unanswered))

    def violation(self, kind: str) -> None:
        """The client did something wrong."""
        self.smsc.counters.violations[kind] += 1

    def _on_violation(self, event: Violation, _now: float) -> None:
        # The numbers of one occurrence make no kind.
        kind = event.reason.split(", which nobody waits for")[0].split(" for sequence ")[0]
        self.violation(_NUMBER.sub("N", kind))

    def _on_ended(self, event: Ended, _now: float) -> None:
        if event.reason == "unbind by the peer":
            self.smsc.counters.unbinds += 1
        self.write()
        self.transport.close()
        self._leave(blame=event.clean)

    def _on_unbind_waits(self, _event: UnbindWaits, _now: float) -> None:
        """A carrier lets go at once: answers that are not out yet die with the line."""
        self.smsc.counters.unbinds += 1
        self.session.answer_unbind()
        self.write()
        self.transport.close()
        self._leave(blame=True)

    def bound_as(self, system_id: str, now: float) -> None:
        """The bind was accepted: receipts of that account may come here."""
        self.system_id = system_id
        self._account = self.smsc.deliveries.account(system_id)
        if self.session.state in _RECEIVING:
            self.receives = True
            self._account.receivers.append(self)
            self._drain(now)

    def hang_up(self) -> None:
        """Write what waits and close."""
        self.write()
        self.transport.close()
        self._leave(blame=False)

    def _begin(self, pdu: SubmitSm | DataSm | SubmitMulti) -> None:
        """Rules for the next submit."""
        faults = content_faults(pdu)
        if not 0 < pdu.sequence <= 0x7FFFFFFF or pdu.status:
            faults = [*faults, *header_faults(pdu)]
        unanswered = self.unanswered
        if pdu.sequence in unanswered:
            faults = [*faults, "sequence reused while unanswered"]
        unanswered.add(pdu.sequence)
        if self._window and len(unanswered) > self._window:
            faults = [*faults, "window exceeded"]
        for fault in faults:
            self.violation(fault)
        if self._counts:
            self._submits += 1
            if self._submits == self._breaks[0]:
                self.write()  # the answers before it leave, its own does not

    def _end(self, now: float) -> None:
        """Breaks the line behind the submit that was told to be the last."""
        drop_after, unbind_after, silent_after = self._breaks
        if self._submits == drop_after:
            self.drop()
        elif self._submits == unbind_after:
            self.session.unbind(now)
        elif self._submits == silent_after:
            self.fall_silent()
            if self.smsc.options.silent_for_s:
                self.smsc.wheel.add(now + self.smsc.options.silent_for_s, self._wake_alone)

    def _on_submit(self, pdu: SubmitSm | DataSm, now: float) -> None:
        self._begin(pdu)
        self.smsc.submit(self, pdu, now)
        if self._counts:
            self._end(now)

    def _on_submit_multi(self, pdu: SubmitMulti, now: float) -> None:
        self._begin(pdu)
        submit_multi(self, pdu, now)
        if self._counts:
            self._end(now)

    def _on_answered(self, event: Answered, now: float) -> None:
        self.unacknowledged -= 1
        self.smsc.deliveries.acknowledged(event.token, event.answer, now)
        if self._account is not None and self._account.waiting:
            self._drain(now)

    # -- what we say

    @property
    def has_room(self) -> bool:
        """Whether one more deliver_sm may go out."""
        return not (self.silent or self.gone or self.congested) and self.session.can_send > 0

    def request(self, pdu: DeliverSm, delivery: Any, now: float) -> None:
        """Send a deliver_sm; there must be room."""
        self.session.request(pdu, delivery, now)
        self.unacknowledged += 1
        self.smsc.touch(self)

    def respond(self, entry: Entry) -> None:
        """Answer the submit of `entry`, if the line is still there."""
        if entry.command == Command.SUBMIT_SM and not self.gone:
            self.session.respond_submit(entry.sequence, entry.status, entry.id)
            self._answers.append(entry)
            self.smsc.touch(self)
        else:
            self.respond_with(DataSmResp(entry.sequence, entry.status, message_id=entry.id), [entry])

    def respond_with(self, response: Pdu, entries: list[Entry]) -> None:
        """Answer the submit of `entries` with `response`, if the line is still there."""
        if self.gone:
            self._lose(entries)
            return
        self.session.respond(response)
        self._answers += entries
        self.smsc.touch(self)

    def write(self) -> None:
        """Hand out what waits; a silent line keeps it."""
        if self.silent or self.gone:
            return
        data = self.session.data_to_send()
        if data:
            self.transport.write(data)
        answers = self._answers
        if answers:
            utc = time.time()
            for entry in answers:
                entry.responded = utc
                entry.answered = True
            ledger = self.smsc.ledger
            if ledger.written:
                for entry in answers:
                    ledger.settle(entry)
            self.unanswered.difference_update([entry.sequence for entry in answers])
            self.smsc.counters.responses += len(answers)
            answers.clear()

    def _drain(self, now: float) -> None:
        if self._account is not None:
            self.smsc.deliveries.drain(self._account, now)

    # -- time and broken lines

    def tick(self, now: float) -> None:
        """Timers of the session; a silent line is only looked at."""
        if self.silent:
            if self.peer_ended():
                self.transport.abort()
                self._leave(blame=False)
        elif now >= self.session.next_deadline():
            self._handle(self.session.tick(now), now)
            self.smsc.touch(self)

    def fall_silent(self) -> None:
        """What was said is written; from now on nothing is read or written."""
        if not self.silent:
            self.write()
            self.silence()
            self.smsc.counters.silences += 1

    def wake(self, now: float) -> None:
        """Go on as if there had been no silence."""
        if self.silent:
            self.end_silence()
            held, self._held = self._held, []
            self._handle(held, now)
            self._drain(now)
            self.smsc.touch(self)

    def _wake_alone(self, _a: None, _b: None, now: float) -> None:
        if not self.smsc.silent:
            self.wake(now)

    def drop(self) -> None:
        """Reset the connection."""
        self.smsc.counters.drops += 1
        self.reset()
        self._leave(blame=False)

    def finish(self) -> None:
        """The carrier ends."""
        self.write()
        self.gone = True
        self.transport.close()

    def _leave(self, blame: bool) -> None:
        """The line is gone: its unacknowledged receipts go to another bind; `blame` the client for them."""
        self.gone = True
        smsc = self.smsc
        smsc.connections.discard(self)
        if self._account is not None:
            smsc.bound -= 1
            if self.receives:
                self._account.receivers.remove(self)
        self._lose(self._answers)
        unsent, unknown = self.session.lost(0)
        now, utc = smsc.time(), time.time()
        for delivery in (*unsent, *unknown):
            if blame and utc - getattr(delivery, "receipt_at", utc) >= smsc.options.ack_grace_s:
                self.violation("receipt unacknowledged at close")
            smsc.deliveries.deliver(delivery, now)

    def _lose(self, entries: list[Entry]) -> None:
        self.smsc.counters.responses_lost += len(entries)
        for entry in entries:
            entry.answered = True
            self.smsc.ledger.settle(entry)


_HANDLERS: dict[type, Callable[[Connection, Any, float], None]] = {
    SubmitSm: Connection._on_submit,
    Answered: Connection._on_answered,
    DataSm: Connection._on_submit,
    SubmitMulti: Connection._on_submit_multi,
    BindReceiver: on_bind,
    BindTransmitter: on_bind,
    BindTransceiver: on_bind,
    QuerySm: query_sm,
    CancelSm: cancel_sm,
    ReplaceSm: replace_sm,
    Violation: Connection._on_violation,
    Ended: Connection._on_ended,
    UnbindWaits: Connection._on_unbind_waits,
}
