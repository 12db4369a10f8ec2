"""Asking memory for records before they are read changes nothing, whatever stands there."""

import sys

import pytest
from story import START_UTC

from gateway.store import nearby
from gateway.store.pagebuffer import FIRST_SIZE, PageBuffer
from gateway.store.record import Record
from gateway.store.vault import SUM_SIZE, is_whole
from protocol import hot
from routing.records import Attempt, AttemptKey, Content, Message


def records() -> list[Record]:
    many = [Record(Message(number, "shop", content=Content(b"text"), arrival_utc=START_UTC)) for number in range(40)]
    for one in many[::2]:
        one.attempts.append(Attempt(AttemptKey(one.message.id, 1, 1), 1, "a", 0, 1, carrier_id=f"id-{one.message.id}"))
    return many


def test_it_is_compiled_where_the_codec_is() -> None:
    assert (nearby.prefetch is not nearby._nothing) == ("gateway.store.native" in sys.modules) == hot.compiled


@pytest.mark.parametrize(("begin", "end"), [(0, 40), (0, 0), (30, 99), (39, 40), (50, 60)])
def test_records_are_as_before(begin: int, end: int) -> None:
    held = records()
    counts = [sys.getrefcount(one.message) for one in held]
    nearby.prefetch(held, begin, end)
    assert held == records()
    assert [sys.getrefcount(one.message) for one in held] == counts


def test_what_is_no_record_is_left_alone() -> None:
    odd = Record(Message(1, "shop"))
    odd.message = None  # type: ignore[assignment]
    odd.attempts = (1, 2)  # type: ignore[assignment]
    bare = Record(Message(2, "shop"), [None])  # type: ignore[list-item]
    for several in ([odd, bare], [1, "two", None], [Message(1, "shop"), odd], [object()]):
        nearby.prefetch(several, 0, 9)  # type: ignore[arg-type]
    assert odd.attempts == (1, 2)  # type: ignore[comparison-overlap]


def test_a_page_is_put_together_in_memory_that_is_used_again() -> None:
    buffer = PageBuffer()
    sizes = (10, FIRST_SIZE // 2, FIRST_SIZE, 10 * FIRST_SIZE, 3)
    for size in sizes:
        buffer.begin()
        buffer.put(b"ab" * size)
        buffer.put(memoryview(b"x" * size))
        page = buffer.end()
        assert bytes(page[SUM_SIZE:]) == b"ab" * size + b"x" * size
        assert is_whole(bytes(page))
