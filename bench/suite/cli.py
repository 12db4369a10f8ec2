"""`python -m bench suite`: run the parts, keep their figures, hold them against the newest earlier ones and the targets."""

import re
import subprocess
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter
from rich.console import Console
from rich.table import Table

from bench.measure.figures import Figure
from bench.measure.suite import About, Suite, write_suite
from bench.measure.usage import machine_load, this_machine
from bench.report.compare import compare, comparison_table
from bench.report.numbers import number
from bench.suite.parts import choose, run_parts
from bench.suite.rows import parts, targets_of
from bench.suite.targets import judge, verdict_table

ROOT = Path(__file__).parent.parent.parent
STAMP = "%Y-%m-%dT%H%M%S"
_WHOLE = re.compile(r"\d{4}-\d\d-\d\dT\d{6}(-quick)?")
"""Names of files that hold all parts."""


def suite(
    *,
    quick: Annotated[bool, Parameter(negative="")] = False,
    only: str = "",
    out: Path = Path("bench/results"),
) -> None:
    """Measure everything that is worth keeping: single parts, then the whole gateway. About ten minutes.

    Most rows through the gateway run three times. Writes OUT/<date>.json, compares it with the newest earlier one there and
    says which targets are reached. A quick run only shows that everything works; it is kept and compared apart. Exit code 1: a
    part failed. A target that is not reached is told, and no failure.

    Parameters
    ----------
    quick
        Small loads and short rounds, in less than three minutes.
    only
        Parts, with commas: codec, store, policy, figures, loop, end-to-end, or rows of that by name, such as restart.
    out
        Folder of the results.
    """
    console = Console(highlight=False, markup=False)
    every = parts()
    try:
        chosen = choose(every, only)
    except ValueError as error:
        print(f"bench suite: {error}", file=sys.stderr)
        sys.exit(2)
    began, machine = datetime.now(UTC), this_machine(machine_load())
    outcome = run_parts(chosen, lambda text: console.print(text, soft_wrap=True), quick=quick)
    console.print()
    if outcome.figures:
        about = About(began.isoformat(timespec="seconds").replace("+00:00", "Z"), commit(), machine)
        partial = "" if len(chosen) == len(every) else only
        path = keep(
            Suite(about, outcome.figures, outcome.failures), out, f"{began:{STAMP}}{'-quick' if quick else ''}", partial
        )
        show(console, path, outcome.figures, earlier(path, quick=quick), [part.name for part in chosen] if partial else None)
    verdicts = judge(targets_of(chosen), outcome.figures)
    if verdicts or outcome.failures:
        note = "   (quick loads are not what the targets are about)" if quick else ""
        console.print(f"\ntargets{note}\n")
        console.print(verdict_table(verdicts, outcome.failures))
    for warning in outcome.warnings:
        console.print(f"! {warning}", style="yellow", soft_wrap=True)
    for name, why in outcome.failures.items():
        console.print(f"FAILED {name}: {why}", style="bold red", soft_wrap=True)
    sys.exit(1 if outcome.failures else 0)


def commit() -> str:
    """Of the code that runs, with -dirty when it was changed; empty when that cannot be known."""
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--abbrev=12", "--exclude=*"]
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def keep(found: Suite, out: Path, name: str, only: str) -> Path:
    """Write the file; one with some parts only is named after them."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{'-'.join([name, *only.replace(',', ' ').split()])}.json"
    write_suite(found, path)
    return path


def earlier(path: Path, *, quick: bool) -> Path | None:
    """The newest file before `path` that holds all parts, quick or not as this one."""
    found = [
        one
        for one in path.parent.glob("*.json")
        if (match := _WHOLE.fullmatch(one.stem)) and bool(match[1]) == quick and one.name[:17] < path.name[:17]
    ]
    return max(found, default=None, key=lambda one: one.name)


def show(console: Console, path: Path, figures: Sequence[Figure], before: Path | None, asked: Sequence[str] | None) -> None:
    """Every figure: those the earlier file has against it, then the new ones; only parts `asked` for, None is all."""
    new = {one.name for one in figures}
    if before is not None:
        found = compare(before, path)
        new, found.only_b = set(found.only_b), []
        if asked is not None:
            found.only_a = [name for name in found.only_a if name.partition(".")[0] in asked]
        console.print(comparison_table(found))
    if new:
        table = Table(box=None, pad_edge=False, header_style="dim")
        for head in ("figure", "value"):
            table.add_column(head, justify="left" if head == "figure" else "right")
        for one in figures:
            if one.name in new:
                table.add_row(one.name, f"{number(one.value)} {one.unit}")
        console.print(table)
    console.print(f"written   {path}", soft_wrap=True)
