"""The slots in the windows of a lane's binds: how many are free, and what is stored as leaving and waits for one.

An answer frees a slot. Were the next attempt stored only then, the slot would stay empty for as long as a write to the store
takes; so the attempts of a part of a window are stored ahead of it, and leave in the same pass of the loop that reads the
answers. They are few: a crash leaves open whether they left.
"""

from collections import deque
from collections.abc import Iterable, Sequence

from gateway.core.bind import Bind
from gateway.core.outgoing import Part

SHARE = 4
"""A window divided by this is stored ahead."""
TOGETHER = 8
"""So few parts keep together on one bind: each further one costs a write, and a read of its answers."""


class Ahead:
    """Parts that wait for a slot of one bind. Codes go before all others."""

    __slots__ = ("_codes", "_others")

    def __init__(self) -> None:
        self._codes: deque[Part] = deque()
        self._others: deque[Part] = deque()

    def __len__(self) -> int:
        return len(self._codes) + len(self._others)

    def add(self, parts: Iterable[Part]) -> None:
        """Parts that may leave as soon as there is room."""
        for part in parts:
            (self._codes if part.message.class_ == "verification" else self._others).append(part)

    def take(self, room: int) -> list[Part]:
        """Those that leave now."""
        codes, others = self._codes, self._others
        taken = [codes.popleft() for _ in range(min(room, len(codes)))]
        taken += [others.popleft() for _ in range(min(room - len(taken), len(others)))]
        return taken

    def give_back(self) -> list[Part]:
        """All of them: they cannot leave here."""
        return self.take(len(self))


class Slots:
    """See the module. `window` slots on each of `binds`."""

    def __init__(self, binds: Sequence[Bind], window: int) -> None:
        self.ahead = [Ahead() for _ in binds]
        """By the bind's number."""
        self._binds = binds
        self._most_ahead = window // SHARE

    @property
    def waiting(self) -> int:
        """Parts that are stored as leaving and have not left."""
        return sum(map(len, self.ahead))

    @property
    def unanswered(self) -> int:
        """Submits without answer."""
        return sum(len(bind.session.window) for bind in self._binds if bind.session is not None)

    @property
    def full(self) -> bool:
        """Whether no bind has a free one."""
        return not any(bind.can_send for bind in self._binds)

    def room(self, bind: Bind, now: float, *, ahead: bool) -> int:
        """How many more submits may be stored as leaving on it: what is free, what its rate allows, and some `ahead`."""
        slots = bind.can_send - len(self.ahead[bind.number])
        if ahead and bind.submits and not bind.bucket.rate:  # where a rate limits, an empty slot costs nothing
            slots += self._most_ahead
        return max(0, min(slots, bind.bucket.peek(now)))

    def spread(self, parts: list[Part], now: float, *, ahead: bool) -> list[tuple[Bind, list[Part]]]:
        """A share of the parts for each bind, by its room; a few stay together, and neighbours always, for one write each."""
        shares: list[tuple[Bind, list[Part]]] = []
        at = 0
        ready = sorted((room, bind.number) for bind in self._binds if (room := self.room(bind, now, ahead=ahead)))
        roomiest = ready[-max(1, len(parts) // TOGETHER) :]
        if sum([room for room, _ in roomiest]) >= len(parts):
            ready = roomiest
        for position, (room, number) in enumerate(ready):
            size = min(room, -(-(len(parts) - at) // (len(ready) - position)))
            bind = self._binds[number]
            bind.bucket.take(size, now)
            shares.append((bind, parts[at : at + size]))
            at += size
        return shares

    def give_back(self) -> list[Part]:
        """Everything that is stored as leaving and has not left."""
        return [part for one in self.ahead for part in one.give_back()]
