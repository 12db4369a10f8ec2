"""Contract: receipts find their attempt by the carrier's id or by evidence, early or late, and end the message once."""

import pytest
from story import VALIDITY_S, Story

from gateway.store.base import NoticeDone, Store, Unclear
from protocol.receipt import MessageState as CarrierState
from routing.records import AttemptState, MessageState

DELIVERED, FAILED = CarrierState.DELIVERED, CarrierState.UNDELIVERABLE


@pytest.mark.parametrize(
    ("told", "final"),
    [
        (CarrierState.DELIVERED, MessageState.DELIVERED),
        (CarrierState.UNDELIVERABLE, MessageState.UNDELIVERED),
        (CarrierState.EXPIRED, MessageState.EXPIRED),
        (CarrierState.REJECTED, MessageState.REJECTED),
        (CarrierState.DELETED, MessageState.UNDELIVERED),
        (CarrierState.SKIPPED, MessageState.UNDELIVERED),
        (CarrierState.ENROUTE, None),
        (CarrierState.ACCEPTED, None),
        (CarrierState.UNKNOWN, None),
    ],
)
def test_a_final_receipt_ends_the_message_any_other_does_not(
    store: Store, told: CarrierState, final: MessageState | None
) -> None:
    story = Story(store)
    message = story.accepted()
    story.sent(message, "x")
    settled = story.settle(story.receipt("x", state=told))
    assert story.state(message) is (final or MessageState.IN_FLIGHT)
    assert [one.message.id for one in settled.finals] == ([message.id] if final is not None else [])
    assert story.notices() == ([(message.id, final)] if final is not None else [])
    if final is None:
        story.settle(story.receipt("x"))
        assert story.state(message) is MessageState.DELIVERED


def test_the_key_is_channel_and_id(store: Store) -> None:
    story = Story(store)
    here, there = story.accepted(), story.accepted()
    story.sent(here, "x", channel="a")
    story.sent(there, "x", channel="b")
    assert story.settle(story.receipt("x", channel="c")).parked == 1
    story.settle(story.receipt("wrong", "x", channel="b"))
    assert [story.state(one) for one in (here, there)] == [MessageState.IN_FLIGHT, MessageState.DELIVERED]


def test_latencies_are_the_users_and_the_channels(store: Store) -> None:
    story = Story(store)
    message = story.accepted()
    story.wait(4)
    story.sent(message, "x")
    story.wait(5)
    (final,) = story.settle(story.receipt("x")).finals
    assert (final.channel, final.since_due, final.since_written) == ("a", 9, 5)


def test_delivery_is_credited_to_the_channel_that_did_it(store: Store) -> None:
    story = Story(store)
    message = story.accepted()
    story.unclear(message, resend_after=3, channel="a", user_reference=7)
    story.wait(4)
    story.sent(message, "y", channel="b")
    story.wait(1)
    (final,) = story.settle(story.receipt("x", channel="a", user_reference=7)).finals
    assert (final.channel, final.since_written) == ("a", 5)


# -- early, again, contradicting


@pytest.mark.parametrize("candidates", [("x",), ("x", "other"), ("other", "x")])
def test_an_early_receipt_waits_for_the_answer(store: Store, candidates: tuple[str, ...]) -> None:
    story = Story(store)
    message = story.accepted()
    key = story.begun(message)
    settled = story.settle(story.receipt(*candidates))
    assert (settled.parked, settled.finals) == (1, [])
    settled = story.settle(story.answer(key, "x"))
    assert [one.message.id for one in settled.finals] == [message.id]
    assert story.state(message) is MessageState.DELIVERED
    assert story.attempt_states(message) == [AttemptState.DELIVERED]


def test_early_receipts_out_of_order_do_not_lose_the_final_one(store: Store) -> None:
    story = Story(store)
    message = story.accepted()
    key = story.begun(message)
    story.settle(story.receipt("x"), story.receipt("x", state=CarrierState.ENROUTE))
    story.settle(story.answer(key, "x"))
    assert story.state(message) is MessageState.DELIVERED


def test_receipts_of_one_batch_may_come_before_their_answer(store: Store) -> None:
    story = Story(store)
    messages = [story.accepted() for _ in range(3)]
    keys = [story.begun(message) for message in messages]
    answers = [story.answer(key, f"x{at}") for at, key in enumerate(keys)]
    story.settle(*(story.receipt(f"x{at}") for at in range(3)), *answers)
    assert [story.state(one) for one in messages] == [MessageState.DELIVERED] * 3


def test_a_parked_receipt_is_kept_for_three_days(store: Store) -> None:
    story = Story(store)
    soon, late = story.accepted(expires_utc=story.utc + 10**7), story.accepted(expires_utc=story.utc + 10**7)
    keys = [story.begun(one) for one in (soon, late)]
    story.settle(story.receipt("soon"), story.receipt("late"))
    story.wait(72 * 3600 - 60)
    story.settle(story.answer(keys[0], "soon"))
    story.wait(120)
    story.settle(story.receipt("something-else", destination="1"))
    story.settle(story.answer(keys[1], "late"))
    assert [story.state(one) for one in (soon, late)] == [MessageState.DELIVERED, MessageState.IN_FLIGHT]


@pytest.mark.parametrize("first", [DELIVERED, FAILED])
@pytest.mark.parametrize("second", [DELIVERED, FAILED, CarrierState.ENROUTE])
def test_repeated_and_contradicting_receipts_give_one_final(store: Store, first: CarrierState, second: CarrierState) -> None:
    story = Story(store)
    message = story.accepted()
    story.sent(message, "x")
    story.settle(story.receipt("x", state=first))
    ended = story.state(message)
    settled = story.settle(story.receipt("x", state=second), story.receipt("x", state=second))
    assert (settled.finals, settled.notices, settled.parked) == ([], [], 0)
    assert story.state(message) is ended
    assert story.notices() == [(message.id, ended)]
    assert store.attempts(message.id)[0].receipt == first.name


# -- evidence


def test_our_own_reference_tells_which_attempt_it_was(store: Store) -> None:
    story = Story(store)
    messages = [story.accepted() for _ in range(3)]
    for at, message in enumerate(messages):
        story.unclear(message, user_reference=at)
    story.settle(story.receipt("x", user_reference=1))
    assert [story.state(one).final for one in messages] == [False, True, False]
    assert store.attempts(messages[1].id)[0].evidence


def test_without_reference_only_a_unique_candidate_counts(store: Store) -> None:
    story = Story(store)
    twin, other = story.accepted(), story.accepted()
    story.unclear(twin)
    story.unclear(other)
    assert story.settle(story.receipt("x")).parked == 1
    assert [story.state(one) for one in (twin, other)] == [MessageState.IN_FLIGHT] * 2
    story.settle(story.receipt("y", user_reference=12345))
    assert [story.state(one) for one in (twin, other)] == [MessageState.IN_FLIGHT] * 2


@pytest.mark.parametrize("stranger", [{"channel": "b"}, {"destination": "85251234567"}, {"source": "Other"}])
def test_a_receipt_that_does_not_fit_is_no_evidence(store: Store, stranger: dict[str, str]) -> None:
    story = Story(store)
    message = story.accepted()
    story.unclear(message)
    assert story.settle(story.receipt("x", **stranger)).parked == 1  # type: ignore[arg-type]
    assert story.state(message) is MessageState.IN_FLIGHT
    story.settle(story.receipt("x"))
    assert story.state(message) is MessageState.DELIVERED


def test_an_attempt_that_was_answered_is_no_candidate_any_more(store: Store) -> None:
    story = Story(store)
    message = story.accepted()
    key = story.unclear(message)
    story.settle(story.answer(key, "known"))
    assert story.settle(story.receipt("unknown")).parked == 1
    assert story.state(message) is MessageState.IN_FLIGHT


@pytest.mark.parametrize("candidates", [("x",), ()])
def test_an_early_receipt_is_evidence_when_no_answer_comes(store: Store, candidates: tuple[str, ...]) -> None:
    story = Story(store)
    message = story.accepted()
    key = story.begun(message, user_reference=9)
    story.settle(story.receipt(*candidates, user_reference=9))
    story.settle(Unclear(key, story.utc + 3))
    assert story.state(message) is MessageState.DELIVERED
    assert story.wait(10).queued == []


def test_a_late_answer_after_evidence_changes_nothing_but_is_known(store: Store) -> None:
    story = Story(store)
    message = story.accepted()
    key = story.unclear(message, user_reference=9)
    story.settle(story.receipt("x", user_reference=9))
    settled = story.settle(story.answer(key, "x"), story.receipt("x"))
    assert (settled.finals, settled.notices, settled.parked) == ([], [], 0)
    assert story.state(message) is MessageState.DELIVERED


# -- parts and several attempts


def test_delivered_when_all_parts_are(store: Store) -> None:
    story = Story(store)
    message = story.accepted()
    for part in (1, 2, 3):
        story.sent(message, f"x{part}", number=1, part=part, parts=3)
    for part in (3, 1):
        assert story.settle(story.receipt(f"x{part}")).finals == []
    assert len(story.settle(story.receipt("x2")).finals) == 1
    assert story.notices() == [(message.id, MessageState.DELIVERED)]


def test_delivery_before_the_last_part_has_left_is_not_the_end(store: Store) -> None:
    story = Story(store)
    message = story.accepted()
    story.sent(message, "x1", number=1, part=1, parts=2)
    story.settle(story.receipt("x1"))
    assert story.state(message) is MessageState.IN_FLIGHT


def test_the_first_failed_part_fails_the_message_once(store: Store) -> None:
    story = Story(store)
    message = story.accepted()
    for part in (1, 2):
        story.sent(message, f"x{part}", number=1, part=part, parts=2)
    story.settle(story.receipt("x1", state=FAILED, err="012"))
    assert [story.state(message, field) for field in ("state", "err")] == [MessageState.UNDELIVERED, 12]
    assert story.settle(story.receipt("x2")).finals == []
    assert story.notices() == [(message.id, MessageState.UNDELIVERED)]


def test_a_failure_does_not_end_what_another_attempt_may_deliver(store: Store) -> None:
    story = Story(store)
    message = story.accepted()
    key = story.unclear(message, resend_after=3, channel="a")
    story.wait(3)
    story.sent(message, "y", channel="b")
    story.settle(story.receipt("y", channel="b", state=FAILED))
    assert story.state(message) is MessageState.IN_FLIGHT
    story.settle(story.answer(key, "x"))
    story.settle(story.receipt("x"))
    assert story.state(message) is MessageState.DELIVERED
    assert story.notices() == [(message.id, MessageState.DELIVERED)]


def test_a_failure_while_waiting_to_be_resent_leaves_the_resend_to_decide(store: Store) -> None:
    story = Story(store)
    message = story.accepted()
    story.unclear(message, resend_after=3, user_reference=5)
    story.wait(3)
    story.settle(story.receipt("x", state=FAILED, user_reference=5))
    assert story.state(message) is MessageState.QUEUED
    story.sent(message, "y", channel="b")
    story.settle(story.receipt("y", channel="b"))
    assert story.state(message) is MessageState.DELIVERED


def test_evidence_of_delivery_stops_a_resend_that_waits(store: Store) -> None:
    story = Story(store)
    message = story.accepted()
    story.unclear(message, resend_after=3, user_reference=5)
    story.wait(3)
    story.settle(story.receipt("x", user_reference=5))
    assert story.state(message) is MessageState.DELIVERED
    assert story.begin(story.attempt(message)).may_leave == [False]


# -- after our own timeout


def test_a_late_receipt_corrects_our_own_timeout_once(store: Store) -> None:
    story = Story(store)
    message = story.accepted()
    story.sent(message, "x")
    story.wait(VALIDITY_S)
    story.wait(3_600)
    assert story.state(message) is MessageState.UNKNOWN
    (first,) = store.notices(message.account, 10)
    settled = story.settle(story.receipt("x"))
    assert [one.state for one in settled.notices] == [MessageState.DELIVERED]
    assert settled.finals[0].correction
    assert story.state(message) is MessageState.DELIVERED
    story.settle(NoticeDone(first.id, "shop"))
    assert [one.state for one in store.notices(message.account, 10)] == [MessageState.DELIVERED], "it is a notice of its own"
    settled = story.settle(story.receipt("x", state=FAILED))
    assert (settled.finals, settled.notices) == ([], [])
    assert (store.ledger().accepted, store.ledger().final["delivered"], store.ledger().final["unknown"]) == (1, 1, 0)


def test_an_attempt_accepted_without_an_id_is_found_by_what_it_was(store: Store) -> None:
    story = Story(store)
    message = story.accepted()
    story.settle(story.answer(story.begun(message), ""))
    assert [final.message.id for final in story.settle(story.receipt("whatever")).finals] == [message.id]


def test_an_answer_without_an_id_that_is_repeated_is_one_candidate(store: Store) -> None:
    story = Story(store)
    message = story.accepted()
    key = story.begun(message)
    for _ in range(2):
        story.settle(story.answer(key, ""))
    assert [one.message.id for one in story.settle(story.receipt("unheard")).finals] == [message.id]


def test_a_final_that_is_not_our_timeout_is_never_corrected(store: Store) -> None:
    story = Story(store)
    message = story.accepted()
    for part in (1, 2):
        story.sent(message, f"x{part}", number=1, part=part, parts=2)
    story.settle(story.receipt("x1", state=FAILED))
    story.settle(story.receipt("x2"), story.receipt("x1"))
    assert story.state(message) is MessageState.UNDELIVERED


def test_a_code_that_fails_for_now_is_queued_again_when_it_may_and_never_comes_back_to_that_channel(store: Store) -> None:
    story = Story(store)
    asked: list[str] = []
    book = getattr(store, "book", store)
    book.second_try = lambda _, attempt: asked.append(attempt.channel) or len(asked) < 3
    code = story.accepted(class_="verification")
    story.sent(code, "x")
    settled = story.settle(story.receipt("x", state=FAILED, temporary=True))
    assert [one.id for one in settled.requeue] == [code.id]
    assert story.state(code) is MessageState.QUEUED
    assert story.state(code, "tried") == ("a",)
    story.sent(code, "y", channel="b")
    story.settle(story.receipt("y", channel="b", state=FAILED, temporary=True))
    assert story.state(code) is MessageState.UNDELIVERED
    assert asked == ["a"], "once more, not twice"
    others = [story.accepted(class_="verification"), story.accepted(class_="notification")]
    for at, one in enumerate(others):
        story.sent(one, f"z{at}")
    story.settle(story.receipt("z0", state=FAILED), story.receipt("z1", state=FAILED, temporary=True))
    assert [story.state(one) for one in others] == [MessageState.UNDELIVERED] * 2
    assert asked == ["a"]
    refused = story.accepted(class_="verification")
    story.sent(refused, "w")
    asked += ["-", "-"]
    story.settle(story.receipt("w", state=FAILED, temporary=True))
    assert story.state(refused) is MessageState.UNDELIVERED, "the share is used up"
