"""A full disk: nothing is accepted, what was decided waits and is stored once there is space, nothing is lost or doubled.

Half of a page of the journal is written before the system says that the disk is full. SQLite says so when a file may have no
more pages (`max_page_count`).
"""

import errno
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from story import BOOT, START_UTC, Story

from gateway.store.base import Admission, Change, Finish
from gateway.store.blocking import BlockingStore
from gateway.store.embedded.store import open_store
from gateway.store.vault import NotWrittenError
from routing.guards import Guard, Spend, Unique, Window
from routing.records import Message, MessageState

LONG = "r" * 40_000
"""A message with so much in it needs new pages of the file."""
LIMITS: dict[str, dict[str, float]] = {
    "roomy": {},
    "forgetful": {"fold_after_s": 0, "stay_s": 0, "clean_max": 0, "finals_max": 2, "guards_max": 0, "notices_max": 0},
}
GUARDS: dict[str, Guard] = {
    "unique": Unique("once", START_UTC + 1_000),
    "unique for good": Unique("once", START_UTC + 1_000, returns=False),
    "window": Window("often", 1, 1_000.0),
    "window for good": Window("often", 1, 1_000.0, returns=False),
    "spend": Spend("purse", 70),
    "spend for good": Spend("purse", 70, returns=False),
}


@pytest.fixture(params=list(LIMITS))
def limits(request: pytest.FixtureRequest) -> dict[str, float]:
    """How much stays in memory."""
    return LIMITS[request.param]


@pytest.fixture
def reopen(tmp_path: Path, limits: dict[str, float]) -> Callable[[BlockingStore, float], BlockingStore]:
    """The process dies and starts again."""

    def again(store: BlockingStore, utc: float) -> BlockingStore:
        store.close()
        opened = open_store(tmp_path, BOOT, utc, **limits)
        opened.commit(utc)
        return opened

    return again


@pytest.fixture
def story(tmp_path: Path, limits: dict[str, float]) -> Iterator[Story]:
    with closing(open_store(tmp_path, BOOT, START_UTC, **limits)) as store:
        yield Story(store)


@contextmanager
def disk_full() -> Iterator[None]:
    """No room for a page of the journal, only for half of it."""
    whole = os.pwritev

    def half(file: int, pieces: Sequence[bytes], at: int) -> int:
        octets = b"".join(pieces)
        whole(file, [octets[: len(octets) // 2]], at)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "pwritev", half)
        yield


@contextmanager
def no_room_for_rows(store: BlockingStore) -> Iterator[None]:
    """Pages of the journal can be written, and what goes with them cannot."""
    writer = store.vault._writer  # type: ignore[attr-defined]
    (pages,) = writer.execute("PRAGMA page_count").fetchone()
    writer.execute(f"PRAGMA max_page_count = {pages}")
    try:
        yield
    finally:
        writer.execute("PRAGMA max_page_count = 1000000")


def refused(story: Story, *guards: Guard, **fields: Any) -> Message:
    """A message that could not be stored."""
    message = story.message(client_ref=LONG, **fields)
    with pytest.raises(NotWrittenError, match="journal: No space left on device"):
        story.store.admit([Admission(message, guards)], story.utc)
    story.check()
    return message


def picture(store: BlockingStore) -> dict[str, Any]:
    """Everything that may be asked."""
    return {
        "ledger": store.ledger(),
        "messages": store.find(range(1, 50)),
        "attempts": [store.attempts(number) for number in range(1, 50)],
        "notices": store.notices("shop", 1_000),
        "purse": store.book.guards.sums.get("ppurse", 0),
        "queue": [one.id for one in store.find(range(1, 50)) if one is not None and one.state is MessageState.QUEUED],
    }


def test_what_could_not_be_stored_is_taken_back(story: Story, reopen: Callable[..., BlockingStore]) -> None:
    kept = story.accepted()
    before = story.store.ledger()
    with disk_full():
        message = refused(story, public_id="alias")
        assert story.store.ledger() == before
        assert story.store.find([message.id]) == [None]
        assert story.store.resolve("shop", "alias") == []
        assert story.store.matching("shop", "", "Shop", message.destination) == [kept.id]
    story.accepted()
    assert story.store.find([message.id]) == [None]
    with closing(reopen(story.store, story.utc)) as store:
        assert store.find([message.id]) == [None]
        assert store.ledger().accepted == 2


@pytest.mark.parametrize("name", GUARDS)
def test_what_it_took_is_given_back(story: Story, name: str, reopen: Callable[..., BlockingStore]) -> None:
    """For its sender sends it again; also what would not come back when a message ends."""
    guard = GUARDS[name]
    story.store.fund("purse", 100)
    with disk_full():
        refused(story, guard)
        refused(story, guard)
    message = story.message(client_ref=LONG)
    assert story.admit(message, guard) is None
    assert story.admit(story.message(), guard) == guard
    with closing(reopen(story.store, story.utc)) as store:
        assert store.admit([Admission(story.message(), (guard,))], story.utc) == [guard]
        assert store.ledger().accepted == 1


def test_the_same_message_again_is_accepted_once_there_is_space(story: Story, reopen: Callable[..., BlockingStore]) -> None:
    with disk_full():
        message = refused(story)
    assert story.admit(message) is None
    assert story.admit(message) is None, "the answer to the first time was lost"
    assert story.store.ledger().accepted == 1
    with closing(reopen(story.store, story.utc)) as store:
        queued = [*store.recovered.queued, *store.page_in("notification", 10)]
        assert [one.id for one in queued] == [message.id]


def test_what_was_settled_is_kept_and_stored_later(story: Story, reopen: Callable[..., BlockingStore]) -> None:
    """A carrier's answer is not asked for again: it must not be forgotten, nor counted twice."""
    sent, rejected, open_ = (story.accepted() for _ in range(3))
    key = story.begun(sent)
    story.begun(open_)
    with disk_full():
        with pytest.raises(NotWrittenError):
            story.store.settle([story.answer(key, "x" + LONG)], story.utc)
        with pytest.raises(NotWrittenError):
            story.store.settle([Finish(rejected.id, MessageState.REJECTED, LONG)], story.utc)
        refused(story)
        story.check()
    story.store.commit(story.utc)  # type: ignore[attr-defined]
    assert story.state(rejected) is MessageState.REJECTED
    assert [one.carrier_id for one in story.store.attempts(sent.id)] == ["x" + LONG]
    assert story.notices() == [(rejected.id, MessageState.REJECTED)]
    settled = story.settle(story.receipt("x" + LONG))
    assert [final.message.id for final in settled.finals] == [sent.id]
    ledger = story.store.ledger()
    assert (ledger.accepted, ledger.in_flight, ledger.final["delivered"], ledger.final["rejected"]) == (3, 1, 1, 1)
    counts = [row for key, row in story.store.book.rollups.held.items() if key[0] == "d"]  # type: ignore[attr-defined]
    assert sum(sum(row[:7]) for row in counts) == 2
    with closing(reopen(story.store, story.utc)) as store:
        assert store.ledger() == ledger
        assert store.notices("shop", 10)[0].id == sent.id or len(store.notices("shop", 10)) == 2


def test_all_is_the_same_after_a_restart(story: Story, reopen: Callable[..., BlockingStore]) -> None:
    story.store.fund("purse", 1_000)
    for _ in range(4):
        story.accepted()
    first, second, third, fourth = (one for one in story.store.find([1, 2, 3, 4]) if one is not None)
    story.sent(first, "a")
    story.settle(story.receipt("a"))
    key = story.begun(second)
    with disk_full():
        for _ in range(3):
            refused(story, Spend("purse", 10), Unique("k", START_UTC + 1_000))
        with pytest.raises(NotWrittenError):
            story.store.settle([story.answer(key, "b"), Finish(third.id, MessageState.REJECTED, LONG)], story.utc)
        with pytest.raises(NotWrittenError):
            story.store.change([Change(fourth.id, None)], story.utc)
    story.accepted()
    before = picture(story.store)  # type: ignore[arg-type]
    with closing(reopen(story.store, story.utc)) as store:
        assert picture(store) == before
        assert before["purse"] == 1_000
        assert [final for final in before["ledger"].final.items() if final[1]] == [
            ("delivered", 1),
            ("rejected", 1),
            ("cancelled", 1),
        ]


def test_a_crash_while_the_disk_is_full_loses_only_what_nobody_was_told(
    story: Story, reopen: Callable[..., BlockingStore]
) -> None:
    one = story.accepted()
    with disk_full():
        message = refused(story)
        with pytest.raises(NotWrittenError):
            story.store.settle([Finish(one.id, MessageState.REJECTED, LONG)], story.utc)
    with closing(reopen(story.store, story.utc)) as store:
        assert store.find([message.id]) == [None]
        (found,) = store.find([one.id])
        assert found is not None
        assert found.state is MessageState.QUEUED
        assert store.notices("shop", 10) == []
        assert store.ledger().balanced


def test_a_thousand_steps_through_a_disk_that_is_full_now_and_then(
    story: Story, limits: dict[str, float], reopen: Callable[..., BlockingStore]
) -> None:
    """Every write may fail, with rows in the tables and pages that go: what was accepted is there in the end, once."""
    accepted = []
    said = set()
    for round_ in range(20):
        with disk_full() if round_ % 2 else no_room_for_rows(story.store):  # type: ignore[arg-type]
            for _ in range(5):
                message = story.message(client_ref=LONG)
                try:
                    story.store.admit([Admission(message)], story.utc)
                    accepted.append(message.id)
                except NotWrittenError as error:
                    said.add(str(error).partition(": ")[2])
        accepted += [story.accepted().id for _ in range(5)]
        story.store.settle([Finish(accepted[round_ * 3], MessageState.REJECTED, "x")], story.utc)
        story.utc += 1
    ledger = story.store.ledger()
    assert ledger.accepted == len(accepted)
    assert said == {"No space left on device"} | ({"database or disk is full"} if limits is LIMITS["forgetful"] else set())
    with closing(reopen(story.store, story.utc)) as store:
        assert store.ledger() == ledger
        assert [one.id for one in store.find(accepted) if one is not None] == accepted
