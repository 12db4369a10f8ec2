"""Whose network a number is on: the corpus, the longest prefix, and numbers that have moved."""

import json
from pathlib import Path
from typing import Any

import pytest

from routing.operators import NOBODY, Operator, Operators, shipped

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
    assert table.of("4915751234567") == Operator("other", True)
    assert table.of("33123456789") is NOBODY


def test_a_number_that_has_moved_is_where_it_is() -> None:
    table = Operators(shipped(), {"8613800138000": "cn-unicom"})
    assert table.of("8613800138000").name == "cn-unicom"
    assert table.of("8613800138001").name == "cn-mobile"
