"""The carrier's own book: one entry per submit, written as a JSON line when nothing more can happen to it, or at the end.

Times are UTC seconds. `receipt` is one of none (not asked for), due, waiting (no bind takes it), sent, acknowledged, refused,
lost (by --dlr-loss), dropped (waited too long).
"""

from pathlib import Path
from typing import IO

import msgspec

from protocol.receipt import MessageState

REMEMBERED = 100_000
"""Entries query_sm can find: at least half of this."""
BUFFER_SIZE = 1 << 18


class Entry(msgspec.Struct, gc=False):
    """One submit (one destination of a submit_multi)."""

    n: int
    connection: int
    system_id: str
    command: int
    sequence: int
    source_ton: int
    source_npi: int
    source: str
    dest_ton: int
    dest_npi: int
    destination: str
    esm_class: int
    data_coding: int
    registered_delivery: int
    octets: str
    """User data in hexadecimal, header included."""
    reference: int | None
    """user_message_reference."""
    received: float
    tlvs: bool
    """Whether the client takes TLVs."""
    fate: str = "accepted"
    """accepted, refused or swallowed."""
    status: int = 0
    id: str = ""
    receipt_id: str = ""
    state: MessageState = MessageState.ENROUTE
    stat: str = ""
    """The state in which the message ends, as a receipt spells it."""
    responded: float | None = None
    """When the response was written; null: it never was."""
    answered: bool = False
    """Whether nothing more will be said in answer: written, swallowed, or the line was gone."""
    receipt: str = "none"
    receipt_sent: int = 0
    receipt_open: int = 0
    receipt_at: float | None = None
    acknowledged_at: float | None = None
    receipt_status: int | None = None

    @property
    def settled(self) -> bool:
        """Whether nothing more can happen."""
        return self.answered and self.receipt not in _OPEN and not self.receipt_open


_OPEN = frozenset({"due", "waiting", "sent"})


class Ledger:
    """Entries that are open, and the recent ones by id."""

    def __init__(self, path: Path | None) -> None:
        self._file: IO[bytes] | None = path.open("wb") if path is not None else None
        self._buffer = bytearray()
        self._encoder = msgspec.json.Encoder()
        self._open: dict[int, Entry] = {}
        self._recent: dict[str, Entry] = {}
        self._older: dict[str, Entry] = {}

    @property
    def written(self) -> bool:
        """Whether entries are written anywhere: without a file nobody needs to settle them."""
        return self._file is not None

    def add(self, entry: Entry) -> None:
        """Take a decided entry up."""
        if self._file is not None:
            self._open[entry.n] = entry
        if entry.id:
            self._recent[entry.id] = entry
            if len(self._recent) > REMEMBERED // 2:
                self._older, self._recent = self._recent, {}

    def find(self, message_id: str) -> Entry | None:
        """The entry with that id in its response, if it is recent enough."""
        return self._recent.get(message_id) or self._older.get(message_id)

    def recent(self) -> list[Entry]:
        """What `find` can find, oldest first."""
        return [*self._older.values(), *self._recent.values()]

    def settle(self, entry: Entry) -> None:
        """Write the entry if it is finished."""
        if self._file is not None and entry.settled and self._open.pop(entry.n, None) is not None:
            self._write(entry)
            if len(self._buffer) > BUFFER_SIZE:
                self.flush()

    def _write(self, entry: Entry) -> None:
        self._buffer += self._encoder.encode(entry)
        self._buffer.append(0x0A)

    def flush(self) -> None:
        """Hand the buffer to the system."""
        if self._file is not None and self._buffer:
            self._file.write(self._buffer)
            self._file.flush()
            self._buffer.clear()

    def close(self) -> None:
        """Write what is still open, and end."""
        for entry in self._open.values():
            self._write(entry)
        self._open.clear()
        self.flush()
        if self._file is not None:
            self._file.close()
            self._file = None
