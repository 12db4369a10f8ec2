"""Texts survive their alphabets, and no octets a peer sends as text raise."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import gsm7, text
from protocol.errors import ContentError

GSM = "".join(chr(code) for code in gsm7._ENCODE)
gsm_texts = st.text(GSM, max_size=200)
whole_texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)


@given(gsm_texts)
def test_a_gsm_text_is_the_same_after_encoding_and_decoding(written: str) -> None:
    octets = gsm7.encode(written)
    assert gsm7.decode(octets) == written
    assert len(octets) == len(written) + sum(char in "\f^{}\\[~]|€" for char in written)
    assert max(octets, default=0) < 0x80


@given(st.text(max_size=40))
def test_fits_says_whether_encode_succeeds(written: str) -> None:
    foreign = [char for char in written if char not in GSM]
    assert gsm7.fits(written) is not bool(foreign)
    if foreign:
        with pytest.raises(ContentError) as raised:
            gsm7.encode(written)
        assert repr(foreign[0]) in str(raised.value)
    else:
        gsm7.encode(written)


def test_the_alphabet_has_127_characters_and_10_extensions() -> None:
    assert len(GSM) == len(set(GSM)) == 137


@given(st.binary(max_size=200))
def test_gsm_decoding_never_raises_and_never_grows(octets: bytes) -> None:
    assert len(gsm7.decode(octets)) <= len(octets)


@given(st.binary(max_size=60), st.integers(0, 255), st.sampled_from(("gsm7", "latin-1", "ascii", "utf-16-be", "binary")))
def test_no_octets_under_any_data_coding_raise(octets: bytes, data_coding: int, default: str) -> None:
    assert isinstance(text.decode_text(octets, data_coding, default), str)


@pytest.mark.parametrize("data_coding", range(256))
def test_every_data_coding_has_a_decoder(data_coding: int) -> None:
    assert isinstance(text.decode_text(bytes(range(256)), data_coding), str)
    assert text.coding(data_coding).flash is (text.coding(data_coding).message_class == 0)


@given(whole_texts.filter(lambda written: not written.startswith("\ufeff")))
def test_any_text_is_the_same_after_encoding_and_decoding(written: str) -> None:
    data_coding, octets = text.encode_text(written)
    assert text.decode_text(octets, data_coding) == written
    assert (data_coding == text.DEFAULT) is gsm7.fits(written)


def test_half_a_surrogate_pair_is_refused_on_the_way_out_and_replaced_on_the_way_in() -> None:
    with pytest.raises(ContentError):
        text.encode_ucs2("a\ud83d")
    assert text.decode_ucs2(b"\x00a\xd8\x3d") == "a\ufffd"
    assert text.decode_ucs2(b"\x00a\x00") == "a\ufffd"
