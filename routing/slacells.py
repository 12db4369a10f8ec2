"""Counts by when messages began, for every combination of class, network, account and channel that there is.

    cell    twenty minutes in slots of 10 s, a day in slots of 10 min; a near slot that is used again goes to its far one
    cells   one for each combination, up to a bound; what is beyond goes to cells without network, then without account

A slot is one integer (see `histogram`), made when it is needed: a delivery is one look-up and one addition. `number` is that of
a near slot: seconds of the boot clock by 10.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple, TypeAlias

from routing.histogram import BEGAN, DELIVERED, FIELD_MASK

NEAR_S, NEAR = 10, 128
FAR_S, FAR = 600, 146
_FOLD = FAR_S // NEAR_S
_NEVER = -(1 << 60)
NO_FAR = 1 << 60
DAY_S = 86_400
CELLS_MAX = 512
SPARE_MAX = 256
"""Cells beyond the bound that keep their accounts apart, but not their networks. With the slots of all full: 80 MB."""
OTHER = "(other)"


class Key(NamedTuple):
    """What a cell is about. No channel: the user's clock."""

    class_: str
    network: str
    account: str
    channel: str = ""


Sums: TypeAlias = dict[Key, list[int]]
"""What is in some spans, packed, by what cells have in common."""


class Cell:
    """See the module."""

    __slots__ = ("far", "far_numbers", "near", "near_numbers", "newest")

    def __init__(self) -> None:
        self.near = [0] * NEAR
        self.near_numbers = [_NEVER] * NEAR
        self.far = [0] * FAR
        self.far_numbers = [_NEVER] * FAR
        self.newest = _NEVER

    def begin(self, number: int, count: int) -> None:
        """So many began."""
        place = number % NEAR
        held = self.near_numbers[place]
        if held == number:
            self.near[place] += count * BEGAN
        elif held > number:
            self._fold(number, count * BEGAN)
        else:
            self._fold(held, self.near[place])
            self.near_numbers[place], self.near[place] = number, count * BEGAN
            self.newest = max(self.newest, number)

    def _fold(self, number: int, packed: int) -> None:
        number //= _FOLD
        place = number % FAR
        held = self.far_numbers[place]
        if held == number:
            self.far[place] += packed
        elif held < number:
            self.far_numbers[place], self.far[place] = number, packed

    def take_back(self, number: int) -> bool:
        """One did not begin after all. Gives whether it was here."""
        place = number % NEAR
        here = self.near_numbers[place] == number and self.near[place] & FIELD_MASK > 0
        if here:
            self.near[place] -= BEGAN
        return here

    def delivered(self, number: int, place: int) -> bool:
        """One of those that began then was. Gives whether any is known to have begun."""
        at = number % NEAR
        held = self.near_numbers[at]
        if held == number:
            self.near[at] += DELIVERED[place]
            return True
        if held < number:
            return False
        number //= _FOLD
        at = number % FAR
        if self.far_numbers[at] != number:
            return False
        self.far[at] += DELIVERED[place]
        return True

    def sum(self, spans: "tuple[Span, ...]") -> list[int]:
        """What is in each of some spans, packed."""
        first, far_first = min([one.first for one in spans]), min([one.far_first for one in spans])
        near: list[tuple[int, int]] = []
        far: list[tuple[int, int]] = []
        if self.newest >= first:
            near = [one for one in zip(self.near_numbers, self.near, strict=True) if one[0] >= first]
        if far_first != NO_FAR:
            far = [one for one in zip(self.far_numbers, self.far, strict=True) if one[0] >= far_first]
        return [
            sum([packed for number, packed in near if span.first <= number <= span.last])
            + sum([packed for number, packed in far if number >= span.far_first])
            for span in spans
        ]


class Span(NamedTuple):
    """Numbers of near slots, both included, and from which far slot on."""

    first: int
    last: int
    far_first: int


class Cells:
    """One of the two clocks."""

    def __init__(self) -> None:
        self.cells: dict[Key, Cell] = {}

    def begin(self, counts: Mapping[tuple[str, str, str, str, int], int]) -> None:
        """So many began, by the fields of a key and the number of a slot."""
        cells = self.cells
        for (*fields, number), count in counts.items():
            cell = cells.get(tuple(fields))  # type: ignore[call-overload]  # a key equals a tuple of its fields
            if cell is None:
                cell = self._made(Key(*fields))
            cell.begin(number, count)

    def _made(self, key: Key) -> Cell:
        """As `key` says if there is room, else where several are counted together."""
        size = len(self.cells)
        if size >= CELLS_MAX:
            key = key._replace(network=OTHER)
        if size >= CELLS_MAX + SPARE_MAX and key not in self.cells:
            key = key._replace(account=OTHER)
        cell = self.cells.get(key)
        if cell is None:
            cell = self.cells[key] = Cell()
        return cell

    def _places(self, key: Key) -> Iterator[Cell]:
        """Where it may have been counted."""
        without = key._replace(network=OTHER)
        for one in (key, without, without._replace(account=OTHER)):
            if (cell := self.cells.get(one)) is not None:
                yield cell

    def delivered(self, key: tuple[str, str, str, str], number: int, place: int) -> None:
        """One that began then was delivered, and took so long. Nothing where none has begun: before a restart."""
        cell = self.cells.get(key)  # type: ignore[call-overload]
        at = number % NEAR
        if cell is not None and cell.near_numbers[at] == number:  # as in `Cell.delivered`: a call less for nearly all
            cell.near[at] += DELIVERED[place]
        else:
            any(one.delivered(number, place) for one in self._places(Key(*key)))

    def take_back(self, key: Key, number: int) -> None:
        """One did not begin after all."""
        any(one.take_back(number) for one in self._places(key))

    def forget(self, at: float) -> None:
        """Combinations that had nothing for a day make room."""
        oldest = int(at - DAY_S - FAR_S) // NEAR_S
        for key in [key for key, cell in self.cells.items() if cell.newest < oldest]:
            del self.cells[key]

    def sums(self, spans: tuple[Span, ...], by: Collection[str], only: Mapping[str, str], step: int) -> Iterator[Sums | None]:
        """The spans' sums of the cells that have the values in `only`, by the fields named in `by` (the others are empty), as
        the last that is given; before that None after each `step` cells, for whoever lets others have their turn.
        """
        found: Sums = {}
        kept = [name in by for name in Key._fields]
        for at, (key, cell) in enumerate(list(self.cells.items()), 1):
            if all(getattr(key, name) == value for name, value in only.items()):
                group = Key(*[value if keep else "" for value, keep in zip(key, kept, strict=True)])
                mine, held = cell.sum(spans), found.get(group)
                found[group] = mine if held is None else [one + other for one, other in zip(held, mine, strict=True)]
            if at % step == 0:
                yield None
        yield found
