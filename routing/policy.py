"""What may be sent: the stateless screen. Pure; a refusal is the command_status the sender gets.

Today it holds what an SMPP account's contract says (numbers and sender addresses).
"""

from collections.abc import Iterable

from config.schema import Account
from protocol.address import TON_INTERNATIONAL, international
from protocol.errors import ContentError
from protocol.status import Status
from routing.records import Message

_OK = Status.ROK


def normal_number(digits: str, country_code: str) -> str:
    """A destination as E.164 without plus sign; empty when it is none."""
    # The fast way for what nearly everything looks like; `international` does the rest.
    plain = 7 < len(digits) < 16 and digits.isdigit() and digits[0] != "0" and digits.isascii()
    if plain and not country_code and not (digits.startswith("861") and len(digits) != 13):
        return digits
    try:
        return international(digits, country_code).addr
    except ContentError:
        return ""


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
        number = normal_number(message.destination, self._country_code)
        if not number:
            return Status.RINVDSTADR
        message.destination = number
        message.dest_ton, message.dest_npi = TON_INTERNATIONAL, 1
        return _OK


def screen(messages: Iterable[Message], screens: dict[str, Screen]) -> list[int]:
    """A status for each message, by the rules of its account; RSUBMITFAIL when the account was taken away meanwhile."""
    statuses: list[int] = []
    for message in messages:
        rules = screens.get(message.account)
        statuses.append(Status.RSUBMITFAIL if rules is None else rules.check(message))
    return statuses
