"""What subscribers write goes to its account as it came, put together where it was cut, acknowledged when it is stored."""

from collections.abc import Sequence
from typing import Any

import pytest
import trio
from clock import START_UTC, StillClock, VirtualClock
from makers import TO, at_once
from trio.testing import MockClock, wait_all_tasks_blocked

from gateway.core.inbox import Heard, Inbox
from gateway.core.long_texts import BOX, LongTexts, Text
from gateway.core.report import Report
from gateway.core.storage import Storage
from gateway.store.base import MobileOriginated, Outcome
from gateway.store.memory import MemoryStore
from gateway.store.opening import Opened
from protocol.pdu import DataSm, DeliverSm, Pdu
from protocol.tlv import Tag
from routing.ids import IdMaker
from routing.records import Notice


class Desk:
    """Everything is one account's; `heard` is what it listened to."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self.nobody = False

    async def address(self, texts: Sequence[Text]) -> None:
        for text in texts:
            text.notice.account = "" if self.nobody else "desk"

    async def prepare(self, texts: Sequence[Text]) -> None:
        assert all(text.said or not text.whole for text in texts)

    def hear(self, account: str, subscriber: str, destination: str, text: str, ton: int = 0) -> Sequence[Outcome]:
        self.heard.append(text)
        return ()


class Bind:
    """A carrier's session: what was acknowledged on it."""

    def __init__(self) -> None:
        self.acknowledged: list[Pdu] = []

    def acknowledge(self, requests: Sequence[Pdu], status: int) -> None:
        self.acknowledged += requests


def inbox(desk: Desk, report: Any = print, to_webhook: bool = False) -> Inbox:
    clock = VirtualClock()
    ids = IdMaker(0, lambda: START_UTC)
    return Inbox(clock, ids, desk, desk, LongTexts(60.0, ids), report, lambda _: to_webhook)


def still(desk: Desk, **more: Any) -> Inbox:
    one = inbox(desk, **more)
    one._clock = StillClock()
    return one


def outcomes(reports: Sequence[Report]) -> list[Any]:
    return [one for report in reports for one in report.outcomes]


def part(seq: int, text: bytes = b"x", total: int = 2, **fields: Any) -> DeliverSm:
    data = bytes((5, 0, 3, 9, total, seq)) + text
    return DeliverSm(source_addr=TO, destination_addr="1069", esm_class=0x40, short_message=data, **fields)


@pytest.mark.parametrize("to_webhook", [False, True])
def test_a_message_in_one_piece_goes_to_its_account_as_it_came(to_webhook: bool) -> None:
    pdu = DeliverSm(
        source_addr=TO,
        source_addr_ton=1,
        destination_addr="1069",
        dest_addr_npi=1,
        esm_class=0x40,
        data_coding=8,
        short_message=b"\x05\0\x03\x01\x01\x01\0h",
    )
    desk = Desk()
    (outcome,) = outcomes(at_once(still(desk, to_webhook=to_webhook).read([Heard("a", [pdu])])))
    assert isinstance(outcome, MobileOriginated)
    notice = outcome.notice
    assert (notice.account, notice.is_mo, notice.source, notice.destination) == ("desk", True, TO, "1069")
    assert (notice.data, notice.data_coding, notice.esm_class) == (pdu.short_message, 8, 0x40)
    assert (notice.door, notice.part_of) == ("http" if to_webhook else "", None)
    assert notice.id > 0
    assert desk.heard == ["h"], "a text in one part is a reply"


def test_a_message_nobody_wants_is_acknowledged_and_dropped() -> None:
    desk = Desk()
    desk.nobody = True
    pdus = [DeliverSm(7, source_addr=TO, short_message=b"hello")]
    (report,) = at_once(still(desk).read([Heard("a", pdus)]))
    assert (report.outcomes, report.requests) == ([], [7])


@pytest.mark.parametrize("how", ["udh", "udh16", "sar", "data_sm"])
def test_parts_are_found_by_header_or_tlvs(how: str) -> None:
    def pdu(seq: int) -> DeliverSm | DataSm:
        text = (b"one ", b"two")[seq - 1]
        if how == "udh":
            return part(seq, text)
        if how == "udh16":
            data = bytes((6, 8, 4, 1, 9, 2, seq)) + text
            return DeliverSm(source_addr=TO, destination_addr="1069", esm_class=0x40, short_message=data)
        tlvs = (
            (int(Tag.SAR_MSG_REF_NUM), b"\0\1"),
            (int(Tag.SAR_TOTAL_SEGMENTS), b"\2"),
            (int(Tag.SAR_SEGMENT_SEQNUM), bytes((seq,))),
        )
        if how == "sar":
            return DeliverSm(tlvs=tlvs, source_addr=TO, destination_addr="1069", short_message=text)
        return DataSm(tlvs=(*tlvs, (int(Tag.MESSAGE_PAYLOAD), text)), source_addr=TO, destination_addr="1069")

    desk = Desk()
    box = still(desk)
    store = MemoryStore("still")
    for seq in (2, 1):
        assert desk.heard == []
        settled = store.settle(outcomes(at_once(box.read([Heard("a", [pdu(seq)])]))), START_UTC)
    assert [(one.account, one.data, one.esm_class) for one in settled.notices] == [("desk", b"one two", 0)]
    assert desk.heard == ["one two"]


def test_what_no_handset_sends_as_a_part_is_handed_over_as_it_came() -> None:
    pdu = part(1, b"")
    pdu.tlvs, pdu.short_message = ((int(Tag.MESSAGE_PAYLOAD), pdu.short_message + b"x" * 300),), b""
    desk = Desk()
    (outcome,) = outcomes(at_once(still(desk).read([Heard("a", [pdu])])))
    assert (outcome.notice.account, len(outcome.notice.data), desk.heard) == ("desk", 306, [])


async def test_a_part_is_acknowledged_when_it_is_stored_and_again_when_it_comes_again(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    desk, bind, reports = Desk(), Bind(), []
    store = MemoryStore("virtual")
    box = inbox(desk, reports.append)
    nursery.start_soon(box.run, Storage(Opened(store), VirtualClock()))
    first = part(1)
    for _ in range(2):
        box.take(Heard("a", [first], bind))
        await wait_all_tasks_blocked()
    assert bind.acknowledged == [], "that is settle's"
    assert [(len(one.outcomes), one.requests, one.source) for one in reports] == [
        (1, [first.sequence], bind),
        (0, [first.sequence], bind),
    ]


async def test_after_a_restart_the_parts_of_before_are_known_and_time_goes_on(
    nursery: trio.Nursery, autojump_clock: MockClock
) -> None:
    store = MemoryStore("virtual")
    told: list[Notice] = []

    def report(one: Report) -> None:
        told.extend(store.settle(one.outcomes, VirtualClock().utc()).notices)

    async def another_run() -> tuple[Inbox, Desk]:
        desk = Desk()
        box = inbox(desk, report)
        nursery.start_soon(box.run, Storage(Opened(store), VirtualClock()))
        await wait_all_tasks_blocked()
        return box, desk

    before, _ = await another_run()
    before.take(Heard("a", [part(1, b"un"), part(1, b"a", 3)]))
    await trio.sleep(50)
    assert (told, len(store.notices(BOX, 10))) == ([], 2)
    after, desk = await another_run()
    after.take(Heard("a", [part(2, b"do")]))
    await trio.sleep(1)
    assert [one.data for one in told] == [b"undo"]
    assert desk.heard == ["undo"]
