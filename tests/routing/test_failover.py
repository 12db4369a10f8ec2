"""What a refusal means: again or not, here or elsewhere, charged or free; and no message goes round for ever."""

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.status import Status
from routing.failover import STATUS_CLASSES, Decision, StatusClass, classify, decide

ALL_CLASSES = get_args(StatusClass)
FREE = ("throttle", "session")


def decided(status: int, refusals: int = 0, *, alternatives: bool = True, attempts_max: int = 4) -> Decision:
    return decide(classify(status), status, refusals=refusals, attempts_max=attempts_max, alternatives=alternatives)


ELSEWHERE, HERE, NEVER = Decision(again=True, never_here=True), Decision(again=True), Decision(again=False)


@pytest.mark.parametrize(
    ("status", "with_alternatives", "alone"),
    [
        (Status.RTHROTTLED, *[Decision(again=True, free=True, pause_channel=True)] * 2),
        (Status.RMSGQFUL, *[Decision(again=True, free=True, pause_channel=True)] * 2),
        (Status.RINVBNDSTS, *[Decision(again=True, free=True, rebind=True)] * 2),
        (Status.RBINDFAIL, *[Decision(again=True, free=True, rebind=True)] * 2),
        (Status.RSYSERR, HERE, HERE),
        (Status.RX_T_APPN, HERE, HERE),
        (Status.RSUBMITFAIL, ELSEWHERE, Decision(again=False, never_here=True)),
        (Status.RDELIVERYFAILURE, ELSEWHERE, Decision(again=False, never_here=True)),
        (Status.RINVSRCADR, ELSEWHERE, Decision(again=False, never_here=True)),
        (Status.RX_R_APPN, ELSEWHERE, Decision(again=False, never_here=True)),
        (Status.RPROHIBITED, ELSEWHERE, Decision(again=False, never_here=True)),
        (0x0000_0ABC, ELSEWHERE, Decision(again=False, never_here=True)),
        (Status.RINVDSTADR, NEVER, NEVER),
        (Status.RINVMSGLEN, NEVER, NEVER),
        (Status.RX_P_APPN, NEVER, NEVER),
        (Status.RINVCMDLEN, NEVER, NEVER),
        (Status.RINVMSGID, NEVER, NEVER),
    ],
)
def test_the_table(status: int, with_alternatives: Decision, alone: Decision) -> None:
    assert decided(status) == with_alternatives
    assert decided(status, alternatives=False) == alone


def test_every_status_has_one_class_and_every_class_a_rule() -> None:
    assert set(STATUS_CLASSES) == set(ALL_CLASSES)
    assert {classify(status) for status in range(0x500)} == set(ALL_CLASSES)
    assert [status for status in range(0x500) if classify(status) == "ok"] == [0]


def test_a_channels_own_table_wins() -> None:
    assert classify(0x401) == "unknown"
    assert classify(0x401, {0x401: "throttle"}) == "throttle"
    assert classify(Status.RSYSERR, {0x401: "throttle"}) == "temporary"


def test_a_status_nobody_knows_gets_one_other_channel_not_a_tour() -> None:
    assert decided(0xABC).again
    assert not decided(0xABC, refusals=1).again


@given(st.lists(st.integers(0, 0x600), min_size=1, max_size=40), st.integers(1, 6), st.booleans())
def test_a_message_refused_for_ever_ends(statuses: list[int], attempts_max: int, alternatives: bool) -> None:
    refusals = 0
    for status in statuses:
        decision = decided(status, refusals, alternatives=alternatives, attempts_max=attempts_max)
        if not decision.again:
            break
        assert decision.free == (classify(status) in FREE)
        refusals += not decision.free
        assert refusals < attempts_max


@given(st.integers(1, 0x600), st.integers(0, 10), st.integers(1, 6), st.booleans())
def test_only_what_is_not_the_messages_fault_is_free(status: int, refusals: int, attempts_max: int, alternatives: bool) -> None:
    decision = decided(status, refusals, alternatives=alternatives, attempts_max=attempts_max)
    assert decision.free == (classify(status) in FREE)
    assert decision.pause_channel == (classify(status) == "throttle")
    assert decision.rebind == (classify(status) == "session")
    if decision.never_here and decision.again:
        assert alternatives
