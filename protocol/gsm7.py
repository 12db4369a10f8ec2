"""GSM 03.38 default alphabet and extension table, one octet per septet as SMPP carries it (3GPP TS 23.038 section 6.2.1)."""

import codecs

from protocol.errors import ContentError

ESCAPE = 0x1B
_BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ\x1bÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = {0x0A: "\f", 0x14: "^", 0x28: "{", 0x29: "}", 0x2F: "\\", 0x3C: "[", 0x3D: "~", 0x3E: "]", 0x40: "|", 0x65: "€"}

_ENCODE: dict[int, bytes] = {ord(char): bytes((code,)) for code, char in enumerate(_BASIC) if code != ESCAPE}
_ENCODE.update({ord(char): bytes((ESCAPE, code)) for code, char in _EXTENSION.items()})
_DECODE = _BASIC.replace("\x1b", " ") + "�" * 128


def encode(text: str) -> bytes:
    """`text` as septets; an extension character is two. Raises ContentError with the first character that does not fit."""
    try:
        return codecs.charmap_encode(text, "strict", _ENCODE)[0]
    except UnicodeEncodeError as error:
        raise ContentError(f"{text[error.start]!r} is not in GSM 03.38") from None


def fits(text: str) -> bool:
    """Whether `encode` would succeed."""
    return all(ord(char) in _ENCODE for char in text)


def decode(data: bytes) -> str:
    """The text of `data`; never raises.

    Octets above 0x7F become U+FFFD, an escape before a character without extension is dropped (23.038: show the basic
    character), a doubled or last escape becomes a space.
    """
    if ESCAPE not in data:
        return codecs.charmap_decode(data, "strict", _DECODE)[0]
    out = []
    at = 0
    while at < len(data):
        code = data[at]
        if code == ESCAPE and at + 1 < len(data) and data[at + 1] != ESCAPE:
            at += 1
            out.append(_EXTENSION.get(data[at], _DECODE[data[at]]))
        else:
            out.append(_DECODE[code])
        at += 1
    return "".join(out)
