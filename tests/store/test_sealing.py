"""Messages that have ended for good are one piece of octets until the history has them; nobody can tell from the answers."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from story import BOOT, START_UTC, TO, Story

from gateway.store.archive import Archive
from gateway.store.base import Finish
from gateway.store.blocking import BlockingStore
from gateway.store.embedded.store import open_store
from gateway.store.ended import Ended
from gateway.store.history import rows_by_day
from gateway.store.states import NO_RECEIPT
from gateway.store.vault import NotWrittenError, Write
from protocol.receipt import MessageState as CarrierState
from routing.records import AttemptState, MessageState


class Kept(Archive):
    """The history is not written."""

    def take(self) -> list[Ended]:
        return []


@pytest.fixture
def store(tmp_path: Path) -> Iterator[BlockingStore]:
    with closing(open_store(tmp_path, BOOT, START_UTC)) as opened:
        opened.keeper.archive = Kept(opened.book)
        yield opened


@pytest.fixture
def story(store: BlockingStore) -> Story:
    return Story(store)


def again(store: BlockingStore, utc: float, **limits: float) -> BlockingStore:
    """The process dies; the same directory is opened again."""
    folder = store.history.folder.parent
    store.close()
    return open_store(folder, BOOT, utc, **limits)


def test_what_has_ended_is_one_piece_and_is_found_as_it_was(store: BlockingStore, story: Story) -> None:
    message = story.accepted(client_ref="mine")
    story.sent(message, "x")
    story.settle(story.receipt("x"))
    assert list(store.book.seals.held) == [message.id]
    assert message.id not in store.book.records
    assert not store.book.indexes.by_carrier
    assert story.found(message) == message
    assert story.attempt_states(message) == [AttemptState.DELIVERED]
    assert store.resolve("shop", message.public_id) == [message.id]


def test_a_receipt_that_is_repeated_changes_nothing_and_does_not_wait(store: BlockingStore, story: Story) -> None:
    story.sent(story.accepted(), "x")
    story.settle(story.receipt("x"))
    for repeated in (story.receipt("x"), story.receipt("x", destination=""), story.receipt("x", destination=TO[2:])):
        settled = story.settle(repeated)
        assert (settled.finals, settled.parked) == ([], 0)
    assert story.settle(story.receipt("x", destination="8613900000000")).parked == 1, "the id is used again for another number"
    assert story.settle(story.receipt("x", channel="b")).parked == 1, "another carrier's id"


def test_repeated_receipts_are_known_of_so_many_attempts(tmp_path: Path) -> None:
    with closing(open_store(tmp_path, BOOT, START_UTC)) as opened:
        opened.book.seals._names_max = 2
        story = Story(opened)
        for name in ("x", "y", "z"):
            story.sent(story.accepted(), name)
            story.settle(story.receipt(name))
        assert [story.settle(story.receipt(name)).parked for name in ("z", "y", "x")] == [0, 0, 1]


def test_an_id_that_is_used_again_is_the_new_message_s(store: BlockingStore, story: Story) -> None:
    story.sent(story.accepted(), "x")
    story.settle(story.receipt("x"))
    later = story.accepted(destination="8613900000000")
    story.sent(later, "x")
    (final,) = story.settle(story.receipt("x", destination="8613900000000")).finals
    assert final.message.id == later.id


def test_an_id_that_is_used_again_for_the_same_recipient_is_the_new_message_s(tmp_path: Path) -> None:
    """Although that one has left memory when its receipt comes."""
    with closing(open_store(tmp_path, BOOT, START_UTC, fold_after_s=0, clean_max=0, stay_s=0)) as store:
        story = Story(store)
        story.sent(story.accepted(), "x")
        story.settle(story.receipt("x"))
        later = story.accepted()
        story.sent(later, "x")
        for _ in range(3):
            story.utc += 1
            store.commit(story.utc)
        assert later.id not in store.book.records
        assert [one.message.id for one in story.settle(story.receipt("x")).finals] == [later.id]
        assert story.settle(story.receipt("x")).parked == 0


def test_a_correction_that_comes_while_the_end_is_archived_is_the_last_word(tmp_path: Path) -> None:
    with closing(open_store(tmp_path, BOOT, START_UTC)) as store:
        archive, store.keeper.archive = store.keeper.archive, Kept(store.book)
        story = Story(store)
        message = story.accepted()
        story.sent(message, "x")
        story.settle(Finish(message.id, MessageState.UNKNOWN, NO_RECEIPT))
        store.keeper.archive = archive
        archive.add([message.id])
        (old,) = archive.take()
        store.keeper.archive = Kept(store.book)
        story.settle(story.receipt("x"))
        assert message.id in store.book.seals.held
        store.history.add(rows_by_day([old]))
        store.keeper.archived([old])
        store.keeper.archive = archive
        archive.add([message.id])
        store.commit(story.utc + 1)
        store.book.put_document("webhook", "w", b"{}")
        store.commit(story.utc + 2)
        assert store.history.find([message.id])[message.id].message.state is MessageState.DELIVERED


def test_what_can_still_change_is_not_sealed(store: BlockingStore, story: Story) -> None:
    aliased = story.accepted(public_id="alias")
    story.sent(aliased, "a")
    twice = story.accepted(class_="verification")
    story.sent(twice, "b1")
    timed_out = story.accepted()
    story.sent(timed_out, "c")
    story.settle(story.refusal(story.begun(story.accepted()), again=False))
    story.settle(story.receipt("a"))
    assert store.resolve("shop", "alias") == [aliased.id], "it is asked for by that name"
    story.settle(Finish(timed_out.id, MessageState.UNKNOWN, NO_RECEIPT))
    assert {aliased.id, timed_out.id} <= store.book.records.keys()
    (final,) = story.settle(story.receipt("c")).finals
    assert final.correction
    assert timed_out.id in store.book.seals.held, "the correction is the last word"


def test_an_attempt_that_is_open_keeps_its_message_as_it_is(store: BlockingStore, story: Story) -> None:
    message = story.accepted()
    story.sent(message, "first")
    story.settle(story.receipt("first", state=CarrierState.ENROUTE))
    story.settle(Finish(message.id, MessageState.EXPIRED, "given up"))
    assert message.id in store.book.records
    story.settle(story.receipt("first"))
    assert story.attempt_states(message) == [AttemptState.DELIVERED], "its receipt is noted"


@pytest.mark.parametrize("fold_after_s", [20.0, 0.0], ids=["in the journal", "with rows"])
def test_what_was_not_archived_when_the_process_died_is_afterwards(tmp_path: Path, fold_after_s: float) -> None:
    with closing(open_store(tmp_path, BOOT, START_UTC, fold_after_s=fold_after_s)) as first:
        first.keeper.archive = Kept(first.book)
        story = Story(first)
        message = story.accepted()
        story.sent(message, "x")
        first.commit(story.utc + 1)
        story.settle(story.receipt("x"))
        second = again(first, story.utc)
    with closing(second):
        second.commit(story.utc)
        second.commit(story.utc)
        assert second.vault.get("message", [str(message.id)]) == {}, "no row is left of it"
        assert second.history.find([message.id])[message.id].message.state is MessageState.DELIVERED
        assert Story(second).attempt_states(message) == [AttemptState.DELIVERED]
        assert second.ledger().final["delivered"] == 1


def test_a_write_that_failed_is_made_up_for_by_the_next(store: BlockingStore, story: Story) -> None:
    message = story.accepted()
    story.sent(message, "x")
    write = store.vault.write

    def fail(_: Write) -> None:
        raise NotWrittenError("the disk is full")

    store.vault.write = fail  # type: ignore[method-assign]
    with pytest.raises(NotWrittenError):
        story.settle(story.receipt("x"))
    assert story.found(message).state is MessageState.DELIVERED
    store.vault.write = write  # type: ignore[method-assign]
    store.commit(story.utc)
    with closing(again(store, story.utc)) as second:
        assert Story(second).found(message).state is MessageState.DELIVERED
        assert second.book.records[message.id].attempts[0].receipt == "DELIVERED"
