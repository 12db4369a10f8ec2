"""Which part of a concatenated message a submit is: from its user data header, or from the SAR TLVs.

Deliberately not `protocol.udh`: the gateway uses that, and a judge that shares the rule shares the mistake.
"""

from protocol.pdu import DataSm, ShortMessagePdu, SubmitMulti
from protocol.tlv import Tag, get, get_int

UDHI = 0x40
WHOLE = (1, 1, 0)
_CONCAT_8, _CONCAT_16 = (0x00, 3), (0x08, 4)


def part_of(pdu: ShortMessagePdu | DataSm | SubmitMulti) -> tuple[int, int, int]:
    """(part, parts, reference), parts from 1; `WHOLE` for one piece and for numbers that make no sense (3GPP TS 23.040)."""
    if pdu.esm_class & UDHI:
        text = b"" if isinstance(pdu, DataSm) else pdu.short_message
        part, parts, reference = _from_header(text or get(pdu.tlvs, Tag.MESSAGE_PAYLOAD) or b"")
    elif pdu.tlvs:
        part = get_int(pdu.tlvs, Tag.SAR_SEGMENT_SEQNUM) or 0
        parts = get_int(pdu.tlvs, Tag.SAR_TOTAL_SEGMENTS) or 0
        reference = (get_int(pdu.tlvs, Tag.SAR_MSG_REF_NUM) or 0) & 0xFFFF
    else:
        return WHOLE
    return (part, parts, reference) if 1 < parts <= 255 and 1 <= part <= parts else WHOLE


def _from_header(data: bytes) -> tuple[int, int, int]:
    end = min(data[0] + 1, len(data)) if data else 0
    at = 1
    while at + 2 <= end:
        element, size = data[at], data[at + 1]
        at += 2 + size
        if at <= end and (element, size) in (_CONCAT_8, _CONCAT_16):
            return data[at - 1], data[at - 2], int.from_bytes(data[at - size : at - 2], "big")
    return WHOLE
