"""Codes nobody uses, by prefix: what is judged when, who is held up, and whose traffic is never touched."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruled import UTC, message

from config.policy import Conversion, Policy, Velocity
from config.schema import Account, Secret
from routing.policy import conversion
from routing.policy.conversion import FEEDBACK_MIN, Conversions, Turn
from routing.policy.screen import Screen
from routing.policy.watch import Watches
from routing.records import Message, PartOf

GOOD, BAD = "861390000", "861381111"
"""Prefixes of two operators; four digits more are a number."""
PERIOD_S, WAIT_S = 1_200.0, 100.0
START = UTC - UTC % PERIOD_S


class Story:
    """One account's codes and what became of them; `now` moves on."""

    def __init__(self, **rule: Any) -> None:
        defaults = {"share_min": 0.2, "codes_min": 10, "period_s": PERIOD_S, "wait_s": WAIT_S, "action": "block"}
        self.rule = Conversion(**{**defaults, **rule})
        self.book = Conversions(self.rule)
        self.now = START
        self._ids = 0

    def codes(self, prefix: str, count: int, used: int = 0) -> None:
        """They come to somebody at once, and are used at once."""
        for at in range(count):
            self._ids += 1
            number = f"{prefix}{self._ids % 10_000:04d}"
            self.book.sent(number, self.now, self.now)
            if at < used:
                self.book.used(self._ids, number, self.now, self.now)

    def wait(self, seconds: float) -> None:
        self.now += seconds

    def passes(self, prefix: str, take: bool = True) -> bool:
        return self.book.check(f"{prefix}9999", self.now, take=take) is None

    def turns(self) -> list[tuple[str, bool]]:
        return [(one.prefix, one.low) for one in self.book.turns(self.now)]


def attacked(**rule: Any) -> Story:
    """One prefix is used as it should be, of the other nothing is, and both have had their time."""
    story = Story(**rule)
    story.codes(GOOD, 20, 12)
    story.codes(BAD, 20)
    story.wait(WAIT_S + 101)
    return story


def test_a_prefix_whose_codes_are_not_used_is_held_up_alone() -> None:
    story = attacked()
    assert (story.passes(GOOD), story.passes(BAD), story.passes("34612345")) == (True, False, True)
    refusal = story.book.check(f"{BAD}0001", story.now, take=True)
    assert refusal is not None
    assert (refusal.reason, refusal.rule) == ("velocity", "velocity.conversion")
    assert refusal.detail == f"of 20 codes to {BAD} 0 were used"
    assert story.turns() == [(BAD, True)]
    assert (story.turns(), story.book.low) == ([], 1)


def test_codes_that_may_still_be_used_are_not_judged() -> None:
    story = Story()
    story.codes(GOOD, 20, 12)
    story.wait(50)
    story.codes(BAD, 20)
    story.wait(WAIT_S)
    assert story.passes(BAD)
    story.wait(51)
    assert not story.passes(BAD)


def test_too_few_say_nothing_and_uses_that_come_late_free_the_prefix() -> None:
    story = Story()
    story.codes(GOOD, 20, 12)
    story.codes(BAD, 9)
    story.wait(WAIT_S + 101)
    assert story.passes(BAD)
    story = attacked()
    assert not story.passes(BAD)
    for at in range(4):
        story.book.used(90 + at, f"{BAD}0001", START, story.now)
    assert story.passes(BAD), "4 of 20 are the share that is asked for"
    assert story.turns() == [(BAD, True), (BAD, False)]


def test_a_use_told_twice_counts_once() -> None:
    story = attacked()
    for _ in range(10):
        story.book.used(21, f"{BAD}0021", START, story.now)
    assert not story.passes(BAD)


@pytest.mark.parametrize(("used", "held"), [(0, False), (FEEDBACK_MIN - 1, False), (FEEDBACK_MIN, True)])
def test_an_account_that_tells_of_no_uses_is_left_alone(used: int, held: bool) -> None:
    story = Story()
    story.codes(GOOD, 20, used)
    story.codes(BAD, 20)
    story.wait(WAIT_S + 101)
    assert story.passes(BAD) is not held
    story = Story(without_feedback=True)
    story.codes(BAD, 20)
    story.wait(WAIT_S + 101)
    assert not story.passes(BAD)


def test_uses_of_the_prefix_itself_are_no_feedback_for_other_traffic() -> None:
    story = Story(share_min=0.9)
    story.codes(BAD, 20, 12)
    story.wait(WAIT_S + 101)
    assert story.passes(BAD)


def test_when_feedback_breaks_nobody_is_held_up() -> None:
    """The share of everybody falls then; half of the codes are used, a fifth must be."""
    story = Story()
    for minute in range(60):
        for prefix in (GOOD, BAD):
            story.codes(prefix, 10, 5 if minute < 20 else 0)
        story.wait(60)
        assert (story.passes(GOOD), story.passes(BAD)) == (True, True)
    assert story.turns() == []


def test_what_is_held_up_is_tried_again_when_the_period_is_over() -> None:
    story = attacked()
    assert not story.passes(BAD)
    story.turns()
    story.wait(PERIOD_S + 100)
    assert story.turns() == [(BAD, False)], "without any code"
    assert story.passes(BAD)


def test_the_longer_prefix_decides_when_it_has_codes_enough() -> None:
    """Somebody else's codes under the same operator do not harm those that are used."""
    story = Story()
    story.codes(GOOD, 20, 12)
    story.codes("861382222", 10, 5)
    story.codes(BAD, 60)
    story.wait(WAIT_S + 101)
    assert (story.passes("861382222"), story.passes(BAD), story.passes("861383333")) == (True, False, False)


def test_alerts_refuse_nothing() -> None:
    story = attacked(action="alert")
    assert story.passes(BAD)
    assert story.turns() == [(BAD, True)]
    assert story.book.told(f"{BAD}0001", story.now) == f"passed, of 20 codes to {BAD} 0 were used (low)"
    assert story.book.told("3461", story.now) == ""


def test_a_throttled_prefix_gets_so_many_in_a_period() -> None:
    story = attacked(action="throttle", throttle_limit=3, period_s=PERIOD_S)
    assert [story.passes(BAD, take=False) for _ in range(5)] == [True] * 5
    assert [story.passes(BAD) for _ in range(5)] == [True] * 3 + [False] * 2
    assert story.passes(GOOD)


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversion, "PREFIXES_MAX", 50)
    monkeypatch.setattr(conversion, "TOLD_MAX", 50)
    story = attacked()
    for at in range(500):
        story.wait(PERIOD_S / 100)
        story.codes(f"34{at:07d}", 2, 1)
    assert len(story.book._tallies) == 50
    assert len(story.book._told) == 50
    assert max(len(tally.slots) for tally in (*story.book._tallies.values(), story.book._all)) <= 15


def test_a_forgotten_prefix_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    story = attacked()
    assert not story.passes(BAD)
    story.turns()
    monkeypatch.setattr(conversion, "PREFIXES_MAX", 4)
    story.codes("346123456", 1)
    story.codes("447911123", 1)
    assert (story.turns(), story.book.low) == ([(BAD, False)], 0)


# -- with the rest of the rules


ACCOUNT = Account(system_id="shop", password_hash=Secret("x"))


def code(to: str, number: int = 1, **fields: Any) -> Message:
    one = message(to=to, class_="verification", **{"accepted_utc": START, **fields})
    one.id = number
    return one


def velocity(**rule: Any) -> Policy:
    made = Conversion(**{"share_min": 0.2, "codes_min": 10, "action": "block", **rule})
    return Policy(velocity=Velocity(conversion=made, safe=["34"]))


def filled(watches: Watches, policy: Policy, prefix: str = BAD) -> None:
    """An account that tells of uses, and a prefix where there are none."""
    watch = watches.of("shop", policy)
    assert watch is not None
    for at in range(20):
        watch.sent(code(f"{prefix}{at:04d}", at), START)
        watch.sent(code(f"{GOOD}{at:04d}", 100 + at), START)
        watches.used(code(f"{GOOD}{at:04d}", 100 + at), "converted", START)


LATER = START + 1_000


@pytest.mark.parametrize(
    ("prefix", "change", "refused"),
    [
        (BAD, {}, True),
        ("3461234", {}, False),
        (BAD, {"class_": "notification"}, False),
        (BAD, {"part_of": PartOf("k", 2, 1)}, True),
        (BAD, {"part_of": PartOf("k", 2, 2)}, False),
    ],
)
def test_only_codes_to_prefixes_that_are_not_safe_are_held_up(prefix: str, change: dict[str, Any], refused: bool) -> None:
    watches, policy = Watches(), velocity()
    filled(watches, policy, prefix)
    rules = Screen(ACCOUNT, policy, watch=watches.of("shop", policy))
    fields: dict[str, Any] = {"class_": "verification", **change}
    steps = rules.explain(message(to=f"{prefix}9999", **fields), LATER)
    assert (rules.check(message(to=f"{prefix}9999", **fields), LATER) is not None) == refused
    assert any(one.refusal is not None for one in steps) == refused


def test_an_explanation_tells_codes_and_uses() -> None:
    watches, policy = Watches(), velocity()
    filled(watches, policy)
    rules = Screen(ACCOUNT, policy, watch=watches.of("shop", policy))
    told = {one.rule: one.told for one in rules.explain(code(f"{GOOD}9999"), LATER)}
    assert told["velocity.conversion"] == f"passed, of 20 codes to {GOOD} 20 were used"
    told = {one.rule: one.told for one in rules.explain(code(f"{BAD}9999"), LATER)}
    assert told["velocity.conversion"] == f"velocity: velocity.conversion (of 20 codes to {BAD} 0 were used)"


def test_other_events_and_messages_of_others_are_no_use() -> None:
    watches, policy = Watches(), velocity(without_feedback=True)
    filled(watches, policy)
    watch = watches.of("shop", policy)
    assert watch is not None
    for at in range(20):
        watches.used(code(f"{BAD}{at:04d}", at), "opened", LATER)
        watches.used(code(f"{BAD}{at:04d}", at, account="other"), "converted", LATER)
    rules = Screen(ACCOUNT, policy, watch=watch)
    assert rules.check(code(f"{BAD}9999"), LATER) is not None


def test_a_reload_keeps_counts_and_another_period_begins_anew() -> None:
    watches, policy = Watches(), velocity()
    filled(watches, policy)

    def refused(rules: Policy) -> bool:
        return Screen(ACCOUNT, rules, watch=watches.of("shop", rules)).check(code(f"{BAD}9999"), LATER) is not None

    assert refused(policy)
    assert (refused(velocity(codes_min=30)), refused(policy)) == (False, True)
    told = [(account, action, turn) for account, action, turn in watches.turns(LATER)]
    lifted = Turn(BAD, False, 20, 0)
    assert told == [("shop", "block", one) for one in (lifted._replace(low=True), lifted, lifted._replace(low=True))]
    assert watches.low() == [("shop", 1)]
    assert (refused(velocity(period_s=7_200)), refused(policy)) == (False, False)


# -- any order


steps = st.lists(
    st.tuples(
        st.sampled_from([0.0, 10.0, 99.0, 101.0, 700.0]),
        st.lists(
            st.tuples(st.sampled_from([GOOD, BAD]), st.sampled_from(["sent", "late", "used", "asked", "asked"])), max_size=8
        ),
    ),
    max_size=12,
)


@given(steps, st.sampled_from(["throttle", "block"]), st.integers(1, 4))
@settings(max_examples=300)
def test_no_order_lets_more_through_and_shares_are_as_counted(
    drawn: list[tuple[float, list[tuple[str, str]]]], action: Any, limit: int
) -> None:
    story = Story(action=action, throttle_limit=limit, codes_min=3, share_min=0.5, without_feedback=True)
    codes: list[tuple[float, str]] = []
    uses: list[tuple[float, str]] = []
    passed: list[float] = []
    slot_s = PERIOD_S / 12
    for pause, batch in drawn:
        story.wait(pause)
        for prefix, what in batch:
            number = f"{prefix}0001"
            if what in ("sent", "late"):
                at = story.now - (slot_s if what == "late" else 0)  # its end is told later
                story.book.sent(number, at, story.now)
                codes.append((at, prefix))
            elif what == "used" and any(one == prefix for _, one in codes):
                at = next(at for at, one in codes if one == prefix)  # of an old code, maybe too old
                story.book.used(len(uses), number, at, story.now)
                uses.append((at, prefix))
            elif what == "asked":
                end = int((story.now - WAIT_S) // slot_s)
                counted = [[one for at, one in told if end - 12 <= int(at // slot_s) < end] for told in (codes, uses)]
                sent, used = (one.count(prefix) for one in counted)
                low = sent >= 3 and used < 0.5 * sent  # the prefix of the operator is no other traffic's here
                took = story.book.check(number, story.now, take=True) is None
                if not low:
                    assert took
                elif action == "block":
                    assert not took
                elif took and prefix == BAD:
                    passed.append(story.now)
                    assert sum(at > story.now - PERIOD_S for at in passed) <= limit
