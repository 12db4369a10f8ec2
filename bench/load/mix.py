"""Which class is next: shares kept exactly over any stretch, in an order that is always the same."""

from collections.abc import Mapping


def parse_mix(spec: str) -> dict[str, float]:
    """Read `verification=10,notification=30,marketing=60`; only the ratio counts. Raises ValueError."""
    found: dict[str, float] = {}
    for item in spec.split(","):
        name, equals, share = item.strip().partition("=")
        try:
            found[name] = float(share) if equals else 1.0
        except ValueError:
            raise ValueError(f"--mix: {share!r} is no number, such as verification=10,marketing=90") from None
        if not name or found[name] <= 0:
            raise ValueError("--mix: a name and a share above 0 each, such as verification=10,marketing=90")
    return found


class Mix:
    """Smooth weighted turns: each message goes to the class that is furthest behind its share."""

    def __init__(self, shares: Mapping[str, float]) -> None:
        self._shares = list(shares.values())
        self._sum = sum(self._shares)
        self._credit = [0.0] * len(self._shares)

    def next(self) -> int:
        """The index of the next message's class."""
        credit = self._credit
        if len(credit) == 1:
            return 0
        for at, share in enumerate(self._shares):
            credit[at] += share
        found = credit.index(max(credit))
        credit[found] -= self._sum
        return found
