"""Parts of a long message: together they are the whole, none is too long, nothing is torn."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import gsm7, text, udh
from protocol.errors import ContentError
from protocol.segment import PARTS_MAX, split_octets, split_text
from protocol.udh import Concat
from tests.protocol.test_text import gsm_texts, whole_texts

widths = st.sampled_from((8, 16))
# Dense in what must not be torn, and around the lengths where parts begin.
crowded = st.lists(st.sampled_from(("€", "a" * 75, "{", "b", "^" * 20)), max_size=30).map("".join)
emoji = st.lists(st.sampled_from(("😀", "中", "文" * 30, "👍" * 10)), max_size=20).map("".join)
SINGLE = {text.DEFAULT: 160, text.UCS2: 140}
PART = {(text.DEFAULT, 8): 153, (text.DEFAULT, 16): 152, (text.UCS2, 8): 134, (text.UCS2, 16): 132}


@given(crowded | emoji | gsm_texts | whole_texts, widths)
def test_parts_are_the_whole_and_none_is_too_long(written: str, ref_bits: int) -> None:
    found = split_text(written, ref_bits)
    data_coding, octets = text.encode_text(written)
    assert found.data_coding == data_coding
    assert b"".join(found.parts) == octets
    if len(octets) <= SINGLE[data_coding]:
        assert found.parts == (octets,)
    else:
        assert len(found.parts) > 1
        limit = PART[data_coding, ref_bits]
        assert all(limit - 2 <= len(part) <= limit or part is found.parts[-1] for part in found.parts)


@given(crowded | emoji, widths)
def test_each_part_reads_by_itself(written: str, ref_bits: int) -> None:
    """A torn escape or surrogate pair would show as a character that is not in the whole."""
    found = split_text(written, ref_bits)
    assert "".join(text.decode_text(part, found.data_coding) for part in found.parts) == written


@given(st.binary(max_size=600).map(lambda raw: raw + b"\x1b" * 160 + raw), widths)
def test_runs_of_escapes_are_cut_between_pairs_and_nothing_is_lost(octets: bytes, ref_bits: int) -> None:
    parts = split_octets(octets, text.DEFAULT, ref_bits)
    assert b"".join(parts) == octets
    for part in parts[:-1]:
        trailing = len(part) - len(part.rstrip(b"\x1b"))
        assert trailing % 2 == 0


@given(st.binary(max_size=1000), st.integers(0, 255), widths)
def test_octets_of_any_coding_are_cut_without_loss(octets: bytes, data_coding: int, ref_bits: int) -> None:
    parts = split_octets(octets, data_coding, ref_bits)
    assert b"".join(parts) == octets
    header = {8: 6, 16: 7}[ref_bits] if len(parts) > 1 else 0
    septets = text.coding(data_coding).alphabet in ("gsm7", "ascii")
    for part in parts:
        assert len(part) + header + (1 if header and septets else 0) <= (160 if septets else 140)


def test_the_number_of_parts_is_bounded() -> None:
    assert len(split_text("a" * 153 * PARTS_MAX).parts) == PARTS_MAX
    with pytest.raises(ContentError):
        split_text("a" * (153 * PARTS_MAX + 1))


@given(st.integers(0, 0xFFFF), st.integers(1, 255), st.integers(1, 255), widths, st.binary(max_size=20))
def test_a_part_header_reads_as_it_was_written(ref: int, total: int, seq: int, bits: int, body: bytes) -> None:
    concat = Concat(ref & (2**bits - 1), total, min(seq, total), bits)
    header = udh.concat_header(concat)
    assert len(header) == {8: 6, 16: 7}[bits]
    found = udh.parse(header + body)
    assert (found.concat, found.body) == (concat, body)


@given(st.binary(max_size=60))
def test_a_header_of_random_octets_is_read_or_refused(octets: bytes) -> None:
    try:
        found = udh.parse(octets)
    except ContentError:
        assert not octets or octets[0] == 1 or octets[0] >= len(octets)
    else:
        assert found.body == octets[octets[0] + 1 :]
        assert found.concat is None or 1 <= found.concat.seq <= found.concat.total


def test_escape_is_what_the_cutter_thinks_it_is() -> None:
    assert gsm7.encode("€")[0] == gsm7.ESCAPE
