"""A carrier in virtual time: answers and receipts after their latencies, as many a second as it takes, links that die."""

import heapq
import random
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from itertools import count

import msgspec
import trio
from clock import START_UTC
from smsc import Line, Smsc

from protocol import receipt
from protocol.pdu import DeliverSm, SubmitSm
from protocol.receipt import MessageState as CarrierState
from protocol.status import Status
from routing.throttle import TokenBucket

STEP_S = 0.01
"""What is due within a step is done together."""
AWAY_S = 0.25
"""Receipts that find no link wait so long."""
TEXT_DATE = datetime.fromtimestamp(START_UTC, UTC)


class Arrival(msgspec.Struct):
    """A submit_sm that came. `taken`: it was accepted, or would have been; False when the link died before it was read."""

    at: float
    channel: str
    destination: str
    status: int
    taken: bool
    answered: bool = False


class BySecond:
    """So many within each second of the clock, asked like a TokenBucket."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._second = -1
        self._count = 0

    def take(self, wanted: int, now: float) -> int:
        if int(now) != self._second:
            self._second, self._count = int(now), 0
        self._count += wanted
        return wanted if self._count <= self._rate else 0


class Carrier(Smsc):
    """Changed at any time: `answer_s` and `receipt_s` (from the answer to the receipt, None: none comes) in seconds, `refuses`
    gives an error status or 0, `allowance` says how many are taken; the rest is throttled.
    """

    def __init__(self, nursery: trio.Nursery, name: str, seed: int) -> None:
        super().__init__(nursery)
        self.name = name
        self.chance = random.Random(seed)
        self.answer_s: Callable[[], float] = lambda: self.chance.uniform(0.005, 0.03)
        self.receipt_s: Callable[[SubmitSm], float | None] = self.usual
        self.refuses: Callable[[SubmitSm], int] = lambda pdu: 0
        self.arrivals: list[Arrival] = []
        self.drops: list[float] = []
        self.allowance: TokenBucket | BySecond = TokenBucket(0)
        self._unanswered: dict[int, list[Arrival]] = {}
        self._numbers = count(1)
        self._coming: list[tuple[float, int, Callable[[], Line | None]]] = []
        self._sooner = trio.Event()
        nursery.start_soon(self._clock)

    def usual(self, pdu: SubmitSm) -> float:
        """About 0.6 s, seldom more than 2."""
        return self.chance.lognormvariate(-0.5, 0.5)

    def drop_all(self, *, unread: bool) -> None:
        """All links die. `unread`: what has no answer yet was never read; else its receipts will come all the same."""
        alive = [line for line in self.lines if not line.dead]
        if alive:
            self.drops.append(trio.current_time())
        for line in alive:
            line.drop()
            for one in self._unanswered.pop(id(line), []):
                one.taken = one.taken and (one.answered or not unread)

    # -- what comes

    def _submit(self, line: Line, pdu: SubmitSm) -> None:
        now = trio.current_time()
        status = self.refuses(pdu) or (0 if self.allowance.take(1, now) else Status.RTHROTTLED)
        arrival = Arrival(now, self.name, pdu.destination_addr, status, not status)
        self.arrivals.append(arrival)
        self._unanswered.setdefault(id(line), []).append(arrival)
        message_id = "" if status else f"{self.name}{next(self._numbers)}"
        answer_at = now + self.answer_s()
        self._at(answer_at, partial(self._answer, line, pdu.sequence, arrival, message_id))
        after = None if status else self.receipt_s(pdu)
        if after is not None:
            self._at(answer_at + after, partial(self._deliver, pdu, arrival, message_id))

    # -- what is told

    def _at(self, at: float, act: Callable[[], Line | None]) -> None:
        if not self._coming or at < self._coming[0][0]:
            self._sooner.set()
        heapq.heappush(self._coming, (at, next(self._numbers), act))

    async def _clock(self) -> None:
        while True:
            self._sooner = trio.Event()
            if self._coming:
                with trio.move_on_at(self._coming[0][0] + STEP_S):
                    await self._sooner.wait()
            else:
                await self._sooner.wait()
            for line in self._act(trio.current_time()):
                try:
                    await line.flush()
                except (trio.BrokenResourceError, trio.ClosedResourceError):
                    line.drop()

    def _act(self, now: float) -> Iterable[Line]:
        """Everything that is due; gives the links that have something to say."""
        lines: dict[int, Line] = {}
        while self._coming and self._coming[0][0] <= now:
            line = heapq.heappop(self._coming)[2]()
            if line is not None:
                lines[id(line)] = line
        return lines.values()

    def _answer(self, line: Line, sequence: int, arrival: Arrival, message_id: str) -> Line | None:
        if line.dead:
            return None
        arrival.answered = True
        self._unanswered[id(line)].remove(arrival)
        line.session.respond_submit(sequence, arrival.status, message_id)
        return line

    def _deliver(self, pdu: SubmitSm, arrival: Arrival, message_id: str) -> Line | None:
        """A receipt, on whatever link there is; none for what was never read."""
        if not arrival.taken:
            return None
        line = next((one for one in reversed(self.lines) if not one.dead and one.session.can_send), None)
        if line is None:
            self._at(trio.current_time() + AWAY_S, partial(self._deliver, pdu, arrival, message_id))
            return None
        text, tlvs = receipt.write(message_id, CarrierState.DELIVERED, TEXT_DATE, TEXT_DATE)
        told = DeliverSm(
            source_addr=pdu.destination_addr,
            destination_addr=pdu.source_addr,
            esm_class=receipt.RECEIPT,
            short_message=text,
            tlvs=tlvs,
        )
        line.session.request(told, None, trio.current_time())
        return line
