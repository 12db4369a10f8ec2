"""Contract: any order of steps keeps the ledger balanced, states advancing, finals told once, and marketing sent once."""

from collections import Counter
from collections.abc import Callable
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from story import Story

from config.schema import CLASSES
from gateway.store.base import Abandoned, Change, Finish, NoticeDone, NotSent, Settled, Store, Unclear
from gateway.store.states import NO_RECEIPT
from protocol.receipt import MessageState as CarrierState
from routing.records import AttemptKey, AttemptState, MessageState

RESEND_S = {"verification": 3.0, "notification": 30.0, "marketing": None}
NEXT = {
    MessageState.SCHEDULED: {MessageState.QUEUED},
    MessageState.QUEUED: {MessageState.IN_FLIGHT, MessageState.SCHEDULED},
    MessageState.IN_FLIGHT: {MessageState.QUEUED},
}
DEAD = (AttemptState.REFUSED, AttemptState.FAILED)
picks = st.integers(0, 1_000)
Crash = Callable[[Any, float], tuple[Store, Settled]]
"""Ends a store at a moment as a dying process does; gives the one that starts after, and what recovery settled."""


class Life(RuleBasedStateMachine):
    """The model: the last state of every message, and how often its end was told."""

    def __init__(self, fresh_store: Callable[[], Store], crash: Crash) -> None:
        super().__init__()
        self.story = Story(fresh_store())
        self.crashed = crash
        self.states: dict[int, MessageState] = {}
        self.ended: Counter[int] = Counter()
        self.told: Counter[int] = Counter()
        self.asked: set[int] = set()
        self.corrected: set[int] = set()
        self.keys: list[AttemptKey] = []
        self.past: list[Any] = []

    # -- the model follows

    def note(self, settled: Settled) -> None:
        for final in settled.finals:
            self.ended[final.message.id] += 1
        for notice in settled.notices:
            self.told[abs(notice.id)] += 1  # a correction is a notice of its own

    def follow(self) -> None:
        """Every message moved only where it may."""
        for number, before in list(self.states.items()):
            (message,) = self.story.store.find([number])
            assert message is not None
            after = message.state
            if before.final and after is not before:
                assert before is MessageState.UNKNOWN
                assert number not in self.corrected, "corrected once"
                self.corrected.add(number)
            elif after is not before:
                assert (
                    after.final or after in NEXT[before] or after in {two for one in NEXT[before] for two in NEXT.get(one, ())}
                )
            self.states[number] = after
            assert self.ended[number] == after.final + (number in self.corrected)
            assert self.told[number] == (self.ended[number] if number in self.asked else 0)

    def settle(self, *outcomes: Any) -> None:
        self.past += outcomes
        self.note(self.story.settle(*outcomes))
        self.follow()

    # -- steps

    @rule(class_=st.sampled_from(CLASSES), asked=st.booleans(), scheduled=st.booleans(), validity=st.sampled_from((5, 300)))
    def admit(self, class_: str, asked: bool, scheduled: bool, validity: int) -> None:
        later = {"state": MessageState.SCHEDULED, "not_before_utc": self.story.utc + 2} if scheduled else {}
        message = self.story.accepted(
            class_=class_, registered_delivery=int(asked), expires_utc=self.story.utc + validity, **later
        )
        self.states[message.id] = message.state
        if asked:
            self.asked.add(message.id)

    def pick(self, pick: int) -> Any:
        message = self.story.store.find([1 + pick % len(self.states)])[0]
        assert message is not None
        return message

    def may_be_complete(self, number: int, before: int) -> bool:
        """Whether all parts of an earlier attempt may have reached the recipient."""
        attempts = [one for one in self.story.store.attempts(number) if one.key.number < before]
        whole = [[one for one in attempts if one.key.number == at] for at in {one.key.number for one in attempts}]
        return any(len(parts) == parts[0].parts and all(one.state not in DEAD for one in parts) for parts in whole)

    @precondition(lambda self: self.states)
    @rule(pick=picks, parts=st.integers(1, 3), channel=st.sampled_from("ab"), number=st.sampled_from((1, 1, 1, 0, 2)))
    def begin(self, pick: int, parts: int, channel: str, number: int) -> None:
        message = self.pick(pick)
        number += message.tries
        attempts = [
            self.story.attempt(message, number=number, part=part, parts=parts, channel=channel) for part in range(1, parts + 1)
        ]
        if number == message.tries:
            gone = {one.key for one in self.story.store.attempts(message.id)}
            attempts = [one for one in attempts if one.key not in gone]
        state, expired = message.state, self.story.utc >= message.expires_utc
        begun = self.story.begin(*attempts)
        self.note(begun.settled)
        for attempt, may_leave in zip(attempts, begun.may_leave, strict=True):
            if may_leave:
                assert not expired
                assert state in (MessageState.QUEUED, MessageState.IN_FLIGHT)
                assert message.class_ != "marketing" or not self.may_be_complete(message.id, number), "marketing left twice"
                self.keys.append(attempt.key)
        self.follow()

    @precondition(lambda self: self.keys)
    @rule(pick=picks, kind=st.sampled_from(("sent", "refused", "refused", "not_sent", "unclear")), flags=st.integers(0, 7))
    def answer(self, pick: int, kind: str, flags: int) -> None:
        key = self.keys[pick % len(self.keys)]
        message = self.pick(key.message_id - 1)
        again, never_here, free = bool(flags & 1), bool(flags & 2), bool(flags & 4)
        if kind == "sent":
            self.settle(self.story.answer(key, f"id-{key.message_id}-{key.number}-{key.part}"))
        elif kind == "refused":
            self.settle(self.story.refusal(key, again=again, never_here=never_here, free=free))
        elif kind == "not_sent":
            self.settle(NotSent(key, kept=again))
        else:
            after = RESEND_S[message.class_]
            self.settle(Unclear(key, None if after is None or message.possible_duplicate else self.story.utc + after))

    @precondition(lambda self: self.keys)
    @rule(pick=picks, told=st.sampled_from(CarrierState), channel=st.sampled_from("ab"), how=st.integers(0, 3))
    def receipt(self, pick: int, told: CarrierState, channel: str, how: int) -> None:
        key = self.keys[pick % len(self.keys)]
        known = f"id-{key.message_id}-{key.number}-{key.part}"
        candidates = ((known,), ("strange", known), ("nobody's",), ())[how]
        self.settle(
            self.story.receipt(*candidates, state=told, channel=channel, user_reference=key.number if how > 1 else None)
        )

    @precondition(lambda self: self.keys)
    @rule(pick=picks)
    def abandon(self, pick: int) -> None:
        key = self.keys[pick % len(self.keys)]
        if self.pick(key.message_id - 1).class_ != "marketing":
            self.settle(Abandoned(key.message_id, key.number))

    @precondition(lambda self: self.past)
    @rule(pick=picks)
    def repeat(self, pick: int) -> None:
        past = self.past[pick % len(self.past)]
        if not isinstance(past, Unclear):
            self.settle(past)

    @precondition(lambda self: self.states)
    @rule(pick=picks, cancel=st.booleans())
    def end(self, pick: int, cancel: bool) -> None:
        message = self.pick(pick)
        before = message.state
        if cancel:
            out = any(one.state is not AttemptState.REFUSED for one in self.story.store.attempts(message.id))
            (done,), settled = self.story.store.change([Change(message.id)], self.story.utc)
            assert not done or (not out and before in (MessageState.SCHEDULED, MessageState.QUEUED))
            self.note(settled)
            self.follow()
        else:
            self.settle(Finish(message.id, MessageState.REJECTED, "no route"))

    @precondition(lambda self: self.states)
    @rule(pick=picks)
    def acknowledge(self, pick: int) -> None:
        number = self.pick(pick).id
        self.settle(NoticeDone(number, "shop"))
        assert number not in {one for one, _ in self.story.notices()}

    @rule(seconds=st.sampled_from((0.5, 3.0, 30.0, 400.0)))
    def wait(self, seconds: float) -> None:
        due = self.story.wait(seconds)
        assert all(message.state is MessageState.QUEUED or message.state.final for message in due.queued)
        self.note(due.settled)
        self.follow()

    @rule()
    def crash(self) -> None:
        """The process dies and starts again: everything is as it was, only what was sending is unknown."""
        before, notices = self.story.store.ledger(), self.story.notices()
        attempts = {number: self.story.store.attempts(number) for number in self.states}
        self.story.store, settled = self.crashed(self.story.store, self.story.utc)
        self.note(settled)
        after = self.story.store.ledger()
        assert after.accepted == before.accepted
        assert sum(after.final.values()) == sum(before.final.values()) + sum(not one.correction for one in settled.finals)
        assert sorted(self.story.notices()) == sorted(notices + [(one.id, one.state) for one in settled.notices])
        for number, old in attempts.items():
            assert [one.key for one in self.story.store.attempts(number)] == [one.key for one in old]
        self.follow()

    # -- what always holds

    @invariant()
    def the_ledger_is_what_the_messages_are(self) -> None:
        ledger = self.story.store.ledger()
        counted = Counter(self.states.values())
        assert ledger.balanced
        assert ledger.accepted == len(self.states)
        assert (ledger.scheduled, ledger.queued, ledger.in_flight) == tuple(counted[MessageState(at)] for at in range(3))
        assert +Counter(ledger.final) == Counter({state.name.lower(): n for state, n in counted.items() if state.final})

    @invariant()
    def what_we_closed_ourselves_says_so(self) -> None:
        for number, state in self.states.items():
            if state is MessageState.UNKNOWN:
                assert self.story.store.find([number])[0].reason == NO_RECEIPT  # type: ignore[union-attr]

    def teardown(self) -> None:
        """In the end everything ends."""
        for _ in range(3):
            self.wait(100_000)
        assert all(state.final for state in self.states.values())


def test_any_order_of_steps_keeps_the_promises(fresh_store: Callable[[], Store], crash: Crash) -> None:
    run_state_machine_as_test(
        lambda: Life(fresh_store, crash), settings=settings(max_examples=150, stateful_step_count=40, deadline=None)
    )
