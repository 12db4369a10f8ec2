"""Events on their way to webhooks: stored before, forgotten when every webhook that wants them has taken them.

    settle --> deliver --> a line for each webhook --> Work for an API worker --> Try --> done, or again later
                            waiting, flying, later

Workers only make requests; when to try again is decided here, and survives a restart in the notice. Each webhook has a line,
with bounds of its own on what flies and on what is in memory, so one that is slow or away holds up nobody else: what its line
has no room for stays in the store until it has. One that answers again after an outage gets at once what waits for its time.
"""

import heapq
import random
from collections import OrderedDict, deque
from collections.abc import Callable, Sequence
from itertools import islice, takewhile

import msgspec
import trio

from gateway import log
from gateway.calls.messages import PastTry, Try
from gateway.calls.outbound import Work
from gateway.calls.things import Webhook, event_name
from gateway.clock import Clock
from gateway.core.mailbox import Signal
from gateway.core.report import Report
from gateway.core.storage import Storage
from gateway.store.base import NoticeDone, NoticeKept, Outcome
from gateway.store.shelf import given_up_utc
from routing.records import Delivery, Notice

SCHEDULE_S = (5.0, 300.0, 1_800.0, 7_200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)
"""Until the next try, by failures so far; after the last one nobody tries any more (Standard Webhooks)."""
TRIES = len(SCHEDULE_S) + 1
JITTER = 0.2
BEFORE_DEAD_S = 60.0
OUTAGE = 3
"""Failures in a row that are no single event's trouble."""
FLYING_S = 600.0
"""Far longer than a worker takes with what it is given at a time."""
SAID_MAX = 200
RETRY_AFTER_MAX_S = 86_400.0
LINE_MAX = 10_000
"""Events in memory for one webhook."""
LISTED_MAX = 1 << 20
"""Events looked at, at most, for those that a line has room for."""
FLYING_MAX = 64
FLYING_BATCHED_MAX = 2_000
PAST_MAX = 200
FINISHED_MAX = 50_000
TICK_S = 0.25
GONE = 410


def used_up(delivery: Delivery) -> bool:
    """Whether a webhook has had all its tries."""
    return delivery.failures >= TRIES


class Line:
    """One webhook and what is on its way to it."""

    def __init__(self, webhook: Webhook) -> None:
        self.webhook = webhook
        self.waiting: deque[int] = deque()
        self.flying: dict[int, tuple[int, float]] = {}
        """Notice id to the number of the worker that has it, and when it is asked for no longer; oldest first."""
        self.later: list[tuple[float, int]] = []
        self.overflowed = False
        """Whether the store holds events that found no room here."""
        self.failures = 0
        """In a row."""
        self.past: deque[PastTry] = deque(maxlen=PAST_MAX)

    @property
    def room(self) -> int:
        """How many more events may fly."""
        return (FLYING_BATCHED_MAX if self.webhook.batch else FLYING_MAX) - len(self.flying)

    @property
    def size(self) -> int:
        """Events it has not taken, of those in memory."""
        return len(self.waiting) + len(self.flying) + len(self.later)

    def takes(self, delivery: Delivery) -> bool:
        """Whether an event goes there now; one that finds no room comes from the store later."""
        if not self.webhook.enabled or used_up(delivery):
            return False
        if self.size >= LINE_MAX:
            self.overflowed = True
            return False
        return True

    def succeeded(self) -> None:
        """After an outage what waits for its time need not. One event that is never taken is no outage: it would use up its
        tries within seconds, at every success of another.
        """
        if self.failures >= OUTAGE:
            self.waiting.extend(number for _, number in sorted(self.later))
            self.later.clear()
        self.failures = 0

    def came_back(self, numbers: Sequence[int]) -> None:
        """Nobody knows what became of these: they are the oldest, and go out again first."""
        for one in numbers:
            del self.flying[one]
        self.waiting.extendleft(reversed(numbers))

    def forget(self) -> None:
        """Nothing is on its way any more."""
        self.waiting.clear()
        self.flying.clear()
        self.later.clear()


class _Held:
    """A notice in memory, and how far each webhook that wants it is."""

    def __init__(self, notice: Notice) -> None:
        self.notice = notice
        self.open: dict[str, Delivery] = {}
        self.aside: dict[str, Delivery] = {}
        """Webhooks that are switched off, have no room, or have used up their tries."""

    def kept(self) -> NoticeKept:
        """For the store: how far it is."""
        self.notice = msgspec.structs.replace(self.notice, deliveries=(*self.open.values(), *self.aside.values()))
        return NoticeKept(self.notice)


class Outbox:
    """See the module. `report` takes outcomes for the store, `disable` a webhook that said it is gone."""

    def __init__(
        self,
        store: Storage,
        clock: Clock,
        report: Callable[[Report], None],
        disable: Callable[[Webhook, str], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._report = report
        self._disable = disable
        self._lines: dict[str, Line] = {}
        self._held: dict[int, _Held] = {}
        self._look_again: set[str] = set()
        """Accounts whose webhooks have changed: the store may hold events for one of them, or for nobody now."""
        self._finished: OrderedDict[int, None] = OrderedDict()
        self._workers: dict[int, Callable[[Work], None]] = {}
        self._turn = 0
        self._signal = Signal()
        self._log = log.logger()

    # -- webhooks and workers

    def put_webhook(self, name: str, webhook: Webhook | None) -> None:
        """A webhook that is new, has changed, or (None) is gone."""
        before = self._lines.get(name)
        if webhook is None:
            account = before.webhook.account if before is not None else ""
        else:
            account = webhook.account
            if before is None:
                self._lines[name] = Line(webhook)
            else:
                before.webhook = webhook
        if webhook is None or not webhook.enabled:
            self._let_go(name, for_good=webhook is None)
            if webhook is None:
                self._lines.pop(name, None)
        elif before is not None:
            self._take_back(before)
        if account:
            self._look_again.add(account)
        self._signal.set()

    def _let_go(self, name: str, *, for_good: bool) -> None:
        """Nothing goes to this webhook any more; what waits for it stays in the store while it may be enabled again."""
        if (line := self._lines.get(name)) is not None:
            line.forget()
        outcomes: list[Outcome] = []
        for held in [one for one in self._held.values() if name in one.open or name in one.aside]:
            delivery = held.open.pop(name, None) or held.aside.pop(name)
            if not for_good:
                held.aside[name] = delivery
            if held.open or held.aside:
                outcomes.append(held.kept())
                if not held.open:
                    self._drop(held.notice)
            else:
                outcomes.append(self._done(held.notice))
        if outcomes:
            self._report(Report(outcomes))

    def _take_back(self, line: Line) -> None:
        """It is enabled (again): what it left aside, of what is in memory for others."""
        name = line.webhook.id
        for held in self._held.values():
            delivery = held.aside.get(name)
            if delivery is not None and not used_up(delivery):
                held.open[name] = held.aside.pop(name)
                self._line_up(line, held)

    def wanted(self, account: str) -> bool:
        """Whether anybody wants to hear of the account's messages."""
        return any(line.webhook.enabled and line.webhook.account == account for line in self._lines.values())

    def wants(self, account: str, event: str) -> bool:
        """Whether an event of this name goes to a webhook of the account."""
        return any(line.webhook.account == account and line.webhook.wants(event) for line in self._lines.values())

    def wants_received(self, account: str) -> bool:
        """Whether subscribers' messages to the account go to a webhook."""
        return self.wants(account, "message.received")

    def joined(self, number: int, send: Callable[[Work], None]) -> None:
        """A worker that can make requests."""
        self._workers[number] = send
        self._signal.set()

    def left(self, number: int) -> None:
        """A worker is gone: what it had goes to another one, for nobody knows how far it was."""
        self._workers.pop(number, None)
        for line in self._lines.values():
            line.came_back([one for one, (worker, _) in line.flying.items() if worker == number])
        self._signal.set()

    # -- events in

    def deliver(self, notices: Sequence[Notice]) -> int:
        """New events, stored already. Gives how many nobody wants."""
        unwanted: list[Outcome] = [self._done(notice) for notice in notices if not self._take(notice)]
        if unwanted:
            self._report(Report(unwanted))
        self._signal.set()
        return len(unwanted)

    def replay(self, webhook: str, notices: Sequence[Notice]) -> int:
        """Events that were taken or given up before, for one webhook again. Gives how many are on their way."""
        line = self._lines.get(webhook)
        if line is None:
            return 0
        notices = list({one.id: one for one in notices}.values())
        fresh = [
            msgspec.structs.replace(one, deliveries=(Delivery(webhook),), created_utc=self._clock.utc())
            for one in notices
            if one.id not in self._held
        ]
        kept: list[Outcome] = [NoticeKept(one) for one in fresh]
        for one in fresh:
            self._finished.pop(one.id, None)
        for held in [self._held[one.id] for one in notices if one.id in self._held]:  # for another webhook, or this one
            if webhook in held.open:
                continue
            held.aside.pop(webhook, None)
            if line.webhook.enabled:
                held.open[webhook] = Delivery(webhook)
                self._line_up(line, held)
            else:
                held.aside[webhook] = Delivery(webhook)
            kept.append(held.kept())
        if kept:
            self._report(Report(kept))
        self.deliver(fresh)
        return len(notices)

    def _take(self, notice: Notice) -> bool:
        """Put it into the lines of the webhooks that want it. False: none does, and none can be asked to wait for it."""
        if notice.id in self._held or notice.id in self._finished:
            return True
        name = event_name(notice)
        told = {one.webhook: one for one in notice.deliveries}
        mine = [line for line in self._lines.values() if line.webhook.account == notice.account]
        wanting = [one for one in mine if (one.webhook.id in told if told else one.webhook.wants(name))]
        if not wanting:
            return False
        held = _Held(notice)
        able: list[Line] = []
        for line in wanting:
            delivery = told.get(line.webhook.id) or Delivery(line.webhook.id)
            if line.takes(delivery):
                held.open[line.webhook.id] = delivery
                able.append(line)
            else:
                held.aside[line.webhook.id] = delivery
        if not able:
            return True  # it stays in the store, for when one of them is enabled or has room, or until its time is over
        self._held[notice.id] = held
        for line in able:
            self._line_up(line, held)
        return True

    def _line_up(self, line: Line, held: _Held) -> None:
        at = held.open[line.webhook.id].next_utc
        if at > self._clock.utc():
            heapq.heappush(line.later, (at, held.notice.id))
        else:
            line.waiting.append(held.notice.id)

    def _drop(self, notice: Notice) -> None:
        """It is in memory no longer."""
        self._held.pop(notice.id, None)

    # -- events out

    async def run(self) -> None:
        """Move events to workers, until cancelled."""
        while True:
            with trio.move_on_after(TICK_S):
                await self._signal.wait()
            await self._refill()
            self._miss()
            self._send()

    async def _refill(self) -> None:
        """Events that found no room come from the store once there is some."""
        roomy = [line for line in self._lines.values() if line.overflowed and line.size <= LINE_MAX // 2]
        again, self._look_again = self._look_again, set()
        for account in again | {line.webhook.account for line in roomy}:
            await self._list(account, [line for line in roomy if line.webhook.account == account])

    async def _list(self, account: str, roomy: list[Line]) -> None:
        """`roomy`: lines with room. The oldest come first, and may all wait for others."""
        for line in roomy:
            line.overflowed = False
        limit = 2 * LINE_MAX + len(self._finished)
        while True:
            listed = await self._store.notices(Notice(0, account, door="http").box, limit)
            unwanted = self.deliver(listed)
            if len(listed) < limit or limit > LISTED_MAX:
                break
            if roomy and all(line.size > LINE_MAX // 2 for line in roomy):
                for line in roomy:
                    line.overflowed = True  # there may be more
                break
            if unwanted:
                self._look_again.add(account)  # what nobody wants leaves first
                break
            limit *= 2

    def _miss(self) -> None:
        """A worker that says nothing for so long has lost them, or hangs: at least once is the promise."""
        now = self._clock.now()
        for line in self._lines.values():
            missed = [one for one, (_, until) in takewhile(lambda item: item[1][1] <= now, line.flying.items())]
            if missed:
                self._log.warning("no word of events that a worker has", webhook=line.webhook.id, events=len(missed))
                line.came_back(missed)

    def _send(self) -> None:
        """As many as may fly, each line to one worker, the next one to the next."""
        if not self._workers:
            return
        utc, until = self._clock.utc(), self._clock.now() + FLYING_S
        numbers = list(self._workers)
        for line in self._lines.values():
            while line.later and line.later[0][0] <= utc:
                line.waiting.append(heapq.heappop(line.later)[1])
            count = min(line.room, len(line.waiting)) if line.webhook.enabled else 0
            if count <= 0:
                continue
            self._turn += 1
            worker = numbers[self._turn % len(numbers)]
            taken = [line.waiting.popleft() for _ in range(count)]
            notices = [held.notice for held in map(self._held.get, taken) if held is not None]
            line.flying.update(dict.fromkeys([one.id for one in notices], (worker, until)))
            if notices:
                self._workers[worker](Work(line.webhook.id, notices))

    # -- what came of it

    def tried(self, tries: Sequence[Try]) -> None:
        """Requests that have ended."""
        outcomes: list[Outcome] = []
        for one in tries:
            line, held = self._lines.get(one.webhook), self._held.get(one.notice_id)
            if line is None or held is None or line.flying.pop(one.notice_id, None) is None:
                continue
            if 200 <= one.status < 300:
                line.past.append(self._past(one, held.open[one.webhook].failures, 0.0))
                del held.open[one.webhook]
                line.succeeded()
                outcomes += self._one_less(held, told=any(each.webhook == one.webhook for each in held.notice.deliveries))
            else:
                outcomes += self._failed(line, held, one)
        if outcomes:
            self._report(Report(outcomes))
        self._signal.set()

    def _one_less(self, held: _Held, *, told: bool) -> list[Outcome]:
        """A webhook is done with it. `told`: the store names that one among those that are not."""
        if held.open:
            return [held.kept()] if told else []
        if not held.aside:
            return [self._done(held.notice)]
        self._drop(held.notice)
        return [held.kept()]

    def _done(self, notice: Notice) -> NoticeDone:
        self._drop(notice)
        self._finished[notice.id] = None  # the store may list it a while longer
        while len(self._finished) > FINISHED_MAX:
            self._finished.popitem(last=False)
        return NoticeDone(notice.id, notice.box)

    def _failed(self, line: Line, held: _Held, one: Try) -> list[Outcome]:
        line.failures += 1
        utc = self._clock.utc()
        failures = held.open[one.webhook].failures + 1
        last_utc = given_up_utc(held.notice) - BEFORE_DEAD_S
        next_utc = 0.0
        if failures <= len(SCHEDULE_S) and utc < last_utc:
            delay = SCHEDULE_S[failures - 1] * random.uniform(1 - JITTER, 1 + JITTER)
            delay = max(delay, min(one.retry_after_s, RETRY_AFTER_MAX_S))
            next_utc = min(utc + delay, last_utc)  # the last try comes before the store gives it up
        line.past.append(self._past(one, failures, 0.0 if one.status == GONE else next_utc))
        said = (one.said or str(one.status))[:SAID_MAX]
        delivery = Delivery(one.webhook, failures if next_utc else TRIES, next_utc, said)
        if one.status == GONE:
            self._disable(line.webhook, "it answered 410 Gone")
        if next_utc:
            held.open[one.webhook] = delivery
            heapq.heappush(line.later, (next_utc, one.notice_id))
            return [held.kept()]
        # It stays in the store until its time is over, and is a dead letter then.
        del held.open[one.webhook]
        held.aside[one.webhook] = delivery
        return self._one_less(held, told=True)

    def _past(self, one: Try, failures: int, next_utc: float) -> PastTry:
        return PastTry(one.notice_id, one.status, one.said[:SAID_MAX], self._clock.utc(), one.took_s, failures, next_utc)

    # -- questions

    def past(self, webhook: str, limit: int) -> tuple[list[PastTry], int]:
        """The latest tries, newest first, and how many events wait."""
        line = self._lines.get(webhook)
        return ([], 0) if line is None else (list(islice(reversed(line.past), limit)), line.size)

    @property
    def backlog(self) -> int:
        """Events in memory that some webhook has not taken."""
        return len(self._held)
