"""What carriers deliver: receipts as outcomes for the store; what subscribers write goes to the inbox."""

from collections.abc import Callable, Iterable

from config.schema import Channel
from gateway.clock import Clock
from gateway.core.inbox import Heard
from gateway.core.report import Acknowledger
from gateway.store.base import CarrierReceipt, Outcome
from protocol import receipt
from protocol.ids import canonical_id
from protocol.pdu import DataSm, DeliverSm
from protocol.session import Owed, owed
from protocol.tlv import Tag, get_int

_DELIVERED = receipt.MessageState.DELIVERED
_USER_MESSAGE_REFERENCE = int(Tag.USER_MESSAGE_REFERENCE)


def bare_error(err: str) -> str:
    """Carriers write 27, 027 and 0027."""
    return err.strip().lstrip("0").upper()


class Incoming:
    """Reads deliver_sm and data_sm of one channel, by its rules. `take` gets what subscribers wrote."""

    def __init__(self, channel: Channel, clock: Clock, take: Callable[[Heard], None]) -> None:
        self._channel = channel
        self._temporary = frozenset(map(bare_error, channel.temporary_errors))
        self._clock = clock
        self._take = take

    def read(
        self, pdus: Iterable[DeliverSm | DataSm], now: float, source: Acknowledger | None = None
    ) -> tuple[list[Outcome], list[Owed]]:
        """The outcome of each receipt, and what to acknowledge with them. `source`: where the others are acknowledged."""
        utc = self._clock.utc()
        name, rule, trust_text = self._channel.name, self._channel.receipt_id, self._channel.receipt_trust_text
        outcomes: list[Outcome] = []
        receipts: list[Owed] = []
        written: list[DeliverSm | DataSm] = []
        for pdu in pdus:
            text = pdu.short_message if isinstance(pdu, DeliverSm) else b""
            found = receipt.parse(pdu.esm_class, text, pdu.tlvs, trust_text=trust_text)
            if found is None:
                written.append(pdu)
                continue
            receipts.append(owed(pdu))
            err = found.err or ""
            outcomes.append(
                CarrierReceipt(
                    name,
                    tuple([canonical_id(one, rule) for one in found.candidates]),
                    found.state,
                    now,
                    utc,
                    found.raw_stat or "",
                    err,
                    pdu.destination_addr,  # a receipt's addresses are the message's, swapped
                    pdu.source_addr,
                    get_int(pdu.tlvs, _USER_MESSAGE_REFERENCE),
                    found.state is not _DELIVERED and bare_error(err) in self._temporary,
                )
            )
        if written:
            self._take(Heard(name, written, source))
        return outcomes, receipts
