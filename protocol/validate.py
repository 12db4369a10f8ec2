"""What a server refuses in a submit although it could be parsed: the wire's own rules, before any policy."""

from protocol.errors import ContentError
from protocol.pdu import DataSm, Pdu, ReplaceSm, ShortMessagePdu, SubmitMulti
from protocol.status import Status
from protocol.text import coding
from protocol.times import parse_time
from protocol.tlv import Tag, Tlvs, get
from protocol.udh import UDHI

_OK = Status.ROK
_MESSAGE_PAYLOAD = int(Tag.MESSAGE_PAYLOAD)
_SAR = frozenset({int(Tag.SAR_MSG_REF_NUM), int(Tag.SAR_TOTAL_SEGMENTS), int(Tag.SAR_SEGMENT_SEQNUM)})


def submit_status(pdu: ShortMessagePdu | SubmitMulti | DataSm | ReplaceSm) -> Status:
    """ROK, or the command_status that names what is wrong with a submit_sm, submit_multi, data_sm or replace_sm."""
    if pdu.trailing and pdu.trailing.strip(b"\0"):
        return Status.RINVOPTPARSTREAM
    if isinstance(pdu, ShortMessagePdu):  # nearly all are
        if not pdu.destination_addr:
            return Status.RINVDSTADR
        status = _text_status(pdu.schedule_delivery_time, pdu.validity_period, pdu.short_message, pdu.tlvs)
        return status or _content_status(pdu.esm_class, pdu.data_coding, pdu.short_message, pdu.tlvs)
    if isinstance(pdu, DataSm):
        if not pdu.destination_addr:
            return Status.RINVDSTADR
        return _content_status(pdu.esm_class, pdu.data_coding, b"", pdu.tlvs)
    status = _text_status(pdu.schedule_delivery_time, pdu.validity_period, pdu.short_message, pdu.tlvs)
    if status or isinstance(pdu, ReplaceSm):
        return status
    return _content_status(pdu.esm_class, pdu.data_coding, pdu.short_message, pdu.tlvs)


def _text_status(schedule: str, validity: str, short_message: bytes, tlvs: Tlvs) -> Status:
    if schedule and _bad_time(schedule):
        return Status.RINVSCHED
    if validity and _bad_time(validity):
        return Status.RINVEXPIRY
    if len(short_message) > 254:
        return Status.RINVMSGLEN
    if tlvs and short_message and get(tlvs, _MESSAGE_PAYLOAD) is not None:
        return Status.RINVMSGLEN  # section 5.3.2.32: one or the other
    return _OK


def _content_status(esm_class: int, data_coding: int, short_message: bytes, tlvs: Tlvs) -> Status:
    data = short_message or (get(tlvs, _MESSAGE_PAYLOAD) if tlvs else None) or b""
    if esm_class & UDHI:
        if any(tag in _SAR for tag, _ in tlvs):
            return Status.ROPTPARNOTALLWD
        if not data or data[0] + 1 > len(data):
            return Status.RINVMSGLEN
    elif len(data) & 1 and coding(data_coding).alphabet == "utf-16-be":
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
