"""Whose a reply is: who wrote to this person from this number last, else who lists the number, else the channel's."""

from collections.abc import Sequence
from typing import Any

import pytest
from clock import HandClock
from makers import TO, account, at_once, channel, message, route

from config.policy import Policy
from config.schema import Config, Core
from gateway.core.addressees import Addressees
from gateway.core.long_texts import Text
from gateway.core.screens import screens_of
from gateway.core.storage import Storage
from gateway.store.base import Admission, Change, Marked
from gateway.store.memory import MemoryStore
from gateway.store.opening import Opened
from gateway.store.record import Record
from routing.policy.watch import Watches
from routing.records import Attempt, AttemptKey, Notice

NUMBER = "10690001"
OTHER = "8613800138001"


class CountingStorage(Storage):
    """`asked`: how many keys each look-up had; `broken`: the history cannot be read."""

    broken = False

    def __init__(self, opened: Opened, clock: HandClock) -> None:
        super().__init__(opened, clock)
        self.asked: list[int] = []

    async def marks(self, keys: Sequence[str]) -> dict[str, Marked]:
        self.asked.append(len(keys))
        return await super().marks(keys)

    async def records(self, message_ids: Any) -> dict[int, Record]:
        if self.broken:
            raise OSError("disk")
        return await super().records(message_ids)


class Town:
    """Accounts that send, and people who answer."""

    def __init__(self, *accounts: Any, days: int = 30, policies: Sequence[Policy] = (), mo_account: str = "") -> None:
        self.clock = HandClock()
        self.store = MemoryStore("still")
        self.storage = CountingStorage(Opened(self.store), self.clock)
        self.config = Config(
            accounts=list(accounts),
            channels=[channel("a", mo_account=mo_account)],
            routes=[route("a")],
            core=Core(replies_days=days, replies_unlisted=True),
            policies=list(policies),
        )
        self.screens = screens_of(self.config, Watches())
        self.addressees = Addressees(self.config, self.storage, lambda: self.screens)
        self._ids = 100

    def admit(self, name: str, to: str = TO, source: str = NUMBER, **fields: Any) -> int:
        self._ids += 1
        one = message(self._ids, account=name, source=source, destination=to, **fields)
        one.public_id = f"public-{one.id}"
        assert self.screens[name].check(one, self.clock.at) is None
        guards = self.screens[name].guards_and_mark(one, self.clock.at)
        assert self.store.admit([Admission(one, guards)], self.clock.at) == [None]
        return self._ids

    def send(self, name: str, to: str = TO, source: str = NUMBER, **fields: Any) -> int:
        number = self.admit(name, to, source, **fields)
        self.clock.at += 1
        self.store.begin([Attempt(AttemptKey(number, 1, 1), 1, "a", 0, 1)], 0.0, self.clock.at)
        return number

    def answer(self, *subscribers: str, to: str = NUMBER, ton: int = 0) -> list[str]:
        return [one.account for one in self.notices(*subscribers, to=to, ton=ton)]

    def notices(self, *subscribers: str, to: str = NUMBER, ton: int = 0) -> list[Notice]:
        made = [Notice(1, "", source=one, source_ton=ton, destination=to, is_mo=True) for one in subscribers]
        at_once(self.addressees.address([Text(one, "a", []) for one in made]))
        return made


def two(**more: Any) -> Town:
    return Town(account("first", source_addresses=["1069*"]), account("second", source_addresses=[NUMBER]), **more)


def test_who_wrote_last_is_answered_each_person_by_itself() -> None:
    town = two()
    town.send("first")
    town.send("second", OTHER)
    assert town.answer(TO, OTHER, "8613800138002") == ["first", "second", "second"]
    town.send("second")
    town.send("first", OTHER)
    assert town.answer(OTHER, TO) == ["first", "second"]
    assert town.storage.asked == [6, 4], "one look-up a batch"


def test_a_message_that_did_not_leave_is_not_answered() -> None:
    town = two()
    town.send("first")
    cancelled, _ = town.admit("second"), town.admit("second")
    town.store.change([Change(cancelled)], town.clock.at)
    assert town.answer(TO) == ["first"]


def test_the_reply_names_the_message_and_its_brand() -> None:
    town = two()
    sent = town.send("first", brand="Acme")
    (notice,) = town.notices(TO)
    assert (notice.in_reply_to, notice.brand) == (f"public-{sent}", "Acme")
    town.storage.broken = True
    (notice,) = town.notices(TO)
    assert (notice.account, notice.in_reply_to, notice.brand) == ("first", str(sent), ""), "it is not kept back"
    (stranger,) = town.notices(OTHER)
    assert (stranger.in_reply_to, stranger.brand) == ("", "")


def test_after_its_days_the_number_alone_counts() -> None:
    town = two(days=2)
    town.send("first")
    town.clock.at += 2 * 86_400 - 1
    assert town.answer(TO) == ["first"]
    town.clock.at += 1
    assert town.answer(TO) == ["second"]


def test_accounts_that_may_use_every_number_are_looked_for_too() -> None:
    town = Town(account("open"), account("lists", source_addresses=[NUMBER]), account("open2"), mo_account="desk")
    town.send("open2", source="777")
    assert town.answer(TO, to="777") == ["open2"]
    assert town.answer(OTHER, to="777") == ["desk"]
    assert town.answer(TO) == ["lists"]
    town.send("open")
    assert town.answer(TO, f"+{TO}", f"00{TO}", to=f"+{NUMBER}") == ["open"] * 3


@pytest.mark.parametrize("policies", [(), (Policy(),)], ids=["none", "rules"])
@pytest.mark.parametrize("subscriber", [TO, TO[2:], f"0{TO[2:]}", f"+{TO}"])
def test_a_person_is_known_however_the_carrier_writes_the_number(subscriber: str, policies: Sequence[Policy]) -> None:
    town = Town(
        account("home", source_addresses=[NUMBER], country_code="86"),
        account("last", source_addresses=[NUMBER], country_code="86"),
        policies=policies,
    )
    town.send("last", to=TO[2:])
    assert town.answer(subscriber) == ["last"]


@pytest.mark.parametrize(
    "town",
    [
        Town(account("first", source_addresses=["1069*"]), account("second", source_addresses=["1068*"])),
        Town(account("first", source_addresses=["1069*"])),
        Town(account("first"), mo_account="first"),
        two(days=0),
    ],
    ids=["exclusive", "single", "open", "off"],
)
def test_where_nothing_is_shared_nothing_is_noted_or_asked(town: Town) -> None:
    town.send("first")
    assert not town.store.guards.held
    assert town.store.records[101].guards == ()
    town.notices(TO)
    assert town.storage.asked == []


def test_the_first_account_that_lists_a_number_is_answered_where_nobody_wrote() -> None:
    town = Town(account("x", source_addresses=["1", NUMBER]), account("y", source_addresses=[NUMBER]))
    assert town.answer(TO) == ["x"]
    town = Town(account("x", source_addresses=["1069*"]), account("y", source_addresses=["1069*"]))
    assert town.answer(TO) == ["x"]


def test_an_account_that_is_gone_is_not_answered() -> None:
    town = two()
    town.send("second")
    left = Config(accounts=[account("first", source_addresses=["1069*"])], channels=town.config.channels, routes=[route("a")])
    town.screens = screens_of(left, Watches())
    town.addressees.configure(left)
    assert town.answer(TO) == ["first"]
