"""The slots in the windows of a lane's binds: how many are free, and what is stored as leaving and waits for one.

An answer frees a slot. Were the next attempt stored only then, the slot would stay empty for as long as a write to the store
takes; so the attempts of a part of a window are stored ahead of it, and leave in the same pass of the loop that reads the
answers. They are few: a crash leaves open whether they left. They are whole messages: of a long one parts may be out already.
"""

from collections import deque
from collections.abc import Iterable, Sequence
from typing import TypeAlias

from gateway.core.bind import Bind
from gateway.core.part import Part

SHARE = 4
"""A window divided by this is stored ahead; as much again for codes, so that they never stand behind others."""
TOGETHER = 8
"""So few parts keep together on one bind: each further one costs a write, and a read of its answers."""
SILENT_S = 1.0
"""A full window without any answer for so long: what waits goes elsewhere, and nothing more is stored ahead for it."""

Rooms: TypeAlias = list[tuple[int, int]]
"""(room, number) of each bind that has any."""


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


class Slots:
    """See the module. `window` slots on each of `binds`, which are known by their numbers."""

    def __init__(self, binds: Sequence[Bind], window: int) -> None:
        self._binds = binds
        self._ahead = [Ahead() for _ in binds]
        self._heard_at = [0.0] * len(binds)
        """When it last answered, or was asked while it owed no answer."""
        self.most = window // SHARE
        """How many are stored ahead on each, and as many codes."""

    # -- how it stands

    @property
    def waiting(self) -> int:
        """Parts that are stored as leaving and have not left."""
        return sum(map(len, self._ahead))

    @property
    def unanswered(self) -> int:
        """Submits without answer."""
        return sum(map(_asked, self._binds))

    @property
    def full(self) -> bool:
        """Whether no bind has a free one."""
        return not any(bind.can_send for bind in self._binds)

    def heard(self, bind: Bind, now: float) -> None:
        """It has answered something."""
        self._heard_at[bind.number] = now

    # -- room, and who gets it

    def free(self, now: float) -> Rooms:
        """Slots that are free, as far as binds' rates allow."""
        rooms = [(bind.can_send - len(self._ahead[bind.number]), bind) for bind in self._binds]
        allowed = [(min(room, bind.bucket.peek(now)), bind.number) for room, bind in rooms if room > 0]
        return [one for one in allowed if one[0]]

    def wait_s(self, now: float) -> float:
        """Until the rate of a bind with room allows something; 0 when windows are full, which only an answer will change."""
        return min([bind.bucket.wait_s(now) for bind in self._binds if bind.can_send], default=0.0)

    def beyond(self, now: float) -> Rooms:
        """How many codes may be stored ahead. Where a rate limits, a slot that is empty for a moment costs nothing: none."""
        most = 2 * self.most
        binds = [one for one in self._binds if one.submits and not one.bucket.rate and not self._silent(one, now)]
        return [(room, one.number) for one in binds if (room := most - len(self._ahead[one.number])) > 0]

    def spread(self, parts: list[Part], rooms: Rooms, now: float, together: int = TOGETHER) -> list[tuple[Bind, list[Part]]]:
        """A share of the parts for each bind, by its room; a few stay together, and neighbours always, for one write each."""
        shares: list[tuple[Bind, list[Part]]] = []
        at = 0
        ready = sorted(rooms)
        roomiest = ready[-max(1, len(parts) // together) :]
        if sum([room for room, _ in roomiest]) >= len(parts):
            ready = roomiest
        for position, (room, number) in enumerate(ready):
            size = min(room, -(-(len(parts) - at) // (len(ready) - position)))
            bind = self._binds[number]
            bind.bucket.take(size, now)
            shares.append((bind, parts[at : at + size]))
            at += size
        return shares

    # -- what waits

    def add(self, bind: Bind, parts: Iterable[Part]) -> None:
        """They are stored as leaving on this bind."""
        self._ahead[bind.number].add(parts)

    def take(self, bind: Bind, now: float) -> list[Part]:
        """Those that leave now."""
        if not _asked(bind):
            self._heard_at[bind.number] = now
        return self._ahead[bind.number].take(bind.can_send)

    def give_back(self, bind: Bind) -> list[Part]:
        """All of them: they cannot leave there."""
        ahead = self._ahead[bind.number]
        return ahead.take(len(ahead))

    def give_back_stuck(self, now: float) -> list[Part]:
        """Those of binds whose window is full and that answer nothing, though others may."""
        return [part for bind in self._binds if self._silent(bind, now) and not bind.can_send for part in self.give_back(bind)]

    def _silent(self, bind: Bind, now: float) -> bool:
        return _asked(bind) > 0 and now - self._heard_at[bind.number] > SILENT_S


def _asked(bind: Bind) -> int:
    """Submits it has not answered."""
    return len(bind.session.window) if bind.session is not None else 0
