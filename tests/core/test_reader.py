"""What a client submits, as messages: defaults, its own TLVs, times, several destinations, parts it cut itself."""

from typing import Any

import pytest
from clock import START_UTC
from hypothesis import given
from hypothesis import strategies as st
from makers import TO, account, config

from config.schema import Account, Classes, Smpp
from gateway.core.reader import Reader, parts_of
from gateway.core.submission import Submission, refused_submit, response_of
from protocol.commands import Command
from protocol.fields import Destination
from protocol.pdu import DataSm, SubmitMulti, SubmitSm
from protocol.status import Status
from protocol.tlv import Tag
from routing.ids import IdMaker
from routing.policy.verdict import Refusal
from routing.records import Message, MessageState

TAGS = Smpp().tlvs
VALIDITY_S = Classes()


class Desk:
    """A reader with a still clock."""

    def __init__(self) -> None:
        self.reader = Reader(config(), IdMaker(1, lambda: START_UTC), "virtual")

    def read(self, pdu: Any, sender: Account | None = None, *, short_ids: bool = False) -> list[Message] | Status:
        return self.reader.read(pdu, sender or account(), 7.0, START_UTC, short_ids=short_ids)

    def one(self, sender: Account | None = None, **fields: Any) -> Message:
        messages = self.read(SubmitSm(**{"destination_addr": TO, "short_message": b"hi", **fields}), sender)
        assert isinstance(messages, list), messages
        (message,) = messages
        return message

    def refused(self, **fields: Any) -> Status:
        status = self.read(SubmitSm(**{"destination_addr": TO, "short_message": b"hi", **fields}))
        assert isinstance(status, Status)
        return status


@pytest.fixture
def desk() -> Desk:
    return Desk()


def sar(ref: int, total: int, seq: int) -> tuple[tuple[int, bytes], ...]:
    return (
        (int(Tag.SAR_MSG_REF_NUM), ref.to_bytes(2, "big")),
        (int(Tag.SAR_TOTAL_SEGMENTS), bytes((total,))),
        (int(Tag.SAR_SEGMENT_SEQNUM), bytes((seq,))),
    )


def test_a_submit_becomes_a_message_with_the_accounts_defaults(desk: Desk) -> None:
    sender = account(class_="verification", purpose="urgent", business="bank", brand="B", industry="finance")
    message = desk.one(
        sender,
        source_addr="Shop",
        source_addr_ton=5,
        data_coding=8,
        short_message=b"\0h\0i",
        registered_delivery=2,
        priority_flag=3,
        protocol_id=4,
        service_type="WAP",
    )
    assert (message.account, message.class_, message.purpose, message.business) == ("shop", "verification", "urgent", "bank")
    assert (message.brand, message.industry) == ("B", "finance")
    assert (message.source, message.source_ton, message.destination) == ("Shop", 5, TO)
    assert (message.content.data, message.content.data_coding, message.content.protocol_id) == (b"\0h\0i", 8, 4)
    assert (message.registered_delivery, message.priority, message.service_type) == (2, 3, "WAP")
    assert (message.arrival, message.arrival_utc, message.boot) == (7.0, START_UTC, "virtual")
    assert message.state is MessageState.QUEUED
    assert message.public_id == str(message.id)


def test_a_client_without_tlvs_gets_ids_of_eight_characters(desk: Desk) -> None:
    messages = desk.read(SubmitSm(destination_addr=TO), short_ids=True)
    assert isinstance(messages, list)
    assert len(messages[0].public_id) == 8


def test_tlvs_override_the_accounts_defaults_and_do_not_go_on(desk: Desk) -> None:
    strange = (0x3F00, b"strange")
    tlvs = (
        (TAGS.class_, b"marketing\0"),
        (TAGS.purpose, b"care"),
        (TAGS.brand, "品牌".encode()),
        (TAGS.client_ref, b"order-7"),
        (TAGS.campaign_id, b"spring"),
        (int(Tag.USER_MESSAGE_REFERENCE), b"\0\1"),
        (int(Tag.SOURCE_PORT), b"\0\2"),
        strange,
    )
    message = desk.one(tlvs=tlvs)
    assert (message.class_, message.purpose, message.brand) == ("marketing", "care", "品牌")
    assert (message.client_ref, message.campaign_id) == ("order-7", "spring")
    assert message.content.tlvs == ((int(Tag.SOURCE_PORT), b"\0\2"), strange)
    assert message.expires_utc == START_UTC + Classes().marketing.validity_s


def test_a_class_there_is_not_is_refused(desk: Desk) -> None:
    assert desk.refused(tlvs=((TAGS.class_, b"spam"),)) is Status.RINVOPTPARAMVAL


# -- times


@pytest.mark.parametrize(
    ("schedule", "validity", "due", "expires"),
    [
        ("", "", 0, 300),
        ("", "000000000100000R", 0, 60),
        ("", "270115080230000+", 0, 150),
        ("000000001000000R", "", 600, 900),
        ("000000001000000R", "000000000100000R", 600, 660),
        ("270115081000000+", "270115082000000+", 600, 1200),
        ("270115121000016+", "", 600, 900),
        ("200101000000000+", "", 0, 300),
    ],
)
def test_times_are_from_now_or_absolute(desk: Desk, schedule: str, validity: str, due: int, expires: int) -> None:
    message = desk.one(account(class_="verification"), schedule_delivery_time=schedule, validity_period=validity)
    assert message.not_before_utc == (START_UTC + due if due else 0)
    assert message.expires_utc == START_UTC + expires
    assert message.state is (MessageState.SCHEDULED if due else MessageState.QUEUED)


@pytest.mark.parametrize(
    ("schedule", "validity", "status"),
    [
        ("270132000000000+", "", Status.RINVSCHED),
        ("tomorrow", "", Status.RINVSCHED),
        ("", "xxxxxxxxxxxxxxxx", Status.RINVEXPIRY),
        ("", "200101000000000+", Status.RINVEXPIRY),
        ("", "000000000000000R", Status.RINVEXPIRY),
        ("270115081000000+", "270115080500000+", Status.RINVEXPIRY),
    ],
)
def test_times_that_cannot_be_are_refused(desk: Desk, schedule: str, validity: str, status: Status) -> None:
    assert desk.refused(schedule_delivery_time=schedule, validity_period=validity) is status


def test_data_sm_says_its_validity_in_seconds(desk: Desk) -> None:
    tlvs = ((int(Tag.MESSAGE_PAYLOAD), b"text"), (int(Tag.QOS_TIME_TO_LIVE), (90).to_bytes(4, "big")))
    messages = desk.read(DataSm(destination_addr=TO, tlvs=tlvs))
    assert isinstance(messages, list)
    assert (messages[0].content.data, messages[0].expires_utc) == (b"text", START_UTC + 90)
    assert messages[0].content.tlvs == ()


# -- several destinations


def multi(*to: str, **fields: Any) -> SubmitMulti:
    return SubmitMulti(destinations=tuple(Destination(1, 1, one) for one in to), short_message=b"hi", **fields)


def test_submit_multi_is_a_message_for_each_destination_under_one_id(desk: Desk) -> None:
    messages = desk.read(multi(TO, "85251234567", "4915112345678"))
    assert isinstance(messages, list)
    assert [one.destination for one in messages] == [TO, "85251234567", "4915112345678"]
    assert len({one.id for one in messages}) == 3
    assert {one.public_id for one in messages} == {str(messages[0].id)}


def test_submit_multi_to_nobody_or_to_a_list_is_refused(desk: Desk) -> None:
    assert desk.read(multi()) is Status.RINVNUMDESTS
    assert desk.read(SubmitMulti(destinations=(Destination(dl_name="friends"),))) is Status.RINVDLNAME


def test_no_destination_is_refused(desk: Desk) -> None:
    assert desk.refused(destination_addr="") is Status.RINVDSTADR


# -- parts the sender cut itself

HEADERS = [
    pytest.param({"esm_class": 0x40, "short_message": b"\x05\0\x03\x2a\x02\x01text"}, id="udh8"),
    pytest.param({"esm_class": 0x40, "short_message": b"\x06\x08\x04\x01\x2a\x02\x01text"}, id="udh16"),
    pytest.param({"tlvs": sar(42, 2, 1)}, id="sar"),
]


@pytest.mark.parametrize("fields", HEADERS)
def test_a_part_waits_stored_for_its_group(desk: Desk, fields: dict[str, Any]) -> None:
    message = desk.one(**fields)
    assert message.part_of is not None
    assert (message.part_of.total, message.part_of.seq) == (2, 1)
    assert message.state is MessageState.SCHEDULED
    assert message.not_before_utc == START_UTC + 60


def test_parts_belong_together_by_sender_recipient_reference_width_and_number(desk: Desk) -> None:
    def key(sender: str = "shop", ref: int = 1, total: int = 2, seq: int = 1, **fields: Any) -> str:
        part = desk.one(account(sender), tlvs=sar(ref, total, seq), **fields).part_of
        assert part is not None
        return part.key

    assert key() == key(seq=2)
    udh = desk.one(esm_class=0x40, short_message=b"\x05\0\x03\x01\x02\x01text").part_of
    assert udh is not None
    others = [
        key(sender="else"),
        key(ref=2),
        key(total=3),
        key(source_addr="Else"),
        key(destination_addr="85251234567"),
        udh.key,
    ]
    assert len({key(), *others}) == 7


@pytest.mark.parametrize(
    "fields",
    [
        {"tlvs": sar(1, 1, 1)},
        {"tlvs": sar(1, 2, 3)},
        {"tlvs": sar(1, 2, 0)},
        {"tlvs": sar(1, 2, 1)[:2]},
        {"esm_class": 0x40, "short_message": b"\x05\0\x03\x2a\x01\x01text"},
        {"esm_class": 0x40, "short_message": b"\x06\x05\x04\x0b\x84\x0b\x84push"},
    ],
)
def test_what_is_no_part_of_many_goes_at_once(desk: Desk, fields: dict[str, Any]) -> None:
    message = desk.one(**fields)
    assert message.part_of is None
    assert message.state is MessageState.QUEUED


def test_parts_of_a_submit_multi_belong_to_their_own_destination(desk: Desk) -> None:
    messages = desk.read(multi(TO, "85251234567", tlvs=sar(1, 2, 1)))
    assert isinstance(messages, list)
    assert len({one.part_of and one.part_of.key for one in messages}) == 2


def test_scheduled_parts_keep_their_time(desk: Desk) -> None:
    message = desk.one(tlvs=sar(1, 2, 1), schedule_delivery_time="000000010000000R")
    assert message.due_utc >= START_UTC + 3_600


# -- lengths


@pytest.mark.parametrize(
    ("length", "coding", "parts"),
    [(0, 0, 1), (160, 0, 1), (161, 0, 2), (140, 8, 1), (142, 8, 2), (140, 4, 1), (141, 4, 2), (39_015, 0, 255), (39_016, 0, 0)],
)
def test_parts_a_handset_gets(length: int, coding: int, parts: int) -> None:
    assert parts_of(b"x" * length, coding, 0) == parts


def test_a_payload_too_long_for_255_parts_is_marked(desk: Desk) -> None:
    message = desk.one(short_message=b"", tlvs=((int(Tag.MESSAGE_PAYLOAD), b"x" * 60_000),))
    assert message.content.parts == 0


@given(
    st.binary(max_size=20),
    st.integers(0, 255),
    st.integers(0, 255),
    st.lists(st.tuples(st.sampled_from([*map(int, Tag), TAGS.class_, TAGS.brand]), st.binary(max_size=8)), max_size=6),
)
def test_whatever_is_submitted_is_read_or_refused(data: bytes, coding: int, esm_class: int, tlvs: list[Any]) -> None:
    pdu = SubmitSm(destination_addr=TO, short_message=data, data_coding=coding, esm_class=esm_class, tlvs=tuple(tlvs))
    answer = Desk().read(pdu)
    if isinstance(answer, list):
        assert answer[0].state in (MessageState.QUEUED, MessageState.SCHEDULED)
        assert answer[0].expires_utc > START_UTC
    else:
        assert answer is not Status.ROK


# -- what rules go by, and how a refusal is told


def test_a_purpose_no_rule_knows_is_refused(desk: Desk) -> None:
    """It would pass by every cap."""
    assert desk.refused(tlvs=((TAGS.purpose, b"other"),)) is Status.RINVOPTPARAMVAL
    assert desk.one(tlvs=((TAGS.purpose, b"urgent\0"),)).purpose == "urgent"


REFUSAL = Refusal("keyword", "keywords", "it says '赌博'")


def test_a_refusal_names_its_rule_in_words() -> None:
    told = (int(Tag.ADDITIONAL_STATUS_INFO_TEXT), b"keyword: keywords (it says '??')\0")
    answer = refused_submit(7, REFUSAL)
    assert (answer.sequence, answer.status, answer.tlvs) == (7, Status.RSUBMITFAIL, (told,))
    one = Desk().one()
    data_sm = response_of(Submission(1, 7, Command.DATA_SM, [one], [Status.RSUBMITFAIL], {0: REFUSAL}))
    assert (data_sm.status, data_sm.tlvs) == (Status.RSUBMITFAIL, (told,))
    fine = response_of(Submission(1, 7, Command.DATA_SM, [one], [Status.ROK]))
    assert (fine.status, fine.tlvs) == (Status.ROK, ())


def test_words_of_a_refusal_fit_into_their_tlv() -> None:
    ((_, words),) = refused_submit(1, Refusal("mark", "x" * 300)).tlvs
    assert len(words) == 256
