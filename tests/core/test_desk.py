"""What senders may still change: by their own spelling of ids and numbers, and never into something that cannot be sent."""

from typing import Any

import pytest
from clock import START_UTC
from makers import TO, account, message

from config.policy import Budget, Keywords, Policy, Signature, Window
from gateway.core.desk import Desk
from gateway.core.storage import Storage
from gateway.store.base import Admission
from gateway.store.memory import MemoryStore
from gateway.store.opening import Opened
from protocol.pdu import CancelSm, QuerySm, QuerySmResp, ReplaceSm
from protocol.receipt import MessageState as CarrierState
from protocol.status import Status
from protocol.tlv import Tag
from routing.policy.screen import Screen
from routing.records import Message, MessageState, PartOf


class StandingClock:
    """Both clocks stand still."""

    boot = "virtual"

    def now(self) -> float:
        return 0.0

    def utc(self) -> float:
        return START_UTC


class Counter:
    """A desk over a store with what was accepted."""

    def __init__(self, policy: Policy | None = None) -> None:
        self.store = MemoryStore("virtual")
        screens = {"shop": Screen(account(), policy)}
        self.desk = Desk(Storage(Opened(self.store), StandingClock()), StandingClock(), lambda settled: None, lambda: screens)

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


# -- rules see what replaces a text, or moves it


def replaced(text: bytes = b"new", **fields: Any) -> ReplaceSm:
    return ReplaceSm(message_id="1", source_addr="Shop", short_message=text, **fields)


async def test_a_text_nobody_would_have_accepted_replaces_none() -> None:
    counter = Counter(Policy(keywords=Keywords(words=["casino"])))
    one = counter.accept()
    assert await counter.status(replaced(b"ca si no")) == Status.RREPLACEFAIL
    assert one.content.data == b"hello"
    assert await counter.status(replaced(b"fine")) == Status.ROK
    assert one.content.data == b"fine"


async def test_what_replaces_a_text_is_signed_as_that_was() -> None:
    counter = Counter(Policy(signature=Signature(mode="add", text="品牌")))
    one = counter.accept()
    assert await counter.status(replaced(b"hi")) == Status.ROK
    assert (one.content.data, one.content.data_coding) == ("【品牌】hi".encode("utf-16-be"), 8)


async def test_a_part_of_a_text_is_not_replaced_alone() -> None:
    counter = Counter(Policy())
    counter.accept(part_of=PartOf("k", 2, 1), state=MessageState.SCHEDULED, not_before_utc=START_UTC + 60)
    assert await counter.status(replaced()) == Status.RREPLACEFAIL


async def test_a_text_does_not_grow_beyond_what_was_paid() -> None:
    counter = Counter(Policy(budget=Budget(price=1)))
    one = counter.accept(price=1)
    assert await counter.status(replaced(b"", tlvs=((Tag.MESSAGE_PAYLOAD, b"n" * 200),))) == Status.RREPLACEFAIL
    assert await counter.status(replaced(b"n" * 140)) == Status.ROK
    assert one.content.data == b"n" * 140


async def test_a_message_cannot_be_moved_out_of_its_window() -> None:
    """START_UTC is 16:00 in China; the window is open until 18:00, and tomorrow from 9:30."""
    counter = Counter(Policy(windows=[Window(preset="retail", classes=[])]))
    one = counter.accept(expires_utc=START_UTC + 90_000, window_end_utc=START_UTC + 7_200)
    assert await counter.status(replaced(schedule_delivery_time="000000050000000R")) == Status.ROK
    assert one.state is MessageState.SCHEDULED
    assert (one.not_before_utc, one.due_utc) == (START_UTC + 17.5 * 3_600, START_UTC + 17.5 * 3_600)
    assert one.window_end_utc == START_UTC + 19 * 3_600
