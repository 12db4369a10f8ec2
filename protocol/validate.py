"""What a server refuses in a submit although it could be parsed: the wire's own rules, before any policy."""

from protocol.errors import ContentError
from protocol.pdu import DataSm, Pdu, ReplaceSm, ShortMessagePdu, SubmitMulti
from protocol.status import Status
from protocol.text import coding
from protocol.times import parse_time
from protocol.tlv import Tag, get
from protocol.udh import UDHI

_OK = Status.ROK
_MESSAGE_PAYLOAD = int(Tag.MESSAGE_PAYLOAD)
_SAR = frozenset({int(Tag.SAR_MSG_REF_NUM), int(Tag.SAR_TOTAL_SEGMENTS), int(Tag.SAR_SEGMENT_SEQNUM)})


def submit_status(pdu: ShortMessagePdu | SubmitMulti | DataSm | ReplaceSm) -> Status:
    """ROK, or the command_status that names what is wrong with a submit_sm, submit_multi, data_sm or replace_sm."""
    if pdu.trailing and pdu.trailing.strip(b"\0"):
        return Status.RINVOPTPARSTREAM
    if isinstance(pdu, (ShortMessagePdu, DataSm)) and not pdu.destination_addr:
        return Status.RINVDSTADR
    if isinstance(pdu, DataSm):
        return _content_status(pdu, get(pdu.tlvs, _MESSAGE_PAYLOAD) or b"")
    if pdu.schedule_delivery_time and _bad_time(pdu.schedule_delivery_time):
        return Status.RINVSCHED
    if pdu.validity_period and _bad_time(pdu.validity_period):
        return Status.RINVEXPIRY
    if len(pdu.short_message) > 254:
        return Status.RINVMSGLEN
    payload = get(pdu.tlvs, _MESSAGE_PAYLOAD) if pdu.tlvs else None
    if payload is not None and pdu.short_message:
        return Status.RINVMSGLEN  # section 5.3.2.32: one or the other
    return _OK if isinstance(pdu, ReplaceSm) else _content_status(pdu, payload or pdu.short_message)


def _content_status(pdu: ShortMessagePdu | SubmitMulti | DataSm, data: bytes) -> Status:
    if pdu.esm_class & UDHI:
        if any(tag in _SAR for tag, _ in pdu.tlvs):
            return Status.ROPTPARNOTALLWD
        if not data or data[0] + 1 > len(data):
            return Status.RINVMSGLEN
    elif len(data) & 1 and coding(pdu.data_coding).alphabet == "utf-16-be":
        return Status.RINVMSGLEN
    return _OK


def _bad_time(text: str) -> bool:
    try:
        parse_time(text)
    except ContentError:
        return True
    return False


def user_data(pdu: Pdu) -> bytes:
    """The user data wherever it stands: short_message, or message_payload when that is empty."""
    return getattr(pdu, "short_message", b"") or get(pdu.tlvs, _MESSAGE_PAYLOAD) or b""
