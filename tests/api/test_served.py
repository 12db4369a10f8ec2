"""The application behind the real server, on loopback: what only a connection shows."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import pytest
import uvicorn
from fake_core import UTC, Api

from config.schema import Config, Http
from gateway.api.door import Door
from gateway.api.worker import _Worker
from gateway.calls.outbound import Events
from routing.records import MessageState, Notice

MANY = 500
"""Answers that no socket buffers hold."""


@asynccontextmanager
async def served(api: Api, folder: Path) -> AsyncIterator[int]:
    """The port of a server as a worker makes it."""
    server, _ = _Worker(Config(data_dir=str(folder), http=api.settings))._server(api.app, [])
    server.config.port = 0
    task = asyncio.create_task(server.serve())
    while not server.started:  # noqa: ASYNC110 - it has no event for that
        await asyncio.sleep(0.001)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        api.watchers.end()
        server.should_exit = True
        await task


async def request(port: int, head: str, body: bytes = b"") -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(head.replace("\n", "\r\n").encode("latin-1") + b"\r\n" + body)
    return reader, writer


async def answer(port: int, head: str, body: bytes = b"") -> tuple[int, bytes]:
    """Status and everything that came until the server closed."""
    reader, writer = await request(port, head, body)
    said = await reader.read()
    writer.close()
    return int(said.split()[1]), said


def test_a_stream_whose_reader_has_gone_is_watched_no_longer(run: Any, tmp_path: Path) -> None:
    async def main() -> None:
        api = Api()
        _, secret = api.key()
        async with served(api, tmp_path) as port:
            reader, writer = await request(port, f"GET /v1/events HTTP/1.1\nHost: x\nAuthorization: Bearer {secret}\n")
            await reader.readuntil(b": connected")
            api.watchers.take(Events([Notice(7, "shop", state=MessageState.DELIVERED, created_utc=UTC)]))
            await reader.readuntil(b"evt_7")
            writer.close()
            while len(api.core.watches) < 2:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
            assert api.core.watches == [("shop", True), ("shop", False)]
            assert api.watchers._queues == {}

    run(main())


def test_streams_end_with_the_process(run: Any, tmp_path: Path) -> None:
    async def main() -> None:
        api = Api()
        _, secret = api.key()
        async with served(api, tmp_path) as port:
            reader, writer = await request(port, f"GET /v1/events HTTP/1.1\nHost: x\nAuthorization: Bearer {secret}\n")
            await reader.readuntil(b": connected")
        await reader.read()
        writer.close()

    run(main())


def test_a_body_that_is_too_large_is_answered_before_it_has_come_and_the_connection_ends(run: Any, tmp_path: Path) -> None:
    async def main() -> None:
        api = Api(Http(body_size_max=2_000))
        _, secret = api.key()
        head = f"POST /v1/messages HTTP/1.1\nHost: x\nAuthorization: Bearer {secret}\n"
        async with served(api, tmp_path) as port:
            status, said = await answer(port, head + "Content-Length: 1000000\n", b"x" * 100)
            assert status == 413
            assert b"connection: close" in said.lower()
            piece = b"3e8\r\n" + b"x" * 1_000 + b"\r\n"
            assert (await answer(port, head + "Transfer-Encoding: chunked\n", piece * 3))[0] == 413

    run(main())


def test_a_body_that_is_slow_is_given_up_and_the_connection_ends(run: Any, tmp_path: Path) -> None:
    async def main() -> None:
        api = Api(Http(body_timeout_s=0.05))
        _, secret = api.key()
        head = f"POST /v1/messages HTTP/1.1\nHost: x\nAuthorization: Bearer {secret}\nContent-Length: 50\n"
        async with served(api, tmp_path) as port:
            status, said = await answer(port, head, b"{")
            assert status == 408
            assert json.loads(said.partition(b"\r\n\r\n")[2])["code"] == "too_slow"

    run(main())


def test_who_reads_nothing_of_what_was_asked_for_is_dropped(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lost = asyncio.Event()
    whole = Door.connection_lost
    monkeypatch.setattr(Door, "connection_lost", lambda door, why: (whole(door, why), lost.set()))

    async def main() -> None:
        api = Api(Http(write_stalled_s=0.1))
        async with served(api, tmp_path) as port:
            _, writer = await request(port, "GET /openapi.json HTTP/1.1\nHost: x\n")
            for _ in range(MANY):
                writer.write(b"GET /openapi.json HTTP/1.1\r\nHost: x\r\n\r\n")
            writer.transport.pause_reading()  # type: ignore[attr-defined]
            await lost.wait()
            writer.transport.abort()

    run(main())


def test_who_reads_slowly_is_waited_for() -> None:
    door = Door.__new__(Door)
    door._http, door.loop, door.transport = Http(write_stalled_s=5), Mock(), Mock()
    door.transport.get_write_buffer_size.side_effect = [100, 99, 99, 98, 98, 98]  # type: ignore[attr-defined]
    door._watch()
    for dropped in (False, False, True):
        seconds, look, left = door.loop.call_later.call_args.args  # type: ignore[attr-defined]
        assert seconds == 5
        look(left)
        assert door.transport.abort.called is dropped  # type: ignore[attr-defined]


def test_the_server_says_nothing_of_itself_and_takes_no_other_s_word_for_who_asks() -> None:
    server, _ = _Worker(Config(http=Http()))._server(Api.__new__(Api), [])  # type: ignore[arg-type]
    assert isinstance(server, uvicorn.Server)
    assert not server.config.server_header
    assert not server.config.proxy_headers
    assert not server.config.access_log
