"""Which channel takes which message: static routes by class, account and prefix, with weights.

The first route that matches counts. Among its channels that are up, have room and did not refuse the message for good, the
weights decide; the choice hangs on the message id alone, so it can be repeated and explained. A message that was tried goes
to another channel first. Parts that the sender cut itself follow their first part.
"""

from collections.abc import Iterable, Mapping, MutableMapping, Sequence

import msgspec

from config.schema import Route
from routing.operators import Operators, shipped
from routing.patterns import Patterns
from routing.records import Message

NEARLY_BEST = 0.8
"""Of the best score: below it a channel gets no codes."""
PROBE_SHARE = 0.05
PROBE_SPREAD, PROBE_SHIFT = 0x9E3779B97F4A7C15, 40
"""Spreads ids that count upwards over all shares."""
SCALE = 1_000
"""Weights are whole numbers; scores are not."""
WAIT = ""
"""The route has channels left, but none is up with room just now."""


class Health(msgspec.Struct):
    """A channel as planning sees it. `room`: how many more messages it takes now; `plan` counts it down.

    `score`: 0 to 100, how well it delivers (`quality`); `trusted`: whether it gets more than a try now and then.
    """

    name: str
    up: bool
    room: int
    score: float = 100.0
    trusted: bool = True


class _More:
    """What few routes ask of a message beside its class, account and prefix."""

    def __init__(self, route: Route, operators: Operators) -> None:
        self._table = operators
        self._operators = frozenset(route.operators)
        self._virtual = route.virtual
        self._sources = Patterns(route.sources)
        self._tags = frozenset(route.tags)

    def fits(self, message: Message) -> bool:
        """Whether it goes this way."""
        if self._tags and self._tags.isdisjoint(message.tags):
            return False
        if self._sources and not self._sources.match(message.source):
            return False
        if not self._operators and self._virtual is None:
            return True
        operator = self._table.of(message.destination)
        if self._operators and operator.name not in self._operators:
            return False
        return self._virtual is None or operator.virtual is self._virtual


class RouteTable:
    """The routes of a configuration, compiled."""

    def __init__(self, routes: Iterable[Route], operators: Operators | None = None) -> None:
        table = operators or Operators(shipped())
        self._routes = [
            (
                frozenset(route.classes),
                frozenset(route.accounts),
                tuple(route.prefixes),
                _More(route, table) if _asks_more(route) else None,
                tuple((one.name, one.weight) for one in route.channels if one.weight),
            )
            for route in routes
        ]

    def candidates(self, message: Message) -> tuple[tuple[str, int], ...]:
        """(channel, weight) of the first route that matches; empty when none does."""
        for classes, accounts, prefixes, more, channels in self._routes:
            if (
                (not classes or message.class_ in classes)
                and (not accounts or message.account in accounts)
                and (not prefixes or message.destination.startswith(prefixes))
                and (more is None or more.fits(message))
            ):
                return channels
        return ()

    def left(self, message: Message, pins: Mapping[str, str]) -> tuple[tuple[str, int], ...]:
        """The candidates that did not refuse the message for good; for a part only the channel of the first part."""
        candidates = self.candidates(message)
        if message.tried:
            candidates = tuple(one for one in candidates if one[0] not in message.tried)
        group = message.part_of
        if group is not None and group.key in pins:
            # A channel that was taken out of the route binds nobody any more.
            candidates = tuple(one for one in candidates if one[0] == pins[group.key]) or candidates
        return candidates

    def alternatives(self, message: Message, channel: str) -> bool:
        """Whether the route holds a channel besides `channel` that has not refused the message for good."""
        return any(name != channel for name, _ in self.left(message, {}))


def _asks_more(route: Route) -> bool:
    return bool(route.operators or route.sources or route.tags or route.virtual is not None)


def plan(
    messages: Sequence[Message], table: RouteTable, health: MutableMapping[str, Health], pins: MutableMapping[str, str]
) -> list[str | None]:
    """For each message the name of its channel, WAIT, or None when no route is left for it.

    `pins` remembers the channel of messages whose parts the sender cut: part_of.key -> channel.
    """
    states = list(health.values())
    even = all(one.trusted and one.score == states[0].score for one in states)
    return [_choose(message, table.left(message, pins), health, pins, even=even) for message in messages]


def _choose(
    message: Message,
    candidates: Sequence[tuple[str, int]],
    health: MutableMapping[str, Health],
    pins: MutableMapping[str, str],
    *,
    even: bool,
) -> str | None:
    if not candidates:
        return None
    open_now = [one for one in candidates if (state := health.get(one[0])) is not None and state.up and state.room > 0]
    if message.tries and len(open_now) > 1:
        open_now = [one for one in open_now if one[0] != message.channel] or open_now
    if not open_now:
        return WAIT
    chosen = _weighted(open_now if even else _by_quality(message, open_now, health), message.id)
    health[chosen].room -= 1
    if message.part_of is not None:
        pins[message.part_of.key] = chosen
    return chosen


def _by_quality(
    message: Message, candidates: Sequence[tuple[str, int]], health: Mapping[str, Health]
) -> Sequence[tuple[str, int]]:
    """Weights by how well channels deliver: codes keep away from what is not nearly the best, others go there less.

    A channel that is not trusted gets a message in twenty, to show whether it is well again, and never a code, unless there is
    no other.
    """
    if len(candidates) == 1:
        return candidates
    states = [health[name] for name, _ in candidates]
    is_code = message.class_ == "verification"
    if not is_code and message.id * PROBE_SPREAD >> PROBE_SHIFT & 0xFFFF < PROBE_SHARE * 0x10000:
        probed = [one for one, state in zip(candidates, states, strict=True) if not state.trusted]
        if probed:
            return probed
    kept = [(one, state.score) for one, state in zip(candidates, states, strict=True) if state.trusted]
    if not kept:
        kept = [(one, state.score) for one, state in zip(candidates, states, strict=True)]
    best = max(score for _, score in kept)
    if is_code:
        kept = [(one, score) for one, score in kept if score >= NEARLY_BEST * best]
    power = 2 if is_code else 1
    return [(name, max(1, round(weight * SCALE * (score / 100) ** power))) for (name, weight), score in kept]


def _weighted(candidates: Sequence[tuple[str, int]], message_id: int) -> str:
    if len(candidates) == 1:
        return candidates[0][0]
    # Ids count upwards; the multiplication (Knuth) spreads neighbours over the whole range.
    point = (message_id * 2654435761 & 0xFFFFFFFF) * sum(weight for _, weight in candidates) >> 32
    for name, weight in candidates:
        point -= weight
        if point < 0:
            return name
    raise AssertionError("weights do not add up")
