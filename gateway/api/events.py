"""GET /v1/events: what becomes of messages as it happens, as server-sent events. Nothing is repeated; webhooks do that."""

import asyncio
from collections.abc import AsyncIterator

import msgspec
from starlette.responses import StreamingResponse

from gateway.api.operation import Asked
from gateway.api.problems import ProblemError
from gateway.api.render import event
from gateway.api.schemas import EventQuery
from gateway.calls.messages import EVERYBODY
from gateway.calls.outbound import Events
from routing.records import Notice

BEAT_S = 15.0
WAITING_MAX = 10_000
"""Events for one reader; one that does not read loses its connection, not our memory."""
_JSON = msgspec.json.Encoder()


class Watchers:
    """Streams by account."""

    def __init__(self) -> None:
        self._queues: dict[str, set[asyncio.Queue[Notice | None]]] = {}

    def take(self, events: Events) -> None:
        """From the core."""
        for notice in events.notices:
            for queue in (*self._queues.get(notice.account, ()), *self._queues.get(EVERYBODY, ())):
                if queue.qsize() < WAITING_MAX:
                    queue.put_nowait(notice)
                elif queue.qsize() == WAITING_MAX:
                    queue.put_nowait(None)

    def join(self, account: str) -> "asyncio.Queue[Notice | None]":
        """A new stream. None in it: it is over."""
        queue: asyncio.Queue[Notice | None] = asyncio.Queue()
        self._queues.setdefault(account, set()).add(queue)
        return queue

    def leave(self, account: str, queue: "asyncio.Queue[Notice | None]") -> None:
        """It is closed."""
        queues = self._queues.get(account, set())
        queues.discard(queue)
        if not queues:
            self._queues.pop(account, None)

    def end(self) -> None:
        """The process goes."""
        for queues in self._queues.values():
            for queue in queues:
                queue.put_nowait(None)


async def stream_events(asked: Asked) -> StreamingResponse:
    """A stream that lasts as long as the client wants."""
    query: EventQuery = asked.query
    account = query.account or asked.account
    if account != asked.account and "ops" not in asked.key.scopes:
        raise ProblemError(403, "forbidden", "other accounts' events need the scope ops")
    headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    return StreamingResponse(_lines(asked, account), 200, headers, "text/event-stream")


def _may_still(asked: Asked) -> bool:
    """Whether the key still works: a stream lives longer than the moment in which it was looked at."""
    key = asked.services.directory.key(asked.account, asked.key.id)
    return key is not None and key.valid(asked.services.utc())


async def _lines(asked: Asked, account: str) -> AsyncIterator[bytes]:
    watchers: Watchers = asked.services.watchers
    core = asked.services.core
    queue = watchers.join(account)
    core.watch(account, on=True)
    try:
        yield b": connected\n\n"
        while True:
            try:
                async with asyncio.timeout(BEAT_S):
                    notice = await queue.get()
            except TimeoutError:
                if not _may_still(asked):
                    return
                yield b": still here\n\n"
                continue
            if notice is None or not _may_still(asked):
                return
            told = event(notice)
            yield b"id: %b\nevent: %b\ndata: %b\n\n" % (told.id.encode(), told.type.encode(), _JSON.encode(told))
    finally:
        watchers.leave(account, queue)
        core.watch(account, on=False)
