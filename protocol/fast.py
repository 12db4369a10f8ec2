"""The four hot PDUs by hand: submit_sm, deliver_sm and their responses.

Each function does the plain case only and says so: a decoder gives None, an encoder False, and the table does the rest,
errors included. A property test holds these functions to the table.
"""

from struct import Struct

from protocol.pdu import DeliverSm, DeliverSmResp, ShortMessagePdu, SubmitSm, SubmitSmResp
from protocol.tlv import HEAD, Tlvs, read_tlvs

_HEADER = Struct(">IIII")
_TAIL = Struct(">BBBBB")  # registered_delivery, replace_if_present_flag, data_coding, sm_default_msg_id, sm_length
_NO_TLVS: Tlvs = ()


def _decode_short_message(  # noqa: C901 - one straight walk over the fields
    cls: type[ShortMessagePdu], buf: bytes, at: int, end: int, status: int, sequence: int
) -> ShortMessagePdu | None:
    find = buf.find
    if buf[at]:
        stop = find(0, at, end)
        if not 0 <= stop - at < 6:
            return None
        service_type = str(buf[at:stop], "latin-1")
    else:
        stop = at
        service_type = ""
    source = stop + 3
    source_stop = find(0, source, end)
    if not 0 <= source_stop - source < 21:
        return None
    dest = source_stop + 3
    dest_stop = find(0, dest, end)
    if not 0 <= dest_stop - dest < 21:
        return None
    at = dest_stop + 4
    if at + 7 > end:
        return None
    schedule = validity = ""
    if buf[at]:
        schedule = str(buf[at : at + 16], "latin-1")
        if find(0, at, end) != at + 16:
            return None
        at += 16
    at += 1
    if at + 6 > end:
        return None
    if buf[at]:
        validity = str(buf[at : at + 16], "latin-1")
        if find(0, at, end) != at + 16:
            return None
        at += 16
    if at + 6 > end:
        return None
    registered, replace, coding, default_id, size = _TAIL.unpack_from(buf, at + 1)
    at += 6
    text_stop = at + size
    if text_stop > end:
        return None
    tlvs = _NO_TLVS
    trailing = b""
    if text_stop != end:
        tlvs, tlv_stop = read_tlvs(buf, text_stop, end)
        if tlv_stop != end:
            trailing = buf[tlv_stop:end]
    return cls(
        sequence,
        status,
        tlvs,
        trailing,
        service_type,
        buf[stop + 1],
        buf[stop + 2],
        str(buf[source:source_stop], "latin-1"),
        buf[source_stop + 1],
        buf[source_stop + 2],
        str(buf[dest:dest_stop], "latin-1"),
        buf[dest_stop + 1],
        buf[dest_stop + 2],
        buf[dest_stop + 3],
        schedule,
        validity,
        registered,
        replace,
        coding,
        default_id,
        buf[at:text_stop],
    )


def decode_submit_sm(buf: bytes, at: int, end: int, status: int, sequence: int) -> ShortMessagePdu | None:
    return _decode_short_message(SubmitSm, buf, at, end, status, sequence) if end - at >= 17 else None


def decode_deliver_sm(buf: bytes, at: int, end: int, status: int, sequence: int) -> ShortMessagePdu | None:
    return _decode_short_message(DeliverSm, buf, at, end, status, sequence) if end - at >= 17 else None


def decode_submit_sm_resp(buf: bytes, at: int, end: int, status: int, sequence: int) -> SubmitSmResp | None:
    if buf.find(0, at, end) != end - 1:  # anything but one C-octet string that fills the body
        return None
    return SubmitSmResp(sequence, status, _NO_TLVS, b"", str(buf[at : end - 1], "latin-1"))


def decode_deliver_sm_resp(buf: bytes, at: int, end: int, status: int, sequence: int) -> DeliverSmResp | None:
    if end - at == 1 and buf[at] == 0:
        return DeliverSmResp(sequence, status)
    return None


def encode_short_message(pdu: ShortMessagePdu, out: bytearray) -> bool:
    """submit_sm and deliver_sm; False (nothing appended) when the table must decide."""
    text = pdu.short_message
    source = pdu.source_addr
    dest = pdu.destination_addr
    times = pdu.schedule_delivery_time, pdu.validity_period
    if len(source) > 20 or len(dest) > 20 or len(text) > 254 or len(pdu.service_type) > 5:
        return False
    try:
        body = b"%b\0%c%c%b\0%c%c%b\0%c%c%c%b\0%b\0%c%c%c%c%c%b" % (
            pdu.service_type.encode("latin-1"),
            pdu.source_addr_ton,
            pdu.source_addr_npi,
            source.encode("latin-1"),
            pdu.dest_addr_ton,
            pdu.dest_addr_npi,
            dest.encode("latin-1"),
            pdu.esm_class,
            pdu.protocol_id,
            pdu.priority_flag,
            times[0].encode("latin-1"),
            times[1].encode("latin-1"),
            pdu.registered_delivery,
            pdu.replace_if_present_flag,
            pdu.data_coding,
            pdu.sm_default_msg_id,
            len(text),
            text,
        )
    except (UnicodeEncodeError, OverflowError):
        return False
    # A NUL inside a string would shift every field after it.
    if "\0" in source or "\0" in dest or "\0" in pdu.service_type or len(times[0]) > 16 or len(times[1]) > 16:
        return False
    if "\0" in times[0] or "\0" in times[1]:
        return False
    if pdu.tlvs:
        head = HEAD.pack
        try:
            body += b"".join([head(tag, len(value)) + value for tag, value in pdu.tlvs])
        except Exception:  # noqa: BLE001 - struct.error; the table says which TLV
            return False
    if not 0 <= pdu.sequence <= 0xFFFFFFFF or not 0 <= pdu.status <= 0xFFFFFFFF:
        return False
    out += _HEADER.pack(16 + len(body), pdu.command_id, pdu.status, pdu.sequence) + body
    return True


def encode_id_response(pdu: SubmitSmResp | DeliverSmResp, out: bytearray) -> bool:
    """submit_sm_resp and deliver_sm_resp; False (nothing appended) when the table must decide."""
    message_id = pdu.message_id
    if pdu.status or pdu.tlvs or len(message_id) > 64 or not message_id.isascii() or "\0" in message_id:
        return False
    if not 0 <= pdu.sequence <= 0xFFFFFFFF:
        return False
    out += b"%b%b\0" % (_HEADER.pack(17 + len(message_id), pdu.command_id, 0, pdu.sequence), message_id.encode("ascii"))
    return True
