"""The user data header (3GPP TS 23.040 section 9.2.3.24): concatenation, ports and language shifts; the rest is skipped."""

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from protocol.errors import ContentError

CONCAT_8, PORTS_8, PORTS_16, CONCAT_16, SINGLE_SHIFT, LOCKING_SHIFT = 0x00, 0x04, 0x05, 0x08, 0x24, 0x25
_OF_THE_WHOLE = frozenset({PORTS_8, PORTS_16, SINGLE_SHIFT, LOCKING_SHIFT})
"""Elements that say the same in every part."""
UDHI = 0x40
"""The esm_class bit that says: the user data begins with a header."""


class Concat(NamedTuple):
    """Part `seq` (from 1) of `total`, of the message numbered `ref` with a reference of `bits` (8, 16)."""

    ref: int
    total: int
    seq: int
    bits: int


class Udh(msgspec.Struct):
    """A parsed header; `body` is the user data after it."""

    body: bytes
    concat: Concat | None = None
    dest_port: int | None = None
    source_port: int | None = None
    single_shift: int | None = None
    locking_shift: int | None = None


def parse(data: bytes) -> Udh:
    """Read the header `data` begins with. Raises ContentError when it cannot be one: treat the octets as data then."""
    if not data or data[0] + 1 > len(data) or data[0] == 1:
        raise ContentError("the user data header is empty or longer than the user data")
    found = Udh(data[data[0] + 1 :])
    for element, value in _elements(data):
        _apply(found, element, value)
    return found


def _elements(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Identifier and value of each element; one that is cut short and what is behind it do not count."""
    end = data[0] + 1
    at = 1
    while at + 2 <= end:
        value = at + 2
        at = value + data[value - 1]
        if at <= end:
            yield data[value - 2], data[value:at]


def whole_header(data: bytes) -> bytes:
    """The header of the text of which `data` is a part: ports and language, if it names any. Raises ContentError."""
    parse(data)
    kept = [(element, value) for element, value in _elements(data) if element in _OF_THE_WHOLE]
    header = b"".join(bytes((element, len(value))) + value for element, value in kept)
    return bytes((len(header),)) + header if header else b""


def _apply(found: Udh, element: int, value: bytes) -> None:
    if element == CONCAT_8 and len(value) == 3:
        concat = Concat(value[0], value[1], value[2], 8)
    elif element == CONCAT_16 and len(value) == 4:
        concat = Concat(value[0] << 8 | value[1], value[2], value[3], 16)
    else:
        if element == PORTS_8 and len(value) == 2:
            found.dest_port, found.source_port = value[0], value[1]
        elif element == PORTS_16 and len(value) == 4:
            found.dest_port, found.source_port = value[0] << 8 | value[1], value[2] << 8 | value[3]
        elif element == SINGLE_SHIFT and len(value) == 1:
            found.single_shift = value[0]
        elif element == LOCKING_SHIFT and len(value) == 1:
            found.locking_shift = value[0]
        return
    if 1 <= concat.seq <= concat.total:  # 23.040: ignore the element otherwise
        found.concat = concat


def concat_header(concat: Concat) -> bytes:
    """The header of one part: 6 octets for an 8-bit reference, 7 for 16 bits."""
    if concat.bits == 8:
        return bytes((5, CONCAT_8, 3, concat.ref & 0xFF, concat.total, concat.seq))
    return bytes((6, CONCAT_16, 4, concat.ref >> 8 & 0xFF, concat.ref & 0xFF, concat.total, concat.seq))
