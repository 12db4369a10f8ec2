"""What a write holds besides its page: rows by map, encoded at the end as one document each, and where they came from."""

from typing import Any, TypeAlias

import msgspec

from gateway.store.changes import Changes
from gateway.store.rollups import Key
from gateway.store.vault import Write

_JSON = msgspec.json.Encoder()
Places: TypeAlias = tuple[tuple[str, str], ...]
"""Where a message must be found: keys of the sets, each with its set."""


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
        self.rows: dict[int, Places] = {}
        self.messages: dict[int, int] = {}
        self.guards: dict[str, int] = {}
        self.notices: dict[int, int] = {}
        self.parked: dict[int, int] = {}
        self.sums: dict[str, int] = {}
        self.rollups: dict[Key, int] = {}
        self.gone: dict[int, Places] = {}
        self.gone_notices: dict[str, float] = {}
