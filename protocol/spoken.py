"""What user data says, its header aside."""

from contextlib import suppress

from protocol import udh
from protocol.errors import ContentError
from protocol.text import decode_text


def spoken_text(data: bytes, data_coding: int, esm_class: int) -> str:
    """The text of user data; with `esm_class` saying that a header is in front, what stands behind it. Never raises."""
    if esm_class & udh.UDHI:
        with suppress(ContentError):  # it is no header: all of it is text
            data = udh.parse(data).body
    return decode_text(data, data_coding)
