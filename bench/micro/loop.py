"""CPU microseconds per item of what carries batches between tasks on trio, and in and out of the process.

    python -m bench.micro.loop [--quick] [--repeats N] [--figures FILE]

    mailbox   put and take: two tasks throw one batch to and fro, so that every take has to be woken
    wire      write and read over a socketpair: two tasks do the same with the octets of submit_sm, so that every read has to
              ask the loop; the work of the kernel is in it, decoding is not

One way is counted; at 1 nearly all of it is what trio takes to switch between tasks.
"""

import socket
import time
from collections.abc import Awaitable, Callable

import trio
import trio.testing

from bench.micro.rounds import Job, run_jobs
from gateway.core.mailbox import Mailbox
from gateway.core.wire import Wire
from protocol.codec import to_bytes
from protocol.pdu import SubmitSm

SIZES = (1, 10, 100)
Ends = tuple[Callable[[int], Awaitable[None]], Callable[[int], Awaitable[None]]]
"""Two tasks; each is told how many times the batch comes by. The first one has it at the beginning."""


def on_trio(name: str, items: int, open_ends: Callable[[trio.Nursery], Ends]) -> Job:
    """A job of two tasks. Starting trio and them is not counted."""

    async def measure(calls: int) -> float:
        async with trio.open_nursery() as nursery:
            first, second = open_ends(nursery)
            nursery.start_soon(second, calls)
            await trio.testing.wait_all_tasks_blocked()
            start = time.process_time()
            await first(calls)
            return time.process_time() - start

    return Job(name, 2 * items, lambda calls: trio.run(measure, calls))


def mailbox(size: int) -> Job:
    """Two mailboxes, one for each way."""
    batch = list(range(size))

    def open_ends(_: trio.Nursery) -> Ends:
        there: Mailbox[int] = Mailbox()
        back: Mailbox[int] = Mailbox()

        async def first(calls: int) -> None:
            for _ in range(calls):
                there.put(batch)
                assert len(await back.take()) == size

        async def second(calls: int) -> None:
            for _ in range(calls):
                back.put(await there.take())

        return first, second

    return on_trio(f"loop.mailbox.{size}", size, open_ends)


def wire(size: int) -> Job:
    """The two ends of a socketpair."""
    text = "【Tensec】您的验证码是482913，5分钟内有效。".encode("utf-16-be")
    one = SubmitSm(1, source_addr="10690000123", destination_addr="8613800138000", data_coding=8, short_message=text)
    octets = to_bytes(one) * size

    def open_ends(nursery: trio.Nursery) -> Ends:
        left, right = (Wire(one, nursery, time.monotonic) for one in socket.socketpair())

        async def read(end: Wire) -> None:
            missing = len(octets)
            while missing:
                got = await end.receive()
                assert got
                missing -= len(got)

        async def first(calls: int) -> None:
            for _ in range(calls):
                left.send(octets)
                await read(left)
            left.close()

        async def second(calls: int) -> None:
            for _ in range(calls):
                await read(right)
                right.send(octets)
            right.close()

        return first, second

    return on_trio(f"loop.wire.{size}", size, open_ends)


def jobs() -> list[Job]:
    """Both at every size."""
    return [*map(mailbox, SIZES), *map(wire, SIZES)]


if __name__ == "__main__":
    run_jobs("CPU microseconds per item of mailboxes and wires", jobs, "item")
