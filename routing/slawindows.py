"""The ten seconds over the last 1, 5 and 15 minutes and the day, on two clocks, by class, network, account and channel.

    user      from max(arrival, due) to delivery, our queueing included: every message once
    channel   from the write to delivery: every attempt, on its channel

Counted by when it began, so one without a receipt is late as soon as its ten seconds are over (censored, not dropped). Shares
are of those whose ten seconds, or five minutes, ended within the window; percentiles of what began in it and was delivered.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import NamedTuple

from routing.histogram import ARRIVAL_S, Histogram
from routing.sla import WITHIN_S
from routing.slacells import DAY_S, FAR_S, NEAR, NEAR_S, NO_FAR, Cells, Key, Span

WINDOWS_S = {"1m": 60, "5m": 300, "15m": 900, "day": DAY_S}
DIMENSIONS = ("class", "network", "account", "channel")
_FIELDS = {"class": "class_"}
STEP = 50
"""Cells, or groups of them: a millisecond."""


class WindowShare(NamedTuple):
    """One window. Shares are None while nothing has been due for long enough; percentiles in seconds."""

    due: int
    """What began in the window."""
    within: float | None
    arrival: float | None
    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    closed: float | None = None
    """Of those that `arrival` is about: delivered by now, however late."""


EMPTY = WindowShare(0, None, None)


def spans_of(window_s: int, at: float) -> tuple[Span, Span, Span]:
    """What began in the window; whose ten seconds ended in it; whose five minutes did."""
    return _span(window_s, at, 0.0), _span(window_s, at, WITHIN_S), _span(window_s, at, ARRIVAL_S)


def _span(window_s: int, at: float, after_s: float) -> Span:
    """Slots that ended so long ago, or are running for 0. A far slot has always ended long ago."""
    last = int((at - after_s) // NEAR_S) - (after_s > 0)
    first = int((at - after_s - window_s) // NEAR_S)
    far_first = int((at - after_s - window_s) // FAR_S) if window_s > NEAR_S * NEAR else NO_FAR
    return Span(first, last, far_first)


def share_of(sums: list[int]) -> WindowShare:
    """Of the sums of `spans_of`."""
    seen, old, settled = map(Histogram, sums)
    p50, p95, p99 = seen.percentiles(0.5, 0.95, 0.99)
    arrival, closed = _part(settled.arrived, settled.began), _part(settled.delivered, settled.began)
    return WindowShare(seen.began, _part(old.within, old.began), arrival, p50, p95, p99, closed)


def _part(some: int, of_all: int) -> float | None:
    """What began before a restart is delivered without having begun: never more than all."""
    return min(1.0, some / of_all) if of_all else None


def shares(
    cells: Cells, window: str, at: float, by: Collection[str] = ("class",), only: Mapping[str, str] | None = None
) -> Iterator[tuple[Key, WindowShare] | None]:
    """By some of DIMENSIONS, of what has the values in `only` (by dimension). None after each millisecond of work or so: with
    very many accounts and networks it takes tens of these, and others should have their turn.
    """
    fields = [_FIELDS.get(name, name) for name in by]
    wanted = {_FIELDS.get(name, name): value for name, value in (only or {}).items()}
    for found in cells.sums(spans_of(WINDOWS_S[window], at), fields, wanted, STEP):
        if found is None:
            yield None
            continue
        for number, (key, sums) in enumerate(found.items(), 1):
            yield key, share_of(sums)
            if number % STEP == 0:
                yield None
