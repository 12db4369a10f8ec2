"""What goes on after a restart: queued messages, groups whose parts came before and after it, what the crash decided."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import trio
from clock import START_UTC, RealClock
from makers import config, message
from test_pipeline import FakeLane, Ring, part
from trio.testing import wait_all_tasks_blocked

from gateway.core.pipeline import Pipeline
from gateway.core.storage import Storage
from gateway.store.base import Admission, Sent
from gateway.store.book import Book
from gateway.store.embedded.vault import EmbeddedVault
from gateway.store.history import History
from gateway.store.keeper import Keeper
from gateway.store.opening import Opened
from gateway.store.recovery import recover
from protocol.status import Status
from routing.records import Attempt, AttemptKey, Message, MessageState


class Durable(Ring):
    """A ring over the embedded store in `folder`, as a start finds it."""

    def __init__(self, folder: Path, **lanes: FakeLane) -> None:
        super().__init__(config(), **lanes)
        clock = RealClock()
        keeper = Keeper(Book("virtual", alone=False))
        self.opened = Opened(keeper.book, keeper, EmbeddedVault(folder), History(folder))
        self.store: Any = keeper.book
        self.storage = Storage(self.opened, clock)
        lanes_before = self.pipeline.lanes
        self.pipeline = Pipeline(config(), self.storage, clock, self.told.extend)
        self.pipeline.lanes.update(lanes_before)
        self.lanes = self.pipeline.lanes  # type: ignore[assignment]
        assert self.opened.vault is not None
        self.pipeline.resume(recover(keeper, self.opened.vault, clock.utc()))

    async def turn(self) -> None:
        """Until nothing is to be written; threads are waited for."""
        await wait_all_tasks_blocked()
        await self.storage.settled()
        await wait_all_tasks_blocked()
        assert self.store.ledger().balanced

    async def submit(self, *messages: Message) -> list[int]:
        from gateway.core.submission import Submission
        from protocol.commands import Command

        first = len(self.answers)
        batch = [Submission(1, first + at, Command.SUBMIT_SM, [one]) for at, one in enumerate(messages)]
        self.pipeline.submit(self, batch)
        with trio.fail_after(20):
            while len(self.answers) < first + len(messages):  # noqa: ASYNC110 - threads and the clock of the ring move it
                await trio.sleep(0.01)
        await self.turn()
        return [self.answers[first + at][0] for at in range(len(messages))]

    def got(self) -> list[int]:
        return [number for lane in self.lanes.values() for number in lane.take()]


async def life(folder: Path, does: Callable[[Durable], Awaitable[None]], **lanes: FakeLane) -> None:
    """From a start to a kill: nothing is written that was not waited for."""
    ring = Durable(folder, **lanes)
    try:
        async with trio.open_nursery() as nursery:
            await nursery.start(ring.storage.run)
            nursery.start_soon(ring.pipeline.run)
            await does(ring)
            nursery.cancel_scope.cancel()
    finally:
        ring.opened.close()


async def until(condition: Callable[[], bool]) -> None:
    """The clock and the threads of the store go on meanwhile."""
    with trio.fail_after(20):
        while not condition():  # noqa: ASYNC110 - threads and the clock of the ring move it
            await trio.sleep(0.01)


async def test_parts_before_and_after_a_restart_are_released_together(tmp_path: Path) -> None:
    async def before(ring: Durable) -> None:
        assert await ring.submit(part(1, 2), part(2, 3), part(9, 1, key="other")) == [Status.ROK] * 3
        assert ring.got() == []

    async def after(ring: Durable) -> None:
        assert await ring.submit(part(3, 1)) == [Status.ROK]
        (name,) = [name for name, lane in ring.lanes.items() if lane.got]
        assert ring.lanes[name].take() == [3, 1, 2], "in the order of the parts, on one channel"
        assert ring.states(9) == [MessageState.SCHEDULED]

    await life(tmp_path, before)
    await life(tmp_path, after)


async def test_a_group_all_of_whose_parts_were_stored_is_released_by_the_start(tmp_path: Path) -> None:
    """The crash came between the last part and the release."""

    async def before(ring: Durable) -> None:
        parts = [part(number, number) for number in (1, 2, 3)]
        assert await ring.storage.admit([Admission(one) for one in parts]) == [None] * 3

    async def after(ring: Durable) -> None:
        await until(lambda: ring.store.queued() == 3)
        await ring.turn()
        assert ring.got() == [1, 2, 3]

    await life(tmp_path, before)
    await life(tmp_path, after)


async def test_parts_of_a_group_that_has_left_are_not_released_again(tmp_path: Path) -> None:
    async def before(ring: Durable) -> None:
        await ring.submit(*(part(number, number) for number in (1, 2, 3)))
        for number, name in [(number, name) for name, lane in ring.lanes.items() for number in lane.take()]:
            (one,) = (one for one in ring.store.find([number]) if one is not None)
            key = await ring.begin(one, name)
            await ring.storage.settle([Sent(key, 0.0, f"x{number}", f"x{number}")])

    async def after(ring: Durable) -> None:
        await ring.turn()
        assert ring.got() == []
        assert ring.states(1, 2, 3) == [MessageState.IN_FLIGHT] * 3
        assert await ring.submit(part(11, 1)) == [Status.ROK]
        assert ring.states(11) == [MessageState.SCHEDULED], "a reference that comes again is a new group"

    await life(tmp_path, before)
    await life(tmp_path, after)


async def test_queued_messages_go_on_in_order_each_once(tmp_path: Path) -> None:
    async def before(ring: Durable) -> None:
        await ring.submit(*(message(number) for number in range(1, 21)))

    async def after(ring: Durable) -> None:
        await until(lambda: len(ring.lanes["a"].got) >= 20)
        assert ring.got() == list(range(1, 21))

    for does in (before, after, after):
        await life(tmp_path, does, a=FakeLane("a", up=does is after))


async def test_a_cut_message_that_was_begun_in_part_goes_on_once(tmp_path: Path) -> None:
    """It is told as queued again and stands among the queued ones: its lane must get it once all the same."""

    async def before(ring: Durable) -> None:
        await ring.submit(message(1), message(2))
        key = AttemptKey(1, 1, 1)
        assert (await ring.pipeline.begin([Attempt(key, 2, "a", 0, 0)])).may_leave == [True]

    async def after(ring: Durable) -> None:
        await ring.turn()
        assert sorted(ring.got()) == [1, 2]

    await life(tmp_path, before, a=FakeLane("a"))
    await life(tmp_path, after, a=FakeLane("a"))


async def test_an_incomplete_group_is_given_up_at_its_time_after_a_restart(tmp_path: Path) -> None:
    async def before(ring: Durable) -> None:
        late = part(1, 2)
        late.not_before_utc = START_UTC - 1
        assert await ring.storage.admit([Admission(late)]) == [None]

    async def after(ring: Durable) -> None:
        await until(lambda: ring.states(1) == [MessageState.REJECTED])
        await until(lambda: [notice.id for notice in ring.told] == [1])

    await life(tmp_path, before)
    await life(tmp_path, after)
