"""The files of the embedded store: made, brought up from every released version, and refused when they cannot be trusted.

`schemas/store-N.sql` is a dump of a store as version N left it, with a few rows; add one before version N + 1 is released.
"""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from zlib import crc32

import msgspec
import pytest
from story import BOOT, START_UTC, TO, Story

from gateway.store.base import Admission, Finish, RequestRecord
from gateway.store.blocking import BlockingStore
from gateway.store.embedded.backup import backup, restore
from gateway.store.embedded.journal import FOLDER as JOURNAL
from gateway.store.embedded.journal_file import Entry, entries_of, files_of
from gateway.store.embedded.schema import APPLICATION_ID, HISTORY, STORE, connect
from gateway.store.embedded.store import open_store
from gateway.store.embedded.vault import FILE
from gateway.store.vault import KEYED, SORTED, VaultError
from routing.guards import Cell, Kept, Member, Unique, Window
from routing.records import MessageState

SCHEMAS = Path(__file__).parent / "schemas"
RELEASED = range(1, len(STORE) + 1)
CELLS = 3
"""The first version that names guards as they are named now."""
SECOND_STEP = "CREATE TABLE extra (key TEXT PRIMARY KEY); INSERT INTO extra SELECT key FROM find"
ROW_BYTES = 20_000
"""So much of the file is tables when a store has been filled."""


def load(folder: Path, version: int) -> Path:
    """A file as that version left it."""
    path = folder / FILE
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript((SCHEMAS / f"store-{version}.sql").read_text(encoding="utf-8"))
    return path


def pragma(path: Path, name: str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        (value,) = connection.execute(f"PRAGMA {name}").fetchone()
        return int(value)


def dump(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return list(connection.iterdump())


def contents(folder: Path) -> dict[str, bytes]:
    """What is in the files, without the index in shared memory, which holds nothing of its own, and empty logs."""
    files = {str(one): one.read_bytes() for one in folder.rglob("*") if one.is_file() and not one.name.endswith("-shm")}
    return {name: data for name, data in files.items() if data}


@pytest.fixture
def filled(tmp_path: Path) -> Path:
    """A closed store's directory: rows in the tables, pages in the journal, queued messages and guards."""
    folder = tmp_path / "filled"
    folder.mkdir()
    for first, limits in ((0, {"fold_after_s": 0}), (1_000, {})):
        with closing(open_store(folder, BOOT, START_UTC, **limits)) as store:
            story = Story(store)
            story._ids = first
            for _ in range(50):
                story.accepted(client_ref="r" * 300)
    return folder


def refusal(folder: Path) -> str:
    """What is said of a file that cannot be used; and it is left as it was, so that somebody can look at it."""
    before = contents(folder)
    with pytest.raises(VaultError) as error:
        open_store(folder, BOOT, START_UTC)
    assert contents(folder) == before
    return str(error.value)


# -- made and brought up


def test_an_empty_directory_gets_the_newest_schema(tmp_path: Path) -> None:
    open_store(tmp_path, BOOT, START_UTC).close()
    path = tmp_path / FILE
    assert pragma(path, "user_version") == len(STORE)
    assert pragma(path, "application_id") == APPLICATION_ID
    with closing(sqlite3.connect(path)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
    assert tables == {"page", *KEYED, *SORTED}


def test_every_released_version_has_its_dump() -> None:
    assert {one.name for one in SCHEMAS.glob("store-*.sql")} == {f"store-{version}.sql" for version in RELEASED}


@pytest.mark.parametrize("version", RELEASED)
def test_a_released_version_is_brought_up_with_all_it_holds(tmp_path: Path, version: int) -> None:
    load(tmp_path, version)
    with closing(open_store(tmp_path, BOOT, START_UTC + 20)) as store:
        story = Story(store)
        story.utc += 20
        states = [one.state if one is not None else None for one in store.find([1, 2, 3, 4])]
        assert states == [MessageState.QUEUED, MessageState.IN_FLIGHT, None, MessageState.SCHEDULED]  # 3 is in the history
        assert [one.id for one in store.page_in("notification", 10)] == [1]
        assert story.notices() == [(3, MessageState.DELIVERED)]
        assert (store.ledger().accepted, store.fund("shop", 0)) == (4, 70)
        assert story.admit(story.message(id=9), Unique("once", START_UTC + 1_000)) is not None
        if version >= CELLS:
            store.settle([Finish(1, MessageState.REJECTED, "no route")], story.utc)
            assert story.admit(story.message(id=10), Unique("once", START_UTC + 1_000)) is None, "it was given back"
        assert store.members("stop", add=["8613900000000"]) == 1, "it was a member already"
        assert store.settle([story.receipt("held")], story.utc).finals[0].message.id == 2
        (day,) = store.book.rollups.held.keys() & {("d", 20833, "notification", "a", "", "shop", "")}
        assert store.book.rollups.held[day][0] == 2
    assert pragma(tmp_path / FILE, "user_version") == len(STORE)


def test_guards_of_the_second_version_are_found_by_cell_and_those_of_the_journal_count(tmp_path: Path) -> None:
    """What policy spelled then, as rows and in a page that is newer."""
    path = load(tmp_path, 2)
    sep, later = "\x1f", START_UTC + 9_000
    rows = {
        f"w8640{sep}cap{sep}weekly{sep}shop{sep}{TO}": [START_UTC - 5],
        f"w8640{sep}cap{sep}daily{sep}shop{sep}{TO}{sep}2027-01-15": [START_UTC - 9],
        f"u{sep.join(('dedupe', 'shop', 'Shop', TO, 'abc'))}": [later],
        f"w600{sep}velocity{sep}shop{sep}861380013": [START_UTC - 1],
        f"llast{sep}x": [later, START_UTC, 0.0, 5.0],
        f"mstop{sep}8613900000001": [],
    }
    newer = {f"w8640{sep}cap{sep}weekly{sep}shop{sep}{TO}": [START_UTC - 5, START_UTC - 1], f"mstop{sep}1": [0.0]}
    body = msgspec.msgpack.encode({"guards": newer, "totals": {"accepted": 4, "1": 1, "2": 1, "3": 1, "0": 1}})
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.executemany("INSERT INTO guard VALUES (?, ?)", [(key, json.dumps(value)) for key, value in rows.items()])
        (last,) = connection.execute("SELECT max(number) FROM page").fetchone()
        connection.execute("INSERT INTO page VALUES (?, ?)", (last + 1, crc32(body).to_bytes(4, "big") + body))
    with closing(open_store(tmp_path, BOOT, START_UTC)) as store:
        story = Story(store)
        story._ids = 100

        def refused(*guards: Kept, key: str = TO) -> bool:
            return story.admit(story.message(), Cell(key, guards)) is not None

        weekly = f"cap{sep}weekly{sep}shop"
        assert refused(Window(weekly, 2, 8_640.0)), "the page's second one counts"
        assert not refused(Window(weekly, 3, 8_640.0))
        assert refused(Window(f"cap{sep}daily{sep}shop{sep}2027-01-15", 1, 8_640.0))
        assert refused(Unique(f"dedupe{sep}shop{sep}Shop{sep}abc", later))
        assert refused(Window("velocity", 1, 600.0), key=f"velocity{sep}shop{sep}861380013")
        assert refused(Member("stop", ""), key="1")
        assert not refused(Member("stop", ""), key="8613900000001")
        assert store.marks([f"last{sep}x"], story.utc)[f"last{sep}x"].message_id == 5


def story_of_a_dump(folder: Path) -> None:
    """What is in the dumps; a new one is made by `python tests/store/test_schema.py FOLDER > schemas/store-N.sql`."""
    with closing(open_store(folder, BOOT, START_UTC, fold_after_s=5)) as store:
        story = Story(store)
        store.fund("shop", 70)
        store.members("stop", add=["8613900000000"])
        story.admit(story.message(destination=TO), Unique("once", START_UTC + 10_000))
        story.sent(story.accepted(), "held")
        story.sent(story.accepted(), "gone")
        story.settle(story.receipt("gone"))
        story.accepted(state=MessageState.SCHEDULED, not_before_utc=START_UTC + 200)
        store.put_document("webhook", "w1", b'{"url":"http://127.0.0.1:9/"}')
        story.admit_request(RequestRecord("b\x1fb1", START_UTC + 86_400, answer=b"accepted"))
        story.utc += 10
        store.fund("other", 1)  # whatever was before is folded now
        store.settle([story.receipt("nobody", destination="8613700000000")], story.utc)


def test_the_dump_of_the_newest_version_is_what_is_written_today(tmp_path: Path) -> None:
    """Else a change of the schema has been released without a version."""
    story_of_a_dump(tmp_path)
    with closing(sqlite3.connect(tmp_path / FILE)) as now, closing(sqlite3.connect(":memory:")) as kept:
        kept.executescript((SCHEMAS / f"store-{len(STORE)}.sql").read_text(encoding="utf-8"))
        query = "SELECT name, sql FROM sqlite_schema ORDER BY name"
        assert now.execute(query).fetchall() == kept.execute(query).fetchall()
        for name in (*KEYED, *SORTED):
            count = f"SELECT count(*) FROM {name}"
            assert now.execute(count).fetchone() == kept.execute(count).fetchone(), name


def test_a_further_step_keeps_the_rows(tmp_path: Path) -> None:
    path = load(tmp_path, 1)
    before = dump(path)
    connect(path, [STORE[0], SECOND_STEP]).close()
    assert pragma(path, "user_version") == 2
    assert set(before) <= set(dump(path))
    with closing(sqlite3.connect(path)) as connection:
        query = "SELECT key FROM {} ORDER BY key"
        found, extra = (connection.execute(query.format(name)).fetchall() for name in ("find", "extra"))
    assert found == extra != []


@pytest.mark.parametrize("bad", ["CREATE TABLE page (again TEXT)", "INSERT INTO nowhere VALUES (1)"])
def test_a_step_that_fails_leaves_the_version_before(tmp_path: Path, bad: str) -> None:
    path = load(tmp_path, 1)
    before = dump(path)
    with pytest.raises(VaultError, match=str(path)):
        connect(path, [STORE[0], f"{SECOND_STEP}; DELETE FROM message; {bad}"])
    assert pragma(path, "user_version") == 1
    assert dump(path) == before
    open_store(tmp_path, BOOT, START_UTC).close()


def test_steps_are_taken_one_by_one_and_a_later_one_that_fails_keeps_the_earlier(tmp_path: Path) -> None:
    path = load(tmp_path, 1)
    with pytest.raises(VaultError):
        connect(path, [STORE[0], SECOND_STEP, "INSERT INTO nowhere VALUES (1)"])
    assert pragma(path, "user_version") == 2


# -- refused


def test_a_file_of_a_newer_version_is_refused(filled: Path) -> None:
    with closing(sqlite3.connect(filled / FILE)) as connection:
        connection.execute(f"PRAGMA user_version = {len(STORE) + 1}")
    said = refusal(filled)
    assert str(filled / FILE) in said
    assert f"newer Tensec (schema {len(STORE) + 1}, this one knows {len(STORE)}); upgrade" in said


def test_a_database_of_somebody_else_is_refused(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / FILE)) as connection:
        connection.execute("CREATE TABLE message (key INTEGER PRIMARY KEY, value TEXT NOT NULL)")
    said = refusal(tmp_path)
    assert str(tmp_path / FILE) in said
    assert "not a database of Tensec" in said


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text("my notes\n" * 1_000, encoding="ascii")
    said = refusal(tmp_path)
    assert str(tmp_path / FILE) in said
    assert "restore a backup" in said


def overwrite_a_table(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        (root,) = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'message'").fetchone()
        (size,) = connection.execute("PRAGMA page_size").fetchone()
    data = bytearray(path.read_bytes())
    data[(root - 1) * size + 20 : (root - 1) * size + size // 2] = b"\xaa" * (size // 2 - 20)
    data[(root - 1) * size] = 0xAA
    path.write_bytes(data)


def truncate(path: Path) -> None:
    data = path.read_bytes()
    assert len(data) > ROW_BYTES
    path.write_bytes(data[: len(data) // 2])


def truncate_within_a_page(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1_000])


def no_header(path: Path) -> None:
    path.write_bytes(bytes(100) + path.read_bytes()[100:])


DAMAGES = [
    *((damage, False) for damage in (overwrite_a_table, truncate, truncate_within_a_page, no_header)),
    # The log makes good what is damaged in the pages it holds, and these are not among them.
    *((damage, True) for damage in (overwrite_a_table, truncate)),
]


@pytest.mark.parametrize(("damage", "killed"), DAMAGES)
def test_a_damaged_file_is_refused_and_left_as_it_was(
    filled: Path, tmp_path: Path, damage: Callable[[Path], None], killed: bool
) -> None:
    """Killed: what was written last is in the write-ahead log, which must be there still for whoever repairs it."""
    folder = filled
    if killed:
        with closing(open_store(filled, BOOT, START_UTC)) as store:
            Story(store).accepted(id=5_000)
            folder = tmp_path / "killed"
            shutil.copytree(filled, folder)
        assert (folder / f"{FILE}-wal").stat().st_size
    damage(folder / FILE)
    said = refusal(folder)
    assert str(folder / FILE) in said
    assert "restore a backup" in said


def pages_of(folder: Path) -> tuple[Path, list[Entry]]:
    """The newest file of the journal."""
    path = files_of(folder / JOURNAL)[-1][1]
    return path, entries_of(path)


def test_a_page_of_the_journal_whose_checksum_does_not_fit_is_refused(filled: Path) -> None:
    path, entries = pages_of(filled)
    octets = bytearray(path.read_bytes())
    octets[entries[3].at + 9] ^= 1
    path.write_bytes(octets)
    said = refusal(filled)
    assert str(filled / FILE) in said
    assert f"page {entries[3].number} of the journal is damaged: its checksum does not fit" in said
    assert "restore a backup" in said


def test_a_page_that_is_missing_is_refused(filled: Path) -> None:
    path, entries = pages_of(filled)
    octets = path.read_bytes()
    path.write_bytes(octets[: entries[2].at + entries[2].length] + octets[entries[3].at + entries[3].length :])
    said = refusal(filled)
    assert str(filled / JOURNAL) in said
    assert f"page {entries[3].number} of the journal is missing; restore a backup" in said


def test_a_journal_that_is_missing_is_refused(filled: Path) -> None:
    shutil.rmtree(filled / JOURNAL)
    assert "journal: the journal is missing; restore a backup" in refusal(filled)


def test_a_directory_that_cannot_be_used_is_said(tmp_path: Path) -> None:
    with pytest.raises(VaultError, match="is the directory there"):
        connect(tmp_path / "none" / FILE, STORE)


def test_a_day_of_the_history_is_checked_as_well(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "2027-01-15.db")) as connection:
        connection.execute(f"PRAGMA user_version = {len(HISTORY) + 1}")
    with pytest.raises(VaultError, match="newer Tensec"):
        connect(tmp_path / "2027-01-15.db", HISTORY)


def test_a_store_that_was_refused_and_put_right_goes_on(filled: Path) -> None:
    good = (filled / FILE).read_bytes()
    overwrite_a_table(filled / FILE)
    refusal(filled)
    (filled / FILE).write_bytes(good)
    for name in (f"{FILE}-shm", f"{FILE}-wal"):
        (filled / name).unlink(missing_ok=True)
    with closing(open_store(filled, BOOT, START_UTC)) as store:
        assert isinstance(store, BlockingStore)
        assert store.ledger().accepted == 100
        store.admit([Admission(Story(store).message(id=7_000))], START_UTC)


if __name__ == "__main__":
    import sys

    made, copied = Path(sys.argv[1]) / "made", Path(sys.argv[1]) / "copied"
    for one in (made, copied):
        one.mkdir()
    story_of_a_dump(made)
    backup(made, copied / "backup")  # it has the pages in a table
    restore(copied / "backup", copied)
    with closing(sqlite3.connect(copied / FILE)) as newest, newest:
        newest.execute("DELETE FROM page WHERE number < 10")  # 10 tells of the end of the third message
        ends = [f"PRAGMA {name} = {pragma(copied / FILE, name)};" for name in ("application_id", "user_version")]
        print("\n".join([*ends, *newest.iterdump()]))
