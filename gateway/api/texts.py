"""Texts to what SMPP carries: alphabet, octets, how many messages a handset gets; placeholders of a batch."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple

from gateway.api.schemas import Encoding
from protocol import gsm7
from protocol.errors import ContentError
from protocol.segment import count_parts
from protocol.spoken import spoken_text
from protocol.text import DEFAULT, UCS2, coding, encode_text, encode_ucs2
from routing.records import Content

_HOLE = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]{0,63})\s*(?:\|\s*default:\s*(?:'([^']*)'|\"([^\"]*)\")\s*)?\}\}")
TEXT_MAX = 40_000
"""255 parts hold no more."""
HOLES_MAX = 50
NAMES = {"gsm7": "gsm7", "utf-16-be": "ucs2", "default": "gsm7"}


class Encoded(NamedTuple):
    """A text ready to go."""

    data: bytes
    data_coding: int
    parts: int

    @property
    def encoding(self) -> str:
        """As the API names it."""
        return encoding_of(self.data_coding)


def encode(text: str, encoding: Encoding = "auto") -> Encoded:
    """Raises ContentError with what the user can do."""
    if encoding == "gsm7":
        data_coding, data = DEFAULT, gsm7.encode(text)
    elif encoding == "ucs2":
        data_coding, data = UCS2, encode_ucs2(text)
    else:
        data_coding, data = encode_text(text)
    return Encoded(data, data_coding, count_parts(data, data_coding))


@lru_cache(maxsize=256)
def encoding_of(data_coding: int) -> str:
    """gsm7, ucs2, or what else a data_coding says."""
    alphabet = coding(data_coding).alphabet
    return NAMES.get(alphabet, alphabet)


def text_of(content: Content) -> str:
    """What was said."""
    return spoken_text(content.data, content.data_coding, content.esm_class)


def fill(template: str, params: Mapping[str, str]) -> str:
    """The template with its holes filled. Raises ContentError for one that nothing fills."""

    def value(hole: re.Match[str]) -> str:
        name = hole[1]
        if name in params:
            return params[name]
        default = hole[2] if hole[2] is not None else hole[3]
        if default is None:
            raise ContentError(
                f"nothing fills {{{{ {name} }}}}: give params.{name}, or write {{{{ {name} | default: '...' }}}}"
            )
        return default

    if template.count("{{") > HOLES_MAX:
        raise ContentError(f"more than {HOLES_MAX} placeholders")
    filled = _HOLE.sub(value, template)
    if len(filled) > TEXT_MAX:
        raise ContentError(f"{len(filled)} characters once it is filled, at most {TEXT_MAX}")
    return filled
