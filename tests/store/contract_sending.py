"""Contract: attempts are stored before octets leave and rechecked; what becomes of them moves the message."""

import pytest
from msgspec.structs import replace
from story import VALIDITY_S, Story, ids

from gateway.store.base import Abandoned, Change, Finish, NotSent, Refused, Sent, Store, Unclear
from routing.records import AttemptState, MessageState

QUEUED, IN_FLIGHT = MessageState.QUEUED, MessageState.IN_FLIGHT


# -- begin


def test_what_begins_is_in_flight_and_stored_as_sending(store: Store) -> None:
    story = Story(store)
    message = story.accepted()
    key = story.begun(message, channel="b", bind=3, user_reference=77)
    (attempt,) = store.attempts(message.id)
    assert (attempt.key, attempt.state, attempt.channel, attempt.bind) == (key, AttemptState.SENDING, "b", 3)
    assert (attempt.begun, attempt.begun_utc, attempt.user_reference) == (story.now, story.utc, 77)
    assert [story.state(message, field) for field in ("state", "tries", "channel")] == [IN_FLIGHT, 1, "b"]
    assert (store.queued(), store.ledger().in_flight) == (0, 1)


def test_what_is_unknown_cancelled_or_ended_must_not_leave(store: Store) -> None:
    story = Story(store)
    cancelled, ended, unknown = story.accepted(), story.accepted(), story.message()
    store.change([Change(cancelled.id)], story.utc)
    story.settle(Finish(ended.id, MessageState.BLOCKED, "opted out"))
    attempts = [story.attempt(one) for one in (cancelled, ended)]
    assert story.begin(*attempts).may_leave == [False, False]
    attempts[0].key = replace(attempts[0].key, message_id=unknown.id)
    assert story.begin(attempts[0]).may_leave == [False]
    assert store.attempts(cancelled.id) == []


def test_what_expired_ends_in_the_same_step_instead_of_leaving(store: Store) -> None:
    story = Story(store)
    message = story.accepted()
    story.utc += VALIDITY_S
    begun = story.begin(story.attempt(message))
    assert begun.may_leave == [False]
    assert [final.message.id for final in begun.settled.finals] == [message.id]
    assert [notice.id for notice in begun.settled.notices] == [message.id]
    assert story.state(message) is MessageState.EXPIRED


def test_only_the_next_number_begins_and_only_once(store: Store) -> None:
    story = Story(store)
    message = story.accepted()
    assert story.begin(story.attempt(message, number=2), story.attempt(message, number=0)).may_leave == [False, False]
    first = story.begun(message)
    assert story.begin(story.attempt(message, number=2)).may_leave == [False]
    story.settle(story.refusal(first))
    assert story.begin(story.attempt(message, number=1, part=2)).may_leave == [False]
    assert story.begun(message).number == 2


def test_further_parts_of_the_same_attempt_may_leave_later(store: Store) -> None:
    story = Story(store)
    message = story.accepted()
    story.begun(message, parts=3)
    assert story.begin(*(story.attempt(message, number=1, part=part, parts=3) for part in (2, 3))).may_leave == [True, True]
    assert story.state(message, "tries") == 1


# -- sent, refused, not sent


def test_the_carriers_id_is_kept_in_both_spellings(store: Store) -> None:
    story = Story(store)
    message = story.accepted()
    story.sent(message, "ab")
    (attempt,) = store.attempts(message.id)
    assert (attempt.state, attempt.carrier_id, attempt.carrier_spelling) == (AttemptState.SENT, "ab", "AB")
    assert attempt.answered == story.now
    assert story.state(message) is IN_FLIGHT


def test_a_refused_message_queues_again_and_remembers_the_channel(store: Store) -> None:
    story = Story(store)
    message = story.accepted()
    settled = story.settle(story.refusal(story.begun(message), never_here=True))
    assert ids(settled.requeue) == [message.id]
    assert [story.state(message, field) for field in ("state", "refusals", "tried")] == [QUEUED, 1, ("a",)]
    story.settle(story.refusal(story.begun(message, channel="b"), free=True))
    assert [story.state(message, field) for field in ("state", "refusals", "tried", "tries")] == [QUEUED, 1, ("a",), 2]
    assert story.notices() == []


def test_a_message_refused_for_good_is_rejected_with_the_reason(store: Store) -> None:
    story = Story(store)
    message = story.accepted()
    settled = story.settle(story.refusal(story.begun(message), again=False))
    assert settled.requeue == []
    assert [story.state(message, field) for field in ("state", "reason", "err")] == [
        MessageState.REJECTED,
        "ESME_RSUBMITFAIL",
        0x45,
    ]
    assert story.notices() == [(message.id, MessageState.REJECTED)]


@pytest.mark.parametrize("kept", [False, True])
def test_what_never_left_leaves_no_attempt_behind(store: Store, kept: bool) -> None:
    story = Story(store)
    message = story.accepted()
    key = story.begun(message)
    settled = story.settle(NotSent(key, kept))
    assert store.attempts(message.id) == []
    assert ids(settled.requeue) == ([] if kept else [message.id])
    assert story.state(message) is (IN_FLIGHT if kept else QUEUED)
    assert story.state(message, "refusals") == 0
    again = story.attempt(message, number=key.number if kept else key.number + 1)
    assert story.begin(again).may_leave == [True]


@pytest.mark.parametrize("kept", [False, True])
def test_what_was_unknown_may_turn_out_never_to_have_left(store: Store, kept: bool) -> None:
    """No answer in time, then the link dies with the octets still here; or the carrier says late that it was too busy."""
    story = Story(store)
    message = story.accepted(class_="verification")
    key = story.unclear(message, resend_after=3)
    settled = story.settle(NotSent(key, kept))
    assert store.attempts(message.id) == []
    assert ids(settled.requeue) == ([] if kept else [message.id])
    assert story.settle(story.receipt("x")).parked == 1, "no evidence for what never left"
    assert story.wait(5).queued == []


def test_outcomes_that_no_longer_fit_change_nothing(store: Store) -> None:
    story = Story(store)
    message = story.accepted()
    first = story.begun(message)
    story.settle(story.refusal(first))
    second = story.sent(message, "x")
    before = story.attempt_states(message)
    for stale in (story.refusal(first), NotSent(first), Unclear(first, None), story.refusal(second), NotSent(second)):
        settled = story.settle(stale, stale)
        assert (settled.requeue, settled.finals, settled.notices) == ([], [], [])
    assert story.attempt_states(message) == before
    assert [story.state(message, field) for field in ("state", "refusals")] == [IN_FLIGHT, 1]
    story.settle(story.refusal(replace(second, message_id=999)), Finish(999, MessageState.REJECTED, "x"))


# -- unclear


def test_an_unclear_attempt_is_resent_at_its_time_marked_as_possible_duplicate(store: Store) -> None:
    story = Story(store)
    message = story.accepted(class_="verification")
    story.unclear(message, resend_after=3.0)
    assert story.attempt_states(message) == [AttemptState.UNKNOWN]
    assert store.next_due_utc() == story.utc + 3.0
    assert story.wait(2.9).queued == []
    assert ids(story.wait(0.2).queued) == [message.id]
    assert [story.state(message, field) for field in ("state", "possible_duplicate")] == [QUEUED, True]
    assert story.begun(message, channel="b").number == 2


def test_an_unclear_attempt_without_time_is_never_resent_and_closed_as_unknown(store: Store) -> None:
    story = Story(store)
    message = story.accepted(class_="marketing")
    story.unclear(message)
    assert story.wait(VALIDITY_S).queued == []
    assert story.state(message) is IN_FLIGHT, "a receipt may take a while after the validity"
    due = story.wait(3_600)
    assert due.queued == []
    assert [final.message.id for final in due.settled.finals] == [message.id]
    assert story.state(message) is MessageState.UNKNOWN
    assert story.notices() == [(message.id, MessageState.UNKNOWN)]


def test_a_late_answer_calls_the_resend_off(store: Store) -> None:
    story = Story(store)
    message = story.accepted()
    key = story.unclear(message, resend_after=30.0)
    story.settle(story.answer(key, "late"))
    assert story.attempt_states(message) == [AttemptState.SENT]
    assert story.wait(60).queued == []
    assert story.state(message) is IN_FLIGHT


def test_a_late_refusal_queues_again_at_once(store: Store) -> None:
    story = Story(store)
    message = story.accepted()
    key = story.unclear(message, resend_after=30.0)
    assert ids(story.settle(story.refusal(key)).requeue) == [message.id]
    assert story.wait(60).queued == []


def test_a_resend_that_is_refused_may_go_again_although_the_first_is_unknown(store: Store) -> None:
    """A carrier that was only too busy has not resent anything."""
    story = Story(store)
    message = story.accepted(class_="verification")
    story.unclear(message, resend_after=3.0)
    story.wait(3.0)
    settled = story.settle(story.refusal(story.begun(message, channel="b"), free=True))
    assert ids(settled.requeue) == [message.id]
    assert story.state(message) is QUEUED


def test_a_resend_refused_for_good_leaves_the_first_attempt_to_decide(store: Store) -> None:
    story = Story(store)
    message = story.accepted(class_="verification")
    story.unclear(message, resend_after=3.0, user_reference=7)
    story.wait(3.0)
    settled = story.settle(story.refusal(story.begun(message, channel="b"), again=False))
    assert (settled.requeue, settled.finals) == ([], [])
    assert story.state(message) is IN_FLIGHT
    story.settle(story.receipt("any", user_reference=7))
    assert story.state(message) is MessageState.DELIVERED


def test_a_code_whose_validity_ends_while_it_waits_is_expired(store: Store) -> None:
    story = Story(store)
    message = story.accepted()
    due = story.wait(VALIDITY_S)
    assert [final.message.state for final in due.settled.finals] == [MessageState.EXPIRED]
    assert story.notices() == [(message.id, MessageState.EXPIRED)]


def test_a_message_that_may_have_left_is_not_called_expired(store: Store) -> None:
    """Its validity ends while it waits to be resent: nobody knows, and a receipt may still tell."""
    story = Story(store)
    message = story.accepted()
    story.unclear(message, resend_after=3.0)
    story.wait(3.0)
    assert story.state(message) is QUEUED
    story.wait(VALIDITY_S)
    assert story.state(message) is MessageState.UNKNOWN
    story.settle(story.receipt("any"))
    assert story.state(message) is MessageState.DELIVERED


def test_an_abandoned_attempt_goes_anew_and_only_once(store: Store) -> None:
    story = Story(store)
    message = story.accepted()
    key = story.begun(message)
    settled = story.settle(Abandoned(message.id, key.number), Abandoned(message.id, key.number))
    assert [one.id for one in settled.requeue] == [message.id]
    assert story.state(message) is QUEUED
    assert story.state(message, "possible_duplicate") is True
    assert story.begun(message).number == key.number + 1


def test_the_same_attempt_never_begins_twice(store: Store) -> None:
    """A message that stood in two queues at once would go out twice under one key."""
    story = Story(store)
    message = story.accepted()
    assert story.begin(story.attempt(message), story.attempt(message)).may_leave == [True, False]
    assert len(store.attempts(message.id)) == 1


def test_what_carriers_took_costs_and_what_they_refused_does_not(store: Store) -> None:
    story = Story(store)
    message = story.accepted()
    refused = story.attempt(message, cost=5)
    story.begin(refused)
    story.settle(Refused(refused.key, story.now, 0x45, "no", again=True, never_here=True))
    taken = story.attempt(message, channel="b", cost=7)
    story.begin(taken)
    story.settle(Sent(taken.key, story.now, "x", "x"), Sent(taken.key, story.now, "x", "x"))
    assert story.state(message, "cost") == 7
