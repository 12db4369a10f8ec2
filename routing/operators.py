"""Whose network a number is on: the longest prefix of a table, and numbers that are known to have moved.

The table is config/operators.toml; where numbers can be ported it is a default. One dictionary per length of prefix, longest
first; what a prefix was found to mean is remembered, so that a look-up is a slice and a dictionary.
"""

from collections.abc import Iterable, Mapping
from functools import cache
from typing import NamedTuple

import config.operators
from routing.policy.numbers import country_code_of
from routing.records import Message

CN_DIGITS = 13
KNOWN_MAX = 65_536
COUNTRY_DIGITS = 3


class Operator(NamedTuple):
    """A network; `virtual`: sold by somebody else than who runs it; `country`: its calling code."""

    name: str
    virtual: bool = False
    country: str = ""


NOBODY = Operator("")


def network_of(message: Message) -> str:
    """Whose network it goes to: the operator where that is known, else the country."""
    return message.operator or message.country


class Operators:
    """See the module. `ported`: operators' names by number, for those that are elsewhere than their prefix says.

    `listed` are those of a file, which is read anew now and then; what was said of single numbers (`port`) counts before it.
    """

    def __init__(self, prefixes: Mapping[str, Operator], ported: Mapping[str, str] | None = None) -> None:
        by_length: dict[int, dict[str, Operator]] = {}
        for prefix, operator in prefixes.items():
            by_length.setdefault(len(prefix), {})[prefix] = operator
        self._tables = sorted(by_length.items(), reverse=True)
        self._digits = max(COUNTRY_DIGITS, max(by_length, default=0))
        self._known: dict[str, Operator] = {}
        self.listed: Mapping[str, str] = ported or {}
        self._own: dict[str, str] = {}

    def port(self, number: str, operator: str) -> None:
        """Say where a number is, whatever the list of moved numbers says; an empty `operator` takes that back."""
        if operator:
            self._own[number] = operator
        else:
            self._own.pop(number, None)

    def moved_to(self) -> set[str]:
        """Operators of numbers that are elsewhere than their prefixes say."""
        return {*self.listed.values(), *self._own.values()}

    def moved(self, number: str) -> bool:
        """Whether it is known to be elsewhere than its prefix says."""
        return number in self._own or number in self.listed

    def of(self, number: str) -> Operator:
        """The operator of an E.164 number without plus; one without a name where the table does not know it."""
        if self.listed or self._own:
            moved = self._own.get(number) or self.listed.get(number)
            if moved:
                before = self._of_prefix(number)
                return before if before.name == moved else Operator(moved, False, before.country)
        return self._of_prefix(number)

    def _of_prefix(self, number: str) -> Operator:
        start = number[: self._digits]
        if len(number) != CN_DIGITS and number.startswith("86"):
            start = "86"  # a fixed line, or no number
        found = self._known.get(start)
        if found is None:
            if len(self._known) >= KNOWN_MAX:
                self._known.clear()
            found = self._known[start] = self._look(start)
        return found

    def _look(self, start: str) -> Operator:
        for length, table in self._tables:
            found = table.get(start[:length])
            if found is not None:
                return found._replace(country=country_code_of(start))
        return NOBODY._replace(country=country_code_of(start))

    def stamp(self, messages: Iterable[Message]) -> None:
        """Write into each message whose network it is for."""
        of = self.of
        for message in messages:
            operator = of(message.destination)
            message.operator, message.virtual_operator, message.country = operator


@cache
def shipped() -> dict[str, Operator]:
    """The table that comes with Tensec."""
    return {
        prefix: Operator(name, virtual)
        for name, prefixes in config.operators.table().items()
        for prefix, virtual in prefixes.items()
    }
