"""Any PDU to octets and back, by the layout its class declares. `fast.py` takes over for the hot ones."""

import struct
from collections.abc import Callable
from typing import Annotated, Any, get_args, get_origin, get_type_hints

from protocol import fast
from protocol.commands import RESPONSE_BIT, command_name
from protocol.errors import FieldError, LocalProtocolError, PduError
from protocol.fields import Field
from protocol.pdu import BY_COMMAND, PDUS, DeliverSm, DeliverSmResp, Pdu, SubmitSm, SubmitSmResp
from protocol.status import Status
from protocol.tlv import read_tlvs, write_tlvs

HEADER = struct.Struct(">IIII")
HEADER_SIZE = 16
PDU_SIZE_MAX = 70_000
"""Default limit: a message_payload of 65,535 octets fits with all its fields."""


def _layout(cls: type[Pdu]) -> tuple[tuple[str, Field], ...]:
    hints = get_type_hints(cls, include_extras=True)
    fields = []
    for name in cls.__struct_fields__:
        if get_origin(hints[name]) is Annotated:
            fields += [(name, extra) for extra in get_args(hints[name])[1:] if isinstance(extra, Field)]
    return tuple(fields)


LAYOUTS: dict[type[Pdu], tuple[tuple[str, Field], ...]] = {cls: _layout(cls) for cls in PDUS}


def decode_by_table(cls: type[Pdu], buf: bytes, at: int, end: int, status: int, sequence: int) -> Pdu:
    """The PDU whose body is buf[at:end].

    Responses are read leniently: what is missing keeps its default, for a response must never be answered.
    Raises PduError with the status to answer.
    """
    lenient = bool(cls.command_id & RESPONSE_BIT)
    values: dict[str, Any] = {}
    try:
        for name, field in LAYOUTS[cls]:
            if lenient and at >= end:
                break
            values[name], at = field.read(buf, at, end, lenient)
    except FieldError as error:
        raise PduError(
            f"{command_name(cls.command_id)}.{name}: {error.reason}", cls.command_id, sequence, error.status
        ) from None
    tlvs, at = read_tlvs(buf, at, end)
    return cls(sequence, status, tlvs, buf[at:end], **values)


def decode_slow(buf: bytes, at: int, end: int, command_id: int, status: int, sequence: int) -> Pdu:
    """What is left for the table: every PDU without a fast decoder, and those a fast decoder gave up. Raises PduError."""
    cls = BY_COMMAND.get(command_id)
    if cls is None:
        raise PduError(f"unknown command {command_name(command_id)}", command_id, sequence, Status.RINVCMDID)
    return decode_by_table(cls, buf, at, end, status, sequence)


def decode_body(buf: bytes, at: int, end: int, command_id: int, status: int, sequence: int) -> Pdu:
    """The PDU whose body is buf[at:end]. Raises PduError (unknown command: status RINVCMDID)."""
    fast_decode = FAST_DECODERS.get(command_id)
    found = fast_decode(buf, at, end, status, sequence) if fast_decode else None
    return found or decode_slow(buf, at, end, command_id, status, sequence)


def encode_by_table(pdu: Pdu, out: bytearray) -> None:
    """Append the octets of `pdu` to `out`. Raises LocalProtocolError and leaves `out` as it was."""
    start = len(out)
    out += bytes(HEADER_SIZE)
    try:
        if pdu.status == 0 or pdu.tlvs or pdu.body_on_error or not _body_is_default(pdu):
            for name, field in LAYOUTS[type(pdu)]:
                field.write(getattr(pdu, name), out)
        out += write_tlvs(pdu.tlvs)
        HEADER.pack_into(out, start, len(out) - start, pdu.command_id, pdu.status, pdu.sequence)
    except (LocalProtocolError, ValueError, OverflowError, struct.error) as error:
        del out[start:]
        raise LocalProtocolError(f"{command_name(pdu.command_id)}: {error}") from None


def _body_is_default(pdu: Pdu) -> bool:
    """SMPP 3.4 section 4.4.2: no body in a response whose status is an error. (TLVs need the fields before them.)"""
    return bool(pdu.command_id & RESPONSE_BIT) and not any(getattr(pdu, name) for name, _ in LAYOUTS[type(pdu)])


def encode(pdu: Pdu, out: bytearray) -> None:
    """Append the octets of `pdu` to `out`. Raises LocalProtocolError and leaves `out` as it was."""
    hot = _FAST_ENCODERS.get(type(pdu))
    if hot is None or not hot(pdu, out):
        encode_by_table(pdu, out)


def to_bytes(pdu: Pdu) -> bytes:
    """The octets of one PDU; for tests and tools, the message path uses `encode`."""
    out = bytearray()
    encode(pdu, out)
    return bytes(out)


FAST_DECODERS: dict[int, Callable[[bytes, int, int, int, int], Pdu | None]] = {
    SubmitSm.command_id: fast.decode_submit_sm,
    DeliverSm.command_id: fast.decode_deliver_sm,
    SubmitSmResp.command_id: fast.decode_submit_sm_resp,
    DeliverSmResp.command_id: fast.decode_deliver_sm_resp,
}
_FAST_ENCODERS: dict[type[Pdu], Callable[[Any, bytearray], bool]] = {
    SubmitSm: fast.encode_short_message,
    DeliverSm: fast.encode_short_message,
    SubmitSmResp: fast.encode_id_response,
    DeliverSmResp: fast.encode_id_response,
}
