"""Parts of a text, in order, back into its user data. Octets are joined before anybody reads them: a cut may go through a pair.

A surrogate pair of UCS-2 and an escape of GSM 03.38 are two units each, and senders cut between them.
"""

from collections.abc import Sequence
from typing import NamedTuple

from protocol import udh
from protocol.errors import ContentError
from protocol.text import UCS2, decode_text, encode_ucs2


class UserData(NamedTuple):
    """User data, with its header when `esm_class` says so."""

    data: bytes
    data_coding: int
    esm_class: int


def join(parts: Sequence[UserData]) -> UserData:
    """The text as if it had come in one piece: without concatenation headers, but with ports and languages.

    Parts in several alphabets become UCS-2: handsets choose one for each part.
    """
    first = parts[0]
    header = b""
    bodies = []
    for at, part in enumerate(parts):
        body = part.data
        if part.esm_class & udh.UDHI:
            try:
                body = udh.parse(part.data).body
                header = udh.whole_header(part.data) if at == 0 else header
            except ContentError:
                pass  # it is no header: all of it is text
        bodies.append(body)
    esm_class = first.esm_class | udh.UDHI if header else first.esm_class & ~udh.UDHI
    if all(part.data_coding == first.data_coding for part in parts):
        return UserData(header + b"".join(bodies), first.data_coding, esm_class)
    runs: list[tuple[int, bytes]] = []
    for part, body in zip(parts, bodies, strict=True):
        if runs and runs[-1][0] == part.data_coding:
            runs[-1] = part.data_coding, runs[-1][1] + body
        else:
            runs.append((part.data_coding, body))
    return UserData(header + encode_ucs2("".join(decode_text(body, coding) for coding, body in runs)), UCS2, esm_class)
