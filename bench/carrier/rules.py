"""What a client does wrong inside one submit: counted, answered as if it were right.

Deliberately not `protocol.validate`: the gateway uses that, and a judge that shares the rule shares the mistake.
"""

from protocol.pdu import DataSm, Pdu, ShortMessagePdu, SubmitMulti
from protocol.tlv import Tag, get

UDHI = 0x40
_SAR = frozenset({int(Tag.SAR_MSG_REF_NUM), int(Tag.SAR_TOTAL_SEGMENTS), int(Tag.SAR_SEGMENT_SEQNUM)})
_UCS2 = frozenset({0x08, 0x18, 0x19, 0x1A, 0x1B})


def header_faults(pdu: Pdu) -> list[str]:
    """Rules for every request (SMPP 3.4 section 3.2)."""
    faults = []
    if not 0 < pdu.sequence <= 0x7FFFFFFF:
        faults.append("request sequence out of range")
    if pdu.status:
        faults.append("command_status in a request")
    return faults


def content_faults(pdu: ShortMessagePdu | SubmitMulti | DataSm) -> list[str]:
    """Rules for the content of submit_sm, submit_multi and data_sm; the empty list for the plain case costs little."""
    tlvs = pdu.tlvs
    text = b"" if pdu.__class__ is DataSm else pdu.short_message  # type: ignore[union-attr]
    headed = pdu.esm_class & UDHI
    if not tlvs and not headed and not pdu.trailing and len(text) < 255:
        return ["odd UCS-2 length"] if len(text) & 1 and pdu.data_coding in _UCS2 else []
    faults = []
    payload = get(tlvs, Tag.MESSAGE_PAYLOAD)
    data = text or payload or b""
    if text and payload is not None:
        faults.append("short_message and message_payload together")
    if len(text) == 255:
        faults.append("sm_length 255")
    if pdu.trailing:
        faults.append("octets after the last TLV")
    tags = [tag for tag, _ in tlvs]
    sar = _SAR.intersection(tags)
    if headed and sar:
        faults.append("UDHI and SAR TLVs together")
    if 0 < len(sar) < 3:
        faults.append("SAR TLVs incomplete")
    if headed and (not data or data[0] + 1 > len(data)):
        faults.append("UDHI without a user data header")
    if not headed and pdu.data_coding in _UCS2 and len(data) % 2:
        faults.append("odd UCS-2 length")
    return faults
