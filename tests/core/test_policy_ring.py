"""Rules in the ring: what they refuse is answered with the rule, what waits is asked about again, caps hold for all doors."""

from typing import Any

import msgspec
import pytest
import trio
from clock import START_UTC
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from makers import TO, account, config, message
from test_pipeline import FakeLane, started
from trio.testing import MockClock, wait_all_tasks_blocked

from config.policy import Budget, Cap, Keywords, OptOutHint, Policy, SegmentsMax, Signature, Window
from config.schema import Config
from gateway.core.pipeline import NOT_AGAIN
from gateway.core.submission import Submission
from gateway.store.base import Change, Membership, Unclear
from protocol.commands import Command
from protocol.status import Status
from protocol.text import decode_text
from routing.policy.caps import balance_purse, optout_set, trial_purse
from routing.records import Attempt, AttemptKey, Content, Message, MessageState, PartOf

CLOSES_S, OPENS_S, ENDS_S = 60.0, 120.0, 300.0
"""Of the window below, from START_UTC on, which is 16:00 in China."""
WINDOW = Window(intervals=["15:00-16:01", "16:02-16:05"])
NEXT = START_UTC + OPENS_S


def ruled(**rules: Any) -> Config:
    return config(policies=[Policy(**rules)])


def cap(limit: int, period: str = "24h", **fields: Any) -> Cap:
    return Cap(name="cap", limit=limit, period=period, **fields)


def parts(*texts: str, first: int = 1, **fields: Any) -> list[Message]:
    """What a sender cut itself."""
    found = []
    for at, text in enumerate(texts):
        header = bytes((5, 0, 3, first & 0xFF, len(texts), at + 1))
        content = Content(header + text.encode("utf-16-be"), 8, 0x40)
        more = {"state": MessageState.SCHEDULED, "not_before_utc": START_UTC + trio.current_time() + 60}
        found.append(message(first + at, content=content, part_of=PartOf(f"k{first}", len(texts), at + 1), **more, **fields))
    return found


class OtherDoor:
    """A second front, which wants its answers for itself."""

    def __init__(self) -> None:
        self.statuses: list[int] = []

    def remembered(self, submissions: Any) -> tuple[()]:
        return ()

    def answer(self, submissions: Any) -> None:
        self.statuses += [status for one in submissions for status in one.statuses]


# -- caps


async def test_two_doors_at_once_get_no_more_than_the_cap_through(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    ring, other = await started(nursery, ruled(caps=[cap(5)])), OtherDoor()
    for number in range(1, 41):
        one = Submission(1, 1_000 + number, Command.SUBMIT_SM, [message(number)])
        front = ring if number % 2 else other
        ring.pipeline.submit(front, [one])  # type: ignore[list-item]
        if number % 7 == 0:
            await ring.turn()
    await ring.turn()
    statuses = [*other.statuses, *(answer[0] for answer in ring.answers.values())]
    assert sorted(statuses) == [Status.ROK] * 5 + [Status.RTHROTTLED] * 35
    assert ring.store.ledger().accepted == 5
    assert ring.pipeline.figures.refused == {("notification", "frequency_cap"): 35}


@given(
    st.lists(st.lists(st.sampled_from(["8613800138000", "8613800138001"]), min_size=1, max_size=6), max_size=6),
    st.integers(1, 3),
)
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_comes_in_whatever_batches_no_recipient_gets_more(batches: list[list[str]], limit: int) -> None:
    async def run() -> None:
        async with trio.open_nursery() as nursery:
            ring = await started(nursery, ruled(caps=[cap(limit)]))
            number = 0
            for batch in batches:
                made = []
                for to in batch:
                    number += 1
                    made.append(message(number, destination=to))
                await ring.submit(*made)
            asked = [to for batch in batches for to in batch]
            for to in set(asked):
                got = [one for one in ring.store.records.values() if one.message.destination == to]
                assert len(got) == min(limit, asked.count(to))
            nursery.cancel_scope.cancel()

    trio.run(run, clock=MockClock(autojump_threshold=0))


async def test_a_refusal_keeps_its_rule_beside_its_status(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    rules = {"keywords": Keywords(words=["casino"]), "segments_max": SegmentsMax(notification=1), "caps": [cap(1)]}
    ring = await started(nursery, ruled(blacklist=["34*"], **rules))
    several = [
        message(1, data=b"casino"),
        message(2, parts=2),
        message(3, destination="34612345678"),
        message(4, destination="12"),
        message(5),
        message(6),
        message(7, destination="8613800138001"),
    ]
    submission = Submission(1, 7, Command.SUBMIT_MULTI, several)
    ring.pipeline.submit(ring, [submission])
    await ring.turn()
    expected = [Status.RSUBMITFAIL, Status.RINVMSGLEN, Status.RSUBMITFAIL, Status.RINVDSTADR, Status.ROK, Status.RTHROTTLED]
    assert submission.statuses == [*expected, Status.ROK]
    assert {at: (one.reason, one.rule) for at, one in submission.refusals.items()} == {
        0: ("keyword", "keywords"),
        1: ("too_long", "segments_max"),
        2: ("blacklisted", "blacklist"),
        3: ("invalid_number", "number"),
        5: ("frequency_cap", "cap"),
    }


async def test_money_is_taken_once_and_given_back_for_what_never_left(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    ring = await started(nursery, ruled(budget=Budget(price=10, prepaid=True, daily_max=1_000)), a=FakeLane("a", up=False))
    ring.store.fund(balance_purse("shop"), 25)
    daily = "daily\x1fshop\x1f2027-01-15"
    assert await ring.submit(message(1), message(2), message(3)) == [Status.ROK, Status.ROK, Status.RSUBMITFAIL]
    assert (ring.store.fund(balance_purse("shop"), 0), ring.store.fund(daily, 0)) == (5, 980)
    await trio.sleep(301)
    assert ring.states(1, 2) == [MessageState.EXPIRED] * 2
    assert (ring.store.fund(balance_purse("shop"), 0), ring.store.fund(daily, 0)) == (25, 1_000)


async def test_a_trial_is_so_many_messages_in_all_and_those_that_never_left_are_given_back(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    ring = await started(nursery, ruled(budget=Budget(trial_messages=3)), a=FakeLane("a", up=False))
    batch = [message(1), message(2, parts=5), *parts("一", "二", first=11), message(3)]
    assert await ring.submit(*batch) == [Status.ROK] * 4 + [Status.RSUBMITFAIL], "a cut message is one, whatever its length"
    assert ring.pipeline.figures.refused == {("notification", "quota"): 1}
    await trio.sleep(200)
    assert await ring.submit(message(4)) == [Status.RSUBMITFAIL], "time gives nothing back"
    await trio.sleep(101)
    assert ring.states(1, 2, 11) == [MessageState.EXPIRED] * 3
    again = [message(at, expires_utc=START_UTC + 9_000) for at in range(5, 9)]
    assert await ring.submit(*again) == [Status.ROK] * 3 + [Status.RSUBMITFAIL]
    ring.store.fund(trial_purse("shop"), 1)
    assert await ring.submit(message(21), message(22)) == [Status.ROK, Status.RSUBMITFAIL]
    ring.pipeline.configure(ruled())
    assert await ring.submit(message(31)) == [Status.ROK]


@given(st.lists(st.lists(st.booleans(), min_size=1, max_size=5), max_size=6), st.integers(1, 6))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_order_of_batches_gets_more_than_the_trial_through(batches: list[list[bool]], limit: int) -> None:
    """Some are cancelled before they leave, and count no more."""

    async def run() -> None:
        async with trio.open_nursery() as nursery:
            ring = await started(nursery, ruled(budget=Budget(trial_messages=limit)), a=FakeLane("a", up=False))
            number, open_ = 0, 0
            for batch in batches:
                made = [message(number + at) for at in range(1, len(batch) + 1)]
                number += len(batch)
                passed = [status == Status.ROK for status in await ring.submit(*made)]
                assert passed == [open_ + at <= limit for at in range(1, len(batch) + 1)]
                ended = [one.id for one, ok, cancel in zip(made, passed, batch, strict=True) if ok and cancel]
                _, settled = ring.store.change([Change(one) for one in ended], START_UTC)
                ring.pipeline.spread(settled)
                open_ += sum(passed) - len(ended)
            nursery.cancel_scope.cancel()

    trio.run(run, clock=MockClock(autojump_threshold=0))


# -- send windows


WINDOWS = {"windows": [WINDOW]}


def campaign(number: int = 1, validity_s: float = 86_400, **fields: Any) -> Message:
    return message(number, class_="marketing", expires_utc=START_UTC + trio.current_time() + validity_s, **fields)


async def test_what_comes_too_late_waits_until_the_window_opens(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    ring = await started(nursery, ruled(**WINDOWS), a=FakeLane("a"))
    await trio.sleep(CLOSES_S)
    one = campaign(arrival_utc=START_UTC + CLOSES_S)
    assert await ring.submit(one) == [Status.ROK]
    assert (ring.states(1), one.not_before_utc) == ([MessageState.SCHEDULED], NEXT)
    await trio.sleep(OPENS_S - CLOSES_S - 1)
    assert ring.lanes["a"].got == []
    await trio.sleep(2)
    assert ring.lanes["a"].take() == [1]


async def test_a_window_that_closes_while_a_message_waits_sends_it_in_the_next_and_counts_it_once(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    ring = await started(nursery, ruled(caps=[cap(1, "7d")], **WINDOWS), a=FakeLane("a", up=False))
    one = campaign()
    assert await ring.submit(one) == [Status.ROK]
    await trio.sleep(CLOSES_S)
    ring.lanes["a"].up = True
    ring.pipeline.lane_changed()
    await trio.sleep(1)
    assert (ring.states(1), one.not_before_utc) == ([MessageState.SCHEDULED], NEXT)
    assert await ring.submit(campaign(2)) == [Status.RTHROTTLED]
    await trio.sleep(OPENS_S - CLOSES_S + 1)
    assert ring.lanes["a"].take() == [1]
    key = await ring.begin(one)
    assert key.number == 1
    assert one.window_end_utc == START_UTC + ENDS_S


async def test_a_lane_that_is_too_late_gives_the_message_back(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    """It stood in the lane's queue when the window closed: `begin` says no, and nothing goes round in circles."""
    ring = await started(nursery, ruled(**WINDOWS), a=FakeLane("a"))
    one = campaign()
    await ring.submit(one)
    assert ring.lanes["a"].take() == [1]
    await trio.sleep(CLOSES_S)
    begun = await ring.pipeline.begin([Attempt(AttemptKey(1, 1, part), 2, "a", 0, 0) for part in (1, 2)])
    assert begun.may_leave == [False, False]
    await trio.sleep(1)
    assert (ring.states(1), one.not_before_utc, ring.lanes["a"].got) == ([MessageState.SCHEDULED], NEXT, [])
    assert ring.pipeline.dispatch.waiting() == {"verification": 0, "notification": 0, "marketing": 0}


async def test_a_message_that_would_be_too_old_in_the_next_window_ends(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    ring = await started(nursery, ruled(**WINDOWS), a=FakeLane("a", up=False))
    one = campaign(validity_s=100)
    await ring.submit(one)
    await trio.sleep(CLOSES_S)
    ring.lanes["a"].up = True
    ring.pipeline.lane_changed()
    await trio.sleep(1)
    assert (one.state, one.reason) == (MessageState.BLOCKED, NOT_AGAIN)
    assert [(notice.id, notice.state) for notice in ring.told] == [(1, MessageState.BLOCKED)]


async def test_a_resend_whose_window_has_closed_is_left_to_the_receipt(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    window = msgspec.structs.replace(WINDOW, classes=["notification"])
    ring = await started(nursery, ruled(windows=[window]), a=FakeLane("a"))
    one = message(1, expires_utc=START_UTC + 86_400)
    await ring.submit(one)
    key = await ring.begin(one)
    ring.lanes["a"].up = False
    ring.lanes["a"].take()
    await trio.sleep(CLOSES_S - 10)
    await ring.report(Unclear(key, START_UTC + CLOSES_S + 1))
    await trio.sleep(12)
    ring.lanes["a"].up = True
    ring.pipeline.lane_changed()
    await trio.sleep(1)
    assert ring.states(1) == [MessageState.UNKNOWN]
    assert ring.pipeline.dispatch.waiting()["notification"] == 0


async def test_rules_without_the_window_let_the_message_go(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    ring = await started(nursery, ruled(**WINDOWS), a=FakeLane("a", up=False))
    await ring.submit(campaign())
    await trio.sleep(CLOSES_S)
    ring.pipeline.configure(ruled())
    ring.lanes["a"].up = True
    ring.pipeline.lane_changed()
    await trio.sleep(1)
    assert ring.lanes["a"].take() == [1]


# -- opting out while it waits


async def test_who_opts_out_while_a_campaign_waits_does_not_get_it(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    ring = await started(nursery, ruled(caps=[cap(1)]), a=FakeLane("a"))
    one = campaign()
    await ring.submit(one)
    await ring.report(Membership(optout_set("shop"), TO, member=True))
    begun = await ring.pipeline.begin([Attempt(AttemptKey(1, 1, 1), 1, "a", 0, 0)])
    assert begun.may_leave == [False]
    assert (one.state, one.reason) == (MessageState.BLOCKED, "opted_out: optout (the recipient wants no more of these)")
    assert await ring.submit(campaign(2)) == [Status.RSUBMITFAIL]
    assert await ring.submit(message(3)) == [Status.ROK], "a notice is no campaign, and the cap's place was given back"


# -- messages that their sender cut


async def test_a_cap_counts_a_cut_message_once(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    ring = await started(nursery, ruled(caps=[cap(2)]), a=FakeLane("a"))
    assert await ring.submit(*parts("一", "二", "三")) == [Status.ROK] * 3
    assert sorted(ring.lanes["a"].take()) == [1, 2, 3]
    assert await ring.submit(*parts("一", "二", first=11)) == [Status.ROK] * 2
    assert await ring.submit(*parts("一", "二", first=21)) == [Status.RTHROTTLED, Status.ROK]
    assert sorted(ring.lanes["a"].take()) == [11, 12]
    await trio.sleep(61)
    assert ring.states(22) == [MessageState.REJECTED], "the rest of what was refused"


@pytest.mark.parametrize(
    ("rules", "texts", "reason"),
    [
        ({"keywords": Keywords(words=["赌博"])}, ("我们的赌", "博"), "keyword: keywords"),
        ({"signature": Signature(mode="add", text="品牌")}, ("您", "好"), "signature: signature"),
        ({"opt_out_hint": OptOutHint(mode="required", classes=[])}, ("您", "好"), "opt_out_hint: opt_out_hint"),
        ({"segments_max": SegmentsMax(notification=1)}, ("您", "好"), "too_long: segments_max"),
    ],
)
async def test_what_is_wrong_with_a_whole_text_ends_every_part_with_a_receipt(
    autojump_clock: MockClock, nursery: trio.Nursery, rules: Any, texts: tuple[str, ...], reason: str
) -> None:
    ring = await started(nursery, ruled(caps=[cap(1)], **rules), a=FakeLane("a"))
    assert await ring.submit(*parts(*texts)) == [Status.ROK] * 2, "nobody can tell yet"
    assert ring.states(1, 2) == [MessageState.BLOCKED] * 2
    assert [one.reason.startswith(reason) for one in ring.store.find([1, 2]) if one is not None] == [True] * 2
    assert sorted((notice.id, notice.state) for notice in ring.told) == [(1, MessageState.BLOCKED), (2, MessageState.BLOCKED)]
    assert ring.lanes["a"].got == []
    ring.pipeline.configure(ruled(caps=[cap(1)]))
    assert await ring.submit(message(9)) == [Status.ROK], "what it took was given back"


async def test_no_part_goes_to_who_has_opted_out_meanwhile(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    ring = await started(nursery, ruled(), a=FakeLane("a"))
    await ring.submit(*parts("一", "二", class_="marketing"))
    assert sorted(ring.lanes["a"].take()) == [1, 2]
    await ring.report(Membership(optout_set("shop"), TO, member=True))
    begun = await ring.pipeline.begin([Attempt(AttemptKey(number, 1, 1), 1, "a", 0, 0) for number in (1, 2)])
    assert begun.may_leave == [False, False]
    assert ring.states(1, 2) == [MessageState.BLOCKED] * 2


# -- what leaves is what the rules made of it


async def test_a_text_leaves_signed_and_stored_so(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    ring = await started(nursery, ruled(signature=Signature(mode="add", text="品牌")), a=FakeLane("a"))
    await ring.submit(message(1))
    (one,) = ring.lanes["a"].got
    assert decode_text(one.content.data, one.content.data_coding) == "【品牌】hello"


async def test_each_account_goes_by_its_own_policy(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    made = config(policies=[Policy(caps=[cap(1)]), Policy(name="strict", blacklist=["86*"])])
    accounts = [account("shop"), account("strict", policy="strict"), account("second")]
    ring = await started(nursery, Config(accounts=accounts, policies=made.policies, routes=made.routes, channels=made.channels))
    batch = [message(at, account=name) for at, name in enumerate(("shop", "strict", "second", "shop"), start=1)]
    assert await ring.submit(*batch) == [Status.ROK, Status.RSUBMITFAIL, Status.ROK, Status.RTHROTTLED]
    await wait_all_tasks_blocked()


async def test_ten_thousand_refusals_of_one_request_are_noted_one_by_one(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    ring = await started(nursery, ruled(blacklist=["86*"]))
    submission = Submission(1, 7, Command.SUBMIT_MULTI, [message(at) for at in range(1, 10_001)])
    ring.pipeline.submit(ring, [submission])
    await ring.turn()
    assert len(submission.refusals) == 10_000
    assert Submission(1, 8, Command.SUBMIT_SM, []).refusals == {}, "each has a table of its own"
