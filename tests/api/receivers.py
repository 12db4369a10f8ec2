"""Receivers of webhooks: real servers on loopback that note what came, and answer as told."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from standardwebhooks.webhooks import Webhook as Verifier


class Post(NamedTuple):
    line: str
    headers: dict[str, str]
    body: bytes

    @property
    def events(self) -> list[str]:
        """Ids of the events in it."""
        said = json.loads(self.body)
        return [one["id"] for one in said["data"]] if isinstance(said["data"], list) else [said["id"]]

    def verify(self, secret: str) -> Any:
        return Verifier(secret).verify(self.body.decode(), self.headers)


OK = b"HTTP/1.1 204 No Content\r\n\r\n"
Answer = Callable[[Post, asyncio.StreamWriter], Awaitable[bytes]]


class Receiver:
    """`answer` makes the octets of the response; it may take its time."""

    def __init__(self, answer: Answer | bytes = OK) -> None:
        self.posts: list[Post] = []
        self.busy_max = 0
        self._busy = 0
        self._answer = answer
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[Any]] = set()
        self.came = asyncio.Event()

    async def __aenter__(self) -> "Receiver":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                line, *rows = head.strip().split("\r\n")
                headers = {name.lower(): value for name, value in (row.split(": ", 1) for row in rows)}
                post = Post(line, headers, await reader.readexactly(int(headers.get("content-length", 0))))
                self.posts.append(post)
                self.came.set()
                self._busy += 1
                self.busy_max = max(self.busy_max, self._busy)
                try:
                    said = self._answer if isinstance(self._answer, bytes) else await self._answer(post, writer)
                finally:
                    self._busy -= 1
                writer.write(said)
                await writer.drain()
        except (OSError, EOFError, asyncio.CancelledError):
            pass
        finally:
            self._tasks.discard(task)
            writer.close()

    async def until(self, condition: Callable[[], Any]) -> None:
        while not condition():
            self.came.clear()
            await self.came.wait()
