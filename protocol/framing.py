"""A TCP byte stream into PDUs: one socket read in, a list of PDUs out (SMPP 3.4 section 3.2).

However the stream is cut, the items are the same. A PDU is parsed where the read put it; octets are copied a second time
only when a PDU is spread over several reads, and then once, however many reads it took.
"""

from typing import TypeAlias

from protocol import hot
from protocol.codec import HEADER, HEADER_SIZE, PDU_SIZE_MAX, decode_slow
from protocol.errors import FramingError, PduError
from protocol.pdu import Pdu
from protocol.status import Status

Item: TypeAlias = Pdu | PduError | FramingError


class Framer:
    """Feed it reads, take PDUs. After a FramingError it gives nothing more.

    `pdu_size_max` (octets) bounds what it ever holds: never below 65.8 KB when message_payload is allowed.
    """

    def __init__(self, pdu_size_max: int = PDU_SIZE_MAX) -> None:
        self.pdu_size_max = pdu_size_max
        self.lost = False
        self._chunks: list[bytes] = []
        self._held = 0
        self._need = HEADER_SIZE

    @property
    def partial(self) -> bool:
        """Whether octets of an unfinished PDU are waiting."""
        return self._held > 0

    def feed(self, data: bytes) -> list[Item]:
        """The PDUs that `data` completes; a PduError in the place of one that is wrong; a FramingError last of all."""
        if self.lost:
            return []
        if self._held:
            self._chunks.append(data)
            self._held += len(data)
            if self._held < self._need:
                return []
            data = b"".join(self._chunks)
            self._chunks.clear()
            self._held = 0
        items: list[Item] = []
        rest = self._parse(data, items)
        if not self.lost and rest < len(data):
            self._chunks.append(data[rest:] if rest else data)
            self._held = len(data) - rest
        return items

    def _parse(self, data: bytes, items: list[Item]) -> int:
        at = 0
        size = len(data)
        size_max = self.pdu_size_max
        self._need = HEADER_SIZE
        while (body := (at := hot.read(data, at, size_max, items)) + HEADER_SIZE) <= size:
            length, command_id, status, sequence = HEADER.unpack_from(data, at)
            if not HEADER_SIZE <= length <= size_max:
                self.lost = True
                items.append(self._bad_length(length, command_id, sequence))
                break
            if at + length > size:
                self._need = length
                break
            at += length
            items.append(self._decode(data, body, at, command_id, status, sequence))
        return at

    def _decode(self, data: bytes, at: int, end: int, command_id: int, status: int, sequence: int) -> Item:
        try:
            return decode_slow(data, at, end, command_id, status, sequence)
        except PduError as error:
            return error

    def _bad_length(self, length: int, command_id: int, sequence: int) -> FramingError:
        # The sequence is believed when the rest of the header looks like SMPP; "HTTP/1.1 400 ..." does not.
        believable = command_id & 0x7FFFFFFF < 0x10000 and sequence <= 0x7FFFFFFF
        reason = (
            f"command_length {length}, {HEADER_SIZE} to {self.pdu_size_max} allowed: not SMPP, or the stream position is lost"
        )
        return FramingError(reason, sequence if believable else 0, Status.RINVCMDLEN)
