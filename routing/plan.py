"""Which channel takes which message, and why.

The first route that matches counts (`routes`). Of its channels those are left that are up, have room and did not refuse the
message for good, and then it hangs on the class:

    verification   those that deliver nearly as well as the best, of the lowest group; sooner ones are preferred
    notification   the lowest group that can be used, even if it is full now; by score
    marketing      of the same those that cost what the cheapest does of all that deliver nearly as well as the best; by score

What is left is chosen among by weight. The choice hangs on the message id alone, so it can be repeated and explained. A message
that was tried goes to another channel first. Parts that the sender cut follow their first part.
"""

from collections.abc import Mapping, MutableMapping, Sequence

from routing.operators import network_of
from routing.records import Message
from routing.routes import Choice, RouteTable

NEARLY_BEST = 0.8
"""Of the best score: below it a channel gets no codes, and no campaigns only because it is cheap."""
PROBE_SHARE = 0.05
PROBE_SPREAD, PROBE_SHIFT = 0x9E3779B97F4A7C15, 40
"""Spreads ids that count upwards over all shares."""
SCALE = 1_000
"""Weights are whole numbers; scores are not."""
SOON_S = 0.25
"""Channels that deliver sooner than that are as fast as each other."""
WAIT = ""
"""The route has channels left, but none is up with room just now."""
BY_WEIGHT = "by the weights of its route"
"""What is said where a message's `why` is empty."""
NOWHERE: Mapping[str, float] = {}


class Health:
    """A channel as planning sees it. `room`: how many more messages it takes now; `plan` counts it down.

    `score`: 0 to 100, how well it delivers (`quality`), and by network where that differs; `trusted`: whether it gets more than
    a try now and then; `expected_s`: until a message handed to it now is delivered, 0 when nothing is known.
    """

    def __init__(
        self,
        name: str,
        up: bool,
        room: int,
        score: float = 100.0,
        trusted: bool = True,
        expected_s: float = 0.0,
        scores: Mapping[str, float] = NOWHERE,
    ) -> None:
        self.name = name
        self.up = up
        self.room = room
        self.score = score
        self.trusted = trusted
        self.expected_s = expected_s
        self.scores = scores

    def score_for(self, message: Message) -> float:
        """On the network the message goes to."""
        return self.scores.get(network_of(message), self.score) if self.scores else self.score


def plan(
    messages: Sequence[Message], table: RouteTable, health: MutableMapping[str, Health], pins: MutableMapping[str, str]
) -> list[str | None]:
    """For each message the name of its channel, WAIT, or None when no route is left for it.

    `pins` remembers the channel of messages whose parts the sender cut: part_of.key -> channel. A message's `why` says what
    else than weights has decided.
    """
    planner = _Planner(table, health, pins)
    return [planner.choose(message) for message in messages]


def waits_for(message: Message, table: RouteTable, health: Mapping[str, Health], pins: Mapping[str, str]) -> tuple[str, ...]:
    """The channels one of which must have room for a message that was told to WAIT."""
    left = [one for one in table.left(message, pins) if one.name in health]
    return tuple(one.name for one in (_eligible(message, table, left, health) or left))


def _eligible(
    message: Message, table: RouteTable, candidates: Sequence[Choice], health: Mapping[str, Health]
) -> Sequence[Choice]:
    """Those a message may take, or must wait for when they are full; empty when none is up.

    Channels that are not trusted are for when no other is up. The lowest group is a code's first choice, and all that others
    have; a message that was refused, and not for being too early, is bound to none.
    """
    up = [(one, state) for one in candidates if (state := health.get(one.name)) is not None and state.up]
    pool = [one for one, state in up if state.trusted] or [one for one, _ in up]
    if not pool or table.plain or message.class_ == "verification" or message.refusals:
        return pool
    group = min(one.group for one in pool)
    return [one for one in pool if one.group == group]


class _Planner:
    """One batch. Channels do not change while it lasts, but for their room."""

    def __init__(self, table: RouteTable, health: MutableMapping[str, Health], pins: MutableMapping[str, str]) -> None:
        self._table = table
        self._health = health
        self._pins = pins
        states = health.values()
        alike = len({(one.trusted, one.score, one.expected_s) for one in states}) < 2
        self._by_network = any(one.scores for one in states)
        self._even = table.plain and alike and not self._by_network
        self._nothing_to_tell = self._even and table.names <= health.keys() and all(one.up for one in states)
        """Weights alone decide, among those with room."""
        self._suspects = not all(one.trusted for one in states)
        self._whys: dict[tuple[object, ...], str] = {}
        self._known: dict[tuple[object, ...], list[Choice]] = {}
        self._open: dict[int, list[Choice]] = {}
        """By a route's candidates, until a channel has no room any more. They are one tuple as long as the table lives, but for
        messages that were tried and parts, for which one is made (`RouteTable.left`).
        """

    def choose(self, message: Message) -> str | None:
        """See `plan`."""
        health = self._health
        candidates = self._table.left(message, self._pins)
        if not candidates:
            return None
        if message.tried or message.part_of is not None:
            open_now = self._with_room(candidates)
        elif (known := self._open.get(id(candidates))) is not None:
            open_now = known
        else:
            open_now = self._open[id(candidates)] = self._with_room(candidates)
        if self._even or not open_now:
            kept = _elsewhere(message, open_now)
        elif message.tries or message.part_of is not None:
            kept = self._preferred(message, candidates, open_now)
        else:
            kept = self._preferred_again(message, candidates, open_now)
        if not kept:
            return WAIT
        chosen = _weighted(kept, message.id)
        if self._nothing_to_tell or (self._even and len(kept) == len(candidates)):
            message.why = ""
        else:
            message.why = self._why(message, candidates, kept)
        state = health[chosen]
        state.room -= 1
        if state.room < 1:
            self._open.clear()
        if message.part_of is not None:
            self._pins[message.part_of.key] = chosen
        return chosen

    def _with_room(self, candidates: Sequence[Choice]) -> list[Choice]:
        health = self._health
        return [one for one in candidates if (state := health.get(one.name)) is not None and state.up and state.room > 0]

    def _preferred_again(self, message: Message, candidates: Sequence[Choice], open_now: list[Choice]) -> list[Choice]:
        """The same for the many that are alike: untried messages of one class and network, by the same channels."""
        if self._suspects and message.class_ != "verification" and _probes(message):
            return self._preferred(message, candidates, open_now)
        key = (message.class_, network_of(message) if self._by_network else "", id(candidates), *[one.name for one in open_now])
        kept = self._known.get(key)
        if kept is None:
            kept = self._known[key] = self._preferred(message, candidates, open_now)
        return kept

    def _preferred(self, message: Message, candidates: Sequence[Choice], open_now: list[Choice]) -> list[Choice]:
        """Those that the class prefers, with weights that tell how well they deliver; empty when the preferred ones are full.

        A channel that is not trusted gets a message in twenty, to show whether it is well again, and never a code, unless
        there is no other.
        """
        health, class_ = self._health, message.class_
        if class_ != "verification" and _probes(message):
            probed = [one for one in open_now if not health[one.name].trusted]
            if probed:
                return probed
        eligible = _eligible(message, self._table, candidates, health)
        kept = _elsewhere(message, [one for one in open_now if one in eligible])
        if len(kept) < 2:
            return kept
        scored = [(one, health[one.name].score_for(message)) for one in kept]
        if class_ == "notification":
            return [_reweighed(one, score / 100) for one, score in scored]
        nearly = NEARLY_BEST * max(score for _, score in scored)
        good = [each for each in scored if each[1] >= nearly]
        if class_ == "verification":
            return self._soon(good)
        cheapest = min(one.cost for one, _ in good)
        scored = [each for each in scored if each[0].cost == cheapest]
        return [_reweighed(one, score / 100) for one, score in scored]

    def _soon(self, scored: list[tuple[Choice, float]]) -> list[Choice]:
        """Of the lowest group, with weights that prefer what delivers sooner."""
        group = min(one.group for one, _ in scored)
        timed = [(one, score, self._health[one.name].expected_s) for one, score in scored if one.group == group]
        soonest = max(SOON_S, min(seconds for _, _, seconds in timed))
        return [_reweighed(one, (score / 100 * soonest / max(soonest, seconds)) ** 2) for one, score, seconds in timed]

    def _why(self, message: Message, candidates: Sequence[Choice], kept: Sequence[Choice]) -> str:
        """What told the channels apart, one phrase for each; made once for all messages of the batch that are alike."""
        key = (network_of(message), *[one.name for one in kept], None, *candidates)
        why = self._whys.get(key)
        if why is None:
            names = {one.name for one in kept}
            why = self._whys[key] = "; ".join(self._phrase(message, one, taken=one.name in names) for one in candidates)
        return why

    def _phrase(self, message: Message, one: Choice, *, taken: bool) -> str:
        state = self._health.get(one.name)
        if state is None or not state.up:
            return f"{one.name} is down"
        parts = [f"score {state.score_for(message):.0f}"]
        if state.expected_s > SOON_S:
            parts.append(f"{state.expected_s:g} s")
        if one.cost:
            parts.append(f"cost {one.cost}")
        if one.group > 1:
            parts.append(f"group {one.group}")
        if not state.trusted:
            parts.append("not trusted")
        if not taken:
            parts.append("passed over" if state.room > 0 else "full")
        return f"{one.name}: {', '.join(parts)}"


def _elsewhere(message: Message, open_now: list[Choice]) -> list[Choice]:
    """Where there is a choice a message that was tried goes to another channel than the last one."""
    if message.tries and len(open_now) > 1:
        return [one for one in open_now if one.name != message.channel] or open_now
    return open_now


def _probes(message: Message) -> bool:
    """Whether it is one of those that try channels nobody trusts."""
    return message.id * PROBE_SPREAD >> PROBE_SHIFT & 0xFFFF < PROBE_SHARE * 0x10000


def _reweighed(one: Choice, factor: float) -> Choice:
    return Choice(one.name, max(1, round(one.weight * SCALE * factor)), one.cost, one.group)


def _weighted(candidates: Sequence[Choice], message_id: int) -> str:
    if len(candidates) == 1:
        return candidates[0].name
    # Ids count upwards; the multiplication (Knuth) spreads neighbours over the whole range.
    point = (message_id * 2654435761 & 0xFFFFFFFF) * sum([one.weight for one in candidates]) >> 32
    for one in candidates:
        point -= one.weight
        if point < 0:
            return one.name
    raise AssertionError("weights do not add up")
