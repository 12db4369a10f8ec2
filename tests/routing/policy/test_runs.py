"""Runs of consecutive numbers: no more different ones than the limit, in whatever order they come; nobody else is held up."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from ruled import UTC, message, screen_of

from config.policy import Policy, Velocity
from config.schema import Account, Secret
from routing.policy import runs
from routing.policy.runs import GAP, Runs
from routing.policy.screen import Screen
from routing.policy.watch import Watches
from routing.records import Message, PartOf

START = 8613800138000


def taken(limit: int, *numbers: int, period_s: float = 60.0) -> list[int]:
    rule = Runs(limit, period_s)
    return [number for number in numbers if rule.take(str(number), UTC)]


@pytest.mark.parametrize("order", ["up", "down", "mixed", "gaps"])
def test_a_run_ends_at_the_limit_in_whatever_order_it_comes(order: str) -> None:
    numbers = list(range(START, START + 40, 3 if order == "gaps" else 1))
    if order == "down":
        numbers.reverse()
    elif order == "mixed":
        random.Random(7).shuffle(numbers)
    passed = taken(5, *numbers)
    if order == "mixed":
        assert 5 <= len(passed) < 20, "they are no run before they hang together"
        assert max(map(len, chains(passed))) <= 5
    else:
        assert passed == numbers[:5]


def test_the_number_that_would_join_two_runs_is_refused() -> None:
    low, high = [START, START + 1], [START + 8, START + 9]
    assert taken(4, *low, *high, START + 4, START) == [*low, *high], "nor is any of them sent to again"
    assert taken(5, *low, *high, START + 4) == [*low, *high, START + 4]


def test_numbers_far_from_each_other_and_repeats_are_no_run() -> None:
    apart = [START + at * (GAP + 1) for at in range(50)]
    assert taken(2, *apart) == apart
    assert taken(2, *[START, START + 1] * 20) == [START, START + 1] * 20


def test_a_run_is_forgotten_a_period_after_its_numbers() -> None:
    rule = Runs(2, 60.0)
    assert [rule.take(str(START + at), UTC + at) for at in range(3)] == [True, True, False]
    assert not rule.take(str(START + 2), UTC + 59.9), "whoever keeps trying is still at it"
    assert rule.take(str(START + 3), UTC + 61)
    assert not rule.take(str(START + 4), UTC + 61)


def test_asking_counts_nothing() -> None:
    rule = Runs(1, 60.0)
    assert rule.take(str(START), UTC)
    for _ in range(3):
        assert not rule.fits(str(START + 1), UTC)
        assert rule.fits(str(START + 9), UTC)
    assert rule.take(str(START + 9), UTC)


def test_memory_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "NUMBERS_MAX", 100)
    rule = Runs(3, 60.0)
    for at in range(1_000):
        assert rule.take(str(START + 10 * at), UTC)
    assert len(rule._last) == 100
    assert [rule.take(str(START + 9_990 + at), UTC) for at in (1, 2, 3)] == [True, True, False], "the youngest are still known"


def chains(numbers: list[int]) -> list[list[int]]:
    """Numbers in pieces that hang together."""
    found: list[list[int]] = []
    for number in sorted(set(numbers)):
        if found and number - found[-1][-1] <= GAP:
            found[-1].append(number)
        else:
            found.append([number])
    return found


pauses = st.sampled_from([0.0, 1.0, 30.0, 59.0, 61.0])
batches = st.lists(st.tuples(pauses, st.lists(st.integers(0, 40), max_size=12)), max_size=8)


@given(batches, st.integers(1, 5))
@settings(max_examples=300)
def test_no_order_of_batches_gets_more_of_a_run_through(drawn: list[tuple[float, list[int]]], limit: int) -> None:
    watches = Watches()
    policy = Policy(velocity=Velocity(run_limit=limit, period_s=60))
    utc = UTC
    asked: list[tuple[float, int]] = []
    passed: list[tuple[float, int]] = []
    for pause, batch in drawn:
        utc += pause
        rules = Screen(ACCOUNT, policy, watch=watches.of("shop", policy))  # a new configuration each time
        for offset in batch:
            one = code(START + offset)
            refused = [step.refusal for step in rules.explain(code(START + offset), utc) if step.refusal is not None]
            refusal = rules.check(one, utc)
            assert refused == ([] if refusal is None else [refusal])
            asked.append((utc, START + offset))
            run = next(chain for chain in chains(within(asked, utc)) if START + offset in chain)
            assert (refusal is None) == (len(run) <= limit)
            if refusal is None:
                passed.append((utc, START + offset))
        assert all(len(chain) <= limit for chain in chains(within(passed, utc)))


def within(told: list[tuple[float, int]], utc: float) -> list[int]:
    """Numbers of the last minute."""
    return [number for at, number in told if at > utc - 60]


ACCOUNT = Account(system_id="shop", password_hash=Secret("x"))


def code(number: int, **fields: object) -> Message:
    return message(to=str(number), class_="verification", **fields)


def test_only_codes_of_their_account_to_numbers_that_are_not_safe_count() -> None:
    watches, policy = Watches(), Policy(velocity=Velocity(run_limit=1, safe=["34"]))
    rules = Screen(ACCOUNT, policy, watch=watches.of("shop", policy))
    other = Screen(ACCOUNT, policy, watch=watches.of("other", policy))
    assert rules.check(code(START), UTC) is None
    refusal = rules.check(code(START + 1), UTC)
    assert refusal is not None
    assert (refusal.reason, refusal.rule, refusal.field) == ("velocity", "velocity.run_limit", "to")
    assert other.check(code(START + 1), UTC) is None
    assert rules.check(message(to=str(START + 1)), UTC) is None
    assert [rules.check(code(34612345678 + at), UTC) for at in range(3)] == [None] * 3
    later = [rules.check(code(START + 2, part_of=PartOf("k", 3, seq)), UTC) for seq in (2, 3)]
    assert later == [None, None], "of a cut message the first part counts"
    assert rules.check(code(START + 2, part_of=PartOf("k", 3, 1)), UTC) is not None


def test_what_other_rules_refuse_does_not_count() -> None:
    watches, policy = Watches(), Policy(velocity=Velocity(run_limit=1), blacklist=[str(START)])
    rules = Screen(ACCOUNT, policy, watch=watches.of("shop", policy))
    assert [rules.check(code(START), UTC) is not None for _ in range(2)] == [True, True]
    assert rules.check(code(START + 1), UTC) is None


def test_a_rule_that_is_off_remembers_nothing() -> None:
    assert Watches().of("shop", Policy()) is None
    assert Watches().of("shop", None) is None
    assert screen_of(Policy()).check(code(START), UTC) is None
