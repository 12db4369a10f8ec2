"""A source process: connects, sends what is due, reports every second, writes its book. Orders come as lines on stdin.

It runs on a loop, a core and an account of CPU time of its own: what it measures shares none of them with it.
"""

import asyncio
import gc
import signal
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import msgspec

from bench.alarm import fine_alarm
from bench.load import http, smpp
from bench.load.loose import loose, write_ids
from bench.load.orders import Command, Connected, Failed, Finish, Finished, Go, Look, Order, Report, Stop, Told
from bench.load.traffic import Group, Traffic
from bench.loops import loop_factory
from protocol.pdu import BindReceiver, BindRequest

TICK_S = 0.001
CONNECTING = 128
"""Most connections being opened at a time."""
CONNECT_TIMEOUT_S = 30.0
AGAIN_S = 0.2
"""Before a broken connection is opened again."""
GONE_S = 3.0
"""An HTTP target that accepts no connection for so long, while none is open, has died."""
UNBIND_S = 3.0


def work() -> None:
    """Run one source process. Its parent says what to do; Ctrl-C is the parent's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    first = sys.stdin.buffer.readline()
    if not first:
        return
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(Worker(msgspec.json.decode(first, type=Order)).run())


def tell(what: Told) -> None:
    """One line to the parent."""
    sys.stdout.buffer.write(msgspec.json.encode(what) + b"\n")
    sys.stdout.buffer.flush()


class Worker:
    """One source process."""

    def __init__(self, order: Order) -> None:
        self.order = order
        self.traffic = Traffic(order)
        self._templates = [http.Template(order.http, one.name) for one in order.classes] if order.http else []
        self._lines: set[smpp.SmppLine | http.HttpLine] = set()
        self._wanted = sum(one.connections for one in order.classes)
        self._opened = 0
        self._slots = asyncio.Semaphore(CONNECTING)
        self._keepers: list[asyncio.Task[None]] = []
        self._ending = asyncio.Event()
        self._failed = False
        self._gone_at: float | None = None
        """Since when no connection is open and none could be opened."""
        self._second = 0
        self._cpu = time.process_time()

    async def run(self) -> None:
        """Everything, from connecting to the book."""
        tell(Connected(0, self._wanted))
        orders = asyncio.create_task(self._obey())
        pace = asyncio.create_task(self._tick())
        try:
            await self._connect_all()
            gc.collect()
            gc.freeze()
            gc.set_threshold(100_000, 50, 50)
            await orders
        finally:
            for task in (pace, orders, *self._keepers):
                task.cancel()

    # -- connections

    async def _connect_all(self) -> None:
        number = 0
        for group in self.traffic.groups:
            for _ in range(group.order.connections):
                for kind in smpp.KINDS[self.order.bind] if self.order.kind == "smpp" else (None,):
                    self._keepers.append(asyncio.create_task(self._keep(group, number, kind)))
                    number += 1

    async def _keep(self, group: Group, number: int, kind: type[BindRequest] | None) -> None:
        """One connection for the whole run; again when it breaks, if that was asked for."""
        opened = False
        sources = self.order.sources
        local = sources[number % len(sources)] if sources else None
        while not self._ending.is_set():
            try:
                async with self._slots:
                    line = await self._open(group, kind, local)
            except (OSError, TimeoutError, smpp.BindRefusedError) as error:
                why = f"{self.order.host}:{self.order.port}: {str(error) or 'no answer in time'}"
                if not opened or not self.order.reconnect:
                    self._fail(f"cannot connect to {why}")
                    return
                self._gone(why)
            else:
                self._gone_at = None
                self._lines.add(line)
                if not opened and kind is not BindReceiver:
                    self._opened += 1
                    if self._opened % 500 == 0 or self._opened == self._wanted:
                        tell(Connected(self._opened, self._wanted))
                opened = True
                self.traffic.free(group, line, time.monotonic())
                self.traffic.flush()
                why = await line.ended
                self._lines.discard(line)
                if self._ending.is_set():
                    return
                if self.order.kind == "smpp":
                    self.traffic.errors[f"connection lost: {why}"] += 1
                if not self.order.reconnect:
                    if not self._lines:
                        self._fail(f"the target has closed every connection: {why}")
                    return
                if isinstance(line, http.HttpLine) and line.served:
                    continue  # closed after an answer, as HTTP allows: the next request needs another one
            await asyncio.sleep(AGAIN_S)

    def _gone(self, why: str) -> None:
        """A connection could not be opened again. SMPP's may try until the end: that was asked for."""
        self.traffic.errors["cannot connect again"] += 1
        now = time.monotonic()
        if self._lines:
            self._gone_at = None
        elif self._gone_at is None:
            self._gone_at = now
        elif self.order.kind == "http" and now - self._gone_at > GONE_S:
            self._fail(f"the target is gone, no connection was accepted for {GONE_S:g} s: {why}")

    def _open(
        self, group: Group, kind: type[BindRequest] | None, local: str | None
    ) -> Coroutine[Any, Any, smpp.SmppLine | http.HttpLine]:
        if kind is not None:
            return smpp.connect(self.traffic, group, kind, local, CONNECT_TIMEOUT_S)
        assert self.order.http is not None
        return http.connect(self.traffic, group, self._templates[group.index], self.order.http, local, CONNECT_TIMEOUT_S)

    def _fail(self, why: str) -> None:
        """Say it once; the parent decides, and still gets the book."""
        if not self._failed and not self._ending.is_set():
            self._failed = True
            self.traffic.stop()
            tell(Failed(why))

    # -- the parent's orders

    async def _obey(self) -> None:
        reader = asyncio.StreamReader()
        await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)
        decoder = msgspec.json.Decoder(Command)
        while line := await reader.readline():
            order = decoder.decode(line)
            if isinstance(order, Go):
                self._second = 0
                self.traffic.go(order.begin, order.schedule)
            elif isinstance(order, Stop):
                self.traffic.stop()
            elif isinstance(order, Look):
                tell(loose(self.traffic))
            elif isinstance(order, Finish):
                await self._finish(Path(order.path))
                return

    async def _finish(self, path: Path) -> None:
        self._ending.set()
        traffic = self.traffic
        traffic.stop()
        lines = list(self._lines)
        for line in lines:
            if isinstance(line, smpp.SmppLine):
                line.unbind()
            else:
                line.close()
        if lines:
            await asyncio.wait([line.ended for line in lines], timeout=UNBIND_S)
        if traffic.begin:
            self._report(time.monotonic())
            self._tell_second()
        traffic.book.write(path)
        write_ids(traffic, path)
        tell(Finished(len(traffic.book), traffic.receipts_repeated))

    # -- time

    async def _tick(self) -> None:
        checked = time.monotonic()
        rung = asyncio.Event()
        alarm = fine_alarm(asyncio.get_running_loop(), rung.set)  # the loop's own would come up to a millisecond late
        while True:
            now = time.monotonic()
            more = self.traffic.tick(now)
            if self.traffic.used_up:
                self._fail("there is no recipient left: give --to more #")
            if self.traffic.begin and not self._ending.is_set():
                self._report(now)
            if now - checked > 1:
                checked = now
                for line in list(self._lines):
                    if isinstance(line, http.HttpLine):
                        line.check(now)
            if more:
                await asyncio.sleep(0)
                continue
            rung.clear()
            alarm.set(now + TICK_S)
            await rung.wait()

    def _report(self, now: float) -> None:
        """Every second that is over. Sums that came late, because this process was held up, count in the one that ends now."""
        while now >= self.traffic.begin + self._second + 1:
            self._tell_second()

    def _tell_second(self) -> None:
        traffic = self.traffic
        cpu = time.process_time()
        errors = dict(traffic.errors)
        traffic.errors.clear()
        tell(
            Report(
                self._second,
                [group.take_sums() for group in traffic.groups],
                traffic.in_flight,
                sum(len(group.waiting) for group in traffic.groups),
                traffic.open_receipts,
                len(traffic.early),
                len(self._lines),
                traffic.late_s * 1e3,
                cpu - self._cpu,
                errors,
            )
        )
        self._cpu = cpu
        traffic.late_s = 0.0
        self._second += 1


if __name__ == "__main__":
    work()
