"""Load runs, or suites of figures, side by side: `compare` decides, `compare_command` prints. `sides.py` says what a side is.

Figures meet by name. What is on one side only is listed as such: a figure that went missing is not one that stayed the same.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import msgspec
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from bench.measure.result import Result
from bench.report.change import (
    LATENCY_OF_ONE_RUN,
    OF_ONE_RUN,
    OF_ONE_SITTING,
    RUNS_MIN,
    SHARE_OF_ONE_RUN,
    SMALLEST,
    Change,
    Ending,
    change,
)
from bench.report.numbers import clean, exact, number, share
from bench.report.sides import Side, read_side
from bench.report.words import many

_STYLES: dict[Ending, str] = {
    "better": "green",
    "worse": "bold red",
    "changed": "yellow",
    "within spread": "dim",
    "within margin": "dim",
    "same": "dim",
}


class Comparison(msgspec.Struct):
    """What changed from a to b. `warnings` are reasons not to trust it."""

    a: str
    b: str
    changes: list[Change]
    only_a: list[str]
    only_b: list[str]
    warnings: list[str]
    rules: list[str]
    """What is called a change, where that is not simply more than the spread of the runs."""
    failed_a: dict[str, str] = {}
    """Parts of a suite that failed there, and why."""
    failed_b: dict[str, str] = {}


def compare(a: Path, b: Path) -> Comparison:
    """Compare two sides. Raises ValueError when they are no results or not two of a kind, OSError when they cannot be read."""
    left, right = read_side(a), read_side(b)
    if left.is_suite != right.is_suite:
        raise ValueError(f"one of {a} and {b} is a load run and the other a suite: compare two of a kind")
    warnings = [*_of_runs(left, right), *_of_machines(left, right)]
    warnings += [f"{which}: {gap}" for which, side in (("a", left), ("b", right)) for gap in side.gaps()]
    one_sitting = left.is_suite and min(len(left.runs), len(right.runs)) < RUNS_MIN
    margin = OF_ONE_SITTING if one_sitting else SMALLEST
    before, after = left.figures(), right.figures()
    return Comparison(
        _named(left),
        _named(right),
        [change(one, after[name], margin) for name, one in before.items() if name in after],
        [name for name in before if name not in after],
        [name for name in after if name not in before],
        list(dict.fromkeys(warnings)),
        list(_rules(left, right)),
        left.failures,
        right.failures,
    )


def _named(side: Side) -> str:
    return side.name if len(side.runs) == 1 else f"{side.name} ({len(side.runs)} runs)"


def _rules(a: Side, b: Side) -> Iterator[str]:
    """What is called better or worse where there are too few runs to know."""
    counts = (len(a.runs), len(b.runs))
    if min(counts) >= RUNS_MIN:
        return
    wide = (
        f"more than {share(OF_ONE_RUN)} (times: {share(LATENCY_OF_ONE_RUN)}; shares: {SHARE_OF_ONE_RUN * 100:g} point) "
        f"is called better or worse"
    )
    if a.is_suite:
        yield (
            f"the rounds of one sitting do not show how far sittings lie apart: beside the rounds' spread a change must be "
            f"{share(OF_ONE_SITTING)}; of what has fewer than {RUNS_MIN} rounds only {wide}"
        )
    else:
        yield (
            f"a has {many(counts[0], 'run')}, b has {counts[1]}: how far runs lie apart is unknown, so only a change by "
            f"{wide}. "
            f"Give {RUNS_MIN} runs or more of each side (a folder of them, or files with commas) for a spread"
        )


def _of_runs(a: Side, b: Side) -> Iterator[str]:
    for side, found in (("a", a.results), ("b", b.results)):
        for one in found:
            yield from _of_plans(a.results[0], one, "a", side if one is found[0] or side == "b" else "another run of a")
            if one.failure:
                yield f"run {side} did not finish: {one.failure}"
            yield from (f"run {side}: {warning}" for warning in one.warnings)


def _of_plans(a: Result, b: Result, a_name: str, b_name: str) -> Iterator[str]:
    for name in a.plan.__struct_fields__:
        left, right = getattr(a.plan, name), getattr(b.plan, name)
        if name == "target":  # a port says nothing about what answers there
            left, right = (re.sub(r":\d+\b", "", target) for target in (left, right))
        if left != right:
            yield f"the plans differ: {name} is {_said(left)} in {a_name} and {_said(right)} in {b_name}"


def _of_machines(a: Side, b: Side) -> Iterator[str]:
    first = a.machines[0]
    for machine in (*a.machines, *b.machines):
        for name in ("system", "python", "cpus"):
            left, right = getattr(first, name), getattr(machine, name)
            if left != right:
                yield f"the machines differ: {name} is {_said(left)} in a and {_said(right)} in b"


def _said(value: object) -> str:
    return "not set" if value is None or value == "" else str(value)


def comparison_table(found: Comparison) -> RenderableType:
    """For the terminal."""
    lines: list[RenderableType] = [Text(f"! {clean(warning)}", "yellow") for warning in found.warnings]
    table = Table(box=None, pad_edge=False, header_style="dim", caption=f"a: {clean(found.a)}   b: {clean(found.b)}")
    for head, justify in _HEADS:
        table.add_column(head, justify="right" if justify else "left", overflow="fold")
    for one in found.changes:
        table.add_row(*(Text(clean(cell), _STYLES[one.ending]) for cell in _cells(one)))
    lines.append(table)
    lines.append(Text(_counted(found)))
    lines += [Text(clean(rule), "dim") for rule in found.rules]
    for side, only in (("a", found.only_a), ("b", found.only_b)):
        lines += [Text(clean(f"only in {side}: {', '.join(only)}"))] if only else []
    for side, failed in (("a", found.failed_a), ("b", found.failed_b)):
        lines += [Text(clean(f"failed in {side}: {name} ({why})"), "bold red") for name, why in failed.items()]
    return Group(*lines)


def _counted(found: Comparison) -> str:
    """The end of it all, where a terminal is read first."""
    counts = Counter(one.ending for one in found.changes)
    return ", ".join(f"{counts[ending]} {ending}" for ending in _STYLES if counts[ending]) or "no figure is in both"


_HEADS = (("figure", False), ("a", True), ("b", True), ("b / a", True), ("spread", True), ("", False))


def _cells(one: Change) -> list[str]:
    between = "" if one.low is None or one.high is None else f"{number(one.low)} to {number(one.high)}"
    a, b = (f"{number(value)} {one.unit}" if one.unit else exact(value) for value in (one.a, one.b))
    return [one.name, a, b, "" if one.ratio is None else number(one.ratio), between, one.ending]


def compare_command(a: Path, b: Path, *, json: bool = False) -> None:
    """Compare load runs, or suites of figures. Ends with 2 when they cannot be compared.

    The unit is a whole run: with three or more on each side a change must be more than their spread, with fewer more than a
    wide margin, for then nobody knows the spread.

    Parameters
    ----------
    a
        The earlier `result.json` or suite; a folder of runs (before/1, before/2 ... as given to --out); or several with commas.
    b
        The later one, or ones.
    json
        Print the comparison as JSON.
    """
    try:
        found = compare(a, b)
    except (OSError, ValueError) as error:
        print(f"compare: {clean(str(error))}", file=sys.stderr)
        raise SystemExit(2) from None
    if json:
        print(msgspec.json.encode(found).decode())
        return
    Console().print(comparison_table(found))
