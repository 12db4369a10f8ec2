"""What may be sent: the stateless screen. Pure; a refusal is the command_status the sender gets.

Today it holds what an SMPP account's contract says (numbers and sender addresses).
"""

from collections.abc import Iterable

from config.schema import Account
from protocol.address import TON_INTERNATIONAL, international
from protocol.errors import ContentError
from protocol.status import Status
from routing.records import Message


class Screen:
    """The rules of one account, compiled."""

    def __init__(self, account: Account) -> None:
        self._country_code = account.country_code
        self._any_source = not account.source_addresses
        self._sources = frozenset(one for one in account.source_addresses if not one.endswith("*"))
        self._source_prefixes = tuple(one[:-1] for one in account.source_addresses if one.endswith("*"))

    def check(self, message: Message) -> Status:
        """ROK with the destination brought to E.164, or why not."""
        if (
            not self._any_source
            and message.source not in self._sources
            and not message.source.startswith(self._source_prefixes)
        ):
            return Status.RINVSRCADR
        digits = message.destination
        # The fast way for what nearly everything looks like; `international` does the rest.
        plain = 7 < len(digits) < 16 and digits.isdigit() and digits[0] != "0" and digits.isascii()
        if not plain or self._country_code or (digits.startswith("861") and len(digits) != 13):
            try:
                message.destination = international(digits, self._country_code).addr
            except ContentError:
                return Status.RINVDSTADR
        message.dest_ton, message.dest_npi = TON_INTERNATIONAL, 1
        return Status.ROK


def screen(messages: Iterable[Message], screens: dict[str, Screen]) -> list[Status]:
    """A status for each message, by the rules of its account."""
    return [screens[message.account].check(message) for message in messages]
