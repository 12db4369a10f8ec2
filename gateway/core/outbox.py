"""Events on their way to webhooks: stored before, forgotten when every webhook that wants them has taken them.

    settle --> deliver --> a line for each webhook --> Work for an API worker --> Try --> done, or again later
                            waiting, flying, later

Workers only make requests; when to try again is decided here, and survives a restart in the notice. Each webhook has a line
and a bound of its own on what flies, so one that is slow or away holds up nobody else. One that answers again after a failure
gets at once what waits for its time. Events that find no room in memory stay in the store until there is some.
"""

import heapq
import random
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from itertools import islice

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
from routing.records import Delivery, Notice

SCHEDULE_S = (5.0, 300.0, 1_800.0, 7_200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)
"""Until the next try, by failures so far; after the last one nobody tries any more (Standard Webhooks)."""
JITTER = 0.2
RETRY_AFTER_MAX_S = 86_400.0
HELD_MAX = 20_000
"""Events of one account in memory."""
FLYING_MAX = 64
FLYING_BATCHED_MAX = 2_000
PAST_MAX = 200
FINISHED_MAX = 50_000
TICK_S = 0.25
GONE = 410


class Line:
    """One webhook and what is on its way to it."""

    def __init__(self, webhook: Webhook) -> None:
        self.webhook = webhook
        self.waiting: deque[int] = deque()
        self.flying: dict[int, int] = {}
        """Notice id to the number of the worker that has it."""
        self.later: list[tuple[float, int]] = []
        self.failing = False
        self.past: deque[PastTry] = deque(maxlen=PAST_MAX)

    @property
    def room(self) -> int:
        """How many more events may fly."""
        return (FLYING_BATCHED_MAX if self.webhook.batch else FLYING_MAX) - len(self.flying)

    @property
    def size(self) -> int:
        """Events it has not taken, of those in memory."""
        return len(self.waiting) + len(self.flying) + len(self.later)

    def hurry(self) -> None:
        """It answers again: what waits for its time need not."""
        self.waiting.extend(number for _, number in sorted(self.later))
        self.later.clear()


class _Held:
    """A notice in memory, and how far each webhook that wants it is."""

    def __init__(self, notice: Notice, deliveries: Iterable[Delivery]) -> None:
        self.notice = notice
        self.open = {one.webhook: one for one in deliveries}


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
        self._count: dict[str, int] = {}
        self._overflow: set[str] = set()
        self._finished: OrderedDict[int, None] = OrderedDict()
        self._workers: dict[int, Callable[[Work], None]] = {}
        self._turn = 0
        self._signal = Signal()
        self._log = log.logger()

    # -- webhooks and workers

    def put_webhook(self, name: str, webhook: Webhook | None) -> None:
        """A webhook that is new, has changed, or (None) is gone."""
        line = self._lines.get(name)
        if webhook is None:
            self._lines.pop(name, None)
        elif line is None:
            line = self._lines[name] = Line(webhook)
        else:
            line.webhook = webhook
        if webhook is None or not webhook.enabled:
            self._let_go(name, for_good=webhook is None)
        else:
            self._overflow.add(webhook.account)  # the store may hold events for it
        self._signal.set()

    def _let_go(self, name: str, *, for_good: bool) -> None:
        """Nothing is for this webhook any more; what it alone wanted stays in the store while it may be enabled again."""
        line = self._lines.get(name)
        if line is not None:
            line.waiting.clear()
            line.flying.clear()
            line.later.clear()
        done: list[Outcome] = []
        for held in [one for one in self._held.values() if name in one.open]:
            del held.open[name]
            if not held.open:
                self._drop(held.notice)
                if for_good:
                    done.append(NoticeDone(held.notice.id, held.notice.box))
        if done:
            self._report(Report(done))

    def wanted(self, account: str) -> bool:
        """Whether anybody wants to hear of the account's messages."""
        return any(line.webhook.enabled and line.webhook.account == account for line in self._lines.values())

    def wants_received(self, account: str) -> bool:
        """Whether subscribers' messages to the account go to a webhook."""
        return any(line.webhook.account == account and line.webhook.wants("message.received") for line in self._lines.values())

    def joined(self, number: int, send: Callable[[Work], None]) -> None:
        """A worker that can make requests."""
        self._workers[number] = send
        self._signal.set()

    def left(self, number: int) -> None:
        """A worker is gone: what it had goes to another one, for nobody knows how far it was."""
        self._workers.pop(number, None)
        for line in self._lines.values():
            back = [one for one, worker in line.flying.items() if worker == number]
            for one in back:
                del line.flying[one]
            line.waiting.extendleft(reversed(back))
        self._signal.set()

    # -- events in

    def deliver(self, notices: Sequence[Notice]) -> None:
        """New events, stored already."""
        unwanted: list[Outcome] = []
        for notice in notices:
            if self._count.get(notice.account, 0) >= HELD_MAX:
                self._overflow.add(notice.account)
            elif not self._take(notice):
                unwanted.append(NoticeDone(notice.id, notice.box))
        if unwanted:
            self._report(Report(unwanted))
        self._signal.set()

    def replay(self, webhook: str, notices: Sequence[Notice]) -> int:
        """Events that were taken or given up before, for one webhook again. Gives how many are on their way."""
        if webhook not in self._lines:
            return 0
        fresh = [
            msgspec.structs.replace(one, deliveries=(Delivery(webhook),), created_utc=self._clock.utc())
            for one in notices
            if one.id not in self._held
        ]
        for one in fresh:
            self._finished.pop(one.id, None)
        if fresh:
            self._report(Report([NoticeKept(one) for one in fresh]))
            self.deliver(fresh)
        return len(fresh)

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
        able = [line for line in wanting if line.webhook.enabled]
        if not able:
            return True  # it stays in the store, for when one of them is enabled
        held = _Held(notice, (told.get(line.webhook.id, Delivery(line.webhook.id)) for line in able))
        self._held[notice.id] = held
        self._count[notice.account] = self._count.get(notice.account, 0) + 1
        utc = self._clock.utc()
        for line in able:
            at = held.open[line.webhook.id].next_utc
            if at > utc:
                heapq.heappush(line.later, (at, notice.id))
            else:
                line.waiting.append(notice.id)
        return True

    def _drop(self, notice: Notice) -> None:
        """It is in memory no longer."""
        if self._held.pop(notice.id, None) is not None:
            self._count[notice.account] -= 1

    # -- events out

    async def run(self) -> None:
        """Move events to workers, until cancelled."""
        while True:
            with trio.move_on_after(TICK_S):
                await self._signal.wait()
            await self._refill()
            self._send()

    async def _refill(self) -> None:
        """Events that found no room in memory come from the store once there is some."""
        for account in [one for one in self._overflow if self._count.get(one, 0) <= HELD_MAX // 2]:
            self._overflow.discard(account)
            if not any(line.webhook.account == account for line in self._lines.values()):
                continue
            limit = HELD_MAX + len(self._finished)
            listed = await self._store.notices(Notice(0, account, door="http").box, limit)
            self.deliver(listed)

    def _send(self) -> None:
        """As many as may fly, each line to one worker, the next one to the next."""
        if not self._workers:
            return
        utc = self._clock.utc()
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
            line.flying.update(dict.fromkeys([one.id for one in notices], worker))
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
                if line.failing:
                    line.failing = False
                    line.hurry()
                if not held.open:
                    outcomes.append(self._done(held.notice))
            else:
                outcomes += self._failed(line, held, one)
        if outcomes:
            self._report(Report(outcomes))
        self._signal.set()

    def _done(self, notice: Notice) -> NoticeDone:
        self._drop(notice)
        self._finished[notice.id] = None  # the store may list it a while longer
        while len(self._finished) > FINISHED_MAX:
            self._finished.popitem(last=False)
        return NoticeDone(notice.id, notice.box)

    def _failed(self, line: Line, held: _Held, one: Try) -> list[Outcome]:
        line.failing = True
        failures = held.open[one.webhook].failures + 1
        over = failures > len(SCHEDULE_S)
        delay = 0.0 if over else SCHEDULE_S[failures - 1] * random.uniform(1 - JITTER, 1 + JITTER)
        delay = max(delay, min(one.retry_after_s, RETRY_AFTER_MAX_S))
        next_utc = 0.0 if over else self._clock.utc() + delay
        line.past.append(self._past(one, failures, next_utc))
        if over:
            # It stays in the store until its time is over, and is a dead letter then.
            del held.open[one.webhook]
            if not held.open:
                self._drop(held.notice)
            return []
        held.open[one.webhook] = Delivery(one.webhook, failures, next_utc, one.said or str(one.status))
        heapq.heappush(line.later, (next_utc, one.notice_id))
        held.notice = msgspec.structs.replace(held.notice, deliveries=tuple(held.open.values()))
        if one.status == GONE:
            self._disable(line.webhook, "it answered 410 Gone")
        return [NoticeKept(held.notice)]

    def _past(self, one: Try, failures: int, next_utc: float) -> PastTry:
        return PastTry(one.notice_id, one.status, one.said, self._clock.utc(), one.took_s, failures, next_utc)

    # -- questions

    def past(self, webhook: str, limit: int) -> tuple[list[PastTry], int]:
        """The latest tries, newest first, and how many events wait."""
        line = self._lines.get(webhook)
        return ([], 0) if line is None else (list(islice(reversed(line.past), limit)), line.size)

    @property
    def backlog(self) -> int:
        """Events in memory that some webhook has not taken."""
        return len(self._held)
