"""The core's door for API workers in memory: a pipeline, an outbox and questions, and clients at socket pairs."""

import socket
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import trio
from clock import START_UTC, VirtualClock
from makers import TO, account, channel, route
from trio.testing import wait_all_tasks_blocked

from config.schema import Config
from gateway.calls import messages as calls
from gateway.calls.frames import Call, Reply, Splitter, pack, replies_of
from gateway.core.audit import Audit
from gateway.core.drafts import Drafts
from gateway.core.outbox import Outbox
from gateway.core.pipeline import Pipeline
from gateway.core.questions import Questions
from gateway.core.rates import Rates
from gateway.core.report import Report
from gateway.core.rules import Rules
from gateway.core.storage import NotStoredError, Storage
from gateway.core.workers import Workers, batch_key
from gateway.store.memory import MemoryStore
from gateway.store.opening import Opened
from routing.ids import IdMaker


class FlakyStorage(Storage):
    """Refuses to store while `broken`, as a full disk does; `slow` keeps those who look for answers waiting."""

    broken = False

    def __init__(self, opened: Opened) -> None:
        super().__init__(opened, VirtualClock())
        self.ready_to_read = trio.Event()
        self.ready_to_read.set()
        self.ready_to_write = trio.Event()
        self.ready_to_write.set()
        self.read_error: Exception | None = None

    async def admit(self, batch: Any, answered: Any = lambda _: ()) -> Any:
        await self.ready_to_write.wait()
        if not self.broken:
            return await super().admit(batch, answered)
        before = dict(self.book.requests.held)
        self.book.admit(batch, START_UTC, answered)
        self.book.void([one.message.id for one in batch])
        self.book.requests.held = before
        raise NotStoredError("disk full")

    async def answers(self, keys: Sequence[str]) -> Any:
        await self.ready_to_read.wait()
        if self.read_error is not None:
            raise self.read_error
        return await super().answers(keys)


class Lines(Audit):
    """An audit that keeps its lines in memory."""

    def __init__(self) -> None:
        self.lines: list[dict[str, Any]] = []

    def note(self, what: str, **why: object) -> None:
        self.lines.append({"what": what, **why})


class Core:
    """Pipeline, outbox and questions over a memory store; workers connect by socket pairs."""

    def __init__(self, nursery: trio.Nursery, made: Config) -> None:
        clock = VirtualClock()
        self.nursery = nursery
        self.clients: list[Client] = []
        self.store = MemoryStore("virtual")
        self.storage = FlakyStorage(Opened(self.store))
        self.pipeline = Pipeline(made, self.storage, clock, lambda notices: None)
        self.rates = Rates()
        self.rates.configure(made.accounts)
        self.outbox = Outbox(self.storage, clock, self.pipeline.report, lambda webhook, why: None)
        ids = IdMaker(0, clock.utc)
        self.audit = Lines()
        drafts = Drafts(made, ids, clock.boot)
        rules = Rules(self.pipeline, clock, drafts, self.audit)
        self.questions = Questions(self.pipeline, self.outbox, rules, self.audit, clock, batch_key)
        self.workers = Workers(made, self.pipeline, self.outbox, self.questions, self.rates, drafts, clock)
        self.questions.readers = self.workers
        self.pipeline.on_finals = self.workers.tell_finals

    def report(self, *outcomes: Any) -> None:
        self.pipeline.report(Report(list(outcomes)))

    def connect(self) -> "Client":
        ours, theirs = socket.socketpair()
        self.nursery.start_soon(self.workers._serve, theirs)
        self.clients.append(Client(ours))
        return self.clients[-1]


class Client:
    """A worker's end of the socket."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setblocking(False)
        self.sock = sock
        self.splitter = Splitter()
        self.number = 0
        self.replies: list[Reply] = []

    def say(self, *asks: calls.Ask) -> list[int]:
        numbers = list(range(self.number + 1, self.number + 1 + len(asks)))
        self.number += len(asks)
        self.sock.send(pack([Call(number, ask) for number, ask in zip(numbers, asks, strict=True)]))
        return numbers

    async def heard(self) -> list[Reply]:
        """Everything that was said to it, until nothing more comes."""
        found: list[Reply] = []
        while data := await self._read():
            for body in self.splitter.feed(data):
                found += replies_of(body)
        return found

    async def _read(self) -> bytes:
        await wait_all_tasks_blocked()
        try:
            return self.sock.recv(1 << 20)
        except BlockingIOError:
            return b""

    async def ask(self, *asks: calls.Ask) -> list[Any]:
        numbers = self.say(*asks)
        found = {one.number: one.answer for one in await self.heard()}
        return [found.get(number) for number in numbers]

    async def over(self) -> bool:
        await wait_all_tasks_blocked()
        try:
            return self.sock.recv(1 << 20) == b""
        except BlockingIOError:
            return False
        except ConnectionResetError:
            return True


def made(**fields: Any) -> Config:
    return Config(accounts=[account(**fields), account("other")], channels=[channel("a")], routes=[route("a")])


@asynccontextmanager
async def core(config: Config | None = None) -> AsyncIterator[Core]:
    async with trio.open_nursery() as nursery:
        one = Core(nursery, config or made())
        one.workers._nursery = nursery
        nursery.start_soon(one.pipeline.run)
        nursery.start_soon(one.outbox.run)
        try:
            yield one
        finally:
            for client in one.clients:
                client.sock.close()
        nursery.cancel_scope.cancel()


def draft(to: str = TO, **fields: Any) -> calls.Draft:
    return calls.Draft(to, b"hello", 0, 1, **fields)


def submit(*drafts: calls.Draft, key: str = "", digest: str = "d", batch: bool = False, who: str = "shop") -> calls.Submit:
    return calls.Submit(who, list(drafts or [draft()]), trio.current_time(), VirtualClock().utc(), key, digest, batch)


def statuses(taken: calls.Taken) -> list[int]:
    return [one.status for one in taken.items]
