"""Whose a subscriber's message is: who sent from the number last to that person, else who lists the number, else the channel's.

Only numbers that several accounts may use are asked about, all of a batch at once; see `routing/policy/shared.py`.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from config.schema import Config
from gateway import log
from gateway.core.long_texts import Text
from gateway.store.base import Marked
from gateway.store.record import Record
from protocol.address import TON_INTERNATIONAL
from routing.policy.numbers import subscriber_number
from routing.policy.screen import Screen
from routing.policy.shared import SharedNumbers, answerable, last_key
from routing.records import Notice


class Memory(Protocol):
    """The store, as far as it knows what was sent last."""

    async def marks(self, keys: Sequence[str]) -> dict[str, Marked]:
        """See Store.marks."""

    async def records(self, message_ids: Sequence[int]) -> dict[int, Record]:
        """Messages by id, ended ones too."""


class Addressees:
    """See the module. `screens` are the rules of accounts as they are now."""

    def __init__(self, config: Config, store: Memory, screens: Callable[[], dict[str, Screen]]) -> None:
        self._store = store
        self._screens = screens
        self._log = log.logger()
        self.configure(config)

    def configure(self, config: Config) -> None:
        """Take over whose numbers are whose."""
        listed = [
            (address.removeprefix("+"), account.system_id)
            for account in config.accounts
            for address in account.source_addresses
        ]
        self._numbers: dict[str, str] = {}
        for address, name in listed:
            if not address.endswith("*"):
                self._numbers.setdefault(address, name)
        self._of_channel = {one.name: one.mo_account for one in config.channels}
        self._prefixes = sorted(
            ((address[:-1], name) for address, name in listed if address.endswith("*") and len(address) > 1),
            key=lambda one: -len(one[0]),
        )
        self._shared = SharedNumbers(config.accounts, config.core.replies_days, unlisted=config.core.replies_unlisted)

    def account_of(self, destination: str) -> str:
        """The first account that lists the number a subscriber wrote to; empty when none does."""
        number = destination.removeprefix("+")
        found = self._numbers.get(number, "")
        return found or next((name for prefix, name in self._prefixes if number.startswith(prefix)), "")

    async def address(self, texts: Sequence[Text]) -> None:
        """Say in each notice whose it is, and what it probably answers; an account that stays empty is nobody's."""
        asked = {at: keys for at, text in enumerate(texts) if (keys := self._keys(text.notice))}
        marks = await self._store.marks([key for keys in asked.values() for key in keys]) if asked else {}
        answered: dict[int, Marked] = {}
        for at, text in enumerate(texts):
            notice = text.notice
            latest = max(((marks[key], name) for key, name in asked.get(at, {}).items() if key in marks), default=None)
            if latest is not None:
                answered[at], notice.account = latest
            else:
                notice.account = self.account_of(notice.destination) or self._of_channel.get(text.channel, "")
        if answered:
            await self._name({at: mark.message_id for at, mark in answered.items()}, texts)

    def _keys(self, notice: Notice) -> dict[str, str]:
        """Where each of the accounts that may use the number would have marked its last message, and which it is."""
        number = answerable(notice.destination)
        users = self._shared.users(number) if number else ()
        if len(users) < 2:
            return {}
        is_international = notice.source_ton == TON_INTERNATIONAL or notice.source.startswith("+")
        screens = self._screens()
        keys: dict[str, str] = {}
        by_home: dict[str, str] = {}
        for name in users:
            if (rules := screens.get(name)) is None:
                continue
            home = rules.home_code
            if home not in by_home:
                by_home[home] = subscriber_number(notice.source, home, is_international=is_international)
            if by_home[home]:
                keys[last_key(number, name, by_home[home])] = name
        return keys

    async def _name(self, answered: dict[int, int], texts: Sequence[Text]) -> None:
        """The messages they answer, by the id their sender knows; a history that cannot be read keeps no reply back."""
        try:
            found = await self._store.records(list(dict.fromkeys(answered.values())))
        except Exception:  # noqa: BLE001 - whatever it is
            self._log.exception("bug: what replies answer was not found")
            found = {}
        for at, message_id in answered.items():
            notice, record = texts[at].notice, found.get(message_id)
            if record is None:
                notice.in_reply_to = str(message_id)
            else:
                notice.in_reply_to, notice.brand = record.message.public_id, record.message.brand
