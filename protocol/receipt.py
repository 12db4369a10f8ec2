"""Delivery receipts: read leniently, written strictly (SMPP 3.4 Appendix B, which calls itself vendor specific).

Seen in the field: keys in any order and case, missing ones, prefixes, carrier codes in `stat`, dates of 10 to 16 digits,
texts without any key and everything in TLVs. The sender's own clock, not these dates, measures delivery.
"""

import re
from datetime import datetime
from enum import IntEnum
from functools import lru_cache
from itertools import zip_longest
from typing import TypeAlias

from protocol import hot, times
from protocol.errors import ContentError
from protocol.tlv import Tag, Tlvs, get

RECEIPT = 0x04
"""esm_class of a delivery receipt; 0x20 is an intermediate notification."""
_TYPE_MASK = 0x3C
_RECEIPTED_MESSAGE_ID, _MESSAGE_STATE = int(Tag.RECEIPTED_MESSAGE_ID), int(Tag.MESSAGE_STATE)
_MESSAGE_PAYLOAD, _NETWORK_ERROR_CODE = int(Tag.MESSAGE_PAYLOAD), int(Tag.NETWORK_ERROR_CODE)
_KEYS = re.compile(r"(?<![\w:])(id|sub|dlvrd|submit date|done date|stat|err|text) *:", re.IGNORECASE)


class MessageState(IntEnum):
    """message_state (section 5.2.28; SCHEDULED and SKIPPED come from 5.0)."""

    SCHEDULED = 0
    ENROUTE = 1
    DELIVERED = 2
    EXPIRED = 3
    DELETED = 4
    UNDELIVERABLE = 5
    ACCEPTED = 6
    UNKNOWN = 7
    REJECTED = 8
    SKIPPED = 9


FINAL = frozenset(
    {
        MessageState.DELIVERED,
        MessageState.EXPIRED,
        MessageState.DELETED,
        MessageState.UNDELIVERABLE,
        MessageState.REJECTED,
        MessageState.SKIPPED,
    }
)
"""States after which nothing comes. ACCEPTED is not one: carriers report it on the way. UNKNOWN is the reader's to decide."""

_STATE_OF = {int(state): state for state in MessageState}
_UNKNOWN = MessageState.UNKNOWN
_STATS = {
    "DELIVRD": MessageState.DELIVERED,
    "ACKED": MessageState.DELIVERED,
    "0": MessageState.DELIVERED,
    "ACCEPTD": MessageState.ACCEPTED,
    "ENROUTE": MessageState.ENROUTE,
    "BUFFRED": MessageState.ENROUTE,
    "BUFFERD": MessageState.ENROUTE,
    "BUFFERED": MessageState.ENROUTE,
    "EXPIRED": MessageState.EXPIRED,
    "DELETED": MessageState.DELETED,
    "UNDELIV": MessageState.UNDELIVERABLE,
    "FAILED": MessageState.UNDELIVERABLE,
    "UNKNOWN": MessageState.UNKNOWN,
    "REJECTD": MessageState.REJECTED,
    "REJECT": MessageState.REJECTED,
    "KEYWORD": MessageState.REJECTED,
    "SIGFAIL": MessageState.REJECTED,
    "NOROUTE": MessageState.UNDELIVERABLE,
    **{state.name: state for state in MessageState},
}
_WRITTEN = {
    MessageState.DELIVERED: "DELIVRD",
    MessageState.EXPIRED: "EXPIRED",
    MessageState.DELETED: "DELETED",
    MessageState.UNDELIVERABLE: "UNDELIV",
    MessageState.ACCEPTED: "ACCEPTD",
    MessageState.UNKNOWN: "UNKNOWN",
    MessageState.REJECTED: "REJECTD",
    MessageState.ENROUTE: "ENROUTE",
}
_CARRIER_CODE = re.compile(r"[A-Z0-9]{1,2}:\d+$|(?:MK|MN|MI|LT|HD|BEYOND)\w*", re.IGNORECASE)


class Receipt:
    """A parsed receipt. `candidates` are the ids it may mean, best first; dates have no zone (the SMSC's local time).

    `err` is the carrier's error code as it was written. What the message path does not need is read out of the text when it is
    asked for; its clock is our own.
    """

    def __init__(
        self,
        state: MessageState,
        candidates: list[str],
        raw_stat: str | None,
        err: str | None,
        octets: bytes,
        raw_network_error: bytes = b"",
    ) -> None:
        self.state = state
        self.candidates = candidates
        self.raw_stat = raw_stat
        self.err = err
        self._octets = octets
        self.raw_network_error = raw_network_error

    @property
    def id(self) -> str | None:
        """The best candidate."""
        return self.candidates[0] if self.candidates else None

    @property
    def fields(self) -> "Fields":
        """Everything the text says."""
        return search_fields(self._octets.decode("latin-1"))

    @property
    def sub(self) -> int | None:
        """How many messages were submitted."""
        return _number(self.fields[1])

    @property
    def dlvrd(self) -> int | None:
        """How many were delivered."""
        return _number(self.fields[2])

    @property
    def text(self) -> str | None:
        """The beginning of the message."""
        return self.fields[7]

    @property
    def network_error(self) -> tuple[int, int] | None:
        """The kind of network and its error code, from the TLV."""
        raw = self.raw_network_error
        return (raw[0], int.from_bytes(raw[1:], "big")) if len(raw) == 3 else None

    @property
    def final(self) -> bool:
        """Whether nothing more is to come for the message."""
        return self.state in FINAL

    @property
    def submit_date(self) -> datetime | None:
        """When the SMSC took the message, by its own clock."""
        return _date(self.fields[3] or "")

    @property
    def done_date(self) -> datetime | None:
        """When it reached its state, by the SMSC's clock."""
        return _date(self.fields[4] or "")


def is_receipt(esm_class: int, tlvs: Tlvs) -> bool:
    """By esm_class, or because receipted_message_id is there: a text alone is what any subscriber can type."""
    kind = esm_class & _TYPE_MASK
    return kind in (0x04, 0x20) or (kind == 0 and get(tlvs, _RECEIPTED_MESSAGE_ID) is not None)


def parse(esm_class: int, short_message: bytes, tlvs: Tlvs, *, trust_text: bool = False) -> Receipt | None:
    """The receipt in a deliver_sm or data_sm; None for a mobile-originated message.

    TLVs win over the text; the text's id stays a candidate. `trust_text` also takes a text with `id:` and `stat:` whose
    esm_class says nothing (some carriers).
    """
    tags = dict(reversed(tlvs))  # of a repeated tag the first counts
    octets = (short_message or tags.get(_MESSAGE_PAYLOAD) or b"").rstrip(b"\0")
    text_id, stat, err = hot.receipt_words(octets) or _search_words(octets)
    if not is_receipt(esm_class, tlvs) and (not trust_text or esm_class & _TYPE_MASK or text_id is None or stat is None):
        return None
    told_id = tags.get(_RECEIPTED_MESSAGE_ID)
    tlv_id = told_id.split(b"\0", 1)[0].decode("latin-1") if told_id else ""  # some peers omit the NUL, some pad
    candidates = [tlv_id] if tlv_id else []
    if text_id and text_id != tlv_id:
        candidates.append(text_id)
    state = tags.get(_MESSAGE_STATE)
    return Receipt(
        _state(stat or "") if not state else _STATE_OF.get(int.from_bytes(state, "big"), _UNKNOWN),
        candidates,
        stat or None,
        err,
        octets,
        tags.get(_NETWORK_ERROR_CODE, b""),
    )


Words: TypeAlias = tuple[str | None, str | None, str | None]
"""Id, stat and err of a text; None for what is not there."""
Fields: TypeAlias = tuple[str | None, str | None, str | None, str | None, str | None, str | None, str | None, str | None]
"""Values of the keys of a receipt's text, in the order of Appendix B; None for a key that is not there."""
_NO_FIELDS: Fields = (None, None, None, None, None, None, None, None)


def _search_words(octets: bytes) -> Words:
    """Of a text that is not Appendix B to the letter."""
    text = octets.decode("latin-1")
    fields = search_fields(text)
    return fields[0], _bare_stat(text) if fields == _NO_FIELDS else fields[5], fields[6]


def search_fields(text: str) -> Fields:
    """The first of a key wins, and nothing after `text:` is a key."""
    found: dict[str, str] = {}
    marks = list(_KEYS.finditer(text))
    for mark, following in zip_longest(marks, marks[1:]):
        key = mark[1].lower()
        if key == "text":
            found.setdefault(key, text[mark.end() :])
            break
        value = text[mark.end() : following.start() if following else len(text)]
        if key not in found:
            found[key] = _first_word(value)
    get_found = found.get
    return (
        *(get_found("id"), get_found("sub"), get_found("dlvrd"), get_found("submit date"), get_found("done date")),
        *(get_found("stat"), get_found("err"), get_found("text")),
    )


def _first_word(value: str) -> str:
    words = value.split(None, 1)
    return words[0] if words else ""


def _bare_stat(text: str) -> str:
    word = text.strip()
    return word if word.upper() in _STATS and not word.isdigit() else ""


def _state(stat: str) -> MessageState:
    upper = stat.upper()
    known = _STATS.get(upper)
    if known is not None:
        return known
    if "REJECT" in upper or upper.startswith("ID:"):
        return MessageState.REJECTED
    return MessageState.UNDELIVERABLE if _CARRIER_CODE.match(upper) else MessageState.UNKNOWN


def _number(value: str | None) -> int | None:
    return int(value) if value and len(value) < 10 and value.isascii() and value.isdigit() else None


_DATE_FORMATS = {10: ("%y%m%d%H%M",), 12: ("%y%m%d%H%M%S", "%Y%m%d%H%M"), 14: ("%Y%m%d%H%M%S",)}


def _date(value: str) -> datetime | None:
    value = value.strip()
    if len(value) == 16:
        try:
            parsed = times.parse_time(value)
        except ContentError:
            return None
        return parsed.replace(tzinfo=None, microsecond=0) if isinstance(parsed, datetime) else None
    if not (value.isascii() and value.isdigit()):
        return None
    for form in _DATE_FORMATS.get(len(value), ()):
        try:
            return datetime.strptime(value, form)  # noqa: DTZ007 - receipts carry no zone
        except ValueError:
            continue
    return None


@lru_cache(maxsize=4096)
def _behind_id(state: MessageState, submitted: datetime, done: datetime, err: int) -> tuple[bytes, tuple[int, bytes]]:
    """The text behind the id and the TLV of the state: receipts of one minute share them."""
    stat = _WRITTEN.get(state, "UNKNOWN")
    delivered = 1 if state is MessageState.DELIVERED else 0
    line = (
        f" sub:001 dlvrd:{delivered:03d} submit date:{submitted:%y%m%d%H%M} "
        f"done date:{done:%y%m%d%H%M} stat:{stat} err:{err % 1000:03d} text:"
    )
    return line.encode("latin-1"), (_MESSAGE_STATE, bytes((state,)))


def write(
    message_id: str, state: MessageState, submitted: datetime, done: datetime, err: int = 0, text: bytes = b""
) -> tuple[bytes, Tlvs]:
    """(short_message, TLVs) of a receipt exactly as Appendix B shows it: strict readers drop anything else.

    `message_id` as it stood in the submit_sm_resp; dates in the zone the receiver expects; `err` 0-999; `text` is the
    first octets of the message, of which 20 are sent.
    """
    told = message_id.encode("latin-1")
    line, state_tlv = _behind_id(state, submitted, done, err)
    return b"id:" + told + line + text[:20], ((_RECEIPTED_MESSAGE_ID, told + b"\0"), state_tlv)
