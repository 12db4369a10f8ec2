"""Notices to clients: within the window, again after a lost session or a refusal, never again once acknowledged."""

from collections.abc import Sequence

import pytest
import trio
from clock import START_UTC, VirtualClock
from trio.testing import MockClock, wait_all_tasks_blocked

from gateway.core import notices as module
from gateway.core.notices import Notices, pdu_of
from gateway.core.pieces import Piece, Told
from gateway.core.report import Report
from gateway.core.storage import Storage
from gateway.store.base import MobileOriginated
from gateway.store.memory import MemoryStore
from gateway.store.opening import Opened
from protocol.pdu import DeliverSm
from protocol.tlv import Tag, get
from routing.records import MessageState, Notice


def number_of(told: Told) -> int:
    """The notice's; of a piece with its own number behind it."""
    return told.id * 100 + told.number if isinstance(told, Piece) else told.id


class FakeReceiver:
    """A bind with a window; `got` is every notice it was ever sent."""

    def __init__(self, window: int = 10, *, takes_tlvs: bool = True) -> None:
        self.window = window
        self.takes_tlvs = takes_tlvs
        self.got: list[int] = []
        self.pdus: list[DeliverSm] = []
        self.in_flight: dict[int, Told] = {}
        self.impossible: set[int] = set()

    @property
    def can_deliver(self) -> int:
        return self.window - len(self.in_flight)

    def deliver(self, notices: Sequence[Told], pdus: Sequence[DeliverSm]) -> list[Told]:
        assert len(notices) <= self.can_deliver
        self.got += [notice.id for notice in notices]
        self.pdus += pdus
        self.in_flight.update((number_of(notice), notice) for notice in notices if notice.id not in self.impossible)
        return [notice for notice in notices if notice.id in self.impossible]


class Hall:
    """Notices on a store, with a reporter that settles later, as the pipeline does."""

    def __init__(self) -> None:
        self.store = MemoryStore("virtual")
        self.notices = Notices(Storage(Opened(self.store), VirtualClock()), VirtualClock())
        self.settle_after_s = 0.2
        self._reports: list[Report] = []

    def report(self, report: Report) -> None:
        self._reports.append(report)

    async def run(self) -> None:
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self.notices.run, self)
            while True:
                await trio.sleep(self.settle_after_s)
                reports, self._reports = self._reports, []
                self.store.settle([one for report in reports for one in report.outcomes], 0.0)

    async def tell(self, *ids: int, account: str = "shop") -> None:
        """New notices, stored, then handed over."""
        made = [Notice(id=number, account=account, public_id=str(number), state=MessageState.DELIVERED) for number in ids]
        self.store.settle([MobileOriginated(notice) for notice in made], 0.0)
        self.notices.deliver(made)
        await wait_all_tasks_blocked()

    async def join(self, receiver: FakeReceiver, account: str = "shop") -> FakeReceiver:
        self.notices.joined(account, receiver)
        await wait_all_tasks_blocked()
        return receiver

    async def answer(self, receiver: FakeReceiver, *ids: int, status: int = 0) -> None:
        for number in ids or tuple(receiver.in_flight):
            self.notices.answered(receiver.in_flight.pop(number), status)
        await wait_all_tasks_blocked()

    async def leave(self, receiver: FakeReceiver, account: str = "shop") -> None:
        self.notices.left(account, receiver, list(receiver.in_flight.values()))
        receiver.in_flight.clear()
        await wait_all_tasks_blocked()

    def stored(self, account: str = "shop") -> list[int]:
        return [notice.id for notice in self.store.notices(account, 100_000)]


@pytest.fixture
async def hall(nursery: trio.Nursery) -> Hall:
    made = Hall()
    nursery.start_soon(made.run)
    return made


async def test_a_window_is_never_overfilled_and_refills_in_order(hall: Hall, autojump_clock: MockClock) -> None:
    receiver = await hall.join(FakeReceiver(window=3))
    await hall.tell(*range(1, 9))
    assert receiver.got == [1, 2, 3]
    await hall.answer(receiver, 2)
    assert receiver.got == [1, 2, 3, 4]
    while receiver.in_flight:
        await hall.answer(receiver)
    assert receiver.got == list(range(1, 9))
    await trio.sleep(1)
    assert hall.stored() == []


async def test_what_was_not_acknowledged_stays_stored(hall: Hall, autojump_clock: MockClock) -> None:
    receiver = await hall.join(FakeReceiver())
    await hall.tell(1, 2, 3)
    await hall.answer(receiver, 2)
    await trio.sleep(10)
    assert hall.stored() == [1, 3]


async def test_a_client_that_is_away_finds_its_notices_on_its_next_bind(hall: Hall, autojump_clock: MockClock) -> None:
    await hall.tell(1, 2)
    await hall.tell(9, account="other")
    assert hall.notices.waiting("shop") == 2
    receiver = await hall.join(FakeReceiver())
    assert receiver.got == [1, 2]


async def test_what_a_dead_session_had_goes_out_first_on_the_next_with_the_same_id(
    hall: Hall, autojump_clock: MockClock
) -> None:
    first = await hall.join(FakeReceiver(window=3))
    await hall.tell(*range(1, 6))
    await hall.answer(first, 1)
    await hall.leave(first)
    second = await hall.join(FakeReceiver(window=10))
    assert second.got == [2, 3, 4, 5]
    assert first.got == [1, 2, 3, 4]


async def test_the_other_session_takes_over_at_once(hall: Hall, autojump_clock: MockClock) -> None:
    first, second = await hall.join(FakeReceiver(window=2)), await hall.join(FakeReceiver(window=2))
    await hall.tell(1, 2, 3, 4)
    assert sorted(first.got + second.got) == [1, 2, 3, 4]
    moved = sorted(first.in_flight)
    await hall.leave(first)
    await hall.answer(second)
    assert second.got[2:] == moved
    await hall.leave(second)
    await hall.leave(second)


async def test_a_refused_notice_is_tried_again_with_a_growing_delay(hall: Hall, autojump_clock: MockClock) -> None:
    hall.settle_after_s = 60
    receiver = await hall.join(FakeReceiver())
    await hall.tell(1)
    for delay in (5, 10, 20, 40, 80, 160, 320, 640, 1280, 2560, 3600, 3600):
        before = list(receiver.got)
        await hall.answer(receiver, status=0x64)
        await trio.sleep(delay - 0.1)
        assert receiver.got == before
        await trio.sleep(1)
        assert receiver.got == [*before, 1]
    assert hall.stored() == [1]


async def test_a_notice_that_is_refused_for_years_breaks_nothing(hall: Hall, autojump_clock: MockClock) -> None:
    receiver = await hall.join(FakeReceiver())
    await hall.tell(1)
    receiver.in_flight[1].failures = 5_000
    await hall.answer(receiver, status=8)
    await trio.sleep(3_601)
    assert receiver.got == [1, 1]


async def test_a_refusal_holds_up_no_other_notice(hall: Hall, autojump_clock: MockClock) -> None:
    receiver = await hall.join(FakeReceiver(window=1))
    await hall.tell(1, 2, 3)
    await hall.answer(receiver, 1, status=0x64)
    await hall.answer(receiver, 2)
    assert receiver.got == [1, 2, 3]


async def test_a_notice_that_cannot_be_expressed_is_given_up(hall: Hall, autojump_clock: MockClock) -> None:
    receiver = FakeReceiver()
    receiver.impossible = {2}
    await hall.join(receiver)
    await hall.tell(1, 2, 3)
    await hall.answer(receiver, 1, 3)
    await trio.sleep(1)
    assert hall.stored() == []
    assert receiver.got == [1, 2, 3]


@pytest.mark.parametrize("window", [1, 3, 7])
async def test_what_found_no_room_in_memory_comes_from_the_store_once(
    hall: Hall, autojump_clock: MockClock, window: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IN_MEMORY_MAX", 5)
    await hall.tell(*range(1, 30))
    assert hall.notices.waiting("shop") == 5
    receiver = await hall.join(FakeReceiver(window=window))
    while receiver.in_flight:
        await hall.answer(receiver)
    assert sorted(receiver.got) == list(range(1, 30))
    await trio.sleep(1)
    assert hall.stored() == []


async def test_an_overflow_with_retries_and_lost_sessions_still_loses_and_doubles_nothing(
    hall: Hall, autojump_clock: MockClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "IN_MEMORY_MAX", 4)
    receiver = await hall.join(FakeReceiver(window=2))
    await hall.tell(*range(1, 25))
    acknowledged: list[int] = []
    for step in range(200):
        if not receiver.in_flight:
            await trio.sleep(6)
        number = next(iter(receiver.in_flight), None)
        if number is None:
            continue
        assert number not in acknowledged
        if step % 5 == 1:
            await hall.answer(receiver, number, status=0x64)
        elif step % 5 == 3:
            await hall.leave(receiver)
            receiver = await hall.join(FakeReceiver(window=2))
        else:
            acknowledged.append(number)
            await hall.answer(receiver, number)
        if len(acknowledged) == 24:
            break
    assert sorted(acknowledged) == list(range(1, 25))
    await trio.sleep(1)
    assert hall.stored() == []


# -- the PDUs


def test_a_receipt_says_id_state_and_times_in_text_and_tlvs() -> None:
    notice = Notice(
        id=1,
        account="shop",
        public_id="4711",
        state=MessageState.UNDELIVERED,
        source="8613800138000",
        destination="Shop",
        submitted_utc=START_UTC,
        done_utc=START_UTC + 65,
        err=12,
    )
    pdu = pdu_of(notice, tlvs=True)
    assert pdu.esm_class == 4
    assert pdu.short_message == (
        b"id:4711 sub:001 dlvrd:000 submit date:2701150800 done date:2701150801 stat:UNDELIV err:012 text:"
    )
    assert (get(pdu.tlvs, Tag.RECEIPTED_MESSAGE_ID), get(pdu.tlvs, Tag.MESSAGE_STATE)) == (b"4711\0", b"\x05")
    assert (pdu.source_addr, pdu.destination_addr) == ("8613800138000", "Shop")
    assert pdu_of(notice, tlvs=False).tlvs == ()


@pytest.mark.parametrize(
    ("state", "stat"),
    [
        (MessageState.DELIVERED, b"stat:DELIVRD"),
        (MessageState.UNDELIVERED, b"stat:UNDELIV"),
        (MessageState.EXPIRED, b"stat:EXPIRED"),
        (MessageState.REJECTED, b"stat:REJECTD"),
        (MessageState.CANCELLED, b"stat:DELETED"),
        (MessageState.UNKNOWN, b"stat:UNKNOWN"),
        (MessageState.BLOCKED, b"stat:REJECTD"),
    ],
)
def test_every_final_state_has_a_word_in_receipts(state: MessageState, stat: bytes) -> None:
    assert stat in pdu_of(Notice(id=1, account="shop", state=state), tlvs=True).short_message


@pytest.mark.parametrize("size", [10, 255, 1_000])
def test_a_subscribers_message_goes_as_it_came(size: int) -> None:
    notice = Notice(id=1, account="shop", data=b"x" * size, data_coding=8, esm_class=0x40, is_mo=True)
    pdu = pdu_of(notice, tlvs=True)
    assert (pdu.short_message or get(pdu.tlvs, Tag.MESSAGE_PAYLOAD)) == b"x" * size
    assert (pdu.data_coding, pdu.esm_class) == (8, 0x40)


async def test_an_acknowledgement_that_comes_late_still_counts(hall: Hall, autojump_clock: MockClock) -> None:
    receiver = await hall.join(FakeReceiver())
    await hall.tell(1)
    notice = receiver.in_flight.pop(1)
    hall.notices.answered(notice, 0x64)  # unanswered so far: it is put back to be sent again
    hall.notices.answered(notice, 0)
    await trio.sleep(3_600)
    assert receiver.got == [1]
    assert hall.stored() == []


async def test_a_client_that_comes_back_need_not_wait_for_the_next_try(hall: Hall, autojump_clock: MockClock) -> None:
    receiver = await hall.join(FakeReceiver())
    await hall.tell(1, 2)
    await hall.answer(receiver, status=0x64)
    await hall.leave(receiver)
    again = await hall.join(FakeReceiver())
    assert again.got == [1, 2]
    await hall.answer(again)
    await trio.sleep(3_600)
    assert again.got == [1, 2]


# -- a subscriber's long text, to a client without TLVs


LONG = "".join(chr(0x4E00 + at) for at in range(150))


async def tell_long(hall: Hall, number: int = 1, **fields: object) -> None:
    made = Notice(number, "shop", data=LONG.encode("utf-16-be"), data_coding=8, is_mo=True, **fields)  # type: ignore[arg-type]
    hall.store.settle([MobileOriginated(made)], 0.0)
    hall.notices.deliver([made])
    await wait_all_tasks_blocked()


def read(pdus: Sequence[DeliverSm]) -> str:
    """What the client's reader makes of the pieces."""
    texts: dict[int, bytes] = {}
    for pdu in pdus:
        assert (pdu.esm_class, pdu.short_message[:5], pdu.tlvs) == (0x40, b"\x05\x00\x03\x01\x03", ())
        assert len(pdu.short_message) <= 140
        texts[pdu.short_message[5]] = pdu.short_message[6:]
    return b"".join(texts[number] for number in sorted(texts)).decode("utf-16-be")


@pytest.mark.parametrize("window", [1, 2, 10])
async def test_it_goes_in_pieces_and_is_done_when_all_are_acknowledged(
    hall: Hall, autojump_clock: MockClock, window: int
) -> None:
    receiver = await hall.join(FakeReceiver(window, takes_tlvs=False))
    await tell_long(hall)
    await hall.tell(2)
    while receiver.in_flight:
        await trio.sleep(1)
        assert hall.stored()[0] == 1 or len(receiver.got) == 4
        await hall.answer(receiver, next(iter(receiver.in_flight)))
    await trio.sleep(1)
    assert read(receiver.pdus[:3]) == LONG
    assert (receiver.got, hall.stored()) == ([1, 1, 1, 2], [])


async def test_a_piece_that_is_refused_or_was_on_a_dead_session_goes_again_alone(hall: Hall, autojump_clock: MockClock) -> None:
    first = await hall.join(FakeReceiver(2, takes_tlvs=False))
    await tell_long(hall)
    await hall.answer(first, 101)
    await hall.answer(first, 102, status=8)
    await hall.leave(first)
    second = await hall.join(FakeReceiver(takes_tlvs=False))
    await trio.sleep(10)
    assert sorted(second.in_flight) == [102, 103]
    assert read([*first.pdus[:1], *second.pdus]) == LONG
    await hall.answer(second, 103)
    assert hall.stored() == [1]
    await hall.answer(second, 102)
    await trio.sleep(3_600)
    assert (second.got, hall.stored()) == ([1, 1], [])


async def test_a_piece_acknowledged_late_is_not_sent_again(hall: Hall, autojump_clock: MockClock) -> None:
    receiver = await hall.join(FakeReceiver(takes_tlvs=False))
    await tell_long(hall)
    late = receiver.in_flight.pop(101)
    hall.notices.answered(late, 8)
    hall.notices.answered(late, 0)
    hall.notices.answered(late, 0)
    await trio.sleep(100)
    assert (receiver.got, hall.stored()) == ([1, 1, 1], [1])
    await hall.answer(receiver)
    await trio.sleep(1)
    assert hall.stored() == []


async def test_a_text_no_header_can_number_goes_without_its_text(hall: Hall, autojump_clock: MockClock) -> None:
    receiver = await hall.join(FakeReceiver(takes_tlvs=False))
    made = Notice(1, "shop", data=b"x" * 60_000, data_coding=4, is_mo=True)
    hall.notices.deliver([made])
    await wait_all_tasks_blocked()
    assert [one.short_message for one in receiver.pdus] == [b""]
