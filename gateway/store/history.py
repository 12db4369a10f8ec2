"""Ended messages, one SQLite file a day (UTC, by the moment they ended), whatever store holds the living.

While a day lasts they are added in *packs*, some fifty records in one row: messages end in another order than they began, and
a row for each would touch a page of the file for nearly each of them. A pack tells its ids, and is found by the first and the
last of them; many at once stand in a file beside it (`packfile.py`). When a day is over packs become rows by id and are
indexed (`close_days`), off the path of messages. Retention deletes files; texts can go sooner than the rest. The same record
may be added again: the last one counts.
"""

import math
import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from gateway.store.embedded.schema import HISTORY, HISTORY_PAGE_SIZE, RESTORE_HINT, connect, connect_reader, transaction
from gateway.store.ended import Ended
from gateway.store.packfile import PackFiles, drop, files_of
from gateway.store.record import Record
from gateway.store.vault import NotWrittenError, VaultError

FOLDER = "history"
OPEN_MAX = 3
PACK = 50
"""Records in a pack: a question reads one or a few of them."""
PAST_SQLITE = 1 << 16
"""Octets that come at once: so many are appended to a file."""
UNPACK_MAX = 200
"""Packs made rows in one transaction."""
SIZES = (10, 1)
"""Packs one statement adds: a thread gives up the interpreter once a statement."""
_ADD = {size: f"INSERT INTO pack(first, last, ids, value) VALUES {', '.join(['(?, ?, ?, ?)'] * size)}" for size in SIZES}
_FIND = "SELECT t.value FROM json_each(?) AS wanted JOIN final AS t ON t.key = CAST(wanted.value AS INTEGER)"
_FIND_PACKED = """
    SELECT pack_text(pack.value) -> ('$[' || place.key || ']') FROM json_each(?) AS wanted
    CROSS JOIN pack ON pack.first <= CAST(wanted.value AS INTEGER) AND pack.last >= CAST(wanted.value AS INTEGER)
    CROSS JOIN json_each(pack.ids) AS place ON place.value = wanted.value
    ORDER BY pack.number
"""
_SEARCH = """
    SELECT value FROM (
        SELECT key, value FROM final WHERE key < ?1 AND key >= ?3{in_final}
        UNION ALL
        SELECT record.value ->> '$.message.id', record.value FROM pack CROSS JOIN json_each(pack_text(pack.value)) AS record
        WHERE pack.first < ?1 AND pack.last >= ?3
            AND record.value ->> '$.message.id' < ?1 AND record.value ->> '$.message.id' >= ?3{in_pack}
    ) ORDER BY key DESC LIMIT ?2
"""
_UNPACK = """
    INSERT OR REPLACE INTO final(key, value) SELECT record.value ->> '$.message.id', record.value
    FROM pack CROSS JOIN json_each(pack_text(pack.value)) AS record WHERE pack.number <= ? ORDER BY pack.number
"""
INDEXED = {"destination": "$.message.destination", "client_ref": "$.message.client_ref", "public_id": "$.message.public_id"}
"""What can be searched for in a day that is over without reading all of it."""
WIDTH, VALUE = 4, 3
Rows: TypeAlias = list[Any]
"""First id, last id, ids and records as JSON arrays (str, bytes), first id ..."""
DAY_S = 86_400
INSTRUCTIONS = 1_000
"""Of SQLite's machine between two looks at the clock during a search."""
_EPOCH = date(1970, 1, 1)
_JSON = msgspec.json.Encoder()
_RECORD = msgspec.json.Decoder(Record)


def rows_by_day(several: Iterable[Ended]) -> dict[date, Rows]:
    """Rows for `History.add`."""
    by_day: dict[int, dict[int, bytes]] = {}
    for one in several:
        by_day.setdefault(int(one.final_utc // DAY_S), {})[one.id] = one.record
    return {_EPOCH + timedelta(days=day): _packed(records) for day, records in by_day.items()}


def _packed(records: dict[int, bytes]) -> Rows:
    ids = sorted(records)
    rows: Rows = []
    for at in range(0, len(ids), PACK):
        some = ids[at : at + PACK]
        values = b",".join([records[number] for number in some])
        rows += (some[0], some[-1], _JSON.encode(some).decode(), b"[%b]" % values)
    return rows


def _insert(writer: sqlite3.Connection, rows: Rows) -> None:
    at = 0
    for size in SIZES:
        while len(rows) - at >= WIDTH * size:
            writer.execute(_ADD[size], rows[at : at + WIDTH * size])
            at += WIDTH * size


def _is_closed(writer: sqlite3.Connection) -> bool:
    names = {name for (name,) in writer.execute("SELECT name FROM sqlite_schema WHERE type = 'index'")}
    return names.issuperset(INDEXED)


def _unpack(writer: sqlite3.Connection) -> None:
    """Some packs become rows; within a transaction."""
    (last,) = writer.execute(
        "SELECT max(number) FROM (SELECT number FROM pack ORDER BY number LIMIT ?)", (UNPACK_MAX,)
    ).fetchone()
    writer.execute(_UNPACK, (last,))
    writer.execute("DELETE FROM pack WHERE number <= ?", (last,))


def _unpack_all(writer: sqlite3.Connection) -> None:
    while writer.execute("SELECT 1 FROM pack LIMIT 1").fetchone() is not None:
        with transaction(writer):
            _unpack(writer)


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
        self._packs, self._read_packs = PackFiles(self.folder), PackFiles(self.folder)
        self._writers: dict[date, sqlite3.Connection] = {}
        self._readers: dict[date, sqlite3.Connection] = {}

    def add(self, by_day: dict[date, Rows]) -> None:
        """Store rows. Raises NotWrittenError."""
        for day, rows in by_day.items():
            try:
                writer = self._writer(day)
                with transaction(writer):
                    closed = _is_closed(writer)
                    packs = rows[VALUE::WIDTH]
                    masses = not closed and sum(map(len, packs)) >= PAST_SQLITE
                    rows[VALUE::WIDTH] = self._packs.add(day, packs) if masses else [pack.decode() for pack in packs]
                    _insert(writer, rows)
                    if closed:
                        _unpack(writer)
                if masses:
                    self._packs.keep()
            except (sqlite3.Error, OSError, VaultError) as error:
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
            writer.create_function("pack_text", 1, self._packs.text, deterministic=True)
        return writer

    # -- reading

    def find(self, ids: Sequence[int]) -> dict[int, Record]:
        """Records by id, wherever they ended; ids tell when they began, so only days from then on are looked at."""
        found: dict[int, Record] = {}
        wanted = set(ids)
        for day in self.days():
            if not wanted:
                break
            found.update(self._find(day, wanted))
            wanted -= found.keys()
        return found

    def _find(self, day: date, ids: Iterable[int]) -> dict[int, Record]:
        asked = (_JSON.encode(list(ids)).decode(),)
        packed = self._rows(day, _FIND_PACKED, asked)  # before rows: packs become rows
        rows = self._rows(day, _FIND, asked) + packed  # what is packed was added later
        return {record.message.id: record for record in (_RECORD.decode(value) for (value,) in rows)}

    def search(
        self, fields: dict[str, str | int], *, before: int | None = None, since: int = 0, limit: int = 100
    ) -> list[Record]:
        """Records whose message has all of `fields`, newest id first; `before`: the id a page ended with, `since`: the least.

        A message may end on any day after it began, so every day is asked; the ids found so far keep the others short.
        Raises SearchTooLongError.
        """
        self._search_until = time.monotonic() + self._search_s
        best: dict[int, Record] = {}
        try:
            for day in self.days():
                least = min(best) + 1 if len(best) == limit else since
                for record in self._search(day, fields, before or 1 << 62, least, limit):
                    best.setdefault(record.message.id, record)  # a correction is on a later day, which was asked before
                for key in sorted(best)[: max(0, len(best) - limit)]:
                    del best[key]
        finally:
            self._search_until = math.inf
        return [best[key] for key in sorted(best, reverse=True)]

    def _search(self, day: date, fields: dict[str, str | int], before: int, least: int, limit: int) -> Iterator[Record]:
        conditions: list[str] = []
        values: list[str | int] = []
        for name, value in fields.items():
            # Of a text with a zero in it some versions of SQLite see what comes before; what is found is compared below.
            values += [value, value.split("\0")[0]] if isinstance(value, str) else [value, value]
            conditions.append(f" ->> '$.message.{name}' IN (?{len(values) + 2}, ?{len(values) + 3})")
        in_final, in_pack = ("".join(f" AND {value}{one}" for one in conditions) for value in ("value", "record.value"))
        sql = _SEARCH.format(in_final=in_final, in_pack=in_pack)
        while limit > 0:
            rows = self._rows(day, sql, (before, limit, least, *values))
            records = {record.message.id: record for record in (_RECORD.decode(value) for (value,) in rows)}
            newest = self._find(day, records)  # what was found may have been added again since, as something else
            for number in records:
                if all(getattr(newest[number].message, name) == value for name, value in fields.items()):
                    yield newest[number]
                    limit -= 1
            if not records or len(rows) < limit:
                return
            before = min(records)

    def _rows(self, day: date, sql: str, values: Sequence[object], *, again: bool = True) -> list[Any]:
        self._read_packs.trouble = ""
        try:
            reader = self._reader(day)
            (version,) = reader.execute("PRAGMA user_version").fetchone()
            if version < len(HISTORY):
                return []  # just begun, or left so by a crash: its tables are not all there yet
            return reader.execute(sql, values).fetchall()
        except (sqlite3.Error, VaultError) as error:
            if time.monotonic() > self._search_until:
                raise SearchTooLongError(
                    f"no answer within {self._search_s:g} s: name a recipient, or a later `since`"
                ) from None
            if not self.path(day).exists():  # its time was over
                return []
            why = self._read_packs.trouble
            if why and again:  # the day was put in order meanwhile, and its packs are rows now
                return self._rows(day, sql, values, again=False)
            raise VaultError(f"{why or f'{self.path(day)}: {error}'}; {RESTORE_HINT}") from error

    def _reader(self, day: date) -> sqlite3.Connection:
        reader = self._readers.get(day)
        if reader is None:
            while len(self._readers) >= OPEN_MAX:
                self._readers.pop(min(self._readers)).close()
            reader = self._readers[day] = connect_reader(self.path(day))
            reader.create_function("pack_text", 1, self._read_packs.text, deterministic=True)
            if self._search_s < math.inf:
                reader.set_progress_handler(lambda: time.monotonic() > self._search_until, INSTRUCTIONS)
            (version,) = reader.execute("PRAGMA user_version").fetchone()
            if 0 < version < len(HISTORY):  # of an older Tensec, and nobody has written to it since
                connect(self.path(day), HISTORY, check=False).close()
        return reader

    # -- when time has passed

    def close_days(self, today: date) -> list[date]:
        """Unpack and index the days that are over; gives those that were not yet."""
        closed = []
        for day in self.days():
            if day >= today - timedelta(days=1):
                continue  # a correction or a late archive may still come for yesterday
            writer = self._writer(day)
            if _is_closed(writer):
                self._drop_packs(day, writer)  # a crash may have left them
                break  # and so are all before it
            _unpack_all(writer)
            for name, path in INDEXED.items():
                writer.execute(f"CREATE INDEX IF NOT EXISTS {name} ON final(value ->> '{path}')")
            _unpack_all(writer)  # what came meanwhile; from now on it is unpacked at once
            self._drop_packs(day, writer)
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
                drop(self.folder, day)  # after the rows, that none is left which names a file that is not
                deleted.append(day)
            elif day < today - timedelta(days=text_days) and self._purge_texts(day):
                emptied.append(day)
        return deleted, emptied

    def _purge_texts(self, day: date) -> bool:
        writer = self._writer(day)
        _unpack_all(writer)
        self._drop_packs(day, writer)
        where = "WHERE value ->> '$.message.content' IS NOT NULL"
        if writer.execute(f"SELECT 1 FROM final {where} LIMIT 1").fetchone() is None:
            return False
        writer.execute("PRAGMA secure_delete = ON")
        writer.execute(f"UPDATE final SET value = json_remove(value, '$.message.content') {where}")
        writer.execute("VACUUM")
        writer.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return True

    def _drop_packs(self, day: date, writer: sqlite3.Connection) -> None:
        """Delete the files of a day, unless somebody has added to them since they were unpacked."""
        with transaction(writer):  # nobody adds meanwhile
            if files_of(self.folder, day) and writer.execute("SELECT 1 FROM pack LIMIT 1").fetchone() is None:
                drop(self.folder, day)

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
