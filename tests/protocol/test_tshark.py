"""Wireshark's dissector reads every PDU we write, sees nothing malformed in it, and agrees on the fields."""

import importlib.util
import shutil
from pathlib import Path
from types import ModuleType
from typing import Any

import msgspec
import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from protocol.codec import to_bytes
from protocol.errors import ContentError
from protocol.pdu import PDUS, BindTransceiverResp, DataSmResp, DeliverSm, Pdu, ShortMessagePdu, SubmitMultiResp
from protocol.receipt import MessageState, write
from protocol.segment import split_text
from protocol.status import Status
from protocol.times import parse_time
from protocol.tlv import Tag
from protocol.udh import UDHI, Concat, concat_header
from protocol.window import SEQUENCE_MAX
from tests.protocol.strategies import pdus_of
from tests.protocol.test_receipt import DAY

HELPER = Path(__file__).parent.parent / "interop" / "peers" / "tshark_verify.py"
pytestmark = [
    pytest.mark.interop,
    pytest.mark.skipif(not shutil.which("tshark"), reason="tshark is not installed (apt-get install tshark)"),
]


@pytest.fixture(scope="module")
def tshark() -> ModuleType:
    spec = importlib.util.spec_from_file_location("tshark_verify", HELPER)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def tame(pdu: Pdu) -> Pdu:
    """`pdu` without random headers, times, TLVs and numbers, which Wireshark rightly calls malformed or not SMPP."""
    changed: dict[str, Any] = {"tlvs": (), "status": pdu.status if pdu.status in set(Status) else 0}
    changed["sequence"] = pdu.sequence & SEQUENCE_MAX
    if "esm_class" in pdu.__struct_fields__:
        changed["esm_class"] = pdu.esm_class & ~UDHI  # type: ignore[attr-defined]
    for name in {"schedule_delivery_time", "validity_period", "final_date"} & set(pdu.__struct_fields__):
        try:
            parse_time(getattr(pdu, name))
        except ContentError:
            changed[name] = ""
    return msgspec.structs.replace(pdu, **changed)


@settings(max_examples=4, phases=[Phase.generate])  # a tshark run takes a second: no shrinking
@given(st.tuples(*(pdus_of(cls).map(tame) for cls in PDUS)))
def test_every_pdu_is_well_formed_to_wireshark(tshark: ModuleType, pdus: tuple[Pdu, ...]) -> None:
    for pdu, seen in zip(pdus, tshark.dissect([to_bytes(pdu) for pdu in pdus]), strict=True):
        assert seen["is_smpp"], pdu
        assert not seen["malformed"], (pdu, seen["expert"])
        assert int(seen["command_id"], 16) == pdu.command_id
        assert int(seen["length"]) == len(to_bytes(pdu))
        assert int(seen["seq"]) == pdu.sequence
        if isinstance(pdu, ShortMessagePdu):
            assert int(seen["sm_length"]) == len(pdu.short_message)
            assert int(seen["data_coding"], 16) == pdu.data_coding


def test_parts_of_a_long_message_are_numbered_as_we_meant(tshark: ModuleType) -> None:
    parts = split_text("您的验证码" * 40).parts
    pdus = [
        DeliverSm(seq, esm_class=UDHI, data_coding=8, short_message=concat_header(Concat(77, len(parts), seq, 8)) + part)
        for seq, part in enumerate(parts, 1)
    ]
    seen = [one["udh"] for one in tshark.dissect([to_bytes(pdu) for pdu in pdus])]
    assert [[int(value) for value in udh] for udh in seen] == [[77, len(parts), seq] for seq in range(1, len(parts) + 1)]


def test_our_receipts_and_tlvs_are_read(tshark: ModuleType) -> None:
    text, tlvs = write("0a1b2c", MessageState.DELIVERED, DAY, DAY)
    pdus: list[Pdu] = [
        DeliverSm(1, tlvs=tlvs, esm_class=4, short_message=text),
        BindTransceiverResp(2, tlvs=((int(Tag.SC_INTERFACE_VERSION), b"\x34"),), system_id="tensec"),
        DataSmResp(3, 0, ((int(Tag.DELIVERY_FAILURE_REASON), b"\x01"),)),
        SubmitMultiResp(4, message_id="9"),
    ]
    seen = tshark.dissect([to_bytes(pdu) for pdu in pdus])
    assert not any(one["malformed"] for one in seen)
    assert (seen[0]["receipted"], int(seen[0]["state"])) == ("0a1b2c", 2)
    assert [len(one["tlvs"] or []) for one in seen] == [2, 1, 1, 0]
