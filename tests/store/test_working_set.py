"""Millions may wait, only so many are in memory: who is handed out, who waits, who comes back, each exactly once, in order."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from story import BOOT, START_UTC, VALIDITY_S, Story, ids

from gateway.store.base import Admission, Change, Finish
from gateway.store.blocking import BlockingStore
from gateway.store.embedded.store import open_store
from gateway.store.fetch import fetch
from gateway.store.history import rows_by_day
from gateway.store.working_set import BEYOND
from routing.records import Message, MessageState

WORKING_SET = 10
FORGETFUL: dict[str, Any] = {
    "working_set_max": WORKING_SET,
    "fold_after_s": 0,
    "stay_s": 0,
    "clean_max": 0,
    "finals_max": 2,
    "guards_max": 0,
    "notices_max": 0,
}


class Reopened:
    """A store that starts again and again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store: BlockingStore = open_store(folder, BOOT, START_UTC, **FORGETFUL)
        self.story = Story(self.store)

    def restart(self) -> list[Message]:
        """The process dies and starts again; what it hands out at once."""
        self.store.close()
        self.store = self.story.store = open_store(self.folder, BOOT, self.story.utc, **FORGETFUL)
        self.store.commit(self.story.utc)
        return [*self.store.recovered.settled.requeue, *self.store.recovered.queued]

    def admit(self, count: int, **fields: Any) -> tuple[list[Message], list[Message]]:
        """All that were admitted with one step, and those of them that are handed out."""
        messages = [self.story.message(**fields) for _ in range(count)]
        self.store.book.admit([Admission(one) for one in messages], self.story.utc)
        out = self.store.keeper.ready(messages)  # the core folds much later
        self.store.commit(self.story.utc)
        return messages, out

    def forget(self) -> None:
        """Two writes more: what may leave memory has left it."""
        for _ in range(2):
            self.store.fund("nobody", 1)

    def some(self, limit: int = 7, class_: Any = "notification") -> list[Message]:
        """The next ones that wait; a page may hold only such as were handed out long ago, and then another is asked for."""
        for _ in range(3 * (self.store.queued() // limit + 2)):
            if found := self.store.page_in(class_, limit):
                return found
        return []

    def page_in(self, limit: int = 7) -> list[int]:
        return ids(self.some(limit))

    def drain(self, limit: int = 7) -> list[int]:
        """Everything that waits, page by page."""
        out: list[int] = []
        while self.store.keeper.queue.waiting["notification"]:
            found = self.page_in(limit)
            assert found, f"{self.store.keeper.queue.waiting} wait and do not come"
            out += found
        return out

    @property
    def held(self) -> set[int]:
        return set(self.store.book.records)


@pytest.fixture
def one(tmp_path: Path) -> Iterator[Reopened]:
    reopened = Reopened(tmp_path)
    yield reopened
    reopened.store.close()


# -- who is handed out


def test_so_many_are_handed_out_and_the_others_wait(one: Reopened) -> None:
    """Also when they come with one step: what there is room for does not wait for those there is none for."""
    messages, out = one.admit(100)
    assert ids(out) == ids(messages[:WORKING_SET])
    assert one.store.keeper.queue.waiting["notification"] == 90
    assert one.admit(5)[1] == [], "nobody overtakes"


def test_codes_wait_for_no_other_class(one: Reopened) -> None:
    one.admit(100)
    assert one.store.keeper.room("notification") == 0
    beyond = one.store.keeper.room("verification")
    assert beyond == WORKING_SET // BEYOND > 0
    codes, out = one.admit(beyond, class_="verification")
    assert out == codes
    assert one.store.keeper.queue.waiting["verification"] == 0


def test_so_many_codes_that_they_wait_for_each_other(one: Reopened) -> None:
    """A channel that has been down for long: memory is bounded all the same, and codes that wait come in order."""
    one.admit(100)
    codes, out = one.admit(30, class_="verification")
    assert out == codes[: WORKING_SET // BEYOND]
    assert one.admit(1, class_="verification")[1] == [], "nobody overtakes"
    assert one.store.keeper.room("verification") == 0
    one.story.sent(out[0])
    assert one.store.keeper.room("verification") == 1
    assert one.store.keeper.room("notification") == 0
    assert ids(one.some(class_="verification")) == ids(codes[1:8])


def test_a_class_that_waits_does_not_hold_up_another_once_there_is_room(one: Reopened) -> None:
    _, out = one.admit(100, class_="marketing")
    for message in out:
        one.story.sent(message)
    messages, out = one.admit(4)
    assert out == messages
    assert one.admit(1, class_="marketing")[1] == []


# -- who comes back


@pytest.mark.parametrize("folded", [False, True], ids=["in memory", "in the vault"])
@pytest.mark.parametrize("limit", [1, 7, 1_000])
def test_the_others_come_in_order_each_once(one: Reopened, folded: bool, limit: int) -> None:
    messages, out = one.admit(100)
    if folded:
        one.forget()
        assert one.held == set(ids(out))
    assert ids(out) + one.drain(limit) == ids(messages)
    assert one.page_in() == []


def test_those_that_come_meanwhile_come_after_them(one: Reopened) -> None:
    messages, out = one.admit(40)
    one.forget()
    got = ids(out) + one.page_in()
    more, none = one.admit(40)
    assert none == []
    got += one.page_in()
    one.forget()
    got += one.drain()
    assert got == ids(messages) + ids(more)


@pytest.mark.parametrize("paged", [0, 1, 5])
def test_a_restart_in_the_middle_hands_out_all_again_each_once(one: Reopened, paged: int) -> None:
    """Nothing of what was handed out has left: it is queued as before, and comes in order with the others."""
    messages, _ = one.admit(100)
    one.forget()
    for _ in range(paged):
        one.page_in()
    again = one.restart()
    assert ids(again) + one.drain() == ids(messages)


def test_a_restart_after_some_have_left_hands_out_the_others(one: Reopened) -> None:
    messages, out = one.admit(100)
    one.forget()
    gone = [*out, *one.some()]
    for message in gone:
        one.story.sent(message)
    again = one.restart()
    assert ids(again) + one.drain() == ids(messages[len(gone) :])
    assert one.store.ledger().in_flight == len(gone) > WORKING_SET


def test_those_not_folded_before_a_restart_come_after_those_that_were(one: Reopened) -> None:
    messages, _ = one.admit(60)
    one.forget()
    more, _ = one.admit(60)
    again = one.restart()
    assert ids(again) + one.drain() == ids(messages) + ids(more)


def test_what_is_cancelled_while_it_waits_does_not_come(one: Reopened) -> None:
    messages, out = one.admit(60)
    one.forget()
    gone = messages[20:50:2]
    possible, settled = one.store.change([Change(message.id, None) for message in gone], one.story.utc)
    assert all(possible)
    assert ids([final.message for final in settled.finals]) == ids(gone)
    one.forget()
    left = [number for number in ids(messages) if number not in ids(gone)]
    assert ids(out) + one.drain() == left
    assert ids(one.restart()) + one.drain() == left


def test_what_expires_while_it_waits_does_not_come(one: Reopened) -> None:
    one.admit(30, expires_utc=START_UTC + 50)
    later, _ = one.admit(30)
    one.forget()
    due = one.story.wait(51)
    assert [final.message.state for final in due.settled.finals] == [MessageState.EXPIRED] * 30
    one.forget()
    assert one.drain() == ids(later)
    assert one.store.ledger().final["expired"] == 30


def test_a_question_about_one_that_waits_does_not_hand_it_out(one: Reopened) -> None:
    messages, out = one.admit(30)
    one.forget()
    assert one.store.find([25])[0] is not None
    assert sorted(one.store.matching("shop", "", "Shop", messages[0].destination)) == ids(messages)
    one.forget()
    assert one.store.keeper.queue.waiting["notification"] == 20
    assert ids(out) + one.drain() == ids(messages)


def test_what_is_refused_and_queued_again_does_not_wait(one: Reopened) -> None:
    _, out = one.admit(30)
    one.forget()
    key = one.story.begun(out[0])
    settled = one.story.settle(one.story.refusal(key))
    assert ids(settled.requeue) == [out[0].id]
    one.forget()
    assert out[0].id in one.held, "its lane or the dispatcher has it"
    assert out[0].id not in one.drain()


def test_a_cut_message_of_which_a_part_had_begun_is_handed_out_once_after_a_restart(one: Reopened) -> None:
    message = one.story.accepted()
    one.story.begun(message, part=1, parts=2)
    assert ids(one.restart()) == [message.id]


# -- who leaves memory


def test_scheduled_ones_leave_memory_and_come_at_their_time(one: Reopened) -> None:
    at = START_UTC + 100
    messages, _ = one.admit(30, state=MessageState.SCHEDULED, not_before_utc=at, due_utc=at)
    one.forget()
    assert one.held == set()
    assert one.story.wait(99).queued == []
    assert sorted(ids(one.story.wait(1).queued)) == ids(messages)
    assert one.story.wait(1).queued == [], "once"


def test_scheduled_ones_come_at_their_time_after_a_restart(one: Reopened) -> None:
    at = START_UTC + 100
    messages, _ = one.admit(30, state=MessageState.SCHEDULED, not_before_utc=at, due_utc=at)
    one.forget()
    one.story.now, one.story.utc = one.story.now + 200, one.story.utc + 200
    assert one.restart() == []
    assert sorted(ids(one.story.wait(0).queued)) == ids(messages)


def test_what_is_folded_while_due_ones_are_looked_for_comes_at_its_time(one: Reopened) -> None:
    """The look began before it was written, and says that nothing comes for long: what is known since counts."""
    store, story = one.store, one.story
    one.admit(1, state=MessageState.SCHEDULED, not_before_utc=START_UTC + 10)
    one.admit(1, state=MessageState.SCHEDULED, not_before_utc=START_UTC + 250)
    one.forget()
    story.utc += 11
    wanted = store.keeper.missing_due(story.utc)
    assert wanted is not None
    went = store.keeper.reads.begin()
    found = fetch(store.vault, wanted)
    (soon,), _ = one.admit(1, state=MessageState.SCHEDULED, not_before_utc=START_UTC + 30)
    one.forget()
    assert soon.id not in one.held
    store.keeper.bring(found, went)
    store.keeper.note_due(found)
    store.book.take_due(story.utc)
    store.commit(story.utc)
    assert ids(story.wait(20).queued) == [soon.id]


def test_sent_ones_leave_memory_and_their_receipts_find_them(one: Reopened) -> None:
    messages = [one.story.accepted() for _ in range(20)]
    for message in messages:
        one.story.sent(message, f"x{message.id}")
    one.forget()
    assert one.held == set()
    settled = one.story.settle(*(one.story.receipt(f"x{message.id}") for message in messages))
    assert sorted(ids([final.message for final in settled.finals])) == ids(messages)
    assert settled.parked == 0
    assert one.store.ledger().final["delivered"] == 20


def test_an_answer_without_an_id_leaves_memory_and_its_receipt_finds_it(one: Reopened) -> None:
    messages = [one.story.accepted(destination=f"861380013800{at}") for at in range(5)]
    for message in messages:
        one.story.settle(one.story.answer(one.story.begun(message), ""))
    one.forget()
    assert one.held == set()
    settled = one.story.settle(*(one.story.receipt("new", destination=message.destination) for message in messages))
    assert sorted(ids([final.message for final in settled.finals])) == ids(messages)


def test_an_unknown_one_leaves_memory_and_comes_back_for_its_resend(one: Reopened) -> None:
    message = one.story.accepted(class_="notification")
    one.story.unclear(message, 30.0)
    one.forget()
    assert one.held == set()
    due = one.story.wait(30)
    assert ids(due.queued) == [message.id]
    assert due.queued[0].possible_duplicate


def test_a_notice_that_left_memory_becomes_a_dead_letter_in_time(one: Reopened) -> None:
    """Also when nothing else in the vault ever comes due."""
    message = one.story.accepted()
    one.story.sent(message, "x")
    one.story.settle(one.story.receipt("x"))
    one.forget()
    assert len(one.store.book.shelf) == 0
    assert one.story.notices() == [(message.id, MessageState.DELIVERED)]
    one.forget()
    (dead,) = one.story.wait(73 * 3600.0).dead
    assert dead.id == message.id
    assert one.story.notices() == []
    assert one.store.book.dead_letters == 1


def test_an_ended_message_that_changes_as_it_is_forgotten_is_stored_all_the_same(one: Reopened) -> None:
    """A receipt of an earlier attempt comes after the message has ended; others push it out of memory meanwhile."""
    story, store = one.story, one.store
    message = story.accepted()
    story.unclear(message, 3.0)
    story.wait(3)
    story.sent(message, "x")
    story.settle(story.receipt("x"))
    story.check()
    assert message.id in one.held
    others = [story.accepted() for _ in range(3)]
    store.book.settle([Finish(other.id, MessageState.REJECTED, "x") for other in others], story.utc)
    write = store.keeper.take(story.utc)
    assert write is not None
    store.vault.write(write)
    store.keeper.written(story.utc)
    store.book.settle([story.receipt("late")], story.utc)
    records = store.keeper.archive.take()
    store.history.add(rows_by_day(records))
    store.keeper.archived(records)
    for _ in range(3):
        store.commit(story.utc)
        story.utc += 1
    attempts = store.attempts(message.id)
    assert [attempt.receipt for attempt in attempts] == ["DELIVERED", "DELIVERED"]


@pytest.mark.parametrize("end", ["receipts", "none"])
def test_memory_stays_bounded_through_thousands(one: Reopened, end: str) -> None:
    story, store = one.story, one.store
    most = 0
    for at in range(20):
        _, out = one.admit(100)
        for message in [*out, *one.some(WORKING_SET)] if at % 2 else out:
            key = story.begun(message)
            store.settle([story.answer(key, f"x{message.id}")], story.utc)
            if end == "receipts":
                store.settle([story.receipt(f"x{message.id}")], story.utc)
        one.forget()
        most = max(most, len(one.held))
    assert most <= 2 * WORKING_SET + 5
    assert store.ledger().accepted == 2_000
    while store.keeper.queue.waiting["notification"]:
        for message in store.page_in("notification", 50):
            key = story.begun(message)
            store.settle([story.answer(key, f"x{message.id}")], story.utc)
            store.settle([story.receipt(f"x{message.id}")], story.utc)
        most = max(most, len(one.held))
    assert most <= 60
    story.wait(VALIDITY_S + 61)
    ledger = store.ledger()
    assert (ledger.queued, ledger.in_flight, sum(ledger.final.values())) == (0, 0, 2_000)
    assert ledger.final["expired"] == 0


def test_order_is_kept_through_restarts_pages_and_newcomers(one: Reopened) -> None:
    """Whatever happens between: within a class nobody overtakes, nobody is lost, nobody comes twice."""
    story = one.story
    got: list[int] = []
    steps: list[Callable[[], list[int]]] = [
        lambda: ids(one.admit(25)[1]),
        lambda: one.page_in(6),
        lambda: one.forget() or [],  # type: ignore[func-returns-value]
        lambda: ids(one.admit(3)[1]),
    ]
    total = 0
    for at in range(24):
        for number in steps[at % len(steps)]():
            story.sent(story.found(Message(number, "shop")))
            got.append(number)
        if at % 7 == 6:
            for message in one.restart():
                story.sent(message)
                got.append(message.id)
    total = one.store.ledger().accepted
    got += one.drain()
    assert got == list(range(1, total + 1))
