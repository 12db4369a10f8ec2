"""Versions of the database, and opening a file of any of them. Steps go forward only; a newer file is refused.

`user_version` of a file is the number of steps it has taken. A step never changes once it has been released: write another one,
and add a dump of the version before it to tests/store/schemas.
"""

import contextlib
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TypeAlias

from gateway.store.embedded.cells import keep_by_cell
from gateway.store.vault import VaultError

APPLICATION_ID = 0x54534543
Step: TypeAlias = str | Callable[[sqlite3.Connection], None]
STORE: Sequence[Step] = (
    """
    CREATE TABLE page (number INTEGER PRIMARY KEY, body BLOB NOT NULL);
    CREATE TABLE message (key INTEGER PRIMARY KEY, value TEXT NOT NULL);
    CREATE TABLE guard (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE sum (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE notice (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE dead (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE parked (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE rollup (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE find (key TEXT PRIMARY KEY) WITHOUT ROWID;
    CREATE TABLE due (key TEXT PRIMARY KEY) WITHOUT ROWID;
    CREATE TABLE queue (key TEXT PRIMARY KEY) WITHOUT ROWID;
    """,
    """
    CREATE TABLE document (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE request (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
    """,
    keep_by_cell,
    # Pages are in files of their own (journal.py). The table holds those of older versions and of backups, until it is opened.
    "",
    # Messages in pages, and in rows, hold their guards packed (packedguards.py).
    "",
    # Pages hold messages that have ended as what the history gets (sealing.py).
    "",
)
HISTORY: Sequence[Step] = (
    """
    CREATE TABLE final (key INTEGER PRIMARY KEY, value TEXT NOT NULL);
    """,
    """
    CREATE TABLE pack (
        number INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL, ids TEXT NOT NULL, value TEXT NOT NULL
    );
    CREATE INDEX pack_of ON pack(first, last);
    """,
    # The value of a pack may be a place in a file (packfile.py).
    "",
)
BUSY_MS = 5_000
PAGE_SIZE = 4_096
HISTORY_PAGE_SIZE = 16_384
"""Rows are appended there: a quarter of the calls. In a store rows change in no order, each at the cost of its page."""
RESTORE_HINT = "restore a backup with `tensec restore FILE`, or move the file (with store.db also journal/) away to start empty"


def connect(
    path: Path, steps: Sequence[Step], *, synchronous: str = "FULL", check: bool = True, page_size: int = PAGE_SIZE
) -> sqlite3.Connection:
    """A connection for writing, the file made or brought to the newest version; `check` reads all of it first.

    `page_size` is for a file that is made now.
    Raises VaultError, and changes nothing then.
    """
    if path.exists() and path.stat().st_size:
        _look_at(path, steps, thorough=check)
    try:
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    except sqlite3.Error as error:
        raise VaultError(f"{path}: {error}; is the directory there and writable?") from None
    try:
        connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
        connection.execute(f"PRAGMA page_size = {page_size}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f"PRAGMA synchronous = {synchronous}")
        # Some builds (Debian's) write zeros over what is deleted, while everybody waits for the write.
        connection.execute("PRAGMA secure_delete = FAST")
        _migrate(connection, steps)
    except sqlite3.Error as error:
        connection.close()
        raise _unusable(path, error) from None
    return connection


def _look_at(path: Path, steps: Sequence[Step], *, thorough: bool) -> None:
    """Refuse a file that is not to be used. A connection that may write would tidy it up on its way out."""
    connection = connect_reader(path)
    try:
        _check(connection, path, steps, thorough=thorough)
    except sqlite3.Error as error:
        raise _unusable(path, error) from None
    finally:
        connection.close()


def _unusable(path: Path, error: sqlite3.Error) -> VaultError:
    if any(one in str(error) for one in ("full", "locked", "disk I/O")):
        return VaultError(f"{path}: {error}")
    return VaultError(f"{path}: {error}; {RESTORE_HINT}")


def connect_reader(path: Path) -> sqlite3.Connection:
    """A connection that only reads. Raises VaultError."""
    try:
        connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
        )
        connection.execute(f"PRAGMA busy_timeout = {BUSY_MS}")
    except sqlite3.Error as error:
        raise VaultError(f"{path}: {error}") from None
    return connection


def _check(connection: sqlite3.Connection, path: Path, steps: Sequence[Step], *, thorough: bool) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (application,) = connection.execute("PRAGMA application_id").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()
    if tables and application != APPLICATION_ID:
        raise VaultError(f"{path}: not a database of Tensec; move it away")
    if version > len(steps):
        raise VaultError(
            f"{path}: written by a newer Tensec (schema {version}, this one knows {len(steps)}); upgrade, or restore a backup"
        )
    if not thorough:
        return
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise VaultError(f"{path}: damaged ({verdict}); {RESTORE_HINT}")


def _migrate(connection: sqlite3.Connection, steps: Sequence[Step]) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    for number, step in enumerate(steps[version:], version + 1):
        with transaction(connection):
            if isinstance(step, str):
                for statement in step.split(";"):
                    if statement.strip():
                        connection.execute(statement)
            else:
                step(connection)
            connection.execute(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.execute(f"PRAGMA user_version = {number}")


@contextlib.contextmanager
def transaction(connection: sqlite3.Connection):  # type: ignore[no-untyped-def]
    """All or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
