"""Sockets in batches: octets arrive whole and in order, however slowly the peer reads, in plain and inside TLS."""

import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest
import trio
import trustme
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from gateway.core.tls import TlsWire
from gateway.core.wire import Wire

KIND = pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
_CA = trustme.CA()
_SERVER = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
_CA.issue_cert("gateway.test").configure_cert(_SERVER)
_CLIENT = ssl.create_default_context()
_CA.configure_trust(_CLIENT)


@asynccontextmanager
async def wires(tls: bool, buffer: int = 4096) -> AsyncIterator[tuple[Wire, Wire]]:
    """Two ends of one connection with small kernel buffers."""
    pair = socket.socketpair()
    for sock in pair:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
    async with trio.open_nursery() as nursery:
        if tls:
            here = TlsWire(pair[0], nursery, trio.current_time, _SERVER, server_side=True)
            there = TlsWire(pair[1], nursery, trio.current_time, _CLIENT, server_side=False, server_name="gateway.test")
            async with trio.open_nursery() as hands:
                hands.start_soon(here.handshake)
                hands.start_soon(there.handshake)
        else:
            here, there = (Wire(sock, nursery, trio.current_time) for sock in pair)  # type: ignore[assignment]
        try:
            yield here, there
        finally:
            here.close()
            there.close()
            nursery.cancel_scope.cancel()


async def read(wire: Wire, count: int, pause: Callable[[], float] = lambda: 0.0) -> bytes:
    """At least `count` octets, or what came before the end."""
    got = bytearray()
    while len(got) < count:
        await trio.sleep(pause())
        data = await wire.receive()
        if not data:
            break
        got += data
    return bytes(got)


writes = st.lists(st.tuples(st.integers(0, 100_000), st.sampled_from((0.0, 0.0, 1.0, 3.0))), max_size=12)


@KIND
@given(writes=writes, pauses=st.lists(st.sampled_from((0.0, 0.5, 2.0)), min_size=1, max_size=5))
@settings(max_examples=40, suppress_health_check=[HealthCheck.differing_executors])
def test_octets_arrive_once_whole_and_in_order_whatever_the_peer_reads(
    tls: bool, writes: list[tuple[int, float]], pauses: list[float]
) -> None:
    pieces = [bytes((at + 1,)) * size for at, (size, _) in enumerate(writes)]

    async def story() -> None:
        async with wires(tls) as (here, there), trio.open_nursery() as nursery:
            turns = iter(range(10**9))

            async def write() -> None:
                for piece, (_, pause) in zip(pieces, writes, strict=True):
                    here.send(piece)
                    await trio.sleep(pause)

            nursery.start_soon(write)
            whole = b"".join(pieces)
            assert await read(there, len(whole), lambda: pauses[next(turns) % len(pauses)]) == whole
            await here.wait_sent()
            assert here.waiting == 0
            assert here.written == len(whole)
            assert here.stalled_s(trio.current_time()) == 0.0

    trio.run(story, clock=MockClock(autojump_threshold=0))


@KIND
async def test_both_directions_at_once(tls: bool, autojump_clock: MockClock) -> None:
    async with wires(tls) as (here, there), trio.open_nursery() as nursery:
        got: dict[str, bytes] = {}

        async def take(name: str, wire: Wire) -> None:
            got[name] = await read(wire, 300_000)

        here.send(b"h" * 300_000)
        there.send(b"t" * 300_000)
        nursery.start_soon(take, "here", here)
        nursery.start_soon(take, "there", there)
    assert got == {"here": b"t" * 300_000, "there": b"h" * 300_000}


async def test_what_the_kernel_took_is_counted_and_the_rest_is_stalled(autojump_clock: MockClock) -> None:
    async with wires(tls=False) as (here, there):
        here.send(b"x" * 1_000_000)
        assert 0 < here.written < 1_000_000
        assert here.written + here.waiting == 1_000_000
        await trio.sleep(7)
        assert here.stalled_s(trio.current_time()) == 7
        before = here.written
        await there.receive()
        await wait_all_tasks_blocked()
        assert here.written > before
        assert here.stalled_s(trio.current_time()) == 0


async def test_what_was_given_to_tls_counts_as_written(autojump_clock: MockClock) -> None:
    async with wires(tls=True) as (here, _there):
        here.send(b"x" * 1_000_000)
        assert here.written == 1_000_000
        assert here.waiting > 0


@KIND
async def test_closing_ends_whoever_waits(tls: bool, autojump_clock: MockClock) -> None:
    async with wires(tls) as (here, there), trio.open_nursery() as nursery:
        ended: list[object] = []

        async def receive(wire: Wire) -> None:
            ended.append(await wire.receive())

        async def wait_sent() -> None:
            await here.wait_sent()
            ended.append("sent")

        here.send(b"x" * 1_000_000)
        nursery.start_soon(receive, here)
        nursery.start_soon(wait_sent)
        await wait_all_tasks_blocked()
        assert ended == []
        here.close()
        await wait_all_tasks_blocked()
        assert sorted(ended, key=str) == [b"", "sent"]
        here.close()
        here.send(b"more")
        assert here.waiting == 0
        assert await here.receive() == b""
        assert len(await read(there, 1_000_000)) < 1_000_000


@KIND
async def test_a_peer_that_goes_away_ends_the_connection(tls: bool, autojump_clock: MockClock) -> None:
    async with wires(tls) as (here, there):
        there.close()
        assert await here.receive() == b""
        for _ in range(3):
            here.send(b"x" * 100_000)
            await wait_all_tasks_blocked()
        await here.wait_sent()
        assert here.waiting == 0


async def test_a_drain_task_lives_only_while_something_waits(autojump_clock: MockClock) -> None:
    async with wires(tls=False) as (here, there):
        for _ in range(3):
            here.send(b"x" * 200_000)
            assert len(await read(there, 200_000)) == 200_000
        await here.wait_sent()
        assert len(here._nursery.child_tasks) == 0


async def test_a_handshake_with_somebody_else_fails(autojump_clock: MockClock) -> None:
    pair = socket.socketpair()
    async with trio.open_nursery() as nursery:
        here = TlsWire(pair[0], nursery, trio.current_time, _SERVER, server_side=True)
        there = Wire(pair[1], nursery, trio.current_time)
        there.send(b"GET / HTTP/1.1\r\n\r\n")
        with pytest.raises(ssl.SSLError):
            await here.handshake()
        here.close()
        there.close()


async def test_a_handshake_with_nobody_fails(autojump_clock: MockClock) -> None:
    pair = socket.socketpair()
    async with trio.open_nursery() as nursery:
        here = TlsWire(pair[0], nursery, trio.current_time, _SERVER, server_side=True)
        pair[1].close()
        with pytest.raises(OSError, match="closed during the TLS handshake"):
            await here.handshake()
        here.close()
