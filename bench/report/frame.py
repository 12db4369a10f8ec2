"""What all charts with two axes share: legend, grid, named values, and the marks of what was done during the run.

The drawing has fixed units and grows with the page. There is no way to measure text here, so `width_of` guesses on the wide
side. Colours are classes (`c0` to `c7`) of page.css, which knows day, night and paper.
"""

import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.measure.result import Event
from bench.report.markup import Markup, join, tag
from bench.report.numbers import clean, cut
from bench.report.scales import Scale

WIDTH = 560.0
PLOT_HEIGHT = 170.0
COLOURS = 8
_MARGIN = 10.0
_LINE = 15.0
_EVENT_ROWS = 4
_NAME_MAX = 32

Show = Callable[[float], str]


def width_of(text: str) -> float:
    """About how wide a text is in the charts' type size."""
    return sum(11.5 if unicodedata.east_asian_width(one) in "WF" else 6.3 for one in text)


@dataclass(frozen=True)
class Key:
    """One entry of the legend."""

    name: str
    classes: str


@dataclass(frozen=True)
class Frame:
    """The place for the lines, and the two axes. Build it with `framed`."""

    x: Scale
    y: Scale
    top: float
    bottom: float
    height: float
    drawn: Markup


def svg(label: str, height: float, *content: Markup) -> Markup:
    """A drawing that says what it is to those who cannot see it."""
    return tag("svg", *content, viewBox=f"0 0 {WIDTH:.0f} {height:.0f}", class_="chart", role="img", aria_label=label)


def framed(x: Scale, y: Scale, show_x: Show, show_y: Show, keys: Sequence[Key], events: Sequence[Event] = ()) -> Frame:
    """Lay out legend, marks and axes; the lines are drawn over it."""
    legend, used = _legend(keys)
    left = max(width_of(show_y(tick)) for tick in y.ticks) + 2 * _MARGIN
    x = x.over(left, WIDTH - _MARGIN * 2)
    placed = _placed(events, x)
    top = used + max((row + 1 for *_, row in placed if row is not None), default=0) * _LINE + 12
    bottom = top + PLOT_HEIGHT
    y = y.over(bottom, top)
    drawn = join(
        [
            legend,
            *(_named_y(y(tick), show_y(tick), x) for tick in y.ticks),
            *_named_x(x, bottom, show_x),
            *(
                _mark(event, begin, None if row is None else used + (row + 1) * _LINE, x, top, bottom)
                for event, begin, row in placed
            ),
        ]
    )
    return Frame(x, y, top, bottom, bottom + 24, drawn)


def _named_y(at: float, text: str, x: Scale) -> Markup:
    line = tag("line", x1=x.start, x2=x.end, y1=at, y2=at, class_="grid")
    return join([line, tag("text", text, x=x.start - 6, y=at + 4, text_anchor="end")])


def _named_x(x: Scale, bottom: float, show: Show) -> list[Markup]:
    found = []
    for tick in x.ticks:
        at, half = x(tick), width_of(show(tick)) / 2
        middle = min(max(at, half), WIDTH - half)  # the last one would leave the drawing
        found.append(tag("line", x1=at, x2=at, y1=bottom, y2=bottom + 4, class_="axis"))
        found.append(tag("text", show(tick), x=middle, y=bottom + 17, text_anchor="middle"))
    found.append(tag("line", x1=x.start, x2=x.end, y1=bottom, y2=bottom, class_="axis"))
    return found


def _legend(keys: Sequence[Key]) -> tuple[Markup, float]:
    """The entries in as many rows as they need, and the height of these."""
    drawn, at, row = [], 0.0, 0
    for key in keys:
        name = cut(clean(key.name), _NAME_MAX)
        wide = 22 + width_of(name) + 14
        if at and at + wide > WIDTH:
            at, row = 0.0, row + 1
        middle = row * _LINE + 8
        drawn.append(tag("line", x1=at + 1, x2=at + 17, y1=middle, y2=middle, class_=f"line {key.classes}"))
        drawn.append(tag("text", name, x=at + 22, y=middle + 4))
        at += wide
    return join(drawn), (row + 1) * _LINE if keys else 0.0


def _placed(events: Sequence[Event], x: Scale) -> list[tuple[Event, float, int | None]]:
    """Where each label begins and its row, so that none meets another; no row where there is no room for it."""
    ends: list[float] = []
    places: list[tuple[Event, float, int | None]] = []
    for event in sorted(events, key=lambda one: one.at_s):
        wide = width_of(cut(clean(event.text), _NAME_MAX))
        begin = min(x(event.at_s) + 4, WIDTH - wide)
        row = next((index for index, end in enumerate(ends) if end <= begin), len(ends))
        if row < _EVENT_ROWS:
            ends[row : row + 1] = [begin + wide + 8]
        places.append((event, begin, row if row < _EVENT_ROWS else None))
    return places


def _mark(event: Event, begin: float, baseline: float | None, x: Scale, top: float, bottom: float) -> Markup:
    """The line goes up along its label, or stops below one that had to move to the left. The table has those without label."""
    at = x(event.at_s)
    told = tag("title", event.text)
    if baseline is None:
        return tag("line", told, x1=at, x2=at, y1=top - 4, y2=bottom, class_="event")
    line = tag("line", told, x1=at, x2=at, y1=baseline + (4 if begin < at else -9), y2=bottom, class_="event")
    return join([line, tag("text", told, cut(clean(event.text), _NAME_MAX), x=begin, y=baseline, class_="event-label")])
