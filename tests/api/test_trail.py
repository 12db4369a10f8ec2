"""The trail of a message says each step with its reason, from what is stored."""

from gateway.api.trail import Step, steps
from gateway.store.record import Record
from routing.plan import BY_WEIGHT
from routing.records import Attempt, AttemptKey, AttemptState, Content, Message, MessageState

UTC = 1_800_000_000.0


def message(**fields: object) -> Message:
    made: dict[str, object] = {
        "accepted_utc": UTC,
        "content": Content(b"hi"),
        "class_": "verification",
        "operator": "cn-mobile",
    }
    return Message(7, "shop", **{**made, **fields})  # type: ignore[arg-type]


def attempt(number: int, channel: str, state: AttemptState, *, part: int = 1, parts: int = 1, **fields: object) -> Attempt:
    made: dict[str, object] = {"begun": 100.0 + number, "begun_utc": UTC + number, "answered": 100.25 + number}
    return Attempt(AttemptKey(7, number, part), parts, channel, 0, 0, state=state, **{**made, **fields})  # type: ignore[arg-type]


def test_a_message_that_was_refused_and_went_another_way_tells_why_at_each_step() -> None:
    one = message(state=MessageState.DELIVERED, final_utc=UTC + 4.8, channel="b")
    record = Record(
        one,
        [
            attempt(1, "a", AttemptState.REFUSED, command_status=0x14),
            attempt(
                2,
                "b",
                AttemptState.DELIVERED,
                carrier_id="1f",
                carrier_spelling="1F",
                receipt="DELIVRD",
                err="000",
                why="a: full",
            ),
        ],
    )
    assert steps(record) == [
        Step(UTC, "accepted", "verification of shop by SMPP, 1 segments, within the rules of its account; to cn-mobile"),
        Step(UTC + 1, "planned onto a", BY_WEIGHT),
        Step(UTC + 1.25, "refused by a: ESME_RMSGQFUL (0x14)", "answered after 250 ms"),
        Step(UTC + 2, "planned again onto b", "a: full"),
        Step(UTC + 2.25, "sent to b as 1F", "answered after 250 ms"),
        Step(UTC + 4.8, "receipt DELIVRD 000", "after 2.8 s"),
        Step(UTC + 4.8, "delivered", ""),
    ]


def test_parts_are_told_apart_under_one_plan() -> None:
    parts = [attempt(1, "a", AttemptState.SENT, part=part, parts=2, carrier_id=f"i{part}") for part in (1, 2)]
    told = [one.what for one in steps(Record(message(state=MessageState.IN_FLIGHT, door="http"), parts))]
    assert told == ["accepted", "planned onto a", "part 1 of 2 sent to a as i1", "part 2 of 2 sent to a as i2"]


def test_what_waits_and_what_is_not_known_is_said_so() -> None:
    waiting = message(state=MessageState.QUEUED, operator="", country="34", due_utc=UTC + 60)
    found = steps(Record(waiting, []))
    assert [one.what for one in found] == ["accepted", "scheduled", "queued"]
    assert found[0].why.endswith("to country 34")
    assert found[-1].at_utc == 0
    silent = attempt(1, "a", AttemptState.UNKNOWN, answered=0.0)
    assert "no answer from a" in [one.what for one in steps(Record(message(state=MessageState.IN_FLIGHT), [silent]))]
    leaving = attempt(1, "a", AttemptState.SENDING, answered=0.0)
    assert "waits for the answer of a" in [one.what for one in steps(Record(message(state=MessageState.IN_FLIGHT), [leaving]))]


def test_the_end_has_its_reason() -> None:
    one = message(state=MessageState.EXPIRED, final_utc=UTC + 300, reason="no channel in time")
    assert steps(Record(one, []))[-1] == Step(UTC + 300, "expired", "no channel in time")
