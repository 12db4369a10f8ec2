"""Receipts and mobile-originated messages as deliver_sm."""

import time
from functools import lru_cache

import msgspec

from bench.carrier.ledger import Entry
from bench.carrier.options import Options
from protocol.pdu import DeliverSm
from protocol.receipt import MessageState
from protocol.text import encode_text
from protocol.tlv import Tag, Tlvs

_RECEIPT = 0x04
_ERRORS = {MessageState.DELIVERED: 0, MessageState.ACCEPTED: 0, MessageState.ENROUTE: 0, MessageState.EXPIRED: 27}
_TEXT_CODINGS = (0, 1, 3)


class Mo(msgspec.Struct, gc=False):
    """A mobile-originated message on its way."""

    system_id: str
    source: str
    destination: str
    text: str


class Stamps:
    """`YYMMDDhhmm` in UTC; the last minutes are kept, for formatting a date costs more than all the rest of a receipt."""

    def __init__(self) -> None:
        self._known: dict[int, str] = {}

    def __call__(self, utc: float) -> str:
        minute = int(utc // 60)
        found = self._known.get(minute)
        if found is None:
            if len(self._known) > 1000:
                self._known.clear()
            found = self._known[minute] = time.strftime("%y%m%d%H%M", time.gmtime(minute * 60))
        return found


@lru_cache(maxsize=4096)
def _behind_id(submitted: str, done: str, state: MessageState, stat: str) -> str:
    """What the receipts of one minute share."""
    delivered = 1 if state is MessageState.DELIVERED else 0
    dates = f"submit date:{submitted} done date:{done}"
    return f" sub:001 dlvrd:{delivered:03d} {dates} stat:{stat} err:{_ERRORS.get(state, 1):03d} text:"


class Writer:
    """Receipts in the form the options ask for."""

    def __init__(self, options: Options) -> None:
        self._text = options.dlr in ("text", "both")
        self._tlvs = options.dlr in ("tlv", "both")
        self._stamp = Stamps()

    def receipt(self, entry: Entry, utc: float) -> DeliverSm:
        """The receipt of `entry`, sent at `utc`: the addresses change places (SMPP 3.4 Appendix B)."""
        text = self._line(entry, utc) if self._text else b""
        tlvs = self._tlv(entry) if self._tlvs and entry.tlvs else ()
        return DeliverSm(
            0,
            0,
            tlvs,
            b"",
            "",
            entry.dest_ton,
            entry.dest_npi,
            entry.destination,
            entry.source_ton,
            entry.source_npi,
            entry.source,
            _RECEIPT,
            short_message=text,
        )

    def _line(self, entry: Entry, utc: float) -> bytes:
        state = entry.state
        line = f"id:{entry.receipt_id}{_behind_id(self._stamp(entry.received), self._stamp(utc), state, entry.stat)}".encode()
        if entry.data_coding in _TEXT_CODINGS and not entry.esm_class & 0x40:
            line += bytes.fromhex(entry.octets[:40])
        return line

    @staticmethod
    def _tlv(entry: Entry) -> Tlvs:
        tlvs = ((0x001E, entry.receipt_id.encode() + b"\0"), (0x0427, bytes((entry.state,))))
        if entry.reference is None:
            return tlvs
        return (*tlvs, (0x0204, entry.reference.to_bytes(2, "big")))


def mobile_originated(mo: Mo) -> DeliverSm:
    """A subscriber's message; more than 140 octets travel in message_payload."""
    data_coding, octets = encode_text(mo.text)
    long = len(octets) > 140
    return DeliverSm(
        tlvs=((int(Tag.MESSAGE_PAYLOAD), octets),) if long else (),
        source_addr_ton=1,
        source_addr_npi=1,
        source_addr=mo.source,
        dest_addr_npi=1,
        destination_addr=mo.destination,
        data_coding=data_coding,
        short_message=b"" if long else octets,
    )
