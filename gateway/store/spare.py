"""Guards that have their rows, and may leave memory when there are too many."""

from collections import deque
from collections.abc import Iterable

from gateway.store.guards import GuardBook
from gateway.store.unfolded import Unfolded

SLACK = 10_000


class Spare:
    """Keys in the order in which they got their rows; whether one has changed since is asked when its turn comes."""

    def __init__(self) -> None:
        self._keys: deque[str] = deque()

    def __len__(self) -> int:
        return len(self._keys)

    def add(self, keys: Iterable[str]) -> None:
        """They are in the vault as they are held."""
        self._keys += keys

    def take(self, guards: GuardBook, unfolded: Unfolded[str], most: int) -> list[str]:
        """The oldest that need not be held, as many as are held beyond `most`."""
        keys, held, changed = self._keys, guards.held, guards.changes.guards
        if len(keys) > 2 * len(held) + SLACK:  # one that changes often is here once for each row it had
            keys = self._keys = deque(dict.fromkeys(key for key in keys if key in held))
        taken: dict[str, None] = {}
        over = len(held) - most
        while keys and len(taken) < over:
            key = keys.popleft()
            if key in held and key not in unfolded and key not in changed:
                taken[key] = None
        return list(taken)
