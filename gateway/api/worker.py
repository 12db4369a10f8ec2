"""An API worker process as a whole: sockets it was given, the link to the core, and its end."""

import asyncio
import contextlib
import gc
import os
import signal
import socket
from collections.abc import Iterator, Sequence
from pathlib import Path

import uvicorn
import uvloop
from starlette.types import ASGIApp

from config.schema import Config
from gateway import log
from gateway.api.corelink import CoreLink
from gateway.api.courier import Courier
from gateway.api.directory import Directory
from gateway.api.dispatch import application
from gateway.api.door import door
from gateway.api.events import Watchers
from gateway.api.messages import HistoryReader
from gateway.api.operation import Services
from gateway.api.operations import OPERATIONS
from gateway.api.ops import Ops
from gateway.api.pages import PAGES
from gateway.calls.frames import SOCKET_NAME
from gateway.calls.outbound import Documents, Events, Push, Work
from gateway.clock import SystemClock
from gateway.store.history import History

GOODBYE_S = 5
NAME_THREADS = "32"
"""Webhooks' names are looked up in threads, and some take their time."""


def run(config: Config, door: socket.socket, ops: socket.socket | None) -> None:
    """Serve `door`, and `ops` for operators, until SIGTERM."""
    log.configure(config.log)
    os.environ.setdefault("UV_THREADPOOL_SIZE", NAME_THREADS)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(_Worker(config).serve(door, ops))


class _Server(uvicorn.Server):
    """Signals are the worker's: it has two servers."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Worker:
    def __init__(self, config: Config) -> None:
        self._config = config
        self._directory = Directory()
        self._watchers = Watchers()
        self._courier: Courier | None = None

    async def serve(self, door: socket.socket, ops: socket.socket | None) -> None:
        config, http = self._config, self._config.http
        clock = SystemClock()
        data_dir = Path(config.data_dir)
        core = CoreLink(data_dir / SOCKET_NAME, self._take)
        courier = self._courier = Courier(http.webhooks, core, self._directory)
        history = HistoryReader(History(data_dir, search_s=http.search_timeout_s)) if config.store.kind != "memory" else None
        services = Services(
            http, core, self._directory, clock.now, clock.utc, courier.try_once, history=history, watchers=self._watchers
        )
        servers = [self._server(application(OPERATIONS, services, PAGES), [door])]
        if ops is not None:
            servers.append(self._server(Ops(core).application(), [ops]))
        link = asyncio.create_task(core.run())
        gc.collect()
        gc.freeze()
        gc.set_threshold(50_000, 50, 100)
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # the configuration is the core's to read again
        tasks = [asyncio.create_task(server.serve(sockets=sockets)) for server, sockets in servers]
        waiting = asyncio.create_task(stop.wait())
        await asyncio.wait([waiting, link, *tasks], return_when=asyncio.FIRST_COMPLETED)
        self._watchers.end()
        for server, _ in servers:
            server.should_exit = True
        await asyncio.gather(*tasks)
        await courier.close()
        await core.close()
        link.cancel()

    def _server(self, app: ASGIApp, sockets: Sequence[socket.socket]) -> tuple[uvicorn.Server, list[socket.socket]]:
        http = self._config.http
        settings = uvicorn.Config(
            app,
            http=door(http),  # type: ignore[arg-type]  # any callable will do
            ws="none",
            lifespan="off",
            interface="asgi3",
            access_log=False,
            log_config=None,
            server_header=False,
            date_header=False,
            proxy_headers=False,
            timeout_keep_alive=round(http.keep_alive_s),
            timeout_graceful_shutdown=GOODBYE_S,
            backlog=4096,
            ssl_certfile=http.tls.cert if http.tls else None,
            ssl_keyfile=http.tls.key if http.tls else None,
        )
        return _Server(settings), list(sockets)

    def _take(self, push: Push) -> None:
        """What the core says unasked."""
        assert self._courier is not None
        if isinstance(push, Documents):
            if push.all:
                self._courier.forget()  # a new connection: what was handed out before will be again
            self._directory.take(push)
            self._courier.prune()
        elif isinstance(push, Work):
            self._courier.take(push)
        elif isinstance(push, Events):
            self._watchers.take(push)
