"""Numbers that several accounts send from: whose reply a subscriber's message is, its last message to that person tells.

Only a message from such a number leaves a mark when it goes to a carrier. Where every account lists numbers of its own, or
there is but one, nothing is marked.
"""

from bisect import bisect_left
from collections.abc import Sequence

from config.schema import Account
from routing.guards import Cell, Guard, Mark
from routing.policy.caps import SEPARATOR
from routing.policy.numbers import one_spelling
from routing.records import Message

DAY_S = 86_400.0
KNOWN_MAX = 10_000
"""Numbers whose users are remembered."""


def last_key(number: str, account: str, recipient: str) -> str:
    """Where the last message of an account from a number to a person is marked."""
    return f"last{SEPARATOR}{number}{SEPARATOR}{account}{SEPARATOR}{recipient}"


def answerable(source: str) -> str:
    """The digits of a sender that a person can answer; empty for a name."""
    number = source.removeprefix("+")
    return number if number.isascii() and number.isdigit() else ""


class SharedNumbers:
    """By a configuration's accounts. `days`: how long a mark is kept; 0: nothing is shared.

    `unlisted`: accounts that list no numbers may use all. Else a number is theirs alone who list it.
    """

    def __init__(self, accounts: Sequence[Account], days: float, *, unlisted: bool = False) -> None:
        self._period_s = days * DAY_S
        self._order = {one.system_id: at for at, one in enumerate(accounts)}
        self._open = [one.system_id for one in accounts if not one.source_addresses] if unlisted else []
        self._whole: dict[str, list[str]] = {}
        self._prefixes: dict[str, list[str]] = {}
        for account in accounts:
            for address in account.source_addresses:
                kind, number = (self._prefixes, address[:-1]) if address.endswith("*") else (self._whole, address)
                kind.setdefault(number.removeprefix("+"), []).append(account.system_id)
        self._sharing = self._find_sharing(accounts) if days > 0 and len(accounts) > 1 else frozenset()
        self._known: dict[str, tuple[str, ...]] = {}
        self._within: dict[str, Mark] = {}

    def _find_sharing(self, accounts: Sequence[Account]) -> frozenset[str]:
        """Accounts that may send from a number from which another one may, too."""
        if self._open:
            return frozenset(self._order)
        stems = sorted({*self._whole, *self._prefixes})
        found: set[str] = set()
        for account in accounts:
            for address in account.source_addresses:
                number = address.removesuffix("*").removeprefix("+")
                users = set(self._find(number))
                at = bisect_left(stems, number)
                while address.endswith("*") and len(users) < 2 and at < len(stems) and stems[at].startswith(number):
                    users.update(self._whole.get(stems[at], ()), self._prefixes.get(stems[at], ()))
                    at += 1
                if len(users) > 1:
                    found.add(account.system_id)
        return frozenset(found)

    def sharing(self, account: str) -> bool:
        """Whether messages of the account may have to be marked."""
        return account in self._sharing

    def users(self, number: str) -> tuple[str, ...]:
        """Accounts that may send from a number, in the configuration's order; nobody's when marks are off."""
        if not self._sharing:
            return ()
        found = self._known.get(number)
        if found is None:
            if len(self._known) >= KNOWN_MAX:
                self._known.clear()
            found = self._known[number] = self._find(number)
        return found

    def _find(self, number: str) -> tuple[str, ...]:
        users = {*self._open, *self._whole.get(number, ())}
        for prefix, accounts in self._prefixes.items():
            if number.startswith(prefix):
                users.update(accounts)
        return tuple(sorted(users, key=self._order.__getitem__))

    def mark(self, message: Message) -> Mark | None:
        """What is to be noted when a message goes; None where a reply can only be its account's."""
        number = answerable(message.source)
        if not number or len(self.users(number)) < 2:
            return None
        recipient = one_spelling(message.destination) or message.destination
        return Mark(last_key(number, message.account, recipient), self._period_s)

    def marked(self, message: Message, guards: tuple[Guard, ...]) -> tuple[Guard, ...]:
        """The guards of a message with its mark: in its recipient's cell where it has one, for that is written anyway."""
        mark = self.mark(message)
        if mark is None:
            return guards
        first = guards[0] if guards else None
        entry, _, recipient = mark.key.rpartition(SEPARATOR)
        if not isinstance(first, Cell) or first.key != recipient:
            return (*guards, mark)
        within = self._within.get(entry)
        if within is None:
            if len(self._within) >= KNOWN_MAX:
                self._within.clear()
            within = self._within[entry] = Mark(entry, self._period_s)
        return (Cell(first.key, first.guards, first.at_utc, within), *guards[1:])
