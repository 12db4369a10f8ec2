"""What subscribers reply: whole words of the policy, never a word inside a sentence."""

from typing import Any

import pytest
from ruled import vectors

from config.policy import OptOut
from routing.policy.replies import REPLY_MAX, Replies, reply_word

STOP = {
    "english": [
        "STOP",
        "stop",
        "Stop",
        "STOPALL",
        "Stop all",
        "UNSUBSCRIBE",
        "Cancel",
        "END",
        "quit",
        "REVOKE",
        "opt out",
        "OptOut",
    ],
    "chinese": ["TD", "td", "T", "t", "N", "n", "R", "退订", "拒收"],
    "spanish": ["BAJA", "baja", "Alto"],
}
START = ["START", "start", "Unstop", "恢复", "订阅"]
AROUND = {
    "as it is": "{}",
    "blanks": "  {} ",
    "ideographic and no-break blanks": "\u3000{}\u00a0",
    "padded as some carriers pad": "{:<160}",
    "padded with NUL": "{}\0\0\0",
    "line ends": "\r\n{}\r\n",
    "full stop": "{}.",
    "exclamation": "{}!!!",
    "spanish marks": "¡{}!",
    "chinese full stop": "{}。",
    "full-width exclamation": "{}！",
    "quotes": "“{}”",
    "chinese quotes": "「{}」",
    "brackets": "【{}】",
    "hash": "#{}#",
    "emoji": "{} 🙏",
    "zero-width at the ends": "\u200b{}\u200d",
    "byte order mark": "\ufeff{}",
    "directions": "\u202a{}\u202c",
}
HIDDEN = {"zero-width blank": "\u200b", "joiner": "\u2060", "soft hyphen": "\u00ad", "selector": "\ufe0f", "tag": "\U000e0041"}


def wish(text: str) -> str:
    return Replies(OptOut()).wish(text)


@pytest.mark.parametrize("record", vectors("optout_mo"), ids=lambda one: one["id"])
def test_the_corpus_holds(record: dict[str, Any]) -> None:
    assert (wish(record["input"]["text"]) == "stop") == record["expect"]["optout"]


@pytest.mark.parametrize("around", AROUND.values(), ids=list(AROUND))
@pytest.mark.parametrize("word", [*(one for words in STOP.values() for one in words), *START])
def test_a_word_is_one_whatever_stands_around_it(word: str, around: str) -> None:
    assert wish(around.format(word)) == ("start" if word in START else "stop")


@pytest.mark.parametrize("word", [*(one for words in STOP.values() for one in words), *START])
def test_a_word_is_one_in_full_width_letters(word: str) -> None:
    wide = "".join(chr(ord(one) + 0xFEE0) if "!" <= one <= "~" else one for one in word)
    assert wish(wide) == wish(word) != ""


@pytest.mark.parametrize("hidden", HIDDEN.values(), ids=list(HIDDEN))
@pytest.mark.parametrize("word", ["STOP", "TD", "退订", "BAJA", "恢复"])
def test_what_cannot_be_seen_is_not_there(word: str, hidden: str) -> None:
    assert wish(hidden.join(word)) == wish(word) != ""


@pytest.mark.parametrize(
    "text",
    [
        *(
            "please stop",
            "STOP it",
            "stop START",
            "STOP STOP",
            "don't stop",
            "bus stop",
            "stopped",
            "non-stop",
            "the end",
            "quit?no",
        ),
        *("no", "No problem", "not now", "to", "nt", "tdx", "TD1", "T2", "1T", "T D", "T.D", "S T O P", "can cel"),
        *("不要退订", "退订吗", "我要退订", "好的T", "回T退订", "退 订", "T退订", "订阅吧", "谢谢"),
        *("bajar", "rebaja", "baja ya", "quiero baja", "alto ahí", "alto y claro"),
        *("", " ", "...", "\0", "\u200b", "👍", "?", "{}"),
    ],
)
def test_a_sentence_or_another_word_is_a_message(text: str) -> None:
    assert wish(text) == ""


def test_runs_of_blanks_within_words_are_one() -> None:
    assert wish("opt \t\u3000 out.") == "stop"


def test_words_are_configuration_and_may_be_none() -> None:
    own = Replies(OptOut(stop=["Fuera", " No más! ", "🛑"], start=["Dentro"]))
    assert [own.wish(one) for one in ("FUERA", "no  MÁS", "🛑", "dentro", "STOP", "🛑🛑")] == [
        "stop",
        "stop",
        "stop",
        "start",
        "",
        "",
    ]
    assert Replies(OptOut(enabled=False)).wish("STOP") == ""


def test_a_word_that_says_nothing_stops_nobody() -> None:
    nothing = Replies(OptOut(stop=["", " ", "\u200b"], start=["\0"]))
    assert [nothing.wish(one) for one in ("", " ", "\u200b", "hello")] == [""] * 4


def test_a_long_message_is_no_word() -> None:
    assert reply_word("x" * REPLY_MAX) == "x" * REPLY_MAX
    assert reply_word("x" * (REPLY_MAX + 1)) == ""
    assert wish("T" + "." * REPLY_MAX) == ""
