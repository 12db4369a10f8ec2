"""A store in plain dictionaries: every rule of the interface, nothing on disk. A restart forgets everything.

For tests, demonstrations and load tests of the path itself. It is also the model the durable stores are held to.
Ended messages are kept for queries and late receipts, `finals_max` of them.
"""

import heapq
from collections import Counter, OrderedDict
from collections.abc import Callable, Sequence
from itertools import islice
from typing import Any

from config.schema import MessageClass
from gateway.store import states
from gateway.store.base import (
    Abandoned,
    Admission,
    Begun,
    CarrierReceipt,
    Change,
    Due,
    Final,
    Finish,
    Guard,
    Ledger,
    MobileOriginated,
    NoticeDone,
    NotSent,
    Outcome,
    Refused,
    Sent,
    Settled,
    Unclear,
)
from gateway.store.evidence import Parked, Unidentified
from gateway.store.guards import GuardBook
from routing.records import Attempt, AttemptKey, AttemptState, Message, MessageState, Notice

_RESEND, _RELEASE, _EXPIRE = 0, 1, 2
NUMBER_TAIL = 7
"""Carriers write numbers with and without country code; so many last digits tell two subscribers apart."""


class MemoryStore:
    """See the module. `receipt_grace_s`: how long after its validity a message in a carrier's hands is waited for."""

    def __init__(
        self, boot: str = "", *, finals_max: int = 100_000, parked_max: int = 100_000, receipt_grace_s: float = 60.0
    ) -> None:
        self.boot = boot
        self.finals_max = finals_max
        self.receipt_grace_s = receipt_grace_s
        self._messages: dict[int, Message] = {}
        self._finals: OrderedDict[int, None] = OrderedDict()
        self._attempts: dict[int, list[Attempt]] = {}
        self._by_carrier: dict[tuple[str, str], Attempt] = {}
        self._unidentified = Unidentified()
        self._parked = Parked(parked_max)
        self._aliases: dict[tuple[str, str], list[int]] = {}
        self._due: list[tuple[float, int, int]] = []
        self._notices: dict[str, OrderedDict[int, Notice]] = {}
        self._notice_owner: dict[int, str] = {}
        self._guards = GuardBook()
        self._states: Counter[MessageState] = Counter()
        self._accepted = 0
        self._settlers: dict[type, Callable[[Any, Settled, float], None]] = {
            Sent: self._sent,
            Refused: self._refused,
            NotSent: self._not_sent,
            Unclear: self._became_unclear,
            Abandoned: self._abandoned,
            CarrierReceipt: self._receipt,
            MobileOriginated: self._mobile_originated,
            Finish: self._finish,
            NoticeDone: self._notice_done,
        }

    # -- accepting

    def admit(self, batch: Sequence[Admission], utc: float) -> list[Guard | None]:
        refused: list[Guard | None] = []
        for one in batch:
            if one.message.id in self._messages:
                refused.append(None)  # the answer to the first time was lost
                continue
            guard = self._guards.check(one.guards, utc) if one.guards else None
            refused.append(guard)
            if guard is None:
                self._store(one.message, utc)
        return refused

    def _store(self, message: Message, utc: float) -> None:
        message.accepted_utc = utc
        self._messages[message.id] = message
        self._accepted += 1
        self._states[message.state] += 1
        if message.public_id != str(message.id):
            self._aliases.setdefault((message.account, message.public_id), []).append(message.id)
        if message.state is MessageState.SCHEDULED:
            heapq.heappush(self._due, (message.not_before_utc, _RELEASE, message.id))
        heapq.heappush(self._due, (message.expires_utc, _EXPIRE, message.id))

    def release(self, message_ids: Sequence[int], utc: float) -> list[Message]:
        found = []
        for message_id in message_ids:
            message = self._messages.get(message_id)
            if message is None or message.state is not MessageState.SCHEDULED:
                continue
            message.group_whole = True
            if message.due_utc > utc:
                message.not_before_utc = message.due_utc
                heapq.heappush(self._due, (message.due_utc, _RELEASE, message.id))
            else:
                self._move(message, MessageState.QUEUED)
                found.append(message)
        return found

    # -- sending

    def begin(self, attempts: Sequence[Attempt], now: float, utc: float) -> Begun:
        settled = Settled([], [], [])
        return Begun([self._begin(attempt, settled, now, utc) for attempt in attempts], settled)

    def _begin(self, attempt: Attempt, settled: Settled, now: float, utc: float) -> bool:
        message = self._messages.get(attempt.key.message_id)
        if message is None or self._attempt(attempt.key) is not None:
            return False
        first = attempt.key.number == message.tries + 1 and message.state is MessageState.QUEUED
        further = attempt.key.number == message.tries and message.state is MessageState.IN_FLIGHT
        if not first and not further:
            return False
        if utc >= message.expires_utc:
            self._expired(message, attempt.key.number, settled, utc)
            return False
        message.tries = attempt.key.number
        message.channel = attempt.channel
        self._move(message, MessageState.IN_FLIGHT)
        attempt.begun, attempt.begun_utc, attempt.boot = now, utc, self.boot
        self._attempts.setdefault(message.id, []).append(attempt)
        return True

    # -- settling

    def settle(self, outcomes: Sequence[Outcome], utc: float) -> Settled:
        settled = Settled([], [], [])
        for outcome in outcomes:
            self._settlers[outcome.__class__](outcome, settled, utc)
        return settled

    def _attempt(self, key: AttemptKey) -> Attempt | None:
        return next((one for one in self._attempts.get(key.message_id, ()) if one.key == key), None)

    def _sent(self, outcome: Sent, settled: Settled, utc: float) -> None:
        attempt = self._attempt(outcome.key)
        if attempt is None or attempt.carrier_id:
            return
        attempt.answered = outcome.at
        attempt.carrier_id, attempt.carrier_spelling = outcome.carrier_id, outcome.spelling
        if attempt.state in (AttemptState.SENDING, AttemptState.UNKNOWN):
            self._identified(attempt)
            attempt.state = AttemptState.SENT
        if outcome.carrier_id:
            self._by_carrier[attempt.channel, outcome.carrier_id] = attempt
            early = self._parked.take(attempt.channel, outcome.carrier_id)
            if early is not None:
                self._apply(early, attempt, settled, utc)
        elif attempt.state is AttemptState.SENT:
            self._seek_evidence(attempt, settled, utc)

    def _refused(self, outcome: Refused, settled: Settled, utc: float) -> None:
        attempt = self._attempt(outcome.key)
        if attempt is None or attempt.state not in (AttemptState.SENDING, AttemptState.UNKNOWN):
            return
        self._identified(attempt)
        attempt.state = AttemptState.REFUSED
        attempt.answered, attempt.command_status = outcome.at, outcome.status
        message = self._messages[outcome.key.message_id]
        if message.state is not MessageState.IN_FLIGHT or outcome.key.number != message.tries:
            return
        message.refusals += not outcome.free
        if outcome.never_here:
            message.tried = (*message.tried, attempt.channel)
        if outcome.again:
            self._move(message, MessageState.QUEUED)
            settled.requeue.append(message)
        elif not states.open_elsewhere(self._attempts[message.id], outcome.key.number):
            message.err = outcome.status
            self._end(message, MessageState.REJECTED, outcome.reason, settled, utc)

    def _not_sent(self, outcome: NotSent, settled: Settled, _utc: float) -> None:
        attempt = self._attempt(outcome.key)
        if attempt is None or attempt.state not in (AttemptState.SENDING, AttemptState.UNKNOWN):
            return
        self._identified(attempt)
        message = self._messages[outcome.key.message_id]
        self._attempts[message.id].remove(attempt)
        if not outcome.kept and message.state is MessageState.IN_FLIGHT and outcome.key.number == message.tries:
            self._move(message, MessageState.QUEUED)
            settled.requeue.append(message)

    def _became_unclear(self, outcome: Unclear, settled: Settled, utc: float) -> None:
        attempt = self._attempt(outcome.key)
        if attempt is None or attempt.state is not AttemptState.SENDING:
            return
        attempt.state = AttemptState.UNKNOWN
        if not self._seek_evidence(attempt, settled, utc) and outcome.resend_utc is not None:
            heapq.heappush(self._due, (outcome.resend_utc, _RESEND, outcome.key.message_id))

    def _seek_evidence(self, attempt: Attempt, settled: Settled, utc: float) -> bool:
        """An attempt without the carrier's id: a receipt that came early, or one that will, may tell. Gives whether one has."""
        message = self._messages[attempt.key.message_id]
        self._unidentified.add(attempt, message)
        early = self._parked.take_about(attempt, message, self._unidentified)
        if early is not None:
            attempt.evidence = "early receipt"
            self._apply(early, attempt, settled, utc)
        return early is not None

    def _abandoned(self, outcome: Abandoned, settled: Settled, _utc: float) -> None:
        message = self._messages.get(outcome.message_id)
        if message is not None and message.state is MessageState.IN_FLIGHT and message.tries == outcome.number:
            message.possible_duplicate = True
            self._move(message, MessageState.QUEUED)
            settled.requeue.append(message)

    def _receipt(self, receipt: CarrierReceipt, settled: Settled, utc: float) -> None:
        for candidate in receipt.candidates:
            attempt = self._by_carrier.get((receipt.channel, candidate))
            if attempt is not None and self._about(receipt, attempt):
                self._apply(receipt, attempt, settled, utc)
                return
        attempt = self._unidentified.about(receipt)
        if attempt is not None:
            attempt.evidence = "receipt"
            self._apply(receipt, attempt, settled, utc)
        else:
            settled.parked += 1
            self._parked.add(receipt, utc)

    def _about(self, receipt: CarrierReceipt, attempt: Attempt) -> bool:
        """Carriers use ids again: a finished attempt's id with another number is an early receipt of a new message."""
        finished = attempt.state in (AttemptState.DELIVERED, AttemptState.FAILED)
        number = receipt.destination[-NUMBER_TAIL:]
        return not finished or not number or self._messages[attempt.key.message_id].destination.endswith(number)

    def _apply(self, receipt: CarrierReceipt, attempt: Attempt, settled: Settled, utc: float) -> None:
        if attempt.state in (AttemptState.DELIVERED, AttemptState.FAILED):
            return
        after = states.attempt_after(receipt.state)
        attempt.receipt, attempt.err = receipt.stat or receipt.state.name, receipt.err
        if after is None:
            return
        self._identified(attempt)
        attempt.state = after
        message = self._messages[attempt.key.message_id]
        if message.state.final and message.reason != states.NO_RECEIPT:
            return
        if after is AttemptState.DELIVERED:
            done = states.delivered(self._attempts[message.id])
            if done is not None:
                self._end(message, MessageState.DELIVERED, "", settled, utc, delivered_by=done, receipt=receipt)
            return
        elsewhere = states.open_elsewhere(self._attempts[message.id], attempt.key.number)
        if not elsewhere and message.state is not MessageState.QUEUED:
            message.err = states.error_code(receipt.err)
            self._end(message, states.failed_as(receipt.state), f"{attempt.receipt} {receipt.err}".strip(), settled, utc)

    def _identified(self, attempt: Attempt) -> None:
        """Its outcome or its id is known: no receipt needs to be guessed about it."""
        if attempt.state is not AttemptState.SENDING and not (attempt.state is AttemptState.SENT and attempt.carrier_id):
            self._unidentified.discard(attempt, self._messages[attempt.key.message_id])

    def _finish(self, outcome: Finish, settled: Settled, utc: float) -> None:
        message = self._messages.get(outcome.message_id)
        if message is not None and not message.state.final:
            self._end(message, outcome.state, outcome.reason, settled, utc)

    def _mobile_originated(self, outcome: MobileOriginated, settled: Settled, _utc: float) -> None:
        self._add_notice(outcome.notice, settled)

    def _notice_done(self, outcome: NoticeDone, _settled: Settled, _utc: float) -> None:
        owner = self._notice_owner.pop(outcome.notice_id, None)
        if owner is not None:
            del self._notices[owner][outcome.notice_id]

    def _add_notice(self, notice: Notice, settled: Settled) -> None:
        self._notices.setdefault(notice.account, OrderedDict())[notice.id] = notice
        self._notice_owner[notice.id] = notice.account
        settled.notices.append(notice)

    # -- states

    def _move(self, message: Message, state: MessageState) -> None:
        self._states[message.state] -= 1
        self._states[state] += 1
        message.state = state

    def _end(
        self,
        message: Message,
        state: MessageState,
        reason: str,
        settled: Settled,
        utc: float,
        *,
        delivered_by: Attempt | None = None,
        receipt: CarrierReceipt | None = None,
    ) -> None:
        correction = message.state.final
        self._move(message, state)
        message.reason = reason
        if delivered_by is None or receipt is None:
            message.final_utc = utc
            settled.finals.append(Final(message, message.channel, correction=correction))
        else:
            message.final_utc = receipt.at_utc
            clocks = states.latencies(message, delivered_by, self.boot, receipt.at, receipt.at_utc)
            settled.finals.append(Final(message, delivered_by.channel, *clocks, correction))
        if states.wants_notice(message):
            self._add_notice(states.notice_of(message, message.final_utc, correction=correction), settled)
        self._finals[message.id] = None
        if len(self._finals) > self.finals_max:
            self._forget(self._finals.popitem(last=False)[0])
        if len(self._due) > 4 * len(self._messages) + 10_000:
            # Most of what comes due in a day is long delivered: keep only what may still matter.
            self._due = [one for one in self._due if (of := self._messages.get(one[2])) is not None and not of.state.final]
            heapq.heapify(self._due)

    def _forget(self, message_id: int) -> None:
        for attempt in self._attempts.pop(message_id, ()):
            self._identified(attempt)
            if self._by_carrier.get((attempt.channel, attempt.carrier_id)) is attempt:
                del self._by_carrier[attempt.channel, attempt.carrier_id]
        message = self._messages.pop(message_id)
        alias = self._aliases.get((message.account, message.public_id))
        if alias is not None:
            alias.remove(message_id)
            if not alias:
                del self._aliases[message.account, message.public_id]

    # -- time

    def take_due(self, utc: float) -> Due:
        due = Due([], [], Settled([], [], []))
        while self._due and self._due[0][0] <= utc:
            _, kind, message_id = heapq.heappop(self._due)
            message = self._messages.get(message_id)
            if message is None or message.state.final:
                continue
            if kind == _EXPIRE:
                self._expire(message, due, utc)
            elif kind == _RELEASE and message.state is MessageState.SCHEDULED and utc >= message.not_before_utc:
                if message.part_of is not None and not message.group_whole:
                    due.incomplete.append(message)
                else:
                    self._move(message, MessageState.QUEUED)
                    due.queued.append(message)
            elif kind == _RESEND and message.state is MessageState.IN_FLIGHT:
                self._resend(message, due)
        return due

    def _expire(self, message: Message, due: Due, utc: float) -> None:
        if utc < message.expires_utc:
            return  # replaced since; the new validity has an entry of its own
        if message.state is not MessageState.IN_FLIGHT:
            self._expired(message, message.tries + 1, due.settled, utc)
        elif utc < message.expires_utc + self.receipt_grace_s:
            heapq.heappush(self._due, (message.expires_utc + self.receipt_grace_s, _EXPIRE, message.id))
        else:
            self._end(message, MessageState.UNKNOWN, states.NO_RECEIPT, due.settled, utc)

    def _expired(self, message: Message, number: int, settled: Settled, utc: float) -> None:
        """The validity is over before attempt `number`; an earlier one that is open may have delivered it all the same."""
        if states.open_elsewhere(self._attempts.get(message.id, ()), number):
            self._end(message, MessageState.UNKNOWN, states.NO_RECEIPT, settled, utc)
        else:
            self._end(message, MessageState.EXPIRED, "validity over before a carrier took it", settled, utc)

    def _resend(self, message: Message, due: Due) -> None:
        if any(one.state is AttemptState.UNKNOWN and one.key.number == message.tries for one in self._attempts[message.id]):
            message.possible_duplicate = True
            self._move(message, MessageState.QUEUED)
            due.queued.append(message)

    def next_due_utc(self) -> float | None:
        return self._due[0][0] if self._due else None

    # -- senders' wishes and questions

    def change(self, changes: Sequence[Change], utc: float) -> tuple[list[bool], Settled]:
        settled = Settled([], [], [])
        done = []
        for message_id, fields in changes:
            message = self._messages.get(message_id)
            possible = message is not None and message.state in states.NOT_LEFT and not self._is_out(message_id)
            done.append(possible)
            if not possible or message is None:
                continue
            if fields is None:
                self._end(message, MessageState.CANCELLED, "cancelled by the sender", settled, utc)
            else:
                self._replace(message, fields)
        return done, settled

    def _is_out(self, message_id: int) -> bool:
        """Whether a carrier has it, or may have; one that was refused is all ours again."""
        return any(one.state is not AttemptState.REFUSED for one in self._attempts.get(message_id, ()))

    def _replace(self, message: Message, fields: dict[str, object]) -> None:
        for name, value in fields.items():
            setattr(message, name, value)
        if "not_before_utc" in fields and message.not_before_utc:
            self._move(message, MessageState.SCHEDULED)
            heapq.heappush(self._due, (message.not_before_utc, _RELEASE, message.id))
        if "expires_utc" in fields:
            heapq.heappush(self._due, (message.expires_utc, _EXPIRE, message.id))

    def page_in(self, class_: MessageClass, limit: int) -> list[Message]:  # noqa: ARG002 - everything is in memory already
        return []

    def find(self, message_ids: Sequence[int]) -> list[Message | None]:
        return [self._messages.get(message_id) for message_id in message_ids]

    def resolve(self, account: str, public_id: str) -> list[int]:
        alias = self._aliases.get((account, public_id))
        if alias:
            return list(alias)
        message = self._messages.get(int(public_id)) if public_id.isascii() and public_id.isdigit() else None
        return [message.id] if message is not None and message.account == account and message.public_id == public_id else []

    def matching(self, account: str, service_type: str, source: str, destination: str) -> list[int]:
        return [
            message.id
            for message in self._messages.values()
            if message.state in states.NOT_LEFT
            and (message.account, message.source, message.destination) == (account, source, destination)
            and (not service_type or message.service_type == service_type)
        ]

    def attempts(self, message_id: int) -> list[Attempt]:
        return list(self._attempts.get(message_id, ()))

    def notices(self, account: str, limit: int) -> list[Notice]:
        return list(islice(self._notices.get(account, {}).values(), limit))

    def members(self, set_name: str, add: Sequence[str] = (), remove: Sequence[str] = ()) -> int:
        return self._guards.members(set_name, add, remove)

    def fund(self, purse: str, amount: int) -> int:
        return self._guards.fund(purse, amount)

    def recover(self, utc: float) -> list[Message]:  # noqa: ARG002 - nothing survives a restart
        return []

    def queued(self) -> int:
        return self._states[MessageState.QUEUED]

    def scheduled(self) -> int:
        return self._states[MessageState.SCHEDULED]

    def ledger(self) -> Ledger:
        final = {state.name.lower(): self._states[state] for state in MessageState if state.final}
        return Ledger(
            self._accepted,
            self._states[MessageState.SCHEDULED],
            self._states[MessageState.QUEUED],
            self._states[MessageState.IN_FLIGHT],
            final,
        )
