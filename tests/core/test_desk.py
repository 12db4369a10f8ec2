"""What senders may still change: by their own spelling of ids and numbers, and never into something that cannot be sent."""

from typing import Any

import pytest
from clock import START_UTC
from makers import TO, account, message

from gateway.core.desk import Desk
from gateway.core.storage import Storage
from gateway.store.base import Admission
from gateway.store.memory import MemoryStore
from gateway.store.opening import Opened
from protocol.pdu import CancelSm, QuerySm, QuerySmResp, ReplaceSm
from protocol.receipt import MessageState as CarrierState
from protocol.status import Status
from protocol.tlv import Tag
from routing.records import Message, MessageState


class StandingClock:
    """Both clocks stand still."""

    boot = "virtual"

    def now(self) -> float:
        return 0.0

    def utc(self) -> float:
        return START_UTC


class Counter:
    """A desk over a store with what was accepted."""

    def __init__(self) -> None:
        self.store = MemoryStore("virtual")
        self.desk = Desk(Storage(Opened(self.store), StandingClock()), StandingClock(), lambda settled: None)

    def accept(self, number: int = 1, **fields: Any) -> Message:
        one = message(number, **fields)
        assert self.store.admit([Admission(one)], START_UTC) == [None]
        return one

    async def status(self, pdu: CancelSm | ReplaceSm | QuerySm, **fields: Any) -> int:
        return (await self.desk.answer(pdu, account(**fields))).status


@pytest.fixture
def counter() -> Counter:
    return Counter()


@pytest.mark.parametrize("spelling", [TO, f"+{TO}", f"00{TO}", TO[2:]])
async def test_a_cancel_without_id_finds_the_number_as_the_sender_spells_it(counter: Counter, spelling: str) -> None:
    one = counter.accept()
    cancel = CancelSm(source_addr="Shop", destination_addr=spelling)
    assert await counter.status(cancel, country_code="86") == Status.ROK
    assert one.state is MessageState.CANCELLED


async def test_a_cancel_without_id_leaves_other_numbers_alone(counter: Counter) -> None:
    one = counter.accept()
    assert await counter.status(CancelSm(source_addr="Shop", destination_addr="8613900139000")) == Status.RCANCELFAIL
    assert one.state is MessageState.QUEUED


async def test_a_replacement_in_message_payload_is_the_new_text(counter: Counter) -> None:
    one = counter.accept()
    replace = ReplaceSm(message_id="1", source_addr="Shop", tlvs=((Tag.MESSAGE_PAYLOAD, b"n" * 200),))
    assert await counter.status(replace) == Status.ROK
    assert (one.content.data, one.content.parts) == (b"n" * 200, 2)


async def test_a_replacement_too_long_for_any_number_of_parts_is_refused(counter: Counter) -> None:
    one = counter.accept()
    replace = ReplaceSm(message_id="1", source_addr="Shop", tlvs=((Tag.MESSAGE_PAYLOAD, b"n" * 60_000),))
    assert await counter.status(replace) == Status.RINVMSGLEN
    assert one.content.data == b"hello"


async def test_a_validity_that_ends_before_the_message_is_due_is_refused(counter: Counter) -> None:
    due = START_UTC + 30
    counter.accept(state=MessageState.SCHEDULED, not_before_utc=due, due_utc=due)
    short = ReplaceSm(message_id="1", source_addr="Shop", validity_period="000000000005000R", short_message=b"x")
    assert await counter.status(short) == Status.RINVEXPIRY
    late = ReplaceSm(message_id="1", source_addr="Shop", schedule_delivery_time="000001000000000R", short_message=b"x")
    assert await counter.status(late) == Status.RINVEXPIRY, "beyond the validity it has"


async def test_a_query_needs_the_id_and_the_source_of_the_account(counter: Counter) -> None:
    counter.accept()
    answer = await counter.desk.answer(QuerySm(5, message_id="1", source_addr="Shop"), account())
    assert isinstance(answer, QuerySmResp)
    assert (answer.message_state, answer.final_date) == (CarrierState.ENROUTE, "")
    assert await counter.status(QuerySm(message_id="1", source_addr="Else")) == Status.RQUERYFAIL
    assert (
        await counter.desk.answer(QuerySm(message_id="1", source_addr="Shop"), account("other"))
    ).status == Status.RQUERYFAIL
