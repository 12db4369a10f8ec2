"""What rules ask of the store: guards of the right period, owner and moment, and refusals that name them."""

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from ruled import TO, UTC, message, screen_of

from config.policy import Budget, Cap, Consent, Dedupe, OptOut, Policy, Suppression, Velocity
from protocol.status import Status
from routing.guards import Cell, Guard, Member, Spend, Unique, Window
from routing.policy.caps import blocked_set, consent_set, optout_set, refusal_of, suppressed_set, trial_purse
from routing.records import Content, Message, MessageState, PartOf

SPAIN = "34612345678"


def at(text: str, zone: str = "UTC") -> float:
    return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp()


def alone(guard: Guard) -> list[Guard]:
    """The guards of a cell as if each stood alone: with what they are about, and when they count."""
    if not isinstance(guard, Cell):
        return [guard]
    found: list[Guard] = []
    for one in guard.guards:
        changes = {"key": guard.key if isinstance(one, Member) else f"{one.key}\x1f@{guard.key}"}
        if isinstance(one, Window):
            changes["at_utc"] = guard.at_utc  # type: ignore[assignment]
        found.append(msgspec.structs.replace(one, **changes))
    return found


def guards(policy: Policy, one: Message | None = None, utc: float = UTC) -> tuple[Guard, ...]:
    made = screen_of(policy).guards(one or message(class_="marketing"), utc)
    return tuple(single for guard in made for single in alone(guard))


def windows(policy: Policy, one: Message | None = None, utc: float = UTC) -> list[Window]:
    return [guard for guard in guards(policy, one, utc) if isinstance(guard, Window)]


def later(due: float, **fields: Any) -> Message:
    return message(**{"class_": "marketing", "state": MessageState.SCHEDULED, "due_utc": due, "not_before_utc": due, **fields})


def cap(period: str = "24h", **fields: Any) -> Policy:
    return Policy(caps=[Cap(name="c", limit=2, period=period, **fields)])


def test_lists_are_asked_first_and_opt_outs_only_by_the_classes_they_stop() -> None:
    lists = [Member(blocked_set("shop"), TO), Member(blocked_set("*"), TO)]
    assert list(guards(Policy())) == [*lists, Member(optout_set("shop"), TO)]
    assert list(guards(Policy(), message(class_="verification"))) == lists
    assert list(guards(Policy(opt_out=OptOut(enabled=False)))) == lists
    assert len(guards(Policy(opt_out=OptOut(classes=["notification"])), message())) == 3


def test_numbers_nothing_arrives_at_are_a_list_of_the_classes_that_count() -> None:
    dead = Member(suppressed_set("shop"), TO)
    policy = Policy(suppression=Suppression(failures=3, classes=["marketing"]))
    assert guards(policy)[2] == dead
    assert dead not in guards(policy, message(class_="verification"))
    assert dead not in guards(Policy())
    assert dead in guards(Policy(suppression=Suppression(failures=3)), message(class_="verification"))
    refusal = refusal_of(dead)
    assert (refusal.reason, refusal.rule, refusal.field) == ("suppressed", "suppressed", "to")


def test_a_trial_takes_one_for_each_message_whatever_it_costs() -> None:
    policy = Policy(budget=Budget(trial_messages=200))
    one = Spend(trial_purse("shop"), 1)
    assert [guard for guard in guards(policy, message(parts=3)) if isinstance(guard, Spend)] == [one]
    assert one not in guards(policy, message(part_of=PartOf("k", 2, 2)))
    assert screen_of(policy).purses(message(), UTC) == {trial_purse("shop"): 200}
    priced = Policy(budget=Budget(trial_messages=200, price=5, daily_max=50))
    spent = [(guard.purse[:5], guard.amount) for guard in guards(priced, message()) if isinstance(guard, Spend)]
    assert spent == [("trial", 1), ("daily", 5)]
    several = [policy, priced, Policy(), Policy(budget=Budget(price=5))]
    assert [screen_of(rules).opens_purses for rules in several] == [True, True, False, False]
    refusal = refusal_of(one)
    assert (refusal.reason, refusal.rule, refusal.detail) == ("quota", "trial", "trial messages are used up")


def test_where_consent_is_required_only_who_agreed_is_sent_to() -> None:
    agreed = Member(consent_set("shop"), TO, must_be=True)
    policy = Policy(consent=Consent(required=True))
    assert guards(policy)[-1] == agreed
    assert agreed not in guards(policy, message(class_="verification"))
    assert agreed not in guards(Policy())
    parts = message(class_="marketing", part_of=PartOf("k", 2, 2))
    assert agreed in guards(policy, parts)
    refusal = refusal_of(agreed)
    assert (refusal.reason, refusal.rule, refusal.field) == ("consent", "consent", "to")


@pytest.mark.parametrize(("period", "seconds"), [("90s", 90), ("15m", 900), ("24h", 86_400), ("7d", 604_800)])
def test_a_rolling_period_is_one_key_for_each_recipient(period: str, seconds: float) -> None:
    (one,) = windows(cap(period))
    assert (one.limit, one.period_s, one.at_utc) == (2, seconds, 0.0)
    assert windows(cap(period), utc=UTC + 10 * seconds) == [one]
    assert windows(cap(period), message(to=SPAIN, class_="marketing")) != [one]


@pytest.mark.parametrize(
    ("period", "number", "zone", "before", "after"),
    [
        ("day", TO, "recipient", "2026-11-24 15:59:59", "2026-11-24 16:00:00"),
        ("day", SPAIN, "recipient", "2026-11-24 22:59:59", "2026-11-24 23:00:00"),
        ("day", TO, "UTC", "2026-11-24 23:59:59", "2026-11-25 00:00:00"),
        ("day", SPAIN, "recipient", "2027-03-28 21:59:59", "2027-03-28 22:00:00"),
        ("month", TO, "recipient", "2026-11-30 15:59:59", "2026-11-30 16:00:00"),
        ("month", TO, "America/New_York", "2026-12-01 04:59:59", "2026-12-01 05:00:00"),
        ("month", TO, "UTC", "2028-02-29 23:59:59", "2028-03-01 00:00:00"),
        ("month", TO, "UTC", "2026-12-31 23:59:59", "2027-01-01 00:00:00"),
        ("week", TO, "UTC", "2026-11-29 23:59:59", "2026-11-30 00:00:00"),
        ("week", TO, "UTC", "2027-01-03 23:59:59", "2027-01-04 00:00:00"),
    ],
)
def test_a_calendar_period_ends_on_its_own_clock(period: str, number: str, zone: str, before: str, after: str) -> None:
    policy = cap(period, timezone=zone)
    one = message(to=number, class_="marketing")
    long_before, last, first = (
        windows(policy, one, at(text) - back)[0].key for text, back in ((before, 3600), (before, 0), (after, 0))
    )
    assert long_before == last != first


def test_a_calendar_period_is_never_longer_than_what_is_counted() -> None:
    assert [windows(cap(period))[0].period_s / 86_400 for period in ("day", "week", "month")] == [2, 8, 32]


def test_a_message_counts_in_the_period_in_which_it_comes_due() -> None:
    for policy in (cap("day"), cap("month"), cap("24h")):
        due = at("2026-12-24 09:00")
        (one,) = windows(policy, later(due), at("2026-11-24 09:00"))
        assert one.at_utc == due
        (then,) = windows(policy, utc=due)
        assert one.key == then.key


def test_a_part_that_waits_for_others_counts_now_and_in_the_senders_moment() -> None:
    """Its group is given up after a minute, which may be tomorrow: that is no moment to count in."""
    utc = at("2026-11-24 15:59:30")
    part = message(class_="marketing", part_of=PartOf("k", 2, 1), state=MessageState.SCHEDULED, not_before_utc=utc + 60)
    assert windows(cap("day"), part, utc) == windows(cap("day"), utc=utc)
    due = utc + 86_400
    part.due_utc = due
    assert windows(cap("day"), part, utc) == windows(cap("day"), later(due), utc)


@pytest.mark.parametrize(
    ("per", "same", "other"),
    [
        ("account", {"brand": "B", "business": "x"}, {"account": "second"}),
        ("brand", {"business": "x"}, {"brand": "B"}),
        ("business", {"account": "second", "business": "corp", "brand": "B"}, {"business": ""}),
        ("all", {"account": "second", "business": "x", "brand": "B"}, {"destination": SPAIN}),
    ],
)
def test_caps_count_by_their_owner(per: Any, same: dict[str, str], other: dict[str, str]) -> None:
    policy = cap(per=per)
    base = {"class_": "marketing", "business": "corp"}
    first = windows(policy, message(**base))
    assert windows(policy, message(**{**base, **same})) == first
    assert windows(policy, message(**{**base, **other})) != first


def test_an_account_without_business_shares_with_none_that_takes_its_name() -> None:
    policy = cap(per="business")
    assert windows(policy, message(class_="marketing")) != windows(
        policy, message(class_="marketing", account="evil", business="shop")
    )


def test_three_three_counts_promotions_urgent_ones_and_care_apart() -> None:
    policy = Policy(cap_presets=["three-three"])
    found = {}
    for purpose in ("standard", "promotion", "urgent", "care"):
        (one,) = windows(policy, message("【店】紧急通知", class_="marketing", purpose=purpose))
        found[purpose] = (refusal_of(one).rule, one.limit)
    assert found == {
        "standard": ("promotions", 3),
        "promotion": ("promotions", 3),
        "urgent": ("urgent", 1),
        "care": ("care", 1),
    }
    assert windows(policy, message(class_="notification")) == []


def test_an_urgent_message_says_so() -> None:
    rules = screen_of(Policy(cap_presets=["three-three"]))
    refusal = rules.check(message("大促", class_="marketing", purpose="urgent"), UTC)
    assert refusal is not None
    assert (refusal.reason, refusal.rule, refusal.field, refusal.status) == ("mark", "urgent", "text", Status.RSUBMITFAIL)
    assert rules.check(message("【紧急】停水", class_="marketing", purpose="urgent"), UTC) is None
    assert rules.check(message("大促", class_="marketing"), UTC) is None


def test_codes_have_three_limits() -> None:
    found = windows(Policy(cap_presets=["codes"]), message(class_="verification"))
    assert [(one.limit, one.period_s) for one in found] == [(1, 60), (5, 3_600), (10, 86_400)]


def test_the_same_text_from_the_same_sender_is_a_duplicate_for_its_time() -> None:
    policy = Policy(dedupe=Dedupe(window_s=60))

    def unique(**fields: Any) -> Unique:
        (one,) = [guard for guard in guards(policy, message(**fields)) if isinstance(guard, Unique)]
        return one

    first = unique()
    assert first.until_utc == UTC + 60
    assert unique(client_ref="other", brand="B") == first
    for fields in ({"text": "hello!"}, {"to": SPAIN}, {"source": "Other"}, {"account": "second"}):
        assert unique(**fields).key != first.key
    due = UTC + 1_000
    (after,) = [guard for guard in guards(policy, later(due)) if isinstance(guard, Unique)]
    assert after.until_utc == due + 60
    only = Policy(dedupe=Dedupe(window_s=60, classes=["verification"]))
    assert not [guard for guard in guards(only) if isinstance(guard, Unique)]


def test_codes_to_neighbouring_numbers_share_a_limit_and_safe_ones_have_none() -> None:
    policy = Policy(velocity=Velocity(prefix_limit=5, account_limit=50, period_s=600, safe=["34612"]))
    near, nearer = (windows(policy, message(to=number, class_="verification")) for number in (TO, TO[:-4] + "9999"))
    assert near == nearer
    assert [(one.limit, one.period_s) for one in near] == [(5, 600), (50, 600)]
    far = windows(policy, message(to="8613800148000", class_="verification"))
    assert (far[0] != near[0], far[1] == near[1]) == (True, True)
    assert windows(policy, message(to=SPAIN, class_="verification")) == []
    assert windows(policy, message(class_="marketing")) == []
    assert windows(policy, message(class_="verification", account="second"))[1] != near[1]


def spent(policy: Policy, one: Message | None = None, utc: float = UTC) -> list[tuple[str, int]]:
    return [(one.purse.replace("\x1f", " "), one.amount) for one in guards(policy, one, utc) if isinstance(one, Spend)]


def test_money_is_taken_by_segment_from_balance_day_and_month() -> None:
    policy = Policy(
        budget=Budget(prepaid=True, price=30_000, currency="CNY", daily_max=1, monthly_max=2, timezone="Asia/Shanghai")
    )
    one = message(class_="marketing", parts=3)
    assert spent(policy, one, at("2026-11-30 16:00")) == [
        ("balance shop", 90_000),
        ("daily shop 2026-12-01", 90_000),
        ("monthly shop 2026-12", 90_000),
    ]
    assert (one.price, one.currency) == (90_000, "CNY")
    purses = screen_of(policy).purses(one, at("2026-11-30 15:59"))
    assert {key.replace("\x1f", " "): amount for key, amount in purses.items()} == {
        "daily shop 2026-11-30": 1,
        "monthly shop 2026-11": 2,
    }


def test_a_message_is_paid_from_the_budget_of_its_day() -> None:
    policy = Policy(budget=Budget(price=1, daily_max=10))
    due = at("2026-12-24 09:00")
    assert spent(policy, later(due), at("2026-11-24 09:00")) == [("daily shop 2026-12-24", 1)]
    assert list(screen_of(policy).purses(later(due), at("2026-11-24 09:00"))) == ["daily\x1fshop\x1f2026-12-24"]


@pytest.mark.parametrize(
    ("operator", "country", "price"),
    [("cn-mobile", "86", 30), ("cn-unicom", "86", 0), ("cn-telecom", "86", 20), ("", "34", 90), ("", "44", 50)],
)
def test_operators_and_countries_may_have_prices_of_their_own(operator: str, country: str, price: int) -> None:
    policy = Policy(budget=Budget(price=50, prices={"cn-mobile": 30, "cn-unicom": 0, "86": 20, "34": 90}))
    one = message(operator=operator, country=country, content=Content(b"x", parts=2))
    guards(policy, one)
    assert one.price == 2 * price


def test_where_only_some_have_a_price_these_pay() -> None:
    policy = Policy(budget=Budget(prices={"86": 20}, prepaid=True))
    assert spent(policy, message(country="86")) == [("balance shop", 20)]
    assert spent(policy, message(country="34")) == []


@pytest.mark.parametrize("limit", [{"prefix_limit": 5}, {"account_limit": 50}])
def test_either_limit_of_codes_counts_alone(limit: dict[str, int]) -> None:
    found = guards(Policy(velocity=Velocity(**limit)), message(class_="verification"))  # type: ignore[arg-type]
    assert [one.limit for one in found if isinstance(one, Window)] == list(limit.values())


def test_without_a_price_nothing_is_taken() -> None:
    assert spent(Policy(budget=Budget(prepaid=True))) == []


def test_parts_that_a_sender_cut_count_once_are_each_paid_and_none_goes_to_who_is_on_a_list() -> None:
    policy = Policy(
        caps=[Cap(name="c", limit=1, period="day")], dedupe=Dedupe(window_s=60), budget=Budget(price=7, prepaid=True)
    )
    first, second = (
        guards(policy, message(class_="marketing", part_of=PartOf("k", 2, seq), content=Content(b"x", esm_class=0x40)))
        for seq in (1, 2)
    )
    assert [type(one).__name__ for one in first] == ["Member", "Member", "Member", "Unique", "Window", "Spend"]
    assert [type(one).__name__ for one in second] == ["Member", "Member", "Member", "Spend"]


@pytest.mark.parametrize(
    ("guard", "reason", "rule", "status", "field"),
    [
        (Member(blocked_set("shop"), TO), "blacklisted", "blocked", Status.RSUBMITFAIL, "to"),
        (Member(optout_set("shop"), TO), "opted_out", "optout", Status.RSUBMITFAIL, "to"),
        (Unique("dedupe\x1fshop", 1.0), "duplicate", "dedupe", Status.RSUBMITFAIL, "text"),
        (Window("cap\x1fweekly\x1fshop\x1f86", 1, 1.0), "frequency_cap", "weekly", Status.RTHROTTLED, "to"),
        (Window("velocity\x1fshop", 1, 1.0), "velocity", "velocity", Status.RTHROTTLED, "to"),
        (Spend("balance\x1fshop", 1), "quota", "balance", Status.RSUBMITFAIL, ""),
        (Spend("daily\x1fshop\x1f2026-11-24", 1), "quota", "daily", Status.RSUBMITFAIL, ""),
        (Spend("monthly\x1fshop\x1f2026-11", 1), "quota", "monthly", Status.RSUBMITFAIL, ""),
    ],
)
def test_a_guard_that_refused_names_its_rule(guard: Guard, reason: str, rule: str, status: Status, field: str) -> None:
    refusal = refusal_of(guard)
    assert (refusal.reason, refusal.rule, refusal.status, refusal.field) == (reason, rule, status, field)
    assert refusal.detail
