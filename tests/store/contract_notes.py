"""Contract: answers to requests, small documents, and notices that webhooks have not taken yet."""

from collections.abc import Callable

import pytest
from story import START_UTC, Story

from gateway.store.base import Announce, Finish, MobileOriginated, NoticeDone, NoticeKept, RequestRecord, Settled, Store
from routing.records import Delivery, MessageState, Notice, PartOf, SlaTurn

Crash = Callable[[Store, float], tuple[Store, Settled]]


def kept_alone(store: Store) -> bool:
    """Whether there is no disk to crash back to."""
    return hasattr(store, "alone")


@pytest.mark.parametrize("times", [0, 1, 3])
def test_the_answer_to_a_request_is_there_with_its_messages_after_a_crash(store: Store, crash: Crash, times: int) -> None:
    story = Story(store)
    message = story.message()
    story.admit_request(RequestRecord("i\x1fshop\x1fk1", story.utc + 86_400, "digest", b"first"), message)
    for _ in range(times):
        story.wait(30)  # by now it may have left the journal, and memory
        story.accepted()
    story.store, _ = crash(store, story.utc)
    found = story.store.answers(["i\x1fshop\x1fk1", "i\x1fshop\x1fk2"], story.utc)
    assert {key: (one.digest, one.answer) for key, one in found.items()} == {"i\x1fshop\x1fk1": ("digest", b"first")}
    assert story.state(message) is MessageState.QUEUED


def test_an_answer_is_forgotten_when_its_time_is_over(store: Store) -> None:
    story = Story(store)
    story.admit_request(RequestRecord("b\x1fb1", story.utc + 60, answer=b"x"))
    for _ in range(3):
        story.wait(29.9)
        story.accepted()
        assert len(store.answers(["b\x1fb1"], story.utc)) == (story.utc < START_UTC + 60)
    if not kept_alone(store):
        story.wait(30)
        story.accepted()
        assert store.vault.get("request", ["b\x1fb1"]) == {}


def test_documents_are_kept_until_they_are_taken_away(store: Store, crash: Crash) -> None:
    story = Story(store)
    store.put_document("webhook", "a", b'{"url":"https://a"}')
    store.put_document("webhook", "b", b'{"url":"https://b"}')
    store.put_document("key", "a", b'{"name":"first"}')
    store.put_document("held", "a", b'"pause"')
    story.wait(30)
    story.accepted()
    store.put_document("webhook", "a", b"")
    store.put_document("webhook", "b", b'{"url":"https://changed"}')
    for _ in range(2):
        again, _ = crash(store, story.utc)
        story.store = store = again
        assert store.list_documents("webhook") == {"b": b'{"url":"https://changed"}'}
        assert store.list_documents("key") == {"a": b'{"name":"first"}'}
        assert store.list_documents("held") == {"a": b'"pause"'}, "JSON that is no object"
        story.wait(30)
        story.accepted()


def test_events_for_webhooks_wait_in_a_box_of_their_own_and_tell_more(store: Store) -> None:
    story = Story(store)
    plain = story.accepted()
    message = story.accepted(door="http", batch_id="b1", tags=("spring",))
    for one in (plain, message):
        story.sent(one, f"x{one.id}")
        story.wait(2)
        story.settle(story.receipt(f"x{one.id}"))
    assert story.notices("shop") == [(plain.id, MessageState.DELIVERED)]
    (event,) = store.notices(f"shop\x1e{message.door}", 10)
    assert event.about is not None
    assert (event.id, event.about.batch_id, event.about.tags, event.about.attempts) == (message.id, "b1", ("spring",), 1)
    assert event.about.since_due == pytest.approx(4)
    story.settle(NoticeDone(event.id, event.box))
    assert store.notices(event.box, 10) == []
    assert story.notices("shop") == [(plain.id, MessageState.DELIVERED)]


def test_how_far_a_webhook_is_outlives_a_crash(store: Store, crash: Crash) -> None:
    story = Story(store)
    message = story.accepted(door="http")
    story.settle(Finish(message.id, MessageState.REJECTED, "no route"))
    for failures in (1, 2):
        (event,) = story.store.notices("shop\x1ehttp", 10)
        event.deliveries = (Delivery("w1", failures, story.utc + 5, "503"),)
        story.settle(NoticeKept(event))
        story.wait(30)
        story.accepted()
        story.store, _ = crash(story.store, story.utc)
        (event,) = story.store.notices("shop\x1ehttp", 10)
        assert event.deliveries == (Delivery("w1", failures, story.utc - 25, "503"),)
    story.settle(NoticeKept(event))
    story.settle(NoticeDone(event.id, event.box), NoticeKept(event))
    for _ in range(2):
        assert story.store.notices("shop\x1ehttp", 10) == []
        story.wait(30)
        story.accepted()
        story.store, _ = crash(story.store, story.utc)


def test_an_event_that_is_about_no_message_is_kept_as_the_others_are(store: Store, crash: Crash) -> None:
    story = Story(store)
    turn = SlaTurn("verification", window="5m", due=100, within=0.9, arrival=0.5, since_utc=START_UTC)
    told = Notice(1 << 40, "shop", door="http", event="sla.breach", sla=turn)
    assert [one.id for one in story.settle(Announce(told)).notices] == [told.id]
    for _ in range(3):
        (found,) = story.store.notices("shop\x1ehttp", 10)
        assert (found.event, found.sla, found.created_utc) == ("sla.breach", turn, START_UTC)
        story.store, _ = crash(story.store, story.utc)
        story.wait(30)
        story.accepted()
    story.settle(NoticeDone(told.id, told.box))
    story.store, _ = crash(story.store, story.utc)
    assert story.store.notices("shop\x1ehttp", 10) == []


def test_an_event_no_webhook_takes_is_a_dead_letter_after_all_tries_and_not_before(store: Store) -> None:
    story = Story(store)
    message = story.accepted(door="http")
    story.settle(Finish(message.id, MessageState.REJECTED, "no route"))
    assert story.wait(79 * 3600).dead == []
    assert [one.id for one in story.wait(2 * 3600).dead] == [message.id]
    assert store.notices("shop\x1ehttp", 10) == []


# -- parts of subscribers' texts


def part(number: int, seq: int) -> Notice:
    return Notice(number, "", data=b"part %d" % seq, is_mo=True, door="parts", part_of=PartOf("a\x1f1\x1f2", 2, seq))


PARTS_BOX = part(1, 1).box


@pytest.mark.parametrize("times", [0, 3])
def test_a_part_is_kept_over_a_crash_and_told_to_nobody(store: Store, crash: Crash, times: int) -> None:
    story = Story(store)
    assert story.settle(MobileOriginated(part(1, 1))).notices == []
    for _ in range(times):
        story.wait(30)
        story.accepted()
    story.store, settled = crash(store, story.utc)
    assert settled.notices == []
    (found,) = story.store.notices(PARTS_BOX, 10)
    assert (found.id, found.data, found.part_of) == (1, b"part 1", PartOf("a\x1f1\x1f2", 2, 1))
    assert found.created_utc == START_UTC


@pytest.mark.parametrize("times", [0, 3])
def test_when_a_text_is_whole_its_parts_are_gone_whatever_crashes(store: Store, crash: Crash, times: int) -> None:
    story = Story(store)
    story.settle(MobileOriginated(part(1, 1)))
    for _ in range(times):
        story.wait(30)
        story.accepted()
    whole = Notice(3, "shop", data=b"part 1part 2", is_mo=True)
    settled = story.settle(NoticeDone(1, PARTS_BOX), MobileOriginated(whole))
    assert [one.id for one in settled.notices] == [3]
    for _ in range(2):
        assert story.store.notices(PARTS_BOX, 10) == []
        assert [(one.id, one.data) for one in story.store.notices("shop", 10)] == [(3, b"part 1part 2")]
        story.store, _ = crash(story.store, story.utc)
        story.wait(30)
        story.accepted()


def test_a_part_may_come_and_go_in_one_step(store: Store, crash: Crash) -> None:
    story = Story(store)
    story.settle(MobileOriginated(part(1, 1)), NoticeDone(1, PARTS_BOX), MobileOriginated(Notice(3, "shop", is_mo=True)))
    for _ in range(2):
        assert story.store.notices(PARTS_BOX, 10) == []
        assert [one.id for one in story.store.notices("shop", 10)] == [3]
        story.wait(30)
        story.accepted()
        story.store, _ = crash(story.store, story.utc)
