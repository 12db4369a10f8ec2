"""A worker's way to the core: calls out and answers back by number, one frame each way for whatever is there.

A frame is written when the loop has nothing else to do just now, so a busy loop makes its own batches. While the core is away
every call fails at once with `CoreAwayError`; a call whose answer was lost with the connection fails the same way, and its
request may be repeated under its idempotency key.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from gateway import log
from gateway.calls import messages
from gateway.calls.frames import PUSHED, Call, FrameError, Splitter, pack, replies_of
from gateway.calls.messages import CHANGED, Answer, Ask, Done, PutDocument, Tried, Unable, Watch
from gateway.calls.outbound import Documents, Events, Push, Work

AGAIN_S = 0.05
AGAIN_MAX_S = 1.0
READ_SIZE = 262_144
WAITING_MAX = 20_000
"""Calls without an answer; more are refused, for the core is behind."""
SWEEP_S, SWEEPS = 5.0, 6
"""A call without an answer after so many looks fails: the core hangs, and the client should know."""
UNREAD_MAX = 64_000_000
"""Octets the core has not read yet; the same."""


class CoreAwayError(Exception):
    """The core does not answer now; the text says why."""


class CoreLink:
    """See the module. `on_push` takes what the core says unasked."""

    def __init__(self, path: Path, on_push: Callable[[Push], None]) -> None:
        self._path = path
        self._on_push = on_push
        self._waiting: dict[int, asyncio.Future[Answer]] = {}
        self._calls: list[Call] = []
        self._number = PUSHED
        self._writer: asyncio.StreamWriter | None = None
        self._loop = asyncio.get_running_loop()
        self.watched: dict[str, int] = {}
        """Accounts somebody here watches, with how many do."""
        self.connected = asyncio.Event()
        self._newest: deque[int] = deque()
        self._log = log.logger()

    async def run(self) -> None:
        """Be connected, and again when that ends, until cancelled."""
        sweeps = asyncio.create_task(self._sweep())
        try:
            await self._stay_connected()
        finally:
            sweeps.cancel()

    async def _sweep(self) -> None:
        while True:
            await asyncio.sleep(SWEEP_S)
            self.give_up_old()

    def give_up_old(self) -> None:
        """One look: what was asked SWEEPS looks ago and has no answer yet gets none."""
        self._newest.append(self._number)
        if len(self._newest) > SWEEPS:
            old = self._newest.popleft()
            for number in [one for one in self._waiting if one <= old]:
                future = self._waiting.pop(number)
                if not future.done():
                    future.set_exception(CoreAwayError(f"no answer within {SWEEP_S * SWEEPS:g} s"))

    async def _stay_connected(self) -> None:
        pause = AGAIN_S
        while True:
            try:
                reader, self._writer = await asyncio.open_unix_connection(str(self._path))
            except OSError:
                await asyncio.sleep(pause)
                pause = min(AGAIN_MAX_S, 2 * pause)
                continue
            pause = AGAIN_S
            try:
                await self._talk(reader)
            except (OSError, FrameError) as error:
                self._log.warning("connection to the core lost", reason=str(error))
            except Exception:  # noqa: BLE001 - a worker without this task would refuse everything, for ever
                self._log.exception("bug: connection to the core closed")
            finally:
                self._lost()
            await asyncio.sleep(pause)

    async def _talk(self, reader: asyncio.StreamReader) -> None:
        splitter = Splitter()
        self._tell(Watch("", True))  # first of all: what keys there are
        for account in self.watched:
            self._tell(Watch(account, True))
        while data := await reader.read(READ_SIZE):
            for body in splitter.feed(data):
                for reply in replies_of(body):
                    answer = reply.answer
                    if reply.number == PUSHED:
                        if isinstance(answer, (Documents, Work, Events)):
                            self._on_push(answer)
                        if isinstance(answer, Documents) and answer.all:
                            self.connected.set()
                        continue
                    future = self._waiting.pop(reply.number, None)
                    if future is None or future.done():
                        continue
                    if isinstance(answer, Unable):
                        future.set_exception(CoreAwayError(answer.why))
                    else:
                        future.set_result(answer)  # type: ignore[arg-type]  # pushes have no number

    def _lost(self) -> None:
        self.connected.clear()
        if self._writer is not None:
            self._writer.close()
            self._writer = None
        self._calls = []
        waiting, self._waiting = self._waiting, {}
        for future in waiting.values():
            if not future.done():
                future.set_exception(CoreAwayError("the core went away before it answered"))

    def ask(self, what: Ask) -> "asyncio.Future[Answer]":
        """The answer, when it comes. Raises CoreAwayError, at once or later."""
        if self._writer is None or not self.connected.is_set():
            raise CoreAwayError("the core is not there")
        if len(self._waiting) >= WAITING_MAX or self._writer.transport.get_write_buffer_size() > UNREAD_MAX:
            raise CoreAwayError("the core is behind")
        self._number += 1
        future: asyncio.Future[Answer] = self._loop.create_future()
        self._waiting[self._number] = future
        self._put(Call(self._number, what))
        return future

    async def heard(self) -> None:
        """Once what the core has said so far is known here: it comes ahead of any answer. Raises CoreAwayError."""
        await self.ask(messages.AskHealth())

    def _tell(self, what: Ask) -> None:
        self._put(Call(PUSHED, what))

    def tried(self, tries: Tried) -> None:
        """What became of requests to webhooks; when the core is away it hands the events out again."""
        if self._writer is not None:
            self._tell(tries)

    def watch(self, account: str, *, on: bool) -> None:
        """Whether events of an account are wanted here; counted."""
        count = self.watched.get(account, 0) + (1 if on else -1)
        if count:
            self.watched[account] = count
        else:
            self.watched.pop(account, None)
        if self._writer is not None and count == int(on):
            self._tell(Watch(account, on))

    def _put(self, call: Call) -> None:
        if not self._calls:
            self._loop.call_soon(self._flush)
        self._calls.append(call)

    def _flush(self) -> None:
        calls, self._calls = self._calls, []
        if calls and self._writer is not None and not self._writer.is_closing():  # else they fail when the end is read
            self._writer.write(self._packed(calls))

    def _packed(self, calls: list[Call]) -> bytes:
        """What cannot be said fails alone, not with all that goes the same way."""
        try:
            return pack(calls)
        except (OverflowError, TypeError, ValueError):
            self._log.exception("bug: a call that cannot be packed")
        frames = b""
        for call in calls:
            try:
                frames += pack([call])
            except (OverflowError, TypeError, ValueError) as error:
                future = self._waiting.pop(call.number, None)
                if future is not None and not future.done():
                    future.set_exception(error)
        return frames

    async def close(self) -> None:
        """Say what is left, and go."""
        self._flush()
        if self._writer is not None:
            with contextlib.suppress(OSError, asyncio.TimeoutError):
                await asyncio.wait_for(self._writer.drain(), 1.0)


def expect(answer: Answer, kind: type[Any]) -> Any:
    """The answer as what it must be."""
    if not isinstance(answer, kind):
        raise TypeError(f"the core answered {type(answer).__name__} where {kind.__name__} was due")
    return answer


async def put_document(core: CoreLink, kind: str, name: str, value: bytes, instead_of: bytes = b"") -> bool:
    """Have a document kept; empty: taken away. False: it is another one by now than `instead_of`, and what it is has been told.

    Raises CoreAwayError when it could not be.
    """
    done: Done = expect(await core.ask(PutDocument(kind, name, value, instead_of)), Done)
    if done.error and done.error != CHANGED:
        raise CoreAwayError(done.error)
    return not done.error
