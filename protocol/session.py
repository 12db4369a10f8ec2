"""One SMPP session without I/O: feed it reads, take events, write what waits, call `tick`.

It frames, keeps the state, answers by itself what needs no decision (enquire_link, unbind, wrong states, unknown commands,
broken PDUs), joins answers with their requests and watches the timers. It decides nothing else: binds, messages and
receipts come out as events, and the owner answers them with `respond`.

    events = session.receive_data(octets, now)     # PDUs of the peer, Answered, Ended, ...
    session.request(pdu, token, now)               # a request of ours; Answered(token) comes back
    socket.send(session.data_to_send())

Times are seconds of one monotonic clock, handed in. Octets are handed out once, in order.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, TypeAlias

import msgspec

from protocol import codec, hot
from protocol.commands import RESPONSE_BIT, UNANSWERED, command_name
from protocol.errors import FramingError, LocalProtocolError, PduError
from protocol.events import Answered, BindAnswered, Ended, Event, Unanswered, UnbindWaits, Violation
from protocol.fast import deliver_sm_oks
from protocol.framing import Framer
from protocol.pdu import (
    BY_COMMAND,
    PDUS,
    BindReceiver,
    BindRequest,
    BindResponse,
    BindTransceiver,
    BindTransmitter,
    DeliverSm,
    DeliverSmResp,
    EnquireLink,
    EnquireLinkResp,
    GenericNack,
    Pdu,
    SubmitSmResp,
    Unbind,
    UnbindResp,
    response_to,
)
from protocol.pending import Pending
from protocol.states import BOUND, BOUND_BY, SENDS_IN, Role, State, may_send
from protocol.status import Status, status_name
from protocol.tlv import Tag, get_int
from protocol.window import Window

_SUBMIT_SM_RESP = int(SubmitSmResp.command_id)
INTERFACE_VERSION = 0x34
NEVER = float("inf")
Owed: TypeAlias = Pdu | int
"""What is kept of a request until it is answered: of a deliver_sm the sequence number is enough."""


def owed(request: Pdu) -> Owed:
    """See Owed."""
    return request.sequence if isinstance(request, DeliverSm) else request


class Timers(msgspec.Struct, frozen=True):
    """Seconds; None switches a timer off (SMPP 3.4 section 7.2)."""

    session_init_s: float | None = 5.0
    partial_pdu_s: float | None = 10.0
    enquire_link_s: float | None = 30.0
    enquire_link_timeout_s: float = 10.0
    inactivity_s: float | None = None
    response_timeout_s: float = 10.0
    unbind_timeout_s: float = 5.0


class _Link:
    """Token of our own enquire_link."""


class _Bind(msgspec.Struct):
    """Token of our own bind."""

    state: State


class _Leave:
    """Token of our own unbind."""


class Session:
    """One end of one connection. `role` is ours; `window` bounds our own requests in flight."""

    def __init__(
        self,
        role: Role,
        now: float,
        *,
        window: int = 10,
        timers: Timers | None = None,
        pdu_size_max: int = codec.PDU_SIZE_MAX,
        first_sequence: int = 1,
    ) -> None:
        self.role = role
        self.timers = timers or Timers()
        self.state = State.OPEN
        self.window = Window(window, first=first_sequence)
        self.peer_version = INTERFACE_VERSION
        self.unanswered = 0
        """Requests of the peer that came out as events and were not responded to yet."""
        self.queued_octets = 0
        """All octets ever appended for the peer: the stream offset `lost` is told."""
        self._peer = Role.SMSC if role is Role.ESME else Role.ESME
        self._sends_in = SENDS_IN[role]
        self._peer_sends_in = _SENDS_IN[self._peer]
        self._framer = Framer(pdu_size_max)
        self._out = bytearray()
        self._opened_at = self._heard_at = now
        self._partial_at: float | None = None
        self._enquired_at: float | None = None
        self._unbind_at: float | None = None
        self._binding = False
        self._owed_unbind: int | None = None
        self._lingering = False
        self.finished = False
        """The peer's unbind waited for answers, ours or its own, and now all is said: write what waits, then close."""

    # -- what comes in

    def receive_data(self, data: bytes, now: float) -> list[Event]:
        """The events of one read. Requests of the peer are the PDUs themselves, in order."""
        if self.state is State.CLOSED:
            return []
        self._heard_at = now
        events: list[Event] = []
        items: Sequence[Any] = self._framer.feed(data)
        for item in items:
            kind = type(item)
            if kind in _REQUEST_OF:
                self._on_response(item, events)
            elif kind in _REQUESTS:
                self._on_request(item, events)
            else:
                _HANDLERS[kind](self, item, events)
        if not self._framer.partial:
            self._partial_at = None
        elif items or self._partial_at is None:
            self._partial_at = now
        return events

    def receive_eof(self) -> list[Event]:
        """The peer closed its side."""
        if self.state is State.CLOSED:
            return []
        clean = self.state is State.UNBOUND or self._unbind_at is not None
        reason = "closed by the peer inside a PDU" if self._framer.partial else "closed by the peer"
        self.state = State.CLOSED
        return [Ended(reason, clean)]

    def _on_request(self, pdu: Pdu, events: list[Event]) -> None:
        kind = type(pdu)
        if self.state not in self._peer_sends_in[kind] and not self._out_of_place(pdu):
            self._refuse(pdu, Status.RINVBNDSTS, events)
            return
        if kind not in _UNANSWERED:
            self.unanswered += 1
        events.append(pdu)

    def _out_of_place(self, pdu: Pdu) -> bool:
        """Whether to take what real carriers deliver before their bind response is out, and behind their unbind: it is as
        good as at any other time, and would only come again.
        """
        between = self._binding or self.state is State.UNBOUND
        return self.role is Role.ESME and between and may_send(self._peer, pdu.command_id, State.BOUND_TRX)

    def _refuse(self, pdu: Pdu, status: Status, events: list[Event]) -> None:
        events.append(Violation(f"{command_name(pdu.command_id)} in state {self.state.value}"))
        if pdu.command_id not in UNANSWERED:
            self._append(response_to(pdu, status))

    def _on_bind(self, pdu: Pdu, events: list[Event]) -> None:
        if self.state in BOUND or (self.role is Role.SMSC and self._binding):
            self._refuse(pdu, Status.RALYBND, events)
        elif not may_send(self._peer, pdu.command_id, self.state):
            self._refuse(pdu, Status.RINVBNDSTS, events)
        else:
            self._binding = True
            events.append(pdu)

    def _on_enquire_link(self, pdu: Pdu, _events: list[Event]) -> None:
        self._append(EnquireLinkResp(pdu.sequence))

    def _on_unbind(self, pdu: Pdu, events: list[Event]) -> None:
        if self.state not in BOUND:
            self._refuse(pdu, Status.RINVBNDSTS, events)
            return
        self.state = State.UNBOUND
        if self.unanswered:
            # What it asked before must be answered first: many peers close as soon as they see the unbind_resp.
            self._owed_unbind = pdu.sequence
        else:
            self._append(UnbindResp(pdu.sequence))
        if self.unanswered or len(self.window):
            self._lingering = True
            self._unbind_at = self._heard_at
            events.append(UnbindWaits())
        else:
            events.append(Ended("unbind by the peer", clean=True))

    def _on_response(self, pdu: Pdu, events: list[Event]) -> None:
        found = self.window.answer(pdu.sequence, _REQUEST_OF[type(pdu)])
        if found is None:
            what = f"{command_name(pdu.command_id)} {status_name(pdu.status)}"
            events.append(Violation(f"{what} for sequence {pdu.sequence}, which nobody waits for"))
            return
        pending, late = found
        token = pending.token
        if type(token) in _OWN_TOKENS:
            self._on_own_answer(pending, pdu, events)
        else:
            events.append(Answered(token, pdu, pending.at, late))
        if self._lingering:
            self._check_finished()

    def _on_own_answer(self, pending: Pending, pdu: Pdu, events: list[Event]) -> None:
        token = pending.token
        if isinstance(token, _Bind):
            self._binding = False
            status = pdu.status if isinstance(pdu, BindResponse) else pdu.status or Status.RINVCMDID
            if status == 0:
                self.state = token.state
            name = pdu.system_id if isinstance(pdu, BindResponse) else ""
            events.append(BindAnswered(status, name, get_int(pdu.tlvs, Tag.SC_INTERFACE_VERSION) is not None))
        elif isinstance(token, _Leave):
            if self.state is not State.UNBOUND:  # both ends may have asked at once
                self.state = State.UNBOUND
                events.append(Ended("unbound", clean=True))
        else:
            # The answer to an enquire_link sent later proves that requests before it were dropped, not delayed in the stream.
            self._enquired_at = None
            self.window.release_overdue(pending.end)

    def _on_lost_frame(self, error: FramingError, events: list[Event]) -> None:
        self._append(GenericNack(error.sequence, error.status))
        self.state = State.CLOSED
        events += [Violation(error.reason, fatal=True), Ended(error.reason)]

    def _on_wrong(self, error: PduError, events: list[Event]) -> None:
        events.append(Violation(error.reason))
        if error.command_id & RESPONSE_BIT or error.command_id in UNANSWERED:
            return  # a response is never answered: two ends would answer each other for ever
        cls = BY_COMMAND.get(error.command_id)
        if cls is None:
            self._append(GenericNack(error.sequence, error.status))
        else:
            allowed = may_send(self._peer, error.command_id, self.state)
            self._append(response_to(cls(error.sequence), error.status if allowed else Status.RINVBNDSTS))

    # -- what goes out

    def _append(self, pdu: Pdu) -> None:
        before = len(self._out)
        codec.encode(pdu, self._out)
        self.queued_octets += len(self._out) - before

    def _append_octets(self, octets: bytes) -> None:
        self._out += octets
        self.queued_octets += len(octets)

    def data_to_send(self) -> bytes:
        """Octets for the peer, handed out once."""
        data = bytes(self._out)
        self._out.clear()
        return data

    def request(self, pdu: Pdu, token: Any, now: float) -> int:
        """Send a request; its answer comes back as Answered with `token`. Gives the sequence number.

        Raises LocalProtocolError in a wrong state or for a PDU that cannot be encoded, WindowFullError without a free slot.
        """
        if failed := self.request_all((pdu,), (token,), now):
            raise failed[0][1]
        return pdu.sequence

    def request_all(self, pdus: Sequence[Pdu], tokens: Sequence[Any], now: float) -> list[tuple[Any, LocalProtocolError]]:
        """The same for several of one kind, one at least: all, or with too few free slots none. Gives the tokens of those that
        cannot be encoded, and why; the others are sent.
        """
        command_id = pdus[0].command_id
        if self.state not in self._sends_in[command_id] or self._unbind_at is not None:
            raise LocalProtocolError(f"{command_name(command_id)} in state {self.state.value}")
        out, encode = self._out, codec.encode
        start = len(out)
        base = self.queued_octets - start
        sent: list[tuple[int, Any, int]] = []
        failed: list[tuple[Any, LocalProtocolError]] = []
        for pdu, sequence, token in zip(pdus, self.window.take_sequences(len(pdus)), tokens, strict=True):
            pdu.sequence = sequence
            try:
                encode(pdu, out)
            except LocalProtocolError as error:
                failed.append((token, error))
                continue
            sent.append((sequence, token, base + len(out)))
        if command_id not in UNANSWERED:
            try:
                self.window.open(command_id, sent, now)
            except LocalProtocolError:
                del out[start:]
                raise
        self.queued_octets = base + len(out)
        return failed

    def _send_own(self, pdu: Pdu, token: Any, now: float) -> None:
        """A request of the session's own; it takes no window slot of the owner's."""
        pdu.sequence = self.window.take_sequence()
        self._append(pdu)
        self.window.open_own(pdu.sequence, pdu.command_id, token, now, self.queued_octets)

    def bind(self, pdu: BindRequest, now: float) -> None:
        """Ask to be bound; BindAnswered comes back."""
        if self.role is not Role.ESME or self.state is not State.OPEN or self._binding:
            raise LocalProtocolError(f"bind in state {self.state.value}")
        self._send_own(pdu, _Bind(BOUND_BY[pdu.command_id]), now)
        self._binding = True

    def accept_bind(self, request: Pdu, system_id: str, now: float) -> None:
        """Answer a bind request with OK, naming ourselves `system_id`. Nothing when the session has ended meanwhile."""
        assert isinstance(request, BindRequest)
        if self.state is not State.OPEN:
            return
        self.peer_version = request.interface_version
        tlvs = ((Tag.SC_INTERFACE_VERSION, bytes((INTERFACE_VERSION,))),) if self.takes_tlvs else ()
        cls = BY_COMMAND[request.command_id | RESPONSE_BIT]
        self._append(cls(request.sequence, 0, tlvs, b"", system_id))  # type: ignore[call-arg]
        self.state = BOUND_BY[request.command_id]
        self._binding = False
        self._opened_at = now

    def refuse_bind(self, request: Pdu, status: int) -> None:
        """Answer a bind request with an error; the session stays open, the owner usually closes."""
        self._append(response_to(request, status))
        self._binding = False

    @property
    def takes_tlvs(self) -> bool:
        """Whether the peer speaks 3.4; a 3.3 peer gets no TLVs and ids of at most 8 characters."""
        return self.peer_version >= 0x34

    def respond(self, response: Pdu) -> None:
        """Answer a request that came out as an event."""
        self._append(response)
        self._responded()

    def respond_submit(self, sequence: int, status: int, message_id: str) -> None:
        """`respond` for submit_sm, the hot one."""
        octets = None if status else hot.ok_with_id(_SUBMIT_SM_RESP, sequence, message_id)
        if octets is None:
            self._append(SubmitSmResp(sequence, status, (), b"", message_id))
        else:
            self._append_octets(octets)
        self._responded()

    def respond_all(self, requests: Sequence[Owed], status: int) -> None:
        """`respond` to each with the empty response; receipts are acknowledged by the hundred."""
        if status == 0 and {type(one) for one in requests} == {int}:
            self._append_octets(deliver_sm_oks(requests))  # type: ignore[arg-type]
        else:
            for one in requests:
                self._append(DeliverSmResp(one, status) if isinstance(one, int) else response_to(one, status))
        self._responded(len(requests))

    def _responded(self, count: int = 1) -> None:
        self.unanswered -= count
        if self.unanswered == 0:
            self.answer_unbind()

    def answer_unbind(self) -> None:
        """Answer an unbind of the peer that waits, with or without the answers it waits for."""
        if self._owed_unbind is not None:
            self._append(UnbindResp(self._owed_unbind))
            self._owed_unbind = None
            self._check_finished()

    def _check_finished(self) -> None:
        if self._lingering and self._owed_unbind is None and not len(self.window):
            self.finished = True

    def unbind(self, now: float) -> None:
        """Stop sending requests; Ended comes when the peer agrees, closes, or does not answer."""
        if self.state in BOUND and self._unbind_at is None:
            self._send_own(Unbind(), _Leave(), now)
            self._unbind_at = now

    @property
    def can_send(self) -> int:
        """How many more requests may be sent now; 0 while not bound or on the way out."""
        return self.window.free if self.state in BOUND and self._unbind_at is None else 0

    def lost(self, written: int) -> tuple[list[Any], list[Any]]:
        """The connection is gone and the peer can have at most `written` octets of our stream.

        Gives (tokens provably not sent, tokens whose outcome is unknown). A PDU of which only a part left counts as not
        sent: no peer can act on half a PDU.
        """
        self.state = State.CLOSED
        return self.window.give_back(written)

    # -- time

    def tick(self, now: float) -> list[Event]:
        """What time alone brings about: timeouts, and an enquire_link of ours when the line was silent."""
        if self.state is State.CLOSED:
            return []
        # First, for with an answer overdue nothing but that to an enquire_link proves the link: it may be over at once.
        tokens = [pending.token for pending in self.window.overdue(now, self.timers.response_timeout_s)]
        events: list[Event] = [Unanswered(tokens)] if tokens else []
        for when, reason in self._endings():
            if now >= when:
                self.state = State.CLOSED
                return [*events, Ended(reason)]
        self.window.forget_late(now)
        if now >= self._enquire_due():
            self._send_own(EnquireLink(), _Link(), now)
            self._enquired_at = now
        return events

    def _endings(self) -> Iterator[tuple[float, str]]:
        """What would end the session, and when."""
        timers = self.timers
        checking = self._binding and self.role is Role.SMSC  # the bind has come; deciding about it is the owner's time
        if self.state is State.OPEN and timers.session_init_s is not None and not checking:
            yield self._opened_at + timers.session_init_s, f"no bind within {timers.session_init_s:g} s"
        if self._partial_at is not None and timers.partial_pdu_s is not None:
            yield self._partial_at + timers.partial_pdu_s, f"an unfinished PDU for {timers.partial_pdu_s:g} s"
        if self._unbind_at is not None and (self.state in BOUND or (self._lingering and not self.finished)):
            yield self._unbind_at + timers.unbind_timeout_s, "the unbind was not completed in time"
        if self.state not in BOUND:
            return
        if self._enquired_at is not None:
            # Any PDU proves the link (section 4.11), except when we wait for what only the answer can prove.
            since = self._enquired_at if self.window.has_overdue else max(self._enquired_at, self._heard_at)
            yield since + timers.enquire_link_timeout_s, f"no answer to enquire_link within {timers.enquire_link_timeout_s:g} s"
        if timers.inactivity_s is not None:
            yield self._heard_at + timers.inactivity_s, f"silent for {timers.inactivity_s:g} s"

    def _enquire_due(self) -> float:
        if self.state not in BOUND or self._enquired_at is not None or self._unbind_at is not None:
            return NEVER
        if self.window.has_overdue:
            return self._heard_at  # at once
        every = self.timers.enquire_link_s
        return NEVER if every is None else self._heard_at + every

    def next_deadline(self) -> float:
        """When `tick` has something to do at the earliest (same clock); infinity when never."""
        if self.state is State.CLOSED:
            return NEVER
        oldest = self.window.oldest()
        response = NEVER if oldest is None else oldest + self.timers.response_timeout_s
        return min(response, self._enquire_due(), min((when for when, _ in self._endings()), default=NEVER))


_OWN_TOKENS = frozenset({_Link, _Bind, _Leave})
_HANDLERS: dict[type, Callable[[Session, Any, list[Event]], None]] = {
    **dict.fromkeys((BindReceiver, BindTransmitter, BindTransceiver), Session._on_bind),
    EnquireLink: Session._on_enquire_link,
    Unbind: Session._on_unbind,
    PduError: Session._on_wrong,
    FramingError: Session._on_lost_frame,
}
"""What is done with what is neither a response nor a request for the owner."""
# By class, for asking a PDU for its command_id takes as long as all the rest.
_REQUEST_OF: dict[type, int | None] = {
    pdu: pdu.command_id ^ RESPONSE_BIT or None for pdu in PDUS if pdu.command_id & RESPONSE_BIT
}
"""The command_id a response answers; None for generic_nack, which may answer any (section 4.3)."""
_REQUESTS = frozenset(PDUS) - _REQUEST_OF.keys() - _HANDLERS.keys()
_UNANSWERED = frozenset(pdu for pdu in PDUS if pdu.command_id in UNANSWERED)
_SENDS_IN: dict[Role, dict[type, frozenset[State]]] = {
    role: {pdu: SENDS_IN[role][pdu.command_id] for pdu in PDUS if pdu not in _REQUEST_OF} for role in Role
}
"""States in which an end may send a request."""
