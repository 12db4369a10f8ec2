"""Whose network a number is on: the corpus, the longest prefix, and numbers that have moved."""

import json
from pathlib import Path
from typing import Any

import pytest

from routing.operators import KNOWN_MAX, NOBODY, Operator, Operators, network_of, shipped
from routing.records import Message

CORPUS = Path(__file__).parents[1] / "vectors" / "visible.jsonl"


def vectors() -> list[dict[str, Any]]:
    lines = (json.loads(line) for line in CORPUS.read_text(encoding="utf-8").splitlines())
    return [one for one in lines if one["kind"] == "cn_segment"]


@pytest.mark.parametrize("vector", vectors(), ids=lambda one: one["id"])
def test_the_corpus_holds(vector: dict[str, Any]) -> None:
    found = Operators(shipped()).of(vector["input"]["number"])
    expected = vector["expect"]
    assert (found.name.removeprefix("cn-") or None) == expected["carrier"]
    if "mvno" in expected:
        assert found.virtual is expected["mvno"]


def test_the_longest_prefix_counts() -> None:
    table = Operators({"49": Operator("any", False), "4915": Operator("mobile", False), "491575": Operator("other", True)})
    assert table.of("4930123456").name == "any"
    assert table.of("4915112345678").name == "mobile"
    assert table.of("4915751234567") == Operator("other", True, "49")
    assert table.of("33123456789") == NOBODY._replace(country="33")


def test_a_number_that_has_moved_is_where_it_is() -> None:
    table = Operators(shipped(), {"8613800138000": "cn-unicom"})
    assert table.of("8613800138000").name == "cn-unicom"
    assert table.of("8613800138001").name == "cn-mobile"


def test_what_was_said_of_a_number_counts_before_the_list_until_it_is_taken_back() -> None:
    table = Operators(shipped(), {"8613800138000": "cn-unicom"})
    table.port("8613800138000", "cn-telecom")
    assert table.of("8613800138000") == Operator("cn-telecom", False, "86")
    table.port("8613800138000", "")
    assert table.of("8613800138000").name == "cn-unicom"
    table.port("8613800138000", "")
    table.listed = {}
    assert table.of("8613800138000").name == "cn-mobile"


def test_messages_are_told_their_network_and_country() -> None:
    messages = [
        Message(at, "shop", destination=number) for at, number in enumerate(("8617000138000", "34612345678", "861012345"))
    ]
    Operators(shipped()).stamp(messages)
    assert [(one.operator, one.virtual_operator, one.country) for one in messages] == [
        ("cn-telecom", True, "86"),
        ("", False, "34"),
        ("", False, "86"),
    ]
    assert [network_of(one) for one in messages] == ["cn-telecom", "34", "86"]


def test_remembered_prefixes_are_bounded() -> None:
    table = Operators(shipped())
    for at in range(KNOWN_MAX + 10):
        table.of(f"1{at:06}0000")
    assert len(table._known) <= KNOWN_MAX


def test_a_number_that_moved_back_to_its_own_operator_is_what_its_prefix_says() -> None:
    table = Operators(shipped())
    before = table.of("8617000138000")
    table.port("8617000138000", before.name)
    assert table.of("8617000138000") == before == Operator("cn-telecom", True, "86")
    table.port("8617000138000", "cn-unicom")
    assert table.of("8617000138000") == Operator("cn-unicom", False, "86")
