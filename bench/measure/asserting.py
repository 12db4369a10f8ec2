"""`--assert 'sla_10s>=0.95'`: what a run must show for exit code 0."""

import operator
import re
from collections.abc import Callable, Iterable

from bench.measure.figures import Figure
from bench.measure.result import Assertion

_HOLDS: dict[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">": operator.gt,
    "<": operator.lt,
}
_FORM = re.compile(r"\s*([\w.:-]+)\s*(>=|<=|==|!=|>|<)\s*(-?\d+(?:\.\d+)?)\s*(%?)\s*")


def parse_assertion(text: str) -> tuple[str, str, float]:
    """(figure, comparison, bound). Raises ValueError with what would be right."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise ValueError(f"--assert {text!r}: a figure, a comparison and a number, such as sla_10s>=0.95 or lost==0")
    return found[1], found[2], float(found[3]) / (100 if found[4] else 1)


def judge(texts: Iterable[str], figures: Iterable[Figure]) -> list[Assertion]:
    """Each assertion with what was found. A figure that was not measured breaks it: nothing was shown."""
    values = {figure.name: figure.value for figure in figures}
    judged = []
    for text in texts:
        name, comparison, bound = parse_assertion(text)
        value = values.get(name)
        judged.append(Assertion(text, value, value is not None and _HOLDS[comparison](value, bound)))
    return judged
