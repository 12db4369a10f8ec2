"""A receiver of webhooks in a process of its own: `python -m bench.suite.api_sink` says its port, then counts, line by line."""

import asyncio
import json
import time

import httptools

from bench.loops import loop_factory

ANSWER = b"HTTP/1.1 204 No Content\r\n\r\n"
MARK = b'"message.delivered"'


class Counts:
    """Of everything that came."""

    def __init__(self) -> None:
        self.events = self.requests = 0
        self.last = 0.0


class Taker(asyncio.Protocol):
    """Takes requests and counts the events in them."""

    def __init__(self, counts: Counts) -> None:
        self._counts = counts
        self._parser = httptools.HttpRequestParser(self)
        self._body = bytearray()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        """llhttp: some of it."""
        self._body += body

    def on_message_complete(self) -> None:
        """llhttp: a request is whole."""
        self._counts.requests += 1
        self._counts.events += self._body.count(MARK)
        self._counts.last = time.monotonic()
        self._body.clear()
        self._transport.write(ANSWER)  # type: ignore[attr-defined]


async def _run() -> None:
    counts = Counts()
    server = await asyncio.get_running_loop().create_server(lambda: Taker(counts), "127.0.0.1", 0)
    print(json.dumps({"listening": server.sockets[0].getsockname()[1]}), flush=True)
    while True:
        await asyncio.sleep(0.2)
        print(json.dumps({"events": counts.events, "requests": counts.requests, "last": counts.last}), flush=True)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=loop_factory()) as runner:
        runner.run(_run())
