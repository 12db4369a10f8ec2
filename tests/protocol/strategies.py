"""What the property tests draw from: every PDU by the layout its class declares, and streams of good and broken ones."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from protocol.codec import HEADER, to_bytes
from protocol.commands import RESPONSE_BIT
from protocol.fields import CString, Destination, Destinations, Field, ShortMessage, SmppTime, Unsuccess, Unsuccesses
from protocol.layouts import LAYOUTS
from protocol.pdu import BY_COMMAND, PDUS, DeliverSm, DeliverSmResp, Pdu, SubmitSm, SubmitSmResp
from protocol.tlv import Tag

HOT = (SubmitSm, DeliverSm, SubmitSmResp, DeliverSmResp)

octets = st.integers(0, 0xFF)
numbers = st.integers(0, 0xFFFFFFFF)
sequences = st.integers(1, 0x7FFFFFFF) | numbers
statuses = st.just(0) | st.sampled_from((0x08, 0x14, 0x45, 0x58)) | numbers
times = st.just("") | st.from_regex(r"[0-9]{15}[-+R]", fullmatch=True)


def latin1(size_max: int, *, size_min: int = 0) -> st.SearchStrategy[str]:
    """Strings of at most `size_max` characters a C-octet string can hold; digits are likelier than line noise."""
    digits = st.text("0123456789", min_size=size_min, max_size=size_max)
    noise = st.binary(min_size=size_min, max_size=size_max).map(lambda raw: raw.replace(b"\0", b"\xff").decode("latin-1"))
    return digits | noise


addresses = st.builds(Destination, octets, octets, latin1(20), st.just(""))
lists = latin1(20, size_min=1).map(lambda name: Destination(dl_name=name))
tlvs = st.lists(
    st.tuples(st.sampled_from([int(tag) for tag in Tag]) | st.integers(0, 0xFFFF), st.binary(max_size=12)), max_size=4
).map(tuple)

_BY_FIELD: dict[type[Field], Callable[[Any], st.SearchStrategy[Any]]] = {
    SmppTime: lambda field: times,
    CString: lambda field: latin1(field.size_max - 1),
    ShortMessage: lambda field: st.binary(max_size=20) | st.binary(min_size=250, max_size=254),
    Destinations: lambda field: st.lists(addresses | lists, max_size=4).map(tuple),
    Unsuccesses: lambda field: st.lists(st.builds(Unsuccess, octets, octets, latin1(20), numbers), max_size=4).map(tuple),
}


def pdus_of(cls: type[Pdu]) -> st.SearchStrategy[Pdu]:
    """Any `cls` SMPP allows; responses with error status too, with and without a body."""
    fields = {name: _BY_FIELD.get(type(field), lambda _: octets)(field) for name, field in LAYOUTS[cls]}
    return st.builds(cls, sequence=sequences, status=statuses, tlvs=st.just(()) | tlvs, **fields) | st.builds(
        cls, sequence=sequences, status=statuses
    )


pdus = st.sampled_from(PDUS).flatmap(pdus_of)
hot_pdus = st.sampled_from(HOT).flatmap(pdus_of)
requests = st.sampled_from([cls for cls in PDUS if not cls.command_id & RESPONSE_BIT]).flatmap(pdus_of)
good = pdus.map(to_bytes)


@st.composite
def mutated(draw: st.DrawFn, raw: st.SearchStrategy[bytes]) -> bytes:
    """Octets with a few of them cut, changed, inserted or repeated. NULs, which end strings, are likelier than others."""
    data = bytearray(draw(raw))
    for _ in range(draw(st.integers(0, 4))):
        at = draw(st.integers(0, len(data)))
        kind = draw(st.sampled_from(("cut", "set", "insert", "delete", "fill")))
        octet = draw(st.sampled_from((0, 0xFF, 0x30)) | octets)
        if kind == "cut":
            del data[at:]
        elif kind == "set":
            data[at : at + 1] = bytes((octet,))
        elif kind == "insert":
            data[at:at] = bytes((octet,))
        elif kind == "delete":
            del data[at : at + draw(st.integers(1, 9))]
        else:
            data[at:at] = bytes((octet,)) * draw(st.integers(1, 70))
    return bytes(data)


@st.composite
def wrong_inside(draw: st.DrawFn) -> bytes:
    """A PDU with a good command_length around a damaged body."""
    raw = draw(good)
    body = draw(mutated(st.just(raw[16:])))
    _, command_id, status, sequence = HEADER.unpack_from(raw)
    return HEADER.pack(16 + len(body), command_id, status, sequence) + body


@st.composite
def unknown(draw: st.DrawFn) -> bytes:
    """A PDU of a command nobody knows."""
    body = draw(st.binary(max_size=30))
    command_id = draw(numbers.filter(lambda number: number not in BY_COMMAND))
    return HEADER.pack(16 + len(body), command_id, draw(statuses), draw(numbers)) + body


streams = st.lists(good | wrong_inside() | unknown(), max_size=6).map(b"".join)
"""Octets whose command_lengths are all right."""


@st.composite
def cut_up(draw: st.DrawFn, data: bytes) -> list[bytes]:
    """`data` in pieces, empty ones included."""
    cuts = sorted(draw(st.lists(st.integers(0, len(data)), max_size=12)))
    return [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
