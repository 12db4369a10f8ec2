"""What an account may send: its own sender addresses, to numbers that can exist."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.schema import Account, Secret
from protocol.address import international
from protocol.errors import ContentError
from protocol.status import Status
from routing.policy.screen import Screen, screen
from routing.records import Message


def checked(source: str = "shop", destination: str = "8613800138000", **account: Any) -> tuple[Status, Message]:
    message = Message(id=1, account="a", source=source, destination=destination, dest_ton=0, dest_npi=0)
    refusal = Screen(Account(system_id="a", password_hash=Secret("x"), **account)).check(message)
    return Status.ROK if refusal is None else refusal.status, message


@pytest.mark.parametrize(
    ("source", "status"),
    [
        ("Brand", Status.ROK),
        ("10690001", Status.ROK),
        ("1069", Status.ROK),
        ("Brand2", Status.RINVSRCADR),
        ("brand", Status.RINVSRCADR),
        ("106", Status.RINVSRCADR),
        ("", Status.RINVSRCADR),
    ],
)
def test_a_sender_must_be_one_of_the_accounts(source: str, status: Status) -> None:
    assert checked(source, source_addresses=["Brand", "1069*"])[0] is status


def test_an_account_without_list_may_use_any_sender() -> None:
    assert checked("anything")[0] is Status.ROK
    assert checked("")[0] is Status.ROK
    assert checked("anything", source_addresses=["*"])[0] is Status.ROK


@pytest.mark.parametrize(
    ("written", "country", "number"),
    [
        ("8613800138000", "", "8613800138000"),
        ("+8613800138000", "", "8613800138000"),
        ("008613800138000", "", "8613800138000"),
        ("+86 138-0013-8000", "", "8613800138000"),
        ("13800138000", "86", "8613800138000"),
        ("8613800138000", "86", "8613800138000"),
        ("+4915112345678", "86", "4915112345678"),
        ("85251234567", "", "85251234567"),
    ],
)
def test_numbers_become_e164(written: str, country: str, number: str) -> None:
    status, message = checked(destination=written, country_code=country)
    assert status is Status.ROK
    assert (message.destination, message.dest_ton, message.dest_npi) == (number, 1, 1)


@pytest.mark.parametrize("written", ["", "12", "12345678901234567", "86138x0138000", "+", "٨٦١٣٨٠٠١٣٨", "861380013800"])
def test_what_is_no_number_is_refused(written: str) -> None:
    assert checked(destination=written)[0] is Status.RINVDSTADR


@given(st.from_regex(r"(\+|00)?(861|86|1|)[0-9]{0,14}", fullmatch=True))
def test_the_fast_way_says_what_the_slow_one_says(written: str) -> None:
    status, message = checked(destination=written)
    try:
        expected = international(written).addr
    except ContentError:
        assert status is Status.RINVDSTADR
    else:
        assert (status, message.destination) == (Status.ROK, expected)


def test_a_batch_is_screened_by_each_accounts_rules() -> None:
    screens = {
        name: Screen(Account(system_id=name, password_hash=Secret("x"), source_addresses=sources))
        for name, sources in (("open", []), ("closed", ["Only"]))
    }
    batch = [Message(id=at, account=name, source="X", destination="85251234567") for at, name in enumerate(("open", "closed"))]
    first, second = screen(batch, screens)
    assert first is None
    assert second is not None
    assert second.status is Status.RINVSRCADR


def test_an_account_that_was_taken_away_sends_nothing() -> None:
    (refusal,) = screen([Message(id=1, account="gone", destination="8613800138000")], {})
    assert refusal is not None
    assert refusal.status is Status.RSUBMITFAIL
