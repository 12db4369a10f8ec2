"""A subscriber's long text for a client that knows no TLVs: several deliver_sm with concatenation headers, one notice.

Each piece is acknowledged, refused and sent again by itself, on whatever bind of the account has room; the notice is done when
all of them are.
"""

from contextlib import suppress
from typing import TypeAlias

from protocol import udh
from protocol.errors import ContentError
from protocol.pdu import DeliverSm
from protocol.segment import split_octets
from routing.records import Notice

SHORT_MAX = 254


class Piece:
    """One of them; `open` are the numbers that are not acknowledged yet, shared by all."""

    __slots__ = ("_open", "failures", "notice", "number", "pdu")

    def __init__(self, notice: Notice, number: int, pdu: DeliverSm, still_open: set[int]) -> None:
        self.notice = notice
        self.number = number
        self.pdu = pdu
        self.failures = 0
        self._open = still_open

    @property
    def id(self) -> int:
        """The notice's."""
        return self.notice.id

    @property
    def account(self) -> str:
        """Whose it is."""
        return self.notice.account

    @property
    def done(self) -> bool:
        """Whether the client has it."""
        return self.number not in self._open

    def acknowledged(self) -> bool:
        """The client has it. Gives whether it now has all."""
        before = len(self._open)
        self._open.discard(self.number)
        return before == 1 and not self._open


Told: TypeAlias = Notice | Piece
"""What a session sends in one deliver_sm."""


def is_too_long(notice: Notice) -> bool:
    """Whether only a TLV could hold it."""
    return notice.is_mo and len(notice.data) > SHORT_MAX


def pieces_of(notice: Notice, whole: DeliverSm) -> list[Piece]:
    """`whole`: its PDU, but for the text. Other elements of a header get lost. Raises ContentError for more than 255."""
    data = notice.data
    if notice.esm_class & udh.UDHI:
        with suppress(ContentError):  # it is no header: all of it is text
            data = udh.parse(data).body
    texts = split_octets(data, notice.data_coding)
    total = len(texts)
    numbers = set(range(1, total + 1))
    pieces = []
    for number, text in enumerate(texts, 1):
        header = udh.concat_header(udh.Concat(notice.id & 0xFF, total, number, 8)) if total > 1 else b""
        esm_class = notice.esm_class | udh.UDHI if header else notice.esm_class & ~udh.UDHI
        pdu = DeliverSm(
            source_addr_ton=whole.source_addr_ton,
            source_addr_npi=whole.source_addr_npi,
            source_addr=whole.source_addr,
            dest_addr_ton=whole.dest_addr_ton,
            dest_addr_npi=whole.dest_addr_npi,
            destination_addr=whole.destination_addr,
            esm_class=esm_class,
            data_coding=whole.data_coding,
            short_message=header + text,
        )
        pieces.append(Piece(notice, number, pdu, numbers))
    return pieces
