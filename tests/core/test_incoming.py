"""What carriers deliver: receipts by the channel's rules; what subscribers write goes to the inbox."""

from typing import Any

import pytest
from clock import START_UTC, StillClock
from makers import TO, channel

from gateway.core.inbox import Heard
from gateway.core.incoming import Incoming
from gateway.store.base import CarrierReceipt
from protocol.pdu import DataSm, DeliverSm
from protocol.receipt import MessageState
from protocol.tlv import Tag

HEARD: list[Heard] = []


def read(pdu: DeliverSm | DataSm, **fields: Any) -> Any:
    HEARD.clear()
    return Incoming(channel(**fields), StillClock(), HEARD.append).read([pdu], 5.0)[0]


TEXT = b"id:00FF sub:001 dlvrd:001 submit date:2701150800 done date:2701150801 stat:DELIVRD err:000 text:hi"


def receipt(text: bytes = TEXT, esm_class: int = 4, **fields: Any) -> DeliverSm:
    return DeliverSm(source_addr=TO, destination_addr="Shop", esm_class=esm_class, short_message=text, **fields)


def test_a_receipt_comes_with_its_ids_by_the_channels_rule_and_its_addresses_swapped() -> None:
    (outcome,) = read(receipt(), receipt_id="hex")
    assert isinstance(outcome, CarrierReceipt)
    assert (outcome.channel, outcome.candidates, outcome.state, outcome.stat) == (
        "a",
        ("255",),
        MessageState.DELIVERED,
        "DELIVRD",
    )
    assert (outcome.source, outcome.destination) == ("Shop", TO)
    assert (outcome.at, outcome.at_utc) == (5.0, START_UTC)
    assert outcome.user_reference is None


@pytest.mark.parametrize(
    ("err", "stat", "temporary"),
    [
        *[(err, "UNDELIV", True) for err in ("027", "27", "0027", "mk:7")],
        *[(err, "UNDELIV", False) for err in ("000", "127", "")],
        ("027", "DELIVRD", False),
    ],
)
def test_errors_of_the_moment_are_known_however_they_are_spelled(err: str, stat: str, temporary: bool) -> None:
    text = TEXT.replace(b"err:000", f"err:{err}".encode()).replace(b"DELIVRD", stat.encode())
    (outcome,) = read(receipt(text), temporary_errors=["027", "MK:7"])
    assert outcome.temporary is temporary


def test_both_ids_of_a_receipt_are_candidates_and_our_reference_comes_along() -> None:
    tlvs = ((int(Tag.RECEIPTED_MESSAGE_ID), b"other\0"), (int(Tag.USER_MESSAGE_REFERENCE), b"\x01\x02"))
    (outcome,) = read(receipt(tlvs=tlvs))
    assert (outcome.candidates, outcome.user_reference) == (("other", "00FF"), 0x102)


def test_a_receipt_may_come_as_data_sm_with_tlvs_alone() -> None:
    tlvs = ((int(Tag.RECEIPTED_MESSAGE_ID), b"x\0"), (int(Tag.MESSAGE_STATE), b"\x05"))
    (outcome,) = read(DataSm(source_addr=TO, destination_addr="Shop", esm_class=4, tlvs=tlvs))
    assert (outcome.candidates, outcome.state) == (("x",), MessageState.UNDELIVERABLE)


def test_what_only_looks_like_a_receipt_is_one_where_the_channel_says_so() -> None:
    assert isinstance(read(receipt(esm_class=0), receipt_trust_text=True)[0], CarrierReceipt)
    assert HEARD == []
    assert read(receipt(esm_class=0)) == []
    assert [one.channel for one in HEARD] == ["a"], "a subscriber's message"


def test_receipts_and_subscribers_messages_of_one_read_go_their_own_ways() -> None:
    HEARD.clear()
    hello = DeliverSm(2, source_addr=TO, short_message=b"hello")
    incoming = Incoming(channel(), StillClock(), HEARD.append)
    as_data = DataSm(4, esm_class=4, tlvs=((int(Tag.RECEIPTED_MESSAGE_ID), b"x\0"), (int(Tag.MESSAGE_STATE), b"\x02")))
    first = receipt()
    outcomes, receipts = incoming.read([first, hello, as_data], 5.0)
    assert (len(outcomes), receipts) == (2, [first.sequence, as_data])
    assert [one.pdus for one in HEARD] == [[hello]]
