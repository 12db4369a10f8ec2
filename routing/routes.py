"""The routes of a configuration, compiled: the first that matches a message says which channels may carry it."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from config.policy import Window
from config.schema import Channel, Route
from routing.operators import Operators, shipped
from routing.patterns import Patterns
from routing.policy.windows import WindowRule
from routing.records import Message


class Choice(NamedTuple):
    """A channel of a route. `cost` of a submit_sm in micro-units; higher `group`s are for when no lower one can be used."""

    name: str
    weight: int
    cost: int = 0
    group: int = 1


class _Hours:
    """When a route is there at all."""

    def __init__(self, route: Route) -> None:
        window = Window(intervals=route.hours, weekdays=route.weekdays or None, timezone=route.timezone)
        self._window = WindowRule(window)
        self.now = True

    def look(self, utc: float) -> None:
        opening = self._window.opening("", utc)
        self.now = opening is not None and opening.start_utc <= utc


class _More:
    """What few routes ask of a message beside its class, account and prefix."""

    def __init__(self, route: Route, operators: Operators) -> None:
        self._table = operators
        self._countries = frozenset(route.countries)
        self._operators = frozenset(route.operators)
        self._virtual = route.virtual
        self._sources = Patterns(route.sources)
        self._tags = frozenset(route.tags)
        self.hours = _Hours(route) if route.hours or route.weekdays else None

    def fits(self, message: Message) -> bool:
        """Whether it goes this way."""
        if self.hours is not None and not self.hours.now:
            return False
        if self._tags and self._tags.isdisjoint(message.tags):
            return False
        if self._sources and not self._sources.match(message.source):
            return False
        if not self._operators and self._virtual is None and not self._countries:
            return True
        operator = self._table.of(message.destination)
        if self._operators and operator.name not in self._operators:
            return False
        if self._countries and operator.country not in self._countries:
            return False
        return self._virtual is None or operator.virtual is self._virtual


class RouteTable:
    """See the module. `plain`: no route has costs or groups, so that weights alone tell its channels apart."""

    def __init__(self, routes: Iterable[Route], channels: Iterable[Channel] = (), operators: Operators | None = None) -> None:
        costs = {channel.name: channel.cost for channel in channels}
        self.operators = operators or Operators(shipped())
        self._routes = [
            (
                frozenset(route.classes),
                frozenset(route.accounts),
                tuple(route.prefixes),
                _More(route, self.operators) if _asks_more(route) else None,
                tuple(_choices(route, costs)),
            )
            for route in routes
        ]
        self._timed = [more.hours for _, _, _, more, _ in self._routes if more is not None and more.hours is not None]
        self._minute = -1
        self._weights: dict[str, int] = {}
        every = [choice for *_, choices in self._routes for choice in choices]
        self.names = frozenset(one.name for one in every)
        self.plain = len({(one.cost, one.group) for one in every}) < 2
        self.priced = any(one.cost for one in every)

    def look(self, utc: float) -> bool:
        """Let time pass, for routes that are there at some hours only. Gives whether any has come or gone."""
        minute = int(utc // 60)
        if not self._timed or minute == self._minute:
            return False
        self._minute = minute
        before = [hours.now for hours in self._timed]
        for hours in self._timed:
            hours.look(utc)
        return before != [hours.now for hours in self._timed]

    def weigh(self, weights: Mapping[str, int]) -> None:
        """Weights of channels that count instead of those of the routes; 0 takes the channel out."""
        self._weights = dict(weights)

    def candidates(self, message: Message) -> tuple[Choice, ...]:
        """The channels of the first route that matches; empty when none does."""
        for classes, accounts, prefixes, more, channels in self._routes:
            if (
                (not classes or message.class_ in classes)
                and (not accounts or message.account in accounts)
                and (not prefixes or message.destination.startswith(prefixes))
                and (more is None or more.fits(message))
            ):
                return channels if not self._weights else self._weighed(channels)
        return ()

    def _weighed(self, channels: tuple[Choice, ...]) -> tuple[Choice, ...]:
        found = (one._replace(weight=self._weights.get(one.name, one.weight)) for one in channels)
        return tuple(one for one in found if one.weight)

    def left(self, message: Message, pins: Mapping[str, str]) -> tuple[Choice, ...]:
        """The candidates that did not refuse the message for good; for a part only the channel of the first part."""
        candidates = self.candidates(message)
        if message.tried:
            candidates = tuple(one for one in candidates if one.name not in message.tried)
        group = message.part_of
        if group is not None and group.key in pins:
            # A channel that was taken out of the route binds nobody any more.
            candidates = tuple(one for one in candidates if one.name == pins[group.key]) or candidates
        return candidates

    def alternatives(self, message: Message, channel: str) -> bool:
        """Whether the route holds a channel besides `channel` that has not refused the message for good."""
        return any(one.name != channel for one in self.left(message, {}))

    def cost(self, message: Message, channel: str) -> int:
        """What one submit_sm of it costs there, in micro-units."""
        return next((one.cost for one in self.candidates(message) if one.name == channel), 0)


def _asks_more(route: Route) -> bool:
    asked = (route.countries, route.operators, route.sources, route.tags, route.hours, route.weekdays)
    return any(asked) or route.virtual is not None


def _choices(route: Route, costs: Mapping[str, int]) -> Iterable[Choice]:
    for one in route.channels:
        if one.weight:
            yield Choice(one.name, one.weight, costs.get(one.name, 0) if one.cost is None else one.cost, one.group)
