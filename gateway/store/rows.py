"""What a write holds besides its page: rows by map, encoded at the end as one document each, and where they came from."""

from typing import Any, TypeAlias

import msgspec

from gateway.store.changes import Changes
from gateway.store.fetch import due_key, queue_key
from gateway.store.keys import SEPARATOR, keys
from gateway.store.record import Record
from gateway.store.rollups import Key
from gateway.store.traits import attention
from gateway.store.vault import Write
from gateway.store.working_set import RANK
from routing.records import MessageState

_JSON = msgspec.json.Encoder()
Places: TypeAlias = bytes
"""Where a message must be found: keys of the sets, each with its set. Packed: as tuples they took half as much as a message."""
_PACK = msgspec.msgpack.Encoder()
_UNPACK = msgspec.msgpack.Decoder(list[tuple[str, str]])
NOWHERE: Places = _PACK.encode([])


def places_of(record: Record, grace_s: float) -> Places:
    """Where a record must be found."""
    message = record.message
    number = message.id
    places = [("find", f"{key}{SEPARATOR}{number}") for key in dict.fromkeys(keys(record))]
    places.append(("due", due_key(attention(record, grace_s), number)))
    if message.state is MessageState.QUEUED:
        places.append(("queue", queue_key(RANK[message.class_], number)))
    return _PACK.encode(places)


def each(places: Places) -> list[tuple[str, str]]:
    """Set and key of each of the places."""
    return _UNPACK.decode(places)


class Rows:
    """Rows by map, encoded at the end: one document for each map."""

    def __init__(self) -> None:
        self._puts: dict[str, dict[str, Any]] = {}
        self._adds: dict[str, list[str]] = {}
        self._removes: dict[str, list[str]] = {}

    def put(self, name: str, key: str, value: Any) -> None:
        """A row of a map."""
        self._puts.setdefault(name, {})[key] = value

    def add(self, name: str, key: str) -> None:
        """A key of a set."""
        self._adds.setdefault(name, []).append(key)

    def remove(self, name: str, key: str) -> None:
        """A row or a key that goes."""
        self._removes.setdefault(name, []).append(key)

    def into(self, write: Write) -> None:
        """Everything so far as the write's documents."""
        write.puts = [(name, _JSON.encode(rows)) for name, rows in self._puts.items()]
        write.adds = [(name, _JSON.encode(rows)) for name, rows in self._adds.items()]
        write.removes = [(name, _JSON.encode(rows)) for name, rows in self._removes.items()]


class Taken:
    """What the write in progress holds."""

    def __init__(self, changes: Changes) -> None:
        self.changes = changes
        self.ended: list[int] = []
        """Messages that nothing can change any more."""
        self.rows: dict[int, Places] = {}
        self.messages: dict[int, int] = {}
        self.guards: dict[str, int] = {}
        self.notices: dict[int, int] = {}
        self.parked: dict[int, int] = {}
        self.sums: dict[str, int] = {}
        self.rollups: dict[Key, int] = {}
        self.documents: dict[str, int] = {}
        self.requests: dict[str, int] = {}
        self.gone: dict[int, Places] = {}
        self.gone_notices: dict[str, float] = {}
