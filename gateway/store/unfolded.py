"""What stands in the journal's pages and not in the maps yet: by key the page in which it was first, oldest first."""

from collections.abc import Iterable
from itertools import islice
from typing import Any, Generic, TypeVar

from gateway.store.changes import Changes
from gateway.store.rollups import Key

KeyT = TypeVar("KeyT")
TRIM_MAX, TRIM_SHARE = 16, 100
"""A write lets go of so many pages of the journal, or of such a part of those that can go."""


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

    def note_all(self, keys: Iterable[KeyT], number: int) -> None:
        """They changed in page `number`."""
        first = self._first
        for key in keys:
            if key not in first:
                first[key] = number

    def drop(self, key: KeyT) -> bool:
        """It needs no row. Gives whether it was here."""
        return self._first.pop(key, None) is not None

    def drop_all(self, keys: Iterable[KeyT]) -> None:
        """They need no rows. Nothing for those that are not here."""
        first = self._first
        if first:
            for key in keys:
                first.pop(key, None)

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

    def put_behind(self, later: dict[KeyT, int]) -> None:
        """They belong here, too; as a rule they changed later than all that are here."""
        first = self._first
        later = {key: number for key, number in later.items() if key not in first}  # what is here is needed from before
        if not later:
            return
        if first and next(iter(later.values())) < next(reversed(first.values())):
            self._first = dict(sorted({**first, **later}.items(), key=lambda one: one[1]))
        else:
            first.update(later)

    def page_of(self, count: int) -> int:
        """The page in which the last one of the `count` oldest changed first."""
        return next(islice(self._first.values(), count - 1, None))

    def first(self, default: int) -> int:
        """The oldest page that is still needed."""
        return next(iter(self._first.values()), default)


class Backlog:
    """Everything unfolded, by kind. `ending`: messages that go to the history instead."""

    def __init__(self) -> None:
        self.messages: Unfolded[int] = Unfolded()
        self.ending: Unfolded[int] = Unfolded()
        self.guards: Unfolded[str] = Unfolded()
        self.notices: Unfolded[int] = Unfolded()
        self.parked: Unfolded[int] = Unfolded()
        self.sums: Unfolded[str] = Unfolded()
        self.rollups: Unfolded[Key] = Unfolded()
        self.documents: Unfolded[str] = Unfolded()
        self.requests: Unfolded[str] = Unfolded()
        self.kept_from = 0
        """The first page the journal still has, or an earlier one."""

    def note(self, changes: Changes, number: int) -> None:
        """Page `number` holds `changes`."""
        for several in (changes.admitted, changes.rewritten, changes.changed, changes.ended):
            self.messages.note_all(several, number)
        self.notices.note_all(changes.notices, number)
        self.parked.note_all(changes.parked, number)
        self.guards.note_all(changes.guards, number)
        self.sums.note_all(changes.sums, number)
        self.rollups.note_all(changes.rollups, number)
        self.documents.note_all(changes.documents, number)
        self.requests.note_all(changes.requests, number)

    def oldest(self, default: int) -> int:
        """The oldest page that is still needed."""
        return min(one.first(default) for one in self._kinds())

    def trim(self, number: int) -> int:
        """The first page to keep when page `number` is written. Letting many go at once would hold up those who wait for it."""
        needed = self.oldest(number)
        over = needed - self.kept_from
        self.kept_from = needed if over <= TRIM_MAX else self.kept_from + max(TRIM_MAX, over // TRIM_SHARE)
        return self.kept_from

    def must_trim(self, number: int) -> bool:
        """Whether so many pages can go that it pays a write of its own."""
        return self.oldest(number) - self.kept_from > TRIM_MAX

    def any_before(self, below: int) -> bool:
        """Whether a row can be made of something that first changed before page `below`."""
        return any(one.first(below) < below for one in self._kinds() if one is not self.ending)

    def _kinds(self) -> "tuple[Unfolded[Any], ...]":
        kinds = (self.messages, self.ending, self.guards, self.notices, self.parked, self.sums, self.rollups)
        return *kinds, self.documents, self.requests
