"""One carrier channel: a short queue, its binds, its pace. Messages come in from the plan and leave as batches of submit_sm.

The pump takes min(what waits, free window and a little ahead of it, tokens), stores the attempts as sending, and only then
lets octets leave: one write per bind. What carriers say becomes outcomes for the pipeline; what a dying link had in flight is
handed back. The queue is kept short on purpose, so that a code that comes now never stands behind a campaign.
"""

from collections import deque
from collections.abc import Iterator
from math import ceil, log2

import trio

from config.schema import CLASSES, Channel
from gateway import log
from gateway.clock import Clock
from gateway.core.bind import Answers, Bind, make_binds
from gateway.core.incoming import Incoming
from gateway.core.lanecounts import LaneCounts
from gateway.core.laneowner import LaneOwner
from gateway.core.mailbox import Signal
from gateway.core.outgoing import Encoder
from gateway.core.part import Part
from gateway.core.report import Report
from gateway.core.slots import SILENT_S, Rooms, Slots
from gateway.core.submits import Submits
from gateway.store.base import Abandoned, Finish, NotSent, Outcome, Refused, Sent, Unclear
from protocol.errors import ContentError
from protocol.events import Answered, Event, Unanswered
from protocol.ids import canonical_id
from protocol.pdu import DataSm, DeliverSm, Pdu, SubmitSmResp
from protocol.session import Owed
from protocol.status import Status, status_name
from protocol.tlv import Tag, get_int
from routing.failover import RESEND_AFTER_S, classify, decide
from routing.pace import Pace
from routing.plan import SOON_S, Health
from routing.quality import ChannelQuality
from routing.records import Attempt, Message, MessageState

VERIFICATION_ANSWER_S = 2.0
"""A code without answer for so long counts as unknown; others wait for the channel's response_timeout_s."""
LOOK_S = 1.0
SCORE_STEP = 5
"""Channels that differ by less are as good as each other."""
TICK_S = 0.25
_CONGESTION_STATE = int(Tag.CONGESTION_STATE)


class Lane:
    """See the module. `health` is what planning sees; `run` lives until `leave` is done."""

    def __init__(self, channel: Channel, owner: LaneOwner, clock: Clock, seed: int, incoming: Incoming) -> None:
        self.channel = channel
        self.name = channel.name
        self.binds: list[Bind] = make_binds(channel, self, clock)
        self.submitted = 0
        self.refused = 0
        self.counts = LaneCounts()
        self._owner = owner
        self._clock = clock
        self._incoming = incoming
        self._encoder = Encoder(channel, seed)
        self.pace = Pace(channel.messages_per_second)
        self.quality = ChannelQuality()
        self._submits = Submits(channel, owner, self.quality)
        self._status_classes = {int(status, 16): meaning for status, meaning in channel.status_classes.items()}
        self._capacity = max(20, 2 * channel.binds * channel.window)
        self._queues: dict[str, deque[Message]] = {name: deque() for name in CLASSES}
        self._parts: deque[Part] = deque()
        self._codes: deque[tuple[float, Part]] = deque()
        self.slots = Slots(self.binds, channel.window)
        self._signal = Signal()
        self._paused_until = 0.0
        self._progress_at = 0.0
        self._looked_at = 0.0
        self._per_s = 0.0
        self._stalled = self._was_up = False
        self._beginning = 0
        self._leaving = False
        self.held = ""
        """By an operator: "pause" sends nothing, "drain" unbinds as well."""
        self._log = log.logger(channel=channel.name)

    # -- what planning needs

    def health(self, class_: str) -> Health:
        """Up, how many more messages it takes, how well it delivers; codes have as much room again, and go first here."""
        capacity = self._capacity * 2 if class_ == "verification" else self._capacity
        room = 0 if self._paused_until > self._clock.now() else max(0, capacity - self.queued)
        quality = self.quality
        score = SCORE_STEP * round(quality.score_of(class_) / SCORE_STEP)
        expected_s = self._expected_s() if class_ == "verification" else 0.0
        return Health(self.name, self.open, room, score, not quality.breaker.is_open, expected_s, quality.differing(class_))

    def _expected_s(self) -> float:
        """Until a code handed over now is delivered: those before it, then what a receipt takes as a rule; in coarse steps."""
        ahead = len(self._queues["verification"]) / self._per_s if self._per_s else 0.0
        seconds = ahead + self.quality.usual_s.get("verification", 0.0)
        return SOON_S * 2 ** ceil(log2(seconds / SOON_S)) if seconds > SOON_S else 0.0

    @property
    def up(self) -> bool:
        """Whether any bind can submit."""
        return any(bind.submits for bind in self.binds)

    @property
    def open(self) -> bool:
        """Whether messages may be handed to it now."""
        return self.up and not self._leaving and not self.held and not self._stalled

    @property
    def usable(self) -> bool:
        """Whether it may be relied on now: open, and trusted."""
        return self.open and not self.quality.breaker.is_open

    @property
    def gone(self) -> bool:
        """Whether no bind is left."""
        return all(bind.state == "down" for bind in self.binds)

    @property
    def queued(self) -> int:
        """Messages and parts that wait here."""
        return len(self._parts) + sum(map(len, self._queues.values()))

    @property
    def in_flight(self) -> int:
        """Submits without answer, and those that are stored as leaving, or just being stored."""
        return self._beginning + self.slots.waiting + self.slots.unanswered

    def enqueue(self, message: Message) -> None:
        """Take a message; call `wake` after the batch."""
        self._queues[message.class_].append(message)

    def wake(self) -> None:
        """There is something to do."""
        self._signal.set()

    # -- sending

    async def run(self) -> None:
        """Binds, pump and clock of this channel."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._pump)
            nursery.start_soon(self._sweep)
            async with trio.open_nursery() as binds:
                for bind in self.binds:
                    binds.start_soon(bind.run)
            nursery.cancel_scope.cancel()

    async def _pump(self) -> None:
        while True:
            await self._signal.wait()
            while await self._send_some():
                pass

    async def _send_some(self) -> bool:
        """Send one batch. Gives whether there may be more to send at once."""
        now = self._clock.now()
        if self.queued == 0 or self._paused_until > now:  # when leaving, only parts of what has begun are left
            return False
        free = self.slots.free(now)
        beyond = self.slots.beyond(now) if self.open and not self.pace.rate else []
        if not free and not beyond:
            if wait_s := self.slots.wait_s(now):
                await self.counts.pace(wait_s)
            return wait_s > 0
        wanted = min(sum([room for room, _ in free]), self._capacity)
        granted = self.pace.bucket.take(wanted, now)
        if granted == 0 and wanted:
            await self.counts.pace(self.pace.bucket.wait_s(now))
            return True
        parts = self._take_parts(granted)
        self.pace.bucket.give_back(granted - len(parts))
        further = self._take_whole(beyond) if len(parts) == wanted else []
        if not parts and not further:
            return False
        shares = self.slots.spread(parts, free, now) + self.slots.spread(further, beyond, now, together=1)
        parts += further
        self.counts.taken(parts, self.name)
        self._beginning = len(parts)
        if any(part.message.tries >= part.key.number for part in parts):
            await self._owner.settled()  # it was stored before: that must have been taken back
        with trio.CancelScope(shield=True):  # what is stored as leaving leaves, or is settled as not sent
            attempts = self._attempts(shares)
            begun = await self._owner.begin(attempts)
        self._beginning = 0
        self._send(shares, iter(begun.may_leave), max([attempt.begun for attempt in attempts]))
        self._owner.lane_changed()
        return True

    def _take_parts(self, count: int) -> list[Part]:
        """Up to `count` parts, codes first; parts of a message that has begun go before new messages."""
        taken = self._parts
        for queue in self._queues.values():
            while queue and len(taken) < count:
                taken += self._cut(queue.popleft())
        return [taken.popleft() for _ in range(min(count, len(taken)))]

    def _take_whole(self, rooms: Rooms) -> list[Part]:
        """Messages of one part each to be stored ahead, unless others go before them."""
        taken: list[Part] = []
        for_codes, for_all = (sum([room - kept for room, _ in rooms if room > kept]) for kept in (0, self.slots.most))
        for name, queue in self._queues.items():
            count = for_codes if name == "verification" else for_all
            while queue and not self._parts and len(taken) < count and queue[0].content.parts == 1:
                taken += self._cut(queue.popleft())
        return taken

    def _cut(self, message: Message) -> list[Part]:
        try:
            return self._encoder.parts(message)
        except ContentError as error:
            self._owner.report(Report([Finish(message.id, MessageState.REJECTED, str(error))]))
            return []

    def _attempts(self, shares: list[tuple[Bind, list[Part]]]) -> list[Attempt]:
        name = self.name
        attempts = [
            Attempt(part.key, part.total, name, bind.number, part.user_reference, part.concat_reference, why=part.message.why)
            for bind, parts in shares
            for part in parts
        ]
        if self._owner.priced:
            for attempt, part in zip(attempts, (part for _, parts in shares for part in parts), strict=True):
                attempt.cost = self._owner.cost(part.message, name)
        return attempts

    def _send(self, shares: list[tuple[Bind, list[Part]]], may_leave: Iterator[bool], begun: float) -> None:
        now = self._clock.now()
        for bind, parts in shares:
            leaving = [part for part in parts if next(may_leave)]
            for part in leaving:
                part.begun = begun
            self.slots.add(bind, leaving)
            self._let_go(bind, now)
            bind.flush()
            if not bind.submits or not self.open:  # while the attempts were being stored it has become so
                self._return(self.slots.give_back(bind))

    def _return(self, parts: list[Part]) -> None:
        """They were stored as leaving, and do not."""
        if parts:
            self._owner.report(Report([self._not_sent(part) for part in reversed(parts)]))

    def _let_go(self, bind: Bind, now: float) -> None:
        """What waits for a slot of this bind leaves with its next flush; what cannot be written at all is refused."""
        if self._paused_until > now or bind.session is None or not (parts := self.slots.take(bind, now)):
            return
        utc = self._clock.utc()
        pdu_of = self._encoder.pdu
        impossible = bind.session.request_all([pdu_of(part, utc) for part in parts], parts, now)
        if impossible:
            refused = [Refused(part.key, now, 0, f"cannot be sent: {error}", again=False) for part, error in impossible]
            self._owner.report(Report([*refused]))
            keys = {one.key for one in refused}
            parts = [part for part in parts if part.key not in keys]
        for part in parts:
            part.written = now
            part.answered = False
            if part.message.class_ == "verification":
                self._codes.append((now, part))
                if part.number == part.total:
                    self._owner.code_written(part.message, part.key.number, self.name)
        self.submitted += len(parts)
        self._submits.written(parts, now)

    def _not_sent(self, part: Part) -> NotSent:
        """A part of a long message stays here, for its sisters may have left; a whole message is planned again."""
        if part.total > 1:
            self._parts.appendleft(part)
        return NotSent(part.key, kept=part.total > 1)

    # -- what carriers say

    def on_events(self, bind: Bind, events: list[Event], now: float) -> None:
        rule = self.channel.resp_id
        outcomes: list[Outcome] = []
        delivered: list[DeliverSm | DataSm] = []
        accepted = 0
        waited = 0.0
        took_s: list[float] = []
        for event in events:
            if isinstance(event, Answered):
                part: Part = event.token
                part.answered = True
                answer = event.answer
                took_s.append(now - event.sent_at)
                if isinstance(answer, SubmitSmResp) and not answer.status:
                    accepted += 1
                    waited += now - event.sent_at
                    if answer.tlvs and (state := get_int(answer.tlvs, _CONGESTION_STATE)) is not None:
                        self.pace.congested(state, now)
                    outcomes.append(Sent(part.key, now, canonical_id(answer.message_id, rule), answer.message_id))
                else:
                    outcomes.append(self._on_refusal(bind, part, answer.status or Status.RUNKNOWNERR, now))
            elif isinstance(event, (DeliverSm, DataSm)):
                delivered.append(event)
            elif isinstance(event, Unanswered):
                outcomes += [self._unclear(part, now) for part in event.tokens]
            elif isinstance(event, Pdu):
                self._log.info("ignored a PDU of the carrier", command=event.command_id.name)
        if accepted:
            self.pace.accepted(accepted, now)
            self.quality.answers.answered(now, accepted=accepted, answer_s=waited)
        if outcomes:
            self.slots.heard(bind, now)
            self.counts.answered(took_s)
            self._progress_at = now
            if self._stalled:
                self._stalled = False
                self._turned()
        receipts: list[Owed] = []
        if delivered:
            read, receipts = self._incoming.read(delivered, now, Answers(bind))
            outcomes += read
        if outcomes or receipts:
            self._owner.report(Report(outcomes, Answers(bind), receipts))
        self._on_room(bind, now)

    def _on_room(self, bind: Bind, now: float) -> None:
        """After each batch of events, and at each tick without any."""
        if bind.can_send:
            self._let_go(bind, now)
            self._signal.set()

    def _on_refusal(self, bind: Bind, part: Part, status: int, now: float) -> Outcome:
        self.refused += 1
        message = part.message
        decision = decide(
            classify(status, self._status_classes),
            status,
            refusals=message.refusals,
            attempts_max=self._owner.attempts_max(message),
            alternatives=self._owner.alternatives(message, self.name) and message.part_of is None,
        )
        self.counts.throttled += decision.pause_channel
        self._submits.refused(part, now, throttled=decision.pause_channel)
        if decision.pause_channel:
            self._paused_until = max(self._paused_until, now + self.pace.throttled(now))
        if decision.rebind:
            bind.rebind(f"submit refused: {status_name(status)}")
        if decision.free and part.total > 1:
            return self._not_sent(part)  # same channel, same reference (its sisters are there)
        return Refused(part.key, now, status, status_name(status), decision.again, decision.never_here, decision.free)

    def _unclear(self, part: Part, now: float) -> Unclear:
        self.counts.unclear(part)
        message = part.message
        after = RESEND_AFTER_S.get(message.class_)
        if after is None or message.possible_duplicate:
            return Unclear(part.key, None)
        return Unclear(part.key, self._clock.utc() + max(0.0, part.written + after - now))

    def on_lost(self, bind: Bind, unsent: list[object], unknown: list[object], now: float) -> None:
        if not self._leaving and not self.held:
            self.quality.answers.dropped(now)
        parts: list[Part] = [part for part in unsent if isinstance(part, Part)]
        self._submits.unsent(parts)
        parts += self.slots.give_back(bind)
        outcomes: list[Outcome] = [self._not_sent(part) for part in reversed(parts)]
        outcomes += [self._unclear(part, now) for part in unknown if isinstance(part, Part)]
        if outcomes:
            self._log.warning("link lost with submits in flight", bind=bind.number, unsent=len(unsent), unknown=len(unknown))
            self._owner.report(Report(outcomes))

    def on_state(self, bind: Bind) -> None:
        if not bind.submits:
            self._return(self.slots.give_back(bind))
        was_up, self._was_up = self._was_up, self.up
        if was_up and not self._was_up:
            self._give_back()
            self.quality.excuse(self._clock.now())
        if was_up is not self._was_up:
            self._turned()

    def _turned(self) -> None:
        """It can be used again, or no longer."""
        self._signal.set()
        self._owner.lane_turned()

    def _give_back(self) -> None:
        """What has not begun can go another way, and so can a code or notice of which some parts are out: anew and whole.

        Of a campaign's message only the parts that wait here may follow: it must not arrive twice.
        """
        self._return([part for bind in self.binds for part in self.slots.give_back(bind)])
        messages = [part.message for part in self._parts if part.message.tries < part.key.number and part.number == 1]
        messages += [message for queue in self._queues.values() for message in queue]
        for queue in self._queues.values():
            queue.clear()
        begun = [part for part in self._parts if part.message.tries >= part.key.number]
        self._parts = deque(part for part in begun if part.message.class_ == "marketing")
        halves = {(part.key.message_id, part.key.number) for part in begun if part.message.class_ != "marketing"}
        if halves:
            self._owner.report(Report([Abandoned(message_id, number) for message_id, number in sorted(halves)]))
        if messages:
            self._owner.requeue(messages)

    # -- time

    async def _sweep(self) -> None:
        while True:
            await trio.sleep(TICK_S)
            now = self._clock.now()
            if 0 < self._paused_until <= now:
                self._paused_until = 0.0
                self._signal.set()
                self._owner.lane_changed()
            for bind in self.binds:
                bind.tick(now)
            self._watch_codes(now)
            self._watch_flow(now)
            self._suspend_drained()

    def _watch_flow(self, now: float) -> None:
        """Rates rise again, scores are made anew, and a channel that answers nothing keeps nobody waiting."""
        if self.pace.tick(now):
            self._signal.set()
        if now - self._looked_at >= LOOK_S:
            self._looked_at = now
            self._per_s = self.pace.measured(now)
            if what := self.quality.look(now):
                score = self.quality.score
                parts = {name: round(value, 3) for name, value in score._asdict().items()}
                self._log.warning(f"channel {'not trusted any more' if what == 'opened' else 'trusted again'}", **parts)
                self._turned()
        self._return(self.slots.give_back_stuck(now))
        waiting, asked = self.queued + self.slots.waiting, self._beginning + self.slots.unanswered
        busy = waiting and asked and self.slots.full
        if not busy:
            self._progress_at = max(self._progress_at, now) if not asked else self._progress_at
        elif not self._stalled and now - self._progress_at > SILENT_S:
            self._stalled = True
            self._log.warning("no answer with a full window: what waits goes elsewhere", waiting=waiting)
            self._give_back()
            self._turned()

    def _watch_codes(self, now: float) -> None:
        late: list[Outcome] = []
        while self._codes and self._codes[0][0] <= now - VERIFICATION_ANSWER_S:
            written, part = self._codes.popleft()
            if not part.answered and part.written == written:
                late.append(self._unclear(part, now))
        if late:
            self._owner.report(Report(late))

    def limit(self, rate: float | None) -> None:
        """A rate set by hand, in submit_sm per second (0: no limit); None: the configuration's."""
        self.pace.limit(self.channel.messages_per_second if rate is None else rate)
        self._signal.set()

    def hold(self, how: str) -> None:
        """Send nothing new ("pause"), and unbind when all is answered ("drain"); "" ends it. What waits goes elsewhere."""
        self.held = how
        if how:
            self._give_back()
            self._suspend_drained()
        if how != "drain":
            for bind in self.binds:
                bind.resume()
        self._turned()

    def _suspend_drained(self) -> None:
        """Unbind when everything is answered, and do not bind before the hold ends."""
        if self.held == "drain" and not self.in_flight and not self._parts:
            for bind in self.binds:
                bind.suspend()

    def leave(self) -> None:
        """Give back what waits, finish nothing new; `run` ends when every bind has left."""
        self._leaving = True
        self._give_back()

    def unbind(self) -> None:
        """Leave the carrier; call when nothing is in flight, or time is over."""
        self._leaving = True
        for bind in self.binds:
            bind.leave()
