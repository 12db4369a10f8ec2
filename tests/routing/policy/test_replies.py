"""What subscribers reply: whole words of the policy, never a word inside a sentence."""

from typing import Any

import pytest
from ruled import vectors

from config.policy import OptOut
from routing.policy.replies import REPLY_MAX, Replies


@pytest.mark.parametrize("record", vectors("optout_mo"), ids=lambda one: one["id"])
def test_the_corpus_holds(record: dict[str, Any]) -> None:
    assert (Replies(OptOut()).wish(record["input"]["text"]) == "stop") == record["expect"]["optout"]


@pytest.mark.parametrize(
    ("text", "wish"),
    [
        *(
            ("stop", "stop"),
            ("Stop!", "stop"),
            ("ＳＴＯＰ", "stop"),
            ("【退订】", "stop"),
            ("拒收。", "stop"),
            ("¡Baja!", "stop"),
        ),
        *(("start", "start"), ("恢复", "start"), ("“订阅”", "start"), ("Unstop.", "start")),
        *(("please stop", ""), ("不要退订", ""), ("T2", ""), ("...", ""), ("bajar", ""), ("no", ""), ("STOP START", "")),
    ],
)
def test_only_a_whole_word_is_a_wish(text: str, wish: str) -> None:
    assert Replies(OptOut()).wish(text) == wish


def test_words_are_configuration_and_may_be_none() -> None:
    own = Replies(OptOut(stop=["Fuera"], start=["Dentro"]))
    assert [own.wish(one) for one in ("FUERA", "dentro", "STOP")] == ["stop", "start", ""]
    assert Replies(OptOut(enabled=False)).wish("STOP") == ""


def test_a_long_message_is_no_word() -> None:
    assert Replies(OptOut()).wish("T" + " " * REPLY_MAX) == ""
