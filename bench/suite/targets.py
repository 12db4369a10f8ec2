"""What a figure must show, and what we want it to show one day."""

from collections.abc import Iterable
from typing import Literal, NamedTuple

from rich.table import Table
from rich.text import Text

from bench.measure.figures import Figure
from bench.report.numbers import number


class Target(NamedTuple):
    """`figure` is named as in a suite's file, its row in front; `bound` is the target, `aim` lies beyond."""

    figure: str
    comparison: Literal[">=", "<="]
    bound: float
    aim: float

    def reached(self, value: float, limit: float) -> bool:
        """Whether a value is as good as one of the two."""
        return value >= limit if self.comparison == ">=" else value <= limit


class Verdict(NamedTuple):
    """A target and what was found; `value` None: it was not measured, which breaks it."""

    target: Target
    value: float | None

    @property
    def held(self) -> bool:
        return self.value is not None and self.target.reached(self.value, self.target.bound)

    @property
    def aimed(self) -> bool:
        """Whether the aim is reached."""
        return self.value is not None and self.target.reached(self.value, self.target.aim)


def judge(targets: Iterable[Target], figures: Iterable[Figure]) -> list[Verdict]:
    """Every target, in their order."""
    values = {one.name: one.value for one in figures}
    return [Verdict(target, values.get(target.figure)) for target in targets]


def verdict_table(verdicts: list[Verdict]) -> Table:
    """For the terminal; the last line counts."""
    table = Table(box=None, pad_edge=False, header_style="dim")
    for head in ("target", "found", "must be", "aim", ""):
        table.add_column(head, justify="left" if head in ("target", "") else "right", overflow="fold")
    for one in verdicts:
        found = "not measured" if one.value is None else number(one.value)
        word = "aim reached" if one.aimed else "holds" if one.held else "BROKEN"
        style = "green" if one.aimed else "" if one.held else "bold red"
        bound = f"{one.target.comparison} {number(one.target.bound)}"
        table.add_row(*(Text(cell, style) for cell in (one.target.figure, found, bound, number(one.target.aim), word)))
    held, aimed = sum(one.held for one in verdicts), sum(one.aimed for one in verdicts)
    table.add_row(f"{held} of {len(verdicts)} hold, {aimed} reach their aim")
    return table
