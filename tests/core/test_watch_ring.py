"""What codes look like together, in the ring: whatever batches they come in, and over a reload."""

from typing import Any

import trio
from clock import START_UTC
from makers import Alerts, message
from test_pipeline import FakeLane, Ring, started
from test_policy_ring import ruled
from trio.testing import MockClock

from config.policy import Conversion, Velocity
from gateway.store.base import CarrierReceipt, Sent
from protocol.receipt import MessageState as CarrierState
from protocol.status import Status
from routing.records import Message

START = 8613800138000


def code(number: int, to: int, **fields: Any) -> Message:
    return message(number, class_="verification", destination=str(to), **fields)


async def test_a_run_is_refused_across_batches_and_a_reload(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    made = ruled(velocity=Velocity(run_limit=4))
    ring = await started(nursery, made)
    statuses = await ring.submit(*[code(at, START + at) for at in range(1, 4)])
    ring.pipeline.configure(made)
    statuses += await ring.submit(*[code(at, START + at) for at in range(4, 9)])
    assert statuses == [Status.ROK] * 4 + [Status.RTHROTTLED] * 4
    assert ring.pipeline.figures.refused == {("verification", "velocity"): 4}
    assert ring.store.ledger().accepted == 4
    ring.pipeline.configure(ruled())
    assert await ring.submit(code(9, START + 9)) == [Status.ROK]


async def ended(ring: Ring, first: int, to: int, count: int, state: CarrierState) -> list[Message]:
    """Codes to numbers far from each other, and what a carrier says of them."""
    made = [code(first + at, to + 10 * at) for at in range(count)]
    assert await ring.submit(*made) == [Status.ROK] * count
    ring.lanes["a"].take()
    for one in made:
        await ring.report(Sent(await ring.begin(one), 0.0, f"id-{one.id}", ""))
        receipt = CarrierReceipt("a", (f"id-{one.id}",), state, 0.0, START_UTC, state.name, "000", "Shop", one.destination)
        await ring.report(receipt)
    return made


GOOD, BAD = 8613900001000, 8613811111000
RULE = Conversion(share_min=0.2, codes_min=10, action="block", period_s=600, wait_s=60)


async def test_codes_that_came_to_somebody_and_are_not_used_are_refused_next(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    ring = await started(nursery, ruled(velocity=Velocity(conversion=RULE)), a=FakeLane("a"))
    alerts = ring.pipeline._log = Alerts()
    used = await ended(ring, 1, GOOD, 12, CarrierState.DELIVERED)
    await ended(ring, 101, BAD, 12, CarrierState.DELIVERED)
    for one in used:
        ring.pipeline.endings.watches.used(one, "converted", START_UTC + trio.current_time())
    await trio.sleep(120)
    assert await ring.submit(code(201, BAD + 500), code(202, GOOD + 500)) == [Status.RTHROTTLED, Status.ROK]
    assert ring.pipeline.figures.refused == {("verification", "velocity"): 1}
    await trio.sleep(1)
    assert [(what, values["prefix"]) for what, values in alerts.seen] == [("codes are not used", "861381111")]
    assert ring.pipeline.endings.watches.low() == [("shop", 1)]
    await trio.sleep(700)
    assert [(what, values["prefix"]) for what, values in alerts.seen[1:]] == [("codes are used again", "861381111")]


async def test_codes_that_came_to_nobody_are_not_counted(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    """A carrier that delivers nothing is no reason to think that nobody wants the codes."""
    rule = Conversion(share_min=0.2, codes_min=10, action="block", period_s=600, wait_s=60, without_feedback=True)
    ring = await started(nursery, ruled(velocity=Velocity(conversion=rule)), a=FakeLane("a"))
    await ended(ring, 1, BAD, 12, CarrierState.UNDELIVERABLE)
    await trio.sleep(120)
    assert await ring.submit(code(201, BAD + 500)) == [Status.ROK]
