"""A client of Tensec's API in a process of its own: `python -m bench.suite.api_load`, told by one JSON line, answers in one.

{"port": 8080, "key": "sk_...", "messages": 60000, "batch": 1000, "connections": 8, "rate": 0, "first": 8613000000000}
    closed loop, or with a rate: requests are due by the clock, and their latency counts from then
{"port": 8080, "key": "sk_...", "idle": 10000}
    so many connections, a request on each; says so, waits for a line, and asks once more on each
"""

import asyncio
import json
import math
import sys
import time
from collections import Counter, deque
from collections.abc import Iterator
from typing import Any, cast

import httptools
import msgspec

from bench.load.limits import raise_file_limit, sources_for
from bench.loops import loop_factory

CONNECTING = 500
"""Connections that are being made at a time."""


class Order(msgspec.Struct):
    """What to do."""

    port: int
    key: str
    messages: int = 0
    batch: int = 0
    connections: int = 64
    rate: float = 0.0
    first: int = 8_613_000_000_000
    idle: int = 0


class Line(asyncio.Protocol):
    """A kept connection with at most one request."""

    def __init__(self) -> None:
        self.status = 0
        self._parser = httptools.HttpResponseParser(self)
        self._transport: asyncio.Transport | None = None
        self._answered: asyncio.Future[int] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_complete(self) -> None:
        """llhttp: the answer is whole."""
        answered, self._answered = self._answered, None
        status, self._parser = self._parser.get_status_code(), httptools.HttpResponseParser(self)
        if answered is not None and not answered.done():
            answered.set_result(status)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio calls it so
        if self._answered is not None and not self._answered.done():
            self._answered.set_result(0)

    def ask(self, octets: bytes) -> "asyncio.Future[int]":
        """The answer's status; 0: the connection ended."""
        assert self._transport is not None
        self._answered = asyncio.get_running_loop().create_future()
        if self._transport.is_closing():
            self._answered.set_result(0)
        else:
            self._transport.write(octets)
        return self._answered


class Client:
    """What an order asks for."""

    def __init__(self, order: Order) -> None:
        self._order = order
        self._statuses: Counter[int] = Counter()
        self._took: list[float] = []
        self._head = f"Host: 127.0.0.1\r\nAuthorization: Bearer {order.key}\r\n"

    async def lines(self, count: int) -> list[Line]:
        """So many connections."""
        sources = sources_for("127.0.0.1", count)
        loop = asyncio.get_running_loop()
        made: list[Line] = []
        while len(made) < count:
            some = range(len(made), min(count, len(made) + CONNECTING))
            places = [(sources[at % len(sources)], 0) if sources else None for at in some]
            pairs = await asyncio.gather(
                *(loop.create_connection(Line, "127.0.0.1", self._order.port, local_addr=place) for place in places)
            )
            made += [line for _, line in pairs]
        return made

    # -- messages

    def _requests(self) -> Iterator[bytes]:
        """Each with its recipients, whom nobody else has."""
        order = self._order
        head = f"POST /v1/{'batches' if order.batch else 'messages'} HTTP/1.1\r\n{self._head}Content-Type: application/json\r\n"
        size = order.batch or 1
        for at in range(0, order.messages, size):
            numbers = [f"+{order.first + at + one}" for one in range(min(size, order.messages - at))]
            to = json.dumps(numbers if order.batch else numbers[0])
            body = f'{{"to":{to},"text":"Your order {at} has been shipped","client_ref":"b{at}"}}'
            if order.batch:
                body = f'{{"to":{to},"text":"Your order {at} has been shipped"}}'
            yield f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()

    async def send(self) -> dict[str, Any]:
        """All messages."""
        order = self._order
        requests = deque(self._requests())
        count = len(requests)
        lines = await self.lines(order.connections)
        began = time.monotonic()
        if order.rate:
            await self._paced(lines, requests, began)
        else:
            await asyncio.gather(*(self._closed(line, requests) for line in lines))
        ended = time.monotonic()
        self._took.sort()
        return {
            "began": began,
            "seconds": ended - began,
            "requests": count,
            "statuses": {str(status): number for status, number in self._statuses.items()},
            **{f"p{share}_ms": self._took[math.ceil(len(self._took) * share / 100) - 1] * 1000 for share in (50, 95, 99)},
        }

    async def _closed(self, line: Line, requests: deque[bytes]) -> None:
        while requests:
            await self._one(line, requests.popleft(), time.monotonic())

    async def _one(self, line: Line, request: bytes, due: float) -> None:
        status = await line.ask(request)
        self._took.append(time.monotonic() - due)
        self._statuses[status] += 1

    async def _paced(self, lines: list[Line], requests: deque[bytes], began: float) -> None:
        free = deque(lines)
        waiting: deque[tuple[bytes, float]] = deque()
        tasks: set[asyncio.Task[None]] = set()

        async def run(line: Line, request: bytes, due: float) -> None:
            await self._one(line, request, due)
            while waiting:
                await self._one(line, *waiting.popleft())
            free.append(line)

        for at in range(len(requests)):
            due = began + at / self._order.rate
            if (wait := due - time.monotonic()) > 0:
                await asyncio.sleep(wait)
            request = requests.popleft()
            if not free:
                waiting.append((request, due))
                continue
            task = asyncio.create_task(run(free.popleft(), request, due))
            tasks.add(task)
            task.add_done_callback(tasks.discard)
        await asyncio.gather(*tasks)

    # -- idle connections

    async def hold(self) -> dict[str, Any]:
        """Connections kept open with a request on each, before and after."""
        request = f"GET /v1/messages/1 HTTP/1.1\r\n{self._head}\r\n".encode()
        lines = await self.lines(self._order.idle)
        await self._once(lines, request)
        print(json.dumps({"held": len(lines)}), flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        await self._once(lines, request)
        return {"errors": sum(count for status, count in self._statuses.items() if status != 404)}

    async def _once(self, lines: list[Line], request: bytes) -> None:
        for at in range(0, len(lines), CONNECTING):
            self._statuses.update(await asyncio.gather(*(line.ask(request) for line in lines[at : at + CONNECTING])))


async def _run(order: Order) -> dict[str, Any]:
    client = Client(order)
    return await (client.hold() if order.idle else client.send())


def main() -> None:
    """One order, one answer."""
    print(json.dumps({"ready": True}), flush=True)
    order = msgspec.json.decode(sys.stdin.readline(), type=Order)
    raise_file_limit(max(order.idle, order.connections))
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        print(json.dumps(runner.run(_run(order))), flush=True)


if __name__ == "__main__":
    main()
