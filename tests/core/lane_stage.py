"""A lane with its owner and its carrier, all in memory, under the virtual clock."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any

import pytest
import trio
from clock import VirtualClock
from makers import channel, message
from smsc import Smsc
from trio.testing import wait_all_tasks_blocked

from gateway.core import bind
from gateway.core.figures import Figures
from gateway.core.inbox import Heard
from gateway.core.incoming import Incoming
from gateway.core.lane import Lane
from gateway.core.reader import parts_of
from gateway.core.report import Report
from gateway.store.base import Admission, Begun, Outcome
from gateway.store.memory import MemoryStore
from protocol.pdu import SubmitSm
from routing.records import Attempt, Message, MessageState


class FakeOwner:
    """The pipeline, as a lane sees it, on a real store; outcomes are noted and settled at once."""

    def __init__(self) -> None:
        self.store = MemoryStore("virtual")
        self.clock = VirtualClock()
        self.outcomes: list[Outcome] = []
        self.reports: list[Report] = []
        self.heard: list[Heard] = []
        self.back: list[Message] = []
        self.requeued: list[Message] = []
        self.codes_written: list[tuple[int, int, str]] = []
        self.changes = 0
        self.begin_takes_s = 0.0
        self.figures = Figures({}, self.clock)
        self.settling = True
        self.settle_takes_s = 0.0
        self.to_settle: list[Report] = []
        self.decides = trio.lowlevel.ParkingLot()

    async def begin(self, attempts: Sequence[Attempt]) -> Begun:
        begun = self.store.begin(attempts, self.clock.now(), self.clock.utc())
        await trio.sleep(self.begin_takes_s)
        return begun

    def report(self, report: Report) -> None:
        self.reports.append(report)
        self.outcomes += report.outcomes
        if self.settling and self.settle_takes_s:
            self.to_settle.append(report)
        elif self.settling:
            self.requeued += self.store.settle(report.outcomes, self.clock.utc()).requeue

    async def settle_later(self) -> None:
        """As the pipeline does: what is reported is decided a little later, in order."""
        while True:
            await trio.sleep(self.settle_takes_s or 1.0)
            for report in list(self.to_settle):
                self.requeued += self.store.settle(report.outcomes, self.clock.utc()).requeue
                self.to_settle.remove(report)
            self.decides.unpark_all()

    async def settled(self) -> None:
        while self.to_settle:
            await self.decides.park()

    def requeue(self, messages: Sequence[Message]) -> None:
        self.back += messages

    def lane_changed(self) -> None:
        self.changes += 1

    def lane_turned(self) -> None:
        self.changes += 1

    priced = False

    def cost(self, message: Message, channel: str) -> int:
        return 0

    def attempts_max(self, message: Message) -> int:
        return 4

    def alternatives(self, message: Message, channel: str) -> bool:
        return True

    def code_written(self, message: Message, number: int, channel: str) -> None:
        self.codes_written.append((message.id, number, channel))

    def written(self, channel: str, alike: Mapping[tuple[str, str, str], int], begun: float) -> None:
        self.figures.written(channel, alike, begun)

    def not_written(self, channel: str, message: Message, begun: float) -> None:
        self.figures.not_written(channel, message, begun)

    def of(self, kind: type) -> list[Any]:
        return [one for one in self.outcomes if isinstance(one, kind)]


class Stage:
    """A lane, its owner and its carrier."""

    def __init__(self, lane: Lane, owner: FakeOwner, smsc: Smsc) -> None:
        self.lane = lane
        self.owner = owner
        self.smsc = smsc

    def send(self, *messages: Message) -> None:
        self.owner.store.admit([Admission(one) for one in messages], self.owner.clock.utc())
        for one in messages:
            self.lane.enqueue(one)
        self.lane.wake()

    def resend(self) -> None:
        """What the store queued again comes back on this lane."""
        requeued, self.owner.requeued = self.owner.requeued, []
        for one in requeued:
            self.lane.enqueue(one)
        self.lane.wake()

    def state(self, number: int) -> MessageState:
        (one,) = self.owner.store.find([number])
        assert one is not None
        return one.state


@asynccontextmanager
async def stage(monkeypatch: pytest.MonkeyPatch, *, bound: bool = True, **fields: Any) -> AsyncIterator[Stage]:
    async with trio.open_nursery() as nursery:
        smsc = Smsc(nursery)
        monkeypatch.setattr(bind.trio, "open_tcp_stream", smsc.connect)
        owner = FakeOwner()
        made = channel("a", **{"enquire_link_s": 1_000, **fields})
        incoming = Incoming(made, owner.clock, owner.heard.append)
        lane = Lane(made, owner, owner.clock, 7, incoming)
        smsc.refusing = not bound
        nursery.start_soon(lane.run)
        nursery.start_soon(owner.settle_later)
        await wait_all_tasks_blocked(0.001)
        assert lane.up is bound
        yield Stage(lane, owner, smsc)
        nursery.cancel_scope.cancel()


def messages(first: int, last: int, **fields: Any) -> list[Message]:
    return [message(number, **fields) for number in range(first, last + 1)]


def silent(pdu: SubmitSm) -> None:
    return None


def long(number: int, parts: int, **fields: Any) -> Message:
    data = b"x" * (153 * parts)
    assert parts_of(data, 0, 0) == parts
    return message(number, data, parts=parts, **fields)
