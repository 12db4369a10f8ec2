"""The kinds of guards: everything of one admission is checked before anything of it is taken.

The book holds what it has been told of: everything in memory, or a cache over a durable map of millions of keys. There a key
that is not held must be brought before it is checked (`missing`, `bring`), unless it is known not to be there (`stored`); the
book's changes name what the last steps changed. What is held by key:

    c + cell              the cell's entries: until when for unique ones, minus the period and the times it was taken for
                          windows, forever for sets the cell's key is a member of
    m + set + member      that it is one, for who lists the set
    l + key               a mark: until when it is kept, when the last message went, and its id in two halves, for a float holds
                          no more

An empty value says the key is known not to be there. Every entry begins with what tells how long it matters (`useful`).
"""

from collections.abc import Collection, Iterable, Sequence

from gateway.store.base import Marked
from gateway.store.changes import Changes
from gateway.store.guardcells import Entries, GuardCells, Times
from gateway.store.keyfilter import KeyFilter
from routing.guards import Cell, Guard, Kept, Mark, Member, Spend, Unique, Window

FOREVER = 1e18
ENTRIES_MAX, UNIQUES_MAX = 16, 32
"""Of a cell, before those that are over are taken out; and of its unique keys, of which the oldest are forgotten: who sends
thousands of texts to one recipient must not make each of them dearer than the one before.
"""
_TAKING = (Unique, Window, Spend)
ONE = "."
"""The only entry of what is no cell."""


def cell_key(key: str) -> str:
    """How a cell is spelled."""
    return f"c{key}"


def member_key(set_name: str, key: str) -> str:
    """How membership is spelled for those who list it."""
    return f"m{set_name}\x1f{key}"


def mark_key(key: str) -> str:
    """How a mark is spelled that has no cell."""
    return f"l{key}"


def places_of_mark(key: str) -> tuple[str, str]:
    """Where a mark may be: by itself, and in the cell its key ends with."""
    return mark_key(key), cell_key(key.rpartition("\x1f")[2])


def cell_of(guard: Cell | Kept) -> tuple[str, Sequence[Kept], float]:
    """Where a guard is kept, all that are there with it, and when they count (0: when they are taken)."""
    if type(guard) is Cell:
        return cell_key(guard.key), guard.guards, guard.at_utc
    assert not isinstance(guard, Cell)
    if isinstance(guard, Window):
        return cell_key(f"{guard.period_s:.0f}\x1f{guard.key}"), (guard,), 0.0
    return cell_key(f"u\x1f{guard.key}" if isinstance(guard, Unique) else guard.key), (guard,), 0.0


def marks_cell(guard: Guard) -> bool:
    """Whether a message with this guard marks the cell of its recipient when it goes."""
    return type(guard) is Cell and guard.mark is not None


def each(guards: Iterable[Guard]) -> list[Guard]:
    """The single guards, cells opened."""
    return [one for guard in guards for one in (guard.guards if isinstance(guard, Cell) else (guard,))]


class GuardBook:
    """What was admitted under which key. `complete`: a key that is not held does not exist."""

    def __init__(self, changes: Changes, *, complete: bool = True) -> None:
        self.changes = changes
        self.complete = complete
        self.held = GuardCells()
        self.sums: dict[str, int] = {}
        """Purses, spelled `p` + name, and sizes of member sets, spelled `n` + name; few, all held."""
        self.owed: list[tuple[Guard, float]] = []
        self.stored = KeyFilter()
        """Keys that are in the durable map and not held, as far as can be told without reading it."""

    # -- admission

    def check(self, guards: Sequence[Guard], utc: float) -> Guard | None:
        """Take all of `guards` and give None, or take nothing and give the first that refuses."""
        for at, guard in enumerate(guards):
            # Each is taken before the next is looked at: one admission may hold two guards on the same key.
            refused = self._take(guard, utc)
            if refused is not None:
                for earlier in reversed(guards[:at]):
                    self._return(earlier, utc)
                return refused
        return None

    def _take(self, guard: Guard, utc: float) -> Guard | None:
        """Take it if it lets pass; else the one that does not."""
        if type(guard) is Mark:
            return None
        if type(guard) is Spend:
            return None if self._spend(guard) else guard
        key, guards, at_utc = cell_of(guard)  # type: ignore[arg-type]
        entries = self._entries(key)
        refused, taken = _judge(entries, guards, at_utc, utc)
        if refused is not None:
            return refused
        if taken:
            entries = {**entries, **taken} if entries else taken
            self._put(key, _fewer(entries, utc) if len(entries) > ENTRIES_MAX else entries)
        return None

    def _spend(self, guard: Spend) -> bool:
        key = "p" + guard.purse
        left = self.sums.get(key, 0) - guard.amount
        if left < 0:
            return False
        self.sums[key] = left
        self.changes.sums.add(key)
        return True

    def release(self, guards: Iterable[Guard], utc: float) -> None:
        """The message ended without having left: what it took is given back, unless the guard says otherwise.

        `utc` is when it was admitted. What is not held is owed until it has been brought.
        """
        for guard in guards:
            if any(isinstance(one, _TAKING) and one.returns for one in each((guard,))):
                if self.missing((guard,)):
                    self.owed.append((guard, utc))
                else:
                    self._return(guard, utc, always=False)

    def take_back(self, guards: Iterable[Guard], utc: float) -> None:
        """The message was not accepted after all: everything it took at `utc` is given back."""
        for guard in guards:
            self._return(guard, utc)

    def pay(self) -> None:
        """Give back what was owed and is held now."""
        owed, self.owed = self.owed, []
        for guard, utc in owed:
            self.release((guard,), utc)

    def _return(self, guard: Guard, utc: float, *, always: bool = True) -> None:
        """Give back what was taken at `utc`; not `always`: unless the guard says that it stays taken."""
        if isinstance(guard, Mark):
            return
        if isinstance(guard, Spend):
            self.sums["p" + guard.purse] += guard.amount
            self.changes.sums.add("p" + guard.purse)
            return
        key, guards, at_utc = cell_of(guard)
        entries = self.held.get(key)
        if entries:
            undone = False
            for one in guards:
                if not isinstance(one, Member) and (always or one.returns):
                    undone |= _undo(entries, one, at_utc or utc)
            if undone:
                self._put(key, entries)

    # -- marks

    def mark(self, guards: Sequence[Guard], message_id: int, utc: float) -> None:
        """A message goes to a carrier. A mark of its own is written over whatever is there, known or not."""
        first, last = guards[0], guards[-1]
        if type(last) is Mark:
            self._put(mark_key(last.key), {ONE: _marked(last, message_id, utc)})
        elif type(first) is Cell and (mark := first.mark) is not None:
            key = cell_key(first.key)
            self._put(key, {**self._entries(key), "l" + mark.key: _marked(mark, message_id, utc)})

    def marks(self, keys: Iterable[str], utc: float) -> dict[str, Marked]:
        """Those of the keys that were marked, not too long ago; a key may also be an entry of the cell it ends with."""
        found: dict[str, Marked] = {}
        for key in keys:
            entry, _, cell = key.rpartition("\x1f")
            alone, within = self._entries(mark_key(key)).get(ONE), self._entries(cell_key(cell)).get("l" + entry)
            known = [Marked(one[1], int(one[2]) << 32 | int(one[3])) for one in (alone, within) if one and one[0] > utc]
            if known:
                found[key] = max(known)
        return found

    def _entries(self, key: str) -> Entries:
        return self.held.get(key) or {}

    def _put(self, key: str, entries: Entries) -> None:
        self.held[key] = entries
        self.changes.guards.add(key)

    # -- administration

    def members(self, set_name: str, add: Sequence[str] = (), remove: Sequence[str] = ()) -> int:
        """Change a member set; its size afterwards."""
        size = self.sums.get("n" + set_name, 0)
        entry = "m" + set_name
        for keys, joins in ((add, True), (remove, False)):
            for key in keys:
                entries = self._entries(cell_key(key))
                if (entry in entries) is joins:
                    continue
                if joins:
                    entries[entry] = (FOREVER,)
                else:
                    del entries[entry]
                self._put(cell_key(key), entries)
                self._put(member_key(set_name, key), {ONE: (FOREVER,)} if joins else {})
                size += 1 if joins else -1
        if add or remove:
            self.sums["n" + set_name] = size
            self.changes.sums.add("n" + set_name)
        return size

    def fail(self, key: str, window: Window, utc: float) -> bool:
        """Note a failure in a window of a cell; gives whether there are as many now as its limit, and then forgets them."""
        entries = self._entries(cell_key(key))
        times = [one for one in entries.get(window.key, ())[1:] if one > utc - window.period_s]
        full = len(times) + 1 >= window.limit
        if full:
            entries.pop(window.key, None)
        else:
            entries[window.key] = (-window.period_s, *times, utc)
        self._put(cell_key(key), entries)
        return full

    def forgive(self, key: str, window: Window) -> None:
        """Nothing has failed."""
        entries = self._entries(cell_key(key))
        if entries.pop(window.key, None) is not None:
            self._put(cell_key(key), entries)

    def is_member(self, set_name: str, key: str) -> bool:
        """Whether it is known to be one."""
        return "m" + set_name in self._entries(cell_key(key))

    def members_here(self, set_name: str) -> dict[str, bool]:
        """What is held of a set: key to whether it is a member."""
        start = member_key(set_name, "")
        return {key[len(start) :]: not self.held.is_empty(key) for key in self.held if key.startswith(start)}

    def would_pass(self, guards: Iterable[Guard], utc: float) -> list[tuple[Guard, bool]]:
        """Each single guard and whether it lets pass; nothing is taken."""
        found: list[tuple[Guard, bool]] = []
        for guard in guards:
            if isinstance(guard, Spend):
                found.append((guard, self.sums.get("p" + guard.purse, 0) >= guard.amount))
            elif isinstance(guard, Mark):
                found.append((guard, True))
            else:
                key, single, at_utc = cell_of(guard)
                entries = self._entries(key)
                found += [(one, _judge(entries, (one,), at_utc, utc)[0] is None) for one in single]
        return found

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
            if isinstance(guard, (Cell, Member)):
                key, single, _ = cell_of(guard)
                entries = self._entries(key)
                for one in single:
                    if type(one) is Member and ("m" + one.set_name in entries) is not one.must_be:
                        return one
        return None

    def missing(self, guards: Iterable[Guard], *, members_only: bool = False) -> list[str]:
        """Keys of `guards` that must be brought first. `members_only`: those that are asked again later."""
        if self.complete:
            return []
        held, sums, stored = self.held, self.sums, self.stored
        keys = []
        for guard in guards:
            if isinstance(guard, (Spend, Mark)):
                continue
            key, single, _ = cell_of(guard)
            if key in held or not stored.may_hold(key):
                continue
            if members_only and marks_cell(guard):
                keys.append(key)
                continue
            if not members_only and single and type(single[-1]) is not Member:  # lists come first as a rule
                keys.append(key)
                continue
            for one in single:
                # Of a set that nobody is in nothing needs to be known.
                if sums.get("n" + one.set_name) if type(one) is Member else not members_only:
                    keys.append(key)
                    break
        return keys

    def missing_for_debts(self) -> list[str]:
        """Keys that must be brought before what is owed can be given back."""
        return self.missing([guard for guard, _ in self.owed])

    def bring(self, found: dict[str, Entries]) -> None:
        """What the durable map says of keys; nothing where it has none. What is held already is newer."""
        for key, entries in found.items():
            if key not in self.held:
                self.held[key] = entries

    def forget(self, keys: Collection[str]) -> None:
        """Hold these no longer; the durable map has them."""
        self.stored.add([key for key in keys if not self.held.is_empty(key)])
        for key in keys:
            self.held.drop(key)

    def live(self, key: str, utc: float) -> Entries:
        """What of a key still matters, with a few that do not; empty when nothing does."""
        entries = self.held[key]
        if len(entries) > ENTRIES_MAX:
            entries = self.held[key] = {name: times for name, times in entries.items() if useful(times, utc)}
        for times in entries.values():
            if useful(times, utc):
                return entries
        return {}


def _judge(entries: Entries, guards: Sequence[Kept], at_utc: float, utc: float) -> tuple[Guard | None, Entries]:
    """The first that refuses; else what those that take something make of their entries."""
    taken: Entries = {}
    for guard in guards:
        if type(guard) is Member:
            if ("m" + guard.set_name in entries) is not guard.must_be:
                return guard, taken
        elif type(guard) is Unique:
            times = taken.get(guard.key) or entries.get(guard.key)
            if times and times[0] > utc:
                return guard, taken
            taken[guard.key] = (guard.until_utc,)
        else:
            assert type(guard) is Window
            times = taken.get(guard.key) or entries.get(guard.key)
            after = _counted(times, guard.at_utc or at_utc or utc, guard, utc)
            if after is None:
                return guard, taken
            taken[guard.key] = after
    return None, taken


def _counted(times: Times | None, at: float, guard: Window, utc: float) -> Times | None:
    """The window's entry with one more at `at`; None when so many count within a period of that that no more may."""
    period_s, limit = guard.period_s, guard.limit
    if not times:
        return (-period_s, at) if limit > 0 else None
    if len(times) > limit:  # the first is no time
        floor, ceiling = at - period_s, at + period_s
        if sum([floor < one < ceiling for one in times[1:]]) >= limit:
            return None
    floor = utc - period_s
    if times[1] <= floor:  # they matter to nothing that comes
        times = (-period_s, *[one for one in times[1:] if one > floor])
    after = (*times, at)
    if len(after) > 2 and after[-2] > at:  # in order, also with those that come due later
        after = tuple(sorted(after))  # minus the period stays first
    return after


def _undo(entries: Entries, guard: Unique | Window, utc: float) -> bool:
    """Give back what was taken at `utc`. Gives whether there was something."""
    times = entries.get(guard.key)
    if not times:
        return False
    if isinstance(guard, Unique):
        if times != (guard.until_utc,):  # it was taken anew since
            return False
        del entries[guard.key]
        return True
    at = guard.at_utc or utc
    if at not in times[1:]:
        return False
    left = list(times)
    left.remove(at)
    if len(left) > 1:
        entries[guard.key] = tuple(left)
    else:
        del entries[guard.key]
    return True


def _marked(mark: Mark, message_id: int, utc: float) -> Times:
    return (utc + mark.period_s, utc, float(message_id >> 32), float(message_id & 0xFFFFFFFF))


def _fewer(entries: Entries, utc: float) -> Entries:
    """Without those that are over, and with the latest of the unique ones."""
    left = {name: times for name, times in entries.items() if useful(times, utc)}
    unique = [name for name, times in left.items() if len(times) == 1 and times[0] < FOREVER]
    for name in sorted(unique, key=lambda one: left[one][0])[:-UNIQUES_MAX]:
        del left[name]
    return left


def useful(times: Times, utc: float) -> bool:
    """Whether an entry can still refuse, or tell, anything at `utc`."""
    first = times[0]
    return times[-1] - first > utc if first < 0 else first > utc
