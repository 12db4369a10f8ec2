"""The vault in one SQLite file, and the journal beside it: WAL, synchronous=FULL, one statement for each map of a write.

Of a write the page comes first. A crash before its rows leaves what a write without rows would have left: what they say stands
in pages, which are let go only when a later write is on disk. Most writes have no rows.

A thread that steps through rows one by one gives up the interpreter at each of them and starves beside a busy core; one
`json_each` statement gives it up once.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from gateway.store.embedded.journal import FOLDER as JOURNAL
from gateway.store.embedded.journal import Journal, needed_in, read_pages
from gateway.store.embedded.schema import RESTORE_HINT, STORE, connect, connect_reader, transaction
from gateway.store.vault import KEYED, LAST, SEPARATOR, SORTED, NotWrittenError, VaultError, Write, is_whole

FILE = "store.db"
CHECKPOINT_PAGES = 400
"""Often and short: all steps wait for a checkpoint, and one of 4,000 pages takes 25 ms."""
KEYS_AT_ONCE = 1_000
_TYPE = {"message": "INTEGER"}
_NAMES = (*KEYED, *SORTED)
_VALUE = {"document": "CASE type WHEN 'text' THEN json_quote(value) ELSE value END"}
"""The other maps hold no bare texts, whose quotes json_each takes away."""
_PUT = {
    name: f"INSERT INTO {name}(key, value) SELECT key, {_VALUE.get(name, 'value')} FROM json_each(?) WHERE true "
    "ON CONFLICT(key) DO UPDATE SET value = excluded.value"
    for name in KEYED
}
_ADD = {name: f"INSERT OR IGNORE INTO {name}(key) SELECT value FROM json_each(?)" for name in SORTED}
_REMOVE = {
    name: f"DELETE FROM {name} WHERE key IN (SELECT CAST(value AS {_TYPE.get(name, 'TEXT')}) FROM json_each(?))"
    for name in _NAMES
}
_GET = {
    name: f"SELECT t.key, t.value FROM json_each(?) AS wanted JOIN {name} AS t "
    f"ON t.key = CAST(wanted.value AS {_TYPE.get(name, 'TEXT')})"
    for name in KEYED
}
_UNDER = {
    name: f"SELECT t.key FROM json_each(?1) AS wanted CROSS JOIN {name} AS t "
    "ON t.key > wanted.value || ?2 AND t.key < wanted.value || ?3"
    for name in SORTED
}
_SCAN = {
    name: f"SELECT key, {'value' if name in KEYED else chr(39) * 2} FROM {name} WHERE key > ? AND key < ? ORDER BY key LIMIT ?"
    for name in _NAMES
}
_COUNT = {name: f"SELECT count(*) FROM {name} WHERE key > ? AND key < ?" for name in _NAMES}
_JSON = msgspec.json.Encoder()


class EmbeddedVault:
    """See the module. Raises VaultError when the file cannot be used."""

    def __init__(self, data_dir: Path, *, synchronous: str = "FULL") -> None:
        self.path = data_dir / FILE
        self._journal = Journal(data_dir / JOURNAL, synced=synchronous != "OFF")
        if self._journal and not self.path.exists():
            raise VaultError(f"{self.path}: it is missing, and its {JOURNAL}/ is there; {RESTORE_HINT}")
        self._writer = connect(self.path, STORE, synchronous=synchronous)
        self._writer.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
        self._reader = connect_reader(self.path)
        try:
            self._move_pages()
            self._needed = needed_in(self._journal.folder)
            """The first page that is needed after the write before; 0: there was none."""
        except BaseException:
            self.close()
            raise

    def _move_pages(self) -> None:
        """What older versions, and backups, hold of the journal goes where it belongs."""
        pages = self._read("SELECT number, body FROM page ORDER BY number", ())
        for number, body in pages:
            if not is_whole(body):
                raise VaultError(
                    f"{self.path}: page {number} of the journal is damaged: its checksum does not fit; restore a backup"
                )
        try:
            for number, body in pages:
                self._journal.append(number, body, pages[0][0])
            if pages:
                self._writer.execute("DELETE FROM page")
        except (OSError, sqlite3.Error) as error:
            raise VaultError(f"{self._journal.folder}: {error}; is there space, and may we write there?") from None

    @property
    def where(self) -> str:
        return str(self.path)

    def write(self, write: Write) -> None:
        needed = self._needed or write.number
        try:
            self._journal.append(write.number, write.page, needed)
        except OSError as error:
            raise NotWrittenError(f"{self._journal.folder}: {error.strerror}") from error
        if write.puts or write.adds or write.removes:
            try:
                self._write_rows(write)
            except sqlite3.Error as error:
                self._journal.take_back()
                raise NotWrittenError(f"{self.path}: {error}") from error
        self._journal.forget(needed)
        self._needed = max(needed, write.keep_from)

    def _write_rows(self, write: Write) -> None:
        connection = self._writer
        with transaction(connection):
            for name, rows in write.removes:
                connection.execute(_REMOVE[name], (rows.decode(),))
            for name, rows in write.puts:
                connection.execute(_PUT[name], (rows.decode(),))
            for name, rows in write.adds:
                connection.execute(_ADD[name], (rows.decode(),))

    def pages(self) -> Iterator[tuple[int, bytes]]:
        number = None
        for number, page in read_pages(self._journal.folder, self._needed):
            yield number, page
        if number is None and any(self.count(name) for name in KEYED):
            raise VaultError(f"{self._journal.folder}: the journal is missing; {RESTORE_HINT}")

    def get(self, name: str, keys: Sequence[str]) -> dict[str, bytes]:
        return {str(key): value.encode() for key, value in self._read(_GET[name], (_JSON.encode(keys).decode(),))}

    def under(self, name: str, prefixes: Sequence[str]) -> list[str]:
        asked = (_JSON.encode(prefixes).decode(), SEPARATOR, chr(ord(SEPARATOR) + 1))
        return [key for (key,) in self._read(_UNDER[name], asked)]

    def scan(self, name: str, after: str, before: str, limit: int) -> list[tuple[str, bytes]]:
        return [(str(key), value.encode()) for key, value in self._read(_SCAN[name], (*_bounds(name, after, before), limit))]

    def count(self, name: str, after: str = "", before: str = LAST) -> int:
        ((count,),) = self._read(_COUNT[name], _bounds(name, after, before))
        return int(count)

    def keys(self, name: str) -> Iterator[list[str]]:
        after: object = -1 if name in _TYPE else ""
        while found := self._read(f"SELECT key FROM {name} WHERE key > ? ORDER BY key LIMIT {KEYS_AT_ONCE}", (after,)):
            after = found[-1][0]
            yield [str(key) for (key,) in found]

    def _read(self, sql: str, values: Sequence[object]) -> list[tuple]:  # type: ignore[type-arg]
        try:
            return self._reader.execute(sql, values).fetchall()
        except sqlite3.Error as error:
            raise VaultError(f"{self.path}: {error}; {RESTORE_HINT}") from error

    def close(self) -> None:
        self._journal.close()
        self._reader.close()
        self._writer.close()


def _bounds(name: str, after: str, before: str) -> tuple[object, object]:
    """Keys as the map has them; the ends of text stand for the ends of numbers."""
    if name not in _TYPE:
        return after, before
    return int(after or -1), int(before) if before.isdigit() else 1 << 62
