"""A text that came in parts reads as if it had come whole, wherever its sender cut it."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import gsm7, udh
from protocol.joining import UserData, join
from protocol.text import DEFAULT, UCS2, decode_text, encode_ucs2
from protocol.udh import UDHI, Concat, concat_header


def cut(data: bytes, at: list[int]) -> list[bytes]:
    edges = [0, *sorted({one for one in at if 0 < one < len(data)}), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges)]


def parts_of(pieces: list[bytes], coding: int, bits: int = 8, more: bytes = b"") -> list[UserData]:
    made = []
    for seq, piece in enumerate(pieces, 1):
        header = concat_header(Concat(7, len(pieces), seq, bits))
        header = bytes((header[0] + len(more),)) + more + header[1:]
        made.append(UserData(header + piece, coding, UDHI))
    return made


@given(st.text("a退😀", min_size=1, max_size=60), st.lists(st.integers(1, 200), max_size=4), st.sampled_from((8, 16)))
def test_ucs2_may_be_cut_anywhere(text: str, at: list[int], bits: int) -> None:
    joined = join(parts_of(cut(encode_ucs2(text), at), UCS2, bits))
    assert decode_text(joined.data, joined.data_coding) == text
    assert joined.esm_class == 0


@given(st.text("a{€}", min_size=1, max_size=60), st.lists(st.integers(1, 200), max_size=4))
def test_gsm_may_be_cut_within_an_escape(text: str, at: list[int]) -> None:
    joined = join(parts_of(cut(gsm7.encode(text), at), DEFAULT))
    assert decode_text(joined.data, joined.data_coding) == text


def test_parts_without_headers_are_joined_as_they_are() -> None:
    assert join([UserData(b"ab", 0, 0), UserData(b"cd", 0, 0)]) == UserData(b"abcd", 0, 0)


def test_parts_in_two_alphabets_become_ucs2() -> None:
    high, low = encode_ucs2("😀")[:2], encode_ucs2("😀")[2:]
    parts = [UserData(b"ok \x1b", 0, 0), UserData(b"\x65 ", 0, 0), UserData(high, UCS2, 0), UserData(low, UCS2, 0)]
    joined = join(parts)
    assert (decode_text(joined.data, joined.data_coding), joined.data_coding) == ("ok € 😀", UCS2)


def test_ports_stay_and_what_is_about_a_part_goes() -> None:
    ports, formatting = b"\x05\x04\x0b\x84\x23\xf0", b"\x0a\x03\x00\x04\x10"
    joined = join(parts_of([b"push", b"ed"], 4, more=ports + formatting))
    assert joined.esm_class == UDHI
    parsed = udh.parse(joined.data)
    assert (parsed.body, parsed.dest_port, parsed.source_port, parsed.concat) == (b"pushed", 0x0B84, 0x23F0, None)
    assert joined.data == bytes((len(ports),)) + ports + b"pushed"


@pytest.mark.parametrize("broken", [b"", b"\x7fx", b"\x01ab"])
def test_what_is_no_header_is_text(broken: bytes) -> None:
    whole = join([UserData(broken, 4, UDHI), *parts_of([b"x", b"y"], 4)])
    assert whole == UserData(broken + b"xy", 4, 0)
