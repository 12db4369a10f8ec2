"""Steps as the core takes them: told after they are stored, together where they may be, kept or refused when they cannot be.

Writes go to a vault whose `write` waits, or fails, as the test says; time is real here, for threads know no other, and nothing
waits but for an event.
"""

import errno
import os
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
import trio
from clock import START_UTC, RealClock
from makers import message
from trio.testing import wait_all_tasks_blocked

from gateway.core.storage import NotStoredError, Storage
from gateway.store.base import Admission, Change, Finish, MobileOriginated, NoticeDone, RequestRecord, Sent
from gateway.store.book import Book
from gateway.store.embedded.vault import EmbeddedVault
from gateway.store.history import History
from gateway.store.keeper import Keeper
from gateway.store.opening import Opened
from gateway.store.recovery import recover
from gateway.store.vault import NotWrittenError, UnreachableError, Write
from routing.guards import Mark, Unique, Window
from routing.records import Attempt, AttemptKey, MessageState, Notice

FORGETFUL: dict[str, Any] = {
    "fold_after_s": 0,
    "stay_s": 0,
    "clean_max": 0,
    "finals_max": 0,
    "guards_max": 0,
    "notices_max": 0,
}
FULL = NotWrittenError("store.db: disk full")
AWAY = UnreachableError("nobody there")


class FakeVault(EmbeddedVault):
    """A vault in the hands of the test. `open` lets writes through; `fails` are raised first, or for ever."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.open = threading.Event()
        self.open.set()
        self.reading = threading.Event()
        self.reading.set()
        self.fails: list[Exception] = []
        self.fails_always: Exception | None = None
        self.asked: list[Write] = []
        self.stored: list[int] = []
        self.reads = 0

    def write(self, write: Write) -> None:
        self.asked.append(write)
        assert self.open.wait(60)
        if self.fails:
            raise self.fails.pop(0)
        if self.fails_always is not None:
            raise self.fails_always
        super().write(write)
        self.stored.append(write.number)

    def get(self, name: str, keys: Any) -> dict[str, bytes]:
        found = super().get(name, keys)
        self.reads += 1
        assert self.reading.wait(60)
        return found


class Core:
    """A storage that runs."""

    def __init__(self, folder: Path, nursery: trio.Nursery, limits: dict[str, Any]) -> None:
        self.vault = FakeVault(folder)
        self.keeper = Keeper(Book("virtual", alone=False), **limits)
        self.book = self.keeper.book
        self.storage = Storage(Opened(self.book, self.keeper, self.vault, History(folder)), RealClock())
        self.recovered = recover(self.keeper, self.vault, START_UTC)
        self.vault.reads = 0
        self.nursery = nursery
        self.scope = trio.CancelScope()
        self.ended = trio.Event()
        self.done: list[Any] = []

    async def run(self, *, task_status: Any) -> None:
        with self.scope:
            await self.storage.run(task_status=task_status)
        self.ended.set()

    def soon(self, step: Callable[..., Any], *args: Any) -> None:
        """Take a step in a task of its own; what it gave is appended to `done`."""

        async def take() -> None:
            try:
                self.done.append(await step(*args))
            except NotStoredError as error:
                self.done.append(error)

        self.nursery.start_soon(take)

    async def admitted(self, *numbers: int, **fields: Any) -> None:
        batch = [Admission(message(number, **fields)) for number in numbers]
        assert await self.storage.admit(batch) == [None] * len(numbers)

    async def begun(self, number: int) -> AttemptKey:
        key = AttemptKey(number, self.book.records[number].message.tries + 1, 1)
        assert (await self.storage.begin([Attempt(key, 1, "a", 0, 0)])).may_leave == [True]
        return key


async def until(condition: Callable[[], Any]) -> None:
    with trio.fail_after(30):
        while not condition():  # noqa: ASYNC110 - threads and the clock of the ring move it
            await trio.sleep(0.002)


@asynccontextmanager
async def core(folder: Path, **limits: Any) -> AsyncIterator[Core]:
    """From a start to an orderly end."""
    async with trio.open_nursery() as nursery:
        one = Core(folder, nursery, limits)
        try:
            await nursery.start(one.run)
            yield one
        finally:
            one.vault.open.set()
            one.vault.reading.set()
            one.vault.fails_always = None
            one.scope.cancel()
            with trio.CancelScope(shield=True):
                await one.ended.wait()
            one.vault.close()
        nursery.cancel_scope.cancel()


async def after_a_kill(folder: Path) -> Book:
    """What a start would find now."""
    vault = EmbeddedVault(folder)
    keeper = Keeper(Book("virtual", alone=False))
    recover(keeper, vault, START_UTC)
    vault.close()
    return keeper.book


# -- told after it is stored


async def test_a_step_returns_when_it_is_stored(tmp_path: Path) -> None:
    async with core(tmp_path) as one:
        one.vault.open.clear()
        one.soon(one.storage.admit, [Admission(message(1))])
        await until(lambda: one.vault.asked)
        assert one.done == []
        assert (await after_a_kill(tmp_path)).accepted == 0
        one.vault.open.set()
        await until(lambda: one.done == [[None]])
        assert (await after_a_kill(tmp_path)).accepted == 1


async def test_a_notice_is_not_told_before_it_is_stored(tmp_path: Path) -> None:
    async with core(tmp_path) as one:
        await one.admitted(1)
        one.vault.open.clear()
        one.soon(one.storage.settle, [Finish(1, MessageState.REJECTED, "x")])
        await until(lambda: len(one.book.shelf))
        assert await one.storage.notices("shop", 10) == [], "not even written"
        await until(lambda: one.keeper.writing)
        assert await one.storage.notices("shop", 10) == [], "on its way"
        one.vault.open.set()
        await until(lambda: one.done)
        assert [notice.id for notice in await one.storage.notices("shop", 10)] == [1]


async def test_an_answer_waits_for_what_it_tells_of(tmp_path: Path) -> None:
    async with core(tmp_path) as one:
        one.vault.open.clear()
        one.soon(one.storage.admit, [Admission(message(1))])
        await until(lambda: one.vault.asked)
        one.soon(one.storage.find, [1])
        await wait_all_tasks_blocked()
        assert one.done == []
        one.vault.open.set()
        await until(lambda: len(one.done) == 2)
        assert {1: one.book.records[1].message} in one.done


async def test_steps_that_come_while_a_write_runs_go_together(tmp_path: Path) -> None:
    async with core(tmp_path) as one:
        one.vault.open.clear()
        one.soon(one.storage.admit, [Admission(message(1))])
        await until(lambda: one.vault.asked)
        for number in range(2, 102):
            one.soon(one.storage.admit, [Admission(message(number))])
        one.soon(one.storage.fund, "purse", 5)
        await wait_all_tasks_blocked()
        assert len(one.vault.asked) == 1
        one.vault.open.set()
        await until(lambda: len(one.done) == 102)
        assert len(one.vault.asked) == 2
        assert (await after_a_kill(tmp_path)).accepted == 101


# -- a full disk


async def test_what_can_be_refused_is_while_nothing_can_be_stored(tmp_path: Path) -> None:
    guard = Unique("once", START_UTC + 1_000)
    async with core(tmp_path) as one:
        await one.admitted(1)
        one.vault.fails_always = FULL
        with pytest.raises(NotStoredError, match="disk full"):
            await one.storage.admit([Admission(message(2), (guard,))])
        assert one.storage.trouble == "store.db: disk full"
        assert one.storage.ledger().accepted == 1
        one.vault.fails_always = None
        await until(lambda: not one.storage.trouble)
        assert await one.storage.admit([Admission(message(3), (guard,))]) == [None]
        assert await one.storage.admit([Admission(message(4), (guard,))]) == [guard]
    book = await after_a_kill(tmp_path)
    assert (book.accepted, sorted(book.records)) == (2, [1, 3])


async def test_the_answer_to_what_could_not_be_stored_is_not_remembered(tmp_path: Path) -> None:
    """Else the repeat of a refused request would be told that it was accepted."""
    record = RequestRecord("i\x1fshop\x1fk", START_UTC + 1_000, "digest", b"accepted")
    async with core(tmp_path) as one:
        one.vault.fails_always = FULL
        with pytest.raises(NotStoredError):
            await one.storage.admit([Admission(message(1))], lambda refused: [record])
        assert await one.storage.answers([record.key]) == {}
        one.vault.fails_always = None
        await until(lambda: not one.storage.trouble)
        assert await one.storage.answers([record.key]) == {}
        await one.storage.admit([Admission(message(2))], lambda refused: [record])
        assert list(await one.storage.answers([record.key])) == [record.key]
    vault = EmbeddedVault(tmp_path)
    keeper = Keeper(Book("virtual", alone=False))
    recover(keeper, vault, START_UTC)
    assert list(keeper.book.answers([record.key], START_UTC)) == [record.key]
    vault.close()


async def test_dead_letters_of_one_account_are_found_behind_those_of_others(tmp_path: Path) -> None:
    async with core(tmp_path) as one:
        for number in range(1, 30):
            one.book.changes.dead[number] = Notice(number, "a-shop" if number < 20 else "shop", door="http")
        one.book.changes.dead[50] = Notice(50, "shop")
        await one.storage.fund("purse", 1)
        box = Notice(0, "shop", door="http").box
        assert [notice.id for notice in await one.storage.dead_letters(5, box)] == [20, 21, 22, 23, 24]
        assert [notice.id for notice in await one.storage.dead_letters(100, "shop")] == [50]
        assert len(await one.storage.dead_letters(100)) == 30


async def test_trouble_ends_by_itself_once_there_is_space(tmp_path: Path) -> None:
    """Nobody is let in while there is trouble, so nobody's step would show that it is over."""
    async with core(tmp_path) as one:
        one.vault.fails = [FULL, FULL]
        with pytest.raises(NotStoredError):
            await one.storage.admit([Admission(message(1))])
        await until(lambda: not one.storage.trouble)
        assert one.vault.fails == []


async def test_what_cannot_be_stored_as_leaving_does_not_leave(tmp_path: Path) -> None:
    async with core(tmp_path) as one:
        await one.admitted(1, 2)
        one.vault.fails_always = FULL
        attempts = [Attempt(AttemptKey(number, 1, 1), 1, "a", 0, 0) for number in (1, 2, 99)]
        begun = await one.storage.begin(attempts)
        assert begun.may_leave == [False] * 3
        assert [requeued.id for requeued in begun.settled.requeue] == [1, 2]
        assert one.storage.ledger().queued == 2
        one.vault.fails_always = None
        await until(lambda: not one.storage.trouble)
        await one.begun(1)
    book = await after_a_kill(tmp_path)
    assert [len(book.attempts(number)) for number in (1, 2)] == [1, 0]


async def test_what_carriers_said_waits_until_it_is_stored(tmp_path: Path) -> None:
    """They are not acknowledged before, and ask again; nothing of it is done twice."""
    async with core(tmp_path) as one:
        await one.admitted(1)
        key = await one.begun(1)
        one.vault.fails_always = FULL
        one.soon(one.storage.settle, [Sent(key, 1.0, "x", "x")])
        await until(lambda: one.storage.trouble)
        failed = len(one.vault.asked)
        await until(lambda: len(one.vault.asked) > failed)
        assert one.done == []
        one.vault.fails_always = None
        await until(lambda: one.done)
        assert not one.storage.trouble
        assert [attempt.carrier_id for attempt in (await after_a_kill(tmp_path)).attempts(1)] == ["x"]


async def test_a_disk_that_is_full_and_is_not_any_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    async with core(tmp_path) as one:
        await one.admitted(1)
        with monkeypatch.context() as patch:
            patch.setattr(os, "fdatasync", full)
            with pytest.raises(NotStoredError, match="No space left"):
                await one.storage.admit([Admission(message(2))])
        await until(lambda: not one.storage.trouble)
        await one.admitted(3)
    assert sorted((await after_a_kill(tmp_path)).records) == [1, 3]


# -- a vault that is away


async def test_what_may_have_been_written_is_written_again_as_it_was(tmp_path: Path) -> None:
    async with core(tmp_path) as one:
        one.vault.fails = [AWAY, AWAY]
        one.soon(one.storage.admit, [Admission(message(1))])
        await until(lambda: one.storage.trouble == "nobody there")
        assert one.done == []
        one.soon(one.storage.fund, "purse", 5)
        await until(lambda: len(one.done) == 2)
        first, second, third, *others = one.vault.asked
        assert first is second is third
        assert [write.number for write in others] == list(range(2, 2 + len(others)))
        assert not one.storage.trouble


# -- what leaves memory while it is read


async def test_what_leaves_memory_while_it_is_read_is_read_again(tmp_path: Path) -> None:
    """The copy that was read is older than what was decided meanwhile."""
    async with core(tmp_path, **FORGETFUL) as one:
        await one.admitted(1, state=MessageState.SCHEDULED, not_before_utc=START_UTC + 200)
        await until(lambda: not one.book.records)
        one.vault.reading.clear()
        one.soon(one.storage.find, [1])
        await until(lambda: one.vault.reads == 1)
        # Meanwhile it was here, changed, was written and left again.
        one.keeper.reads.went([1])
        one.vault.reading.set()
        await until(lambda: one.done)
        assert one.vault.reads == 2
        assert list(one.done[0]) == [1]


async def test_a_mark_that_left_memory_is_read(tmp_path: Path) -> None:
    async with core(tmp_path, **FORGETFUL) as one:
        assert await one.storage.admit([Admission(message(1), (Mark("last", 1e9),))]) == [None]
        await one.begun(1)
        await until(lambda: not one.book.guards.held)
        found = await one.storage.marks(["last", "never"])
        assert {key: mark.message_id for key, mark in found.items()} == {"last": 1}


async def test_what_is_owed_to_guards_that_left_memory_is_given_back_without_waiting_for_the_next_message(
    tmp_path: Path,
) -> None:
    """A crash forgets what is owed: the cap of a message that never left would stay taken for its month."""
    cap = Window("cap", 1, 1e6)
    async with core(tmp_path, **FORGETFUL) as one:
        later = message(1, state=MessageState.SCHEDULED, not_before_utc=START_UTC + 500)
        assert await one.storage.admit([Admission(later, (cap,))]) == [None]
        await until(lambda: not one.book.guards.held)
        done, _ = await one.storage.change([Change(1)])
        assert (done, len(one.book.guards.owed)) == ([True], 1)
        await one.storage.pay()
        assert one.book.guards.owed == []
        assert await one.storage.admit([Admission(message(2), (cap,))]) == [None]


async def test_two_that_read_what_left_memory_do_not_read_for_ever(tmp_path: Path) -> None:
    async with core(tmp_path, **FORGETFUL) as one:
        await one.admitted(1, 2, state=MessageState.SCHEDULED, not_before_utc=START_UTC + 200)
        await until(lambda: not one.book.records)
        one.vault.reading.clear()
        one.soon(one.storage.find, [1])
        await until(lambda: one.vault.reads == 1)
        one.soon(one.storage.find, [2])
        await wait_all_tasks_blocked()
        one.keeper.reads.went([1, 2])
        one.vault.reading.set()
        await until(lambda: len(one.done) == 2)
        assert one.vault.reads <= 10


# -- cancelled


async def test_a_step_whose_waiting_is_cancelled_is_stored_all_the_same(tmp_path: Path) -> None:
    async with core(tmp_path) as one:
        await one.admitted(1)
        one.vault.open.clear()
        with trio.CancelScope() as scope:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(one.storage.settle, [Finish(1, MessageState.REJECTED, "x")])
                await until(lambda: one.keeper.writing)
                nursery.start_soon(one.storage.fund, "purse", 5)
                await wait_all_tasks_blocked()
                scope.cancel()
        one.vault.open.set()
        await one.storage.fund("purse", 1)
        book = await after_a_kill(tmp_path)
        assert book.ledger().final["rejected"] == 1
        assert book.guards.sums["ppurse"] == 6


async def test_what_is_left_is_written_and_archived_at_the_end(tmp_path: Path) -> None:
    async with core(tmp_path) as one:
        await one.admitted(1, 2)
        one.vault.open.clear()
        one.soon(one.storage.fund, "purse", 5)
        await until(lambda: one.keeper.writing)
        one.book.settle([Finish(1, MessageState.REJECTED, "x")], START_UTC)
        one.book.settle([MobileOriginated(Notice(50, "shop", is_mo=True)), NoticeDone(1, "shop")], START_UTC)
        one.scope.cancel()
        await wait_all_tasks_blocked()
        assert not one.ended.is_set()
        one.vault.open.set()
        await until(one.ended.is_set)
    book = await after_a_kill(tmp_path)
    assert (book.guards.sums["ppurse"], book.accepted) == (5, 2)
    assert book.ledger().final["rejected"] == 1
    history = History(tmp_path)
    assert list(history.find([1])) == [1]
    history.close()


async def test_a_write_that_may_have_happened_is_the_one_that_is_made_at_the_end(tmp_path: Path) -> None:
    async with core(tmp_path) as one:
        one.vault.fails = [AWAY]
        one.soon(one.storage.fund, "purse", 5)
        await until(lambda: one.storage.trouble)
        one.scope.cancel()
        await until(one.ended.is_set)
        first, second, *_ = one.vault.asked
        assert first is second
    assert (await after_a_kill(tmp_path)).guards.sums == {"ppurse": 5}
