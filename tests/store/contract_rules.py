"""Contract: what policy asks of a store. Caps hold in any order, waiting messages are asked about again, what was taken in vain
is given back.
"""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from story import START_UTC, TO, VALIDITY_S, Story

from gateway.store.base import Admission, Change, Finish, Membership, Settled, Store
from routing.guards import Cell, Guard, Mark, Member, Spend, Unique, Window
from routing.policy.caps import optout_set
from routing.records import Message, MessageState

OPT_OUT = Member(optout_set("shop"), TO)
Crash = Callable[[Store, float], tuple[Store, Settled]]


def test_a_cap_counts_what_comes_due_later_in_its_own_period(store: Store, crash: Crash) -> None:
    story = Story(store)
    due = START_UTC + 10_000
    then, now = Window("to", 1, 60.0, due), Window("to", 1, 60.0)
    assert story.admit(story.message(state=MessageState.SCHEDULED, not_before_utc=due, expires_utc=due + 60), then) is None
    assert story.admit(story.message(), now) is None, "that one counts much later"
    assert story.admit(story.message(), now) == now
    for _ in range(3):  # what lives longer leaves the journal, and memory
        story.wait(30)
        story.accepted()
    assert story.admit(story.message(), then) == then
    story.store, _ = crash(store, story.utc)
    assert story.admit(story.message(), then) == then
    story.utc = due - 59
    assert story.admit(story.message(), now) == now, "less than a period before it"
    story.utc = due + 61
    assert story.admit(story.message(), now) is None


def test_a_year_of_messages_that_come_later_leaves_no_year_of_times(store: Store) -> None:
    story = Story(store)
    for _ in range(30):
        due = story.utc + 50
        message = story.message(state=MessageState.SCHEDULED, not_before_utc=due, expires_utc=due + 5)
        assert story.admit(message, Window("to", 1, 60.0, due)) is None
        story.wait(100)
    held = getattr(store, "book", store).guards.held.get("w60\x1fto") or []  # type: ignore[attr-defined]
    assert len(held) <= 2


# -- opting out while a message waits


def test_an_opt_out_stops_what_waits_and_gives_back_what_it_took(store: Store) -> None:
    story = Story(store)
    cap = Window("cap", 1, 60.0)
    message = story.message()
    assert story.admit(message, OPT_OUT, cap) is None
    store.members(OPT_OUT.set_name, add=[TO])
    begun = story.begin(story.attempt(message))
    assert begun.may_leave == [False]
    assert [(one.message.id, one.message.state) for one in begun.settled.finals] == [(message.id, MessageState.BLOCKED)]
    assert story.state(message, "reason").startswith("opted_out")
    assert [one.state for one in begun.settled.notices] == [MessageState.BLOCKED]
    store.members(OPT_OUT.set_name, remove=[TO])
    assert story.admit(story.message(), OPT_OUT, cap) is None


def test_an_opt_out_stops_messages_whose_ids_are_in_another_order_than_they_came(store: Store) -> None:
    story = Story(store)
    first, second = story.message(id=1 << 40), story.message()
    for message in (first, second):
        assert story.admit(message, OPT_OUT) is None
    store.members(OPT_OUT.set_name, add=[TO])
    assert story.begin(story.attempt(first), story.attempt(second)).may_leave == [False, False]


@pytest.mark.parametrize("how", ["list", "reply"])
def test_an_opt_out_counts_whatever_has_left_memory_or_was_restarted(store: Store, crash: Crash, how: str) -> None:
    story = Story(store)
    before, after = story.message(expires_utc=story.utc + 9_000), story.message(expires_utc=story.utc + 9_000)
    other = story.message(destination="8613800138001", expires_utc=story.utc + 9_000)
    for message in (before, after):
        assert story.admit(message, OPT_OUT) is None
    assert story.admit(other, Member(OPT_OUT.set_name, other.destination)) is None
    if how == "list":
        store.members(OPT_OUT.set_name, add=[TO])
    else:
        story.settle(Membership(OPT_OUT.set_name, TO, member=True))
    for _ in range(3):
        story.wait(30)
        story.accepted()
    assert story.begin(story.attempt(before)).may_leave == [False]
    story.store, _ = crash(store, story.utc)
    assert story.admit(story.message(), OPT_OUT) == OPT_OUT
    assert story.begin(story.attempt(after)).may_leave == [False]
    assert story.state(after) is MessageState.BLOCKED
    assert story.begin(story.attempt(other)).may_leave == [True]


def test_who_comes_back_is_sent_to_again_after_a_restart_too(store: Store, crash: Crash) -> None:
    story = Story(store)
    assert store.members(OPT_OUT.set_name, add=[TO, "1"]) == 2
    story.settle(Membership(OPT_OUT.set_name, TO, member=False))
    story.store, _ = crash(store, story.utc)
    assert story.store.members(OPT_OUT.set_name) == 1
    assert story.admit(story.message(), OPT_OUT) is None
    assert story.admit(story.message(), Member(OPT_OUT.set_name, "1")) is not None


def test_an_opt_out_after_a_first_try_leaves_the_end_to_its_receipt(store: Store) -> None:
    """The attempt that is unknown may have arrived: blocked would be a lie, and its receipt must still count."""
    story = Story(store)
    message = story.message()
    assert story.admit(message, OPT_OUT) is None
    story.unclear(message, 3.0)
    assert story.wait(4).queued
    store.members(OPT_OUT.set_name, add=[TO])
    assert story.begin(story.attempt(message)).may_leave == [False]
    assert story.state(message) is MessageState.UNKNOWN
    story.settle(story.receipt("late"))
    assert story.state(message) is MessageState.DELIVERED


# -- send windows


def test_a_message_whose_window_has_closed_waits_for_the_next_and_takes_nothing_twice(store: Store) -> None:
    story = Story(store)
    cap = Window("cap", 1, 86_400.0)
    message = story.message(window_end_utc=story.utc + 60)
    assert story.admit(message, cap) is None
    story.wait(60)
    begun = story.begin(*(story.attempt(message, number=1, part=part, parts=2) for part in (1, 2)))
    assert begun.may_leave == [False, False]
    assert [one.id for one in begun.settled.requeue] == [message.id], "once, however many parts asked"
    start = story.utc + 100
    fields = {"not_before_utc": start, "due_utc": start, "window_end_utc": start + 60, "expires_utc": start + VALIDITY_S}
    done, _ = store.change([Change(message.id, fields)], story.utc)
    assert done == [True]
    assert story.state(message) is MessageState.SCHEDULED
    assert story.admit(story.message(), cap) == cap
    assert [one.id for one in story.wait(100).queued] == [message.id]
    story.sent(story.found(message), "x")
    assert story.admit(story.message(), cap) == cap


# -- what is given back


GUARDS: tuple[Guard, ...] = (Unique("order", START_UTC + 9_999), Window("cap", 1, 9_999.0), Spend("purse", 10))


def cancelled(story: Story, message: Message) -> None:
    story.store.change([Change(message.id)], story.utc)


def expired(story: Story, message: Message) -> None:
    story.wait(VALIDITY_S)


def rejected(story: Story, message: Message) -> None:
    story.settle(Finish(message.id, MessageState.REJECTED, "no route"))


def blocked(story: Story, message: Message) -> None:
    story.settle(Finish(message.id, MessageState.BLOCKED, "keyword"))


def refused_by_a_carrier(story: Story, message: Message) -> None:
    story.settle(story.refusal(story.begun(message), again=False))


def unknown(story: Story, message: Message) -> None:
    story.unclear(message)
    story.wait(VALIDITY_S)
    story.wait(3_600)


def undelivered(story: Story, message: Message) -> None:
    story.sent(message, "x")
    from protocol.receipt import MessageState as CarrierState

    story.settle(story.receipt("x", state=CarrierState.UNDELIVERABLE))


@pytest.mark.parametrize("again", [False, True], ids=["", "after a restart"])
@pytest.mark.parametrize(
    ("end", "given_back"),
    [
        (cancelled, True),
        (expired, True),
        (rejected, True),
        (blocked, True),
        (refused_by_a_carrier, True),
        (unknown, False),
        (undelivered, False),
    ],
)
def test_what_a_message_took_is_given_back_unless_a_carrier_may_have_it(
    store: Store, crash: Crash, end: Callable[[Story, Message], None], given_back: bool, again: bool
) -> None:
    story = Story(store)
    store.fund("purse", 10)
    message = story.message(class_="marketing")
    assert story.admit(message, *GUARDS) is None
    if again:
        for _ in range(3):
            story.wait(25)
            story.accepted(expires_utc=story.utc + 9_999)
        story.store, _ = crash(store, story.utc)
    end(story, message)
    refused = story.admit(story.message(), *GUARDS)
    assert (refused is None) == given_back
    assert story.store.fund("purse", 0) == 0, "spent by the one or the other"


# -- what was sent last


KEPT_S = 100_000.0
MARKS: list[Guard] = [
    Mark(f"last\x1f{TO}", KEPT_S),
    Cell(TO, (Member("nobody", ""), Window("cap", 99, 60.0)), mark=Mark("last", KEPT_S)),
]
either = pytest.mark.parametrize("mark", MARKS, ids=["by itself", "in a cell"])
BIG = (1 << 62) + 12_345


def admit(story: Story, message: Message, mark: Guard) -> Guard | None:
    """With another guard: a cell is first, a mark last."""
    return story.admit(message, mark, OPT_OUT) if isinstance(mark, Cell) else story.admit(message, OPT_OUT, mark)


def marked(story: Story, key: str = f"last\x1f{TO}") -> tuple[float, int] | None:
    """When and by which message."""
    found = story.store.marks([key, "never"], story.utc)
    assert "never" not in found
    return found.get(key)


@either
def test_a_mark_tells_what_went_last_and_refuses_nothing(store: Store, mark: Guard) -> None:
    story = Story(store)
    first, second, waiting = story.message(id=BIG), story.message(), story.message()
    assert admit(story, first, mark) is None
    assert marked(story) is None, "accepted is not sent"
    story.sent(first)
    assert marked(story) == (story.utc, BIG)
    story.wait(1)
    assert admit(story, second, mark) is None
    assert admit(story, waiting, mark) is None
    story.sent(second)
    at = story.utc
    story.wait(1)
    assert store.change([Change(waiting.id)], story.utc)[0] == [True]
    assert marked(story) == (at, second.id), "what never left marks nothing"


@either
def test_a_message_that_goes_again_marks_again_and_its_parts_do_not(store: Store, mark: Guard) -> None:
    story = Story(store)
    first, second = story.message(), story.message()
    for one in (first, second):
        assert admit(story, one, mark) is None
    story.begun(first, part=1, parts=2)
    story.wait(1)
    story.begun(second)
    at = story.utc
    story.wait(1)
    story.begun(first, number=1, part=2, parts=2)
    assert marked(story) == (at, second.id)
    story.settle(story.refusal(story.attempt(second, number=1).key))
    story.wait(1)
    story.begun(second)
    assert marked(story) == (story.utc, second.id)


@either
@pytest.mark.parametrize("times", [0, 1, 3])
def test_a_mark_outlives_crashes_and_eviction_until_its_time_is_over(
    store: Store, crash: Crash, times: int, mark: Guard
) -> None:
    story = Story(store)
    old, new = story.message(expires_utc=story.utc + 9_000), story.message(expires_utc=story.utc + 9_000)
    for one in (old, new):
        assert admit(story, one, mark) is None
    story.sent(old)
    for _ in range(times):
        story.wait(30)
        story.accepted()
    at = story.utc
    story.sent(new)  # over a mark that is not in memory
    for _ in range(2):
        for _ in range(times):
            story.wait(30)
            story.accepted()
        story.store, _ = crash(story.store, story.utc)
        assert marked(story) == (at, new.id)
    story.utc = at + KEPT_S - 1
    assert marked(story) is not None
    story.utc += 1
    assert marked(story) is None


@either
def test_a_message_that_left_memory_before_it_went_marks_all_the_same(store: Store, crash: Crash, mark: Guard) -> None:
    story = Story(store)
    due = story.utc + 5_000
    message = story.message(state=MessageState.SCHEDULED, not_before_utc=due, expires_utc=due + 600)
    assert admit(story, message, mark) is None
    for _ in range(3):
        story.wait(30)
        story.accepted()
    story.store, _ = crash(store, story.utc)
    assert marked(story) is None
    story.wait(5_000)
    story.sent(message)
    assert marked(story) == (story.utc, message.id)


def test_of_two_marks_under_one_key_the_later_counts(store: Store) -> None:
    """An account that gets rules has a cell from then on, and may have a mark by itself from before."""
    story = Story(store)
    messages = [story.message() for _ in range(3)]
    for at, message in enumerate(messages):
        assert admit(story, message, MARKS[at % 2]) is None
    for message in messages:
        story.wait(1)
        story.sent(message)
        assert marked(story) == (story.utc, message.id)


# -- any order, any batches


steps = st.lists(
    st.tuples(
        st.sampled_from([0.0, 1.0, 29.0, 31.0]),
        st.lists(st.sampled_from([0.0, 0.0, 20.0, 45.0, 90.0]), min_size=1, max_size=5),
        st.booleans(),
    ),
    min_size=1,
    max_size=6,
)


@given(steps, st.integers(1, 3))
@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_order_of_batches_gets_more_through_than_the_cap(
    fresh_store: Callable[[], Store], drawn: list[tuple[float, list[float], bool]], limit: int
) -> None:
    """Some come due later, some are cancelled at once; within any period no more than the limit count."""
    story = Story(fresh_store())
    counted: list[float] = []
    for pause, batch, cancel in drawn:
        story.wait(pause)
        made = []
        for ahead in batch:
            due = story.utc + ahead if ahead else 0.0
            times = {"state": MessageState.SCHEDULED, "not_before_utc": due, "expires_utc": due + 500} if due else {}
            made.append((story.message(**times), due))
        admissions = [Admission(message, (Window("to", limit, 60.0, due),)) for message, due in made]
        refused = story.store.admit(admissions, story.utc)
        passed = [(message, due or story.utc) for (message, due), guard in zip(made, refused, strict=True) if guard is None]
        if cancel and passed:
            message, _ = passed.pop()
            assert story.store.change([Change(message.id)], story.utc)[0] == [True]
        counted += [at for _, at in passed]
        if not counted:
            continue
        busiest = max(sum(start <= at < start + 60 for at in counted) for start in counted)
        assert busiest <= limit
