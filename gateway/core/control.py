"""The command line's way to a running core: a Unix socket in the data directory, readable by its owner alone."""

import contextlib
from collections.abc import Callable
from pathlib import Path

import msgspec
import trio

from gateway import link, log
from gateway.core import slaviews, views
from gateway.core.pipeline import Pipeline
from gateway.listening import private_socket

IDLE_S = 30.0


class Control:
    """Answers `link` asks. `reload` gives the errors of the configuration file, none when it was taken over."""

    def __init__(self, pipeline: Pipeline, reload: Callable[[], list[str]]) -> None:
        self._pipeline = pipeline
        self._reload = reload
        self._log = log.logger()

    async def run(self, path: Path, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve on `path` until cancelled; started once it can be asked. Raises OSError when it cannot be made."""
        with private_socket(path) as raw:
            task_status.started()
            listener = trio.SocketListener(trio.socket.from_stdlib_socket(raw))
            await trio.serve_listeners(self._serve, [listener])

    async def _serve(self, stream: trio.SocketStream) -> None:
        with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError), trio.move_on_after(IDLE_S):
            async with stream:
                while True:
                    head = await _exactly(stream, link.LENGTH.size)
                    if not head:
                        return
                    (size,) = link.LENGTH.unpack(head)
                    if size > link.SIZE_MAX:
                        return
                    try:
                        ask = link.unpack_ask(await _exactly(stream, size))
                    except msgspec.MsgspecError as error:
                        self._log.warning("not understood on the control socket", reason=str(error))
                        return
                    await self._pipeline.store.settled()
                    await stream.send_all(link.pack(await self._answer(ask)))

    async def _answer(self, ask: link.Ask) -> link.Answer:
        pipeline = self._pipeline
        if isinstance(ask, link.AskChannels):
            return views.channels(pipeline)
        if isinstance(ask, link.AskLedger):
            return views.sums(pipeline)
        if isinstance(ask, link.AskDead):
            return link.Dead(await pipeline.store.dead_letters(ask.limit))
        if isinstance(ask, link.AskTallies):
            return await slaviews.tallies(pipeline, ask)
        return link.Done(self._reload())


async def _exactly(stream: trio.SocketStream, size: int) -> bytes:
    """`size` octets, or fewer at the end of the stream."""
    got = bytearray()
    while len(got) < size:
        data = await stream.receive_some(size - len(got))
        if not data:
            return b""
        got += data
    return bytes(got)
