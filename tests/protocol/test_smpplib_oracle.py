"""smpplib as an independent judge: it reads what we write, and we read what it writes.

It knows 20 of the 27 PDUs and has limits of its own (no empty id in query_sm, ASCII strings, a fixed list of TLVs for each
PDU), so what is drawn stays inside them.
"""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from smpplib import consts, exceptions, smpp
from smpplib.ptypes import ostr

from protocol.codec import to_bytes
from protocol.commands import command_name
from protocol.fields import CString, Field, ShortMessage, SmppTime
from protocol.framing import Framer
from protocol.layouts import LAYOUTS
from protocol.pdu import PDUS, CancelSm, CancelSmResp, Outbind, Pdu, ReplaceSm, ReplaceSmResp, SubmitMulti, SubmitMultiResp
from tests.protocol.strategies import octets, sequences, times

NOT_IN_SMPPLIB = (SubmitMulti, SubmitMultiResp, CancelSm, CancelSmResp, ReplaceSm, ReplaceSmResp, Outbind)
KNOWN = [cls for cls in PDUS if cls not in NOT_IN_SMPPLIB]
INTS = {1: octets, 2: st.integers(0, 0xFFFF), 4: st.integers(0, 0xFFFFFFFF)}


def ascii_text(size_max: int, *, size_min: int = 0) -> st.SearchStrategy[str]:
    return st.text([chr(code) for code in range(0x20, 0x7F)], min_size=size_min, max_size=size_max)


def values_for(name: str, field: Field, command: str) -> st.SearchStrategy[Any]:
    if isinstance(field, SmppTime):
        return times
    if isinstance(field, ShortMessage):
        return st.binary(max_size=254)
    if isinstance(field, CString):
        limit = 20 if name.endswith("_addr") else field.size_max - 1  # it cuts the long addresses of data_sm and others
        return ascii_text(limit, size_min=int(command == "query_sm" and name == "message_id"))
    return octets


def tlvs_for(command: str, has_text: bool) -> st.SearchStrategy[dict[str, Any]]:
    """Optional parameters smpplib can both write and read for this PDU, as it names them."""
    params = type(smpp.make_pdu(command, sequence=1)).params
    found = {}
    for name, param in params.items():
        if name not in consts.OPTIONAL_PARAMS or (command == "query_sm_resp" and name == "message_state"):
            continue
        if param.type is int:
            found[name] = INTS[param.size]
        elif param.type is ostr:
            size = getattr(param, "size", None)
            found[name] = st.binary(min_size=size or 1, max_size=size or param.max)
    if has_text:
        found.pop("message_payload", None)
    return st.fixed_dictionaries({}, optional=found)


def wire_value(value: int | bytes, command: str, name: str) -> bytes:
    if isinstance(value, bytes):
        return value
    return int(value).to_bytes(type(smpp.make_pdu(command, sequence=1)).params[name].size, "big")


@st.composite
def drawn(draw: st.DrawFn, cls: type[Pdu]) -> tuple[Pdu, dict[str, Any]]:
    """(our PDU, the same values by smpplib's names)."""
    command = command_name(cls.command_id)
    fields = {name: draw(values_for(name, field, command)) for name, field in LAYOUTS[cls]}
    optional = draw(tlvs_for(command, bool(fields.get("short_message"))))
    # smpplib writes the optional parameters in the order of its own list.
    order = [name for name in getattr(smpp.make_pdu(command, sequence=1), "params_order", ()) if name in optional]
    tlvs = tuple((consts.OPTIONAL_PARAMS[name], wire_value(optional[name], command, name)) for name in order)
    return cls(draw(sequences), tlvs=tlvs, **fields), fields | optional


def as_smpplib_reads(value: Any) -> Any:
    return value.encode() if isinstance(value, str) else value


@pytest.mark.parametrize("cls", KNOWN, ids=lambda cls: cls.__name__)
def test_smpplib_reads_what_we_write(cls: type[Pdu]) -> None:
    @settings(max_examples=40)
    @given(drawn(cls))
    def check(pair: tuple[Pdu, dict[str, Any]]) -> None:
        ours, values = pair
        read = smpp.parse_pdu(to_bytes(ours), sequence=0)
        assert (read.command, read.sequence, read.status) == (command_name(cls.command_id), ours.sequence, ours.status)
        # smpplib leaves out what is empty.
        assert {name: getattr(read, name) or None for name in values} == {
            name: as_smpplib_reads(value) or None for name, value in values.items()
        }

    check()


@pytest.mark.parametrize("cls", KNOWN, ids=lambda cls: cls.__name__)
def test_we_read_what_smpplib_writes_and_write_the_same(cls: type[Pdu]) -> None:
    @settings(max_examples=40)
    @given(drawn(cls))
    def check(pair: tuple[Pdu, dict[str, Any]]) -> None:
        ours, values = pair
        theirs = smpp.make_pdu(command_name(cls.command_id), sequence=0, **values)
        theirs.sequence = ours.sequence  # not taken from the arguments
        for name, value in values.items():
            setattr(theirs, name, value)  # nor are values that have a default
        raw = theirs.generate()
        assert Framer().feed(raw) == [ours]
        assert to_bytes(ours) == raw

    check()


@pytest.mark.parametrize("cls", NOT_IN_SMPPLIB, ids=lambda cls: cls.__name__)
def test_the_judge_has_no_more_to_say(cls: type[Pdu]) -> None:
    """When smpplib learns one of these, it belongs above."""
    with pytest.raises(exceptions.UnknownCommandError):
        smpp.make_pdu(command_name(cls.command_id), sequence=1)
