"""What the journal alone holds: it is cut shorter a little at a time, and only what makes it too long gets rows."""

import contextlib

from story import BOOT, START_UTC, Story

from gateway.store import keeper
from gateway.store.archive import ARCHIVE_MAX, ARCHIVE_RECORDS
from gateway.store.base import Admission
from gateway.store.blocking import BlockingStore
from gateway.store.book import Book
from gateway.store.embedded.store import open_store
from gateway.store.ended import Ended
from gateway.store.keeper import Keeper
from gateway.store.record import Record
from gateway.store.unfolded import TRIM_MAX, TRIM_SHARE, Backlog, Unfolded
from routing.records import Message


def test_what_is_put_behind_twice_is_needed_from_the_first_page_on():
    """Else the pages of others that stand behind it would go while they are needed."""
    unfolded: Unfolded[int] = Unfolded()
    unfolded.put_behind({1: 3})
    unfolded.put_behind({2: 5})
    unfolded.put_behind({1: 11})
    assert unfolded.first(99) == 3
    unfolded.put_behind({1: 12, 3: 13})
    assert (unfolded.first(99), len(unfolded)) == (3, 3)
    unfolded.drop(1)
    assert unfolded.first(99) == 5


def test_many_pages_go_with_many_writes_and_none_that_is_needed():
    """One write that let ten thousand pages go held up everybody for 0.4 s."""
    backlog = Backlog()
    backlog.messages.note(1, 10_000)
    number, kept, steps = 10_000, 0, []
    while backlog.must_trim(number):
        number += 1
        steps.append(backlog.trim(number) - kept)
        kept = backlog.kept_from
    assert max(steps) <= 10_000 // TRIM_SHARE
    assert min(steps) >= TRIM_MAX
    assert kept <= 10_000
    assert backlog.trim(number) == 10_000, "the last few go at once"
    assert not backlog.must_trim(number)


def test_what_is_put_behind_is_in_order_whatever_was_there():
    unfolded: Unfolded[int] = Unfolded()
    unfolded.put_behind({1: 5, 2: 6})
    unfolded.put_behind({3: 6})
    assert (unfolded.first(99), unfolded.page_of(3)) == (5, 6)
    unfolded.put_behind({4: 2, 5: 9})
    assert [unfolded.page_of(count) for count in range(1, 6)] == [2, 5, 6, 6, 9], (
        "after a write that failed older ones may come"
    )


def test_a_few_pages_go_at_once():
    backlog = Backlog()
    backlog.rollups.note(("minute",), 5)
    assert backlog.trim(9) == 5
    backlog.rollups.drop(("minute",))
    assert backlog.trim(9) == 9


def test_after_a_recovery_what_is_needed_counts():
    backlog = Backlog()
    backlog.kept_from = 1_000_000
    backlog.messages.note(1, 990_000)
    assert backlog.trim(1_000_001) == 990_000


def test_of_many_messages_only_the_oldest_beyond_the_bound_get_rows(tmp_path, monkeypatch):
    """Those that come in a rush mostly leave soon: a row for each of them would cost more than all the rest."""
    monkeypatch.setattr(keeper, "UNFOLDED_MAX", 10)
    with contextlib.closing(open_store(tmp_path, BOOT, START_UTC, fold_after_s=3600.0)) as store:
        story = Story(store)
        for _ in range(6):
            store.admit([Admission(story.message()) for _ in range(5)], story.utc)
        for _ in range(5):
            store.fund("nobody", 1)
        rows = sorted(store.keeper._rows)
    assert 20 <= len(rows) <= 25, "by whole pages"
    assert rows == list(range(1, len(rows) + 1)), "the oldest ones"


def test_a_burst_does_not_lift_the_bound(tmp_path, monkeypatch):
    """Small pages before large ones, and a write for each: as many rows are made as messages come."""
    monkeypatch.setattr(keeper, "UNFOLDED_MAX", 2_000)

    def one_write(store, utc):
        store.vault.write(store.keeper.take(utc))
        store.keeper.written(utc)

    monkeypatch.setattr(BlockingStore, "commit", one_write)
    with contextlib.closing(open_store(tmp_path, BOOT, START_UTC, fold_after_s=3600.0)) as store:
        story, backlog = Story(store), store.keeper._backlog.messages
        for size in (*[20] * 120, *[1_500] * 4):
            store.admit([Admission(story.message()) for _ in range(size)], story.utc)
            assert len(backlog) <= 2_000 + size


def test_what_goes_to_the_history_in_one_go_is_bounded_by_what_it_takes_to_make_it():
    """Sealed messages only have to be joined; the others are encoded on the core's thread, while everybody waits."""
    book = Book(alone=False)
    kept = Keeper(book)
    count = 2 * ARCHIVE_MAX
    for number in range(count):
        book.seals.held[number] = Ended(number, START_UTC, b"{}")
    for number in range(count, count + 1_000):
        book.records[number] = Record(Message(number, "shop"))
    kept.archive.add(range(count + 1_000))
    sizes = []
    while kept.archive:
        taken = kept.archive.take()
        kept.archived(taken)
        sizes.append(len(taken))
    assert sizes == [ARCHIVE_MAX] * 2 + [ARCHIVE_RECORDS] * 4
    assert not book.seals.held
