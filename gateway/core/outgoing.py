"""A message as the submit_sm PDUs one carrier wants: cut by its rule, numbered, with our reference."""

from collections import OrderedDict
from zlib import crc32

from config.schema import Channel
from gateway.core.part import Part
from protocol import udh
from protocol.pdu import SubmitSm
from protocol.segment import split_octets
from protocol.times import relative
from protocol.tlv import Tag, Tlvs
from routing.records import AttemptKey, Message

_USER_MESSAGE_REFERENCE = int(Tag.USER_MESSAGE_REFERENCE)
REFERENCES_MAX = 10_000
ALWAYS_RECEIPT = 1


class Encoder:
    """Cuts and builds for one channel. References count up per (source, destination), from a seed."""

    def __init__(self, channel: Channel, seed: int) -> None:
        self._channel = channel
        self._payload = channel.long_messages == "payload"
        self._send_tlvs = channel.send_tlvs
        self._send_validity = channel.send_validity
        self._bits = 16 if channel.long_messages in ("udh16", "sar") else 8
        self._seed = seed
        self._references: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._user_reference = seed & 0xFFFF

    def parts(self, message: Message) -> list[Part]:
        """The parts of the next attempt of `message`. Raises ContentError when it would need more than 255."""
        number = message.tries + 1
        content = message.content
        if content.parts == 1 or content.esm_class & udh.UDHI or self._payload:
            return [Part(message, AttemptKey(message.id, number, 1), 1, 1, content.data, 0, self._next_user_reference())]
        cut = split_octets(content.data, content.data_coding, 16 if self._channel.long_messages == "udh16" else 8)
        reference = self._reference(message) if len(cut) > 1 else 0
        return [
            Part(message, AttemptKey(message.id, number, at), at, len(cut), data, reference, self._next_user_reference())
            for at, data in enumerate(cut, 1)
        ]

    def _reference(self, message: Message) -> int:
        place = (message.source, message.destination)
        reference = (self._references.pop(place, self._seed) + 1) & (0xFFFF if self._bits == 16 else 0xFF)
        self._references[place] = reference
        if len(self._references) > REFERENCES_MAX:
            self._references.popitem(last=False)
        return reference

    def _next_user_reference(self) -> int:
        self._user_reference = (self._user_reference + 1) & 0xFFFF
        return self._user_reference

    def pdu(self, part: Part, utc: float) -> SubmitSm:
        """The submit_sm of `part`, validity as it is left at `utc`."""
        message = part.message
        content = message.content
        data, esm_class = part.data, content.esm_class
        tlvs: Tlvs = ()
        if self._send_tlvs:
            tlvs = (*content.tlvs, (_USER_MESSAGE_REFERENCE, part.user_reference.to_bytes(2, "big")))
        if part.total > 1:
            data, esm_class, tlvs = self._numbered(part, esm_class, tlvs)
        elif message.part_of is not None and not self._send_tlvs and not esm_class & udh.UDHI:
            # The sender numbered its parts by TLVs, which this carrier does not get: the same by header.
            reference = crc32(message.part_of.key.encode()) & 0xFFFF
            data = udh.concat_header(udh.Concat(reference, message.part_of.total, message.part_of.seq, 16)) + data
            esm_class |= udh.UDHI
        if len(data) > 254 or (self._payload and content.parts != 1):
            data, tlvs = b"", (*tlvs, (Tag.MESSAGE_PAYLOAD, data))
        return SubmitSm(
            0,
            0,
            tlvs,
            b"",
            message.service_type,
            message.source_ton,
            message.source_npi,
            message.source,
            message.dest_ton,
            message.dest_npi,
            message.destination,
            esm_class,
            content.protocol_id,
            message.priority,
            "",
            relative(_last_moment(message) - utc) if self._send_validity else "",
            ALWAYS_RECEIPT,
            0,
            content.data_coding,
            0,
            data,
        )

    def _numbered(self, part: Part, esm_class: int, tlvs: Tlvs) -> tuple[bytes, int, Tlvs]:
        if self._channel.long_messages == "sar":
            sar = (
                (int(Tag.SAR_MSG_REF_NUM), part.concat_reference.to_bytes(2, "big")),
                (int(Tag.SAR_TOTAL_SEGMENTS), bytes((part.total,))),
                (int(Tag.SAR_SEGMENT_SEQNUM), bytes((part.number,))),
            )
            return part.data, esm_class, (*tlvs, *sar)
        header = udh.concat_header(udh.Concat(part.concat_reference, part.total, part.number, self._bits))
        return header + part.data, esm_class | udh.UDHI, tlvs


def _last_moment(message: Message) -> float:
    """Until when a carrier may try: the validity, and never beyond the send window."""
    return min(message.expires_utc, message.window_end_utc or message.expires_utc)
