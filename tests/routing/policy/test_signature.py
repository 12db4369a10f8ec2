"""【...】: one pair, where the rule wants it, of a length carriers file; added where it may be."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruled import judged, message, reason, screen_of, vectors

from config.policy import OptOutHint, Policy, Signature
from protocol.text import decode_text
from routing.policy.signature import SignatureRule, find
from routing.records import Content


@pytest.mark.parametrize("record", vectors("cn_signature"), ids=lambda one: one["id"])
def test_the_corpus_holds(record: dict[str, Any]) -> None:
    text, expected = record["input"]["text"], record["expect"]
    answer = SignatureRule(Signature(mode="required")).apply(text)
    assert isinstance(answer, str) == expected["ok"]
    if "signature" in expected:
        found = find(text)
        assert (found.name, found.position) == (expected["signature"], expected["position"])


@given(
    st.lists(st.sampled_from(["【", "】", "品牌", "店", " ", "x"]), max_size=8).map("".join),
    st.sampled_from(["品牌", "【品牌】", "【店】【品牌】", "店】", "x" * 20, ""]),
    st.sampled_from(["head", "tail", "any"]),
    st.sampled_from(["add", "required"]),
)
@settings(max_examples=500)
def test_a_text_that_begins_with_our_own_signature_is_judged_like_any_other(text: str, own: str, where: Any, mode: Any) -> None:
    rule = Signature(mode=mode, text=own, position=where)
    quick, slow = SignatureRule(rule), SignatureRule(rule)
    slow._right = ""
    for one in (text, f"【品牌】{text}"):
        assert quick.apply(one) == slow.apply(one)


def signed(said: str, /, brand: str = "", **rule: Any) -> str:
    """The text as it would leave; else the reason with its detail."""
    policy = Policy(signature=Signature(**{"mode": "add", "text": "品牌", **rule}))
    one = message(said, brand=brand)
    refusal = screen_of(policy).check(one)
    return decode_text(one.content.data, one.content.data_coding) if refusal is None else str(refusal)


@pytest.mark.parametrize(
    ("text", "rule", "result"),
    [
        ("您好", {}, "【品牌】您好"),
        ("Your code is 1234", {}, "【品牌】Your code is 1234"),
        ("¿Qué tal?", {}, "【品牌】¿Qué tal?"),
        ("您好", {"text": "【品牌】"}, "【品牌】您好"),
        ("您好", {"position": "tail"}, "您好【品牌】"),
        ("您好", {"position": "any"}, "【品牌】您好"),
        ("【别的】您好", {}, "【别的】您好"),
        ("您好【别的】", {"position": "any"}, "您好【别的】"),
        ("您好【别的】 ", {"position": "tail"}, "您好【别的】 "),
    ],
)
def test_a_signature_is_added_where_there_is_none(text: str, rule: dict[str, Any], result: str) -> None:
    assert signed(text, **rule) == result


def test_a_brand_signs_where_the_policy_has_no_text() -> None:
    assert signed("hola", brand="Tienda", text="") == "【Tienda】hola"
    assert "nothing to sign with" in signed("hola", text="")


@pytest.mark.parametrize("brand", ["A", "x】【y", "【", "B" * 19, "\u200b\u200b"])
def test_a_brand_that_makes_no_signature_is_refused(brand: str) -> None:
    assert signed("hello", brand=brand, text="").startswith("signature")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("您好", "begin with"),
        ("【品牌您好", "must be a pair"),
        ("】品牌【您好", "must be a pair"),
        ("您好【品牌】", "stands at the tail"),
        ("您好【品牌】再见", "stands at the middle"),
        (" 【品牌】您好", "stands at the middle"),
        ("【品牌】您好【活动】", "2 pairs"),
        ("【【品牌】】您好", "2 pairs"),
        ("【A】您好", "1 characters"),
        ("【】您好", "0 characters"),
        ("【　\u200b 】您好", "0 characters"),
        (f"【{'长' * 19}】您好", "19 characters"),
    ],
)
def test_what_carriers_would_block_is_refused_in_words(text: str, why: str) -> None:
    assert why in signed(text, mode="required")


def test_signature_and_hint_both_stand_where_they_should() -> None:
    hint = OptOutHint(mode="add", text="退订回T")
    for position, result in (("head", "【品牌】大促退订回T"), ("tail", "大促退订回T【品牌】")):
        policy = Policy(signature=Signature(mode="add", text="品牌", position=position), opt_out_hint=hint)  # type: ignore[arg-type]
        found, one = judged(policy, "大促", class_="marketing")
        assert found == ""
        assert decode_text(one.content.data, one.content.data_coding) == result


@pytest.mark.parametrize(
    ("data_coding", "after"),
    [(0x00, 0x08), (0x08, 0x08), (0x10, 0x18), (0x18, 0x18), (0x11, 0x19), (0xF0, 0x18)],
)
def test_a_text_that_is_signed_keeps_its_message_class(data_coding: int, after: int) -> None:
    data = "hi".encode("utf-16-be") if data_coding & 8 else b"hi"
    one = message(content=Content(data, data_coding))
    assert screen_of(Policy(signature=Signature(mode="add", text="品牌"))).check(one) is None
    assert (one.content.data_coding, one.content.data) == (after, "【品牌】hi".encode("utf-16-be"))


@pytest.mark.parametrize("content", [Content(b"\x01\x02", 4), Content(b"\x06\x05\x04\x0b\x84\x23\xf0hi", 0, 0x40)])
def test_what_is_no_plain_text_is_not_spoiled(content: Content) -> None:
    one = message(content=content)
    assert reason(screen_of(Policy(signature=Signature(mode="add", text="品牌"))).check(one)) == "signature"
    assert one.content == content


def test_a_signed_text_has_the_segments_it_leaves_with() -> None:
    found, one = judged(Policy(signature=Signature(mode="add", text="品牌")), "a" * 159)
    assert (found, one.content.parts) == ("", 3)
