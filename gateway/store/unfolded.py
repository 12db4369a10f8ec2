"""What stands in the journal's pages and not in the maps yet: by key the page in which it was first, oldest first."""

from typing import Generic, TypeVar

KeyT = TypeVar("KeyT")


class Unfolded(Generic[KeyT]):
    """See the module. Pages from the oldest entry's on must be kept."""

    def __init__(self) -> None:
        self._first: dict[KeyT, int] = {}

    def __len__(self) -> int:
        return len(self._first)

    def __contains__(self, key: KeyT) -> bool:
        return key in self._first

    def note(self, key: KeyT, number: int) -> None:
        """It changed in page `number`."""
        self._first.setdefault(key, number)

    def drop(self, key: KeyT) -> bool:
        """It needs no row. Gives whether it was here."""
        return self._first.pop(key, None) is not None

    def take(self, below: int, limit: int) -> dict[KeyT, int]:
        """Up to `limit` of those that first changed before page `below`, removed."""
        taken: dict[KeyT, int] = {}
        for key, number in self._first.items():
            if number >= below or len(taken) >= limit:
                break
            taken[key] = number
        for key in taken:
            del self._first[key]
        return taken

    def put_back(self, taken: dict[KeyT, int]) -> None:
        """They were not folded after all."""
        self._first = {**taken, **{key: number for key, number in self._first.items() if key not in taken}}

    def first(self, default: int) -> int:
        """The oldest page that is still needed."""
        return next(iter(self._first.values()), default)
