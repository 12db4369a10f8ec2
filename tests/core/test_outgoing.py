"""A message as one carrier wants it: cut by its rule, parts numbered alike, references, validity, TLVs."""

from typing import Any

import pytest
from clock import START_UTC
from hypothesis import given
from hypothesis import strategies as st
from makers import channel, message

from gateway.core.outgoing import Encoder
from gateway.core.part import Part
from gateway.core.reader import parts_of
from protocol import codec, udh
from protocol.errors import ContentError
from protocol.pdu import SubmitSm
from protocol.tlv import Tag, get, get_int
from protocol.validate import user_data
from routing.records import AttemptKey, Message, PartOf

RULES = ("udh8", "udh16", "sar", "payload")


def encoder(how: str = "udh8", seed: int = 0, **fields: Any) -> Encoder:
    return Encoder(channel(long_messages=how, **fields), seed)


def encoded(one: Message, encoder: Encoder) -> list[tuple[Part, SubmitSm]]:
    return [(part, encoder.pdu(part, START_UTC)) for part in encoder.parts(one)]


def long(data: bytes, coding: int = 0, number: int = 1, **fields: Any) -> Message:
    return message(number, data, data_coding=coding, parts=parts_of(data, coding, 0), **fields)


def body(pdu: SubmitSm) -> bytes:
    return udh.parse(user_data(pdu)).body if pdu.esm_class & udh.UDHI else user_data(pdu)


@given(st.binary(max_size=1_500), st.sampled_from((0, 4, 8)), st.sampled_from(RULES))
def test_the_parts_put_together_are_the_message(data: bytes, coding: int, how: str) -> None:
    if coding == 8:
        data = data[: len(data) & ~1]
    sent = encoded(long(data, coding), encoder(how))
    assert b"".join(body(pdu) for _, pdu in sent) == data
    for at, (part, pdu) in enumerate(sent, 1):
        assert (part.key.part, part.number, part.total) == (at, at, len(sent))
        assert pdu.data_coding == coding
        assert len(pdu.short_message) <= 254
        codec.encode(pdu, bytearray())


@pytest.mark.parametrize(("how", "bits", "size"), [("udh8", 8, 153), ("udh16", 16, 152)])
def test_udh_numbers_the_parts_under_one_reference(how: str, bits: int, size: int) -> None:
    sent = encoded(long(b"x" * 400), encoder(how, seed=0x1FF))
    headers = [udh.parse(pdu.short_message).concat for _, pdu in sent]
    assert [(one.total, one.seq, one.bits) for one in headers if one] == [(3, 1, bits), (3, 2, bits), (3, 3, bits)]
    assert {one.ref for one in headers if one} == {sent[0][0].concat_reference} == {0x200 & (1 << bits) - 1}
    assert len(body(sent[0][1])) == size
    assert all(pdu.esm_class == udh.UDHI for _, pdu in sent)


def test_sar_numbers_the_parts_in_tlvs() -> None:
    sent = encoded(long(b"x" * 400, esm_class=0x01), encoder("sar", seed=0x1FF))
    tags = (Tag.SAR_MSG_REF_NUM, Tag.SAR_TOTAL_SEGMENTS, Tag.SAR_SEGMENT_SEQNUM)
    assert [tuple(get_int(pdu.tlvs, tag) for tag in tags) for _, pdu in sent] == [(0x200, 3, at) for at in (1, 2, 3)]
    assert all(pdu.esm_class == 0x01 for _, pdu in sent)


def test_parts_a_sender_numbered_by_tlvs_get_headers_where_tlvs_are_not_taken() -> None:
    tlvs = ((Tag.SAR_MSG_REF_NUM, b"\0\7"), (Tag.SAR_TOTAL_SEGMENTS, b"\2"), (Tag.SAR_SEGMENT_SEQNUM, b"\1"))
    part_of = PartOf("group", 2, 1)
    one = message(1, b"x" * 100, tlvs=tlvs, part_of=part_of)
    ((_, pdu),) = encoded(one, encoder(send_tlvs=False))
    concat = udh.parse(pdu.short_message).concat
    assert concat is not None
    assert (concat.total, concat.seq, pdu.esm_class, pdu.tlvs) == (2, 1, udh.UDHI, ())
    assert body(pdu) == b"x" * 100


def test_payload_leaves_the_cutting_to_the_carrier() -> None:
    ((part, pdu),) = encoded(long(b"x" * 200), encoder("payload"))
    assert (part.total, pdu.short_message, get(pdu.tlvs, Tag.MESSAGE_PAYLOAD)) == (1, b"", b"x" * 200)
    ((_, short),) = encoded(long(b"short"), encoder("payload"))
    assert (short.short_message, get(short.tlvs, Tag.MESSAGE_PAYLOAD)) == (b"short", None)


@pytest.mark.parametrize("how", RULES)
def test_a_part_the_sender_cut_is_not_cut_again(how: str) -> None:
    data = b"\x05\0\x03\x2a\x02\x01" + b"x" * 134
    ((part, pdu),) = encoded(message(1, data, esm_class=0x40, parts=1), encoder(how))
    assert (part.total, pdu.esm_class, user_data(pdu)) == (1, 0x40, data)


def test_references_count_up_per_sender_and_recipient() -> None:
    one = encoder(seed=254)
    assert [one.parts(long(b"x" * 200))[0].concat_reference for _ in range(3)] == [255, 0, 1]
    assert one.parts(long(b"x" * 200, destination="85251234567"))[0].concat_reference == 255
    assert one.parts(long(b"short"))[0].concat_reference == 0


def test_our_own_reference_differs_for_every_part_and_attempt() -> None:
    one = encoder(seed=0xFFFE)
    sent = [pair for _ in range(3) for pair in encoded(long(b"x" * 400), one)]
    references = [get_int(pdu.tlvs, Tag.USER_MESSAGE_REFERENCE) for _, pdu in sent]
    assert references == [part.user_reference for part, _ in sent]
    assert len(set(references)) == 9


def test_parts_are_of_the_next_attempt() -> None:
    assert [part.key for part in encoder().parts(long(b"x" * 200, tries=2))] == [AttemptKey(1, 3, 1), AttemptKey(1, 3, 2)]


def test_validity_is_what_is_left_of_it() -> None:
    one = message(expires_utc=START_UTC + 90)
    part = encoder().parts(one)[0]
    assert encoder().pdu(part, START_UTC).validity_period == "000000000130000R"
    assert encoder().pdu(part, START_UTC + 60).validity_period == "000000000030000R"
    assert encoder().pdu(part, START_UTC + 600).validity_period == "000000000000000R"
    assert encoder(send_validity=False).pdu(part, START_UTC).validity_period == ""


def test_the_senders_tlvs_go_along_and_with_send_tlvs_off_nothing_does() -> None:
    one = message(tlvs=((int(Tag.SOURCE_PORT), b"\0\2"),))
    ((_, pdu),) = encoded(one, encoder())
    assert [tag for tag, _ in pdu.tlvs] == [Tag.SOURCE_PORT, Tag.USER_MESSAGE_REFERENCE]
    for plain in (one, long(b"x" * 400)):
        assert all(pdu.tlvs == () for _, pdu in encoded(plain, encoder(send_tlvs=False)))


def test_carriers_are_always_asked_for_receipts() -> None:
    assert all(pdu.registered_delivery == 1 for _, pdu in encoded(message(registered_delivery=0), encoder()))


def test_fields_go_out_as_they_came() -> None:
    one = message(source_ton=5, service_type="WAP", priority=2, protocol_id=9, dest_ton=1, dest_npi=1)
    ((_, pdu),) = encoded(one, encoder())
    assert (pdu.source_addr, pdu.source_addr_ton, pdu.service_type, pdu.priority_flag, pdu.protocol_id) == (
        "Shop",
        5,
        "WAP",
        2,
        9,
    )
    assert (pdu.destination_addr, pdu.dest_addr_ton, pdu.dest_addr_npi) == (one.destination, 1, 1)


def test_more_than_255_parts_cannot_be_sent() -> None:
    with pytest.raises(ContentError):
        encoder("udh16").parts(long(b"x" * 255 * 153))
