"""When the ten seconds are missed for some minutes, and when they are kept again: of each class, of each class on each channel,
and of each account's messages of a class.
"""

from collections.abc import Iterator
from typing import NamedTuple

from routing.slacells import OTHER, Cells, Key
from routing.slawindows import EMPTY, WindowShare, shares

WINDOW = "5m"
LOOK_S = 60.0
TARGET_WITHIN, TARGET_ARRIVAL = 0.95, 0.99
SUSTAINED = 3
"""Looks in a row before it is a breach or a recovery."""
DUE_MIN = 20
ACCOUNT_DUE_MIN = 50
"""An account is told of what its own messages show: one late of twenty is no breach of its own."""
BREACH, RECOVERY = "breach", "recovery"


class Turn(NamedTuple):
    """A breach or a recovery of what `key` names; `since` (boot clock): when it was first seen so."""

    what: str
    key: Key
    share: WindowShare
    since: float


class Watch:
    """One of them."""

    def __init__(self, due_min: int = DUE_MIN) -> None:
        self.breached = False
        self._due_min = due_min
        self._against = 0
        self._since = 0.0

    def look(self, share: WindowShare, at: float) -> str:
        """Gives "breach", "recovery" or nothing."""
        if share.due < self._due_min or share.within is None:
            return ""
        bad = share.within < TARGET_WITHIN or (share.arrival is not None and share.arrival < TARGET_ARRIVAL)
        if bad is self.breached:
            self._against = 0
            return ""
        if not self._against:
            self._since = at
        self._against += 1
        if self._against < SUSTAINED:
            return ""
        self.breached, self._against = bad, 0
        return BREACH if bad else RECOVERY

    @property
    def since(self) -> float:
        """When the first look of the latest turn was."""
        return self._since


class Watches:
    """All of them. The user's clock judges classes and accounts, the channel's the classes on it."""

    def __init__(self) -> None:
        self._watches: dict[Key, Watch] = {}
        self._looked_at = 0.0
        self._looking: Iterator[list[Turn]] = iter(())

    @property
    def breached(self) -> list[Key]:
        """What is in breach now."""
        return [key for key, watch in self._watches.items() if watch.breached]

    def look(self, user: Cells, channel: Cells, at: float) -> list[Turn]:
        """What has turned. There is a look each minute; with very many accounts it takes several calls."""
        for turns in self._looking:
            return turns
        if at - self._looked_at < LOOK_S:
            return []
        self._looked_at = at
        self._looking = self._look(user, channel, at)
        return next(self._looking)

    def _look(self, user: Cells, channel: Cells, at: float) -> Iterator[list[Turn]]:
        user.forget(at)
        channel.forget(at)
        seen: set[Key] = set()
        turns: list[Turn] = []
        for cells, by in ((user, ("class",)), (channel, ("class", "channel")), (user, ("class", "account"))):
            for one in shares(cells, WINDOW, at, by):
                if one is None:
                    yield turns
                    turns = []
                elif one[0].account != OTHER:
                    seen.add(one[0])
                    turns += self._judge(*one, at)
        yield turns + self._gone(seen, at)

    def _judge(self, key: Key, share: WindowShare, at: float) -> list[Turn]:
        watch = self._watches.get(key)
        if watch is None:
            watch = self._watches[key] = Watch(ACCOUNT_DUE_MIN if key.account else DUE_MIN)
        what = watch.look(share, at)
        return [Turn(what, key, share, watch.since)] if what else []

    def _gone(self, seen: set[Key], at: float) -> list[Turn]:
        """What had no messages for a day is watched no longer, and nothing stays in breach for it."""
        gone = {key: self._watches.pop(key) for key in [key for key in self._watches if key not in seen]}
        return [Turn(RECOVERY, key, EMPTY, at) for key, watch in gone.items() if watch.breached]
