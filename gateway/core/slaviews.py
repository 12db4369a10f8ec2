"""The ten seconds as an operator sees them: sums since the start, windows on both clocks, latencies, what is in breach."""

from collections.abc import Iterable
from typing import Literal

import trio

from gateway import link
from gateway.calls import messages as calls
from gateway.core.figures import Figures
from gateway.core.pipeline import Pipeline
from routing.histogram import EDGES_S, up_to
from routing.slacells import Cells, Key
from routing.slawindows import DIMENSIONS, WINDOWS_S, WindowShare, shares

TOLD_S = (0.15625, 0.3125, 0.625, 1.25, 2.5, 3.75, 5.0, 7.5, 10.0, 15.0, 30.0, 60.0, 120.0, 300.0, 3_600.0)
"""Edges of ours that monitoring is told of: ten seconds are one."""


async def tallies(pipeline: Pipeline, ask: link.AskTallies | calls.AskTallies) -> link.Tallies:
    """What was asked for; names that are none say nothing."""
    figures, only = pipeline.figures, {name: value for name, value in ask.only.items() if name in DIMENSIONS}
    sums = [
        link.TallyView(class_, channel, one.final, one.delivered, one.within)
        for (class_, channel), one in sorted(figures.sla.tallies.items())
        if only.get("class", class_) == class_ and only.get("channel", channel) == channel
    ]
    found = link.Tallies(sums, latencies=_latencies(figures))
    found.breached = sorted({(key.class_, key.channel) for key in figures.watches.breached if not key.account})
    names = [name for name in ask.windows if name in WINDOWS_S] or list(WINDOWS_S)
    if "channel" not in only:  # a message is due before it has one
        found.windows += await _windows(pipeline, "user", figures.user, names, ask.by, only)
    found.windows += await _windows(pipeline, "channel", figures.channel, names, ask.by, only)
    return found


async def _windows(
    pipeline: Pipeline,
    clock: Literal["user", "channel"],
    cells: Cells,
    names: list[str],
    by: Iterable[str],
    only: dict[str, str],
) -> list[link.WindowView]:
    views: list[link.WindowView] = []
    for name in names:
        rows: list[tuple[Key, WindowShare]] = []
        for one in shares(cells, name, pipeline.clock.now(), set(by), only):
            if one is None:
                await trio.lowlevel.checkpoint()
            else:
                rows.append(one)
        views += [_view(clock, name, *row) for row in sorted(rows)]
    return views


def _view(clock: Literal["user", "channel"], window: str, key: Key, share: WindowShare) -> link.WindowView:
    judged = (share.due, share.within, share.arrival, share.closed)
    return link.WindowView(
        clock, window, key.class_, key.channel, key.network, key.account, *judged, share.p50, share.p95, share.p99
    )


def _latencies(figures: Figures) -> dict[str, link.HistogramView]:
    found = {}
    for class_, sum_s in figures.seconds.items():
        counts = [figures.latencies[class_, place] for place in range(len(EDGES_S) + 1)]
        found[class_] = link.HistogramView(list(zip(TOLD_S, up_to(counts, TOLD_S), strict=True)), sum(counts), sum_s)
    return found
