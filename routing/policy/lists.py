"""Recipients that are refused by configuration: countries that are not allowed, numbers and prefixes that are blocked."""

from collections.abc import Iterable

from routing.patterns import Patterns
from routing.policy.numbers import country_code_of
from routing.policy.verdict import Refusal


class Lists:
    """Compiled for one policy."""

    def __init__(self, countries: Iterable[str], blacklist: Iterable[str]) -> None:
        self._countries = frozenset(countries)
        self._blacklist = Patterns(blacklist)

    def check(self, number: str) -> Refusal | None:
        """Why nothing may be sent to `number` (E.164 without plus)."""
        if self._countries and (code := country_code_of(number)) not in self._countries:
            return Refusal("country", "countries", f"+{code or number[:3]} is not among the countries of the policy")
        if self._blacklist.match(number):
            return Refusal("blacklisted", "blacklist")
        return None
