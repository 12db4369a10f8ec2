"""What codes look like together, in the ring: whatever batches they come in, and over a reload."""

import trio
from makers import message
from test_pipeline import started
from test_policy_ring import ruled
from trio.testing import MockClock

from config.policy import Velocity
from protocol.status import Status
from routing.records import Message

START = 8613800138000


def code(number: int, to: int, **fields: object) -> Message:
    return message(number, class_="verification", destination=str(to), **fields)


async def test_a_run_is_refused_across_batches_and_a_reload(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    made = ruled(velocity=Velocity(run_limit=4))
    ring = await started(nursery, made)
    statuses = await ring.submit(*[code(at, START + at) for at in range(1, 4)])
    ring.pipeline.configure(made)
    statuses += await ring.submit(*[code(at, START + at) for at in range(4, 9)])
    assert statuses == [Status.ROK] * 4 + [Status.RTHROTTLED] * 4
    assert ring.pipeline.refused == {("verification", "velocity"): 4}
    assert ring.store.ledger().accepted == 4
    ring.pipeline.configure(ruled())
    assert await ring.submit(code(9, START + 9)) == [Status.ROK]
