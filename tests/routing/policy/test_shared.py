"""Whose numbers are shared: only messages that somebody else might be answered for are marked."""

from typing import Any

import pytest

from config.schema import Account, Secret
from routing.guards import Cell, Mark, Spend, Window
from routing.policy.caps import SEPARATOR
from routing.policy.shared import SharedNumbers, last_key
from routing.records import Message


def shared(days: float = 30, **lists: str) -> SharedNumbers:
    """Accounts by name with their addresses, blanks between."""
    accounts = [
        Account(system_id=name, password_hash=Secret("x"), source_addresses=listed.split()) for name, listed in lists.items()
    ]
    return SharedNumbers(accounts, days, unlisted=True)


def mark(numbers: SharedNumbers, source: str, account: str = "a", to: str = "8613800138000") -> Mark | None:
    return numbers.mark(Message(1, account, source=source, destination=to))


@pytest.mark.parametrize(
    ("lists", "sharing"),
    [
        ({"a": ""}, ""),
        ({"a": "1069*"}, ""),
        ({"a": "1", "b": "2"}, ""),
        ({"a": "1069*", "b": "1068*", "c": "106"}, ""),
        ({"a": "1", "b": "1", "c": "2"}, "ab"),
        ({"a": "1 2", "b": "3 2"}, "ab"),
        ({"a": "1069*", "b": "10690001", "c": "2"}, "ab"),
        ({"a": "10690001", "b": "1069*", "c": "2"}, "ab"),
        ({"a": "1069*", "b": "106*", "c": "1068"}, "abc"),
        ({"a": "1069* 106901*", "b": "1068*"}, ""),
        ({"a": "*", "b": "7"}, "ab"),
        ({"a": "", "b": "7"}, "ab"),
        ({"a": "+1069", "b": "1069"}, "ab"),
    ],
)
def test_accounts_share_when_their_lists_meet(lists: dict[str, str], sharing: str) -> None:
    numbers = shared(**lists)
    assert "".join(name for name in lists if numbers.sharing(name)) == sharing
    assert not any(shared(0, **lists).sharing(name) for name in lists), "switched off"


def test_the_users_of_a_number_come_in_the_order_of_the_configuration() -> None:
    numbers = shared(d="", c="106*", b="10690001", a="1069*", e="1068")
    assert numbers.users("10690001") == ("d", "c", "b", "a")
    assert numbers.users("1068") == ("d", "c", "e")
    assert numbers.users("7") == ("d",)
    assert shared(0, a="", b="").users("7") == ()


@pytest.mark.parametrize(
    ("source", "key"),
    [("10690001", "10690001"), ("+10690001", "10690001"), ("10690002", None), ("Shop", None), ("", None), ("１０６", None)],
)
def test_only_a_number_of_several_accounts_is_marked(source: str, key: Any) -> None:
    numbers = shared(a="106* Shop", b="10690001 Shop")
    found = mark(numbers, source)
    assert found == (key and Mark(last_key(key, "a", "8613800138000"), 30 * 86_400.0))


def test_a_recipient_has_one_mark_however_it_is_written() -> None:
    numbers = shared(a="1", b="1")
    assert mark(numbers, "1", to="4407911123456") == mark(numbers, "1", to="447911123456")
    assert mark(numbers, "1", "b") != mark(numbers, "1", "a")
    assert mark(numbers, "1", to="12") is not None, "what is no number keeps its own"


def test_what_is_remembered_of_numbers_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("routing.policy.shared.KNOWN_MAX", 3)
    numbers = shared(a="", b="")
    for number in range(20):
        assert numbers.users(str(number)) == ("a", "b")
        assert len(numbers._known) <= 3


def test_a_message_with_a_cell_for_its_recipient_is_marked_there() -> None:
    numbers = shared(a="", b="")
    one = Message(1, "a", source="1069", destination="8613800138000")
    cap = (Window("cap", 1, 60.0),)
    (cell, spend) = numbers.marked(one, (Cell("8613800138000", cap, 5.0), Spend("p", 1)))
    assert cell == Cell("8613800138000", cap, 5.0, Mark(f"last{SEPARATOR}1069{SEPARATOR}a", 30 * 86_400.0))
    assert spend == Spend("p", 1)
    assert numbers.marked(one, (Cell("another", cap),))[-1] == mark(numbers, "1069")
    assert numbers.marked(one, ()) == (mark(numbers, "1069"),)
    one.source = "Shop"
    assert numbers.marked(one, (Cell("8613800138000", cap),)) == (Cell("8613800138000", cap),)


def test_accounts_that_list_nothing_share_nothing_unless_that_is_asked_for() -> None:
    accounts = [Account(system_id=name, source_addresses=listed) for name, listed in (("a", []), ("b", []), ("c", ["1069*"]))]
    numbers = SharedNumbers(accounts, 30)
    assert not any(numbers.sharing(name) for name in "abc")
    assert numbers.users("10690001") == ()
    assert mark(numbers, "10690001") is None
