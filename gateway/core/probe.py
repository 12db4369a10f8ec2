"""One bind and one submit through our own session, outside any running gateway: our half of `tensec doctor`."""

from collections.abc import Sequence

import trio

from config.schema import Channel
from gateway.clock import SystemClock
from gateway.core.bind import Bind
from protocol.address import sender as parse_sender
from protocol.errors import ContentError
from protocol.events import Answered, Event
from protocol.pdu import DataSm, DeliverSm, SubmitSm, response_to
from protocol.status import status_name
from protocol.text import encode_text


class _Once:
    """A lane for one message: submits it once bound, and is done with the answer or the first failure."""

    def __init__(self, pdu: SubmitSm) -> None:
        self.bound = False
        self.status: int | None = None
        self.done = trio.Event()
        self._pdu = pdu

    def on_state(self, bind: Bind) -> None:
        if bind.state == "bound" and bind.session is not None and not self.bound:
            self.bound = True
            bind.session.request(self._pdu, "probe", 0.0)
            bind.flush()
        elif bind.state == "down" and bind.last_error:
            self.done.set()

    def on_events(self, bind: Bind, events: list[Event], now: float) -> None:  # noqa: ARG002 - the interface of a bind's owner
        for event in events:
            if isinstance(event, Answered):
                self.status = event.answer.status
                self.done.set()
            elif isinstance(event, DeliverSm | DataSm) and bind.session is not None:
                bind.session.respond(response_to(event))

    def on_lost(self, bind: Bind, unsent: Sequence[object], unknown: Sequence[object], now: float) -> None:  # noqa: ARG002
        self.done.set()


def probe(channel: Channel, to: str, sender: str, text: str, timeout_s: float) -> tuple[bool, bool, str]:
    """(bound, submitted, what went wrong)."""
    try:
        source = parse_sender(sender)
        data_coding, data = encode_text(text)
    except ContentError as error:
        return False, False, str(error)
    pdu = SubmitSm(
        source_addr_ton=source.ton if sender else 0,
        source_addr_npi=source.npi if sender else 0,
        source_addr=source.addr,
        dest_addr_ton=1,
        dest_addr_npi=1,
        destination_addr=to,
        data_coding=data_coding,
        short_message=data,
    )
    return trio.run(_probe, channel, pdu, timeout_s)


async def _probe(channel: Channel, pdu: SubmitSm, timeout_s: float) -> tuple[bool, bool, str]:
    once = _Once(pdu)
    bind = Bind(channel, 0, "trx" if channel.bind == "transceiver" else "tx", once, SystemClock())
    async with trio.open_nursery() as nursery:
        nursery.start_soon(bind.run)
        with trio.move_on_after(timeout_s):
            await once.done.wait()
        bind.leave()
        with trio.move_on_after(1.0):
            while bind.state != "down":  # noqa: ASYNC110 - the end of one short-lived bind
                await trio.sleep(0.02)
        nursery.cancel_scope.cancel()
    if once.status is None:
        return once.bound, False, bind.last_error or f"no answer within {timeout_s:g} s"
    return once.bound, once.status == 0, "" if once.status == 0 else status_name(once.status)
