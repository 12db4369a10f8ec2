"""Texts of subscribers in parts: stored one by one, whole in one step, once, whatever comes twice, late, or after a crash."""

from collections.abc import Iterator
from typing import Any

import pytest
from clock import START_UTC
from hypothesis import given
from hypothesis import strategies as st
from makers import TO

from gateway.core import long_texts as module
from gateway.core.long_texts import BOX, LongTexts, Step, group_key
from gateway.store.base import MobileOriginated
from gateway.store.memory import MemoryStore
from protocol.text import UCS2, decode_text, encode_ucs2
from protocol.udh import UDHI, Concat, concat_header
from routing.ids import IdMaker
from routing.records import Notice, PartOf

TEXT = "please 😀 stop"


class Desk:
    """A collector over a memory store; `told` is what an account got."""

    def __init__(self) -> None:
        self.now = 0.0
        self.store = MemoryStore("still")
        self.ids = IdMaker(0, lambda: START_UTC)
        self.texts = LongTexts(60.0, self.ids)
        self.told: list[str] = []

    def settle(self, step: Step) -> int:
        """Store it; how many outcomes there were."""
        outcomes = list(step.outcomes)
        for text in step.texts:
            text.notice.account = "shop"
            outcomes += [*text.outcomes, MobileOriginated(text.notice)]
        for notice in self.store.settle(outcomes, START_UTC + self.now).notices:
            data = notice.data
            self.told.append(decode_text(data, notice.data_coding) if not notice.esm_class else data[6:].decode("utf-16-be"))
        return len(outcomes)

    def part(self, seq: int, texts: list[str] | list[bytes], ref: int = 7, sender: str = TO) -> int:
        total = len(texts)
        body = texts[seq - 1]
        octets = encode_ucs2(body) if isinstance(body, str) else body
        notice = Notice(
            self.ids.make(sender),
            "",
            source=sender,
            destination="1069",
            data=concat_header(Concat(ref, total, seq, 8)) + octets,
            data_coding=UCS2,
            esm_class=UDHI,
            is_mo=True,
            door="parts",
            part_of=PartOf(group_key("a", sender, "1069", ref, 8, total), total, seq),
        )
        return self.settle(self.texts.add(notice, self.now))

    def wait(self, seconds: float) -> None:
        self.now += seconds
        self.settle(self.texts.expire(self.now))

    def restart(self) -> None:
        """The process died: what is in the store is all that is known."""
        self.texts = LongTexts(60.0, self.ids)
        self.now -= 1_000  # another boot's clock
        self.texts.restore(self.store.notices(BOX, 1_000), self.now, START_UTC + self.now + 1_000)

    def stored(self) -> list[int]:
        """Numbers of the parts in the store; 0 is what remembers a text that became whole."""
        return [one.part_of.seq for one in self.store.notices(BOX, 1_000) if one.part_of is not None]


@pytest.fixture
def desk() -> Iterator[Desk]:
    return Desk()


THREE = ["please ", "do ", "stop"]


def test_each_part_is_stored_and_the_last_one_makes_one_text(desk: Desk) -> None:
    desk.part(2, THREE)
    assert (desk.stored(), desk.told) == ([2], [])
    desk.part(1, THREE)
    assert (desk.stored(), desk.told) == ([2, 1], [])
    desk.part(3, THREE)
    assert (desk.stored(), desk.told) == ([0], ["please do stop"])
    desk.wait(module.REPEATS_S + 60)
    assert (desk.stored(), desk.told) == ([], ["please do stop"])


@given(st.integers(1, len(encode_ucs2(TEXT)) - 1))
def test_a_cut_through_a_character_is_no_harm(at: int) -> None:
    data, desk = encode_ucs2(TEXT), Desk()
    halves = [data[:at], data[at:]]
    desk.part(2, halves)
    desk.part(1, halves)
    assert desk.told == [TEXT]


@given(st.permutations([1, 2, 3]), st.lists(st.integers(1, 3), max_size=4), st.integers(0, 7))
def test_parts_that_come_again_count_once_in_any_order_and_over_any_crash(order: list[int], again: list[int], at: int) -> None:
    desk = Desk()
    arrivals = [*order, *again]
    for place, seq in enumerate(arrivals):
        if place == at:
            desk.restart()
        desk.part(seq, THREE)
    for _ in range(20):
        desk.wait(60)
    assert (desk.told, desk.stored()) == (["please do stop"], [])


def test_a_part_that_comes_again_while_others_are_missing_changes_nothing(desk: Desk) -> None:
    assert desk.part(1, THREE) == 1
    assert desk.part(1, THREE) == 0
    assert desk.stored() == [1]


@pytest.mark.parametrize("restarted", [False, True])
def test_what_stays_incomplete_is_handed_over_part_by_part(desk: Desk, restarted: bool) -> None:
    desk.part(3, THREE)
    desk.part(1, THREE)
    desk.wait(59)
    if restarted:
        desk.restart()
        desk.wait(0.5)
    assert desk.told == []
    desk.wait(1)
    assert (desk.told, desk.stored()) == (["please ", "stop"], [])
    desk.part(2, THREE)
    desk.wait(60)
    assert desk.told == ["please ", "stop", "do "], "what comes later is not kept from anybody"


def test_a_reference_that_is_used_again_mixes_no_texts(desk: Desk) -> None:
    desk.part(1, THREE)
    desk.part(1, ["something ", "else"])
    desk.part(1, ["another ", "text ", "now"])
    assert desk.told == ["please "], "the first will not become whole any more"
    desk.part(2, ["something ", "else"])
    assert desk.told == ["please ", "something else"]
    desk.part(1, ["something ", "new"])  # right after it
    desk.part(2, ["something ", "new"])
    assert desk.told == ["please ", "something else", "something new"], "its first part says what an earlier one said"


def test_subscribers_numbers_and_references_are_kept_apart(desk: Desk) -> None:
    for sender in (TO, "8613800138001"):
        for ref in (7, 8):
            desk.part(1, ["a", "b"], ref, sender)
    assert (len(desk.stored()), desk.told) == (4, [])
    desk.part(2, ["a", "b"], 8)
    assert desk.told == ["ab"]


def test_too_many_parts_give_up_the_oldest_and_lose_none(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PARTS_MAX", 3)
    desk.texts = LongTexts(60.0, desk.ids)
    for ref in range(5):
        desk.part(1, [f"{ref} ", "x"], ref)
    desk.wait(0)
    assert (desk.told, len(desk.stored())) == (["0 ", "1 "], 3)


def test_what_is_remembered_is_bounded(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAST_MAX", 2)
    for ref in range(5):
        desk.part(1, ["a", "b"], ref)
        desk.part(2, ["a", "b"], ref)
    desk.wait(0)
    assert desk.stored() == [0, 0]


def test_parts_in_two_alphabets_become_one_text(desk: Desk) -> None:
    def add(seq: int, data: bytes, coding: int) -> Any:
        key = group_key("a", TO, "1069", 1, 17, 2)
        made = Notice(
            desk.ids.make(TO), "", data=data, data_coding=coding, is_mo=True, door="parts", part_of=PartOf(key, 2, seq)
        )
        return desk.settle(desk.texts.add(made, 0.0))

    add(2, encode_ucs2("退订"), UCS2)
    add(1, b"ok ", 0)
    assert desk.told == ["ok 退订"]
