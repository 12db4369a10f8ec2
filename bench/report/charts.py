"""Charts as inline SVG, drawn here so that a report needs no network and no script: lines over time, percentiles, bars.

A None is a gap, never a zero. A run of an hour has more seconds than the drawing has dots: then neighbours are drawn together
by their least and greatest value, so a single bad second stays visible. Pointing at a moment shows its values.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from bench.measure.result import Event, Percentiles
from bench.report.frame import COLOURS, WIDTH, Frame, Key, Show, framed, svg, width_of
from bench.report.markup import Markup, escape, join, tag
from bench.report.numbers import clean, clock, cut, milliseconds, number
from bench.report.scales import Scale, linear, logarithmic, nines, of_percentiles, of_time

COLUMNS_MAX = 240
"""So many moments are drawn at most."""
_BAR_HEIGHT = 22.0
_PLACES = (("p50_ms", 0.5), ("p90_ms", 0.9), ("p95_ms", 0.95), ("p99_ms", 0.99), ("p999_ms", 0.999), ("p9999_ms", 0.9999))

Dot = tuple[float, float]


@dataclass(frozen=True)
class Series:
    """One line of a chart over time; `area` fills it, `dashed` is for what was asked rather than what came."""

    name: str
    values: Sequence[float | None]
    area: bool = False
    dashed: bool = False


def over_time(
    label: str,
    times: Sequence[float],
    series: Sequence[Series],
    show: Show = number,
    *,
    log: bool = False,
    whole: bool = False,
    events: Sequence[Event] = (),
) -> Markup:
    """Lines over the seconds of the run."""
    seen = [value for one in series for value in one.values if value is not None]
    positive = [value for value in seen if value > 0]
    y = logarithmic(min(positive, default=0), max(positive, default=0)) if log else linear(max(seen, default=0), whole=whole)
    moments = [*times, *(event.at_s for event in events)]
    x = of_time(min(moments, default=0.0), max(moments, default=1.0))
    keys = [Key(one.name, f"c{index % COLOURS}{' dashed' * one.dashed}") for index, one in enumerate(series)]
    frame = framed(x, y, lambda at: clock(at, x.high), show, keys, events)
    columns = list(_columns(len(times)))
    lines = [
        _line(frame, _dots(times, one.values, columns), key.classes, area=one.area)
        for one, key in zip(series, keys, strict=True)
    ]
    hover = [_hover(frame, times, series, column, show) for column in columns]
    return svg(_heard(label, series, show), frame.height, frame.drawn, *lines, *hover)


def percentiles(label: str, named: Sequence[tuple[str, Percentiles]]) -> Markup:
    """Latency against the number of nines. Only what the sample can tell: 500 messages have no 99.9th percentile."""
    curves = [(name, list(_curve(one))) for name, one in named]
    ends = [place for _, curve in curves for place, _ in curve]
    values = [value for _, curve in curves for _, value in curve if value > 0]
    x = of_percentiles(max(ends, default=0.0))
    y = logarithmic(min(values, default=0.0), max(values, default=0.0))
    keys = [Key(name, f"c{index % COLOURS}") for index, (name, _) in enumerate(curves)]
    frame = framed(x, y, _percent, milliseconds, keys)
    lines = []
    for (name, curve), key in zip(curves, keys, strict=True):
        lines.append(_line(frame, curve, key.classes))
        for place, value in curve:
            told = f"{clean(name)}: {_percent(place)} % within {milliseconds(value)}"
            lines.append(
                tag("circle", tag("title", told), cx=frame.x(place), cy=frame.y(value), r=3, class_=f"dot {key.classes}")
            )
    heard = "; ".join(f"{name} up to {milliseconds(curve[-1][1])}" for name, curve in curves if curve)
    return svg(f"{label}. {heard}", frame.height, frame.drawn, *lines)


def bars(label: str, rows: Sequence[tuple[str, float | None]], show: Show, *, most: float | None = None) -> Markup:
    """One horizontal bar each, with its value beside it; without one it says so."""
    texts = ["not measured" if value is None else show(value) for _, value in rows]
    names = [cut(clean(name), 24) for name, _ in rows]
    left = max((width_of(name) for name in names), default=0) + 10
    right = WIDTH - max((width_of(text) for text in texts), default=0) - 10
    top = most or max((value for _, value in rows if value is not None), default=0) or 1.0
    scale = Scale(0.0, top, (), left, right)
    drawn = []
    for index, ((full, value), name, text) in enumerate(zip(rows, names, texts, strict=True)):
        middle = (index + 0.5) * _BAR_HEIGHT
        at = {"y": middle - 7, "height": 14}
        drawn.append(tag("text", name, x=left - 8, y=middle + 4, text_anchor="end"))
        drawn.append(tag("rect", x=left, width=right - left, class_="trough", **at))
        if value is not None:
            told = tag("title", f"{clean(full)}: {text}")
            drawn.append(tag("rect", told, x=left, width=max(scale(value) - left, 0.5), class_="bar c0", **at))
        drawn.append(tag("text", text, x=WIDTH, y=middle + 4, text_anchor="end"))
    heard = "; ".join(f"{name}: {text}" for (name, _), text in zip(rows, texts, strict=True))
    return svg(f"{label}. {heard}", max(len(rows), 1) * _BAR_HEIGHT, *drawn)


def _percent(place: float) -> str:
    """100 less that many nines: 0, 90, 99, 99.9."""
    return f"{100 * (1 - 10**-place):.6f}".rstrip("0").rstrip(".") if place else "0"


def _curve(found: Percentiles) -> Iterator[Dot]:
    for field, part in _PLACES:
        value = getattr(found, field)
        if value is not None and found.count * (1 - part) > 1 - 1e-9:
            yield nines(part), value
    if found.max_ms is not None and found.count:
        yield nines(1 - 1 / found.count) if found.count > 1 else 0.0, found.max_ms


def _columns(count: int) -> Iterator[range]:
    """The seconds that are drawn as one."""
    wide = max(1, -(-count // COLUMNS_MAX))
    for begin in range(0, count, wide):
        yield range(begin, min(begin + wide, count))


def _dots(times: Sequence[float], values: Sequence[float | None], columns: Sequence[range]) -> list[Dot | None]:
    """Where the line goes. Of several seconds the least and the greatest value, in the order they came."""
    dots: list[Dot | None] = []
    for column in columns:
        seen = [(value, index) for index in column if (value := values[index]) is not None]
        if not seen:
            dots.append(None)
            continue
        ends = sorted({min(seen)[1], max(seen)[1]})
        dots += [(times[index], values[index] or 0.0) for index in ends]
    return dots


def _runs(dots: Sequence[Dot | None]) -> Iterator[list[Dot]]:
    run: list[Dot] = []
    for dot in [*dots, None]:
        if dot is not None:
            run.append(dot)
        elif run:
            yield run
            run = []


def _line(frame: Frame, dots: Sequence[Dot | None], classes: str, *, area: bool = False) -> Markup:
    drawn = []
    for run in _runs(dots):
        places = [(frame.x(at), frame.y(value)) for at, value in run]
        if len(places) == 1:  # a line of one point is invisible
            drawn.append(tag("circle", cx=places[0][0], cy=places[0][1], r=2, class_=f"dot {classes}"))
            continue
        path = "L".join(f"{x:.1f} {y:.1f}" for x, y in places)
        if area:
            floor = f"M{places[0][0]:.1f} {frame.bottom:.1f}L{path}L{places[-1][0]:.1f} {frame.bottom:.1f}Z"
            drawn.append(tag("path", d=floor, class_=f"area {classes}"))
        drawn.append(tag("path", d=f"M{path}", class_=f"line {classes}"))
    return join(drawn)


def _hover(frame: Frame, times: Sequence[float], series: Sequence[Series], column: range, show: Show) -> Markup:
    """An invisible strip over a moment that tells its values."""
    begin = frame.x(times[column[0]])
    end = frame.x(times[column[-1] + 1]) if column[-1] + 1 < len(times) else frame.x.end
    longest = frame.x.high
    first, last = (clock(times[column[index]], longest) for index in (0, -1))
    told = [first if first == last else f"{first} to {last}"]
    told += [f"{clean(one.name)}: {_range([one.values[index] for index in column], show)}" for one in series]
    title = tag("title", Markup("\n".join(escape(line) for line in told)))
    return tag(
        "rect", title, x=begin, y=frame.top, width=max(end - begin, 1.0), height=frame.bottom - frame.top, class_="hover"
    )


def _range(values: Sequence[float | None], show: Show) -> str:
    seen = [value for value in values if value is not None]
    if not seen:
        return "none"
    least, most = show(min(seen)), show(max(seen))
    return least if least == most else f"{least} to {most}"


def _heard(label: str, series: Sequence[Series], show: Show) -> str:
    return f"{label}. " + "; ".join(f"{one.name}: {_range(one.values, show)}" for one in series)
