"""data_coding: which alphabet the user data is in, and texts to octets and back.

SMPP 3.4 section 5.2.19 and 3GPP TS 23.038 section 4.
"""

from codecs import utf_16_be_decode, utf_16_be_encode
from typing import NamedTuple

from protocol import gsm7
from protocol.errors import ContentError

DEFAULT = 0x00
LATIN1 = 0x03
BINARY = 0x04
UCS2 = 0x08
FLASH = 0x10
"""Bits that make a flash message (class 0) of the GSM alphabet; `FLASH | UCS2` of UCS-2."""


class Coding(NamedTuple):
    """What a data_coding says. `alphabet` is one of gsm7, ascii, latin-1, utf-16-be, binary, default or a codec's name;
    `message_class` 0 (flash) to 3, or None.
    """

    alphabet: str
    message_class: int | None
    flash: bool


_SMPP_VALUES = {
    0x00: "gsm7",
    0x01: "ascii",
    0x02: "binary",
    0x03: "latin-1",
    0x04: "binary",
    0x05: "jis",
    0x06: "iso-8859-5",
    0x07: "iso-8859-8",
    0x08: "utf-16-be",
    0x09: "pictogram",
    0x0A: "iso-2022-jp",
    0x0D: "jis-x0212",
    0x0E: "ks-c-5601",
}
_GENERAL_GROUP = ("gsm7", "binary", "utf-16-be", "default")
_PYTHON_CODECS = {"jis": "shift_jis", "pictogram": "shift_jis", "jis-x0212": "iso2022_jp_1", "ks-c-5601": "euc_kr"}


def _coding(data_coding: int) -> Coding:
    if data_coding < 0x10:
        return Coding(_SMPP_VALUES.get(data_coding, "default"), None, False)
    group = data_coding >> 4
    if group < 4:  # 00xxxxxx: bit 5 compressed, bit 4 class valid, bits 3-2 alphabet
        message_class = data_coding & 3 if data_coding & 0x10 else None
        alphabet = "binary" if data_coding & 0x20 else _GENERAL_GROUP[data_coding >> 2 & 3]
        return Coding(alphabet, message_class, message_class == 0)
    if group in (0xC, 0xD):
        return Coding("gsm7", None, False)
    if group == 0xE:
        return Coding("utf-16-be", None, False)
    if group == 0xF:
        return Coding("binary" if data_coding & 4 else "gsm7", data_coding & 3, data_coding & 3 == 0)
    return Coding("default", None, False)


_CODINGS = tuple(map(_coding, range(256)))


def coding(data_coding: int) -> Coding:
    """What `data_coding` (0-255) means. Where SMPP and plain 03.38 disagree (0x01-0x0F), SMPP's reading wins; reserved
    values are `default`, never an error.
    """
    return _CODINGS[data_coding]


def decode_text(data: bytes, data_coding: int, default_alphabet: str = "gsm7") -> str:
    """User data (without header) as text; never raises. `default_alphabet` is what the peer means by data_coding 0."""
    alphabet = default_alphabet if data_coding == DEFAULT else coding(data_coding).alphabet
    if alphabet in ("gsm7", "default"):
        return gsm7.decode(data)
    if alphabet == "utf-16-be":
        return decode_ucs2(data)
    if alphabet == "binary":
        return data.decode("latin-1")
    return data.decode(_PYTHON_CODECS.get(alphabet, alphabet), "replace")


def decode_ucs2(data: bytes) -> str:
    """UTF-16BE in practice: emoji included, a byte order mark is dropped, a lone surrogate or odd last octet is replaced."""
    text, _ = utf_16_be_decode(data[: len(data) & ~1], "replace", True)  # `decode` itself takes four times as long
    return text.removeprefix("\ufeff") + ("\ufffd" if len(data) & 1 else "")


def encode_ucs2(text: str) -> bytes:
    """`text` as UTF-16BE without byte order mark. Raises ContentError for a lone surrogate."""
    try:
        return utf_16_be_encode(text, "strict")[0]
    except UnicodeEncodeError as error:
        raise ContentError(f"half a surrogate pair at position {error.start}") from None


def encode_text(text: str) -> tuple[int, bytes]:
    """(data_coding, octets): GSM 03.38 when every character is in it, else UCS-2. Raises ContentError."""
    try:
        return DEFAULT, gsm7.encode(text)
    except ContentError:
        return UCS2, encode_ucs2(text)
