"""Receipts: ours read back exactly, and a carrier's never raise, whatever they hold."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import hot, receipt
from protocol.ids import canonical_id
from protocol.receipt import FINAL, RECEIPT, MessageState
from protocol.tlv import Tag

message_ids = st.text("0123456789abcdefABCDEF-", min_size=1, max_size=64)
DAY = datetime(2026, 1, 1)  # noqa: DTZ001 - receipts carry no zone
minutes = st.integers(0, 42 * 365 * 24 * 60).map(lambda count: DAY + timedelta(minutes=count))
written_states = st.sampled_from([s for s in MessageState if s not in (MessageState.SCHEDULED, MessageState.SKIPPED)])
receipt_tags = st.sampled_from(
    [int(t) for t in (Tag.RECEIPTED_MESSAGE_ID, Tag.MESSAGE_STATE, Tag.NETWORK_ERROR_CODE, Tag.MESSAGE_PAYLOAD)]
)
KEYS = (
    "id:",
    "sub:",
    "dlvrd:",
    "submit date:",
    "done date:",
    "stat:",
    "err:",
    "text:",
    "Text:",
    "ID:",
    " ",
    "0",
    "99999999",
    "R",
)


@given(message_ids, written_states, minutes, minutes, st.integers(0, 999), st.binary(max_size=40))
def test_what_we_write_reads_back_the_same(
    message_id: str, state: MessageState, submitted: datetime, done: datetime, err: int, text: bytes
) -> None:
    octets, tlvs = receipt.write(message_id, state, submitted, done, err, text)
    for given_tlvs in (tlvs, ()):  # the text alone says it too
        found = receipt.parse(RECEIPT, octets, given_tlvs)
        assert found is not None
        assert (found.id, found.state, found.candidates) == (message_id, state, [message_id])
        assert (found.submit_date, found.done_date, found.err) == (submitted, done, f"{err:03d}")
        assert (found.sub, found.dlvrd) == (1, int(state is MessageState.DELIVERED))
        assert found.text == text[:20].decode("latin-1").rstrip("\0")
        assert found.final is (state in FINAL)
    assert len(octets) <= 254


noise = st.binary(max_size=100) | st.lists(st.sampled_from(KEYS), max_size=20).map(lambda words: "".join(words).encode())
noisy_tlvs = st.lists(st.tuples(receipt_tags, noise), max_size=4).map(tuple)


@given(st.integers(0, 255), noise, noisy_tlvs, st.booleans())
def test_no_octets_raise(esm_class: int, octets: bytes, tlvs: tuple[tuple[int, bytes], ...], trust_text: bool) -> None:
    found = receipt.parse(esm_class, octets, tlvs, trust_text=trust_text)
    if found is not None:
        assert found.candidates[:1] == ([found.id] if found.id is not None else [])


@pytest.mark.parametrize("key", ["id", "sub", "dlvrd", "err", "submit date", "done date", "stat"])
def test_a_number_of_thousands_of_digits_is_only_text(key: str) -> None:
    """Python refuses to convert such a number; a carrier's payload can hold one."""
    payload = ((int(Tag.MESSAGE_PAYLOAD), f"{key}:{'9' * 5000} stat:DELIVRD".encode()),)
    assert receipt.parse(RECEIPT, b"", payload) is not None


@pytest.mark.parametrize("rule", ["dec", "hex"])
def test_an_id_too_long_to_be_a_number_is_kept_as_it_is(rule: str) -> None:
    spelling = "9" * 5000
    assert canonical_id(spelling, rule) == spelling  # type: ignore[arg-type]


@given(st.integers(0, 2**180), st.integers(0, 8))
def test_ids_match_whatever_their_base_case_and_padding(number: int, zeros: int) -> None:
    pad = "0" * zeros
    assert (
        canonical_id(f"{pad}{number}", "dec") == canonical_id(f"{pad}{number:x}", "hex") == canonical_id(f"{number:X}", "hex")
    )


@given(st.text(max_size=80), st.sampled_from(("opaque", "opaque-nocase", "dec", "hex")))
def test_every_id_has_a_canonical_form(spelling: str, rule: str) -> None:
    form = canonical_id(spelling, rule)  # type: ignore[arg-type]
    assert rule == "hex" or canonical_id(form, rule) == form  # type: ignore[arg-type]


def test_a_text_that_only_looks_like_a_receipt_is_a_message() -> None:
    octets, _ = receipt.write("7", MessageState.DELIVERED, DAY, DAY)
    assert receipt.parse(0, octets, ()) is None
    assert receipt.parse(0, octets, (), trust_text=True) is not None


near_standard = st.builds(
    "id:{} sub:{} dlvrd:{} submit date:{} done date:{} stat:{} err:{}{}text:{}".format,
    *[st.text("0aZ:-\x1c\u00a0 ", max_size=4) for _ in range(7)],
    st.sampled_from((" ", "", "  ", "\t")),
    st.text("ab: \nid:stat:", max_size=8),
)


@given(near_standard | noise.map(lambda octets: octets.decode("latin-1")))
def test_the_quick_reading_of_appendix_b_is_the_search(text: str) -> None:
    words = hot.receipt_words(text.encode("latin-1"))
    fields = receipt.search_fields(text)
    assert words in (None, (fields[0], fields[5], fields[6]))


def test_appendix_b_is_read_quickly() -> None:
    octets, _ = receipt.write("7f", MessageState.DELIVERED, DAY, DAY, 12, b"id:8 stat:no")
    assert hot.receipt_words(octets) == ("7f", "DELIVRD", "012")
