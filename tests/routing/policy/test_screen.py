"""All rules together: their order, what explaining says, and messages that their sender cut."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruled import UTC, message, reason, screen_of

from config.policy import Cap, Keywords, Links, OptOutHint, Policy, SegmentsMax, Signature, Window
from protocol.status import Status
from protocol.text import encode_text
from routing.policy.screen import CAMPAIGNS_MAX
from routing.records import Content, Message, MessageState, PartOf

EVERYTHING = Policy(
    countries=["86", "34"],
    blacklist=["86170*"],
    keywords=Keywords(words=["casino", "赌博"], patterns=["win[0-9]+"]),
    signature=Signature(mode="add", text="品牌", classes=["marketing", "verification"]),
    opt_out_hint=OptOutHint(mode="required"),
    links=Links(domains=["shop.com"]),
    segments_max=SegmentsMax(verification=1, notification=2, marketing=3),
    windows=[Window(preset="retail"), Window(preset="daytime", classes=["notification"], closed="refuse")],
    caps=[Cap(name="urgent", purposes=["urgent"], limit=1, period="day", mark="紧急")],
)

PIECES = [
    "hello ",
    "¿qué? ",
    "您好",
    "casino",
    "赌 博",
    "win 7",
    "【品牌】",
    "【",
    "https://shop.com ",
    "evil.com ",
    "退订回T",
    "STOP",
]
texts = st.lists(st.sampled_from([*PIECES, "紧急", "长" * 80, "long " * 40]), max_size=4).map("".join)
fields = st.fixed_dictionaries(
    {
        "text": texts,
        "to": st.sampled_from(
            ["8613800138000", "8617012345678", "34612345678", "12125551234", "+44 (0)7911 123456", "x", "", "86123"]
        ),
        "class_": st.sampled_from(["verification", "notification", "marketing"]),
        "purpose": st.sampled_from(["standard", "urgent"]),
        "source": st.sampled_from(["Shop", "Else"]),
        "utc": st.floats(UTC, UTC + 7 * 86_400),
        "later": st.sampled_from([0.0, 3_600.0, 100_000.0]),
    }
)


def made(drawn: dict[str, Any]) -> Message:
    drawn = dict(drawn)
    utc, later = drawn.pop("utc"), drawn.pop("later")
    due = {"due_utc": utc + later, "not_before_utc": utc + later, "state": MessageState.SCHEDULED} if later else {}
    return message(**{**drawn, "arrival_utc": utc, "expires_utc": utc + later + 86_400, **due})


@given(fields)
@settings(max_examples=400)
def test_what_is_explained_is_what_happens(drawn: dict[str, Any]) -> None:
    rules = screen_of(EVERYTHING, source_addresses=["Shop"])
    checked, explained = made(drawn), made(drawn)
    refusal = rules.check(checked, drawn["utc"])
    steps = rules.explain(explained, drawn["utc"])
    refused = [one.refusal for one in steps if one.refusal is not None]
    assert refusal == (refused[0] if refused else None)
    if refusal is None:
        assert checked == explained
        assert rules.guards(checked, drawn["utc"]) == rules.guards(explained, drawn["utc"])


@given(fields)
def test_what_was_changed_once_is_not_changed_again(drawn: dict[str, Any]) -> None:
    rules = screen_of(EVERYTHING)
    one = made(drawn)
    if rules.check(one, drawn["utc"]) is None:
        before = one.content, one.destination
        assert rules.check(one, drawn["utc"]) is None
        assert (one.content, one.destination) == before


campaigns = st.lists(
    st.fixed_dictionaries(
        {
            "text": st.sampled_from(["hello", "紧急 hello", "casino", "【店】hello 退订回T", "长" * 200]),
            "class_": st.sampled_from(["notification", "marketing", "marketing", "marketing"]),
            "purpose": st.sampled_from(["standard", "urgent"]),
            "brand": st.sampled_from(["", "品牌", "店"]),
        }
    ),
    min_size=2,
    max_size=8,
)


@given(campaigns)
def test_a_text_that_was_seen_before_is_judged_as_if_it_was_not(several: list[dict[str, Any]]) -> None:
    policy = msgspec.structs.replace(EVERYTHING, signature=Signature(mode="add"), opt_out_hint=OptOutHint(mode="add"))
    rules = screen_of(policy)
    for drawn in several:
        checked, fresh = message(**drawn), message(**drawn)
        assert rules.check(checked, UTC) == screen_of(policy).check(fresh, UTC)
        assert checked == fresh


def test_messages_of_a_campaign_share_their_text() -> None:
    rules = screen_of(Policy(opt_out_hint=OptOutHint(mode="add")))
    first, second = message("sale", class_="marketing"), message("sale", to="8613800138001", class_="marketing")
    assert rules.check(first, UTC) is rules.check(second, UTC) is None
    assert first.content is second.content


def test_texts_of_campaigns_are_remembered_up_to_a_bound() -> None:
    rules = screen_of(Policy(opt_out_hint=OptOutHint(mode="add")))
    for number in range(CAMPAIGNS_MAX + 10):
        assert rules.check(message(f"sale {number}", class_="marketing"), UTC) is None
    assert len(rules._campaigns) <= CAMPAIGNS_MAX


@pytest.mark.parametrize("class_", ["notification", "marketing"])
def test_a_text_replaced_by_itself_is_signed_again(class_: str) -> None:
    rules = screen_of(Policy(signature=Signature(mode="add", text="品牌")))
    one = message("hello", class_=class_)
    raw = one.content
    assert rules.check(one, UTC) is None
    assert rules.changed(one, {"content": raw}, UTC) == {"content": one.content}


def test_explaining_goes_through_every_rule_in_order() -> None:
    steps = screen_of(EVERYTHING).explain(message("casino evil.com", to="x", class_="marketing"), UTC)
    assert [one.rule for one in steps] == [
        *("sender", "number", "possible number", "countries and blacklist", "links", "keywords"),
        *("signature", "opt_out_hint", "caps", "segments_max", "windows"),
    ]
    told = {one.rule: one.told for one in steps}
    assert told["keywords"].startswith("keyword: keywords (it says")
    assert "the text is now '【品牌】casino evil.com'" in told["signature"]


def test_explaining_says_that_a_text_grew_too_long_for_anything() -> None:
    rules = screen_of(Policy(signature=Signature(mode="add", text="品牌")))
    long = "长" * (67 * 255)
    checked, explained = message(long, class_="marketing"), message(long, class_="marketing")
    refusal = rules.check(checked, UTC)
    assert refusal is not None
    assert refusal.reason == "too_long"
    assert refusal == rules.explain(explained, UTC)[-1].refusal


@pytest.mark.parametrize(
    ("class_", "text", "found"),
    [
        ("verification", "a" * 160, ""),
        ("verification", "a" * 161, "too_long"),
        ("notification", "您" * 134, ""),
        ("notification", "您" * 135, "too_long"),
        ("marketing", "ñ" * 480, "too_long"),
        ("marketing", "ñ" * 459, ""),
    ],
)
def test_a_text_has_as_many_segments_as_its_class_may(class_: str, text: str, found: str) -> None:
    from gateway.core.reader import parts_of

    data_coding, data = encode_text(text)
    one = message(class_=class_, content=Content(data, data_coding, parts=parts_of(data, data_coding, 0)))
    refusal = screen_of(Policy(segments_max=SegmentsMax(verification=1, notification=2, marketing=3))).check(one, UTC)
    assert reason(refusal) == found
    if refusal is not None:
        assert (refusal.status, refusal.field) == (Status.RINVMSGLEN, "text")


# -- parts that the sender cut


def cut(*texts: str, **more: Any) -> list[Message]:
    found = []
    for at, text in enumerate(texts):
        data = bytes((5, 0, 3, 7, len(texts), at + 1)) + text.encode("utf-16-be")
        found.append(message(content=Content(data, 8, 0x40), part_of=PartOf("k", len(texts), at + 1), **more))
    return found


def whole(policy: Policy, *texts: str, **more: Any) -> str:
    parts = cut(*texts, **more)
    return reason(screen_of(policy).check_whole(parts, "".join(texts), UTC))


def test_a_part_alone_is_judged_by_its_number_only() -> None:
    first, second = cut("赌", "博")
    rules = screen_of(Policy(keywords=Keywords(words=["赌博", "博"]), blacklist=["34612345678"]))
    assert (rules.check(first, UTC), rules.check(second, UTC)) == (None, None)
    first.destination = "34612345678"
    assert reason(rules.check(first, UTC)) == "blacklisted"


def test_the_whole_text_is_judged_when_it_is_there() -> None:
    assert whole(EVERYTHING, "我们的赌", "博", class_="verification") == "keyword"
    assert whole(EVERYTHING, "go ev", "il.com ok") == "link"
    assert whole(EVERYTHING, "hello ", "there") == ""


def test_nothing_is_added_to_parts_their_sender_must_say_it() -> None:
    hint = Policy(opt_out_hint=OptOutHint(mode="add"))
    assert whole(EVERYTHING, "大促", "退订回T", class_="marketing") == "signature"
    assert whole(EVERYTHING, "【品牌】大促", "退订回T", class_="marketing") == ""
    assert whole(hint, "大促", "大促", class_="marketing") == "opt_out_hint"
    assert whole(hint, "大促退", "订回T", class_="marketing") == ""


def test_cutting_does_not_make_a_text_shorter() -> None:
    assert whole(EVERYTHING, "hello", "hello", "hello") == "too_long"


def test_parts_wait_for_their_window_all_the_same_and_are_given_up_in_time() -> None:
    utc = UTC + 4 * 3_600  # 20:00 in China
    (one, _) = cut("a", "b", class_="marketing", state=MessageState.SCHEDULED, not_before_utc=utc + 60, arrival_utc=utc)
    one.expires_utc = utc + 86_400
    assert screen_of(Policy(windows=[Window(preset="retail")])).check(one, utc) is None
    assert one.not_before_utc == utc + 60, "when the group is given up"
    assert one.due_utc == UTC + 17.5 * 3_600
    assert one.window_end_utc == UTC + 19 * 3_600
