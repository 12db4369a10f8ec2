"""Contract: numbers at which messages fail for good. Counted, put on a list, taken off again, whatever restarts."""

from collections.abc import Callable

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from story import TO, Story

from gateway.store.base import Membership, Reach, Settled, Store
from protocol.receipt import MessageState as CarrierState
from routing.guards import Member, Window
from routing.policy.caps import suppressed_set

SET = suppressed_set("shop")
GUARD = Member(SET, TO)
OTHER = "8613800138001"
PERIOD_S = 1_000.0
Crash = Callable[[Store, float], tuple[Store, Settled]]


def reach(failed: bool, number: str = TO, limit: int = 3) -> Reach:
    return Reach(SET, number, Window(f"failures\x1fshop\x1f{number}", limit, PERIOD_S), failed)


def joined(settled: Settled) -> list[tuple[str, bool]]:
    return [(one.key, one.member) for one in settled.memberships]


def forgetting(story: Story) -> None:
    """What stays long enough leaves journal and memory."""
    for _ in range(3):
        story.wait(30)
        story.accepted(destination="34612345678", expires_utc=story.utc + 9_000)


@pytest.mark.parametrize("again", [False, True], ids=["", "after a restart each"])
def test_a_number_joins_with_its_last_failure_and_leaves_with_a_delivery(store: Store, crash: Crash, again: bool) -> None:
    story = Story(store)

    def settle(*outcomes: Reach) -> list[tuple[str, bool]]:
        if again:
            forgetting(story)
            story.store, _ = crash(story.store, story.utc)
        return joined(story.settle(*outcomes))

    assert [settle(reach(True)), settle(reach(True, OTHER)), settle(reach(True))] == [[], [], []]
    assert story.admit(story.message(), GUARD) is None
    assert settle(reach(True)) == [(TO, True)]
    assert story.admit(story.message(), GUARD) == GUARD
    assert story.admit(story.message(), Member(SET, OTHER)) is None
    assert settle(reach(True)) == [], "it is on the list already"
    assert settle(reach(False)) == [(TO, False)]
    assert story.admit(story.message(), GUARD) is None
    assert settle(reach(True), reach(True)) == [], "the count begins anew"
    assert settle(reach(True)) == [(TO, True)]
    assert story.store.members(SET) == 1


@pytest.mark.parametrize("between", ["delivery", "time"])
def test_failures_before_a_delivery_or_a_period_ago_do_not_count(store: Store, crash: Crash, between: str) -> None:
    story = Story(store)
    story.settle(reach(True), reach(True))
    if between == "time":
        story.wait(PERIOD_S + 1)
    else:
        forgetting(story)
        assert joined(story.settle(reach(False))) == [], "it was on no list"
    story.store, _ = crash(story.store, story.utc)
    assert joined(story.settle(reach(True), reach(True))) == []
    assert joined(story.settle(reach(True))) == [(TO, True)]


def test_an_operator_takes_a_number_off_and_it_fails_as_often_again(store: Store, crash: Crash) -> None:
    story = Story(store)
    story.settle(reach(True), reach(True), reach(True))
    assert story.store.members(SET, remove=[TO]) == 0
    story.store, _ = crash(story.store, story.utc)
    assert joined(story.settle(reach(True), reach(True))) == []
    assert joined(story.settle(reach(True))) == [(TO, True)]


def test_a_number_an_operator_put_on_leaves_with_a_delivery(store: Store) -> None:
    story = Story(store)
    story.store.members(SET, add=[TO])
    forgetting(story)
    assert joined(story.settle(reach(False))) == [(TO, False)]
    assert story.store.members(SET) == 0


def test_what_waits_for_a_number_that_died_meanwhile_does_not_leave(store: Store) -> None:
    story = Story(store)
    message = story.message(expires_utc=story.utc + 9_000)
    assert story.admit(message, GUARD) is None
    story.settle(*[reach(True)] * 3)
    forgetting(story)
    assert story.begin(story.attempt(message)).may_leave == [False]
    assert story.state(message, "reason").startswith("suppressed: suppressed")


def test_a_final_tells_the_receipt_that_ended_it(store: Store) -> None:
    story = Story(store)
    dead, alive, cancelled = story.accepted(), story.accepted(), story.accepted()
    story.sent(dead, "x")
    story.sent(alive, "y")
    ended = story.settle(story.receipt("x", state=CarrierState.UNDELIVERABLE, err="021"), story.receipt("y"))
    said = {one.message.id: one.receipt for one in ended.finals}
    assert (said[dead.id].state, said[dead.id].err) == (CarrierState.UNDELIVERABLE, "021")  # type: ignore[union-attr]
    assert said[alive.id].state is CarrierState.DELIVERED  # type: ignore[union-attr]
    from gateway.store.base import Change

    _, settled = story.store.change([Change(cancelled.id)], story.utc)
    assert [one.receipt for one in settled.finals] == [None]


histories = st.lists(
    st.tuples(st.sampled_from([0.0, 1.0, 400.0, 1_001.0]), st.lists(st.sampled_from([True, True, True, False]), max_size=4)),
    max_size=7,
)


@given(histories, st.integers(1, 3))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_number_is_on_the_list_when_so_many_failures_in_a_row_fell_into_a_period(
    fresh_store: Callable[[], Store], drawn: list[tuple[float, list[bool]]], limit: int
) -> None:
    story = Story(fresh_store())
    row: list[float] = []
    listed = False
    for pause, batch in drawn:
        story.wait(pause)
        told = joined(story.settle(*(reach(failed, limit=limit) for failed in batch)))
        expected = []
        for failed in batch:
            if not failed:
                row = []
            elif not listed:
                row.append(story.utc)
            due = sum(at > story.utc - PERIOD_S for at in row) >= limit
            if not failed and listed:
                listed = False
                expected.append((TO, False))
            elif due and not listed:
                listed, row = True, []
                expected.append((TO, True))
        assert told == expected
        assert (story.admit(story.message(), GUARD) is None) == (not listed)


def test_lists_by_hand_are_not_told_as_if_receipts_had_changed_them(store: Store) -> None:
    story = Story(store)
    assert story.settle(Membership(SET, TO, member=True)).memberships == []
