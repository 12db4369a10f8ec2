r"""The life of a message, top to bottom. Everything moves in batches: each await moves whatever is there.

    ESME --> esme session \                                     / lane(channel A): binds
                           --> intake --> admit --> ready --> plan --> lane(channel B): binds
                               screen    (store)    by class           throttle, window, begin, one write per bind
    ESME <-- notices <-- settle (store) <-- reports: answers and receipts of the carriers

1. `_intake`    what all doors have handed over: screened, admitted in one step, the senders answered
2. dispatch     ready messages get a channel, codes first; what finds none waits and is planned again (`dispatch.py`)
3. lanes        pace, window, `begin`, out (`lane.py`)
4. `_settle`    outcomes into the store; then carriers are acknowledged, refused messages queue again, senders get notices
5. `_clock`     what time brings: schedules, resends, expiry, groups that never became whole

Who waits for whom: lanes wait for windows, dispatch for lanes, nobody waits for dispatch: settle to intake is a ring, and no
queue in it may block. The bounds are elsewhere: a session's window, the queue size at intake, the lanes' short queues.
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from itertools import chain
from typing import Protocol

import trio

from config.ported import read_ported
from config.schema import CLASSES, Config
from gateway import log
from gateway.clock import Clock
from gateway.core.dispatch import Dispatch
from gateway.core.endings import Endings
from gateway.core.figures import Figures
from gateway.core.lane import Lane
from gateway.core.mailbox import Line, Mailbox
from gateway.core.report import Report
from gateway.core.screens import screens_of
from gateway.core.storage import NotStoredError, Storage
from gateway.core.submission import Submission
from gateway.store.base import Abandoned, Admission, Begun, Change, Due, Final, Finish, Outcome, RequestRecord, Settled
from gateway.store.recovery import Recovered
from gateway.store.states import NO_RECEIPT
from protocol.reassembly import Reassembler
from protocol.spoken import spoken_text
from protocol.status import Status
from routing.guards import Guard
from routing.operators import Operators, network_of, shipped
from routing.policy.caps import refusal_of
from routing.policy.screen import screen
from routing.policy.verdict import Refusal
from routing.records import Attempt, Message, MessageState, Notice
from routing.routes import RouteTable
from routing.second_tries import SecondTries
from routing.slawatch import Turn

_OK = Status.ROK
_QUEUED, _SCHEDULED = MessageState.QUEUED, MessageState.SCHEDULED
PAGE = 5_000
"""Messages brought from the store in one go."""
NOT_AGAIN = "quiet_hours: windows (it does not open again in time)"
CLOCK_S = 0.1
SHARE_OF_QUEUE = {"verification": 1.0, "notification": 0.95, "marketing": 0.9}
"""Of queue_size_max: marketing is refused first, codes last."""
INTAKES = 2
"""Batches on their way into the store: while one waits for its write, the next one is screened and decided."""


class Front(Protocol):
    """A door, as the pipeline sees it: session numbers, never sockets."""

    def answer(self, submissions: Sequence[Submission]) -> None:
        """Tell the senders what became of their requests, one write per connection."""

    def remembered(self, submissions: Sequence[Submission]) -> Sequence[RequestRecord]:
        """Decided, and not stored yet: what is to be stored with their messages, for repeats and questions."""


class Pipeline:
    """See the module. `deliver` takes notices for senders."""

    def __init__(self, config: Config, store: Storage, clock: Clock, deliver: Callable[[Sequence[Notice]], None]) -> None:
        self.store = store
        self.clock = clock
        self.lanes: dict[str, Lane] = {}
        self._handed: Mailbox[tuple[Front, list[Submission]]] = Mailbox()
        self._untaken = 0
        """Submissions in `_handed`."""
        self.reports: Mailbox[Report] = Mailbox()
        self.accepting = self.sending = True
        self.on_finals: Callable[[Sequence[Final]], None] = lambda _: None
        """Told what became final; for whoever watches."""
        self.on_turns: Callable[[Sequence[Turn]], None] = lambda _: None
        """Told of breaches of the ten seconds, and of recoveries."""
        self.endings = Endings(clock, self.report)
        self._deliver = deliver
        self.operators = Operators(shipped())
        store.book.second_try = self._second_try
        self.figures = Figures(self.lanes, clock)
        store.decided = self.figures.ended
        self.dispatch = Dispatch(self.lanes, RouteTable(()), clock, self._may_send, lambda ended: self.report(Report(ended)))
        self._to_release: list[int] = []
        self._line = Line()
        self._admitting = 0
        self._reported = self._decided = 0
        self._decides = trio.lowlevel.ParkingLot()
        self._groups: Reassembler[Message] = Reassembler(timeout_s=config.core.parts_timeout_s, groups_max=100_000)
        self._log = log.logger()
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take over rules, routes and limits; lanes are the service's to change."""
        self._config = config
        self.screens = screens_of(config, self.endings.watches)
        self.endings.configure(self.screens)
        self._ruled = frozenset(name for name, rules in self.screens.items() if rules.asks_the_store)
        codes = config.classes.verification
        self._second = SecondTries(codes.resend_after_s, codes.resend_share_max)
        self._attempts_max = {name: getattr(config.classes, name).attempts_max for name in CLASSES}
        self.operators.listed = read_ported(config.ported_file)
        self.dispatch.configure(RouteTable(config.routes, config.channels, self.operators))

    async def run(self) -> None:
        """All stages but the lanes, until cancelled."""
        async with trio.open_nursery() as nursery:
            for stage in (*[self._intake] * INTAKES, self.dispatch.run, self._settle, self._clock):
                nursery.start_soon(stage)

    # -- 1. intake: screen, admit, answer

    def submit(self, front: Front, submissions: list[Submission]) -> None:
        """What clients have submitted; `front` answers."""
        self._untaken += len(submissions)
        self._handed.put(((front, submissions),))

    async def _intake(self) -> None:
        while True:
            by_front: dict[Front, list[Submission]] = {}
            for front, several in await self._handed.take():
                by_front.setdefault(front, []).extend(several)
            submissions = list(chain.from_iterable(by_front.values()))
            self._untaken = 0
            self._admitting += len(submissions)
            try:
                with self._line.place() as first:
                    self._screen(submissions)
                    await self._admit(submissions, by_front, first)
                    for front, answered in by_front.items():
                        front.answer(answered)
            finally:
                self._admitting -= len(submissions)

    def _screen(self, submissions: list[Submission]) -> None:
        """Every message gets a status: what policy says, or that there is no room."""
        core = self._config.core
        queued = self.store.queued() + self._untaken
        full = {class_ for class_, share in SHARE_OF_QUEUE.items() if queued >= core.queue_size_max * share}
        no_more_scheduled = self.store.scheduled() >= core.scheduled_size_max
        closed = not self.accepting or bool(self.store.trouble)
        utc = self.clock.utc()
        for submission in submissions:
            statuses: list[int] = []
            for at, refusal in enumerate(screen(submission.messages, self.screens, utc)):
                message = submission.messages[at]
                status: int = _OK
                if closed:
                    status = Status.RSYSERR
                elif refusal is not None:
                    status = self._refuse(submission, at, refusal)
                elif message.class_ in full or (no_more_scheduled and message.state is _SCHEDULED):
                    status = Status.RMSGQFUL
                elif message.content.parts == 0:
                    status = Status.RINVMSGLEN
                statuses.append(status)
            submission.statuses = statuses

    def _refuse(self, submission: Submission, at: int, refusal: Refusal) -> Status:
        """Remember which rule refused a message, for its answer and for the counts."""
        message = submission.messages[at]
        self.figures.refused[message.class_, refusal.reason] += 1
        submission.refusals[at] = refusal
        return refusal.status

    async def _admit(self, submissions: list[Submission], by_front: dict[Front, list[Submission]], first: trio.Event) -> None:
        """One step for everything that has come: after it, accepted means stored. Then it goes on in the order it came."""
        asked: list[Submission] = []
        places: list[int] = []
        for submission in submissions:
            for at, status in enumerate(submission.statuses):
                if not status:
                    asked.append(submission)
                    places.append(at)
        messages = [submission.messages[at] for submission, at in zip(asked, places, strict=True)]
        utc = self.clock.utc()
        ruled = self._ruled
        self.operators.stamp(messages)
        batch = [self._admission(one, utc) if one.account in ruled else Admission(one) for one in messages]
        refusals: Sequence[Guard | None] | None = None
        with suppress(NotStoredError):
            refusals = await self.store.admit(batch, partial(self._answered, asked, places, by_front))
        if not first.is_set():
            await first.wait()
        if refusals is None:
            for submission, at in zip(asked, places, strict=True):
                submission.statuses[at] = Status.RSYSERR
            return
        now = self.clock.now()
        complete: list[int] = []
        queued: list[Message] = []
        for message, refusal in zip(messages, refusals, strict=True):
            if refusal is not None:
                continue
            if message.part_of is not None:
                complete += self._collect(message, now)
            elif message.state is _QUEUED:
                queued.append(message)
        if complete:
            queued += await self.store.release(complete)
        self.figures.due(queued)
        self.dispatch.add(self.store.ready(queued))

    def _answered(
        self,
        asked: list[Submission],
        places: list[int],
        by_front: dict[Front, list[Submission]],
        refusals: Sequence[Guard | None],
    ) -> Sequence[RequestRecord]:
        """What the store decided, in the statuses; gives what is to be remembered of it with the same step."""
        for submission, at, refusal in zip(asked, places, refusals, strict=True):
            if refusal is not None:
                submission.statuses[at] = self._refuse(submission, at, refusal_of(refusal))
        return [record for front, several in by_front.items() for record in front.remembered(several)]

    def _admission(self, message: Message, utc: float) -> Admission:
        """A message with what must hold for it."""
        rules = self.screens[message.account]
        guards = rules.guards_and_mark(message, utc)
        if rules.opens_purses:
            for purse, amount in rules.purses(message, utc).items():
                self.store.open_purse(purse, amount)
        return Admission(message, guards)

    def _collect(self, message: Message, now: float) -> list[int]:
        """Parts that the sender cut leave together: the ids of the group when this part made it whole."""
        assert message.part_of is not None
        key, total, seq = message.part_of
        group = self._groups.add(key, total, seq, message, now)
        if group is None:
            return []
        self.dispatch.unpin(key)
        parts = group.in_order()
        return [] if self._refused_whole(parts) else [one.id for one in parts]

    def _refused_whole(self, parts: list[Message]) -> bool:
        """Rules about texts see a message that its sender cut only when all of it is there; refused, all of it ends."""
        rules = self.screens.get(parts[0].account)
        if rules is None or rules.policy is None:
            return False
        text = "".join(spoken_text(one.content.data, one.content.data_coding, one.content.esm_class) for one in parts)
        refusal = rules.check_whole(parts, text, self.clock.utc())
        if refusal is None:
            return False
        self.figures.refused[parts[0].class_, refusal.reason] += 1
        self.report(Report([Finish(one.id, MessageState.BLOCKED, str(refusal)) for one in parts]))
        return True

    # -- 3. lanes: what they ask of us

    def lane_changed(self) -> None:
        """A lane has room again."""
        self.dispatch.look_again()

    def lane_turned(self) -> None:
        """A lane can be used again, or no longer."""
        self.dispatch.plan_anew()

    @property
    def priced(self) -> bool:
        """Whether any channel of a route costs anything."""
        return self.dispatch.routes.priced

    def cost(self, message: Message, channel: str) -> int:
        """What one submit_sm of a message costs there."""
        return self.dispatch.routes.cost(message, channel)

    def requeue(self, messages: Sequence[Message]) -> None:
        """Messages a lane could not begin: first in line again."""
        self.dispatch.put_back(messages)

    def alternatives(self, message: Message, channel: str) -> bool:
        """Whether another channel of its route is left for it."""
        return self.dispatch.routes.alternatives(message, channel)

    def code_written(self, message: Message, number: int, channel: str) -> None:
        """It may be tried again by another channel when its receipt does not come."""
        self._second.written(message, number, channel, self.clock.now())

    def written(self, channel: str, alike: Mapping[tuple[str, str, str], int], begun: float) -> None:
        """The channel's ten seconds run for so many attempts, by class, network and account."""
        self.figures.written(channel, alike, begun)

    def not_written(self, channel: str, message: Message, begun: float) -> None:
        """They do not for one that was refused."""
        self.figures.not_written(channel, message, begun)

    def _second_try(self, message: Message, attempt: Attempt) -> bool:
        """Whether a code that a carrier could not deliver just now goes once more, by another channel."""
        left = self.dispatch.routes.left(message, {})
        others = [self.lanes[one.name] for one in left if one.name in self.lanes and one.name != attempt.channel]
        again = any(one.usable for one in others) and self._second.take()
        lane = self.lanes.get(attempt.channel)
        if again and lane is not None:  # else its end tells
            lane.quality.of(message.class_, network_of(message)).failed(self.clock.now())
        return again

    def _share_by(self, channel: str, seconds: float) -> float:
        lane = self.lanes.get(channel)
        return 0.0 if lane is None else lane.quality.share_by("verification", seconds)

    def attempts_max(self, message: Message) -> int:
        """How many charged attempts a message of its class has."""
        return int(self._attempts_max[message.class_])

    async def begin(self, attempts: Sequence[Attempt]) -> Begun:
        """Store attempts as sending, before their octets leave."""
        begun = await self.store.begin(attempts)
        self.spread(begun.settled)
        return begun

    def report(self, report: Report) -> None:
        """Outcomes to settle."""
        self._reported += 1
        self.reports.put((report,))

    # -- 4. settle: outcomes into the store, then acknowledge, queue again, tell

    async def _settle(self) -> None:
        while True:
            reports = await self.reports.take()
            outcomes: list[Outcome] = []
            for report in reports:
                outcomes += report.outcomes
                report.outcomes = []  # so that the store frees them as soon as it has decided (`Storage.settle`)
            settled = await self.store.settle(outcomes)
            for report in reports:
                if report.source is not None and report.requests:
                    report.source.acknowledge(report.requests, Status.ROK)
            self.spread(settled)
            self._decided += len(reports)
            self._decides.unpark_all()

    async def settled(self) -> None:
        """Wait until all that was reported so far is decided."""
        reported = self._reported
        while self._decided < reported:
            await self._decides.park()

    @property
    def settling(self) -> int:
        """Reports whose outcomes are not stored yet."""
        return self._reported - self._decided

    def spread(self, settled: Settled) -> None:
        """Everything a step of the store brought about."""
        self.dispatch.add(settled.requeue)
        if settled.notices:
            self._deliver(settled.notices)
        if settled.finals:
            self.on_finals(settled.finals)
        self.endings.note(settled)
        if settled.parked:
            self._log.info("receipts for ids nobody knows yet", parked=settled.parked)

    # -- 5. clock: what time brings

    async def _clock(self) -> None:
        while True:
            await trio.sleep(CLOCK_S)
            self._groups.give_up(self.clock.now())
            if self._to_release:
                whole, self._to_release = self._to_release, []
                self.dispatch.add(self.store.ready(await self.store.release(whole)))
            due = await self.store.take_due()
            if due is not None:
                self._come_due(due)
            if late := self.dispatch.take_late():
                await self._wait_for_window(late)
            if missed := list(self._second.due(self.clock.now(), self._share_by, self.alternatives)):
                self.report(Report([Abandoned(message_id, number) for message_id, number in missed]))
            if turns := self.figures.look():
                for what, key, share, _ in turns:
                    if not key.account:  # accounts are told themselves
                        values = {"due": share.due, "within": share.within, "arrival": share.arrival}
                        self.alert(f"ten seconds: {what}", class_=key.class_, channel=key.channel, **values)
                self.on_turns(turns)
            self.endings.look(self.alert)
            await self._page_in()

    def _come_due(self, due: Due) -> None:
        if due.incomplete:
            self.report(Report([Finish(one.id, MessageState.REJECTED, "other parts never came") for one in due.incomplete]))
        if due.dead:
            accounts = sorted({notice.account for notice in due.dead})
            self._log.warning("notices nobody took are dead letters now", notices=len(due.dead), accounts=accounts)
        self.spread(due.settled)
        self.figures.due([one for one in due.queued if not one.tries])
        self.dispatch.add(self.store.ready(due.queued))

    async def _wait_for_window(self, late: Sequence[Message]) -> None:
        """Messages whose send window closed before they left go back to waiting; those with none to come end."""
        utc = self.clock.utc()
        changes: list[Change] = []
        ended: list[Outcome] = []
        for message in late:
            rules = self.screens.get(message.account)
            fields = None if rules is None else rules.later(message, utc)
            if fields is None:
                ended.append(Finish(message.id, MessageState.BLOCKED, NOT_AGAIN))
            else:
                changes.append(Change(message.id, fields))
        if changes:
            done, settled = await self.store.change(changes)
            self.spread(settled)
            # An attempt before this one may have delivered it: its receipt is waited for, nothing is sent once more.
            out = [one.message_id for one, changed in zip(changes, done, strict=True) if not changed]
            ended += [Finish(one, MessageState.UNKNOWN, NO_RECEIPT) for one in out]
        if ended:
            self.report(Report(ended))

    async def _page_in(self) -> None:
        """Queued messages beyond the working set come from the store as those before them have left."""
        for class_ in CLASSES:
            if self.store.waiting(class_) and self.dispatch.ready(class_) < PAGE // 2:
                self.dispatch.add(await self.store.page_in(class_, PAGE))

    def resume(self, recovered: Recovered) -> None:
        """After a start: what was in the store goes on."""
        for part in recovered.parts:
            self._to_release += self._collect(part, self.clock.now())
        self.figures.ended(recovered.settled.finals)
        self.spread(recovered.settled)
        self.dispatch.add(recovered.queued)

    # -- for drain and monitoring

    def alert(self, what: str, **values: object) -> None:
        """Something an operator should see."""
        self._log.warning(f"alert: {what}", **values)

    @property
    def busy(self) -> int:
        """Submits without answer, reports not settled; with a store that forgets also what could leave as its channel is up."""
        unanswered = self._untaken + self._admitting
        if self.store.durable:
            return sum(lane.in_flight for lane in self.lanes.values()) + self.settling + unanswered
        moving = sum(lane.in_flight + (lane.queued if lane.up else 0) for lane in self.lanes.values())
        return moving + self.settling + unanswered + self.dispatch.could_leave()

    def _may_send(self) -> bool:
        """Nothing may leave that is not stored as leaving."""
        return self.sending and not self.store.trouble
