"""Any PDU to octets and back, by the layout its class declares: the table, with every error. `hot.py` does what is plain."""

import struct
from typing import Any

from protocol import hot
from protocol.commands import RESPONSE_BIT, command_name
from protocol.errors import FieldError, LocalProtocolError, PduError
from protocol.layouts import LAYOUTS
from protocol.pdu import BY_COMMAND, Pdu
from protocol.status import Status
from protocol.tlv import read_tlvs, write_tlvs

HEADER = struct.Struct(">IIII")
HEADER_SIZE = 16
PDU_SIZE_MAX = 70_000
"""Default limit: a message_payload of 65,535 octets fits with all its fields."""


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
    """What `hot.read` stopped at: an unknown command, a PDU that is not plain, or a broken one. Raises PduError."""
    cls = BY_COMMAND.get(command_id)
    if cls is None:
        raise PduError(f"unknown command {command_name(command_id)}", command_id, sequence, Status.RINVCMDID)
    return decode_by_table(cls, buf, at, end, status, sequence)


def encode_by_table(pdu: Pdu, out: bytearray) -> None:
    """Append the octets of `pdu` to `out`. Raises LocalProtocolError and leaves `out` as it was."""
    start = len(out)
    try:
        out += bytes(HEADER_SIZE)
        if pdu.status == 0 or pdu.tlvs or pdu.body_on_error or not _body_is_default(pdu):
            for name, field in LAYOUTS[type(pdu)]:
                field.write(getattr(pdu, name), out)
        out += write_tlvs(pdu.tlvs)
        HEADER.pack_into(out, start, len(out) - start, pdu.command_id, pdu.status, pdu.sequence)
    except BaseException as error:
        del out[start:]  # whatever is wrong: half a PDU would be the end of the stream
        if isinstance(error, (LocalProtocolError, ValueError, OverflowError, struct.error)):
            raise LocalProtocolError(f"{command_name(pdu.command_id)}: {error}") from None
        raise


def _body_is_default(pdu: Pdu) -> bool:
    """SMPP 3.4 section 4.4.2: no body in a response whose status is an error. (TLVs need the fields before them.)"""
    return bool(pdu.command_id & RESPONSE_BIT) and not any(getattr(pdu, name) for name, _ in LAYOUTS[type(pdu)])


def encode(pdu: Pdu, out: bytearray) -> None:
    """Append the octets of `pdu` to `out`. Raises LocalProtocolError and leaves `out` as it was."""
    if not hot.write(pdu, out):
        encode_by_table(pdu, out)


def to_bytes(pdu: Pdu) -> bytes:
    """The octets of one PDU; for tests and tools, the message path uses `encode`."""
    out = bytearray()
    encode(pdu, out)
    return bytes(out)
