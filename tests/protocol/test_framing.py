"""The items of a stream do not depend on how it is cut, and nothing a peer sends breaks or fills the framer."""

from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol import framing
from protocol.codec import HEADER, to_bytes
from protocol.commands import Command
from protocol.errors import FramingError, PduError
from protocol.framing import Framer, Item
from protocol.pdu import DataSm, EnquireLink, Pdu, SubmitSm
from protocol.tlv import Tag
from tests.protocol.strategies import cut_up, good, mutated, pdus, streams

LIMIT = 400


def items_of(chunks: Iterable[bytes], pdu_size_max: int = LIMIT) -> list[Item]:
    framer = Framer(pdu_size_max)
    return [item for chunk in chunks for item in framer.feed(chunk)]


@given(st.data(), streams | mutated(streams))
@settings(max_examples=300)
def test_any_cut_of_a_stream_gives_the_same_items(data: st.DataObject, stream: bytes) -> None:
    whole = items_of([stream])
    assert items_of(data.draw(cut_up(stream))) == whole
    assert items_of(stream[at : at + 1] for at in range(len(stream))) == whole


@given(st.lists(pdus, max_size=6))
def test_every_pdu_of_a_good_stream_comes_out_once_and_in_order(sent: list[Pdu]) -> None:
    framer = Framer()
    assert framer.feed(b"".join(map(to_bytes, sent))) == sent
    assert not framer.partial


@given(streams)
def test_a_wrong_pdu_costs_nobody_else_anything(stream: bytes) -> None:
    before, after = EnquireLink(1), EnquireLink(2)
    items = items_of([to_bytes(before) + stream + to_bytes(after)], 70_000)
    assert (items[0], items[-1]) == (before, after)
    assert len(items) == 2 + count_by_length(stream)


def count_by_length(stream: bytes) -> int:
    at = count = 0
    while at < len(stream):
        at += HEADER.unpack_from(stream, at)[0]
        count += 1
    return count


@given(st.lists(st.binary(max_size=40) | mutated(good), max_size=20))
@settings(max_examples=300)
def test_random_octets_give_pdus_and_errors_and_are_never_hoarded(chunks: list[bytes]) -> None:
    framer = Framer(LIMIT)
    for chunk in chunks:
        for item in framer.feed(chunk):
            assert isinstance(item, Pdu | PduError | FramingError)
        held = b"".join(framer._chunks)
        assert len(held) == framer._held < LIMIT
        assert framer.partial == bool(held)


def test_a_lost_position_is_told_once_and_last() -> None:
    framer = Framer(LIMIT)
    items = framer.feed(to_bytes(EnquireLink(1)) + HEADER.pack(LIMIT + 1, Command.SUBMIT_SM, 0, 9) + to_bytes(EnquireLink(2)))
    assert items[0] == EnquireLink(1)
    assert [type(item) for item in items[1:]] == [FramingError]
    assert framer.lost
    assert framer.feed(to_bytes(EnquireLink(3))) == []
    assert not framer.partial


@pytest.mark.parametrize(("length", "fine"), [(15, False), (16, True), (LIMIT, True), (LIMIT + 1, False)])
def test_a_length_is_judged_by_the_header_alone(length: int, fine: bool) -> None:
    items = items_of([HEADER.pack(length, Command.ENQUIRE_LINK, 0, 1)])
    assert (not any(isinstance(item, FramingError) for item in items)) is fine


def test_the_largest_message_payload_fits_the_default_limit() -> None:
    pdu = DataSm(1, tlvs=((int(Tag.MESSAGE_PAYLOAD), bytes(65535)),))
    assert Framer().feed(to_bytes(pdu)) == [pdu]


def test_a_whole_and_plain_pdu_above_the_limit_is_refused_as_well() -> None:
    raw = to_bytes(SubmitSm(1, short_message=b"hello"))
    assert len(Framer(len(raw)).feed(raw * 2)) == 2
    (lost,) = Framer(len(raw) - 1).feed(raw * 2)
    assert isinstance(lost, FramingError)


class Parsed(Framer):
    """Counts the octets it looks at, which is the work of joining chunks."""

    octets = 0

    def _parse(self, data: bytes, items: list[framing.Item]) -> int:
        self.octets += len(data)
        return super()._parse(data, items)


def test_a_big_pdu_that_comes_octet_by_octet_is_joined_once() -> None:
    pdu = DataSm(1, tlvs=((int(Tag.MESSAGE_PAYLOAD), bytes(60_000)),))
    raw = to_bytes(pdu)
    framer = Parsed()
    items = [item for at in range(len(raw)) for item in framer.feed(raw[at : at + 1])]
    assert items == [pdu]
    assert framer.octets <= len(raw) + 2 * 16  # one look at the header, one at the whole


def test_a_read_of_many_pdus_is_not_copied_for_the_part_of_one_at_its_end() -> None:
    raw = to_bytes(SubmitSm(1, short_message=b"x" * 100))
    framer = Parsed()
    assert len(framer.feed(raw * 50 + raw[:40])) == 50
    assert framer._chunks == [raw[:40]]
    assert len(framer.feed(raw[40:])) == 1
    assert framer.octets == 50 * len(raw) + 40 + len(raw)
