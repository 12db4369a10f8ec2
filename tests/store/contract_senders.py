"""Contract: what senders are told and may ask: notices, cancel and replace, schedules, ids, lists."""

import pytest
from story import TO, VALIDITY_S, Story, ids

from gateway.store.base import Change, Finish, MobileOriginated, NoticeDone, Store
from protocol.receipt import MessageState as CarrierState
from routing.records import Content, MessageState, Notice, PartOf

# -- notices


@pytest.mark.parametrize(
    ("asked", "delivered", "failed"),
    [(0, False, False), (1, True, True), (2, False, True), (3, True, False), (0x11, True, True)],
)
def test_a_notice_comes_with_the_final_when_it_was_asked_for(store: Store, asked: int, delivered: bool, failed: bool) -> None:
    story = Story(store)
    for state, wanted in ((CarrierState.DELIVERED, delivered), (CarrierState.UNDELIVERABLE, failed)):
        message = story.accepted(registered_delivery=asked)
        story.sent(message, f"x{message.id}")
        settled = story.settle(story.receipt(f"x{message.id}", state=state))
        assert ids_of(settled.notices) == ([message.id] if wanted else [])
        assert [number for number, _ in story.notices() if number == message.id] == ids_of(settled.notices)


def ids_of(notices: list[Notice]) -> list[int]:
    return [notice.id for notice in notices]


def test_a_notice_says_what_the_message_was(store: Store) -> None:
    story = Story(store)
    message = story.accepted(public_id="abcd", client_ref="order-7", source_ton=5, source_npi=0, dest_ton=1, dest_npi=1)
    story.sent(message, "x")
    arrived = story.utc
    story.wait(5)
    story.settle(story.receipt("x"))
    (notice,) = store.notices("shop", 10)
    assert (notice.public_id, notice.client_ref, notice.state) == ("abcd", "order-7", MessageState.DELIVERED)
    assert (notice.source, notice.source_ton, notice.destination, notice.dest_ton) == (TO, 1, "Shop", 5)
    assert (notice.submitted_utc, notice.done_utc) == (arrived, story.utc)


def test_notices_stay_oldest_first_until_they_are_done(store: Store) -> None:
    story = Story(store)
    messages = [story.accepted() for _ in range(4)]
    for message in messages:
        story.settle(Finish(message.id, MessageState.REJECTED, "no route"))
    assert [number for number, _ in story.notices()] == ids(messages)
    assert ids_of(store.notices("shop", 2)) == ids(messages[:2])
    story.settle(NoticeDone(messages[1].id, "shop"), NoticeDone(messages[1].id, "shop"), NoticeDone(999, "shop"))
    assert [number for number, _ in story.notices()] == ids([messages[0], *messages[2:]])
    assert store.notices("somebody-else", 10) == []


def test_a_subscribers_message_is_a_notice_of_its_account(store: Store) -> None:
    story = Story(store)
    notice = Notice(id=77, account="desk", data=b"STOP", is_mo=True)
    assert ids_of(story.settle(MobileOriginated(notice)).notices) == [77]
    assert ids_of(store.notices("desk", 10)) == [77]
    story.settle(NoticeDone(77, "desk"))
    assert store.notices("desk", 10) == []


# -- cancel and replace


def test_what_has_not_left_can_be_cancelled_once(store: Store) -> None:
    story = Story(store)
    queued = story.accepted()
    scheduled = story.accepted(state=MessageState.SCHEDULED, not_before_utc=story.utc + 50)
    done, settled = store.change([Change(queued.id), Change(scheduled.id), Change(queued.id), Change(999)], story.utc)
    assert done == [True, True, False, False]
    assert ids_of(settled.notices) == [queued.id, scheduled.id]
    assert [story.state(one) for one in (queued, scheduled)] == [MessageState.CANCELLED] * 2
    assert story.wait(60).queued == []
    story.check()


def test_what_may_have_left_can_neither_be_cancelled_nor_replaced(store: Store) -> None:
    story = Story(store)
    in_flight, unknown, ended = story.accepted(), story.accepted(), story.accepted()
    story.begun(in_flight)
    story.unclear(unknown, resend_after=3)
    story.wait(3)
    story.settle(Finish(ended.id, MessageState.REJECTED, "x"))
    everyone = (in_flight, unknown, ended)
    before = [(story.state(one), story.state(one, "content")) for one in everyone]
    for fields in (None, {"content": Content(b"new")}):
        done, settled = store.change([Change(one.id, fields) for one in everyone], story.utc)
        assert done == [False] * 3
        assert settled.finals == []
    assert [(story.state(one), story.state(one, "content")) for one in everyone] == before


def test_a_replaced_message_leaves_with_its_new_content(store: Store) -> None:
    story = Story(store)
    message = story.accepted(content=Content(b"old"))
    assert store.change([Change(message.id, {"content": Content(b"new"), "registered_delivery": 0})], story.utc)[0] == [True]
    assert (story.state(message, "content").data, story.state(message, "registered_delivery")) == (b"new", 0)
    assert story.state(message) is MessageState.QUEUED
    story.begun(message)


def test_a_replaced_schedule_counts_and_the_old_one_does_not(store: Store) -> None:
    story = Story(store)
    later = story.accepted(state=MessageState.SCHEDULED, not_before_utc=story.utc + 50)
    sooner = story.accepted(state=MessageState.SCHEDULED, not_before_utc=story.utc + 50)
    now_scheduled = story.accepted()
    store.change(
        [
            Change(later.id, {"not_before_utc": story.utc + 100}),
            Change(sooner.id, {"not_before_utc": story.utc + 10}),
            Change(now_scheduled.id, {"not_before_utc": story.utc + 20}),
        ],
        story.utc,
    )
    story.check()
    assert story.begin(story.attempt(now_scheduled)).may_leave == [False]
    released = [(at, ids(story.wait(10).queued)) for at in range(10, 121, 10)]
    assert [one for one in released if one[1]] == [(10, [sooner.id]), (20, [now_scheduled.id]), (100, [later.id])]


def test_a_replaced_validity_counts_and_the_old_one_does_not(store: Store) -> None:
    story = Story(store)
    longer, shorter = story.accepted(), story.accepted()
    store.change(
        [
            Change(longer.id, {"expires_utc": story.utc + VALIDITY_S + 100}),
            Change(shorter.id, {"expires_utc": story.utc + 10}),
        ],
        story.utc,
    )
    story.wait(10)
    assert [story.state(one).final for one in (longer, shorter)] == [False, True]
    story.wait(VALIDITY_S)
    assert story.state(longer) is MessageState.QUEUED
    story.wait(100)
    assert story.state(longer) is MessageState.EXPIRED


# -- schedules


def test_a_scheduled_message_is_released_when_due_not_before(store: Store) -> None:
    story = Story(store)
    due = story.utc + 50
    message = story.accepted(state=MessageState.SCHEDULED, not_before_utc=due, due_utc=due)
    assert (store.queued(), store.ledger().scheduled) == (0, 1)
    assert story.begin(story.attempt(message)).may_leave == [False]
    assert store.next_due_utc() == story.utc + 50
    assert story.wait(49.9).queued == []
    assert ids(story.wait(0.2).queued) == [message.id]
    assert story.wait(0.2).queued == []
    story.sent(message, "x")
    story.wait(2)
    (final,) = story.settle(story.receipt("x")).finals
    assert final.since_due == pytest.approx(2.3), "the user's clock runs from when it was due"


def test_parts_wait_for_their_group_and_are_told_when_it_stays_incomplete(store: Store) -> None:
    story = Story(store)
    parts = [
        story.accepted(state=MessageState.SCHEDULED, not_before_utc=story.utc + 60, part_of=PartOf(key, 2, 1))
        for key in ("whole", "broken")
    ]
    assert ids(store.release([parts[0].id, 999], story.utc)) == [parts[0].id]
    assert store.release([parts[0].id], story.utc) == []
    assert story.state(parts[0]) is MessageState.QUEUED
    due = story.wait(60)
    assert (ids(due.incomplete), due.queued) == ([parts[1].id], [])
    story.settle(Finish(parts[1].id, MessageState.REJECTED, "other parts never came"))
    story.settle(Finish(parts[1].id, MessageState.DELIVERED, "too late"))
    assert story.notices() == [(parts[1].id, MessageState.REJECTED)]


def test_a_whole_group_still_waits_for_the_time_its_sender_asked_for(store: Store) -> None:
    story = Story(store)
    due = story.utc + 100
    part = story.accepted(
        state=MessageState.SCHEDULED, not_before_utc=story.utc + 60, due_utc=due, part_of=PartOf("later", 2, 1)
    )
    assert store.release([part.id], story.utc) == []
    waited = story.wait(60)
    assert (waited.incomplete, waited.queued) == ([], [])
    assert ids(story.wait(40).queued) == [part.id]


def test_nothing_due_is_nothing_to_do(store: Store) -> None:
    story = Story(store)
    assert store.next_due_utc() is None
    story.accepted()
    assert store.next_due_utc() is not None
    due = story.wait(0.1)
    assert (due.queued, due.incomplete, due.settled.finals) == ([], [], [])


# -- ids


def test_messages_are_found_by_the_id_their_sender_knows(store: Store) -> None:
    story = Story(store)
    plain, alias = story.accepted(), story.accepted(public_id="0000002a")
    several = [story.accepted(public_id="4711") for _ in range(3)]
    assert store.resolve("shop", str(plain.id)) == [plain.id]
    assert store.resolve("shop", "0000002a") == [alias.id]
    assert sorted(store.resolve("shop", "4711")) == ids(several)
    for account, public_id in (
        ("other", str(plain.id)),
        ("other", "0000002a"),
        ("shop", str(alias.id)),
        ("shop", f"0{plain.id}"),
        ("shop", ""),
        ("shop", "x"),
        ("shop", "²"),
    ):
        assert store.resolve(account, public_id) == []


def test_messages_that_have_not_left_are_found_by_their_addresses(store: Store) -> None:
    story = Story(store)
    fits = [story.accepted(service_type="WAP"), story.accepted()]
    for stranger in ({"account": "other"}, {"source": "Other"}, {"destination": "85251234567"}):
        story.accepted(**stranger)
    gone = story.accepted()
    story.begun(gone)
    assert sorted(store.matching("shop", "", "Shop", TO)) == ids(fits)
    assert store.matching("shop", "WAP", "Shop", TO) == [fits[0].id]


def test_find_keeps_the_order_and_says_what_is_not_there(store: Store) -> None:
    story = Story(store)
    one, two = story.accepted(), story.accepted()
    assert [found and found.id for found in store.find([two.id, 999, one.id])] == [two.id, None, one.id]
    assert store.attempts(999) == []
