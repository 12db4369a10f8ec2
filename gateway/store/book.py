"""The rules of a store over what is in memory: every step decides here, and `changes` notes what it changed.

Alone it is the memory store: everything is in memory, and a restart forgets it. A durable store (`keeper.py`) holds the same
book over a vault: it brings what a step needs, lets the step decide, and writes the changes before anybody hears of them.
Ended messages stay for questions and repeated receipts, `finals_max` of them.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from config.schema import MessageClass
from gateway.store import states
from gateway.store.agenda import Due as Coming
from gateway.store.base import (
    Abandoned,
    Admission,
    Announce,
    Answered,
    Begun,
    CarrierReceipt,
    Change,
    Due,
    Final,
    Finish,
    Membership,
    MobileOriginated,
    NoticeDone,
    NoticeKept,
    NotSent,
    Outcome,
    Reach,
    Refused,
    Sent,
    Settled,
    Unclear,
    nothing_to_remember,
)
from gateway.store.evidence import is_about
from gateway.store.packedguards import guards_of, pack_guards
from gateway.store.recheck import WINDOW_CLOSED, recheck
from gateway.store.record import Record
from gateway.store.sealing import can_be_sealed
from gateway.store.telling import Telling
from gateway.store.traits import CORRELATION_S, attempt_of, is_out, needs_evidence, settled
from routing.guards import Guard
from routing.records import Attempt, AttemptKey, AttemptState, Message, MessageState

FREE_KEPT = 2
"""Refusals a message's trail shows of carriers that were too busy."""


class Book(Telling):
    """See the module. `receipt_grace_s`: how long after its validity a message in a carrier's hands is waited for.

    `alone`: nothing else holds what is not here, so what has ended may be forgotten without asking.
    """

    def __init__(
        self,
        boot: str = "",
        *,
        finals_max: int = 100_000,
        parked_max: int = 100_000,
        receipt_grace_s: float = 60.0,
        alone: bool = True,
    ) -> None:
        super().__init__(alone=alone, parked_max=parked_max, receipt_grace_s=receipt_grace_s)
        self.boot = boot
        self.second_try: Callable[[Message, Attempt], bool] = lambda _message, _attempt: False
        """Whether a code whose receipt tells of a temporary failure may go once more, by another channel."""
        self.finals_max = finals_max
        self._settlers: dict[type, Callable[[Any, Settled, float], None]] = {
            Sent: self._sent,
            Refused: self._refused,
            NotSent: self._not_sent,
            Unclear: self._became_unclear,
            Abandoned: self._abandoned,
            CarrierReceipt: self._receipt,
            MobileOriginated: self._announced,
            Announce: self._announced,
            Finish: self._finish,
            NoticeDone: self._notice_done,
            NoticeKept: self._notice_kept,
            Membership: self._membership,
            Reach: self._reach,
        }

    # -- accepting

    def admit(self, batch: Sequence[Admission], utc: float, answered: Answered = nothing_to_remember) -> list[Guard | None]:
        refused: list[Guard | None] = []
        for one in batch:
            if one.message.id in self.records:
                refused.append(None)  # the answer to the first time was lost
                continue
            guard = self.guards.check(one.guards, utc) if one.guards else None
            refused.append(guard)
            if guard is None:
                self._store(one, utc)
        for record in answered(refused):
            self.remember(record)
        return refused

    def _store(self, admission: Admission, utc: float) -> None:
        message = admission.message
        message.accepted_utc = utc
        record = Record(message, [], pack_guards(admission.guards))
        self.records[message.id] = self.changes.admitted[message.id] = record
        self.newest_id = max(self.newest_id, message.id)
        self.changes.void.pop(message.id, None)
        self.accepted += 1
        self.states[message.state] += 1
        self.indexes.add(record)

    def void(self, message_ids: Iterable[int]) -> None:
        """Take back what was admitted, for its sender was told that it was not."""
        for message_id in message_ids:
            if message_id not in self.records:
                continue
            record = self.unload(message_id)
            self.accepted -= 1
            self.states[record.message.state] -= 1
            self.guards.take_back(guards_of(record), record.message.accepted_utc)
            self.changes.drop(message_id)
            self.changes.void[message_id] = None

    def release(self, message_ids: Sequence[int], utc: float) -> list[Message]:
        found = []
        for message_id in message_ids:
            record = self.records.get(message_id)
            if record is None or record.message.state is not states.SCHEDULED:
                continue
            message = record.message
            message.group_whole = True
            self._touch(record)
            if message.due_utc > utc:
                message.not_before_utc = message.due_utc
                self.indexes.agenda.add(message.due_utc, Coming.RELEASE, message.id)
            else:
                self._move(record, states.QUEUED)
                found.append(message)
        return found

    # -- sending

    def begin(self, attempts: Sequence[Attempt], now: float, utc: float) -> Begun:
        done = Settled([], [], [])
        return Begun([self._begin(attempt, done, now, utc) for attempt in attempts], done)

    def _begin(self, attempt: Attempt, done: Settled, now: float, utc: float) -> bool:
        record = self.records.get(attempt.key.message_id)
        if record is None or (record.attempts and attempt_of(record, attempt.key) is not None):
            return False
        message = record.message
        first = attempt.key.number == message.tries + 1 and message.state is states.QUEUED
        further = attempt.key.number == message.tries and message.state is states.IN_FLIGHT
        if not first and not further:
            return False
        if utc >= message.expires_utc:
            self._expired(record, attempt.key.number, done, utc)
            return False
        if first and (why := recheck(record, self.guards, utc, asks=message.id <= self.unsure_to)):
            if why is WINDOW_CLOSED:
                if not done.requeue or done.requeue[-1] is not message:  # all its parts ask, one after the other
                    done.requeue.append(message)
            elif states.open_elsewhere(record.attempts, attempt.key.number):
                self._end(record, MessageState.UNKNOWN, states.NO_RECEIPT, done, utc)
            else:
                self._end(record, MessageState.BLOCKED, why, done, utc)
            return False
        if first and record.guards and not isinstance(record.guards, bytes):
            self.guards.mark(record.guards, message.id, utc)
        message.tries = attempt.key.number
        message.channel = attempt.channel
        self._move(record, states.IN_FLIGHT)
        attempt.begun, attempt.begun_utc, attempt.boot = now, utc, self.boot
        record.attempts.append(attempt)
        return True

    # -- settling

    def settle(self, outcomes: Sequence[Outcome], utc: float) -> Settled:
        done = Settled([], [], [])
        self._mark_unclear(outcomes)
        self._unmatched: list[CarrierReceipt] = []
        for at, outcome in enumerate(outcomes):
            self.ask_for(outcomes, at)
            self._settlers[type(outcome)](outcome, done, utc)
        for receipt in self._unmatched:
            if not self._by_id(receipt, done, utc):
                self._by_evidence(receipt, done, utc)
        return done

    def _open(self, key: AttemptKey) -> tuple[Record, Attempt] | None:
        """An attempt whose outcome is not known yet."""
        record = self.records.get(key.message_id)
        attempt = None if record is None else attempt_of(record, key)
        if record is None or attempt is None or attempt.state not in states.UNANSWERED:
            return None
        return record, attempt

    def _sent(self, outcome: Sent, done: Settled, utc: float) -> None:
        record = self.records.get(outcome.key.message_id)
        attempt = None if record is None else attempt_of(record, outcome.key)
        if record is None or attempt is None or attempt.carrier_id:
            return
        attempt.answered = outcome.at
        attempt.carrier_id, attempt.carrier_spelling = outcome.carrier_id, outcome.spelling
        if attempt.state in states.UNANSWERED:
            self._identified(attempt, record)
            attempt.state = states.SENT
            record.message.cost += attempt.cost
        self._touch(record)
        if outcome.carrier_id:
            self.indexes.by_carrier[attempt.channel, outcome.carrier_id] = record, attempt
            self.seals.forget((attempt.channel, outcome.carrier_id))
            early = self.parked.take(attempt.channel, outcome.carrier_id)
            if early is not None:
                self._apply(early, attempt, record, done, utc)
        elif attempt.state is states.SENT:
            self.indexes.unidentified.add(attempt, record)
            self._seek_evidence(attempt, record, done, utc)

    def _refused(self, outcome: Refused, done: Settled, utc: float) -> None:
        found = self._open(outcome.key)
        if found is None:
            return
        record, attempt = found
        message = record.message
        self._identified(attempt, record)
        attempt.state = AttemptState.REFUSED
        attempt.answered, attempt.command_status = outcome.at, outcome.status
        self._touch(record)
        if outcome.free and sum(one.state is AttemptState.REFUSED for one in record.attempts) > FREE_KEPT:
            record.attempts.remove(attempt)  # it was only too early; a storm of these must not pile up
        if message.state is not states.IN_FLIGHT or outcome.key.number != message.tries:
            return
        message.refusals += not outcome.free
        if outcome.never_here:
            message.tried = (*message.tried, attempt.channel)
        if outcome.again:
            self._move(record, states.QUEUED)
            done.requeue.append(message)
        elif not states.open_elsewhere(record.attempts, outcome.key.number):
            message.err = outcome.status
            self._end(record, MessageState.REJECTED, outcome.reason, done, utc)

    def _not_sent(self, outcome: NotSent, done: Settled, _utc: float) -> None:
        found = self._open(outcome.key)
        if found is None:
            return
        record, attempt = found
        message = record.message
        self._identified(attempt, record)
        record.attempts.remove(attempt)
        self._touch(record)
        if not outcome.kept and message.state is states.IN_FLIGHT and outcome.key.number == message.tries:
            self._move(record, states.QUEUED)
            done.requeue.append(message)

    def _mark_unclear(self, outcomes: Sequence[Outcome]) -> None:
        """Whether a receipt fits one attempt alone is seen only when all that became unclear at once are known."""
        self._unclear: set[AttemptKey] = set()
        for outcome in outcomes:
            if type(outcome) is Unclear:
                found = self._open(outcome.key)
                if found is not None and found[1].state is states.SENDING:
                    found[1].state = states.UNKNOWN
                    self._touch(found[0])
                    self.indexes.unidentified.add(found[1], found[0])
                    self._unclear.add(outcome.key)

    def _became_unclear(self, outcome: Unclear, done: Settled, utc: float) -> None:
        found = self._open(outcome.key) if outcome.key in self._unclear else None
        if found is None:
            return  # it was unclear before, or its answer came with the same batch
        record, attempt = found
        if not self._seek_evidence(attempt, record, done, utc) and outcome.resend_utc is not None:
            attempt.resend_utc = outcome.resend_utc
            self.indexes.agenda.add(outcome.resend_utc, Coming.RESEND, record.message.id)

    def _seek_evidence(self, attempt: Attempt, record: Record, done: Settled, utc: float) -> bool:
        """An attempt without the carrier's id: a receipt that came early, or one that will, may tell. Gives whether one has."""
        early = self.parked.take_about(attempt, record.message.destination, self.indexes.unidentified)
        if early is not None:
            attempt.evidence = "early receipt"
            self._apply(early, attempt, record, done, utc)
        return early is not None

    def _abandoned(self, outcome: Abandoned, done: Settled, _utc: float) -> None:
        record = self.records.get(outcome.message_id)
        if record is None:
            return
        message = record.message
        if message.state is states.IN_FLIGHT and message.tries == outcome.number:
            message.possible_duplicate = True
            self._move(record, states.QUEUED)
            done.requeue.append(message)

    def _receipt(self, receipt: CarrierReceipt, done: Settled, utc: float) -> None:
        if not self._by_id(receipt, done, utc):
            self._unmatched.append(receipt)  # it may have overtaken, on another bind, an answer that is in this batch too

    def _by_id(self, receipt: CarrierReceipt, done: Settled, utc: float) -> bool:
        """Apply a receipt for a known id. Gives whether it is known."""
        for candidate in receipt.candidates:
            known = self.indexes.by_carrier.get((receipt.channel, candidate))
            if known is not None and is_about(receipt, *known):
                self._apply(receipt, known[1], known[0], done, utc)
                return True
        return self.seals.is_repeated(receipt)

    def _by_evidence(self, receipt: CarrierReceipt, done: Settled, utc: float) -> None:
        guess = self.indexes.unidentified.about(receipt)
        if guess is not None:
            guess[0].evidence = "receipt"
            self._apply(receipt, *guess, done, utc)
        else:
            done.parked += 1
            self.parked.add(receipt, utc)

    def _apply(self, receipt: CarrierReceipt, attempt: Attempt, record: Record, done: Settled, utc: float) -> None:
        if attempt.state in states.FINISHED:
            return
        after = states.attempt_after(receipt.state)
        attempt.receipt, attempt.err = receipt.stat or receipt.state.name, receipt.err
        self._touch(record)
        if after is None:
            return
        self._identified(attempt, record)
        attempt.state = after
        message = record.message
        if settled(message):
            return
        if after is AttemptState.DELIVERED:
            by = states.delivered(record.attempts)
            if by is not None:
                self._end(record, MessageState.DELIVERED, "", done, utc, delivered_by=by, receipt=receipt)
            return
        elsewhere = states.open_elsewhere(record.attempts, attempt.key.number)
        if elsewhere or message.state is states.QUEUED:
            return
        if receipt.temporary and self._goes_again(record, attempt, utc):
            message.tried = (*message.tried, attempt.channel)
            self._move(record, states.QUEUED)
            done.requeue.append(message)
        else:
            message.err = states.error_code(receipt.err)
            reason = f"{attempt.receipt} {receipt.err}".strip()
            self._end(record, states.failed_as(receipt.state), reason, done, utc, receipt=receipt)

    def _goes_again(self, record: Record, attempt: Attempt, utc: float) -> bool:
        """A code that has failed once, for a while only, and still has time."""
        message = record.message
        failed = sum(one.state is AttemptState.FAILED and one.key.number != attempt.key.number for one in record.attempts)
        fits = message.class_ == "verification" and not failed and utc < message.expires_utc and message.part_of is None
        return fits and self.second_try(message, attempt)

    def _identified(self, attempt: Attempt, record: Record) -> None:
        """Its outcome or its id is known: no receipt needs to be guessed about it."""
        if needs_evidence(attempt):
            self.indexes.unidentified.discard(attempt, record.message.destination)

    def _finish(self, outcome: Finish, done: Settled, utc: float) -> None:
        record = self.records.get(outcome.message_id)
        if record is not None and record.message.state not in states.FINAL:
            self._end(record, outcome.state, outcome.reason, done, utc)

    # -- states

    def _touch(self, record: Record) -> None:
        self.changes.changed[record.message.id] = record

    def _move(self, record: Record, state: MessageState) -> None:
        message = record.message
        self.states[message.state] -= 1
        self.states[state] += 1
        message.state = state
        self.changes.changed[message.id] = record

    def _end(
        self,
        record: Record,
        state: MessageState,
        reason: str,
        done: Settled,
        utc: float,
        *,
        delivered_by: Attempt | None = None,
        receipt: CarrierReceipt | None = None,
    ) -> None:
        message = record.message
        correction = message.state in states.FINAL
        self.indexes.agenda.drop(message.expires_utc, Coming.EXPIRE, message.id)
        self._move(record, state)
        message.reason = reason
        if delivered_by is None or receipt is None:
            message.final_utc = utc
            final = Final(message, message.channel, correction=correction, receipt=receipt)
        else:
            message.final_utc = receipt.at_utc
            clocks = states.latencies(message, delivered_by, self.boot, receipt.at, receipt.at_utc)
            final = Final(message, delivered_by.channel, *clocks, correction, receipt)
        done.finals.append(final)
        self.rollups.add(final, utc)
        if record.guards and delivered_by is None and not correction and not is_out(record):
            self.guards.release(guards_of(record), message.accepted_utc)
        record.guards = ()  # nobody asks again, and the history is smaller without
        self._tell(final, done, utc)
        if not self.alone and settled(message) and can_be_sealed(record) and not self.indexes.has_alias(message):
            self.seal(record)
        elif self.alone or reason != states.NO_RECEIPT:
            self.ended[message.id] = None
        else:
            self.indexes.agenda.add(message.expires_utc + CORRELATION_S, Coming.CLOSE, message.id)
        while self.alone and len(self.ended) > self.finals_max:
            self.unload(self.ended.popitem(last=False)[0])

    # -- time

    def take_due(self, utc: float) -> Due:
        due = Due([], [], [], Settled([], [], []))
        while (found := self.indexes.agenda.take(utc)) is not None:
            kind, number = found
            if kind is Coming.NOTICE:
                self._give_up(number, due)
                continue
            record = self.records.get(number)
            if record is not None:
                self._come_due(record, kind, due, utc)
        due.incomplete = list({one.id: one for one in due.incomplete}.values())
        return due

    def _come_due(self, record: Record, kind: Coming, due: Due, utc: float) -> None:
        message = record.message
        if message.state in states.FINAL:
            if kind is Coming.CLOSE and not settled(message):
                self.ended[message.id] = None
                self._touch(record)
        elif kind is Coming.EXPIRE:
            self._expire(record, due, utc)
        elif kind is Coming.RELEASE and message.state is states.SCHEDULED and utc >= message.not_before_utc:
            if message.part_of is not None and not message.group_whole:
                due.incomplete.append(message)
            else:
                self._move(record, states.QUEUED)
                due.queued.append(message)
        elif kind is Coming.RESEND and states.resendable(message, record.attempts):
            message.possible_duplicate = True
            self._move(record, states.QUEUED)
            due.queued.append(message)

    def _expire(self, record: Record, due: Due, utc: float) -> None:
        message = record.message
        if utc < message.expires_utc:
            return  # replaced since; the new validity has an entry of its own
        if message.state is not states.IN_FLIGHT:
            self._expired(record, message.tries + 1, due.settled, utc)
        elif utc < message.expires_utc + self.receipt_grace_s:
            self.indexes.agenda.add(message.expires_utc + self.receipt_grace_s, Coming.EXPIRE, message.id)
        else:
            self._end(record, MessageState.UNKNOWN, states.NO_RECEIPT, due.settled, utc)

    def _expired(self, record: Record, number: int, done: Settled, utc: float) -> None:
        """The validity is over before attempt `number`; an earlier one that is open may have delivered it all the same."""
        if states.open_elsewhere(record.attempts, number):
            self._end(record, MessageState.UNKNOWN, states.NO_RECEIPT, done, utc)
        else:
            self._end(record, MessageState.EXPIRED, "validity over before a carrier took it", done, utc)

    # -- senders' wishes and questions

    def change(self, changes: Sequence[Change], utc: float) -> tuple[list[bool], Settled]:
        done = Settled([], [], [])
        possible = []
        for message_id, fields in changes:
            record = self.records.get(message_id)
            if record is None or record.message.state not in states.NOT_LEFT or is_out(record):
                possible.append(False)
                continue
            possible.append(True)
            if fields is None:
                self._end(record, MessageState.CANCELLED, "cancelled by the sender", done, utc)
            else:
                self._replace(record, fields)
        return possible, done

    def _replace(self, record: Record, fields: dict[str, object]) -> None:
        message = record.message
        for name, value in fields.items():
            setattr(message, name, value)
        self.changes.rewritten[message.id] = record
        if "not_before_utc" in fields and message.not_before_utc:
            self._move(record, states.SCHEDULED)
            self.indexes.agenda.add(message.not_before_utc, Coming.RELEASE, message.id)
        if "expires_utc" in fields:
            self.indexes.agenda.add(message.expires_utc, Coming.EXPIRE, message.id)

    def page_in(self, class_: MessageClass, limit: int) -> list[Message]:  # noqa: ARG002 - everything is in memory already
        return []
