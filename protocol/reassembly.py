"""Parts that arrive in any order, repeated or never, back into whole messages."""

from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

PartT = TypeVar("PartT")


class Group(Generic[PartT]):
    """What has come of one message; `parts` by number (from 1), `since` in seconds."""

    __slots__ = ("key", "parts", "since", "total")

    def __init__(self, key: Hashable, total: int, since: float) -> None:
        self.key = key
        self.total = total
        self.since = since
        self.parts: dict[int, PartT] = {}

    def in_order(self) -> list[PartT]:
        """The parts that are there, by number."""
        return [self.parts[number] for number in sorted(self.parts)]


class Reassembler(Generic[PartT]):
    """Collects parts by key: (source, destination, reference, width, total) is what tells messages apart.

    A group lives `timeout_s`; at most `groups_max` with `parts_max` parts are kept, the oldest is given up first.
    """

    def __init__(self, timeout_s: float = 60.0, groups_max: int = 10_000, parts_max: int = 1_000_000) -> None:
        self.timeout_s = timeout_s
        self.groups_max = groups_max
        self.parts_max = parts_max
        self._parts = 0
        self._groups: OrderedDict[Hashable, Group[PartT]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._groups)

    def add(self, key: Hashable, total: int, number: int, part: PartT, now: float) -> Group[PartT] | None:
        """The complete group when `part` was the last one missing, else None. A repeated part replaces the first."""
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = Group(key, total, now)
        self._parts += number not in group.parts
        group.parts[number] = part
        return self.take(key) if len(group.parts) >= group.total else None

    def get(self, key: Hashable) -> Group[PartT] | None:
        """A group that is not whole yet."""
        return self._groups.get(key)

    def take(self, key: Hashable) -> Group[PartT]:
        """The same, removed. Raises KeyError."""
        group = self._groups.pop(key)
        self._parts -= len(group.parts)
        return group

    def give_up(self, now: float) -> list[Group[PartT]]:
        """Groups that waited too long or are too many, removed."""
        found = []
        while self._groups:
            group = next(iter(self._groups.values()))
            many = len(self._groups) > self.groups_max or self._parts > self.parts_max
            if now - group.since < self.timeout_s and not many:
                break
            found.append(self.take(group.key))
        return found
