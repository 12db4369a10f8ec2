"""Where a value lies on an axis, and which values the axis names: round ones, few enough to be read."""

import math
from dataclasses import dataclass

_CLOCK_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)
_SMALLEST = 1e-9
"""What is less is taken for nothing: no clock here tells it, and its logarithm would stretch the axis."""


@dataclass(frozen=True)
class Scale:
    """Values from `low` to `high` on pixels from `start` to `end`. A logarithmic one shows what is below `low` at `low`."""

    low: float
    high: float
    ticks: tuple[float, ...]
    start: float = 0.0
    end: float = 1.0
    log: bool = False

    def over(self, start: float, end: float) -> "Scale":
        """The same on other pixels."""
        return Scale(self.low, self.high, self.ticks, start, end, self.log)

    def __call__(self, value: float) -> float:
        value = min(max(value, self.low), self.high)
        if self.log:
            part = math.log(value / self.low) / math.log(self.high / self.low)
        else:
            part = (value - self.low) / (self.high - self.low)
        return self.start + part * (self.end - self.start)


def linear(most: float, *, whole: bool = False) -> Scale:
    """From zero to the round number that holds `most`, in about five steps."""
    most = most if most >= _SMALLEST else 1.0
    rough = most / 5
    size = 10.0 ** math.floor(math.log10(rough))
    step = next(size * one for one in (1, 2, 5, 10) if size * one >= rough * 0.999)
    if whole:
        step = max(1.0, step)
    count = max(1, math.ceil(most / step - 1e-9))
    return Scale(0.0, count * step, tuple(step * index for index in range(count + 1)))


def logarithmic(least: float, most: float) -> Scale:
    """Whole decades around the values; within two of them 2 and 5 are named as well. Zero has no place on it."""
    least, most = (one if one >= _SMALLEST else 1.0 for one in (least or most, most))
    least = min(least, most)
    first = math.floor(math.log10(least) + 1e-9)
    last = max(math.ceil(math.log10(max(most, least)) - 1e-9), first + 1)
    within = (1, 2, 5) if last - first <= 2 else (1,)
    every = max(1, math.ceil((last - first) / 6))
    ticks = [10.0**decade * one for decade in range(first, last, every) for one in within]
    if (last - first) % every == 0:
        ticks.append(10.0**last)
    return Scale(10.0**first, 10.0**last, tuple(ticks), log=True)


def of_time(first: float, last: float) -> Scale:
    """Seconds of the run, named at whole seconds, minutes or hours."""
    last = max(last, first + 1.0)
    rough = (last - first) / 7
    step = next((one for one in _CLOCK_STEPS if one >= rough), math.ceil(rough / 3600) * 3600)
    begin, end = math.ceil(first / step), math.floor(last / step + 1e-9)
    return Scale(first, last, tuple(float(index * step) for index in range(begin, end + 1)))


def of_percentiles(most: float) -> Scale:
    """0, 90, 99, 99.9 ... at equal distances: a place is the number of nines."""
    nines = max(2, math.ceil(most - 1e-9))
    return Scale(0.0, float(nines), tuple(float(index) for index in range(nines + 1)))


def nines(part: float) -> float:
    """The place of a percentile (as a share of one) on that scale."""
    return -math.log10(1.0 - part)
