"""The ring from intake to settle, with fake lanes: codes first, nobody held up by others, nothing blocks, parts together."""

from collections.abc import Sequence
from typing import Any

import pytest
import trio
from clock import START_UTC, VirtualClock
from makers import TO, account, config, message, route
from trio.testing import MockClock, wait_all_tasks_blocked

from config.schema import Classes, CodeClass, Config, Core
from gateway.core.dispatch import NO_ROUTE
from gateway.core.lane import Lane
from gateway.core.pipeline import Pipeline
from gateway.core.report import Report
from gateway.core.storage import NotStoredError, Storage
from gateway.core.submission import Submission
from gateway.store.base import CarrierReceipt, Refused, RequestRecord, Sent, Unclear
from gateway.store.memory import MemoryStore
from gateway.store.opening import Opened
from protocol.commands import Command
from protocol.pdu import DeliverSm
from protocol.receipt import MessageState as CarrierState
from protocol.status import Status
from routing.operators import network_of
from routing.plan import Health
from routing.quality import ChannelQuality
from routing.records import Attempt, AttemptKey, Message, MessageState, Notice, PartOf


class FakeLane(Lane):
    """A channel with room for so many messages; what it got stands in `got` until it is taken."""

    up = True
    in_flight = 0  # type: ignore[assignment]

    def __init__(self, name: str, room: int = 100, *, up: bool = True) -> None:  # none of the real one's parts
        self.name = name
        self.room = room
        self.up = up  # type: ignore[misc]
        self.got: list[Message] = []
        self.woken = 0
        self.asked = 0
        self.quality = ChannelQuality()

    @property
    def queued(self) -> int:
        return len(self.got)

    def health(self, class_: str) -> Health:
        self.asked += 1
        return Health(self.name, self.up, max(0, (self.room * 2 if class_ == "verification" else self.room) - len(self.got)))

    def enqueue(self, one: Message) -> None:
        self.got.append(one)

    @property
    def usable(self) -> bool:
        return self.up

    def wake(self) -> None:
        self.woken += 1

    def take(self) -> list[int]:
        got, self.got = self.got, []
        return [one.id for one in got]


class Ring:
    """A pipeline with fake lanes `a` and `b`; it is the front of all submissions as well."""

    def __init__(self, made: Config, **lanes: FakeLane) -> None:
        self.config = made
        self.store = MemoryStore("virtual")
        self.told: list[Notice] = []
        self.answers: dict[int, list[int]] = {}
        self.pipeline = Pipeline(made, Storage(Opened(self.store), VirtualClock()), VirtualClock(), self.told.extend)
        self.pipeline.lanes.update(lanes or {"a": FakeLane("a"), "b": FakeLane("b")})  # type: ignore[arg-type]
        self.lanes: dict[str, FakeLane] = self.pipeline.lanes  # type: ignore[assignment]

    def remembered(self, submissions: Sequence[Submission]) -> Sequence[RequestRecord]:
        return ()

    def answer(self, submissions: Sequence[Submission]) -> None:
        for submission in submissions:
            assert submission.sequence not in self.answers
            self.answers[submission.sequence] = submission.statuses

    async def submit(self, *messages: Message) -> list[int]:
        """Each in a request of its own, all in one batch; their statuses."""
        first = len(self.answers)
        batch = [Submission(1, first + at, Command.SUBMIT_SM, [one]) for at, one in enumerate(messages)]
        self.pipeline.submit(self, batch)
        await self.turn()
        return [self.answers[first + at][0] for at in range(len(messages))]

    async def turn(self) -> None:
        await wait_all_tasks_blocked()
        assert self.store.ledger().balanced

    async def report(self, *outcomes: Any, **more: Any) -> None:
        self.pipeline.report(Report(list(outcomes), **more))
        await self.turn()

    async def begin(self, one: Message, name: str = "a") -> AttemptKey:
        key = AttemptKey(one.id, one.tries + 1, 1)
        assert (await self.pipeline.begin([Attempt(key, 1, name, 0, 0)])).may_leave == [True]
        return key

    def states(self, *numbers: int) -> list[MessageState]:
        return [one.state for one in self.store.find(numbers) if one is not None]


def messages(first: int, last: int, **fields: Any) -> list[Message]:
    return [message(number, **fields) for number in range(first, last + 1)]


async def started(nursery: trio.Nursery, made: Config | None = None, **lanes: FakeLane) -> Ring:
    ring = Ring(made or config(), **lanes)
    nursery.start_soon(ring.pipeline.run)
    await wait_all_tasks_blocked()
    return ring


# -- intake


async def test_what_is_accepted_is_stored_answered_and_planned(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    ring = await started(nursery)
    assert await ring.submit(*messages(1, 20)) == [Status.ROK] * 20
    assert sorted(ring.lanes["a"].take() + ring.lanes["b"].take()) == list(range(1, 21))
    assert ring.store.ledger().accepted == 20


async def test_every_message_of_a_request_has_a_status_of_its_own(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    made = config()
    ring = await started(
        nursery, Config(accounts=[account(source_addresses=["Shop"])], routes=made.routes, channels=made.channels)
    )
    several = [message(1), message(2, source="Else"), message(3, destination="x"), message(4, parts=0), message(5)]
    ring.pipeline.submit(ring, [Submission(1, 7, Command.SUBMIT_MULTI, several)])
    await ring.turn()
    assert ring.answers == {7: [Status.ROK, Status.RINVSRCADR, Status.RINVDSTADR, Status.RINVMSGLEN, Status.ROK]}
    assert ring.store.ledger().accepted == 2


async def test_a_full_queue_refuses_marketing_first_and_codes_last(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    dead = FakeLane("a", up=False)
    ring = await started(nursery, config(core=Core(queue_size_max=100)), a=dead)
    number = 0

    async def refused(queued: int) -> list[str]:
        nonlocal number
        while ring.store.queued() < queued:
            number += 1
            await ring.submit(message(number, class_="verification"))
        found = []
        for class_ in ("marketing", "notification", "verification"):
            number += 1
            (status,) = await ring.submit(message(number, class_=class_))
            assert status in (Status.ROK, Status.RMSGQFUL)
            if status:
                found.append(class_)
        return found

    assert await refused(50) == []
    assert await refused(90) == ["marketing"]
    assert await refused(95) == ["marketing", "notification"]
    assert await refused(100) == ["marketing", "notification", "verification"]


class SlowStorage(Storage):
    """Decides at once; each batch is stored when the test says so."""

    def __init__(self, opened: Opened) -> None:
        super().__init__(opened, VirtualClock())
        self.writes: list[trio.Event] = []
        self.failing: set[int] = set()

    async def admit(self, *args: Any) -> Any:
        refused = self.book.admit(args[0], START_UTC, args[1])
        self.writes.append(trio.Event())
        number = len(self.writes)
        await self.writes[-1].wait()
        if number in self.failing:
            raise NotStoredError
        return refused


async def test_the_next_batch_is_decided_while_one_is_being_stored_and_both_go_on_in_order(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    ring = Ring(config())
    ring.pipeline.store = storage = SlowStorage(Opened(ring.store))
    nursery.start_soon(ring.pipeline.run)
    for number in range(1, 5):
        request = Submission(1, number, Command.SUBMIT_SM, [message(number)])
        await wait_all_tasks_blocked()
        ring.pipeline.submit(ring, [request])
    await wait_all_tasks_blocked()
    assert ring.states(1, 2, 3, 4) == [MessageState.QUEUED] * 2, "two are on their way, the rest comes as one batch"
    storage.writes[1].set()
    await wait_all_tasks_blocked()
    assert (ring.answers, ring.lanes["a"].got + ring.lanes["b"].got) == ({}, [])
    storage.writes[0].set()
    await wait_all_tasks_blocked()
    assert list(ring.answers) == [1, 2]
    assert ring.states(3, 4) == [MessageState.QUEUED] * 2
    assert len(storage.writes) == 3
    storage.writes[2].set()
    await wait_all_tasks_blocked()
    assert list(ring.answers) == [1, 2, 3, 4]
    assert sorted(ring.lanes["a"].take() + ring.lanes["b"].take()) == [1, 2, 3, 4]


async def test_a_shutdown_waits_for_what_is_being_stored(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    ring = Ring(config())
    ring.pipeline.store = storage = SlowStorage(Opened(ring.store))
    ring.pipeline.sending = False
    nursery.start_soon(ring.pipeline.run)
    ring.pipeline.submit(ring, [Submission(1, 1, Command.SUBMIT_SM, [message(1)])])
    await wait_all_tasks_blocked()
    assert (ring.answers, ring.pipeline.busy) == ({}, 1)
    storage.failing.add(1)
    storage.writes[0].set()
    await wait_all_tasks_blocked()
    assert (list(ring.answers), ring.pipeline.busy) == ([1], 0)


async def test_a_batch_that_cannot_be_stored_keeps_its_place_too(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    ring = Ring(config())
    ring.pipeline.store = storage = SlowStorage(Opened(ring.store))
    storage.failing.add(2)
    nursery.start_soon(ring.pipeline.run)
    for number in (1, 2):
        ring.pipeline.submit(ring, [Submission(1, number, Command.SUBMIT_SM, [message(number)])])
        await wait_all_tasks_blocked()
    storage.writes[1].set()
    await wait_all_tasks_blocked()
    assert ring.answers == {}
    storage.writes[0].set()
    await wait_all_tasks_blocked()
    assert list(ring.answers.items()) == [(1, [0]), (2, [Status.RSYSERR])]


async def test_who_asks_hears_when_what_was_reported_before_is_decided(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    ring = Ring(config())
    await ring.pipeline.settled()
    ring.pipeline.report(Report([]))
    heard = trio.Event()

    async def ask() -> None:
        await ring.pipeline.settled()
        heard.set()

    nursery.start_soon(ask)
    await wait_all_tasks_blocked()
    assert not heard.is_set()
    nursery.start_soon(ring.pipeline.run)
    await wait_all_tasks_blocked()
    assert heard.is_set()


async def test_on_the_way_out_nothing_is_accepted(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    ring = await started(nursery)
    ring.pipeline.accepting = False
    assert await ring.submit(message(1)) == [Status.RSYSERR]
    assert ring.store.ledger().accepted == 0


# -- planning


async def test_codes_are_planned_before_a_backlog_of_marketing(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    ring = await started(nursery, a=FakeLane("a", room=10))
    await ring.submit(*messages(1, 5_000, class_="marketing"))
    assert len(ring.lanes["a"].got) == 10
    await ring.submit(message(9_001, class_="verification"))
    assert ring.lanes["a"].got[-1].id == 9_001, "a code finds room where marketing finds none"
    ring.lanes["a"].take()
    await ring.submit(*messages(9_002, 9_012, class_="verification"))
    assert ring.lanes["a"].take()[:11] == list(range(9_002, 9_013))
    ring.pipeline.lane_changed()
    await ring.turn()
    assert ring.lanes["a"].take() == list(range(11, 21)), "marketing goes on where it stood, oldest first"


async def test_in_one_turn_classes_go_in_order(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    ring = await started(nursery, a=FakeLane("a"))
    await ring.submit(message(1, class_="marketing"), message(2), message(3, class_="verification"), message(4))
    assert ring.lanes["a"].take() == [3, 2, 4, 1]


BUSY = [
    pytest.param({"up": False}, id="dead"),
    pytest.param({"room": 0}, id="full"),
]


@pytest.mark.parametrize("busy", BUSY)
async def test_one_busy_channel_does_not_hold_up_the_others(
    busy: dict[str, Any], autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    made = config(route("a", prefixes=["49"]), route("b"))
    ring = await started(nursery, made, a=FakeLane("a", **busy), b=FakeLane("b", room=10_000))
    stuck = messages(1, 5_000, destination="4915112345678")
    await ring.submit(*stuck, *messages(5_001, 5_100))
    assert ring.lanes["b"].take() == list(range(5_001, 5_101))
    assert ring.pipeline.dispatch.waiting()["notification"] == 5_000
    ring.lanes["a"].up, ring.lanes["a"].room = True, 10_000
    ring.pipeline.lane_changed()
    await ring.turn()
    assert sorted(ring.lanes["a"].take()) == list(range(1, 5_001))


async def test_how_long_the_first_that_waits_has_is_known_by_class(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    ring = await started(nursery, a=FakeLane("a", up=False), b=FakeLane("b", up=False))
    dispatch = ring.pipeline.dispatch
    assert set(dispatch.oldest_s().values()) == {0.0}
    await ring.submit(message(1))
    await trio.sleep(7)
    later = message(2, arrival_utc=START_UTC + 7, class_="marketing")
    await ring.submit(message(3, arrival_utc=START_UTC + 7), later)
    await trio.sleep(2)
    assert dispatch.oldest_s() == {"verification": 0.0, "notification": pytest.approx(9), "marketing": pytest.approx(2)}


async def test_a_message_that_waits_for_one_channel_of_its_route_does_not_spin(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    """Refused for good by `b`, it waits for `a`, while `b` has all the room there is."""
    ring = await started(nursery, a=FakeLane("a", up=False))
    ring.pipeline.lanes["b"] = FakeLane("b")  # type: ignore[assignment]
    one = message(1)
    await ring.submit(one)
    key = await ring.begin(one, "b")
    await ring.report(Refused(key, 0.0, Status.RINVSRCADR, "no", again=True, never_here=True))
    asked = ring.lanes["b"].asked
    await trio.sleep(3)
    assert ring.lanes["b"].asked < asked + 30  # three a pass
    assert ring.pipeline.dispatch.waiting()["notification"] == 1
    ring.lanes["a"].up = True
    ring.pipeline.lane_changed()
    await ring.turn()
    assert ring.lanes["a"].take() == [1]


async def test_parts_pinned_to_a_full_channel_do_not_spin_either(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    ring = await started(nursery, a=FakeLane("a", room=1), b=FakeLane("b", room=1))
    ring.pipeline.dispatch._pins["group"] = "a"
    await ring.submit(message(1, class_="verification"), message(2, class_="verification"))
    ring.pipeline.dispatch.add(messages(3, 6, part_of=PartOf("group", 4, 1)))
    asked = ring.lanes["b"].asked
    await trio.sleep(3)
    assert ring.lanes["b"].asked < asked + 30  # three a pass


async def test_no_route_and_no_channel_left_end_a_message(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    ring = await started(nursery, config(route("a", prefixes=["86"])), a=FakeLane("a"))
    await ring.submit(message(1, destination="4915112345678"), message(2, tried=("a",), tries=1))
    assert ring.states(1, 2) == [MessageState.REJECTED] * 2
    assert [one.reason for one in ring.store.find([1, 2]) if one] == [NO_ROUTE, "every channel of its route refused it"]
    assert [notice.id for notice in ring.told] == [1, 2]


async def test_a_configuration_without_a_channel_that_messages_wait_for_moves_them(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    ring = await started(nursery, config(route("a")), a=FakeLane("a", up=False), b=FakeLane("b"))
    await ring.submit(*messages(1, 3))
    del ring.pipeline.lanes["a"]
    ring.pipeline.configure(config(route("b")))
    await trio.sleep(2)
    assert ring.lanes["b"].take() == [1, 2, 3]


async def test_what_a_lane_gives_back_goes_first_in_order(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    ring = await started(nursery, a=FakeLane("a", room=3))
    await ring.submit(*messages(1, 9))
    back, ring.lanes["a"].got = ring.lanes["a"].got, []
    ring.lanes["a"].up = False
    ring.pipeline.requeue(back)
    await ring.turn()
    ring.lanes["a"].up, ring.lanes["a"].room = True, 100
    ring.pipeline.lane_changed()
    await ring.turn()
    assert sorted(ring.lanes["a"].take()) == list(range(1, 10))


# -- parts that the sender cut


def part(number: int, seq: int, total: int = 3, key: str = "group", **fields: Any) -> Message:
    return message(
        number, part_of=PartOf(key, total, seq), state=MessageState.SCHEDULED, not_before_utc=START_UTC + 60, **fields
    )


async def test_parts_are_released_together_on_one_channel(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    ring = await started(nursery)
    assert await ring.submit(part(1, 2), part(2, 3), part(9, 1, key="other")) == [Status.ROK] * 3
    assert [lane.got for lane in ring.lanes.values()] == [[], []]
    assert await ring.submit(part(3, 1)) == [Status.ROK]
    (got,) = [lane.take() for lane in ring.lanes.values() if lane.got]
    assert got == [3, 1, 2], "in the order of the parts"
    assert ring.states(9) == [MessageState.SCHEDULED]


async def test_parts_whose_others_never_come_are_rejected_with_receipts(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    ring = await started(nursery)
    await ring.submit(part(1, 1), part(2, 3))
    await trio.sleep(61)
    assert ring.states(1, 2) == [MessageState.REJECTED] * 2
    assert sorted(notice.id for notice in ring.told) == [1, 2]
    await ring.submit(part(3, 2))
    assert ring.states(3) == [MessageState.SCHEDULED]


async def test_a_reference_that_comes_again_is_a_new_group(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    ring = await started(nursery)
    await ring.submit(*(part(number, number) for number in (1, 2, 3)))
    (first,) = [name for name, lane in ring.lanes.items() if lane.take()]
    ring.lanes[first].up = False
    await ring.submit(*(part(10 + number, number) for number in (1, 2, 3)))
    (second,) = [name for name, lane in ring.lanes.items() if lane.take()]
    assert second != first


# -- settling, and time


class FakeCarrier:
    """Notes when its requests were acknowledged, and what the store said then."""

    def __init__(self, ring: Ring) -> None:
        self.ring = ring
        self.acknowledged: list[tuple[int, list[MessageState]]] = []

    def acknowledge(self, requests: Sequence[Any], status: int) -> None:
        self.acknowledged.append((status, self.ring.states(1)))


async def test_a_receipt_is_acknowledged_after_it_is_stored(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    ring = await started(nursery)
    one = message(1)
    await ring.submit(one)
    key = await ring.begin(one)
    carrier = FakeCarrier(ring)
    await ring.report(Sent(key, 0.0, "x", "x"), source=carrier)
    assert carrier.acknowledged == [], "nothing to acknowledge"
    receipt = CarrierReceipt("a", ("x",), CarrierState.DELIVERED, 3.0, START_UTC + 3, "DELIVRD", "000", "Shop", TO)
    await ring.report(receipt, source=carrier, requests=[DeliverSm()])
    assert carrier.acknowledged == [(Status.ROK, [MessageState.DELIVERED])]
    assert [(notice.id, notice.state) for notice in ring.told] == [(1, MessageState.DELIVERED)]
    assert ring.pipeline.figures.sla.of_channel("a").within == 1


async def test_a_refused_message_goes_round_to_another_channel(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    ring = await started(nursery)
    one = message(1)
    await ring.submit(one)
    (first,) = [name for name, lane in ring.lanes.items() if lane.take()]
    key = await ring.begin(one, first)
    await ring.report(Refused(key, 0.0, 0x45, "no", again=True, never_here=True))
    (second,) = [name for name, lane in ring.lanes.items() if lane.take() == [1]]
    assert second != first


async def test_an_unclear_code_comes_round_again_at_its_time(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    ring = await started(nursery)
    one = message(1, class_="verification")
    await ring.submit(one)
    (first,) = [name for name, lane in ring.lanes.items() if lane.take()]
    key = await ring.begin(one, first)
    await ring.report(Unclear(key, START_UTC + trio.current_time() + 1))
    await trio.sleep(0.9)
    assert ring.states(1) == [MessageState.IN_FLIGHT]
    await trio.sleep(0.3)
    (second,) = [name for name, lane in ring.lanes.items() if lane.take() == [1]]
    assert second != first


async def test_a_scheduled_message_leaves_when_due(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    ring = await started(nursery, a=FakeLane("a"))
    await ring.submit(message(1, state=MessageState.SCHEDULED, not_before_utc=START_UTC + 50))
    await trio.sleep(49)
    assert ring.lanes["a"].got == []
    await trio.sleep(1.5)
    assert ring.lanes["a"].take() == [1]


async def test_the_ring_never_blocks_however_much_goes_round(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    """Everything is refused again and again while more comes in: all of it still ends, and every step stays bounded."""
    ring = await started(nursery, a=FakeLane("a", room=50), b=FakeLane("b", room=50))
    total = 3_000
    await ring.submit(*messages(1, total))
    turns = 0
    while ring.store.ledger().queued and turns < 1_000:
        turns += 1
        for lane in ring.lanes.values():
            got, lane.got = lane.got, []
            for one in got:
                key = await ring.begin(one, lane.name)
                again = one.tries < 3
                ring.pipeline.report(Report([Refused(key, 0.0, 8, "busy", again)]))
        ring.pipeline.lane_changed()
        await ring.turn()
    ledger = ring.store.ledger()
    assert ledger.final["rejected"] == total
    assert len(ring.told) == total
    assert ring.pipeline.busy == 0
    assert set(ring.pipeline.dispatch.waiting().values()) == {0}


async def test_a_group_of_which_nothing_has_begun_may_take_another_channel(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    ring = await started(nursery, a=FakeLane("a"), b=FakeLane("b", up=False))
    parts = [
        message(at, part_of=PartOf("group", 2, at), state=MessageState.SCHEDULED, not_before_utc=START_UTC + 60)
        for at in (1, 2)
    ]
    await ring.submit(*parts)
    waiting, ring.lanes["a"].got = ring.lanes["a"].got, []
    ring.lanes["a"].up, ring.lanes["b"].up = False, True
    ring.pipeline.requeue(waiting)
    await ring.turn()
    assert sorted(ring.lanes["b"].take()) == [1, 2]


async def test_scheduled_messages_have_a_limit_of_their_own(autojump_clock: MockClock, nursery: trio.Nursery) -> None:
    ring = await started(nursery, config(core=Core(scheduled_size_max=2)))
    later = {"state": MessageState.SCHEDULED, "not_before_utc": START_UTC + 60, "due_utc": START_UTC + 60}
    assert await ring.submit(*messages(1, 2, **later)) == [Status.ROK] * 2
    assert await ring.submit(message(3, **later), message(4)) == [Status.RMSGQFUL, Status.ROK]


async def test_busy_counts_what_can_leave_and_not_what_waits_for_a_dead_channel(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    made = config(route("a", classes=["marketing"]), route("b"))
    ring = await started(nursery, made, a=FakeLane("a", up=False), b=FakeLane("b"))
    await ring.submit(message(1, class_="marketing"))
    await ring.submit(message(2))
    assert ring.pipeline.busy == 1
    ring.lanes["b"].take()
    assert ring.pipeline.busy == 0


TWICE = Classes(verification=CodeClass(validity_s=300, resend_after_s=1_000))
"""Codes may be tried a second time."""


def not_now(channel: str, carrier_id: str, **fields: Any) -> CarrierReceipt:
    """A receipt that says so."""
    state = CarrierState.UNDELIVERABLE
    return CarrierReceipt(
        channel, (carrier_id,), state, 3.0, START_UTC + 3, "UNDELIV", "012", "Shop", TO, temporary=True, **fields
    )


async def failed_once(ring: Ring, one: Message) -> str:
    """It was sent, and its receipt tells of a temporary error; gives the channel."""
    await ring.submit(one)
    (first,) = [name for name, lane in ring.lanes.items() if lane.take()]
    await ring.report(Sent(await ring.begin(one, first), 0.0, "x", "x"))
    await ring.report(not_now(first, "x"))
    return first


async def test_a_code_that_fails_for_now_goes_once_more_by_another_channel(
    autojump_clock: MockClock, nursery: trio.Nursery
) -> None:
    ring = await started(nursery, config(classes=TWICE))
    one = message(1, class_="verification")
    first = await failed_once(ring, one)
    (second,) = [name for name, lane in ring.lanes.items() if lane.take() == [1]]
    assert second != first
    assert ring.told == []
    quality = ring.lanes[first].quality
    assert sum(each.failed for each in quality.of("verification", network_of(one)).seconds) == 1, "the channel has failed"
    await ring.report(Sent(await ring.begin(one, second), 4.0, "y", "y"))
    await ring.report(not_now(second, "y"))
    assert [(notice.id, notice.state) for notice in ring.told] == [(1, MessageState.UNDELIVERED)], "twice is enough"


@pytest.mark.parametrize(
    ("routes", "class_", "classes"),
    [
        ([route("a", "b")], "notification", TWICE),
        ([route("a")], "verification", TWICE),
        ([route("a", "b")], "verification", Classes()),
    ],
    ids=["no code", "no other way", "switched off"],
)
async def test_what_has_no_hurry_or_no_other_way_has_failed(
    autojump_clock: MockClock, nursery: trio.Nursery, routes: list[Any], class_: str, classes: Classes
) -> None:
    ring = await started(nursery, config(*routes, classes=classes))
    channel = await failed_once(ring, message(1, class_=class_))
    assert [notice.state for notice in ring.told] == [MessageState.UNDELIVERED]
    quality = ring.lanes[channel].quality
    assert (
        sum(each.failed for each in quality.of(class_, "86").seconds)
        + sum(each.failed for each in quality.of(class_, "cn-mobile").seconds)
        == 1
    ), "counted once"
