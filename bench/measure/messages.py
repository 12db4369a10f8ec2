"""What carriers took, put together to whole messages again.

A message is known by its recipient's number, which no other message of the run has. Whoever cut it, its parts are one message:
those that share a number of parts and a concatenation reference, whichever carrier they went to. Copies are counted in whole
messages; a part that came again without the others is no second message but is counted (`parts_again`), for it is no good sign.
"""

from collections.abc import Iterator
from typing import NamedTuple


class Piece(NamedTuple):
    """One submit that a carrier took."""

    channel: int
    received: float
    part: int
    parts: int
    reference: int


class Carried(NamedTuple):
    """One of our submits at the carriers: where and when it was first there, and how often its whole message came."""

    channel: int
    received: float
    copies: int


class _Copy:
    """The pieces that a phone would put together: by part, how many came and the first of them."""

    def __init__(self, parts: int) -> None:
        self.parts = parts
        self.first: dict[int, Piece] = {}
        self.counts: dict[int, int] = {}

    def add(self, piece: Piece) -> None:
        self.counts[piece.part] = self.counts.get(piece.part, 0) + 1
        before = self.first.get(piece.part)
        if before is None or piece.received < before.received:
            self.first[piece.part] = piece

    @property
    def times(self) -> int:
        """How often all of it came."""
        return min(self.counts.values()) if len(self.counts) == self.parts else 0

    @property
    def completed(self) -> Piece:
        """The piece with which it was whole, or as much as ever came."""
        return max(self.first.values(), key=lambda piece: piece.received)


class Messages:
    """Everything carriers took, by recipient."""

    def __init__(self) -> None:
        self._single: dict[int, Piece] = {}
        """Recipients with one piece that is a whole message: nearly all."""
        self._several: dict[int, list[Piece]] = {}
        self._known: set[int] = set()

    def add(self, to: int, piece: Piece) -> None:
        """A carrier took a submit."""
        several = self._several.get(to)
        if several is not None:
            several.append(piece)
        elif piece.parts == 1 and to not in self._single:
            self._single[to] = piece
        else:
            before = self._single.pop(to, None)
            self._several[to] = [piece] if before is None else [before, piece]

    def find(self, to: int, part: int, parts: int) -> Carried | None:
        """What became of our submit of `part` of `parts`. None: no carrier has it.

        Where the target cut the message as we did, the part we sent stands for itself. Where it cut or joined it otherwise,
        only all of its parts together are the message, and it is there with the last of them.
        """
        self._known.add(to)
        single = self._single.get(to)
        if single is not None:
            return Carried(single.channel, single.received, 1)
        if to not in self._several:
            return None
        copies = _copies(self._several[to])
        times = sum(copy.times for copy in copies)
        best = min((copy for copy in copies if copy.times), key=_completed, default=None) or max(copies, key=_size)
        if best.parts == parts:
            piece = best.first.get(part)
            return None if piece is None else Carried(piece.channel, piece.received, times)
        return Carried(best.completed.channel, best.completed.received, times) if best.times else None

    @property
    def parts_again(self) -> int:
        """Parts of ours that came more often than their whole message did."""
        return sum(_left_over(self._several[to]) for to in self._several.keys() & self._known)

    def strangers(self) -> Iterator[int]:
        """Recipients nobody asked about: messages that are not of this run's books."""
        yield from self._single.keys() - self._known
        yield from self._several.keys() - self._known


def _copies(pieces: list[Piece]) -> list[_Copy]:
    found: dict[tuple[int, int], _Copy] = {}
    for piece in pieces:
        key = (piece.parts, piece.reference)
        if key not in found:
            found[key] = _Copy(piece.parts)
        found[key].add(piece)
    return list(found.values())


def _completed(copy: _Copy) -> float:
    return copy.completed.received


def _size(copy: _Copy) -> int:
    return len(copy.first)


def _left_over(pieces: list[Piece]) -> int:
    """Beyond the whole copies; beyond one of each part where there is no whole one, for then the message is not there."""
    copies = _copies(pieces)
    used = sum(copy.times * copy.parts for copy in copies)
    if not used:
        used = max(map(_size, copies))
    return len(pieces) - used
