"""Ended messages, one SQLite file a day (UTC, by the moment they ended), whatever store holds the living.

Rows are added by id, and nothing else is indexed while a day lasts: that is done when it is over (`close_days`), off the path
of messages. Retention deletes files; texts can go sooner than the rest. The same record may be added again: the last one
counts.
"""

import math
import sqlite3
import time
from collections.abc import Iterable, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from gateway.store.embedded.schema import HISTORY, HISTORY_PAGE_SIZE, RESTORE_HINT, connect, connect_reader, transaction
from gateway.store.record import Record
from gateway.store.vault import NotWrittenError, VaultError

FOLDER = "history"
OPEN_MAX = 3
SIZES = (100, 10, 1)
"""Rows one statement adds. SQLite takes values sooner than a document apart, and gives up the interpreter once a statement."""
_ADD = {size: f"INSERT OR REPLACE INTO final(key, value) VALUES {', '.join(['(?, ?)'] * size)}" for size in SIZES}
_FIND = "SELECT t.value FROM json_each(?) AS wanted JOIN final AS t ON t.key = CAST(wanted.value AS INTEGER)"
INDEXED = {"destination": "$.message.destination", "client_ref": "$.message.client_ref", "public_id": "$.message.public_id"}
"""What can be searched for in a day that is over without reading all of it."""
Rows: TypeAlias = list[int | str]
"""Id, record as JSON, id, record ..."""
DAY_S = 86_400
INSTRUCTIONS = 1_000
"""Of SQLite's machine between two looks at the clock during a search."""
_EPOCH = date(1970, 1, 1)
_JSON = msgspec.json.Encoder()
_RECORD = msgspec.json.Decoder(Record)


def rows_by_day(records: Iterable[Record]) -> dict[date, Rows]:
    """Rows for `History.add`; made where the records may not change meanwhile."""
    by_day: dict[int, list[Record]] = {}
    for record in records:
        by_day.setdefault(int(record.message.final_utc // DAY_S), []).append(record)
    return {_EPOCH + timedelta(days=day): _encoded(several) for day, several in by_day.items()}


def _encoded(records: list[Record]) -> Rows:
    values = _JSON.encode_lines(records).decode().split("\n")
    rows: Rows = [0] * (2 * len(records))
    rows[::2] = [record.message.id for record in records]
    rows[1::2] = values[:-1]  # each line is ended
    return rows


def _insert(writer: sqlite3.Connection, rows: Rows) -> None:
    at = 0
    for size in SIZES:
        while len(rows) - at >= 2 * size:
            writer.execute(_ADD[size], rows[at : at + 2 * size])
            at += 2 * size


class SearchTooLongError(Exception):
    """A search that must read too much; the text says what makes it shorter."""


class History:
    """See the module. `search_s`: a search that takes longer is given up.

    Blocking; `add`, `close_days` and `retain` are called from one thread, the rest from another.
    """

    def __init__(self, data_dir: Path, *, search_s: float = math.inf) -> None:
        self.folder = data_dir / FOLDER
        self._search_s = search_s
        self._search_until = math.inf
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise VaultError(f"{self.folder}: {error.strerror}") from None
        self._writers: dict[date, sqlite3.Connection] = {}
        self._readers: dict[date, sqlite3.Connection] = {}

    def add(self, by_day: dict[date, Rows]) -> None:
        """Store rows. Raises NotWrittenError."""
        for day, rows in by_day.items():
            try:
                writer = self._writer(day)
                with transaction(writer):
                    _insert(writer, rows)
            except (sqlite3.Error, VaultError) as error:
                raise NotWrittenError(f"{self.path(day)}: {error}") from error

    def path(self, day: date) -> Path:
        """The file of a day."""
        return self.folder / f"{day.isoformat()}.db"

    def days(self) -> list[date]:
        """Days there is a file of, newest first."""
        return sorted((date.fromisoformat(one.stem) for one in self.folder.glob("????-??-??.db")), reverse=True)

    def _writer(self, day: date) -> sqlite3.Connection:
        writer = self._writers.get(day)
        if writer is None:
            while len(self._writers) >= OPEN_MAX:
                self._writers.pop(min(self._writers)).close()
            writer = self._writers[day] = connect(self.path(day), HISTORY, check=False, page_size=HISTORY_PAGE_SIZE)
        return writer

    # -- reading

    def find(self, ids: Sequence[int]) -> dict[int, Record]:
        """Records by id, wherever they ended; ids tell when they began, so only days from then on are looked at."""
        found: dict[int, Record] = {}
        wanted = set(ids)
        for day in self.days():
            if not wanted:
                break
            for (value,) in self._rows(day, _FIND, (_JSON.encode(list(wanted)).decode(),)):
                record = _RECORD.decode(value)
                found[record.message.id] = record
            wanted -= found.keys()
        return found

    def search(
        self, fields: dict[str, str | int], *, before: int | None = None, since: int = 0, limit: int = 100
    ) -> list[Record]:
        """Records whose message has all of `fields`, newest id first; `before`: the id a page ended with, `since`: the least.

        A message may end on any day after it began, so every day is asked; the ids found so far keep the others short.
        Raises SearchTooLongError.
        """
        conditions = "".join(f" AND value ->> '$.message.{name}' = ?" for name in fields)
        sql = f"SELECT key, value FROM final WHERE key < ? AND key >= ?{conditions} ORDER BY key DESC LIMIT ?"
        self._search_until = time.monotonic() + self._search_s
        best: dict[int, str] = {}
        try:
            for day in self.days():
                least = min(best) + 1 if len(best) == limit else since
                for key, value in self._rows(day, sql, (before or 1 << 62, least, *fields.values(), limit)):
                    best.setdefault(key, value)  # a correction is added on a later day, which was asked before
                for key in sorted(best)[: max(0, len(best) - limit)]:
                    del best[key]
        finally:
            self._search_until = math.inf
        return [_RECORD.decode(best[key]) for key in sorted(best, reverse=True)]

    def _rows(self, day: date, sql: str, values: Sequence[object]) -> list[Any]:
        try:
            reader = self._reader(day)
            if reader.execute("PRAGMA user_version").fetchone() == (0,):
                return []  # just begun, or left so by a crash: its table is not there yet
            return reader.execute(sql, values).fetchall()
        except (sqlite3.Error, VaultError) as error:
            if time.monotonic() > self._search_until:
                raise SearchTooLongError(
                    f"no answer within {self._search_s:g} s: name a recipient, or a later `since`"
                ) from None
            if not self.path(day).exists():  # its time was over
                return []
            raise VaultError(f"{self.path(day)}: {error}; {RESTORE_HINT}") from error

    def _reader(self, day: date) -> sqlite3.Connection:
        reader = self._readers.get(day)
        if reader is None:
            while len(self._readers) >= OPEN_MAX:
                self._readers.pop(min(self._readers)).close()
            reader = self._readers[day] = connect_reader(self.path(day))
            if self._search_s < math.inf:
                reader.set_progress_handler(lambda: time.monotonic() > self._search_until, INSTRUCTIONS)
        return reader

    # -- when time has passed

    def close_days(self, today: date) -> list[date]:
        """Index the days that are over; gives those that were not yet."""
        closed = []
        for day in self.days():
            if day >= today - timedelta(days=1):
                continue  # a correction or a late archive may still come for yesterday
            writer = self._writer(day)
            names = {name for (name,) in writer.execute("SELECT name FROM sqlite_schema WHERE type = 'index'")}
            if names.issuperset(INDEXED):
                break  # and so are all before it
            for name, path in INDEXED.items():
                writer.execute(f"CREATE INDEX IF NOT EXISTS {name} ON final(value ->> '{path}')")
            writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._writers.pop(day).close()
            closed.append(day)
        return closed

    def retain(self, today: date, *, history_days: int, text_days: int) -> tuple[list[date], list[date]]:
        """Delete what is older; gives the days deleted, and those whose texts were."""
        deleted, emptied = [], []
        for day in self.days():
            if day < today - timedelta(days=history_days):
                self._forget(day)
                for file in self.folder.glob(f"{day.isoformat()}.db*"):
                    file.unlink()
                deleted.append(day)
            elif day < today - timedelta(days=text_days) and self._purge_texts(day):
                emptied.append(day)
        return deleted, emptied

    def _purge_texts(self, day: date) -> bool:
        writer = self._writer(day)
        where = "WHERE value ->> '$.message.content' IS NOT NULL"
        if writer.execute(f"SELECT 1 FROM final {where} LIMIT 1").fetchone() is None:
            return False
        writer.execute("PRAGMA secure_delete = ON")
        writer.execute(f"UPDATE final SET value = json_remove(value, '$.message.content') {where}")
        writer.execute("VACUUM")
        writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return True

    def _forget(self, day: date) -> None:
        for several in (self._writers, self._readers):
            connection = several.pop(day, None)
            if connection is not None:
                connection.close()

    def close(self) -> None:
        """Close every file."""
        for several in (self._writers, self._readers):
            while several:
                several.popitem()[1].close()
