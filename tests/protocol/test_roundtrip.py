"""Every PDU survives the wire, and the fast path is the table in other words."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.codec import HEADER, decode_by_table, encode, encode_by_table, to_bytes
from protocol.errors import LocalProtocolError, PduError
from protocol.fields import Destination, Unsuccess
from protocol.layouts import LAYOUTS
from protocol.pdu import (
    BY_COMMAND,
    PDUS,
    DataSmResp,
    DeliverSm,
    DeliverSmResp,
    Pdu,
    QuerySmResp,
    SubmitMulti,
    SubmitMultiResp,
    SubmitSm,
    SubmitSmResp,
)
from tests.protocol.reading import decode_body
from tests.protocol.strategies import HOT, hot_pdus, mutated, numbers, pdus, pdus_of

AROUND = b"\xa5" * 7
"""Octets before and after a PDU in the buffer, which no decoder may touch."""


def outcome(call: Callable[..., Any], *args: Any) -> Any:
    """What `call` gives, or the error it raises on purpose."""
    try:
        return call(*args)
    except (PduError, LocalProtocolError) as error:
        return error if isinstance(error, PduError) else str(error)


def decode(raw: bytes) -> Pdu:
    length, command_id, status, sequence = HEADER.unpack_from(raw)
    assert length == len(raw)
    buf = AROUND + raw + AROUND
    return decode_body(buf, len(AROUND) + 16, len(AROUND) + len(raw), command_id, status, sequence)


def test_there_are_the_27_pdus_of_the_specification() -> None:
    assert len(PDUS) == len(BY_COMMAND) == 27


@pytest.mark.parametrize("cls", PDUS, ids=lambda cls: cls.__name__)
def test_a_pdu_is_the_same_after_encoding_and_decoding(cls: type[Pdu]) -> None:
    @settings(max_examples=60)
    @given(pdus_of(cls))
    def check(pdu: Pdu) -> None:
        assert decode(to_bytes(pdu)) == pdu

    check()


@given(st.lists(pdus, max_size=4))
def test_encoding_appends_and_leaves_what_was_there(many: list[Pdu]) -> None:
    out = bytearray(AROUND)
    for pdu in many:
        encode(pdu, out)
    assert bytes(out) == AROUND + b"".join(map(to_bytes, many))


@given(hot_pdus)
@settings(max_examples=300)
def test_the_fast_encoder_writes_what_the_table_writes(pdu: Pdu) -> None:
    by_table = bytearray()
    encode_by_table(pdu, by_table)
    assert to_bytes(pdu) == bytes(by_table)


wild_text = st.text(st.characters(max_codepoint=0x120), max_size=70)
wild_int = st.integers(-2, 0x101)
wild_number = st.sampled_from((-1, 0x1_0000_0000)) | numbers


@st.composite
def wild(draw: st.DrawFn) -> Pdu:
    """A hot PDU of which a few fields hold what SMPP cannot carry."""
    pdu = draw(hot_pdus)
    values = {str: wild_text, int: wild_int, bytes: st.binary(max_size=300)}
    names = [name for name, _ in LAYOUTS[type(pdu)]]
    for name in draw(st.lists(st.sampled_from(names), max_size=2)):
        setattr(pdu, name, draw(values[type(getattr(pdu, name))]))
    if draw(st.integers(0, 4)) == 0:
        pdu.sequence, pdu.status = draw(wild_number), draw(wild_number)
    if draw(st.integers(0, 4)) == 0:
        pdu.tlvs = ((draw(st.integers(-1, 0x10001)), b"x"), (5, b"y" * draw(st.sampled_from((1, 0xFFFF, 0x10000)))))
    return pdu


@given(wild())
@settings(max_examples=400)
def test_what_cannot_be_encoded_is_refused_by_both_encoders_and_leaves_the_buffer_alone(pdu: Pdu) -> None:
    fast, table = bytearray(AROUND), bytearray(AROUND)
    assert outcome(encode, pdu, fast) == outcome(encode_by_table, pdu, table)
    assert fast == table


@given(st.sampled_from(HOT), mutated(hot_pdus.map(lambda pdu: to_bytes(pdu)[16:])), numbers, numbers)
@settings(max_examples=800)
def test_the_fast_decoder_reads_damaged_octets_as_the_table_does(cls: type[Pdu], body: bytes, status: int, seq: int) -> None:
    buf = AROUND + body + AROUND
    at, end = len(AROUND), len(AROUND) + len(body)
    fast = outcome(decode_body, buf, at, end, int(cls.command_id), status, seq)
    assert fast == outcome(decode_by_table, cls, buf, at, end, status, seq)


@pytest.mark.parametrize("cls", HOT, ids=lambda cls: cls.__name__)
def test_the_fast_decoder_reads_every_truncation_as_the_table_does(cls: type[Pdu]) -> None:
    @settings(max_examples=30)
    @given(pdus_of(cls))
    def check(pdu: Pdu) -> None:
        raw = to_bytes(pdu)
        for end in range(16, len(raw) + 1):
            table = outcome(decode_by_table, cls, raw, 16, end, 0, 1)
            for buf in (raw, raw[:end]):  # with and without octets of somebody else's behind
                assert outcome(decode_body, buf, 16, end, int(cls.command_id), 0, 1) == table

    check()


@pytest.mark.parametrize("kind", [SubmitSm, DeliverSm], ids=lambda kind: kind.__name__)
@pytest.mark.parametrize(
    ("name", "lengths"),
    [
        ("service_type", (0, 1, 5, 6)),
        ("source_addr", (0, 1, 20, 21)),
        ("destination_addr", (0, 1, 20, 21)),
        ("schedule_delivery_time", (0, 1, 15, 16, 17)),
        ("validity_period", (0, 1, 15, 16, 17)),
    ],
)
def test_field_limits_are_the_same_on_both_paths(kind: type[Pdu], name: str, lengths: tuple[int, ...]) -> None:
    for length in lengths:
        for size in (0, 254, 255):
            text = {name: b"1" * length}.get
            raw = b"%b%b\0\1\2%b\0\3\4%b\0\5\6\7%b\0%b\0\x08\x09\x0a\x0b%c%b" % (
                AROUND,
                text("service_type", b""),
                text("source_addr", b""),
                text("destination_addr", b""),
                text("schedule_delivery_time", b""),
                text("validity_period", b""),
                size,
                b"t" * size,
            )
            for end in range(len(raw) - 12, len(raw) + 1):
                fast = outcome(decode_body, raw, len(AROUND), end, int(kind.command_id), 0, 1)
                assert fast == outcome(decode_by_table, kind, raw, len(AROUND), end, 0, 1)


@pytest.mark.parametrize(
    "pdu",
    [
        SubmitSm(1, tlvs=((0x10000, b""),)),
        SubmitSm(1, tlvs=((5, bytes(0x10000)),)),
        SubmitSm(-1),
        SubmitSm(0x1_0000_0000),
        SubmitSm(1, source_addr="1" * 21),
        SubmitSm(1, destination_addr="1" * 21),
        SubmitSm(1, service_type="123456"),
        SubmitSm(1, source_addr="1\0002"),
        SubmitSm(1, destination_addr="\0"),
        SubmitSm(1, service_type="a\0"),
        SubmitSm(1, validity_period="\0" * 16),
        SubmitSmResp(1, message_id="\0"),
        SubmitSm(1, validity_period="12"),
        SubmitSm(1, short_message=bytes(255)),
        SubmitSm(1, data_coding=256),
        SubmitSmResp(1, message_id="1" * 65),
        SubmitSmResp(1, message_id="中"),
        DeliverSmResp(-1),
        DataSmResp(1, tlvs=((-1, b""),)),
        QuerySmResp(1, final_date="yesterday"),
        SubmitMulti(1, destinations=(Destination(256, 0, "1"),)),
        SubmitMulti(1, destinations=(Destination(),) * 255),
        SubmitMultiResp(1, unsuccess=(Unsuccess(0, 0, "", -1),)),
    ],
    ids=repr,
)
def test_a_pdu_smpp_cannot_carry_is_our_own_mistake_and_nothing_is_sent(pdu: Pdu) -> None:
    out = bytearray(AROUND)
    with pytest.raises(LocalProtocolError):
        encode(pdu, out)
    assert out == AROUND


def test_tlvs_of_an_error_response_can_be_read_back() -> None:
    """Without the empty fields before them their octets would be taken for the message_id."""
    pdu = DataSmResp(7, 0xFE, ((0x0425, b"\x01"), (0x001D, b"absent\0")))
    assert decode(to_bytes(pdu)) == pdu


def test_an_error_response_has_no_body() -> None:
    assert len(to_bytes(SubmitSmResp(7, 0x58))) == 16
    assert len(to_bytes(DeliverSmResp(7, 0x64))) == 17
