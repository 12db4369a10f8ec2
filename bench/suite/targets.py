"""What a figure must show, and what we want it to show one day."""

from collections.abc import Iterable, Mapping, Sequence
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
    """A target and what was found; `value` None: it was not measured, which breaks it. `runs` are those behind the value."""

    target: Target
    value: float | None
    runs: Sequence[float] = ()

    @property
    def held(self) -> bool:
        return self.value is not None and self.target.reached(self.value, self.target.bound)

    @property
    def aimed(self) -> bool:
        """Whether the aim is reached."""
        return self.value is not None and self.target.reached(self.value, self.target.aim)


def judge(targets: Iterable[Target], figures: Iterable[Figure]) -> list[Verdict]:
    """Every target, in their order."""
    found = {one.name: one for one in figures}
    return [
        Verdict(target, found[target.figure].value, found[target.figure].runs)
        if target.figure in found
        else Verdict(target, None)
        for target in targets
    ]


def verdict_table(verdicts: Sequence[Verdict], failures: Mapping[str, str]) -> Table:
    """For the terminal: what is not reached is marked with words, not with colour alone; the last line counts.

    `failures` are parts that failed, with or without targets: each has its line.
    """
    table = Table(box=None, pad_edge=False, header_style="dim")
    for head in ("target", "found", "runs", "must be", "aim", ""):
        table.add_column(head, justify="left" if head in ("target", "") else "right", overflow="fold")
    for one in verdicts:
        part = one.target.figure.partition(".")[0]
        found = number(one.value) if one.value is not None else "part failed" if part in failures else "not measured"
        word = (
            "aim reached"
            if one.aimed
            else "holds"
            if one.held
            else "<<< NOT REACHED"
            if one.value is not None
            else "<<< FAILED"
        )
        style = "green" if one.aimed else "" if one.held else "bold red"
        between = f"{number(min(one.runs))} to {number(max(one.runs))}" if one.runs else ""
        bound = f"{one.target.comparison} {number(one.target.bound)}"
        table.add_row(*(Text(cell, style) for cell in (one.target.figure, found, between, bound, number(one.target.aim), word)))
    named = {one.target.figure.partition(".")[0] for one in verdicts}
    for name in failures.keys() - named:
        table.add_row(*(Text(cell, "bold red") for cell in (name, "part failed", "", "", "", "<<< FAILED")))
    held, aimed = sum(one.held for one in verdicts), sum(one.aimed for one in verdicts)
    broken = sum(one.value is not None and not one.held for one in verdicts)
    failed = f", {len(failures)} parts failed" if failures else ""
    table.add_row(f"{held} of {len(verdicts)} hold, {aimed} reach their aim, {broken} not reached{failed}")
    return table
