"""Long messages into parts that fit one SMS (3GPP TS 23.040 section 9.2.3.24.1). The other way is `reassembly`.

Sizes in octets as SMPP carries them: GSM 03.38 counts septets, one octet each; a header of 6 octets costs 7 septets, one of
7 costs 8. An escape sequence and a surrogate pair stay in one part, which then is one or two octets shorter.
"""

import msgspec

from protocol import gsm7
from protocol.errors import ContentError
from protocol.text import coding, encode_text

PARTS_MAX = 255
ONE_OCTETS = 140
"""User data that is one part whatever its alphabet."""
_SINGLE = {"gsm7": 160, "ascii": 160}
_PART = {8: {"gsm7": 153, "ascii": 153, "utf-16-be": 134}, 16: {"gsm7": 152, "ascii": 152, "utf-16-be": 132}}
_PART_OCTETS = {8: 134, 16: 133}


class Segments(msgspec.Struct, frozen=True):
    """`parts` hold the octets without header; one part needs none."""

    data_coding: int
    parts: tuple[bytes, ...]


def split_octets(data: bytes, data_coding: int, ref_bits: int = 8) -> tuple[bytes, ...]:
    """Cut user data that is already encoded. `ref_bits` 8 or 16 is the width of the concatenation reference.

    Raises ContentError when more than 255 parts would be needed.
    """
    alphabet = coding(data_coding).alphabet
    if len(data) <= _SINGLE.get(alphabet, ONE_OCTETS):
        return (data,)
    size = _PART[ref_bits].get(alphabet, _PART_OCTETS[ref_bits])
    parts = []
    at = 0
    while at < len(data):
        end = _cut(data, at, size, alphabet)
        parts.append(data[at:end])
        at = end
    if len(parts) > PARTS_MAX:
        raise ContentError(f"{len(parts)} parts, at most {PARTS_MAX}: shorten the text")
    return tuple(parts)


def count_parts(data: bytes, data_coding: int) -> int:
    """How many messages a handset gets of user data without a header. Raises ContentError for more than 255."""
    return 1 if len(data) <= ONE_OCTETS else len(split_octets(data, data_coding))


def _cut(data: bytes, at: int, size: int, alphabet: str) -> int:
    end = at + size
    if end >= len(data):
        return len(data)
    if alphabet == "gsm7":
        # A run of escapes pairs up from its start; an odd run leaves one whose partner is beyond the cut.
        run = 0
        while end - run > at and data[end - run - 1] == gsm7.ESCAPE:
            run += 1
        return end - (run & 1)
    if alphabet == "utf-16-be" and 0xD8 <= data[end - 2] <= 0xDB:
        return end - 2
    return end


def split_text(text: str, ref_bits: int = 8) -> Segments:
    """Encode `text` in the smaller alphabet that holds it, and cut it. Raises ContentError."""
    data_coding, data = encode_text(text)
    return Segments(data_coding, split_octets(data, data_coding, ref_bits))


def utf16_units(text: str) -> int:
    """Length as handsets and Chinese billing count it: an emoji is two."""
    return len(text) + sum(char > "\uffff" for char in text)


def billing_parts_cn(text: str) -> int:
    """Parts as China bills them, whatever the coding: up to 70 units one, else a part for every 67 begun."""
    units = utf16_units(text)
    return 1 if units <= 70 else -(-units // 67)
