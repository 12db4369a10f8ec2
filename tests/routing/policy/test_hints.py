"""How to opt out is said in every campaign, by a word that stands for itself."""

import pytest
from ruled import judged

from config.policy import OptOutHint, Policy
from protocol.text import decode_text

REQUIRED = Policy(opt_out_hint=OptOutHint(mode="required"))


@pytest.mark.parametrize(
    "text",
    [
        "大促8折，退订回T",
        "大促 回TD退订",
        "大促，拒收请回复R",
        "大促 退 订 回 N",
        "Sale! Reply STOP to end",
        "Sale! ｓｔｏｐ to end",
        "sale (stop)",
        "Rebajas. Responde BAJA",
        "大促回ＴＤ",
    ],
)
def test_a_hint_is_one_in_any_language(text: str) -> None:
    assert judged(REQUIRED, text, class_="marketing")[0] == ""


@pytest.mark.parametrize(
    "text", ["Great outdoor gear", "Nonstop fun", "rebajas en zapatos, trabajando", "大促8折", "", "bajamar", "LTD2"]
)
def test_a_word_inside_another_is_none(text: str) -> None:
    assert judged(REQUIRED, text, class_="marketing")[0] == "opt_out_hint"


@pytest.mark.parametrize(
    ("text", "hint", "result"),
    [
        ("大促", "退订回T", "大促退订回T"),
        ("Sale", "Reply STOP", "Sale Reply STOP"),
        ("Rebajas", ", responde BAJA", "Rebajas, responde BAJA"),
        ("Outdoor", "Txt STOP", "Outdoor Txt STOP"),
        ("Sale, txt stop", "Txt STOP", "Sale, txt stop"),
    ],
)
def test_a_hint_is_added_behind_once(text: str, hint: str, result: str) -> None:
    policy = Policy(opt_out_hint=OptOutHint(mode="add", text=hint))
    found, one = judged(policy, text, class_="marketing")
    assert (found, decode_text(one.content.data, one.content.data_coding)) == ("", result)


def test_codes_and_notices_need_none() -> None:
    assert judged(REQUIRED, "1234", class_="verification")[0] == ""
    assert judged(REQUIRED, "paid", class_="notification")[0] == ""
