"""Numbers and foreign text as people read them, the same on the page and in the terminal.

Three digits are enough for a figure. A share below one never reads 100 %, and one above zero never 0 %: the difference is what
a reader looks for.
"""

import math

NOT_MEASURED = "not measured"


def clean(text: str) -> str:
    """One line without control characters: those can drive a terminal, and some are no XML at all."""
    return "".join(one if one.isprintable() else "\N{REPLACEMENT CHARACTER}" for one in " ".join(text.split()))


def cut(text: str, most: int) -> str:
    """At most so many characters, with an ellipsis for the rest."""
    return text if len(text) <= most else text[: most - 1].rstrip() + "…"


def number(value: float) -> str:
    """Three digits, and all of those before the point: 0.0123, 4.57, 12,346."""
    if value == 0 or not math.isfinite(value):
        return "0" if value == 0 else str(value)
    digits = max(0, 2 - math.floor(math.log10(abs(value))))
    text = f"{value:,.{min(digits, 9)}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def exact(value: float) -> str:
    """Digits enough to see on which side of a limit it is."""
    return f"{value:,.8g}"


def whole(value: float) -> str:
    """A count."""
    return f"{round(value):,}"


def rate(value: float) -> str:
    """Messages a second."""
    return f"{number(value)}/s"


def milliseconds(value: float) -> str:
    """A latency in the unit it is spoken of."""
    if value >= 1000:
        return f"{number(value / 1000)} s"
    if 0 < value < 0.1:
        return f"{number(value * 1000)} µs"
    return f"{number(value)} ms"


def seconds(value: float) -> str:
    """A span of the plan."""
    if value < 120:
        return f"{number(value)} s"
    minutes, left = divmod(round(value), 60)
    return f"{minutes:,} min {left} s" if left else f"{minutes:,} min"


def share(value: float) -> str:
    """A share of one as percent, never rounded to all or nothing."""
    percent = value * 100
    for digits in range(2, 9):
        text = f"{percent:.{digits}f}"
        if float(text) not in (0, 100):
            break
    return f"{text.rstrip('0').rstrip('.')} %"


def octets(value: float) -> str:
    """Memory, in powers of ten."""
    for unit, size in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if value >= size:
            return f"{number(value / size)} {unit}"
    return f"{number(value)} B"


def clock(value: float, longest: float) -> str:
    """A moment of the run, as long as the run makes it: 12 s, 3:20, 1:02:05."""
    if longest < 120:
        return f"{number(value)} s"
    minutes, left = divmod(round(value), 60)
    if longest < 3600:
        return f"{minutes}:{left:02d}"
    return f"{minutes // 60}:{minutes % 60:02d}:{left:02d}"
