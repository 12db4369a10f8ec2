"""The kinds of guards: everything of one admission is checked before anything of it is taken.

The book holds what it has been told of: everything in memory, or a cache over a durable map of millions of keys. There a key
that is not held must be brought before it is checked (`missing`, `bring`); the book's changes name what the last steps
changed. A key is spelled with its kind, `u`, `w`, `m` or `l`. Its value is a list of times: until when for unique ones, when
each was taken for windows, nothing in particular for members; for marks until when it is kept, when the last message went,
and its id in two halves, for a float holds no more. An empty list says the key is known not to be there.
"""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from gateway.store.base import Marked
from gateway.store.changes import Changes
from routing.guards import Guard, Mark, Member, Spend, Unique, Window

Times: TypeAlias = list[float]
_NONE: Times = []
MEMBER: Times = [0.0]


def window_key(guard: Window) -> str:
    """How a window is spelled: its period first, so that the key alone tells how long a time matters."""
    return f"w{guard.period_s:.0f}\x1f{guard.key}"


def member_key(set_name: str, key: str) -> str:
    """How membership is spelled."""
    return f"m{set_name}\x1f{key}"


def mark_key(key: str) -> str:
    """How a mark is spelled."""
    return f"l{key}"


class GuardBook:
    """What was admitted under which key. `complete`: a key that is not held does not exist."""

    def __init__(self, changes: Changes, *, complete: bool = True) -> None:
        self.changes = changes
        self.complete = complete
        self.held: dict[str, Times] = {}
        self.sums: dict[str, int] = {}
        """Purses, spelled `p` + name, and sizes of member sets, spelled `n` + name; few, all held."""
        self.owed: list[tuple[Guard, float]] = []

    # -- admission

    def check(self, guards: Sequence[Guard], utc: float) -> Guard | None:
        """Take all of `guards` and give None, or take nothing and give the first that refuses."""
        for at, guard in enumerate(guards):
            # Each is taken before the next is looked at: one admission may hold two guards on the same key.
            if not self._pass(guard, utc):
                for earlier in reversed(guards[:at]):
                    self._return(earlier, utc)
                return guard
        return None

    def _pass(self, guard: Guard, utc: float) -> bool:
        """Take it if it lets pass."""
        kind = guard.__class__
        if kind is Window:
            return self._pass_window(guard, utc)  # type: ignore[arg-type]
        if kind is Unique:
            key = "u" + guard.key  # type: ignore[union-attr]
            times = self.held.get(key)
            if times and times[0] > utc:
                return False
            self.held[key] = [guard.until_utc]  # type: ignore[union-attr]
            self.changes.guards.add(key)
            return True
        if isinstance(guard, Member):
            return bool(self.held.get(member_key(guard.set_name, guard.key))) == guard.must_be
        if not isinstance(guard, Spend):
            return True  # a mark
        key = "p" + guard.purse
        left = self.sums.get(key, 0) - guard.amount
        if left < 0:
            return False
        self.sums[key] = left
        self.changes.sums.add(key)
        return True

    def _pass_window(self, guard: Window, utc: float) -> bool:
        key = window_key(guard)
        at = guard.at_utc or utc
        times = self.held.get(key, _NONE)
        if _full(times, at, guard):
            return False
        if times and times[0] <= utc - guard.period_s:  # they matter to nothing that comes
            times = [one for one in times if one > utc - guard.period_s]
        times = [*times, at]
        if len(times) > 1 and times[-2] > at:  # in order, also with those that come due later
            times.sort()
        self._put(key, times)
        return True

    def release(self, guards: Iterable[Guard], utc: float) -> None:
        """The message ended without having left: what it took is given back, unless the guard says otherwise.

        `utc` is when it was admitted. What is not held is owed until it has been brought.
        """
        for guard in guards:
            if not isinstance(guard, Member | Mark) and guard.returns:
                if self.missing((guard,)):
                    self.owed.append((guard, utc))
                else:
                    self._return(guard, utc)

    def take_back(self, guards: Iterable[Guard], utc: float) -> None:
        """The message was not accepted after all: everything it took at `utc` is given back."""
        for guard in guards:
            if not isinstance(guard, Member):
                self._return(guard, utc)

    def pay(self) -> None:
        """Give back what was owed and is held now."""
        owed, self.owed = self.owed, []
        for guard, utc in owed:
            self.release((guard,), utc)

    def _return(self, guard: Guard, utc: float) -> None:
        if isinstance(guard, Spend):
            self.sums["p" + guard.purse] += guard.amount
            self.changes.sums.add("p" + guard.purse)
        elif isinstance(guard, Unique):
            if self.held.get("u" + guard.key) == [guard.until_utc]:  # else it was taken anew since
                self._put("u" + guard.key, [])
        elif isinstance(guard, Window):
            key, left = window_key(guard), list(self.held.get(window_key(guard), _NONE))
            if (guard.at_utc or utc) in left:
                left.remove(guard.at_utc or utc)
                self._put(key, left)

    # -- marks

    def mark(self, mark: Mark, message_id: int, utc: float) -> None:
        """A message goes to a carrier; what was there before need not be known."""
        self._put(mark_key(mark.key), [utc + mark.period_s, utc, float(message_id >> 32), float(message_id & 0xFFFFFFFF)])

    def marks(self, keys: Iterable[str], utc: float) -> dict[str, Marked]:
        """Those of the keys that were marked, not too long ago."""
        found: dict[str, Marked] = {}
        for key in keys:
            times = self.held.get(mark_key(key))
            if times and times[0] > utc:
                found[key] = Marked(times[1], int(times[2]) << 32 | int(times[3]))
        return found

    def _put(self, key: str, times: Times) -> None:
        self.held[key] = times
        self.changes.guards.add(key)

    # -- administration

    def members(self, set_name: str, add: Sequence[str] = (), remove: Sequence[str] = ()) -> int:
        """Change a member set; its size afterwards."""
        size = self.sums.get("n" + set_name, 0)
        for keys, value, change in ((add, MEMBER, 1), (remove, _NONE, -1)):
            for key in keys:
                spelled = member_key(set_name, key)
                if bool(self.held.get(spelled)) != bool(value):
                    self._put(spelled, list(value))
                    size += change
        if add or remove:
            self.sums["n" + set_name] = size
            self.changes.sums.add("n" + set_name)
        return size

    def fail(self, window: Window, utc: float) -> bool:
        """Note a failure in `window`; gives whether there are as many now as its limit, and then forgets them."""
        key = window_key(window)
        times = [one for one in self.held.get(key, _NONE) if one > utc - window.period_s]
        full = len(times) + 1 >= window.limit
        self._put(key, [] if full else [*times, utc])
        return full

    def forgive(self, window: Window) -> None:
        """Nothing has failed."""
        if self.held.get(window_key(window)):
            self._put(window_key(window), [])

    def is_member(self, set_name: str, key: str) -> bool:
        """Whether it is known to be one."""
        return bool(self.held.get(member_key(set_name, key)))

    def members_here(self, set_name: str) -> dict[str, bool]:
        """What is held of a set: key to whether it is a member."""
        start = member_key(set_name, "")
        return {key[len(start) :]: bool(value) for key, value in self.held.items() if key.startswith(start)}

    def would_pass(self, guard: Guard, utc: float) -> bool:
        """Whether it lets pass; nothing is taken."""
        if isinstance(guard, Window):
            return not _full(self.held.get(window_key(guard), _NONE), guard.at_utc or utc, guard)
        if isinstance(guard, Unique):
            times = self.held.get("u" + guard.key)
            return not times or times[0] <= utc
        if isinstance(guard, Member):
            return bool(self.held.get(member_key(guard.set_name, guard.key))) == guard.must_be
        return not isinstance(guard, Spend) or self.sums.get("p" + guard.purse, 0) >= guard.amount

    def has_purse(self, purse: str) -> bool:
        """Whether anything was ever put into it."""
        return "p" + purse in self.sums

    def fund(self, purse: str, amount: int) -> int:
        """Add to a purse; what it holds afterwards."""
        held = self.sums.get("p" + purse, 0) + amount
        if amount:
            self.sums["p" + purse] = held
            self.changes.sums.add("p" + purse)
        return held

    # -- over a durable map

    def still(self, guards: Iterable[Guard]) -> Guard | None:
        """The first membership that has changed since the guards were taken: an opt-out, a block. None: nothing has."""
        for guard in guards:
            if isinstance(guard, Member) and bool(self.held.get(member_key(guard.set_name, guard.key))) != guard.must_be:
                return guard
        return None

    def missing(self, guards: Iterable[Guard]) -> list[str]:
        """Keys of `guards` that must be brought first."""
        if self.complete:
            return []
        held = self.held
        keys = []
        for guard in guards:
            if isinstance(guard, Spend | Mark):
                continue
            if isinstance(guard, Member):
                if not self.sums.get("n" + guard.set_name):
                    continue  # nobody is in it
                key = member_key(guard.set_name, guard.key)
            else:
                key = "u" + guard.key if isinstance(guard, Unique) else window_key(guard)
            if key not in held:
                keys.append(key)
        return keys

    def bring(self, found: dict[str, Times]) -> None:
        """What the durable map says of keys; an empty list where it has none. What is held already is newer."""
        for key, times in found.items():
            self.held.setdefault(key, times)

    def forget(self, keys: Iterable[str]) -> None:
        """Hold these no longer; the durable map has them."""
        for key in keys:
            self.held.pop(key, None)


def _full(times: Times, at: float, guard: Window) -> bool:
    """Whether so many count within a period of `at` that no more may."""
    if len(times) < guard.limit:
        return False
    floor, ceiling = at - guard.period_s, at + guard.period_s
    return sum(floor < one < ceiling for one in times) >= guard.limit


def useful(key: str, times: Times, utc: float) -> bool:
    """Whether the value can still refuse anything at `utc`."""
    if not times:
        return False
    if key[0] in "ul":
        return times[0] > utc
    return key[0] == "m" or times[-1] + float(key[1 : key.index("\x1f")]) > utc
