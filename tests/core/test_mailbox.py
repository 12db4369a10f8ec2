"""Batches between tasks: one wake-up for many, nothing lost, whoever is cancelled."""

from contextlib import suppress
from random import Random

import trio
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock, wait_all_tasks_blocked

from gateway.core.mailbox import Line, Mailbox, Signal


async def test_one_take_gets_everything_in_order() -> None:
    box: Mailbox[int] = Mailbox()
    box.put([1, 2])
    box.put([])
    box.put([3])
    assert len(box) == 3
    assert await box.take() == [1, 2, 3]
    assert len(box) == 0


async def test_a_taker_waits_for_an_item_not_for_an_empty_put(nursery: trio.Nursery) -> None:
    box: Mailbox[int] = Mailbox()
    taken: list[list[int]] = []

    async def take() -> None:
        taken.append(await box.take())

    nursery.start_soon(take)
    await wait_all_tasks_blocked()
    box.put([])
    await wait_all_tasks_blocked()
    assert taken == []
    box.put([1])
    box.put([2])
    await wait_all_tasks_blocked()
    assert taken == [[1, 2]]


async def test_setting_a_signal_many_times_wakes_once(nursery: trio.Nursery) -> None:
    signal = Signal()
    woken = 0

    async def watch() -> None:
        nonlocal woken
        while True:
            await signal.wait()
            woken += 1

    nursery.start_soon(watch)
    for expected in (1, 2):
        await wait_all_tasks_blocked()
        for _ in range(10):
            signal.set()
        await wait_all_tasks_blocked()
        assert woken == expected
    nursery.cancel_scope.cancel()


async def test_a_signal_set_before_anybody_waits_is_kept() -> None:
    signal = Signal()
    signal.set()
    await signal.wait()
    with trio.move_on_after(0) as scope:
        await signal.wait()
    assert scope.cancelled_caught


async def test_a_cancelled_taker_leaves_the_items_to_the_next(autojump_clock: MockClock) -> None:
    box: Mailbox[int] = Mailbox()
    box.put([1])
    with trio.CancelScope() as scope:
        scope.cancel()
        await box.take()
    assert scope.cancelled_caught
    with trio.fail_after(1):
        assert await box.take() == [1]


@given(st.integers(0, 10_000), st.lists(st.sampled_from((0.0, 0.5, 1.0)), max_size=40))
def test_nothing_is_lost_doubled_or_reordered_under_cancellation(seed: int, pauses: list[float]) -> None:
    async def story() -> list[int]:
        box: Mailbox[int] = Mailbox()
        random = Random(seed)
        got: list[int] = []

        async def put() -> None:
            for number, pause in enumerate(pauses):
                await trio.sleep(pause)
                box.put([number])

        async with trio.open_nursery() as nursery:
            nursery.start_soon(put)
            while len(got) < len(pauses) and trio.current_time() < 1_000:
                with trio.move_on_after(random.choice((0.0, 0.5, 1.0, 5.0))):
                    got += await box.take()
        return got

    assert trio.run(story, clock=MockClock(autojump_threshold=0)) == list(range(len(pauses)))


@given(st.lists(st.integers(0, 5), min_size=1, max_size=8), st.sets(st.integers(0, 7)))
def test_a_line_keeps_its_order_whoever_is_ready_first_or_gives_up(waits: list[int], failing: set[int]) -> None:
    went: list[int] = []

    async def walk(line: Line, at: int) -> None:
        with suppress(ValueError), line.place() as first:
            await trio.sleep(waits[at])
            if at in failing:
                raise ValueError
            await first.wait()
            went.append(at)

    async def main() -> None:
        line = Line()
        async with trio.open_nursery() as nursery:
            for at in range(len(waits)):
                nursery.start_soon(walk, line, at)
                await wait_all_tasks_blocked()

    trio.run(main, clock=MockClock(autojump_threshold=0))
    alone = [at for at in range(len(waits)) if at not in failing]
    assert sorted(went) == alone
    if not failing:
        assert went == alone
