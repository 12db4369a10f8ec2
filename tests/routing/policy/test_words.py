"""Keywords and patterns: found however they are dressed up, never where they are not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ruled import judged, message, reason, screen_of

from config.policy import Keywords, Policy
from routing.policy.words import BadPatternError, Words, plain
from routing.records import Content

RULES = Policy(keywords=Keywords(words=["casino", "赌 博", "lotería"], patterns=[r"win[0-9]{3,}", "加微信[a-z0-9]+"]))


@pytest.mark.parametrize(
    "text",
    [
        "casino",
        "Best CASINO in town",
        "c a s i n o",
        "ca\nsi\tno",
        "c\u200ba\u200bs\u200bi\u200bno",
        "ｃａｓｉｎｏ",
        "ⓒⓐⓢⓘⓝⓞ",
        "𝐜𝐚𝐬𝐢𝐧𝐨",
        "ca\u00adsino",
        "ca\u2060sino",
        "ca\ufe0fsino",
        "ca\U000e0100sino",
        "ca\U000e0041sino",
        "ca\x01sino",
        "ca\u2800sino",
        "欢迎赌博",
        "赌　博",
        "赌\u200d博",
        "赌\u3164博",
        "la LOTERÍA nacional",
        "loteri\u0301a",
        "Ｗｉｎ １００",
        "win 5000 now",
        "加 微 信 Abc1",
    ],
)
def test_a_word_cannot_hide(text: str) -> None:
    assert judged(RULES, text)[0] == "keyword"


@pytest.mark.parametrize("text", ["", "casin0", "win 10", "赌城博物馆", "Lote", "您的验证码是482913", "加微信"])
def test_other_texts_pass(text: str) -> None:
    assert judged(RULES, text) == ("", message(text, dest_ton=1, dest_npi=1))


@given(st.text(alphabet="ab赌é", min_size=1, max_size=6), st.text(alphabet=" \u200b\u2060\xad\n　", max_size=3))
def test_whatever_cannot_be_seen_between_letters_changes_nothing(word: str, between: str) -> None:
    rules = Words(Keywords(words=[word]))
    assert reason(rules.check(plain("x" + between.join(word) + "x"))) == "keyword"
    assert reason(rules.check(plain("".join(word).upper()))) == "keyword"


def test_patterns_take_no_longer_than_the_text_is_long() -> None:
    rules = Words(Keywords(patterns=["(a+)+$", "(x|x|x)*y", ".*.*.*=.*"]))
    assert rules.check(plain("a" * 20_000 + "!" + "x" * 20_000)) is None


def test_each_pattern_counts_and_none_disturbs_another() -> None:
    rules = Words(Keywords(patterns=["(?P<a>foo)", "(?P<a>bar)", "a|b{3}"]))
    assert [bool(rules.check(one)) for one in ("foo", "bar", "bbb", "cbb")] == [True, True, True, False]


def test_a_pattern_re2_does_not_know_is_named() -> None:
    with pytest.raises(BadPatternError, match=r"\(\?=x\)"):
        Words(Keywords(patterns=["fine", "(?=x)"]))


def test_words_count_for_the_classes_they_are_for() -> None:
    rules = Policy(keywords=Keywords(words=["sale"], classes=["marketing"]))
    assert judged(rules, "SALE", class_="marketing")[0] == "keyword"
    assert judged(rules, "SALE", class_="notification")[0] == ""


def test_thousands_of_words_of_a_file_come_on_top() -> None:
    rules = screen_of(Policy(keywords=Keywords(words=["one"])), words=tuple(f"坏词{at}" for at in range(3_000)))
    assert [reason(rules.check(message(text))) for text in ("one", "有坏词 2999。", "好词")] == ["keyword", "keyword", ""]


def test_a_header_in_front_hides_nothing() -> None:
    """User data with a header that is of no group (ports, a national table) is a text like any other."""
    header = b"\x06\x05\x04\x0b\x84\x23\xf0"
    one = message(content=Content(header + "赌博".encode("utf-16-be"), 8, 0x40))
    assert reason(screen_of(RULES).check(one)) == "keyword"


def test_a_refusal_names_the_word_and_the_field() -> None:
    refusal = screen_of(RULES).check(message("CA SINO"))
    assert refusal is not None
    assert (refusal.rule, refusal.field) == ("keywords", "text")
    assert "casino" in refusal.detail
