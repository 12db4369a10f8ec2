"""Which charts a result has: each is a title and a drawing, or the reason why there is none."""

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from bench.measure.result import Percentiles, Result, Second
from bench.report.charts import Series, bars, over_time, percentiles
from bench.report.frame import COLOURS, Show
from bench.report.markup import Markup
from bench.report.numbers import milliseconds, number, octets, share, whole
from bench.report.words import NEEDS_ANSWERS, NEEDS_CARRIERS, NEEDS_TARGET, why_none

BARS_MAX = 30
NO_SECONDS = "the run ended before its first second"

Of = Callable[[Second], float | None]


class Picture(NamedTuple):
    """One figure of the page. `note` is a caption, or the reason why `drawing` is None."""

    title: str
    drawing: Markup | None
    note: str = ""


def pictures(result: Result) -> list[Picture]:
    """All of them, in the order of the page."""
    return [
        _throughput(result),
        _over_time(
            result,
            "Time to the answer",
            {"p50": lambda one: one.accept_p50_ms, "p99": lambda one: one.accept_p99_ms, "max": lambda one: one.accept_max_ms},
            milliseconds,
            NEEDS_ANSWERS,
            log=True,
        ),
        _onward(result),
        _over_time(
            result,
            "In flight and waiting",
            {"in flight": lambda one: one.in_flight, "waiting": lambda one: one.waiting},
            whole,
            "",
            whole=True,
            note="In flight: sent and not answered. Waiting: due and not sent, for want of a free window or connection.",
        ),
        *(_by_class(result, which, title) for which, title in _LATENCIES.items()),
        *_channels(result),
        _over_time(result, "CPU of the target", {"cores": lambda one: one.cpu}, number, NEEDS_TARGET, note="1 is one core."),
        _over_time(result, "Memory of the target", {"resident": lambda one: one.rss_bytes}, octets, NEEDS_TARGET),
    ]


_LATENCIES = {
    "accept": "Time to the answer, by class",
    "carrier": "Time to the carrier, by class",
    "receipt": "Time to the receipt, by class",
}


def _over_time(
    result: Result,
    title: str,
    lines: dict[str, Of],
    show: Show,
    why: str,
    *,
    log: bool = False,
    whole: bool = False,
    note: str = "",
) -> Picture:
    values = {name: [of(one) for one in result.seconds] for name, of in lines.items()}
    measured = [Series(name, each) for name, each in values.items() if any(one is not None for one in each)]
    if not measured:
        return Picture(title, None, why if result.seconds else NO_SECONDS)
    return Picture(title, _drawn(result, title, measured, show, log=log, whole=whole), note)


def _drawn(
    result: Result, title: str, series: Sequence[Series], show: Show, *, log: bool = False, whole: bool = False
) -> Markup:
    times = [one.at_s for one in result.seconds]
    return over_time(title, times, series, show, log=log, whole=whole, events=result.events)


def _throughput(result: Result) -> Picture:
    title = "Messages per second"
    if not result.seconds:
        return Picture(title, None, NO_SECONDS)
    series = [
        Series("accepted", [one.accepted for one in result.seconds], area=True),
        Series("sent", [one.sent for one in result.seconds]),
    ]
    if result.plan.model == "open":
        series.append(Series("due", [one.due for one in result.seconds], dashed=True))
    if result.plan.receipts:
        series.append(Series("receipts", [one.receipts for one in result.seconds]))
    refused = [one.refused for one in result.seconds]
    if any(refused):
        series.append(Series("refused", refused))
    return Picture(title, _drawn(result, title, series, number, whole=True))


def _onward(result: Result) -> Picture:
    lines: dict[str, Of] = {
        "carrier p50": lambda one: one.carrier_p50_ms,
        "carrier p99": lambda one: one.carrier_p99_ms,
        "receipt p50": lambda one: one.receipt_p50_ms,
        "receipt p99": lambda one: one.receipt_p99_ms,
    }
    missing = "; ".join(
        f"time to the {which}: {why_none(result, which)}"
        for which in ("carrier", "receipt")
        if all(getattr(one, f"{which}_p50_ms") is None for one in result.seconds)
    )
    note = f"Not measured: {missing}." if missing else ""
    return _over_time(result, "Time to the carrier and to the receipt", lines, milliseconds, missing, log=True, note=note)


def _by_class(result: Result, which: str, title: str) -> Picture:
    named = [("all", result.total), *((one.name, one) for one in result.classes)]
    found: list[tuple[str, Percentiles]] = [(name, getattr(one, which)) for name, one in named]
    found = [(name, one) for name, one in found if one.count]
    if len(found) == 2:  # a single class is the whole
        found = found[1:]
    if not found:
        return Picture(title, None, why_none(result, which))
    return Picture(title, percentiles(title, found), "Across: percent of the messages that took at most so long.")


def _channels(result: Result) -> Iterable[Picture]:
    titles = ("Within 10 s, by channel", "Share of the traffic, by channel", "Messages per second, by channel")
    if not result.channels:
        yield from (Picture(title, None, NEEDS_CARRIERS) for title in titles[:2])
    else:
        shown = sorted(result.channels, key=lambda one: -one.taken)[:BARS_MAX]
        left = len(result.channels) - len(shown)
        more = f"The {BARS_MAX} with most messages; the table has the other {left}." if left else ""
        if any(one.within_10s is not None for one in shown):
            yield Picture(titles[0], bars(titles[0], [(one.name, one.within_10s) for one in shown], share, most=1.0), more)
        else:
            yield Picture(titles[0], None, why_none(result, "receipt"))
        yield Picture(titles[1], bars(titles[1], [(one.name, one.share) for one in shown], share, most=1.0), more)
    series = _channel_series(result.seconds)
    if series:
        yield Picture(titles[2], _drawn(result, titles[2], series, number, whole=True))
    else:
        yield Picture(titles[2], None, NEEDS_CARRIERS)


def _channel_series(found: Sequence[Second]) -> list[Series]:
    """One line for each, as far as colours go; the small ones are drawn together."""
    sums: dict[str, int] = {}
    for second in found:
        for name, count in second.channels.items():
            sums[name] = sums.get(name, 0) + count
    names = sorted(sums, key=lambda name: -sums[name])
    own = names if len(names) <= COLOURS else names[: COLOURS - 1]
    series = [Series(name, [second.channels.get(name, 0) for second in found]) for name in sorted(own)]
    if len(own) < len(names):
        rest = names[len(own) :]
        series.append(Series(f"{len(rest)} others", [sum(second.channels.get(name, 0) for name in rest) for second in found]))
    return series
