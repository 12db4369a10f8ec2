"""Guards whose time is over, and counts of old minutes, leave the file, and what was deleted is overwritten: beside the running
core, on a connection of its own, a little at a time.

That is safe at any moment: a row that is over refuses nothing, and one that is taken anew is written again when it is folded.
"""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from gateway.store.embedded.schema import STORE, connect
from gateway.store.embedded.vault import CHECKPOINT_PAGES, FILE
from gateway.store.rollups import minutes_over

CHUNK = 1_000
PAGES = 64
"""Of the file, overwritten in one go."""
REST_S = 0.02
# Every entry of the row is over: `useful` of guards.py in SQL.
_OVER = """
    DELETE FROM guard WHERE key > ?1 AND key <= ?2 AND NOT EXISTS (
        SELECT 1 FROM json_each(guard.value) AS entry WHERE
            CASE WHEN entry.value ->> 0 < 0
            THEN (entry.value ->> '$[#-1]') - (entry.value ->> 0) > ?3
            ELSE entry.value ->> 0 > ?3 END
    )
"""
_END = "SELECT max(key) FROM (SELECT key FROM guard WHERE key > ? ORDER BY key LIMIT ?)"


def sweep_guards(data_dir: Path, utc: float) -> int:
    """Delete what is over at `utc`; gives how many there were. Raises sqlite3.Error, VaultError."""
    connection = connect(data_dir / FILE, STORE, check=False)
    try:
        swept, after = 0, ""
        while (end := connection.execute(_END, (after, CHUNK)).fetchone()[0]) is not None:
            swept += connection.execute(_OVER, (after, end, utc)).rowcount
            after = end
        connection.execute("DELETE FROM rollup WHERE key > ? AND key < ?", minutes_over(utc))
        return swept
    finally:
        connection.close()


def overwrite_deleted(data_dir: Path, rest: Callable[[float], None] = time.sleep) -> int:
    """Write zeros over what was deleted, texts of messages among it: it stays in free pages of the file until they are used
    again. Gives how many there were. Raises sqlite3.Error, VaultError.

    It rests after each step for longer than the step took: the core waits for the same lock.
    """
    connection = connect(data_dir / FILE, STORE, check=False, synchronous="NORMAL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    try:
        connection.execute("CREATE TABLE IF NOT EXISTS zeros(body BLOB)")
        _give_back(connection, rest)  # what a run that was cut off has left
        (free,) = connection.execute("PRAGMA freelist_count").fetchone()
        (page_size,) = connection.execute("PRAGMA page_size").fetchone()
        try:
            for at in range(0, free, PAGES):
                octets = min(PAGES, free - at) * (page_size - 4) - page_size // 2  # no page more than there are
                _step(connection, f"INSERT INTO zeros VALUES (zeroblob({octets}))", rest)
        finally:
            _give_back(connection, rest)
            connection.execute("DROP TABLE zeros")
        return int(free)
    finally:
        connection.close()


def _give_back(connection: sqlite3.Connection, rest: Callable[[float], None]) -> None:
    while _step(connection, "DELETE FROM zeros WHERE rowid = (SELECT max(rowid) FROM zeros)", rest):
        pass


def _step(connection: sqlite3.Connection, statement: str, rest: Callable[[float], None]) -> int:
    began = time.monotonic()
    rows = connection.execute(statement).rowcount
    rest(max(REST_S, 2 * (time.monotonic() - began)))
    return rows
