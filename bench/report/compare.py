"""Two load runs, or two suites of figures, side by side: `compare` decides, `compare_command` prints.

Figures meet by name. What is on one side only is listed as such: a figure that went missing is not one that stayed the same.
"""

import re
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from bench.measure.figures import Figure, figures
from bench.measure.result import Machine, Result, read_result
from bench.measure.suite import Suite, read_suite
from bench.report.change import Change, Ending, change
from bench.report.numbers import clean, exact, number

_STYLES: dict[Ending, str] = {
    "better": "green",
    "worse": "bold red",
    "changed": "yellow",
    "within spread": "dim",
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


class _Kind(msgspec.Struct):
    """Tells a suite from a result."""

    suite: Any = None


def compare(a: Path, b: Path) -> Comparison:
    """Compare two files. Raises ValueError when they are no results or not two of a kind, OSError when they cannot be read."""
    left, right = _read(a), _read(b)
    if type(left) is not type(right):
        raise ValueError(f"one of {a} and {b} is a load run and the other a suite: compare two of a kind")
    warnings = list(_of_runs(left, right)) if isinstance(left, Result) and isinstance(right, Result) else []
    warnings += _of_machines(_machine(left), _machine(right))
    return _compared(str(a), str(b), _figures(left), _figures(right), warnings)


def _machine(found: Result | Suite) -> Machine:
    return found.machine if isinstance(found, Result) else found.suite.machine


def _figures(found: Result | Suite) -> dict[str, Figure]:
    return {one.name: one for one in (figures(found) if isinstance(found, Result) else found.figures)}


def _compared(a: str, b: str, left: dict[str, Figure], right: dict[str, Figure], warnings: list[str]) -> Comparison:
    return Comparison(
        a,
        b,
        [change(one, right[name]) for name, one in left.items() if name in right],
        [name for name in left if name not in right],
        [name for name in right if name not in left],
        warnings,
    )


def _read(path: Path) -> Result | Suite:
    try:
        kind = msgspec.json.decode(path.read_bytes(), type=_Kind)
    except msgspec.DecodeError as error:
        raise ValueError(f"{path} is no result of a load run and no suite: {error}") from None
    return read_result(path) if kind.suite is None else read_suite(path)


def _of_runs(a: Result, b: Result) -> Iterator[str]:
    for name in a.plan.__struct_fields__:
        left, right = getattr(a.plan, name), getattr(b.plan, name)
        if name == "target":  # a port says nothing about what answers there
            left, right = (re.sub(r":\d+\b", "", target) for target in (left, right))
        if left != right:
            yield f"the plans differ: {name} is {_said(left)} in a and {_said(right)} in b"
    for side, one in (("a", a), ("b", b)):
        if one.failure:
            yield f"run {side} did not finish: {one.failure}"
        yield from (f"run {side}: {warning}" for warning in one.warnings)


def _of_machines(a: Machine, b: Machine) -> Iterator[str]:
    for name in ("system", "python", "cpus"):
        left, right = getattr(a, name), getattr(b, name)
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
    lines += [Text(clean(f"only in a: {', '.join(found.only_a)}"))] if found.only_a else []
    lines += [Text(clean(f"only in b: {', '.join(found.only_b)}"))] if found.only_b else []
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
    """Compare two results of load runs, or two suites of figures. Ends with 2 when they cannot be compared.

    Parameters
    ----------
    a
        The earlier `result.json`, or suite.
    b
        The later one.
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
