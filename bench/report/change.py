"""How one figure changed, and whether that is more than it varies anyway.

The spread is a bootstrap over whole runs: how far the median of one side over the median of the other wanders when the runs
of both are drawn anew. It is taken relative to the medians and laid around the ratio of the values.

With fewer than three runs on a side nobody knows how far runs lie apart. Then only a change by more than a wide margin is
called better or worse. The rounds of one sitting share its machine and its hour: they lie closer than two sittings do, so
there must be a margin beside their spread.
"""

import math
import random
import statistics
from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from bench.measure.figures import Figure

Ending = Literal["better", "worse", "changed", "within spread", "within margin", "same"]

RUNS_MIN = 3
"""With fewer there is no spread to speak of."""
SMALLEST = 0.01
"""A change under a hundredth is none, however steady the runs."""
OF_ONE_SITTING = 0.10
OF_ONE_RUN = 0.25
LATENCY_OF_ONE_RUN = 0.50
"""High percentiles wander: one and the same load gave an accept p99 of 28 to 39 ms (BENCHMARKS.md)."""
SHARE_SMALLEST, SHARE_OF_ONE_RUN = 0.001, 0.01
"""Shares are compared by points: between 99.9 % and 96 % lies all that matters, and only 4 %."""
_DRAWS = 2000
_SEED = 20110


class Change(msgspec.Struct):
    """One figure on both sides. `ratio` is b / a; `low` and `high` its spread, 5th to 95th percentile."""

    name: str
    unit: str
    a: float
    b: float
    ratio: float | None
    low: float | None
    high: float | None
    ending: Ending


def change(a: Figure, b: Figure, margin: float = SMALLEST) -> Change:
    """What became of a figure; `margin` is what a change must be beside being more than the spread."""
    ratio = b.value / a.value if a.value > 0 and b.value >= 0 else None
    around = spread(a.runs, b.runs) if ratio is not None else None
    low, high = (ratio * around[0], ratio * around[1]) if ratio is not None and around else (None, None)
    return Change(a.name, b.unit, a.value, b.value, ratio, low, high, _ending(a, b, ratio, low, high, margin))


def spread(a: Sequence[float], b: Sequence[float]) -> tuple[float, float] | None:
    """The 5th and 95th percentile of median(b) / median(a), as parts of what it is. None without enough runs above zero."""
    if min(len(a), len(b)) < RUNS_MIN:
        return None
    chance = random.Random(_SEED)
    below, above = list(_medians(sorted(a), chance)), list(_medians(sorted(b), chance))
    if min(below) <= 0 or statistics.median(b) <= 0:
        return None
    middle = statistics.median(b) / statistics.median(a)
    drawn = sorted(upper / lower / middle for lower, upper in zip(below, above, strict=True))
    return drawn[int(_DRAWS * 0.05)], drawn[int(_DRAWS * 0.95)]


def _medians(ordered: Sequence[float], chance: random.Random) -> Iterator[float]:
    """Medians of samples drawn with replacement, without drawing the samples.

    The k-th smallest of n uniform numbers has a beta distribution, and the run at that place is the k-th smallest of the
    sample. With an even number the next one is needed too: it is the smallest of those left above.
    """
    count = len(ordered)
    middle = (count + 1) // 2
    for _ in range(_DRAWS):
        place = chance.betavariate(middle, count - middle + 1)
        found = _at(ordered, place)
        if count % 2 == 0:
            above = 1.0 - chance.random() ** (1.0 / (count - middle))
            found = (found + _at(ordered, place + (1.0 - place) * above)) / 2
        yield found


def _at(ordered: Sequence[float], place: float) -> float:
    return ordered[min(int(place * len(ordered)), len(ordered) - 1)]


def _ending(a: Figure, b: Figure, ratio: float | None, low: float | None, high: float | None, margin: float) -> Ending:
    if a.value == b.value:
        return "same"
    if low is not None and high is not None:
        if low <= 1.0 <= high:
            return "within spread"
        share_margin = SHARE_SMALLEST
    else:
        margin, share_margin = margin_of_one_run(a), SHARE_OF_ONE_RUN
    if _share(a) and _share(b):
        size, smallest, margin = abs(b.value - a.value), SHARE_SMALLEST, share_margin
    else:
        size, smallest = _size(ratio), SMALLEST
    if size < smallest:
        return "same"
    if size < margin:
        return "within margin"
    if b.better == "neither":
        return "changed"
    return "better" if (b.value > a.value) == (b.better == "higher") else "worse"


def margin_of_one_run(one: Figure) -> float:
    """What a change must be where nobody knows how far runs lie apart."""
    return LATENCY_OF_ONE_RUN if one.unit in ("ms", "s") else OF_ONE_RUN


def _size(ratio: float | None) -> float:
    """The same there and back: twice as much is as far as half as much. From nothing, or to it, is as far as can be."""
    return max(ratio, 1.0 / ratio) - 1.0 if ratio else math.inf


def _share(one: Figure) -> bool:
    return not one.unit and one.better == "higher" and 0.0 <= one.value <= 1.0
