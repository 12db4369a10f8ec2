"""Ended messages: by the UTC day they ended on, found by id and by what they were about, and gone when their time is over.

The statements of the embedded vault are looked at here as well: none may walk through a table from end to end.
"""

import itertools
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from story import BOOT, START_UTC, TO, Story

from gateway.store import history as module
from gateway.store.base import Finish
from gateway.store.embedded import vault as embedded
from gateway.store.embedded.schema import APPLICATION_ID, HISTORY, STORE, connect, transaction
from gateway.store.embedded.store import open_store
from gateway.store.history import INDEXED, OPEN_MAX, PACK, History, SearchTooLongError, rows_by_day
from gateway.store.packfile import PackFiles, files_of
from gateway.store.record import Record
from gateway.store.sealing import seal
from gateway.store.vault import KEYED, SORTED, NotWrittenError, VaultError
from routing.records import Content, Message, MessageState

DAY_S = 86_400
FIRST = date(2027, 1, 1)
FIRST_UTC = datetime(2027, 1, 1, tzinfo=UTC).timestamp()


@pytest.fixture
def history(tmp_path: Path) -> Iterator[History]:
    with closing(History(tmp_path)) as opened:
        yield opened


def ended(number: int, day: int = 0, **fields: Any) -> Record:
    """A message that ended at noon of a day, counted from the first."""
    defaults: dict[str, Any] = {
        "account": "shop",
        "public_id": str(number),
        "destination": TO,
        "content": Content(b"hello"),
        "state": MessageState.DELIVERED,
        "final_utc": FIRST_UTC + day * DAY_S + DAY_S / 2,
    }
    return Record(Message(number, **{**defaults, **fields}))


def add(history: History, *records: Record) -> None:
    history.add(rows_by_day(map(seal, records)))


def found(records: Iterator[Record]) -> list[int]:
    return [record.message.id for record in records]


def rows(history: History, day: date) -> list[int]:
    """The ids of a day, in rows and in packs."""
    sql = "SELECT key FROM final UNION SELECT place.value FROM pack, json_each(pack.ids) AS place ORDER BY 1"
    with closing(sqlite3.connect(history.path(day))) as connection:
        return [key for (key,) in connection.execute(sql)]


def packs(history: History, day: date) -> int:
    with closing(sqlite3.connect(history.path(day))) as connection:
        (count,) = connection.execute("SELECT count(*) FROM pack").fetchone()
        return int(count)


# -- where they stand


def test_they_stand_in_the_file_of_the_day_they_ended(history: History) -> None:
    midnight = FIRST_UTC + DAY_S
    add(history, ended(1, final_utc=midnight - 0.001), ended(2, final_utc=midnight), ended(3, final_utc=FIRST_UTC))
    assert history.days() == [FIRST + timedelta(days=1), FIRST]
    assert (rows(history, FIRST), rows(history, FIRST + timedelta(days=1))) == ([1, 3], [2])


def test_the_store_moves_them_there_and_keeps_answering(tmp_path: Path) -> None:
    limits = {"fold_after_s": 0, "finals_max": 0, "clean_max": 0, "stay_s": 0}
    with closing(open_store(tmp_path, BOOT, START_UTC, **limits)) as store:
        story = Story(store)
        message = story.accepted(content=Content(b"hello"))
        story.sent(message, "x")
        story.settle(story.receipt("x"))
        story.wait(1)
        assert store.book.records == {}
        assert store.vault.count("message", "", "\x7f") == 0
        assert rows(store.history, datetime.fromtimestamp(START_UTC, UTC).date()) == [message.id]
        assert story.state(message) is MessageState.DELIVERED
        assert story.state(message, "content") == Content(b"hello")
        assert [attempt.carrier_id for attempt in store.attempts(message.id)] == ["x"]


def test_they_are_found_by_id_across_more_days_than_files_may_be_open(history: History) -> None:
    for day in range(3 * OPEN_MAX):
        add(history, ended(day + 1, day))
    wanted = range(1, 3 * OPEN_MAX + 1)
    assert sorted(history.find([*wanted, 999])) == list(wanted)
    assert history.find([1])[1] == ended(1)
    assert len(history._readers) <= OPEN_MAX
    assert len(history._writers) <= OPEN_MAX


def test_the_same_added_again_is_there_once_and_the_last_one_counts(history: History) -> None:
    add(history, ended(1), ended(2))
    add(history, ended(1, reason="said later"))
    assert rows(history, FIRST) == [1, 2]
    assert history.find([1])[1].message.reason == "said later"
    assert found(history.search({"account": "shop"})) == [2, 1]


def test_ids_as_large_as_they_get_are_kept_exactly(history: History) -> None:
    number = (1 << 63) - 1
    add(history, ended(number), ended(number - 1))
    assert list(history.find([number])) == [number]


def test_what_another_connection_adds_is_found(history: History, tmp_path: Path) -> None:
    add(history, ended(1))
    assert list(history.find([1])) == [1]
    with closing(History(tmp_path)) as other:
        add(other, ended(2))
    assert list(history.find([1, 2])) == [1, 2]


@pytest.mark.parametrize("count", [1, PACK - 1, PACK, PACK + 1, 12 * PACK + 3])
def test_however_many_are_added_at_once_each_is_found(history: History, count: int) -> None:
    numbers = [number * 7 for number in range(1, count + 1)]
    add(history, *(ended(number) for number in reversed(numbers)))
    assert packs(history, FIRST) == -(-count // PACK)
    assert rows(history, FIRST) == numbers
    assert sorted(history.find(numbers)) == numbers
    assert history.find([numbers[-1]]) == {numbers[-1]: ended(numbers[-1])}
    assert history.find([number + 1 for number in numbers]) == {}
    assert found(history.search({"account": "shop"}, limit=count)) == numbers[::-1]


def test_packs_of_which_each_reaches_over_the_others(history: History) -> None:
    for start in range(1, 20):
        add(history, *(ended(number) for number in range(start, 400, 20)))
    assert sorted(history.find(range(400))) == [number for number in range(1, 400) if number % 20]
    assert found(history.search({"account": "shop"}, before=45, limit=5)) == [44, 43, 42, 41, 39]


# -- searching


def test_a_search_gives_the_newest_first(history: History) -> None:
    add(history, *(ended(number, number // 10, client_ref="a" if number % 2 else "b") for number in range(1, 40)))
    assert found(history.search({"client_ref": "a"})) == list(range(39, 0, -2))
    assert found(history.search({"client_ref": "a", "destination": TO}, limit=3)) == [39, 37, 35]
    assert found(history.search({"destination": "8613700000000"})) == []
    assert found(history.search({"state": int(MessageState.DELIVERED)}, limit=1)) == [39]


def test_a_search_does_not_find_what_is_no_longer_so(history: History) -> None:
    add(history, *(ended(number, client_ref="a") for number in range(1, 5)))
    add(history, ended(4, client_ref="b"), ended(3, client_ref="a", reason="again"))
    assert found(history.search({"client_ref": "a"})) == [3, 2, 1]
    assert found(history.search({"client_ref": "a"}, limit=2)) == [3, 2]
    assert history.search({"client_ref": "a"})[0].message.reason == "again"
    assert found(history.search({"client_ref": "b"})) == [4]


def page_through(history: History, size: int, fields: dict[str, Any]) -> list[int]:
    got: list[int] = []
    before = None
    for _ in range(100):
        page = found(history.search(fields, before=before, limit=size))
        if not page:
            return got
        got += page
        before = page[-1]
    raise AssertionError(f"no end: {got}")


@pytest.mark.parametrize("size", [1, 4, 100])
def test_page_by_page_each_is_given_once(history: History, size: int) -> None:
    add(history, *(ended(number, number // 10) for number in range(1, 40)))
    assert page_through(history, size, {"destination": TO}) == list(range(39, 0, -1))


@pytest.mark.parametrize("size", [1, 2])
def test_page_by_page_none_is_left_out_where_the_earlier_ended_later(history: History, size: int) -> None:
    add(history, ended(1, day=1), ended(2, day=0), ended(3, day=1), ended(4, day=0))
    assert page_through(history, size, {"destination": TO}) == [4, 3, 2, 1]
    assert found(history.search({"destination": TO}, since=2, before=4)) == [3, 2]


@pytest.mark.parametrize("ref", ["a\0b", "\0", "a\0", "a"])
def test_a_text_with_a_zero_in_it_is_found_and_no_other(history: History, ref: str) -> None:
    add(history, *(ended(number, client_ref=one) for number, one in enumerate(("a\0b", "\0", "a\0", "a", ""), 1)))
    for _ in range(2):
        assert [one.message.client_ref for one in history.search({"client_ref": ref})] == [ref]
        history.close_days(FIRST + timedelta(days=2))


def test_a_search_that_takes_too_long_is_given_up(tmp_path: Path) -> None:
    with closing(History(tmp_path, search_s=0)) as hasty:
        add(hasty, *(ended(number) for number in range(1, 3_000)))
        with pytest.raises(SearchTooLongError, match="recipient"):
            hasty.search({"client_ref": "nobody's"})
        assert list(hasty.find([1])) == [1], "other questions have their time"


# -- days that are over


def plan(path: Path, sql: str, values: tuple[Any, ...]) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        connection.create_function("pack_text", 1, str)
        return [detail for _, _, _, detail in connection.execute(f"EXPLAIN QUERY PLAN {sql}", values)]


def searches(history: History, fields: dict[str, Any]) -> list[tuple[date, str, tuple[Any, ...]]]:
    """The statements a search makes."""
    seen: list[tuple[date, str, tuple[Any, ...]]] = []

    class Noting(History):
        def _rows(self, day: date, sql: str, values: Any) -> Any:
            if "ORDER BY key DESC" in sql:
                seen.append((day, sql, tuple(values)))
            return super()._rows(day, sql, values)

    with closing(Noting(history.folder.parent)) as noting:
        list(noting.search(fields))
    return seen


@pytest.mark.parametrize("name", INDEXED)
def test_a_day_that_is_over_gets_its_indexes_and_searches_use_them(history: History, name: str) -> None:
    today = FIRST + timedelta(days=3)
    for day in range(4):
        add(history, *(ended(day * 10 + at, day, client_ref=f"r{at}") for at in range(1, 5)))
    assert history.close_days(today) == [FIRST + timedelta(days=1), FIRST]
    assert history.close_days(today) == [], "once"
    for day, sql, values in searches(history, {name: "8613800138000"}):
        details = plan(history.path(day), sql, values)
        over = day < today - timedelta(days=1)
        assert any(f"USING INDEX {name} " in one for one in details) is over, (day, details)
    assert found(history.search({"client_ref": "r2"})) == [32, 22, 12, 2]


def test_a_day_that_is_over_has_rows_instead_of_packs(history: History) -> None:
    add(history, *(ended(number) for number in range(1, 3 * PACK)))
    add(history, ended(7, reason="said later"))
    history.close_days(FIRST + timedelta(days=9))
    assert packs(history, FIRST) == 0
    assert rows(history, FIRST) == list(range(1, 3 * PACK))
    assert history.find([7])[7].message.reason == "said later"


def test_more_packs_than_one_transaction_unpacks(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "UNPACK_MAX", 3)
    for number in range(1, 12):
        add(history, ended(number))
    history.close_days(FIRST + timedelta(days=9))
    assert (packs(history, FIRST), rows(history, FIRST)) == (0, list(range(1, 12)))


def test_unpacking_that_was_cut_short_goes_on(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    """A crash in between: some are rows, some are in packs, and of one there is an older row and a newer pack."""
    monkeypatch.setattr(module, "UNPACK_MAX", 2)
    add(history, ended(1, reason="first"), ended(2))
    add(history, ended(3))
    add(history, ended(1, reason="second"))
    with transaction(history._writer(FIRST)):
        module._unpack(history._writer(FIRST))
    assert packs(history, FIRST) == 1
    assert history.find([1])[1].message.reason == "second"
    assert [one.message.reason for one in history.search({"account": "shop"})] == ["", "", "second"]
    assert found(history.search({"reason": "first"})) == []
    history.close_days(FIRST + timedelta(days=9))
    assert history.find([1])[1].message.reason == "second"


def test_a_day_of_an_older_version_is_read_and_added_to(history: History, tmp_path: Path) -> None:
    """Version 1 had no packs."""
    with closing(connect(history.path(FIRST), HISTORY[:1])) as old:
        old.execute("INSERT INTO final VALUES (1, ?)", (msgspec.json.encode(ended(1)).decode(),))
    assert list(history.find([1])) == [1]
    assert found(history.search({"account": "shop"})) == [1]
    add(history, ended(2))
    assert found(history.search({"account": "shop"})) == [2, 1]


def test_a_day_between_that_was_not_indexed_is_indexed_later(history: History) -> None:
    add(history, ended(1, 0), ended(2, 1))
    assert history.close_days(FIRST + timedelta(days=2)) == [FIRST]
    add(history, ended(3, 2))
    assert history.close_days(FIRST + timedelta(days=9)) == [FIRST + timedelta(days=2), FIRST + timedelta(days=1)]


def test_what_ends_late_is_added_to_a_day_with_indexes(history: History) -> None:
    add(history, ended(1, client_ref="a"))
    history.close_days(FIRST + timedelta(days=9))
    add(history, ended(2, client_ref="a"), ended(1, client_ref="b"))
    assert packs(history, FIRST) == 0, "they are under its indexes, too"
    assert found(history.search({"client_ref": "a"})) == [2]
    assert found(history.search({"client_ref": "b"})) == [1]


# -- when their time is over


def test_old_days_are_deleted_with_all_their_files(history: History) -> None:
    for day in range(5):
        add(history, ended(day + 1, day))
    assert len(history.find([1, 2, 3, 4, 5])) == 5, "the files are open"
    today = FIRST + timedelta(days=4)
    deleted, emptied = history.retain(today, history_days=2, text_days=2)
    assert (deleted, emptied) == ([FIRST + timedelta(days=1), FIRST], [])
    assert history.days() == [FIRST + timedelta(days=day) for day in (4, 3, 2)]
    assert {one.name[:10] for one in history.folder.iterdir()} == {day.isoformat() for day in history.days()}
    assert sorted(history.find([1, 2, 3, 4, 5])) == [3, 4, 5]
    assert found(history.search({"account": "shop"})) == [5, 4, 3]


def test_texts_go_sooner_and_the_rest_stays(history: History) -> None:
    for day in range(3):
        add(history, ended(day + 1, day, content=Content(b"the text itself"), client_ref="mine"))
    today = FIRST + timedelta(days=2)
    assert history.retain(today, history_days=90, text_days=1) == ([], [FIRST])
    assert history.retain(today, history_days=90, text_days=1) == ([], []), "once"
    texts = {number: record.message.content.data for number, record in history.find([1, 2, 3]).items()}
    assert texts == {1: b"", 2: b"the text itself", 3: b"the text itself"}
    assert history.find([1])[1] == ended(1, content=Content(b""), client_ref="mine")
    assert found(history.search({"client_ref": "mine"})) == [3, 2, 1]


def test_a_text_that_is_gone_is_gone_from_the_disk(history: History) -> None:
    add(history, *(ended(number, content=Content(b"the text itself")) for number in range(1, 100)))
    stored = b"dGhlIHRleHQgaXRzZWxm"  # as JSON has it
    history.close_days(FIRST + timedelta(days=9))
    assert stored in history.path(FIRST).read_bytes()
    history.retain(FIRST + timedelta(days=9), history_days=90, text_days=1)
    assert not any(stored in one.read_bytes() for one in history.folder.iterdir())


def test_another_process_keeps_order_while_the_files_are_open(history: History, tmp_path: Path) -> None:
    for day in range(4):
        add(history, ended(day + 1, day, content=Content(b"x")))
    history.find([1])
    with closing(History(tmp_path)) as keeper:
        keeper.retain(FIRST + timedelta(days=3), history_days=2, text_days=1)
        keeper.close_days(FIRST + timedelta(days=3))
    assert sorted(history.find([1, 2, 3, 4])) == [2, 3, 4]
    assert history.find([2])[2].message.content.data == b""
    add(history, ended(9, 3))
    assert list(history.find([9])) == [9]


# -- what goes wrong


@pytest.mark.parametrize("made", ["a file without tables", "an empty file"])
def test_a_day_that_has_only_just_begun_has_nothing_to_say(history: History, made: str) -> None:
    """A crash leaves it like this, and a question may come between the file and its table."""
    add(history, ended(1))
    place = history.path(FIRST + timedelta(days=1))
    place.touch()
    if made == "a file without tables":
        with closing(sqlite3.connect(place)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
    assert list(history.find([1, 2])) == [1]
    assert found(history.search({"account": "shop"})) == [1]
    add(history, ended(2, 1))
    assert sorted(history.find([1, 2])) == [1, 2], "and now it has"


def test_a_day_of_which_one_table_is_made_has_nothing_to_say(history: History) -> None:
    """The writer makes them one by one, and a question may come in between."""
    add(history, ended(1))
    place = history.path(FIRST + timedelta(days=1))
    place.touch()
    assert list(history.find([1, 2])) == [1], "its reader has seen nothing"
    with closing(sqlite3.connect(place)) as connection:
        connection.executescript(f"{HISTORY[0]} PRAGMA application_id = {APPLICATION_ID}; PRAGMA user_version = 1;")
    assert list(history.find([1, 2])) == [1]
    assert found(history.search({"account": "shop"})) == [1]
    add(history, ended(2, 1))
    assert sorted(history.find([1, 2])) == [1, 2], "and now it has"


def test_a_day_that_is_deleted_while_it_is_looked_at_has_nothing_to_say(history: History) -> None:
    add(history, ended(1))
    days = history.days()

    class Late(History):
        def days(self) -> list[date]:
            return days

    history.retain(FIRST + timedelta(days=9), history_days=1, text_days=1)
    with closing(Late(history.folder.parent)) as late:
        assert late.find([1]) == {}


def test_a_damaged_day_is_named(history: History) -> None:
    add(history, ended(1))
    history.close()
    history.path(FIRST).write_bytes(b"no database at all" * 500)
    with pytest.raises(VaultError, match=str(history.path(FIRST))):
        history.find([1])
    with pytest.raises(NotWrittenError, match=str(history.path(FIRST))):
        add(history, ended(2))


def test_a_full_disk_is_said_and_nothing_is_lost(tmp_path: Path) -> None:
    with closing(open_store(tmp_path, BOOT, START_UTC)) as store:
        story = Story(store)
        message = story.accepted(content=Content(b"x" * 40_000))
        store.history._writer(datetime.fromtimestamp(START_UTC, UTC).date()).execute("PRAGMA max_page_count = 2")
        with pytest.raises(NotWrittenError):
            store.settle([Finish(message.id, MessageState.REJECTED, "x")], story.utc)
        assert story.state(message) is MessageState.REJECTED
    with closing(open_store(tmp_path, BOOT, START_UTC)) as store:
        store.commit(START_UTC)
        store.fund("nobody", 1)
        assert list(store.history.find([message.id])) == [message.id]
        assert store.ledger().final["rejected"] == 1


# -- statements


READS = [
    *((name, embedded._GET[name], ('["1"]',)) for name in KEYED),
    *((name, embedded._UNDER[name], ('["1"]', "\x1f", "\x20")) for name in SORTED),
    *((name, embedded._SCAN[name], (1, 2, 3)) for name in (*KEYED, *SORTED)),
    *((name, embedded._COUNT[name], (1, 2)) for name in (*KEYED, *SORTED)),
]
WRITES = [
    *((name, embedded._PUT[name], ('{"1":1}',)) for name in KEYED),
    *((name, embedded._ADD[name], ('["1"]',)) for name in SORTED),
    *((name, embedded._REMOVE[name], ('["1"]',)) for name in (*KEYED, *SORTED)),
]


@pytest.mark.parametrize("analyzed", [False, True])
def test_every_statement_of_the_vault_goes_by_the_primary_key(tmp_path: Path, analyzed: bool) -> None:
    path = tmp_path / "store.db"
    with closing(connect(path, STORE)) as connection:
        for name in (*KEYED, *SORTED):
            columns, values = ("key, value", "?, 1") if name in KEYED else ("key", "?")
            connection.executemany(f"INSERT INTO {name}({columns}) VALUES ({values})", ((at,) for at in range(1_000)))
        if analyzed:
            connection.execute("ANALYZE")
    for name, sql, values in itertools.chain(READS, WRITES):
        details = plan(path, sql, values)
        about = [one for one in details if f" {name}" in one or " t " in f"{one} "]
        assert not any(one.startswith("SCAN") for one in about), (sql, details)
        if sql.startswith(("SELECT", "DELETE")):
            assert any(one.startswith("SEARCH") and "PRIMARY KEY" in one for one in about), (sql, details)


def test_ended_messages_are_found_by_the_primary_key(history: History) -> None:
    add(history, ended(1))
    sql = "SELECT t.value FROM json_each(?) AS wanted JOIN final AS t ON t.key = CAST(wanted.value AS INTEGER)"
    assert sql == module._FIND
    assert any("SEARCH t USING INTEGER PRIMARY KEY" in one for one in plan(history.path(FIRST), sql, ("[1]",)))
    details = plan(history.path(FIRST), module._FIND_PACKED, ("[1]",))
    assert any("SEARCH pack USING INDEX pack_of" in one for one in details), details


# -- packs in files of their own


def many(day: int = 0, first: int = 1, **fields: Any) -> list[Record]:
    """So many that they are not put into the database."""
    text = Content(b"a long text " * 40)
    return [ended(number, day, **{"content": text, **fields}) for number in range(first, first + 120)]


def pack_files(history: History, day: date) -> list[str]:
    return [one.name for one in files_of(history.folder, day)]


def test_many_at_once_stand_in_a_file_and_are_found_like_few(history: History) -> None:
    records = many(client_ref="mine")
    add(history, *records)
    assert len(pack_files(history, FIRST)) == 1
    assert history.path(FIRST).stat().st_size < 60_000
    assert history.find([5, 60, 119]) == {number: records[number - 1] for number in (5, 60, 119)}
    assert found(history.search({"client_ref": "mine"}, limit=200)) == list(range(120, 0, -1))
    add(history, ended(5, client_ref="few"))
    assert history.find([5])[5].message.client_ref == "few", "the last one counts, wherever it stands"


def test_a_file_is_gone_on_with_after_a_start_whatever_a_crash_left_behind(tmp_path: Path) -> None:
    with closing(History(tmp_path)) as history:
        add(history, *many())
        add(history, *many(first=1_001))
        (name,) = pack_files(history, FIRST)
        with (history.folder / name).open("ab") as file:
            file.write(b"half of a pack")
    with closing(History(tmp_path)) as history:
        add(history, *many(first=2_001))
        add(history, *many(first=3_001))
        assert sorted(history.find([1, 1_001, 2_001, 3_001])) == [1, 1_001, 2_001, 3_001]
        assert name in pack_files(history, FIRST)


def test_days_that_are_added_to_in_turn_have_a_file_each(history: History) -> None:
    for turn in range(4):
        for day in (0, 1):
            add(history, *many(day, first=1 + 1_000 * turn + 200 * day))
    assert [len(pack_files(history, FIRST + timedelta(days=day))) for day in (0, 1)] == [1, 1]


def test_a_day_that_is_over_needs_no_file(history: History) -> None:
    add(history, *many())
    history.close_days(FIRST + timedelta(days=2))
    assert (pack_files(history, FIRST), packs(history, FIRST)) == ([], 0)
    assert rows(history, FIRST) == list(range(1, 121))
    add(history, *many(first=1_001))
    assert (pack_files(history, FIRST), packs(history, FIRST)) == ([], 0), "nor does what ends late"
    assert len(history.find(range(1, 2_000))) == 240


def test_texts_go_from_the_files_too(history: History) -> None:
    add(history, *many(content=Content(b"the text itself " * 40)))
    history.retain(FIRST + timedelta(days=1), history_days=90, text_days=0)
    assert pack_files(history, FIRST) == []
    assert not any(b"dGhlIHRleHQgaXRzZWxm" in one.read_bytes() for one in history.folder.iterdir())
    add(history, *many(first=1_001))
    assert len(history.find(range(1, 2_000))) == 240, "and the day goes on"


def test_files_go_with_their_day(history: History) -> None:
    add(history, *many())
    history.retain(FIRST + timedelta(days=9), history_days=2, text_days=2)
    assert list(history.folder.iterdir()) == []


def test_another_process_puts_a_day_in_order_between_two_additions(history: History, tmp_path: Path) -> None:
    add(history, *many())
    with closing(History(tmp_path)) as keeper:
        keeper.retain(FIRST + timedelta(days=1), history_days=90, text_days=0)
        add(history, *many(first=1_001))
        assert len(history.find(range(1, 2_000))) == 240
        keeper.close_days(FIRST + timedelta(days=2))
    assert len(history.find(range(1, 2_000))) == 240


def test_a_question_that_meets_a_file_just_gone_is_asked_again(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its rows are packs, and the file they name is deleted before it reads it."""
    add(history, *many())
    read = PackFiles.text

    def then_in_order(files: PackFiles, value: str) -> str:
        if files is history._read_packs:
            monkeypatch.setattr(PackFiles, "text", read)
            history.close_days(FIRST + timedelta(days=2))
        return read(files, value)

    monkeypatch.setattr(PackFiles, "text", then_in_order)
    history._readers.clear()
    assert sorted(history.find([7, 8])) == [7, 8]


@pytest.mark.parametrize("damage", ["gone", "short"])
def test_a_file_that_cannot_be_read_is_told(history: History, damage: str) -> None:
    add(history, *many())
    (name,) = pack_files(history, FIRST)
    path = history.folder / name
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-9_000])
    with pytest.raises(VaultError, match="restore a backup") as error:
        history.find([110])
    assert (name if damage == "gone" else FIRST.isoformat()) in str(error.value)


def test_what_sqlite_refused_is_written_over(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else files would grow with every try while the disk is full."""
    add(history, *many())

    def refuse(*_: Any) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(PackFiles, "keep", refuse)  # the rows are there, but that is not known: at the worst a file grows
        with pytest.raises(NotWrittenError):
            add(history, *many(first=1_001))
    (name,) = pack_files(history, FIRST)
    size = (history.folder / name).stat().st_size
    add(history, *many(first=1_001))
    assert (history.folder / name).stat().st_size == size
    assert len(history.find(range(1, 2_000))) == 240


def test_files_that_a_crash_left_beside_a_day_that_is_over_are_deleted(history: History) -> None:
    add(history, *many())
    history.close_days(FIRST + timedelta(days=2))
    (history.folder / f"{FIRST.isoformat()}.0011aabb.packs").write_bytes(b"left")
    history.close_days(FIRST + timedelta(days=2))
    assert pack_files(history, FIRST) == []
