"""Numbers at which messages fail for good, in the ring: what receipts say decides what is accepted next."""

import trio
from clock import START_UTC
from makers import TO, message
from test_pipeline import FakeLane, Ring, started
from test_policy_ring import ruled
from trio.testing import MockClock

from config.policy import Suppression
from gateway.store.base import CarrierReceipt, Membership, Sent
from protocol.receipt import MessageState as CarrierState
from protocol.status import Status

OTHER = "8613800138001"


async def ended(ring: Ring, number: int, state: CarrierState = CarrierState.UNDELIVERABLE, temporary: bool = False) -> int:
    """The status of a message, and when it is accepted what a carrier's receipt then says of it."""
    one = message(number)
    (status,) = await ring.submit(one)
    if status == Status.ROK:
        key = await ring.begin(one)
        await ring.report(Sent(key, 0.0, f"id-{number}", ""))
        receipt = CarrierReceipt("a", (f"id-{number}",), state, 0.0, START_UTC, state.name, "001", one.source, one.destination)
        receipt.temporary = temporary
        await ring.report(receipt)
        for lane in ring.lanes.values():
            lane.take()
    return status


async def test_a_number_that_failed_often_gets_no_more(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    ring = await started(nursery, ruled(suppression=Suppression(failures=2)), a=FakeLane("a"))
    told: list[Membership] = []
    ring.pipeline.endings.on_memberships = told.extend
    assert [await ended(ring, 1), await ended(ring, 2)] == [Status.ROK] * 2
    assert [(one.key, one.member) for one in told] == [(TO, True)]
    assert await ring.submit(message(3), message(4, destination=OTHER)) == [Status.RSUBMITFAIL, Status.ROK]
    assert ring.pipeline.figures.refused == {("notification", "suppressed"): 1}


async def test_a_delivery_between_and_errors_of_the_moment_keep_it_reachable(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    ring = await started(nursery, ruled(suppression=Suppression(failures=2)), a=FakeLane("a"))
    story = [
        (CarrierState.UNDELIVERABLE, False),
        (CarrierState.DELIVERED, False),
        (CarrierState.UNDELIVERABLE, False),
        (CarrierState.UNDELIVERABLE, True),
        (CarrierState.EXPIRED, False),
    ]
    for number, (state, temporary) in enumerate(story, start=1):
        assert await ended(ring, number, state, temporary) == Status.ROK
    assert await ended(ring, 6) == Status.ROK
    assert await ended(ring, 7) == Status.RSUBMITFAIL


async def test_what_was_under_way_and_arrives_frees_the_number(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    ring = await started(nursery, ruled(suppression=Suppression(failures=1)), a=FakeLane("a"))
    late = message(1)
    await ring.submit(late)
    key = await ring.begin(late)
    await ring.report(Sent(key, 0.0, "late", ""))
    await ended(ring, 2)
    assert await ring.submit(message(3)) == [Status.RSUBMITFAIL]
    await ring.report(CarrierReceipt("a", ("late",), CarrierState.DELIVERED, 0.0, START_UTC, "DELIVRD", "000", "Shop", TO))
    assert await ring.submit(message(4)) == [Status.ROK]


async def test_without_the_rule_nothing_is_counted(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    ring = await started(nursery, ruled(), a=FakeLane("a"))
    for number in range(1, 5):
        assert await ended(ring, number) == Status.ROK
    assert not ring.store.guards.held
