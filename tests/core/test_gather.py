"""Busy sockets are read together when much comes in; a quiet one, or one that somebody waits for, at once."""

import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
import trio
from trio.testing import MockClock, wait_all_tasks_blocked

from gateway.core.gather import BUSY_OCTETS, CARRIERS_S, CLIENTS_S, Gather
from gateway.core.wire import Wire

EVERY_S = 0.001
MUCH = BUSY_OCTETS // 4


class Talker:
    """A peer that sends `octets` every millisecond, and the wire that hears it: (when, how many) for each read."""

    def __init__(self, nursery: trio.Nursery, octets: int, tick_s: float, *, urgent: bool) -> None:
        theirs, ours = socket.socketpair()
        for sock in (theirs, ours):
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 20)
        self.wire = Wire(ours, nursery, trio.current_time, tick_s)
        self.reads: list[tuple[float, int]] = []
        self.sent = 0
        self.silent = False
        self._peer = theirs
        self._octets = octets
        self._urgent = urgent

    async def talk(self) -> None:
        with self._peer:
            while True:
                await trio.sleep(EVERY_S)
                if not self.silent:
                    with suppress(BrokenPipeError):
                        self.sent += self._peer.send(bytes(self._octets))

    async def hear(self) -> None:
        while data := await self.wire.receive(urgent=self._urgent):
            self.reads.append((trio.current_time(), len(data)))


@asynccontextmanager
async def talking(*octets: int, tick_s: float = CLIENTS_S, urgent: bool = False) -> AsyncIterator[list[Talker]]:
    async with trio.open_nursery() as nursery:
        talkers = [Talker(nursery, one, tick_s, urgent=urgent) for one in octets]
        for one in talkers:
            nursery.start_soon(one.talk)
            nursery.start_soon(one.hear)
        await trio.sleep(0.1)
        for one in talkers:
            one.reads.clear()
        try:
            yield talkers
        finally:
            for one in talkers:
                one.wire.close()
            nursery.cancel_scope.cancel()


@pytest.mark.parametrize("tick_s", [CLIENTS_S, CARRIERS_S])
async def test_busy_sockets_are_read_together_once_a_tick(autojump_clock: MockClock, tick_s: float) -> None:
    async with talking(MUCH, MUCH, tick_s=tick_s) as (one, other):
        await trio.sleep(tick_s * 10.25)
        assert [at for at, _ in one.reads] == [at for at, _ in other.reads]
        assert len(one.reads) == 10
        assert all(abs(at / tick_s - round(at / tick_s)) < 1e-6 for at, _ in one.reads)


async def test_with_little_coming_in_each_is_read_at_once(autojump_clock: MockClock) -> None:
    async with talking(MUCH // 100, MUCH // 100) as talkers:
        await trio.sleep(EVERY_S * 50.5)
        for one in talkers:
            assert 49 <= len(one.reads) <= 51


async def test_what_somebody_waits_for_is_read_at_once(autojump_clock: MockClock) -> None:
    async with talking(MUCH, urgent=True) as (one,):
        await trio.sleep(EVERY_S * 50.5)
        assert 49 <= len(one.reads) <= 51


async def test_a_quiet_socket_does_not_wait_for_the_busy_ones(autojump_clock: MockClock) -> None:
    async with talking(MUCH, MUCH, 10) as (_, _, quiet):
        quiet.silent = True
        await trio.sleep(CLIENTS_S * 5.5)
        quiet.reads.clear()
        quiet.silent = False
        woken = trio.current_time()
        await trio.sleep(CLIENTS_S)
        assert quiet.reads[0][0] - woken < EVERY_S * 1.5


async def test_everything_is_read_when_the_talk_ends(autojump_clock: MockClock) -> None:
    async with talking(MUCH, MUCH) as talkers:
        before = [one.sent for one in talkers]
        for one in talkers:
            one.silent = True
        await trio.sleep(CLIENTS_S)
        for one in talkers:
            one.reads.clear()
            one.silent = False
        await trio.sleep(0.5)
        for one in talkers:
            one.silent = True
        await trio.sleep(CLIENTS_S)
        for one, earlier in zip(talkers, before, strict=True):
            assert sum(count for _, count in one.reads) == one.sent - earlier


async def test_one_that_closes_while_it_waits_holds_up_nobody(autojump_clock: MockClock) -> None:
    async with talking(MUCH, MUCH, MUCH) as talkers:
        await wait_all_tasks_blocked()
        talkers[0].wire.close()
        talkers[1].wire.close()
        for one in talkers:
            one.reads.clear()
        await trio.sleep(CLIENTS_S * 10.5)
        assert talkers[0].reads == talkers[1].reads == []
        assert len(talkers[2].reads) >= 10


async def test_the_others_are_woken_when_the_first_who_waits_is_cancelled(mock_clock: MockClock) -> None:
    one = Gather()
    woken: list[str] = []

    async def wait(name: str, scope: trio.CancelScope) -> None:
        with scope:
            await one.wait(CLIENTS_S)
            woken.append(name)

    async with trio.open_nursery() as nursery:
        first = trio.CancelScope()
        for name, scope in (("first", first), ("second", trio.CancelScope()), ("third", trio.CancelScope())):
            nursery.start_soon(wait, name, scope)
            await wait_all_tasks_blocked()
        first.cancel()
    assert sorted(woken) == ["second", "third"]


async def test_busy_is_busy_also_when_read_in_step(autojump_clock: MockClock) -> None:
    async with talking(MUCH, MUCH) as talkers:
        await trio.sleep(1.0)
        assert all(len(one.reads) <= 1.0 / CLIENTS_S + 1 for one in talkers), "no tick in which they were read one by one"


async def test_many_that_bring_a_little_each_are_much(autojump_clock: MockClock) -> None:
    async with talking(*[BUSY_OCTETS // 64] * 8) as talkers:
        await trio.sleep(1.0)
        assert max(len(one.reads) for one in talkers) <= 1.0 / CLIENTS_S + 1
