"""The four kinds of guards in memory: everything of one admission is checked before anything of it is taken."""

from collections import Counter, deque
from collections.abc import Sequence

from gateway.store.base import Guard, Member, Spend, Unique, Window


class GuardBook:
    """What was admitted under which key. Keys that no longer matter are dropped as they are met."""

    def __init__(self) -> None:
        self._unique: dict[str, float] = {}
        self._windows: dict[str, deque[float]] = {}
        self._members: dict[str, set[str]] = {}
        self._purses: Counter[str] = Counter()

    def check(self, guards: Sequence[Guard], utc: float) -> Guard | None:
        """Take all of `guards` and give None, or take nothing and give the first that refuses."""
        taken: list[Guard] = []
        for guard in guards:
            # Each is taken before the next is looked at: one admission may hold two guards on the same key.
            if not self._passes(guard, utc):
                for earlier in reversed(taken):
                    self._return(earlier)
                return guard
            self._take(guard, utc)
            taken.append(guard)
        return None

    def _passes(self, guard: Guard, utc: float) -> bool:
        if isinstance(guard, Unique):
            return self._unique.get(guard.key, 0.0) <= utc
        if isinstance(guard, Window):
            seen = self._windows.get(guard.key)
            while seen and seen[0] <= utc - guard.period_s:
                seen.popleft()
            return len(seen or ()) < guard.limit
        if isinstance(guard, Member):
            return (guard.key in self._members.get(guard.set_name, ())) == guard.must_be
        return self._purses[guard.purse] >= guard.amount

    def _take(self, guard: Guard, utc: float) -> None:
        if isinstance(guard, Unique):
            self._unique[guard.key] = guard.until_utc
        elif isinstance(guard, Window):
            self._windows.setdefault(guard.key, deque()).append(utc)
        elif isinstance(guard, Spend):
            self._purses[guard.purse] -= guard.amount

    def _return(self, guard: Guard) -> None:
        if isinstance(guard, Unique):
            del self._unique[guard.key]
        elif isinstance(guard, Window):
            self._windows[guard.key].pop()
        elif isinstance(guard, Spend):
            self._purses[guard.purse] += guard.amount

    def members(self, set_name: str, add: Sequence[str] = (), remove: Sequence[str] = ()) -> int:
        """Change a member set; its size afterwards."""
        members = self._members.setdefault(set_name, set())
        members.update(add)
        members.difference_update(remove)
        return len(members)

    def fund(self, purse: str, amount: int) -> int:
        """Add to a purse; what it holds afterwards."""
        self._purses[purse] += amount
        return self._purses[purse]
