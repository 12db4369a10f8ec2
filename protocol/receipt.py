"""Delivery receipts: read leniently, written strictly (SMPP 3.4 Appendix B, which calls itself vendor specific).

Seen in the field: keys in any order and case, missing ones, prefixes, carrier codes in `stat`, dates of 10 to 16 digits,
texts without any key and everything in TLVs. The sender's own clock, not these dates, measures delivery.
"""

import re
from datetime import datetime
from enum import IntEnum
from functools import lru_cache
from itertools import zip_longest

import msgspec

from protocol import times
from protocol.errors import ContentError
from protocol.tlv import Tag, Tlvs, get, get_int, get_text

RECEIPT = 0x04
"""esm_class of a delivery receipt; 0x20 is an intermediate notification."""
_TYPE_MASK = 0x3C
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


class Receipt(msgspec.Struct):
    """A parsed receipt. `id` is the best candidate, `candidates` all of them; dates have no zone (the SMSC's local time).

    Dates are parsed when they are asked for: the message path never does, its clock is our own.
    """

    id: str | None
    state: MessageState
    candidates: list[str]
    raw_stat: str | None = None
    err: str | None = None
    sub: int | None = None
    dlvrd: int | None = None
    raw_submit_date: str = ""
    raw_done_date: str = ""
    text: str | None = None
    network_error: tuple[int, int] | None = None

    @property
    def final(self) -> bool:
        """Whether nothing more is to come for the message."""
        return self.state in FINAL

    @property
    def submit_date(self) -> datetime | None:
        """When the SMSC took the message, by its own clock."""
        return _date(self.raw_submit_date)

    @property
    def done_date(self) -> datetime | None:
        """When it reached its state, by the SMSC's clock."""
        return _date(self.raw_done_date)


def is_receipt(esm_class: int, tlvs: Tlvs) -> bool:
    """By esm_class, or because receipted_message_id is there: a text alone is what any subscriber can type."""
    kind = esm_class & _TYPE_MASK
    return kind in (0x04, 0x20) or (kind == 0 and get(tlvs, Tag.RECEIPTED_MESSAGE_ID) is not None)


def parse(esm_class: int, short_message: bytes, tlvs: Tlvs, *, trust_text: bool = False) -> Receipt | None:
    """The receipt in a deliver_sm or data_sm; None for a mobile-originated message.

    TLVs win over the text; the text's id stays a candidate. `trust_text` also takes a text with `id:` and `stat:` whose
    esm_class says nothing (some carriers).
    """
    raw = short_message or get(tlvs, Tag.MESSAGE_PAYLOAD) or b""
    text = raw.rstrip(b"\0").decode("latin-1")
    found = _fields(text)
    if not is_receipt(esm_class, tlvs) and not (trust_text and esm_class & _TYPE_MASK == 0 and {"id", "stat"} <= found.keys()):
        return None
    stat = found.get("stat", "").strip() or (_bare_stat(text) if not found else "")
    tlv_id = get_text(tlvs, Tag.RECEIPTED_MESSAGE_ID)
    candidates = [c for c in dict.fromkeys((tlv_id, found.get("id", "").strip())) if c]
    error = get(tlvs, Tag.NETWORK_ERROR_CODE)
    return Receipt(
        candidates[0] if candidates else None,
        _state(get_int(tlvs, Tag.MESSAGE_STATE), stat),
        candidates,
        stat or None,
        found["err"].strip() if "err" in found else None,
        _number(found.get("sub")),
        _number(found.get("dlvrd")),
        found.get("submit date", ""),
        found.get("done date", ""),
        found.get("text"),
        (error[0], int.from_bytes(error[1:3], "big")) if error is not None and len(error) == 3 else None,
    )


_STANDARD = re.compile(
    r"id:([^\s:]+) sub:([^\s:]*) dlvrd:([^\s:]*) submit date:([^\s:]*) done date:([^\s:]*) "
    r"stat:([^\s:]*) err:([^\s:]*) text:(.*)",
    re.DOTALL,
)
_STANDARD_KEYS = ("id", "sub", "dlvrd", "submit date", "done date", "stat", "err", "text")


def _fields(text: str) -> dict[str, str]:
    """Values by lower-case key. Nearly all carriers write Appendix B to the letter: one match, else the search."""
    standard = _STANDARD.fullmatch(text)
    return dict(zip(_STANDARD_KEYS, standard.groups(), strict=True)) if standard else _search_fields(text)


def _search_fields(text: str) -> dict[str, str]:
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
    return found


def _first_word(value: str) -> str:
    words = value.split(None, 1)
    return words[0] if words else ""


def _bare_stat(text: str) -> str:
    word = text.strip()
    return word if word.upper() in _STATS and not word.isdigit() else ""


def _state(tlv: int | None, stat: str) -> MessageState:
    if tlv is not None:
        return MessageState(tlv) if tlv in MessageState._value2member_map_ else MessageState.UNKNOWN
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


@lru_cache(maxsize=1024)
def _stamp(moment: datetime) -> str:
    """Receipts of one minute share their dates, so formatting is done once a minute and not once a receipt."""
    return f"{moment:%y%m%d%H%M}"


def write(
    message_id: str, state: MessageState, submitted: datetime, done: datetime, err: int = 0, text: bytes = b""
) -> tuple[bytes, Tlvs]:
    """(short_message, TLVs) of a receipt exactly as Appendix B shows it: strict readers drop anything else.

    `message_id` as it stood in the submit_sm_resp; dates in the zone the receiver expects; `err` 0-999; `text` is the
    first octets of the message, of which 20 are sent.
    """
    stat = _WRITTEN.get(state, "UNKNOWN")
    delivered = 1 if state is MessageState.DELIVERED else 0
    line = (
        f"id:{message_id} sub:001 dlvrd:{delivered:03d} submit date:{_stamp(submitted)} "
        f"done date:{_stamp(done)} stat:{stat} err:{err % 1000:03d} text:"
    )
    tlvs = (
        (int(Tag.RECEIPTED_MESSAGE_ID), message_id.encode("latin-1") + b"\0"),
        (int(Tag.MESSAGE_STATE), bytes((state,))),
    )
    return line.encode("latin-1") + text[:20], tlvs
