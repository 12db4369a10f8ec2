"""The memory store keeps the contract, and its bounds."""

from collections.abc import Callable

import pytest
from contract import *  # noqa: F403
from story import BOOT, VALIDITY_S, Story

from gateway.store.base import Finish, Settled, Store
from gateway.store.memory import MemoryStore
from routing.records import MessageState


@pytest.fixture
def fresh_store() -> Callable[[], Store]:
    return lambda: MemoryStore(BOOT)


@pytest.fixture
def crash() -> Callable[[Store, float], tuple[Store, Settled]]:
    return lambda store, _utc: (store, Settled())  # it would forget everything, which is no story


def test_only_so_many_ended_messages_are_kept_with_all_that_is_theirs() -> None:
    store = MemoryStore(BOOT, finals_max=2)
    story = Story(store)
    messages = [story.accepted(public_id=f"alias-{at}") for at in range(5)]
    for message in messages:
        story.sent(message, f"x{message.id}")
        story.settle(story.receipt(f"x{message.id}"))
    assert [one is not None for one in store.find([message.id for message in messages])] == [False] * 3 + [True] * 2
    assert store.resolve("shop", "alias-0") == []
    assert store.attempts(messages[0].id) == []
    assert store.ledger().final["delivered"] == 5
    assert story.settle(story.receipt("x1")).parked == 1


def test_a_forgotten_message_that_stayed_unknown_is_no_evidence_any_more() -> None:
    story = Story(MemoryStore(BOOT, finals_max=1))
    story.unclear(story.accepted(class_="marketing"))
    story.wait(VALIDITY_S)
    story.wait(3_600)
    story.settle(Finish(story.accepted().id, MessageState.REJECTED, "pushes the first one out"))
    assert story.settle(story.receipt("x")).parked == 1


def test_forgetting_one_of_a_submit_multi_keeps_the_others_in_reach() -> None:
    store = MemoryStore(BOOT, finals_max=1)
    story = Story(store)
    messages = [story.accepted(public_id="shared") for _ in range(3)]
    for message in messages[:2]:
        story.settle(Finish(message.id, MessageState.REJECTED, "x"))
    assert store.resolve("shop", "shared") == [message.id for message in messages[1:]]


def test_a_carrier_that_uses_an_id_again_means_the_newer_message() -> None:
    story = Story(MemoryStore(BOOT, finals_max=1))
    old, new = story.accepted(), story.accepted()
    story.sent(old, "x")
    story.settle(story.receipt("x"))
    story.sent(new, "x")
    story.settle(Finish(story.accepted().id, MessageState.REJECTED, "pushes the old one out"))
    story.settle(story.receipt("x"))
    assert story.state(new) is MessageState.DELIVERED


def test_only_so_many_early_receipts_are_parked_the_oldest_go_first() -> None:
    story = Story(MemoryStore(BOOT, parked_max=2))
    messages = [story.accepted() for _ in range(3)]
    keys = [story.begun(message) for message in messages]
    story.settle(*(story.receipt(f"x{at}") for at in range(3)))
    story.settle(*(story.answer(key, f"x{at}") for at, key in enumerate(keys)))
    assert [story.state(one).final for one in messages] == [False, True, True]


def test_what_will_never_come_due_is_not_remembered_for_ever() -> None:
    store = MemoryStore(BOOT, finals_max=10)
    story = Story(store)
    for _ in range(25_000):
        store.settle([Finish(story.accepted(registered_delivery=0).id, MessageState.REJECTED, "x")], story.utc)
    assert len(store.indexes.agenda) < 12_000
