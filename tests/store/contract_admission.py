"""Contract: admission is one atomic step, by four kinds of guards."""

import pytest
from story import START_UTC, Story

from gateway.store.base import Admission, Store
from routing.guards import Guard, Member, Spend, Unique, Window
from routing.records import MessageState


def test_what_is_admitted_is_queued_and_counted(store: Store) -> None:
    story = Story(store)
    message = story.accepted()
    assert story.state(message) is MessageState.QUEUED
    assert story.state(message, "accepted_utc") == START_UTC
    ledger = store.ledger()
    assert (ledger.accepted, ledger.queued, store.queued()) == (1, 1, 1)


def test_a_unique_key_is_taken_until_its_time_is_over(store: Store) -> None:
    story = Story(store)
    guard = Unique("order-1", START_UTC + 60)
    assert story.admit(story.message(), guard) is None
    assert story.admit(story.message(), guard) == guard
    assert story.admit(story.message(), Unique("order-2", START_UTC + 60)) is None
    story.wait(59.9)
    assert story.admit(story.message(), guard) == guard
    story.wait(0.2)
    assert story.admit(story.message(), Unique("order-1", story.utc + 60)) is None


def test_a_window_holds_its_limit_over_any_period(store: Store) -> None:
    story = Story(store)
    guard = Window("to", 2, 60.0)
    accepted = []
    for _ in range(12):
        if story.admit(story.message(), guard) is None:
            accepted.append(story.utc - START_UTC)
        story.wait(20)
    assert accepted == [0, 20, 60, 80, 120, 140, 180, 200]


def test_members_keep_out_and_let_in(store: Store) -> None:
    story = Story(store)
    opted_out, invited = Member("opt-outs", "1"), Member("invited", "1", must_be=True)
    assert story.admit(story.message(), invited) == invited
    assert story.admit(story.message(), opted_out) is None
    assert store.members("opt-outs", add=["1", "2", "1"]) == 2
    assert store.members("invited", add=["1"]) == 1
    assert story.admit(story.message(), opted_out) == opted_out
    assert story.admit(story.message(), invited) is None
    assert store.members("opt-outs", remove=["1", "9"]) == 1
    assert story.admit(story.message(), opted_out) is None


def test_a_purse_is_never_overdrawn(store: Store) -> None:
    story = Story(store)
    price = Spend("balance", 40)
    assert story.admit(story.message(), price) == price
    assert store.fund("balance", 100) == 100
    assert [story.admit(story.message(), price) for _ in range(3)] == [None, None, price]
    assert store.fund("balance", 20) == 40
    assert story.admit(story.message(), price) is None
    assert store.fund("balance", 0) == 0


REFUSING: list[Guard] = [
    Unique("taken", START_UTC + 60),
    Window("full", 1, 60.0),
    Member("opt-outs", "out"),
    Member("invited", "out", must_be=True),
    Spend("empty", 1),
]


@pytest.mark.parametrize("refusing", REFUSING, ids=lambda guard: type(guard).__name__)
@pytest.mark.parametrize("first", [True, False])
def test_a_refused_admission_leaves_no_trace(store: Store, refusing: Guard, first: bool) -> None:
    story = Story(store)
    story.accepted()
    assert story.admit(story.message(), Unique("taken", START_UTC + 60), Window("full", 1, 60.0)) is None
    store.members("opt-outs", add=["out"])
    store.fund("purse", 10)
    before = store.ledger()
    passing: list[Guard] = [Unique("fresh", START_UTC + 60), Window("fresh", 1, 60.0), Spend("purse", 10)]
    message = story.message(public_id="alias")
    assert story.admit(message, *([refusing, *passing] if first else [*passing, refusing])) == refusing
    assert store.ledger() == before
    assert store.find([message.id]) == [None]
    assert store.resolve("shop", "alias") == []
    assert store.fund("purse", 0) == 10
    assert story.admit(message, *passing) is None


def test_guards_hold_within_one_batch(store: Store) -> None:
    story = Story(store)
    store.fund("purse", 1)
    batch = [
        Admission(story.message(), (guard,)) for guard in (Unique("k", START_UTC + 9), Window("w", 1, 9.0), Spend("purse", 1))
    ]
    again = [Admission(story.message(), one.guards) for one in batch]
    refused = store.admit([*batch, *again, Admission(story.message())], story.utc)
    assert refused == [None, None, None, *(one.guards[0] for one in batch), None]
    assert store.ledger().accepted == 4


def test_an_admission_that_is_repeated_is_accepted_once(store: Store) -> None:
    """Its answer was lost, so the same ids come again: neither refused as their own duplicate nor counted twice."""
    story = Story(store)
    store.fund("purse", 10)
    message = story.message(public_id="alias")
    guards: tuple[Guard, ...] = (Unique("order", START_UTC + 60), Spend("purse", 10))
    assert story.admit(message, *guards) is None
    story.begun(message)
    again = story.message(id=message.id, public_id="alias")
    assert story.admit(again, *guards) is None
    assert (store.ledger().accepted, store.fund("purse", 0)) == (1, 0)
    assert store.resolve("shop", "alias") == [message.id]
    assert story.state(message) is MessageState.IN_FLIGHT
