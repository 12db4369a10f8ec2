"""Addresses as configurations list them: whole, or as prefixes that end with a star."""

from collections.abc import Iterable


class Patterns:
    """Compiled; true when there are any."""

    def __init__(self, listed: Iterable[str]) -> None:
        several = list(listed)
        self._whole = frozenset(one for one in several if not one.endswith("*"))
        self._prefixes = tuple(one[:-1] for one in several if one.endswith("*"))

    def __bool__(self) -> bool:
        return bool(self._whole or self._prefixes)

    def match(self, address: str) -> bool:
        """Whether it is listed."""
        return address in self._whole or address.startswith(self._prefixes)
