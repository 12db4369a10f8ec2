"""What a step needs that is not in memory, and reading it from the vault. Runs in the reader's thread; nothing here is
shared.
"""

import msgspec

from gateway.store.base import RequestRecord
from gateway.store.guardcells import Entries
from gateway.store.keys import SEPARATOR
from gateway.store.record import Record
from gateway.store.vault import LAST, Vault
from routing.records import Notice

_RECORD = msgspec.json.Decoder(Record)
_NOTICE = msgspec.json.Decoder(Notice)
_REQUEST = msgspec.json.Decoder(RequestRecord)
_ENTRIES = msgspec.json.Decoder(Entries)


class Wanted(msgspec.Struct):
    """`ids` of messages, `finds` keys to find messages by, `guards` keys of guards.

    `due_from`: when not None, whatever is due up to `due_to`. `queue`: (rank, after which key, how many). `notices`: (box,
    how many). `requests` by key.
    """

    ids: set[int] = msgspec.field(default_factory=set)
    finds: list[str] = []
    guards: list[str] = []
    due_after: str | None = None
    due_to: str = ""
    due_limit: int = 0
    queue: tuple[int, str, int] | None = None
    notices: tuple[str, int] | None = None
    requests: list[str] = []

    def __bool__(self) -> bool:
        several = self.ids or self.finds or self.guards or self.requests or self.queue
        return bool(several or self.due_after is not None or self.notices is not None)


class Found(msgspec.Struct):
    """What there was. `due_end` is the last due key looked at, `due_next` the first one that was not due yet."""

    records: list[Record] = []
    guards: dict[str, Entries] = {}
    notices: list[Notice] = []
    queued: list[int] = []
    queue_end: str = ""
    due_notices: list[str] = []
    due_requests: list[str] = []
    requests: list[RequestRecord] = []
    due_end: str | None = None
    due_next: str | None = None


def fetch(vault: Vault, wanted: Wanted) -> Found:
    """Everything of `wanted` that the vault has."""
    found = Found()
    ids = set(wanted.ids)
    if wanted.finds:
        ids.update(id_of(key) for key in vault.under("find", wanted.finds))
    if wanted.due_after is not None:
        ids |= _due(vault, wanted, found)
    if wanted.queue is not None:
        rank, after, limit = wanted.queue
        keys = [key for key, _ in vault.scan("queue", after or queue_prefix(rank), queue_prefix(rank) + LAST, limit)]
        found.queued = [id_of(key) for key in keys]
        found.queue_end = keys[-1] if keys else ""
        ids.update(found.queued)
    if ids:
        found.records = [_RECORD.decode(row) for row in vault.get("message", [str(one) for one in ids]).values()]
    if wanted.guards:
        rows = vault.get("guard", wanted.guards)
        found.guards = {key: _ENTRIES.decode(rows[key]) if key in rows else {} for key in wanted.guards}
    if wanted.notices is not None:
        box, limit = wanted.notices
        rows_ = vault.scan("notice", box + SEPARATOR, box + SEPARATOR + LAST, limit)
        found.notices += [_NOTICE.decode(row) for _, row in rows_]
    if wanted.requests:
        found.requests = [_REQUEST.decode(row) for row in vault.get("request", wanted.requests).values()]
    return found


def _due(vault: Vault, wanted: Wanted, found: Found) -> set[int]:
    assert wanted.due_after is not None
    keys = [key for key, _ in vault.scan("due", wanted.due_after, wanted.due_to, wanted.due_limit)]
    if keys:
        found.due_end = keys[-1]
    if len(keys) < wanted.due_limit:
        later = vault.scan("due", wanted.due_to, LAST, 1)
        found.due_next = later[0][0] if later else None
    else:
        found.due_next = keys[-1]
    found.due_notices = [key for key in keys if key.split(SEPARATOR, 2)[1] == "n"]
    found.due_requests = [key for key in keys if key.split(SEPARATOR, 2)[1] == "r"]
    notices = [key.split(SEPARATOR, 2)[2] for key in found.due_notices]
    if notices:
        found.notices = [_NOTICE.decode(row) for row in vault.get("notice", notices).values()]
    return {id_of(key) for key in keys if key.split(SEPARATOR, 2)[1] == "m"}


# -- how keys are spelled


def id_of(key: str) -> int:
    """The id at the end of a key."""
    return int(key[key.rindex(SEPARATOR) + 1 :])


def queue_prefix(rank: int) -> str:
    """Before the queue of a class."""
    return f"{rank}{SEPARATOR}"


def queue_key(rank: int, message_id: int) -> str:
    """A place in the queue of a class: older ids first."""
    return f"{rank}{SEPARATOR}{message_id:019d}"


def due_key(utc: float, message_id: int) -> str:
    """When a message needs to be looked at."""
    return f"{utc:014.3f}{SEPARATOR}m{SEPARATOR}{message_id}"


def due_notice_key(utc: float, notice: str) -> str:
    """When a notice is given up."""
    return f"{utc:014.3f}{SEPARATOR}n{SEPARATOR}{notice}"


def due_request_key(utc: float, request: str) -> str:
    """When a request's answer is forgotten."""
    return f"{utc:014.3f}{SEPARATOR}r{SEPARATOR}{request}"


def request_of(key: str) -> str:
    """The request in a due key."""
    return key.split(SEPARATOR, 2)[2]


def due_time(key: str) -> float:
    """The moment in a due key."""
    return float(key[: key.index(SEPARATOR)])


def notice_key(box: str, notice_id: int) -> str:
    """A notice's place: by box, older ones first; a correction stands behind what it corrects."""
    return f"{box}{SEPARATOR}{abs(notice_id):019d}{'c' if notice_id < 0 else ''}"
