"""A whole gateway without doors and disk: pipeline, lanes and memory store, and a timed carrier behind each channel.

Everything is in virtual time. Each message has a recipient of its own, by which carriers' arrivals are known to be of it.
"""

import random
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any

import msgspec
import pytest
import trio
from carrier import Arrival, Carrier
from clock import VirtualClock
from makers import account, channel, message, route
from trio.testing import wait_all_tasks_blocked

from config.schema import CLASSES, Channel, Config, MessageClass, Route
from gateway.core import bind
from gateway.core.incoming import Incoming
from gateway.core.lane import Lane
from gateway.core.pipeline import Pipeline
from gateway.core.storage import Storage
from gateway.core.submission import Submission
from gateway.store.base import RequestRecord
from gateway.store.memory import MemoryStore
from gateway.store.opening import Opened
from protocol.commands import Command
from routing.ids import IdMaker
from routing.records import Message, MessageState, Notice
from routing.sla import WITHIN_S

TICK_S = 0.05
MOBILE, UNICOM = "86138", "86130"
"""Beginnings of numbers on two networks."""
VALID_S = 120.0
MIX = {"verification": 20, "notification": 20, "marketing": 20}
"""Of each a second."""


class Told(msgspec.Struct):
    """What is known of a message outside: when it was handed over, and when its sender was told which end."""

    message: Message
    at: float
    ends: list[tuple[float, MessageState]] = []

    @property
    def class_(self) -> str:
        return self.message.class_

    @property
    def within(self) -> bool:
        """Whether it was delivered within ten seconds."""
        return any(state is MessageState.DELIVERED and at - self.at <= WITHIN_S for at, state in self.ends)


class World:
    """`load` sends; `arrivals` and `sent` say what became of it. Also the door of all messages."""

    def __init__(self, nursery: trio.Nursery, made: Config) -> None:
        self.clock = VirtualClock()
        self.store = MemoryStore("virtual")
        self.sent: dict[str, Told] = {}
        self.refused: Counter[int] = Counter()
        self._ids = IdMaker(0, self.clock.utc)
        self._by_id: dict[int, Told] = {}
        self._turns: Counter[str] = Counter()
        self.pipeline = Pipeline(made, Storage(Opened(self.store), self.clock), self.clock, self._tell)
        self.carriers = {one.name: Carrier(nursery, one.name, seed) for seed, one in enumerate(made.channels)}
        self.lanes: dict[str, Lane] = self.pipeline.lanes
        for one in made.channels:
            incoming = Incoming(one, self.clock, self._ids)
            self.lanes[one.name] = Lane(one, self.pipeline, self.clock, 7, incoming)

    async def connect(self, host: str, port: int) -> SimpleNamespace:
        """Stands in for trio.open_tcp_stream: each channel's host is its name."""
        return await self.carriers[host].connect(host, port)

    # -- the door

    def remembered(self, submissions: Sequence[Submission]) -> Sequence[RequestRecord]:
        return ()

    def answer(self, submissions: Sequence[Submission]) -> None:
        for submission in submissions:
            for one, status in zip(submission.messages, submission.statuses, strict=True):
                if status:
                    self.refused[status] += 1
                    del self.sent[one.destination]

    def _tell(self, notices: Sequence[Notice]) -> None:
        for notice in notices:
            self._by_id[notice.id].ends.append((trio.current_time(), notice.state))

    def submit(self, class_: str, networks: Sequence[str] = (MOBILE,), count: int = 1) -> None:
        """Hand over messages of one class, to the networks in turn."""
        now, utc = trio.current_time(), self.clock.utc()
        made = []
        for _ in range(count):
            destination = f"{networks[self._turns[class_] % len(networks)]}{len(self._by_id):08d}"
            self._turns[class_] += 1
            times = {"arrival": now, "arrival_utc": utc, "expires_utc": utc + VALID_S}
            one = message(self._ids.make(destination), destination=destination, class_=class_, **times)
            self.sent[destination] = self._by_id[one.id] = Told(one, now)
            made.append(one)
        self.pipeline.submit(self, [Submission(1, len(self._by_id), Command.SUBMIT_SM, made)])

    async def load(self, seconds: float, networks: Sequence[str] = (MOBILE,), **rates: float) -> None:
        """Messages of each class at its rate, evenly."""
        began = trio.current_time()
        done: Counter[str] = Counter()
        for step in range(1, round(seconds / TICK_S) + 1):
            for class_ in CLASSES:
                count = int(rates.get(class_, 0) * step * TICK_S + 1e-6) - done[class_]
                if count:
                    done[class_] += count
                    self.submit(class_, networks, count)
            await trio.sleep_until(began + step * TICK_S)

    async def finish(self, within_s: float = VALID_S + 30) -> None:
        """Until everything that was accepted has ended, and its sender been told so exactly once."""
        with trio.move_on_after(within_s):
            while self.store.ledger().queued or self.store.ledger().in_flight:  # noqa: ASYNC110 - nothing tells
                await trio.sleep(1.0)
        ledger = self.store.ledger()
        assert ledger.balanced
        assert (ledger.accepted, ledger.queued, ledger.in_flight) == (len(self.sent), 0, 0)
        assert {len(one.ends) for one in self.sent.values()} <= {1}

    # -- what became of it

    def of(self, class_: MessageClass) -> list[Told]:
        """What was accepted of a class."""
        return [one for one in self.sent.values() if one.class_ == class_]

    def arrivals(self, class_: MessageClass | None = None, since: float = 0, until: float = 1e9) -> list[Arrival]:
        """What came to any carrier in that time, in order."""
        every = [one for carrier in self.carriers.values() for one in carrier.arrivals if since <= one.at < until]
        found = [one for one in every if class_ is None or self.sent[one.destination].class_ == class_]
        return sorted(found, key=lambda one: one.at)

    def waits(self, class_: MessageClass, since: float = 0, until: float = 1e9) -> list[float]:
        """How long it took from the door to a carrier, for messages of that time that one has got; shortest first."""
        first: dict[str, float] = {}
        for one in self.arrivals(class_):
            first.setdefault(one.destination, one.at)
        told = [one for one in self.of(class_) if since <= one.at < until and one.message.destination in first]
        return sorted(first[one.message.destination] - one.at for one in told)

    def share(self, name: str, class_: MessageClass | None = None, since: float = 0, until: float = 1e9) -> float:
        """Which part of what came to all carriers came to this one."""
        found = self.arrivals(class_, since, until)
        return sum(one.channel == name for one in found) / len(found)

    def within(self, class_: MessageClass | None = None, since: float = 0, until: float = 1e9) -> float:
        """Which part of what was handed over in that time was delivered within ten seconds."""
        told = self.sent.values() if class_ is None else self.of(class_)
        every = [one for one in told if since <= one.at < until]
        return sum(one.within for one in every) / len(every)

    def times_taken(self, class_: MessageClass) -> Counter[int]:
        """How many messages were taken by carriers how often."""
        by_message = Counter(one.destination for one in self.arrivals(class_) if one.taken)
        return Counter(by_message.values())

    def ends(self, class_: MessageClass | None = None) -> Counter[str]:
        """How messages ended."""
        return Counter(state.name for one in self.sent.values() if class_ in (None, one.class_) for _, state in one.ends[-1:])


@asynccontextmanager
async def world(monkeypatch: pytest.MonkeyPatch, routes: Sequence[Route], *channels: Channel) -> AsyncIterator[World]:
    """All channels bound."""
    random.seed(7)  # delays of reconnecting
    made = Config(accounts=[account()], channels=list(channels), routes=list(routes))
    async with trio.open_nursery() as nursery:
        at = World(nursery, made)
        monkeypatch.setattr(bind.trio, "open_tcp_stream", at.connect)
        nursery.start_soon(at.pipeline.run)
        for lane in at.lanes.values():
            nursery.start_soon(lane.run)
        await wait_all_tasks_blocked(0.001)
        assert all(lane.up for lane in at.lanes.values())
        yield at
        nursery.cancel_scope.cancel()


def carriers(*names: str, **fields: Any) -> list[Channel]:
    """Channels that are alike."""
    return [channel(name, **{"host": name, "window": 50, **fields}) for name in names]


def one_route(*names: str) -> list[Route]:
    """Every message may take any of them."""
    return [route(*names)]
