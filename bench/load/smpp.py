"""SMPP connections of the generator: a session of ours (`protocol.session`) on an asyncio transport."""

import asyncio
import re
import time
from functools import cache
from typing import Any, cast

from bench.load.orders import Login, Order
from bench.load.traffic import Group, Traffic, Unit
from bench.measure.book import ACCEPTED
from protocol.events import Answered, BindAnswered, Ended, Unanswered, UnbindWaits, Violation
from protocol.pdu import (
    BindReceiver,
    BindRequest,
    BindTransceiver,
    BindTransmitter,
    DataSm,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    SubmitSm,
)
from protocol.receipt import parse
from protocol.session import Session, Timers
from protocol.states import Role
from protocol.status import status_name
from protocol.tlv import Tlvs

_TIMERS = Timers(session_init_s=None, partial_pdu_s=None, enquire_link_s=None, response_timeout_s=float("inf"))
"""The generator never gives up on an answer; the end of the run does."""
_STANDARD = re.compile(rb"id:(\S+) .*?stat:(\w+)", re.DOTALL)
_ON_THE_WAY = frozenset({b"ACCEPTD", b"ENROUTE"})
UDHI = 0x40
_NUMBER = re.compile(r"\b\d+\b")
"""The sequence numbers of one occurrence make no kind of error."""


class BindRefusedError(Exception):
    """The target answered the bind with an error."""


class SmppLine(asyncio.Protocol):
    """One bind. `kind` says which; a receiver gets no submits."""

    def __init__(self, traffic: Traffic, group: Group, window: int, kind: type[BindRequest]) -> None:
        self.waits = self.dirty = False
        self.traffic = traffic
        self.group = group
        self.session = Session(Role.ESME, time.monotonic(), window=window, timers=_TIMERS)
        self.bound: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.ended: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._kind = kind
        self._transport: asyncio.Transport | None = None

    # -- asyncio's side

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        now = time.monotonic()
        freed = False
        for event in self.session.receive_data(data, now):
            if event.__class__ is Answered:
                freed = True
                self._on_answer(event, now)
            elif event.__class__ is DeliverSm:
                self._on_deliver(event, now)
            elif event.__class__ is DataSm:
                self._on_data(event, now)
            else:
                self._on_other(event)
        if freed:
            self.traffic.free(self.group, self, now)
        self.traffic.touch(self)
        self.traffic.flush()

    def connection_lost(self, exc: Exception | None) -> None:
        self._leave(str(exc) if exc else "closed by the target")

    def _leave(self, why: str) -> None:
        unsent, unknown = self.session.lost(0)
        if unsent or unknown:
            self.traffic.lost(len(unsent) + len(unknown), "connection lost with requests unanswered")
        if not self.bound.done():
            self.bound.set_exception(ConnectionError(why))
        if not self.ended.done():
            self.ended.set_result(why)
        if self._transport is not None:
            self._transport.close()

    # -- what the target says

    def _on_answer(self, event: Answered, now: float) -> None:
        answer = event.answer
        if answer.status:
            name = status_name(answer.status)
            self.traffic.errors[name] += 1
            self.traffic.answered(self.group, event.token, answer.status, b"", now)
        else:
            message_id: str = getattr(answer, "message_id", "")
            self.traffic.answered(self.group, event.token, ACCEPTED, message_id.encode("latin-1"), now)

    def _on_deliver(self, pdu: DeliverSm, now: float) -> None:
        self.session.respond(DeliverSmResp(pdu.sequence))
        found = _STANDARD.match(pdu.short_message)
        if found is not None:
            if found[2] not in _ON_THE_WAY:
                self.traffic.received(found[1], found[2] == b"DELIVRD", now)
            return
        self._on_receipt(pdu.esm_class, pdu.short_message, pdu.tlvs, now)

    def _on_data(self, pdu: DataSm, now: float) -> None:
        """Some carriers give receipts as data_sm: TLVs alone, or with the text as message_payload."""
        self.session.respond(DataSmResp(pdu.sequence))
        self._on_receipt(pdu.esm_class, b"", pdu.tlvs, now)

    def _on_receipt(self, esm_class: int, text: bytes, tlvs: Tlvs, now: float) -> None:
        receipt = parse(esm_class, text, tlvs, trust_text=True)
        if receipt is not None and receipt.id is not None and receipt.final:
            self.traffic.received(receipt.id.encode("latin-1"), receipt.state.name == "DELIVERED", now)

    def _on_other(self, event: Any) -> None:
        if isinstance(event, BindAnswered):
            if event.status:
                who = f"the target refused the bind: {status_name(event.status)} (check --login)"
                self.bound.set_exception(BindRefusedError(who))
            elif not self.bound.done():
                self.bound.set_result(None)
        elif isinstance(event, Violation):
            self.traffic.errors[f"violation: {_NUMBER.sub('N', event.reason)}"] += 1
        elif isinstance(event, Ended):
            self.flush()
            self._leave(event.reason)
        elif isinstance(event, UnbindWaits):
            self.session.answer_unbind()
        elif not isinstance(event, Unanswered):
            self.traffic.errors[f"unexpected {event.__class__.__name__}"] += 1

    # -- what we say

    def bind(self, login: Login) -> None:
        """Ask to be bound; `bound` tells."""
        self.session.bind(self._kind(system_id=login.system_id, password=login.password), time.monotonic())
        self.flush()

    @property
    def room(self) -> bool:
        """Whether one more submit may go out."""
        return self._kind is not BindReceiver and self.session.can_send > 0

    def send(self, unit: Unit, row: int) -> None:
        """One submit_sm."""
        self.session.request(submit(self.traffic.order, unit), row, unit.intended)

    def flush(self) -> None:
        """Write what waits."""
        data = self.session.data_to_send()
        if data and self._transport is not None and not self._transport.is_closing():
            self._transport.write(data)

    def unbind(self) -> None:
        """Say goodbye; `ended` tells."""
        self.session.unbind(time.monotonic())
        self.flush()


def submit(order: Order, unit: Unit) -> SubmitSm:
    """One message, or one part of it."""
    return SubmitSm(
        0,
        0,
        (),
        b"",
        "",
        *_address(order.source),
        1,
        1,
        str(unit.to),
        UDHI if unit.parts > 1 else 0,
        0,
        0,
        "",
        "",
        int(order.receipts),
        0,
        unit.data_coding,
        0,
        unit.data,
    )


@cache
def _address(source: str) -> tuple[int, int, str]:
    """(TON, NPI, address): alphanumeric, international with a plus, or a short code."""
    if not source.lstrip("+").isdigit():
        return 5, 0, source
    return (1, 1, source[1:]) if source.startswith("+") else (0, 1, source)


async def connect(traffic: Traffic, group: Group, kind: type[BindRequest], local: str | None, timeout_s: float) -> SmppLine:
    """A line that is bound. Raises OSError, BindRefusedError or TimeoutError."""
    order = traffic.order
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(timeout_s):
        _, line = await loop.create_connection(
            lambda: SmppLine(traffic, group, order.window, kind),
            order.host,
            order.port,
            local_addr=(local, 0) if local else None,
        )
        line.bind(group.order.login)
        await line.bound
    return line


KINDS: dict[str, tuple[type[BindRequest], ...]] = {"trx": (BindTransceiver,), "tx-rx": (BindTransmitter, BindReceiver)}
"""The binds of one connection of `--bind`."""
