"""Recipients that are refused by configuration: countries that are not allowed, numbers and prefixes that are blocked."""

from collections.abc import Iterable

from routing.policy.numbers import country_code_of
from routing.policy.verdict import Refusal


class Lists:
    """Compiled for one policy. Entries of the blacklist are numbers, or prefixes that end with a star."""

    def __init__(self, countries: Iterable[str], blacklist: Iterable[str]) -> None:
        self._countries = frozenset(countries)
        listed = list(blacklist)
        self._numbers = frozenset(one for one in listed if not one.endswith("*"))
        self._prefixes = tuple(one[:-1] for one in listed if one.endswith("*"))

    def check(self, number: str) -> Refusal | None:
        """Why nothing may be sent to `number` (E.164 without plus)."""
        if self._countries and (code := country_code_of(number)) not in self._countries:
            return Refusal("country", "countries", f"+{code or number[:3]} is not among the countries of the policy")
        if number in self._numbers or (self._prefixes and number.startswith(self._prefixes)):
            return Refusal("blacklisted", "blacklist")
        return None
