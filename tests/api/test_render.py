"""Records and events as the API shows them."""

from typing import Any

import msgspec
import pytest

from gateway.api.render import attempt_out, event, message_out, state_of, status_word
from gateway.api.schemas import EVENTS
from gateway.calls.things import event_name
from gateway.store.record import Record
from gateway.store.states import event_of
from routing.records import Attempt, AttemptKey, AttemptState, Content, Message, MessageState, Notice, SlaTurn

UTC = 1_800_000_000.0


def message(**fields: Any) -> Message:
    made: dict[str, Any] = {"public_id": "7", "destination": "8613800138000", "content": Content(b"hi"), "arrival_utc": UTC}
    return Message(7, "shop", **{**made, **fields})


def attempt(state: AttemptState = AttemptState.SENDING, **fields: Any) -> Attempt:
    return Attempt(AttemptKey(7, 1, 1), 1, "a", 0, 0, state=state, begun_utc=UTC, **fields)


@pytest.mark.parametrize("state", MessageState)
def test_every_state_has_its_word(state: MessageState) -> None:
    if state is MessageState.IN_FLIGHT:
        assert status_word(Record(message(state=state), [attempt()])) == "sending"
        for later in (AttemptState.SENT, AttemptState.UNKNOWN):
            assert status_word(Record(message(state=state), [attempt(later)])) == "sent"
        assert status_word(Record(message(state=state), [])) == "sending"
        assert state_of("sent") is state_of("sending") is state
        return
    word = status_word(Record(message(state=state), []))
    assert word == state.name.lower()
    assert state_of(word) is state


def test_every_final_state_is_an_event_that_can_be_subscribed_to() -> None:
    names = {event_name(Notice(1, "shop", state=state)) for state in MessageState if state.final}
    assert names | {"message.received", "sla.breach", "sla.recovery"} == set(EVENTS)


def test_a_breach_tells_of_what_and_how_far_it_went() -> None:
    turn = SlaTurn("verification", window="5m", due=120, within=0.9, arrival=None, since_utc=UTC)
    told = event(Notice(77, "shop", created_utc=UTC + 180, door="http", event="sla.breach", sla=turn))
    assert (told.type, told.id) == ("sla.breach", "evt_77")
    assert msgspec.to_builtins(told)["data"] == {
        "id": "77",
        "class": "verification",
        "window": "5m",
        "due": 120,
        "within": 0.9,
        "since": "2027-01-15T08:00:00Z",
    }


def test_numbers_have_their_plus_and_names_do_not() -> None:
    shown = message_out(Record(message(source_ton=5, source="Shop"), []))
    assert (shown.to, shown.from_) == ("+8613800138000", "Shop")
    assert message_out(Record(message(source_ton=1, source="4912"), [])).from_ == "+4912"
    assert message_out(Record(message(source_ton=1, source=""), [])).from_ == ""


@pytest.mark.parametrize(("took", "good"), [(0.0, True), (10.0, True), (10.001, False)])
def test_the_ten_seconds_count_from_when_it_was_due(took: float, good: bool) -> None:
    one = message(state=MessageState.DELIVERED, due_utc=UTC + 60, final_utc=UTC + 60 + took)
    shown = message_out(Record(one, []))
    assert (shown.latency_ms, shown.sla_10s) == (round(took * 1000), good)


def test_what_was_not_delivered_has_no_latency() -> None:
    shown = message_out(Record(message(state=MessageState.EXPIRED, final_utc=UTC + 5), []))
    assert (shown.latency_ms, shown.sla_10s) == (None, False)
    living = message_out(Record(message(), []))
    assert (living.sla_10s, living.done_at) == (None, None)


def test_a_receipt_is_shown_as_the_carrier_said_it() -> None:
    one = attempt(AttemptState.FAILED, receipt="UNDELIV", err="MK:0021", carrier_id="ff", carrier_spelling="FF", answered=0.25)
    shown = attempt_out(one)
    assert (shown.state, shown.stat, shown.err, shown.carrier_id, shown.answer_ms) == (
        "failed",
        "UNDELIV",
        "MK:0021",
        "FF",
        250,
    )
    assert message_out(Record(message(), [attempt(), one])).stat == "UNDELIV"


def test_a_text_that_was_purged_or_is_no_text_is_shown_all_the_same() -> None:
    assert message_out(Record(message(content=Content(b"")), [])).text == ""
    assert message_out(Record(message(content=Content(b"\xff\x00", data_coding=4)), [])).text == "\xff\x00"


def test_an_event_tells_whose_message_it_is_and_how_it_went() -> None:
    one = message(
        state=MessageState.DELIVERED, final_utc=UTC + 3, client_ref="r", batch_id="b1", tags=("t",), source="Shop", door="http"
    )
    told = event(event_of(one, 3.0, UTC + 3.5))
    assert (told.type, told.id) == ("message.delivered", "evt_7")
    data = told.data
    assert (data.id, data.to, data.from_, data.client_ref, data.batch_id) == ("7", "+8613800138000", "Shop", "r", "b1")
    assert (data.latency_ms, data.sla_10s, data.correction, data.tags) == (3000, True, False, ["t"])


def test_a_correction_is_an_event_of_its_own() -> None:
    told = event(event_of(message(state=MessageState.DELIVERED, final_utc=UTC), None, UTC, correction=True))
    assert (told.id, told.data.correction, told.data.sla_10s) == ("evt_7c", True, False)


def test_a_subscriber_s_text_is_told_without_its_header() -> None:
    data = b"\x04\x24\x02\x01\x00" + "退订".encode("utf-16-be")
    notice = Notice(9, "shop", source="86138", destination="10690", data=data, data_coding=8, esm_class=0x40, is_mo=True)
    assert event(notice).data.text == "退订"


def test_a_subscriber_s_message_is_received() -> None:
    notice = Notice(9, "shop", source_ton=1, source="86138", dest_ton=3, destination="10690", data=b"STOP", is_mo=True)
    told = event(notice)
    assert (told.type, told.data.from_, told.data.to, told.data.text) == ("message.received", "+86138", "10690", "STOP")
