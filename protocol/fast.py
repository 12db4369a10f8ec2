"""The four hot PDUs by hand, submit_sm, deliver_sm and their responses, and the text of a receipt. `native.pyx` does the same
compiled; `hot.py` chooses.

Each function does the plain case only and says so: `read` stops, `write` gives False, and the table does the rest, errors
included. Property tests hold these functions to the table.

submit_sm and deliver_sm are read by one Struct from service_type to sm_length, and written by one with the header in front.
There is one for each combination of string lengths, made when it is first met; lengths SMPP forbids have none.
"""

import re
import struct
from collections.abc import Callable, Iterable
from struct import Struct
from typing import Any, TypeAlias

from protocol.pdu import DeliverSm, DeliverSmResp, Pdu, ShortMessagePdu, SubmitSm, SubmitSmResp
from protocol.tlv import Tlvs, read_tlvs, write_tlvs

_HEADER = Struct(">IIII")
_HEADER_AND_NUL = Struct(">IIIIB")
_DELIVER_SM_RESP = int(DeliverSmResp.command_id)

Lengths: TypeAlias = tuple[int, int, int, int]
"""Of service_type, source_addr, destination_addr and validity_period, without NUL."""

_IN_WORD = rb"[^\t-\r\x1c-\x20\x85\xa0:]"  # neither blank (of Latin-1) nor colon
_RECEIPT = re.compile(rb"id:(W+) sub:W* dlvrd:W* submit date:W* done date:W* stat:(W*) err:(W*) text:".replace(b"W", _IN_WORD))

_shapes: dict[Lengths, Struct] = {}
_whole_shapes: dict[Lengths, Struct] = {}


def _shape(lengths: Lengths, shapes: dict[Lengths, Struct]) -> Struct | None:
    service, source, dest, validity = lengths
    if not (0 <= service < 6 and 0 <= source < 21 and 0 <= dest < 21 and validity in (0, 16)):
        return None
    # .. TON NPI source_addr TON NPI destination_addr esm_class protocol_id priority_flag, schedule_delivery_time (empty),
    # validity_period registered_delivery replace_if_present_flag data_coding sm_default_msg_id sm_length
    header = "IIII" if shapes is _whole_shapes else ""
    shape = Struct(f">{header} {service}sx BB{source}sx BB{dest}sx BBB x{validity}sx BBBBB")
    return shapes.setdefault(lengths, shape)


def _short_message_decoder(
    cls: type[ShortMessagePdu],
) -> Callable[[bytes, int, int, int, int], ShortMessagePdu | None]:
    shapes = _shapes

    def decode(buf: bytes, at: int, end: int, status: int, sequence: int) -> ShortMessagePdu | None:
        if at == end:
            return None
        find = buf.find
        # A NUL found beyond `end` makes the shape too long for the PDU.
        service_stop = find(0, at) if buf[at] else at
        source_stop = find(0, service_stop + 3)
        dest_stop = find(0, source_stop + 3)
        if dest_stop + 11 > end or buf[dest_stop + 4]:
            return None
        validity = find(0, dest_stop + 5) - dest_stop - 5 if buf[dest_stop + 5] else 0
        lengths = (service_stop - at, source_stop - service_stop - 3, dest_stop - source_stop - 3, validity)
        shape = shapes.get(lengths) or _shape(lengths, shapes)
        if shape is None:
            return None
        text = at + shape.size
        if text > end:
            return None
        (
            service_type,
            source_ton,
            source_npi,
            source,
            dest_ton,
            dest_npi,
            dest,
            esm_class,
            protocol_id,
            priority,
            until,
            registered,
            replace,
            coding,
            default_id,
            size,
        ) = shape.unpack_from(buf, at)
        stop = text + size
        tlvs: Tlvs = ()
        trailing = b""
        if stop != end:
            if stop > end:
                return None
            tlvs, tlv_stop = read_tlvs(buf, stop, end)
            if tlv_stop != end:
                trailing = buf[tlv_stop:end]
        return cls(
            sequence,
            status,
            tlvs,
            trailing,
            service_type.decode("latin-1") if service_type else "",
            source_ton,
            source_npi,
            source.decode("latin-1"),
            dest_ton,
            dest_npi,
            dest.decode("latin-1"),
            esm_class,
            protocol_id,
            priority,
            "",
            until.decode("latin-1") if until else "",
            registered,
            replace,
            coding,
            default_id,
            buf[text:stop],
        )

    return decode


_decode_submit_sm = _short_message_decoder(SubmitSm)
_decode_deliver_sm = _short_message_decoder(DeliverSm)


def _decode_submit_sm_resp(buf: bytes, at: int, end: int, status: int, sequence: int) -> SubmitSmResp | None:
    if buf.find(0, at, end) != end - 1:  # anything but one C-octet string that fills the body
        return None
    return SubmitSmResp(sequence, status, (), b"", buf[at : end - 1].decode("latin-1"))


def _decode_deliver_sm_resp(buf: bytes, at: int, end: int, status: int, sequence: int) -> DeliverSmResp | None:
    if end - at == 1 and buf[at] == 0:
        return DeliverSmResp(sequence, status)
    return None


_DECODERS: dict[int, Callable[[bytes, int, int, int, int], Pdu | None]] = {
    SubmitSm.command_id: _decode_submit_sm,
    DeliverSm.command_id: _decode_deliver_sm,
    SubmitSmResp.command_id: _decode_submit_sm_resp,
    DeliverSmResp.command_id: _decode_deliver_sm_resp,
}


def read(data: bytes, at: int, size_max: int, items: list[Any]) -> int:
    """Append the PDUs from `at` on to `items`, as long as they are whole, plain and not above `size_max` octets. Gives where
    that ends: behind the last one.
    """
    size, head_size = len(data), _HEADER.size
    unpack, decoders, append = _HEADER.unpack_from, _DECODERS.get, items.append
    while (body := at + head_size) <= size:
        length, command_id, status, sequence = unpack(data, at)
        end = at + length
        decode = decoders(command_id)
        if decode is None or not head_size <= length <= size_max or end > size:
            break
        pdu = decode(data, body, end, status, sequence)
        if pdu is None:
            break
        append(pdu)
        at = end
    return at


def _encode_short_message(pdu: ShortMessagePdu, out: bytearray) -> bool:
    """submit_sm and deliver_sm; False (nothing appended) when the table must decide."""
    text = pdu.short_message
    service, source, dest, validity = pdu.service_type, pdu.source_addr, pdu.destination_addr, pdu.validity_period
    lengths = (len(service), len(source), len(dest), len(validity))
    shape = _whole_shapes.get(lengths) or _shape(lengths, _whole_shapes)
    if shape is None or len(text) > 254 or pdu.schedule_delivery_time:
        return False
    if "\0" in source or "\0" in dest or "\0" in service or "\0" in validity:
        return False
    try:
        rest = text + write_tlvs(pdu.tlvs) if pdu.tlvs else text
        head = shape.pack(
            shape.size + len(rest),
            pdu.command_id,
            pdu.status,
            pdu.sequence,
            service.encode("latin-1"),
            pdu.source_addr_ton,
            pdu.source_addr_npi,
            source.encode("latin-1"),
            pdu.dest_addr_ton,
            pdu.dest_addr_npi,
            dest.encode("latin-1"),
            pdu.esm_class,
            pdu.protocol_id,
            pdu.priority_flag,
            validity.encode("latin-1"),
            pdu.registered_delivery,
            pdu.replace_if_present_flag,
            pdu.data_coding,
            pdu.sm_default_msg_id,
            len(text),
        )
    except (UnicodeEncodeError, struct.error):
        return False
    out += head + rest  # in one go: nothing is appended when one of them is no octets
    return True


def ok_with_id(command_id: int, sequence: int, message_id: str) -> bytes | None:
    """A response with status 0 and an id; None when the table must decide."""
    try:
        raw = message_id.encode("latin-1")
        if len(raw) > 64 or 0 in raw:
            return None
        return _HEADER.pack(17 + len(raw), command_id, 0, sequence) + raw + b"\0"
    except (UnicodeEncodeError, struct.error):
        return None


def deliver_sm_oks(sequences: Iterable[int]) -> bytes:
    """deliver_sm_resp with status 0 to each."""
    pack = _HEADER_AND_NUL.pack
    return b"".join([pack(17, _DELIVER_SM_RESP, 0, sequence, 0) for sequence in sequences])


def _encode_id_response(pdu: SubmitSmResp | DeliverSmResp, out: bytearray) -> bool:
    """submit_sm_resp and deliver_sm_resp; False (nothing appended) when the table must decide."""
    octets = None if pdu.status or pdu.tlvs else ok_with_id(pdu.command_id, pdu.sequence, pdu.message_id)
    if octets is None:
        return False
    out += octets
    return True


_ENCODERS: dict[type[Pdu], Callable[[Any, bytearray], bool]] = {
    SubmitSm: _encode_short_message,
    DeliverSm: _encode_short_message,
    SubmitSmResp: _encode_id_response,
    DeliverSmResp: _encode_id_response,
}


def write(pdu: Pdu, out: bytearray) -> bool:
    """Append the octets of `pdu` to `out`; False, and nothing appended, when the table must decide."""
    encode = _ENCODERS.get(type(pdu))
    return encode is not None and encode(pdu, out)


def receipt_words(text: bytes) -> tuple[str, str, str] | None:
    """(id, stat, err) of a receipt's text that is Appendix B to the letter, as nearly all are; None for any other."""
    found = _RECEIPT.match(text)
    return (found[1].decode("latin-1"), found[2].decode("latin-1"), found[3].decode("latin-1")) if found else None
