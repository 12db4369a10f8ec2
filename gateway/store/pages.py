"""The journal's pages: what steps changed, cut into one piece that is stored at once.

A page is a snapshot: of everything that changed it holds the state at the moment it is cut, however often it changed. Pages are
applied in order, so of several the last counts. Every field has a default, and unknown ones are skipped: pages of an older
version are read.
"""

from collections.abc import Iterable
from typing import Any, TypeAlias

import msgspec

from gateway.store.base import CarrierReceipt, RequestRecord
from gateway.store.changes import Changes
from gateway.store.documents import Documents
from gateway.store.ended import Ended
from gateway.store.guardcells import Entries
from gateway.store.guards import GuardBook
from gateway.store.nearby import AT_ONCE, prefetch
from gateway.store.pagebuffer import PageBuffer
from gateway.store.record import Record
from gateway.store.rollups import Rollups, spell
from gateway.store.vault import SUM_SIZE, is_whole
from routing.records import Attempt, Message, MessageState, Notice

PROGRESS = (
    "state",
    "reason",
    "err",
    "tries",
    "refusals",
    "tried",
    "channel",
    "possible_duplicate",
    "group_whole",
    "final_utc",
    "not_before_utc",
    "due_utc",
    "expires_utc",
    "cost",
    "money",
    "window_end_utc",
)
"""Fields of a message that change after it was admitted. Only ever add at the end."""

Progress: TypeAlias = tuple[int, list[Any], list[Attempt]]
"""Id, the values of PROGRESS, every attempt."""


class DamagedPageError(Exception):
    """A page of the journal is not what was written."""


class Page(msgspec.Struct, omit_defaults=True):
    """A piece of the journal."""

    admitted: list[Record] = []
    changed: list[Progress] = []
    ended: list[Ended] = []
    """After all that the page says of them otherwise."""
    void: list[int] = []
    notices: list[Notice] = []
    told: list[tuple[str, int]] = []
    dead: list[Notice] = []
    parked: list[tuple[int, CarrierReceipt]] = []
    unparked: list[int] = []
    guards: dict[str, Entries] = {}
    sums: dict[str, int] = {}
    totals: dict[str, int] = {}
    rollups: dict[str, list[int]] = {}
    documents: dict[str, bytes] = {}
    """Empty ones are gone."""
    requests: list[RequestRecord] = []


def progress_of(record: Record) -> tuple[int, tuple[Any, ...], list[Attempt]]:
    """How far a message is."""
    one = record.message
    progress = (
        one.state,
        one.reason,
        one.err,
        one.tries,
        one.refusals,
        one.tried,
        one.channel,
        one.possible_duplicate,
        one.group_whole,
        one.final_utc,
        one.not_before_utc,
        one.due_utc,
        one.expires_utc,
        one.cost,
        one.money,
        one.window_end_utc,
    )
    return one.id, progress, record.attempts


def apply_progress(message: Message, values: Iterable[Any]) -> None:
    """Set what `progress_of` gave, decoded."""
    for name, value in zip(PROGRESS, values, strict=False):
        setattr(message, name, value)
    message.state = MessageState(message.state)
    message.tried = tuple(message.tried)


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Page)


def cut(
    changes: Changes, guards: GuardBook, rollups: Rollups, documents: Documents, totals: dict[str, int], into: PageBuffer
) -> memoryview:
    """The page of `changes`, with a checksum in front; it is there until the next one is begun in the same buffer."""
    page: dict[str, Any] = {"totals": totals}
    whole = {**changes.rewritten, **changes.admitted} if changes.rewritten else changes.admitted
    changed = [one for number, one in changes.changed.items() if number not in whole]
    for name in ("void", "unparked"):
        if found := getattr(changes, name):
            page[name] = list(found)
    for name in ("ended", "notices", "dead", "requests"):
        if found := getattr(changes, name):
            page[name] = list(found.values())
    if changes.told:
        page["told"] = [(account, number) for number, account in changes.told.items()]
    if changes.parked:
        page["parked"] = list(changes.parked.items())
    if changes.guards:
        page["guards"] = {key: guards.held.in_a_page(key) for key in changes.guards}
    if changes.sums:
        page["sums"] = {key: guards.sums[key] for key in changes.sums}
    if changes.rollups:
        page["rollups"] = {spell(key): rollups.held[key] for key in changes.rollups if key in rollups.held}
    if changes.documents:
        page["documents"] = {key: documents.get(key) for key in changes.documents}
    into.begin()
    into.put(b"\xdf" + (len(page) + 2).to_bytes(4, "big"))  # a map in msgpack, and arrays below
    _put_records("admitted", list(whole.values()), into, progress=False)
    _put_records("changed", changed, into, progress=True)
    encode = _ENCODER.encode
    for name, value in page.items():
        into.put(encode(name))
        into.put(encode(value))
    return into.end()


def _put_records(name: str, records: list[Record], into: PageBuffer, *, progress: bool) -> None:
    """Some at a time, asked of memory before they are gone through."""
    encode = _ENCODER.encode
    into.put(encode(name))
    into.put(b"\xdd" + len(records).to_bytes(4, "big"))
    for at in range(0, len(records), AT_ONCE):
        prefetch(records, at, at + AT_ONCE)
        some = records[at : at + AT_ONCE]
        octets = encode([progress_of(one) for one in some] if progress else some)
        into.put(memoryview(octets)[1:])  # without the head of an array, which is one octet for so few


def read(page: bytes) -> Page:
    """A page as it was cut. Raises DamagedPageError."""
    if not is_whole(page):
        raise DamagedPageError("its checksum does not fit")
    try:
        return _DECODER.decode(memoryview(page)[SUM_SIZE:])
    except msgspec.MsgspecError as error:
        raise DamagedPageError(str(error)) from None
