"""Binds are checked without stalling the loop, equal ones once; guessers are barred for a minute and learn nothing."""

from typing import Any

import pytest
import trio
from argon2 import PasswordHasher
from makers import account

from config.schema import Network
from gateway.core.accounts import CACHE_S, Authenticator, Denied, parse_address
from protocol.commands import Command

TRX, TX, RX = Command.BIND_TRANSCEIVER, Command.BIND_TRANSMITTER, Command.BIND_RECEIVER
HASH = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1).hash("right")


class Counting(Authenticator):
    """Counts verifications instead of computing them; a hash here is `hash of` the password."""

    def __init__(self, *accounts: Any, failures_per_minute: int = 5) -> None:
        super().__init__({one.system_id: one for one in accounts}, failures_per_minute)
        self.verified: list[str] = []

    def _verify(self, stored: str, password: str) -> bool:
        self.verified.append(password)
        return stored == f"hash of {password}"


def counting(**fields: Any) -> Counting:
    return Counting(account("shop", password_hash="hash of right", **fields))


async def reason(auth: Authenticator, *args: Any, now: float = 0.0, host: str = "10.1.2.3", kind: int = TRX) -> str:
    """Why a bind is denied; empty when it is not."""
    try:
        await auth.check(kind, *args, host, now)
    except Denied as denied:
        return f"{denied.reason}{', a guess' if denied.guess else ''}"
    return ""


async def test_the_right_password_binds_any_other_is_a_guess() -> None:
    auth = Authenticator({"shop": account("shop", password_hash=HASH)}, 5)
    assert (await auth.check(TRX, "shop", "right", "10.1.2.3", 0.0)).system_id == "shop"
    assert await reason(auth, "shop", "wrong") == "wrong password, a guess"
    assert await reason(auth, "shop", "") == "wrong password, a guess"


async def test_a_hash_that_is_none_matches_nothing() -> None:
    auth = Authenticator({"shop": account("shop", password_hash="$argon2-none")}, 5)
    assert await reason(auth, "shop", "$argon2-none") == "wrong password, a guess"


async def test_an_unknown_account_costs_a_verification_like_a_wrong_password() -> None:
    auth = counting()
    assert await reason(auth, "nobody", "x") == "unknown system_id, a guess"
    assert await reason(auth, "nobody", "right") == "unknown system_id, a guess"
    assert await reason(auth, "shop", "x") == "wrong password, a guess"
    assert auth.verified == ["x", "right", "x"]


async def test_a_thousand_binds_at_once_cost_one_verification() -> None:
    auth = counting()
    bound = []

    async def bind() -> None:
        bound.append(await auth.check(TRX, "shop", "right", "10.1.2.3", 0.0))

    async with trio.open_nursery() as nursery:
        for _ in range(1_000):
            nursery.start_soon(bind)
    assert len(bound) == 1_000
    assert auth.verified == ["right"]


async def test_a_thousand_wrong_binds_at_once_are_all_denied() -> None:
    auth = counting()
    denied = []

    async def bind(password: str) -> None:
        denied.append(await reason(auth, "shop", password))

    async with trio.open_nursery() as nursery:
        for at in range(1_000):
            nursery.start_soon(bind, f"wrong{at % 3}")
    assert set(denied) == {"wrong password, a guess"}
    assert len(denied) == 1_000
    assert sorted(set(auth.verified)) == ["wrong0", "wrong1", "wrong2"]


async def test_a_success_is_remembered_for_a_minute_a_failure_never() -> None:
    auth = counting()
    for now in (0.0, 1.0, CACHE_S - 0.1):
        assert not await reason(auth, "shop", "right", now=now)
    assert auth.verified == ["right"]
    assert not await reason(auth, "shop", "right", now=CACHE_S + 0.1)
    assert auth.verified == ["right"] * 2
    for _ in range(2):
        assert await reason(auth, "shop", "wrong", now=CACHE_S)
    assert auth.verified == ["right"] * 2 + ["wrong"] * 2


async def test_what_is_remembered_holds_for_one_name_and_one_password() -> None:
    auth = Counting(account("shop", password_hash="hash of right"), account("shopright", password_hash="hash of x"))
    assert not await reason(auth, "shop", "right")
    for system_id, password in (("shopright", ""), ("shopright", "right"), ("sho", "pright"), ("shop", "right ")):
        assert await reason(auth, system_id, password)


async def test_networks_and_bind_kinds_are_not_guesses() -> None:
    auth = counting(networks=[Network("10.0.0.0/8"), Network("2001:db8::/32")], bind_kinds=["receiver"])
    assert await reason(auth, "shop", "right", host="192.0.2.1", kind=RX) == "not from an allowed network"
    for host in ("10.1.2.3", "::ffff:10.1.2.3", "2001:db8::1", "2001:db8::1%eth0"):
        assert not await reason(auth, "shop", "right", host=host, kind=RX)
    for kind in (TRX, TX):
        assert "is not allowed" in await reason(auth, "shop", "right", kind=kind)
        assert "guess" not in await reason(auth, "shop", "right", kind=kind)
    assert await reason(auth, "shop", "wrong", host="192.0.2.1") == "wrong password, a guess"


def test_guessing_bars_an_address_for_a_minute() -> None:
    auth = Counting(failures_per_minute=3)
    for at in range(3):
        assert not auth.barred("10.1.2.3", float(at))
        auth.note_failure("10.1.2.3", "shop", float(at))
    assert auth.barred("10.1.2.3", 2.0)
    assert not auth.barred("10.1.2.4", 2.0)
    assert auth.barred("10.1.2.3", 59.9)
    assert not auth.barred("10.1.2.3", 60.1)
    auth.note_failure("10.1.2.3", "shop", 60.5)
    assert auth.barred("10.1.2.3", 60.6), "three within the last minute again"
    assert not auth.barred("10.1.2.3", 130.0)
    assert not auth._failures


def test_failures_at_different_accounts_do_not_add_up() -> None:
    """Ten thousand clients behind one address, each with its own typing error."""
    auth = Counting(failures_per_minute=2)
    for at in range(50):
        auth.note_failure("10.1.2.3", f"client{at}", 0.0)
    assert not auth.barred("10.1.2.3", 0.0)


def test_what_is_remembered_of_guessers_is_bounded() -> None:
    auth = Counting(failures_per_minute=2)
    for at in range(3_000):
        auth.note_failure(f"10.0.{at >> 8}.{at & 255}", "shop", 0.0)
        auth.note_failure("10.1.2.3", f"name{at}", 0.0)
    assert len(auth._failures) <= 1_000
    assert all(len(names) <= 1_000 for names in auth._failures.values())


@pytest.mark.parametrize(
    ("host", "address"), [("10.0.0.1", "10.0.0.1"), ("::ffff:10.0.0.1", "10.0.0.1"), ("fe80::1%eth0", "fe80::1")]
)
def test_addresses_are_told_apart_by_what_they_are(host: str, address: str) -> None:
    assert str(parse_address(host)) == address
