"""One PDU out of the middle of a buffer, as the message path reads it: what is hot first, then the table."""

from typing import Any

from protocol import hot
from protocol.codec import HEADER, HEADER_SIZE, PDU_SIZE_MAX, decode_slow
from protocol.pdu import Pdu


def decode_body(buf: bytes, at: int, end: int, command_id: int, status: int, sequence: int) -> Pdu:
    """The PDU whose body is buf[at:end], read with its header put before it and all other octets left around it."""
    whole = buf[:at] + HEADER.pack(HEADER_SIZE + end - at, command_id, status, sequence) + buf[at:]
    found: list[Any] = []
    stop = hot.read(whole, at, PDU_SIZE_MAX, found)
    if not found:
        assert stop == at
        return decode_slow(whole, at + HEADER_SIZE, end + HEADER_SIZE, command_id, status, sequence)
    assert stop == end + HEADER_SIZE or len(found) > 1
    pdu: Pdu = found[0]
    return pdu
