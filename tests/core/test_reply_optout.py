"""What subscribers reply changes the list in the step that stores the reply: whose list, whom it hits, what is said back."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from clock import START_UTC, HandClock
from makers import TO, account, at_once, channel, config, message

from config.policy import OptOut, Policy
from gateway.core.addressees import Addressees
from gateway.core.audit import FILE, Audit
from gateway.core.inbox import Heard, Inbox
from gateway.core.long_texts import LongTexts, Text
from gateway.core.replies import Replies
from gateway.core.storage import Storage
from gateway.store.base import Admission, Membership, MobileOriginated, Outcome
from gateway.store.memory import MemoryStore
from gateway.store.opening import Opened
from protocol.pdu import DataSm, DeliverSm
from protocol.tlv import Tag
from routing.guards import Guard, Member
from routing.ids import IdMaker
from routing.policy.caps import optout_set
from routing.policy.screen import Screen
from routing.records import Notice

POLICY = Policy(opt_out=OptOut(confirmation="您已退订"))


class Carrier:
    """A channel whose subscribers write; `confirmed` is what was sent back."""

    def __init__(self, folder: Path, *accounts: Any, policy: Policy | None = POLICY, mo_account: str = "") -> None:
        self.clock = HandClock()
        self.store = MemoryStore("still")
        self.confirmed: list[tuple[str, str, str, str]] = []
        self.audit_file = folder / FILE
        screens = {one.system_id: Screen(one, policy) for one in accounts}
        made = config()
        with_these = type(made)(accounts=list(accounts), routes=made.routes, channels=[channel(mo_account=mo_account)])
        storage = Storage(Opened(self.store), self.clock)
        addressees = Addressees(with_these, storage, lambda: screens)
        replies = Replies(
            self.clock,
            storage,
            lambda: screens,
            self.store.guards.is_member,
            lambda *what: self.confirmed.append(what),
            Audit(folder, self.clock),
        )
        ids = IdMaker(0, self.clock.utc)
        self.inbox = Inbox(self.clock, ids, addressees, replies, LongTexts(60.0, ids), lambda _: None)

    def read(self, text: str, to: str = "10690001", subscriber: str = TO, **fields: Any) -> list[Outcome]:
        data = text.encode("utf-16-be")
        pdu = DeliverSm(source_addr=subscriber, destination_addr=to, data_coding=8, **{"short_message": data, **fields})
        return self.heard(pdu)

    def heard(self, pdu: DeliverSm | DataSm) -> list[Outcome]:
        return [one for report in at_once(self.inbox.read([Heard("a", [pdu])])) for one in report.outcomes]

    def write(self, text: str, to: str = "10690001", subscriber: str = TO, **fields: Any) -> list[Notice]:
        """A subscriber writes; what the account gets."""
        return self.store.settle(self.read(text, to, subscriber, **fields), self.clock.at).notices

    def out(self, name: str = "shop", number: str = TO) -> bool:
        """Whether the account's campaigns to `number` are refused."""
        return self.store.admit([Admission(message(77), (Member(optout_set(name), number),))], 0.0) != [None] or self._void()

    def _void(self) -> bool:
        self.store.void([77])
        return False

    def audit(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.audit_file.read_text(encoding="utf-8").splitlines()]


@pytest.fixture
def carrier(tmp_path: Path) -> Carrier:
    return Carrier(tmp_path, account("shop", source_addresses=["10690001", "1070*"], country_code="86"))


def test_td_puts_the_number_on_the_list_in_the_step_that_stores_the_message(carrier: Carrier) -> None:
    kinds = [type(one) for one in carrier.read("TD")]
    assert kinds == [Membership, MobileOriginated]
    (notice,) = carrier.write("TD")
    assert (notice.account, notice.is_mo) == ("shop", True)
    assert carrier.out()


def test_it_is_confirmed_once_until_who_came_back_leaves_again(carrier: Carrier) -> None:
    for _ in range(3):
        carrier.write("TD")
    carrier.read("退订")
    assert carrier.confirmed == [("shop", f"+{TO}", "10690001", "您已退订")]
    carrier.clock.at += 3_600
    carrier.write("TD")
    assert len(carrier.confirmed) == 1
    carrier.write("START")
    assert not carrier.out()
    carrier.write("T")
    assert carrier.out()
    assert len(carrier.confirmed) == 2


async def test_who_is_on_a_list_longer_than_memory_hears_it_once(tmp_path: Path) -> None:
    """The list is in the store alone: it must be asked before the reply is heard."""
    kept: set[str] = {TO}
    here: set[str] = set()

    class Lists:
        async def would_pass(self, guards: Sequence[Guard]) -> list[tuple[Guard, bool]]:
            here.update(one.key for one in guards if isinstance(one, Member) and one.key in kept)
            return [True] * len(guards)

    confirmed: list[str] = []
    screens = {"shop": Screen(account("shop"), POLICY)}
    clock = HandClock()
    replies = Replies(
        clock,
        Lists(),
        lambda: screens,
        lambda _, number: number in here,
        lambda *to: confirmed.append(to[1]),
        Audit(tmp_path, clock),
    )
    for number in (TO, "8613800138001"):
        text = Text(Notice(1, "shop", source=number, destination="1069", is_mo=True), "a", [], said="TD")
        await replies.prepare([text])
        replies.hear("shop", number, "1069", text.said)
    assert confirmed == ["+8613800138001"]


def test_who_was_taken_off_the_list_by_hand_hears_it_again(carrier: Carrier) -> None:
    carrier.write("TD")
    carrier.store.members(optout_set("shop"), remove=[TO])
    carrier.clock.at += 61
    carrier.write("TD")
    assert len(carrier.confirmed) == 2


@pytest.mark.parametrize("text", ["please stop", "TD 1", "hola", ""])
def test_a_sentence_is_a_message_and_no_wish(carrier: Carrier, text: str) -> None:
    assert len(carrier.write(text)) == 1
    assert not carrier.out()
    assert not carrier.audit_file.exists()


@pytest.mark.parametrize("subscriber", [TO, f"+{TO}", f"00{TO}", TO[2:], f"0{TO[2:]}"])
def test_a_subscriber_is_found_however_the_carrier_spells_the_number(carrier: Carrier, subscriber: str) -> None:
    carrier.write("TD", subscriber=subscriber)
    assert carrier.out()


@pytest.mark.parametrize(
    ("subscriber", "ton", "number"),
    [("447911123456", 1, "447911123456"), (TO, 1, TO), (TO[2:], 1, TO), (TO[2:], 2, TO), ("+34612345678", 0, "34612345678")],
)
def test_an_international_number_gets_no_country_code(carrier: Carrier, subscriber: str, ton: int, number: str) -> None:
    carrier.write("TD", subscriber=subscriber, source_addr_ton=ton)
    assert carrier.out(number=number)
    assert [to for _, to, _, _ in carrier.confirmed] == [f"+{number}"], "the account's country code does not go in front"


def test_a_local_number_is_of_the_only_country_that_is_sent_to(tmp_path: Path) -> None:
    carrier = Carrier(tmp_path, account("shop", source_addresses=["10690001"]), policy=Policy(countries=["86"]))
    carrier.write("TD", subscriber=TO[2:])
    assert carrier.out()


@pytest.mark.parametrize("text", ["t", "TD"])
def test_a_part_of_a_text_is_no_reply(carrier: Carrier, text: str) -> None:
    data = b"\x05\x00\x03\x01\x02\x02" + text.encode("utf-16-be")
    assert carrier.write("", esm_class=0x40, short_message=data) == [], "it waits for the others"
    sar = ((int(Tag.SAR_MSG_REF_NUM), b"\0\1"), (int(Tag.SAR_TOTAL_SEGMENTS), b"\2"), (int(Tag.SAR_SEGMENT_SEQNUM), b"\2"))
    carrier.write(text, tlvs=sar)
    assert not carrier.out()
    carrier.write("", esm_class=0x40, short_message=b"\x04\x24\x02\x01\x00" + text.encode("utf-16-be"))
    assert carrier.out(), "behind a header of no group it is"


def test_a_long_reply_is_judged_by_its_whole_text(carrier: Carrier) -> None:
    halves = ["unsub", "scribe"]
    for seq, half in enumerate(halves, 1):
        data = bytes((5, 0, 3, 9, 2, seq)) + half.encode("utf-16-be")
        notices = carrier.write("", esm_class=0x40, short_message=data)
        assert (len(notices), carrier.out()) == (seq - 1, seq == 2)
    assert (notices[0].data.decode("utf-16-be"), notices[0].esm_class) == ("unsubscribe", 0)
    for seq, half in enumerate(["STOP", " it is what they shouted"], 1):
        data = bytes((5, 0, 3, 10, 2, seq)) + half.encode("utf-16-be")
        carrier.write("", esm_class=0x40, short_message=data, subscriber="8613800138001")
    assert not carrier.out(number="8613800138001")


def test_a_reply_may_come_as_data_sm(carrier: Carrier) -> None:
    pdu = DataSm(source_addr=TO, destination_addr="10690001", tlvs=((int(Tag.MESSAGE_PAYLOAD), b"STOP"),))
    carrier.store.settle(carrier.heard(pdu), START_UTC)
    assert carrier.out()


# -- whose list


@pytest.mark.parametrize(
    ("to", "name"),
    [
        ("10690001", "exact"),
        ("+10690001", "exact"),
        ("1069000", "short"),
        ("10690002", "long"),
        ("106900021", "long"),
        ("1069", "short"),
        ("1070", "desk"),
        ("106", "desk"),
    ],
)
def test_an_account_is_found_by_its_number_then_its_longest_prefix_then_the_channel(tmp_path: Path, to: str, name: str) -> None:
    accounts = [
        account("short", source_addresses=["1069*"]),
        account("long", source_addresses=["10690002*", "*"]),
        account("exact", source_addresses=["10690001"]),
        account("desk"),
    ]
    carrier = Carrier(tmp_path, *accounts, mo_account="desk")
    (notice,) = carrier.write("TD", to)
    assert notice.account == name
    assert [one.system_id for one in accounts if carrier.out(one.system_id)] == [name], "nobody else's list changes"


def test_a_reply_nobody_takes_changes_nothing(tmp_path: Path) -> None:
    carrier = Carrier(tmp_path, account("shop", source_addresses=["1"]))
    assert carrier.write("TD") == []
    assert not carrier.out()


def test_an_account_without_policy_and_one_that_hears_nothing_keep_no_list(tmp_path: Path) -> None:
    for policy in (None, Policy(opt_out=OptOut(enabled=False))):
        carrier = Carrier(tmp_path, account("shop", source_addresses=["10690001"]), policy=policy)
        assert len(carrier.write("TD")) == 1
        assert not carrier.out()


def test_every_change_is_in_the_audit_with_when_who_and_why(carrier: Carrier) -> None:
    carrier.write(" TD. ")
    carrier.clock.at += 1
    carrier.write("start")
    assert carrier.audit() == [
        {"at": "2027-01-15T08:00:00Z", "what": "opted out", "by": "reply", "account": "shop", "number": TO, "word": "TD."},
        {"at": "2027-01-15T08:00:01Z", "what": "opted in", "by": "reply", "account": "shop", "number": TO, "word": "start"},
    ]
